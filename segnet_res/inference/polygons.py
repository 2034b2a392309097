"""Outlines of regions along the sides of their pixels: exact, one polygon a region, with holes.

Coordinates count from the upper left corner of the upper left pixel, so that the pixel (x, y)
spans x to x + 1 and y to y + 1, and a polygon holds a pixel whole or not at all. A hole is joined
to what is around it by a seam: a line that is walked twice, in opposite directions, and so encloses
nothing. Both common rules of filling, even-odd and non-zero, leave holes empty, because rings of
holes turn the other way round.

The corners of all outlines are found at once. Those on one row belong together two by two as ends
of horizontal sides, those on one column as ends of vertical ones; going along both in turn gives
the rings.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

Point = tuple[int, int]
Ring = list[Point]

# Where a pixel lies that meets the others in a corner: bits of a code from 0 to 15.
_UPPER_LEFT, _UPPER_RIGHT, _LOWER_LEFT, _LOWER_RIGHT = 1, 2, 4, 8

# Corners are looked for in so many rows at once that the codes take a few megabytes, and regions
# are walked around in groups of so many corners, because lists of Python take a hundred bytes each.
_PIXELS_AT_ONCE = 4_000_000
_CORNERS_AT_ONCE = 200_000


def _turns() -> NDArray[np.bool_]:
    """Return for each code which of four corners are there, (16, 4) bool.

    A corner joins a side to the right or left with one that goes down or up; the columns are
    right-down, right-up, left-down, left-up. Where two pixels touch at their corners alone there
    are two corners, each around one of the empty places: the pixels hang together.
    """
    table = np.zeros((16, 4), np.bool_)
    right_down, right_up, left_down, left_up = range(4)
    own = {
        _LOWER_RIGHT: right_down,
        _UPPER_RIGHT: right_up,
        _LOWER_LEFT: left_down,
        _UPPER_LEFT: left_up,
    }
    for place, turn in own.items():
        # A single pixel, or a single empty place.
        table[place, turn] = table[15 - place, turn] = True
    table[_UPPER_LEFT | _LOWER_RIGHT, [right_up, left_down]] = True
    table[_UPPER_RIGHT | _LOWER_LEFT, [left_up, right_down]] = True
    return table


def _inside() -> NDArray[np.intp]:
    """Return for each code row and column of a pixel that is there, from the lower right one."""
    places = np.zeros((2, 16), np.intp)
    steps = {_UPPER_LEFT: (-1, -1), _UPPER_RIGHT: (-1, 0), _LOWER_LEFT: (0, -1)}
    for code in range(1, 8):
        places[:, code] = steps[code & -code]
    return places


_TURNS = _turns()
_IS_CORNER = np.asarray(_TURNS.any(axis=1))
_INSIDE = _inside()


@dataclass
class _Corners:
    """Corners of regions, by region, then row, then column.

    Attributes:
        region: (n,) int32, number of the region of each.
        y: (n,) int32, row of each.
        x: (n,) int32, column of each.
        right: (n,) bool, whether the horizontal side goes to the right; else to the left.
        down: (n,) bool, whether the vertical side goes down; else up.
    """

    region: NDArray[np.int32]
    y: NDArray[np.int32]
    x: NDArray[np.int32]
    right: NDArray[np.bool_]
    down: NDArray[np.bool_]

    def part(self, start: int, stop: int) -> "_Corners":
        """Return those of some whole regions."""
        chosen = slice(start, stop)
        return _Corners(
            self.region[chosen],
            self.y[chosen],
            self.x[chosen],
            self.right[chosen],
            self.down[chosen],
        )

    def across(self) -> list[int]:
        """Return the corner at the other end of each corner's horizontal side."""
        return _other_ends(self.right, np.arange(len(self.x)))

    def along(self) -> list[int]:
        """Return the corner at the other end of each corner's vertical side."""
        return _other_ends(self.down, np.lexsort((self.y, self.x, self.region)))


def _other_ends(starts: NDArray[np.bool_], order: NDArray[np.intp]) -> list[int]:
    # Sides of one line do not overlap, so the first that begins is the first that ends.
    ordered = starts[order]
    begin, end = order[ordered], order[~ordered]
    other = np.empty(len(order), np.int64)
    other[begin], other[end] = end, begin
    return other.tolist()


def _find_corners(components: NDArray[np.int32]) -> _Corners:
    height, width = components.shape
    rows = max(1, _PIXELS_AT_ONCE // (width + 1))
    found = [
        _corners_of_rows(components, start, min(start + rows, height + 1))
        for start in range(0, height + 1, rows)
    ]
    region, y, x, turn = (np.concatenate(values) for values in zip(*found, strict=True))
    # They are found by row and column, and so stay.
    order = np.argsort(region, kind="stable")
    turn = turn[order]
    return _Corners(region[order], y[order], x[order], turn < 2, turn % 2 == 0)


def _corners_of_rows(
    components: NDArray[np.int32], start: int, stop: int
) -> tuple[NDArray[np.int32], ...]:
    """Return region, row, column and turn of the corners on the lines start to stop."""
    # One empty pixel all around.
    pixels = np.zeros((stop - start + 1, components.shape[1] + 2), np.uint8)
    above = max(0, start - 1)
    inside = components[above:stop] > 0
    first = above - (start - 1)
    pixels[first : first + len(inside), 1:-1] = inside
    codes = pixels[:-1, :-1].copy()
    codes |= pixels[:-1, 1:] << 1
    codes |= pixels[1:, :-1] << 2
    codes |= pixels[1:, 1:] << 3
    y, x = np.nonzero(_IS_CORNER[codes])
    code = codes[y, x]
    y += start
    region = components[y + _INSIDE[0, code], x + _INSIDE[1, code]]
    which, turn = np.nonzero(_TURNS[code])
    values = (region[which], y[which], x[which], turn)
    return tuple(each.astype(np.int32) for each in values)


def region_polygons(components: NDArray[np.int32], count: int) -> Iterator[Ring]:
    """Yield the outline of each region as one closed polygon, the last point left out.

    Args:
        components: (h, w) int32, the number of each pixel's region from 1, 0 outside; regions
            touch at sides or corners (8-connected) and do not touch each other.
        count: Number of regions, each of at least one pixel.

    Yields:
        The corners (x, y) of the regions 1 to ``count`` in turn.

    >>> ring = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], np.int32)
    >>> list(region_polygons(ring, 1))
    [[(0, 0), (1, 0), (1, 1), (1, 2), (2, 2), (2, 1), (1, 1), (1, 0), (3, 0), (3, 3), (0, 3)]]
    """
    corners = _find_corners(components)
    ends = np.searchsorted(corners.region, np.arange(1, count + 1), side="right").tolist()
    start = 0
    for i, end in enumerate(ends):
        if i + 1 == count or ends[i + 1] - start > _CORNERS_AT_ONCE:
            yield from _polygons(corners.part(start, end), components)
            start = end


def _polygons(corners: _Corners, components: NDArray[np.int32]) -> Iterator[Ring]:
    """Yield the polygon of each region whose corners these are."""
    outer, holes = _rings(corners)
    points = list(zip(corners.x.tolist(), corners.y.tolist(), strict=True))
    seams = _seams(corners, components, holes)
    for ring in outer:
        yield _joined(ring, points, seams)


def _rings(corners: _Corners) -> tuple[list[list[int]], list[list[int]]]:
    """Return the rings around regions, one for each, and those of holes.

    A ring is a list of corners, clockwise on the screen from its upper left one.
    """
    across, along = corners.across(), corners.along()
    regions = corners.region.tolist()
    outer: list[list[int]] = []
    holes: list[list[int]] = []
    seen = bytearray(len(across))
    before = 0
    for start in range(len(across)):
        if seen[start]:
            continue
        ring: list[int] = []
        here = start
        while True:
            there = across[here]
            ring += (here, there)
            seen[here] = seen[there] = 1
            here = along[there]
            if here == start:
                break
        # Nothing of a region is above its outline.
        (holes if regions[start] == before else outer).append(ring)
        before = regions[start]
    return outer, holes


# Where a hole hangs on a side, and the way around it: points, and corners by their numbers.
_Seam = tuple[int, list[Point | int]]


def _seams(
    corners: _Corners, components: NDArray[np.int32], holes: list[list[int]]
) -> dict[int, list[_Seam]]:
    """Return the holes that hang on each horizontal side, by the side's left corner."""
    if not holes:
        return {}
    height, width = components.shape
    starts = np.array([first for first, *_ in holes])
    region, x, y = corners.region[starts], corners.x[starts], corners.y[starts]
    # Straight up from the hole to the next side.
    top = np.array([*map(partial(_top, components), x.tolist(), y.tolist(), region.tolist())])

    def place(region: NDArray[Any], y: NDArray[Any], x: NDArray[Any]) -> NDArray[np.int64]:
        line = region.astype(np.int64) * (height + 1) + y
        return np.asarray(line * (width + 1) + x, np.int64)

    sides = np.flatnonzero(corners.right)
    places = place(corners.region[sides], corners.y[sides], corners.x[sides])
    above = sides[np.searchsorted(places, place(region, top, x), side="right") - 1]
    seams: dict[int, list[_Seam]] = {}
    for (first, *others), side, left, high, low in zip(
        holes, above.tolist(), x.tolist(), top.tolist(), y.tolist(), strict=True
    ):
        way: list[Point | int] = [(left, high), first, *reversed(others), (left, low), (left, high)]
        seams.setdefault(side, []).append((left, way))
    return seams


def _top(components: NDArray[np.int32], x: int, y: int, region: int) -> int:
    """Return the first row of the pixels of a region that reach down to row y in a column."""
    # Most are near.
    for reach in (16, y):
        start = max(0, y - reach)
        others = np.flatnonzero(components[start:y, x] != region)
        if len(others):
            return start + int(others[-1]) + 1
    return 0


def _joined(ring: list[int], points: list[Point], seams: dict[int, list[_Seam]]) -> Ring:
    """Return the points of a ring, with the holes that hang on its sides and on theirs."""
    joined: Ring = []
    # Holes hang on holes, many thousand deep in a noisy mask.
    stack: list[Iterator[Point | int]] = [iter(ring)]
    while stack:
        item = next(stack[-1], None)
        if item is None:
            stack.pop()
            continue
        point = points[item] if isinstance(item, int) else item
        if not joined or joined[-1] != point:
            joined.append(point)
        if isinstance(item, int) and item in seams:
            # The leftmost comes first: outlines of regions and of turned holes pass those sides
            # that holes hang on from left to right.
            hanging = sorted(seams[item], key=lambda seam: seam[0], reverse=True)
            stack += [iter(way) for _, way in hanging]
    return joined
