"""From outlines and run lengths to pixels.

Coordinates count from the upper left corner of the upper left pixel, so that the pixel (x, y) spans
x to x + 1; a pixel belongs to an outline when its centre lies inside. So outlines along the sides
of pixels, such as `predict --save polygons` writes them, give back the very mask, and neighbours
that share an edge neither overlap nor leave a gap.
"""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Ring = NDArray[np.float64]

_CORNERS_OF_ELLIPSE = 720

# No picture is so large, and computing with larger numbers would overflow.
_FARTHEST = 1e7


def number(value: object) -> float:
    """Return a coordinate or length.

    Raises:
        ValueError: when it is no number, or one beyond any picture.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        found = float(value) if abs(value) < _FARTHEST else math.inf
        if math.isfinite(found):
            return found
    raise ValueError(f"{value!r} is no coordinate")


def fill(
    rings: Iterable[Ring], size: tuple[int, int], place: tuple[int, int] = (0, 0)
) -> NDArray[np.bool_]:
    """Return the pixels whose centres lie inside of an odd number of rings, (H, W) bool.

    Args:
        rings: Corners (x, y) of closed outlines, (n, 2) float64 each; a ring inside of another
            is a hole.
        size: Height and width of the window that is looked at; what lies outside is cut off.
        place: Row and column of the window's upper left pixel.

    >>> fill([np.array([(1, 0), (3, 0), (3, 2), (1, 2)], float)], (2, 4)).astype(int).tolist()
    [[0, 1, 1, 0], [0, 1, 1, 0]]
    """
    (height, width), (top, left) = size, place
    # Each side flips all pixels to its right in the rows whose centres it passes.
    flips = np.zeros((height, width + 1), np.uint8)
    for ring in rings:
        for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
            if y0 == y1:
                continue
            # From its upper end, and wherever the window lies: a neighbour that has the same side
            # walks it the other way, and must round as this one does.
            if y0 > y1:
                x0, y0, x1, y1 = x1, y1, x0, y0
            first, last = (int(np.clip(math.ceil(y - 0.5) - top, 0, height)) for y in (y0, y1))
            rows = np.arange(first, last)
            x = x0 + (rows + top + 0.5 - y0) * (x1 - x0) / (y1 - y0)
            columns = np.clip(np.ceil(x - 0.5) - left, 0, width).astype(np.intp)
            flips[rows, columns] ^= 1
    inside: NDArray[np.bool_] = np.bitwise_xor.accumulate(flips[:, :width], axis=1).astype(np.bool_)
    return inside


def rectangle(
    left: float,
    top: float,
    right: float,
    bottom: float,
    turn: float = 0.0,
    pivot: tuple[float, float] | None = None,
) -> Ring:
    """Return the corners of a rectangle, turned clockwise by degrees.

    It turns around its centre where no pivot is given.

    Raises:
        ValueError: as `number`.
    """
    left, top, right, bottom, turn = map(number, (left, top, right, bottom, turn))
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float64)
    return _turned(corners, turn, pivot or ((left + right) / 2, (top + bottom) / 2))


def ellipse(x: float, y: float, across: float, down: float, turn: float = 0.0) -> Ring:
    """Return an outline of an ellipse with these half axes, turned clockwise by degrees.

    Raises:
        ValueError: as `number`.
    """
    x, y, across, down, turn = map(number, (x, y, across, down, turn))
    angles = np.linspace(0, 2 * math.pi, _CORNERS_OF_ELLIPSE, endpoint=False)
    outline = np.column_stack([x + across * np.cos(angles), y + down * np.sin(angles)])
    return _turned(outline, turn, (x, y))


def _turned(points: Ring, turn: float, pivot: tuple[float, float]) -> Ring:
    if not turn:
        return points
    cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    # Rows count downward, so this turns clockwise.
    away = points - pivot
    return np.asarray(away @ np.array([(cos, sin), (-sin, cos)]) + pivot)


def runs_to_mask(
    counts: Sequence[int] | NDArray[np.int64], size: tuple[int, int], *, by_column: bool
) -> NDArray[np.bool_]:
    """Return the mask of run lengths that begin with pixels outside, (H, W) bool.

    Raises:
        ValueError: when they do not add up to the pixels of the mask.

    >>> runs_to_mask([1, 2, 1], (2, 2), by_column=True).astype(int).tolist()
    [[0, 1], [1, 0]]
    """
    height, width = size
    runs = np.asarray(counts)
    if runs.ndim != 1 or runs.dtype.kind not in "iu":
        raise ValueError("runs are no whole numbers")
    if (runs < 0).any() or runs.sum() != height * width:
        raise ValueError(f"runs add up to {runs.sum()} pixels of {height * width}")
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return flat.reshape(width, height).T if by_column else flat.reshape(height, width)


def coco_counts(text: str) -> list[int]:
    """Return the run lengths of COCO's compressed form.

    Numbers are written in digits of 5 bits, the lowest first, each as a letter from "0" on; from
    the fourth on, each is the difference to the number two places before.

    Raises:
        ValueError: when the text is cut off or holds other letters.

    >>> coco_counts("11O1")
    [1, 1, -1, 2]
    """
    counts: list[int] = []
    value = shift = 0
    for letter in text:
        digit = ord(letter) - 48
        if not 0 <= digit < 64:
            raise ValueError(f"holds {letter!r}")
        value |= (digit & 31) << shift
        shift += 5
        if digit & 32:
            continue
        if digit & 16:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = shift = 0
    if shift:
        raise ValueError("is cut off")
    return counts


def unpack_brush(packed: Sequence[int]) -> NDArray[np.uint8]:
    """Return the bytes of a brush stroke of Label Studio, as its package rle-pack packs them.

    A header tells the number of words, their size, and four sizes of run lengths. Then follow runs:
    a bit that tells whether one word is repeated, which size the length has, the length, and the
    word or words.

    Raises:
        ValueError: when the data are cut off or hold no bytes.
    """
    data = np.asarray(packed)
    if data.ndim != 1 or data.dtype.kind not in "iu" or data.min() < 0 or data.max() > 255:
        raise ValueError("holds no bytes")
    stream = _Bits(data.astype(np.uint8).tobytes())
    total, word = stream.read(32), stream.read(5) + 1
    sizes = [stream.read(4) + 1 for _ in range(4)]
    if word > 8 or total > 8 * 1_000_000_000:
        raise ValueError(f"claims {total} words of {word} bits")
    parts: list[NDArray[np.uint8]] = []
    done = 0
    while done < total:
        repeated = stream.read(1)
        length = stream.read(sizes[stream.read(2)]) + 1
        if repeated:
            parts.append(np.full(length, stream.read(word), np.uint8))
        else:
            parts.append(np.array([stream.read(word) for _ in range(length)], np.uint8))
        done += length
    return np.concatenate(parts)[:total] if parts else np.zeros(0, np.uint8)


class _Bits:
    """Numbers of any size from bytes, the highest bit first."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def read(self, size: int) -> int:
        start, end = self._place, self._place + size
        if end > 8 * len(self._data):
            raise ValueError("is cut off")
        self._place = end
        taken = int.from_bytes(self._data[start // 8 : (end + 7) // 8], "big")
        return taken >> -end % 8 & ((1 << size) - 1)
