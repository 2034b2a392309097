"""Connected regions of a large mask, strip by strip; `segnet_res.regions` says what regions are.

As a whole, a mask of 900 million pixels would take several gigabytes, because every pixel of a
class gets the number of its region. Here only a strip has numbers, and those of two strips that
touch at their seam are joined.
"""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from segnet_res.images import UInt8Array

# Rows of a strip: some 60 MB of numbers where a mask is 30,000 pixels wide.
_ROWS = 512


class StripRegions:
    """The regions of one class of a mask.

    Args:
        labels: (H, W) uint8.
        label: The class.

    Attributes:
        label: See above.
        pixels: (n,) int64, the area of each region.
    """

    def __init__(self, labels: UInt8Array, label: int) -> None:
        self.labels = labels
        self.label = label
        areas: list[NDArray[np.int64]] = []
        joined: dict[int, int] = {}
        before: NDArray[np.int64] | None = None
        for _, numbers, base in self._strips():
            areas.append(np.bincount(numbers.ravel())[1:].astype(np.int64))
            if before is not None:
                _join(before, _counted(numbers[0], base), joined)
            before = _counted(numbers[-1], base)
        pieces = np.concatenate([np.zeros(0, np.int64), *areas])
        roots = np.arange(len(pieces))
        for piece in joined:
            roots[piece] = _root(joined, piece)
        _, self._regions = np.unique(roots, return_inverse=True)
        self.pixels = np.bincount(self._regions, weights=pieces).astype(np.int64)

    def __len__(self) -> int:
        return len(self.pixels)

    def paint(self, labels: UInt8Array, chosen: NDArray[np.bool_], value: int) -> None:
        """Set the pixels of the chosen regions, (n,) bool, in labels of the same mask, in place."""
        pieces = chosen[self._regions]
        for rows, numbers, base in self._strips():
            count = int(numbers.max())
            # Number 0 is what lies around the regions.
            here = np.concatenate([[False], pieces[base : base + count]])
            labels[rows][here[numbers]] = value

    def _strips(self) -> Iterator[tuple[slice, NDArray[np.int32], int]]:
        """Yield rows, the numbers (h, W) of the pieces in them, from 1, and how many came before.

        Each strip is looked at before it is yielded, so that painting it changes no other.
        """
        base = 0
        for top in range(0, len(self.labels), _ROWS):
            rows = slice(top, top + _ROWS)
            mask = (self.labels[rows] == self.label).view(np.uint8)
            count, numbers = cv2.connectedComponents(mask, connectivity=8)
            yield rows, np.asarray(numbers, np.int32), base
            base += count - 1


def _counted(row: NDArray[np.int32], base: int) -> NDArray[np.int64]:
    """Return the numbers of a row counted over all strips; -1 around the regions."""
    return np.where(row > 0, row.astype(np.int64) + (base - 1), -1)


def _join(above: NDArray[np.int64], below: NDArray[np.int64], joined: dict[int, int]) -> None:
    """Join the pieces that touch at a seam, at sides or corners."""
    width = len(above)
    pairs = [
        np.stack(
            [
                above[max(0, -step) : width - max(0, step)],
                below[max(0, step) : width - max(0, -step)],
            ]
        )
        for step in (-1, 0, 1)
    ]
    touching = np.concatenate(pairs, axis=1)
    touching = np.unique(touching[:, (touching >= 0).all(axis=0)], axis=1)
    for one, other in touching.T.tolist():
        first, second = sorted((_root(joined, one), _root(joined, other)))
        joined[second] = joined[first] = first


def _root(joined: dict[int, int], piece: int) -> int:
    """Return the piece that stands for all that a piece is joined with."""
    while (parent := joined.get(piece, piece)) != piece:
        # What is looked up again is found sooner.
        joined[piece] = joined.get(parent, parent)
        piece = parent
    return piece
