"""What a training adds that goes on from another one: how often which pictures are drawn."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Pool:
    """Pictures that are drawn from alike.

    Attributes:
        share: Of all crops, 0 to 1; the shares of all pools are 1 in sum.
        indices: (n,) int64, places in the split ``train``; at least one.
    """

    share: float
    indices: NDArray[np.int64]


@dataclass(frozen=True)
class Descent:
    """Where a retraining comes from, beside the weights that it starts with.

    Attributes:
        parent: Name and short hash of the checkpoint that the start was made from.
        pools: Each crop comes from one of these; none: every picture is drawn alike.
        recipe: Further entries for the recipe in the checkpoint.
        data: Further entries for the data in the checkpoint.
    """

    parent: str
    pools: tuple[Pool, ...] = ()
    recipe: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)


def drawn_shares(pixels: NDArray[np.int64], pools: tuple[Pool, ...]) -> NDArray[np.float64]:
    """Return the share of each class among the labelled pixels that are drawn.

    Args:
        pixels: (pictures, classes) int64, labelled pixels of each class in each picture.
        pools: Each counts by its share of the crops; none: all pictures are one.

    Returns:
        (C,) float64 in sum 1.

    >>> pixels = np.array([[90, 10], [100, 0], [100, 0]])
    >>> drawn_shares(pixels, (Pool(0.5, np.array([0])), Pool(0.5, np.array([1, 2])))).tolist()
    [0.95, 0.05]
    """
    if pools:
        found = [(pool.share, pixels[pool.indices].sum(axis=0)) for pool in pools]
        drawn = np.sum([share * total / max(1, total.sum()) for share, total in found], axis=0)
    else:
        drawn = pixels.sum(axis=0)
    shares: NDArray[np.float64] = drawn / drawn.sum()
    return shares
