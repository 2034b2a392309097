"""What the training split tells before training: pixels of each class, mean and deviation."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from segnet_res.conditions import KnownConditions
from segnet_res.conditions import measure as measure_conditions
from segnet_res.data import SegmentationDataset, class_pixels
from segnet_res.errors import DataError
from segnet_res.training.descent import Pool, drawn_shares

# Mean and deviation settle long before this many pictures.
_MOST_PICTURES = 200

# Conditions are known by what is rare: one picture in a hundred.
_MOST_CONDITIONS = 1000


@dataclass(frozen=True)
class Statistics:
    """What the training split tells.

    Attributes:
        pixels: (pictures, classes) int64, labelled pixels of each class in each picture.
        mean: Mean of each channel, 0 to 255.
        std: Standard deviation of each channel, 0 to 255.
        conditions: What the pictures are like.
        pools: How often which pictures are drawn; none: all alike.
    """

    pixels: NDArray[np.int64]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    conditions: KnownConditions
    pools: tuple[Pool, ...] = ()

    @property
    def shares(self) -> tuple[float, ...]:
        """Share of the labelled pixels of each class, in sum 1.

        Pools count as they are drawn; that some crops are cut around rare classes does not.
        """
        return tuple(drawn_shares(self.pixels, self.pools).tolist())


def measure(dataset: SegmentationDataset) -> Statistics:
    """Read all masks and up to 200 pictures, evenly spread, of a split.

    Raises:
        DataError: when a file cannot be read, or no pixel is labelled.
    """
    pixels = class_pixels(dataset)
    if not pixels.any():
        raise DataError(
            f"{dataset.info.name}: no pixel of the split {dataset.split!r} is labelled; "
            "check the masks with `segnet-res data check`"
        )
    count, total, squares = 0, np.zeros(dataset.channels), np.zeros(dataset.channels)
    for index in _spread(len(dataset), _MOST_PICTURES):
        image = dataset[index].image
        pixels_here = image.shape[0] * image.shape[1]
        # By OpenCV, which makes no array of eight bytes a value.
        middle, spread = (values.ravel() for values in cv2.meanStdDev(image))
        count += pixels_here
        total += pixels_here * middle
        squares += pixels_here * (spread**2 + middle**2)
    mean = total / count
    # At least one grey level: pictures of a single colour would divide by zero.
    std = np.sqrt(np.maximum(squares / count - mean**2, 1.0))
    return Statistics(pixels, tuple(mean.tolist()), tuple(std.tolist()), learn_conditions(dataset))


def learn_conditions(dataset: SegmentationDataset) -> KnownConditions:
    """Measure up to 1000 pictures, evenly spread, of a split that has one.

    Raises:
        DataError: when a picture cannot be read.
    """
    chosen = _spread(len(dataset), _MOST_CONDITIONS)
    return KnownConditions.of(measure_conditions(dataset.read_image(index)) for index in chosen)


def _spread(length: int, most: int) -> list[int]:
    """Return at most so many indices of a sequence, evenly spread, its ends among them."""
    chosen: list[int] = np.unique(np.linspace(0, length - 1, most).astype(int)).tolist()
    return chosen
