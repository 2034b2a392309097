"""Where the tiles of a large picture lie and how neighbours are blended; needs no torch."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segnet_res.errors import UsageError

# Tiles start at multiples of this, so that pooling meets the same pixels as in the whole picture.
GRID = 32

# Where a window ends its share has come down to 1 / (1 + e^4), a 55th. On the photographs of
# magnetic tiles 6 to 40 are alike, and like a squared sine: by tiles of 256 pixels 0.05 % of the
# labels are others than without tiles.
_STEEPNESS = 16


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
    """Return the weight of the later tile over the shared pixels, (overlap,) rising from 0 to 1.

    Each tile carries a Gaussian window around its centre, and the windows are normalised to sum to
    1 at every pixel. Between neighbours whose centres lie D apart, with x counted from the middle
    of what they share, the later one's share of the sum is

        exp(-(x - D/2)^2 / 2s^2) / (exp(-(x - D/2)^2 / 2s^2) + exp(-(x + D/2)^2 / 2s^2))
            = 1 / (1 + exp(-x D / s^2)),

    a logistic curve. In two dimensions a Gaussian is the product of one along each axis, and so
    are the normalised weights. The width is s^2 = D overlap / `_STEEPNESS`, a twelfth of a tile of
    1024 pixels with an overlap of 128, so that the curve depends on the overlap alone. The windows
    end a quarter of the overlap before their tile does, because there a model sees least around a
    pixel; where only one window lies its weight is 1.
    """
    places = (np.arange(overlap) + 0.5) / overlap - 0.5
    shares = 1 / (1 + np.exp(-_STEEPNESS * places))
    return np.where(places < -0.25, 0, np.where(places > 0.25, 1, shares)).astype(np.float32)
