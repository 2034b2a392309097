"""Confusion matrix and what follows from it: IoU, Dice, precision, recall, accuracies."""

from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segnet_res.classes import ClassMap

_EXACT = 2**24


@dataclass(frozen=True)
class ClassScore:
    """What one class reached; a ratio whose denominator is zero is None.

    Attributes:
        name: The class.
        iou: true positives / (true positives + false positives + false negatives), 0 to 1.
        dice: 2 true positives / (2 true positives + false positives + false negatives), 0 to 1.
        precision: Share of the pixels called this class that are, 0 to 1.
        recall: Share of the pixels of this class that were found, 0 to 1.
        pixels: Pixels of this class in the truth.
    """

    name: str
    iou: float | None
    dice: float | None
    precision: float | None
    recall: float | None
    pixels: int


@dataclass(frozen=True)
class Scores:
    """What a prediction reached against the truth.

    Attributes:
        miou: Mean IoU over the classes that occur in truth or prediction; None when none does.
        pixel_accuracy: Share of the labelled pixels that are right, 0 to 1.
        mean_accuracy: Mean recall over the classes that occur in the truth.
        images: Number of pictures.
        classes: One score for each class, in the order of the labels.
        confusion: Pixel counts, row = truth, column = prediction.
    """

    miou: float | None
    pixel_accuracy: float | None
    mean_accuracy: float | None
    images: int
    classes: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists and numbers for JSON, as `evaluate --json` writes them."""
        return asdict(self)


class ConfusionMatrix:
    """Counts of pixels by true and predicted class, over any number of pictures.

    A class that occurs in neither truth nor prediction has no IoU (None) and is outside the mean:
    counting it as 0 or 1 would make the mean depend on classes that nobody saw.

    Worked out by hand, prediction ``[0, 0, 1, 1]`` against truth ``[0, 1, 1, 1]``:

    >>> matrix = ConfusionMatrix(ClassMap.from_names(["sound", "scratch"]))
    >>> matrix.update(np.array([0, 1, 1, 1]), np.array([0, 0, 1, 1]))
    >>> [score.iou for score in matrix.scores().classes]
    [0.5, 0.6666666666666666]

    Args:
        class_map: Names the classes and the label that is left out.
    """

    def __init__(self, class_map: ClassMap) -> None:
        self.class_map = class_map
        self.counts: NDArray[np.int64] = np.zeros((len(class_map), len(class_map)), np.int64)
        self.images = 0

    def update(self, truth: NDArray[np.integer], prediction: NDArray[np.integer]) -> None:
        """Count one picture.

        Args:
            truth: Labels of any shape; `ignore_index` counts nowhere.
            prediction: Labels of the same shape, each below the number of classes.

        Raises:
            ValueError: when shapes differ or a label is no class.
        """
        if truth.shape != prediction.shape:
            raise ValueError(f"truth has shape {truth.shape}, prediction {prediction.shape}")
        n = len(self.class_map)
        pairs = _pairs(truth, prediction) if truth.dtype == prediction.dtype == np.uint8 else None
        if pairs is None:
            labelled = truth != self.class_map.ignore_index
            rows = truth[labelled].astype(np.int64)
            columns = prediction[labelled].astype(np.int64)
        else:
            pairs[self.class_map.ignore_index] = 0
            rows, columns = np.flatnonzero(pairs.sum(axis=1)), np.flatnonzero(pairs.sum(axis=0))
        for what, found in (("truth", rows), ("prediction", columns)):
            if found.size and not (found.min() >= 0 and found.max() < n):
                raise ValueError(
                    f"{what} holds labels from {found.min()} to {found.max()}, "
                    f"classes are 0 to {n - 1}"
                )
        if pairs is None:
            self.counts += np.bincount(n * rows + columns, minlength=n * n).reshape(n, n)
        else:
            self.counts += pairs[:n, :n]
        self.images += 1

    def add(self, counts: NDArray[np.int64], images: int = 1) -> None:
        """Add what was counted elsewhere: (C, C) of so many pictures, row = truth.

        Raises:
            ValueError: when the counts are of another number of classes.
        """
        if counts.shape != self.counts.shape:
            raise ValueError(f"counts are {counts.shape}, give {self.counts.shape}")
        self.counts += counts
        self.images += images

    def scores(self) -> Scores:
        """Return the ratios of all that was counted so far."""
        hits = np.diag(self.counts)
        actual, predicted = self.counts.sum(axis=1), self.counts.sum(axis=0)
        classes = tuple(
            ClassScore(
                name=name,
                iou=_ratio(hits[i], actual[i] + predicted[i] - hits[i]),
                dice=_ratio(2 * hits[i], actual[i] + predicted[i]),
                precision=_ratio(hits[i], predicted[i]),
                recall=_ratio(hits[i], actual[i]),
                pixels=int(actual[i]),
            )
            for i, name in enumerate(self.class_map.names)
        )
        return Scores(
            miou=_mean([score.iou for score in classes]),
            pixel_accuracy=_ratio(hits.sum(), actual.sum()),
            mean_accuracy=_mean([score.recall for score in classes]),
            images=self.images,
            classes=classes,
            confusion=tuple(tuple(row) for row in self.counts.tolist()),
        )


def _ratio(part: np.integer, whole: np.integer) -> float | None:
    return float(part / whole) if whole else None


def _mean(values: list[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return sum(present) / len(present) if present else None


def _pairs(truth: NDArray[np.integer], prediction: NDArray[np.integer]) -> NDArray[np.int64]:
    """Count the pixels of each pair of uint8 labels, (256, 256) int64, row = truth.

    A tenth of the time of counting in numpy, and no arrays of eight bytes a pixel.
    """
    counts = np.zeros((256, 256), np.int64)
    rows = np.ascontiguousarray(truth).reshape(1, -1)
    columns = np.ascontiguousarray(prediction).reshape(1, -1)
    # OpenCV counts in float32, which is exact up to 2^24 only.
    for start in range(0, rows.shape[1], _EXACT):
        part = slice(start, start + _EXACT)
        counts += cv2.calcHist(
            [rows[:, part], columns[:, part]], [0, 1], None, [256, 256], [0, 256, 0, 256]
        ).astype(np.int64)
    return counts
