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

import numpy as np
from numpy.typing import NDArray

Point = tuple[int, int]
Ring = list[Point]

# Where a pixel lies that meets the others in a corner: bits of a code from 0 to 15.
_UPPER_LEFT, _UPPER_RIGHT, _LOWER_LEFT, _LOWER_RIGHT = 1, 2, 4, 8

# Corners are looked for in so many rows at once that the codes take a few megabytes.
_PIXELS_AT_ONCE = 4_000_000


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


_TURNS = _turns()
_IS_CORNER = np.asarray(_TURNS.any(axis=1))


@dataclass
class _Corners:
    """All corners of a mask, by row and then column.

    Attributes:
        x: (n,) int64, column of each.
        y: (n,) int64, row of each.
        right: (n,) bool, whether the horizontal side goes to the right; else to the left.
        down: (n,) bool, whether the vertical side goes down; else up.
    """

    x: NDArray[np.int64]
    y: NDArray[np.int64]
    right: NDArray[np.bool_]
    down: NDArray[np.bool_]

    def across(self) -> list[int]:
        """Return the corner at the other end of each corner's horizontal side."""
        return _other_ends(self.right, np.arange(len(self.x)))

    def along(self) -> list[int]:
        """Return the corner at the other end of each corner's vertical side."""
        return _other_ends(self.down, np.lexsort((self.y, self.x)))


def _other_ends(starts: NDArray[np.bool_], order: NDArray[np.intp]) -> list[int]:
    # Sides of one line do not overlap, so the first that begins is the first that ends.
    ordered = starts[order]
    begin, end = order[ordered], order[~ordered]
    other = np.empty(len(order), np.int64)
    other[begin], other[end] = end, begin
    return other.tolist()


def _corners(mask: NDArray[np.bool_]) -> _Corners:
    height, width = mask.shape
    rows = max(1, _PIXELS_AT_ONCE // (width + 1))
    found = [
        _corners_of_rows(mask, start, min(start + rows, height + 1))
        for start in range(0, height + 1, rows)
    ]
    y, x, turn = (np.concatenate(values) for values in zip(*found, strict=True))
    return _Corners(x, y, turn < 2, turn % 2 == 0)


def _corners_of_rows(
    mask: NDArray[np.bool_], start: int, stop: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return row, column and turn of the corners on the lines start to stop."""
    # One empty pixel all around.
    pixels = np.zeros((stop - start + 1, mask.shape[1] + 2), np.uint8)
    above = max(0, start - 1)
    inside = mask[above:stop]
    first = above - (start - 1)
    pixels[first : first + len(inside), 1:-1] = inside
    codes = pixels[:-1, :-1].copy()
    codes |= pixels[:-1, 1:] << 1
    codes |= pixels[1:, :-1] << 2
    codes |= pixels[1:, 1:] << 3
    y, x = np.nonzero(_IS_CORNER[codes])
    which, turn = np.nonzero(_TURNS[codes[y, x]])
    return y[which] + start, x[which], turn


def region_polygons(components: NDArray[np.int32], count: int) -> Iterator[Ring]:
    """Yield the outline of each region as one closed polygon, the last point left out.

    Args:
        components: (h, w) int32, the number of each pixel's region from 1, 0 outside; regions
            touch at sides or corners (8-connected) or not at all.
        count: Number of regions.

    Yields:
        The corners (x, y) of the regions 1 to ``count`` in turn.

    >>> ring = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], np.int32)
    >>> list(region_polygons(ring, 1))
    [[(1, 0), (3, 0), (3, 3), (0, 3), (0, 0), (1, 0), (1, 1), (1, 2), (2, 2), (2, 1), (1, 1)]]
    """
    corners = _corners(np.asarray(components > 0))
    rings, outer, holes = _rings(corners, components)
    points = list(zip(corners.x.tolist(), corners.y.tolist(), strict=True))
    seams = _seams(corners, components, [(rings[ring], region) for ring, region in holes])
    for region in range(1, count + 1):
        yield _joined(rings[outer[region]], points, seams)


def _rings(
    corners: _Corners, components: NDArray[np.int32]
) -> tuple[list[list[int]], dict[int, int], list[tuple[int, int]]]:
    """Return all rings, which one goes around each region, and those of holes with their region.

    A ring is a list of corners, clockwise on the screen from its upper left one; holes are in the
    order of their first corner, by row and then column.
    """
    across, along = corners.across(), corners.along()
    rings: list[list[int]] = []
    outer: dict[int, int] = {}
    holes: list[tuple[int, int]] = []
    seen = bytearray(len(across))
    xs, ys = corners.x, corners.y
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
        x, y = int(xs[start]), int(ys[start])
        region = 0
        if y < components.shape[0] and x < components.shape[1]:
            region = int(components[y, x])
        if region:
            outer[region] = len(rings)
        else:
            holes.append((len(rings), int(components[y - 1, x])))
        rings.append(ring)
    return rings, outer, holes


# Where a hole hangs on a side, and the way around it: points, and corners by their numbers.
_Seam = tuple[int, list[Point | int]]


def _seams(
    corners: _Corners, components: NDArray[np.int32], holes: list[tuple[list[int], int]]
) -> dict[int, list[_Seam]]:
    """Return the holes that hang on each horizontal side, by the side's left corner."""
    seams: dict[int, list[_Seam]] = {}
    sides = np.flatnonzero(corners.right)
    pitch = components.shape[1] + 1
    places = corners.y[sides] * pitch + corners.x[sides]
    for (first, *others), region in holes:
        x, y = int(corners.x[first]), int(corners.y[first])
        # Straight up from the hole to the next side.
        top = _top(components, x, y, region)
        side = int(sides[np.searchsorted(places, top * pitch + x, side="right") - 1])
        way: list[Point | int] = [(x, top), first, *reversed(others), (x, y), (x, top)]
        seams.setdefault(side, []).append((x, way))
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
