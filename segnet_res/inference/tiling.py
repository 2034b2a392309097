"""Where the tiles of a large picture lie and how neighbours are blended; needs no torch."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segnet_res.errors import UsageError

# Tiles start at multiples of this, so that pooling meets the same pixels as in the whole picture.
GRID = 32


@dataclass(frozen=True)
class Span:
    """One tile along one axis.

    Attributes:
        start: First pixel of the tile.
        stop: One past its last pixel.
        first: Whether no tile comes before; else its first `overlap` pixels are shared.
        last: Whether no tile comes after; else its last `overlap` pixels are shared.
    """

    start: int
    stop: int
    first: bool
    last: bool


def check_tile(tile: int, overlap: int) -> None:
    """Refuse tiles that do not work.

    Raises:
        UsageError: when a size is no multiple of 32, or the overlap is more than a quarter.
    """
    if tile < 4 * GRID or tile % GRID:
        raise UsageError(f"tile is {tile}; give a multiple of {GRID}, at least {4 * GRID}")
    if overlap % GRID or not GRID <= overlap <= tile // 4:
        raise UsageError(
            f"overlap is {overlap}; give a multiple of {GRID} from {GRID} to a quarter of "
            f"the tile ({tile // 4})"
        )


def spans(length: int, tile: int, overlap: int) -> list[Span]:
    """Cut a length into as few tiles as possible, of about equal size, each at most ``tile``.

    Neighbours share exactly ``overlap`` pixels, and no pixel lies in more than two tiles.

    >>> [(span.start, span.stop) for span in spans(1025, tile=1024, overlap=128)]
    [(0, 608), (480, 1025)]
    """
    if length <= tile:
        return [Span(0, length, first=True, last=True)]
    count = -(-(length - overlap) // (tile - overlap))
    size = -(-(length + (count - 1) * overlap) // count)
    size = -(-size // GRID) * GRID
    starts = range(0, length - overlap, size - overlap)
    return [
        Span(start, min(start + size, length), first=start == 0, last=start == starts[-1])
        for start in starts
    ]


def ramp(overlap: int) -> NDArray[np.float32]:
    """Return the weight of the later tile over the shared pixels, (overlap,) from 0 to 1.

    The outer quarter of a tile's share counts nothing, because the tile sees least around it; in
    between the weight rises as a squared sine. The weights of both tiles sum to 1.
    """
    places = (np.arange(overlap) + 0.5) / overlap
    return (np.sin(np.clip(2 * places - 0.5, 0, 1) * np.pi / 2) ** 2).astype(np.float32)
