"""What the training split tells before training: pixels of each class, mean and deviation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segnet_res.data import SegmentationDataset
from segnet_res.data.shares import count_labels
from segnet_res.errors import DataError

# Mean and deviation settle long before this many pictures.
_MOST_PICTURES = 200


@dataclass(frozen=True)
class Statistics:
    """What the training split tells.

    Attributes:
        pixels: (pictures, classes) int64, labelled pixels of each class in each picture.
        mean: Mean of each channel, 0 to 255.
        std: Standard deviation of each channel, 0 to 255.
    """

    pixels: NDArray[np.int64]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def shares(self) -> tuple[float, ...]:
        """Share of the labelled pixels of each class, in sum 1."""
        totals = self.pixels.sum(axis=0)
        return tuple((totals / totals.sum()).tolist())


def measure(dataset: SegmentationDataset) -> Statistics:
    """Read all masks and up to 200 pictures, evenly spread, of a split.

    Raises:
        DataError: when a file cannot be read, or no pixel is labelled.
    """
    classes = len(dataset.class_map)
    pixels = np.stack([count_labels(dataset.read_labels(i), classes) for i in range(len(dataset))])
    if not pixels.any():
        raise DataError(
            f"{dataset.info.name}: no pixel of the split {dataset.split!r} is labelled; "
            "check the masks with `segnet-res data check`"
        )
    chosen = np.unique(np.linspace(0, len(dataset) - 1, _MOST_PICTURES).astype(int))
    count, total, squares = 0, np.zeros(dataset.channels), np.zeros(dataset.channels)
    for index in chosen.tolist():
        values = dataset[index].image.reshape(-1, dataset.channels).astype(np.float64)
        count += len(values)
        total += values.sum(axis=0)
        squares += (values**2).sum(axis=0)
    mean = total / count
    # At least one grey level: pictures of a single colour would divide by zero.
    std = np.sqrt(np.maximum(squares / count - mean**2, 1.0))
    return Statistics(pixels, tuple(mean.tolist()), tuple(std.tolist()))
