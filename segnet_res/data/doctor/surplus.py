"""Masks one pixel larger than their pictures: which row or column is the surplus one.

Tools that count corners instead of pixels, or round up, add a row below or a column to the right;
others add it at the beginning. Which it was shows at the edges: borders of regions lie on edges of
the picture where the mask is placed well, and one pixel beside them where it is not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from segnet_res.images import UInt8Array

# Fewer pictures than this, or a mean of differences within so many of its standard errors, tell
# nothing.
_FEWEST = 5
_STANDARD_ERRORS = 4.0


@dataclass(frozen=True)
class Ends:
    """Which end is cut off: True where the surplus row (column) is the last one."""

    rows: bool = True
    columns: bool = True


def is_surplus(mask: tuple[int, ...], image: tuple[int, ...]) -> bool:
    """Tell whether a mask of some (height, width) is one row or column, or both, too large."""
    extra = (mask[0] - image[0], mask[1] - image[1])
    return extra in {(0, 1), (1, 0), (1, 1)}


def cut(labels: UInt8Array, size: tuple[int, ...], ends: Ends) -> UInt8Array:
    """Return labels (H, W) of the picture's size without the surplus row and column."""
    height, width = size[:2]
    top = 0 if ends.rows else labels.shape[0] - height
    left = 0 if ends.columns else labels.shape[1] - width
    return labels[top : top + height, left : left + width]


def agreement(image: UInt8Array, labels: UInt8Array) -> float | None:
    """Return how strong the picture's edges are along the borders of regions, as a logarithm.

    None where the mask has no border.
    """
    grey = cv2.GaussianBlur(image.mean(axis=2).astype(np.float32), (3, 3), 0)
    total, count = 0.0, 0
    for axis in (0, 1):
        steps = np.abs(np.diff(grey, axis=axis))
        borders = np.diff(labels.astype(np.int16), axis=axis) != 0
        total += float(np.log1p(steps[borders]).sum())
        count += int(borders.sum())
    return total / count if count else None


def compare(image: UInt8Array, labels: UInt8Array) -> tuple[float | None, float | None]:
    """Return how much better the last row (column) is cut off than the first; None: no telling."""
    size = image.shape
    results: list[float | None] = []
    for rows, columns, extra in ((False, True, 0), (True, False, 1)):
        if labels.shape[extra] == size[extra]:
            results.append(None)
            continue
        last = agreement(image, cut(labels, size, Ends()))
        first = agreement(image, cut(labels, size, Ends(rows, columns)))
        results.append(None if last is None or first is None else last - first)
    return results[0], results[1]


def judge(differences: Sequence[float]) -> bool | None:
    """Return True for the last one, False for the first, None when the pictures do not tell.

    >>> judge([0.2, 0.3, 0.25, 0.2, 0.3]), judge([0.2, -0.3, 0.1, -0.1, 0.0])
    (True, None)
    """
    values: NDArray[np.float64] = np.array(differences)
    if len(values) < _FEWEST:
        return None
    error = float(values.std(ddof=1)) / len(values) ** 0.5
    mean = float(values.mean())
    return mean > 0 if abs(mean) > _STANDARD_ERRORS * max(error, 1e-9) else None
