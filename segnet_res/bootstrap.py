"""IoU on splits drawn anew with replacement: how far scores of a few dozen pictures carry."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Interval = tuple[float, float]

# Numbers drawn at once: 8 MB for any number of pictures.
_DRAWN = 1_000_000


def margins(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return (pictures, 3, C): pixels that are right, that are in the truth, in the prediction.

    All that IoU and rates need; with 200 classes a hundredth of the matrices.

    Args:
        counts: (pictures, C, C) pixels, row = truth, column = prediction.
    """
    hits = np.diagonal(counts, axis1=1, axis2=2)
    return np.stack([hits, counts.sum(axis=2), counts.sum(axis=1)], axis=1)


def summed(sums: NDArray[np.int64], parts: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return the `margins` of parts, (parts, 3, C), from those of their pictures.

    Args:
        sums: (pictures, 3, C).
        parts: (pictures,), which part each picture shows, counted from 0.
    """
    total = np.zeros((int(parts.max()) + 1, *sums.shape[1:]), np.int64)
    np.add.at(total, parts, sums)
    return total


def ious(sums: NDArray[Any]) -> NDArray[np.float64]:
    """Return the IoU of each class of `margins` (..., 3, C); NaN where a class does not occur."""
    hits, actual, predicted = np.moveaxis(sums, -2, 0)
    union = actual + predicted - hits
    found = np.full(union.shape, np.nan)
    np.divide(hits, union, out=found, where=union > 0)
    return found


def resampled(sums: NDArray[np.int64], resamples: int, seed: int) -> NDArray[np.float64]:
    """Return the IoU of each class on splits drawn anew with replacement, (resamples, C).

    Args:
        sums: (n, 3, C), `margins` of what is drawn: pictures or parts. What is drawn depends on
            the seed and on n alone, so that two models on the same pictures get the same splits.
        resamples: Number of splits.
        seed: Chooses them.
    """
    rng = np.random.default_rng(seed)
    number = len(sums)
    # Sums stay far below 2^53, so that they are exact; and the product is quick.
    flat = sums.reshape(number, -1).astype(np.float64)
    rows = max(1, _DRAWN // number)
    results = []
    for start in range(0, resamples, rows):
        size = min(rows, resamples - start)
        drawn = rng.integers(0, number, (size, number))
        drawn += number * np.arange(size)[:, None]
        times = np.bincount(drawn.ravel(), minlength=size * number).reshape(size, number)
        results.append(ious((times @ flat).reshape(size, *sums.shape[1:])))
    return np.concatenate(results)


def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over the classes, the last axis, that occur; NaN where none does."""
    known = ~np.isnan(values)
    count = known.sum(axis=-1)
    total = np.where(known, values, 0).sum(axis=-1)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan), np.float64)


def interval(values: NDArray[np.float64]) -> Interval | None:
    """Return the 2.5 and 97.5 percentiles of the values that are numbers; None without any."""
    known = values[~np.isnan(values)]
    if not known.size:
        return None
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)
