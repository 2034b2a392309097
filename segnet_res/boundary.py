"""IoU along the border of each class: what the area alone does not show.

On a large region the plain IoU hardly changes when its outline is sloppy. Boundary IoU (Cheng,
Girshick, Dollar, Berg and Kirillov, CVPR 2021) compares only the pixels of a class that lie
within a distance of its border, and so is as strict for large regions as for small ones.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from segnet_res.classes import ClassMap
from segnet_res.images import UInt8Array

# The distance as a share of the picture's diagonal, as in the paper.
DISTANCE = 0.02


def border_distance(shape: tuple[int, ...], share: float = DISTANCE) -> int:
    """Return the distance in whole pixels, at least 1, for a picture of (height, width).

    Raises:
        ValueError: when the share is outside 0 to 1.

    >>> border_distance((300, 400))
    10
    """
    if not 0 <= share <= 1:
        raise ValueError(f"the distance is {share} of the diagonal, give 0 to 1")
    return max(1, round(share * math.hypot(*shape)))


def border_counts(
    truth: UInt8Array, prediction: UInt8Array, class_map: ClassMap, *, share: float = DISTANCE
) -> NDArray[np.int64]:
    """Count the pixels along the borders of each class in one picture.

    A pixel of a class lies along its border when a pixel that is not of the class, or the edge of
    the picture, is within the distance, diagonal steps counting one as in the paper's code.
    Unlabelled pixels are taken out of truth and prediction, so that both have the same border
    there.

    Args:
        truth: (H, W) uint8, labels of the class map or `ignore_index`.
        prediction: (H, W) uint8, labels of the class map.
        class_map: Names the classes and the label that is left out.
        share: The distance as a share of the picture's diagonal.

    Returns:
        (C, 2) int64: pixels along both borders, and along either. Sums over pictures are the
        counts of all of them.

    Raises:
        ValueError: when shapes differ or the share is outside 0 to 1.
    """
    if truth.shape != prediction.shape or truth.ndim != 2:
        raise ValueError(f"truth has shape {truth.shape}, prediction {prediction.shape}")
    distance = border_distance(truth.shape, share)
    ignored = truth == class_map.ignore_index
    # Not labelled is not labelled in both, whatever was predicted there.
    predicted = np.where(ignored, truth, prediction)
    classes = len(class_map)
    along_truth = _along_border(truth, distance, class_map.ignore_index)
    along_prediction = _along_border(predicted, distance, class_map.ignore_index)
    both = along_truth & along_prediction & (truth == predicted)
    shared = np.bincount(truth[both], minlength=256)[:classes]
    actual = np.bincount(truth[along_truth], minlength=256)[:classes]
    called = np.bincount(predicted[along_prediction], minlength=256)[:classes]
    return np.stack([shared, actual + called - shared], axis=1).astype(np.int64)


def border_ious(counts: NDArray[np.int64]) -> tuple[float | None, ...]:
    """Return the IoU along the border of each class from (C, 2) counts.

    A class that occurs in neither truth nor prediction has none.
    """
    return tuple(
        None if either == 0 else both / either for both, either in np.asarray(counts).tolist()
    )


def _along_border(labels: UInt8Array, distance: int, outside: int) -> NDArray[np.bool_]:
    """Tell for every pixel whether another label, or the edge, is within a distance.

    All classes at once, and as quick for a large distance as for a small one: a pixel is next to
    another label, or so many steps from one that is.
    """
    if not labels.size:
        return np.zeros(labels.shape, np.bool_)
    # The label of unlabelled pixels is that of no class, so the edge differs from every class.
    padded = cv2.copyMakeBorder(labels, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(outside,))
    window = np.ones((3, 3), np.uint8)
    inside = (cv2.dilate(padded, window) == cv2.erode(padded, window)).astype(np.uint8)
    steps = cv2.distanceTransform(inside[1:-1, 1:-1].copy(), cv2.DIST_C, 3)
    return np.asarray(steps < distance, np.bool_)
