"""Defects that a parent found and its candidate misses, and the other way round.

A defect is a connected region of the mask (8-connected, of one class). It is **found** when the
prediction calls at least a quarter of its pixels a defect, of whatever class: an inspector who
looks there sees it. More would miss thin cracks whose outline is off by a pixel; less would count
what happens to lie nearby. Where no class means "nothing to report", it must name the class.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnet_res.classes import background
from segnet_res.images import UInt8Array
from segnet_res.regions import Box, ClassRegions, regions_by_class
from segnet_res.retraining.matching import Matched

FOUND_SHARE = 0.25
# Brushes and polygons leave crumbs of one to three pixels beside defects of dozens.
SMALLEST_REGION = 5


@dataclass(frozen=True)
class Defect:
    """A region of a mask, and what both checkpoints make of it.

    Attributes:
        stem: The picture.
        part: The part that it shows.
        name: Its class.
        pixels: Its area.
        box: Left, top, width and height in pixels.
        before: Share of its pixels that the parent calls a defect, 0 to 1.
        after: The same of the candidate.
        named_before: Whether the parent calls most of these pixels by the right class.
        named_after: The same of the candidate.
    """

    stem: str
    part: str
    name: str
    pixels: int
    box: Box
    before: float
    after: float
    named_before: bool
    named_after: bool

    @property
    def found_before(self) -> bool:
        """Whether the parent finds it."""
        return self.before >= FOUND_SHARE

    @property
    def found_after(self) -> bool:
        """Whether the candidate finds it."""
        return self.after >= FOUND_SHARE

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists, texts and numbers for JSON."""
        return asdict(self) | {"box": list(self.box)}


@dataclass(frozen=True)
class Flips:
    """What became of the defects of all pictures.

    Attributes:
        defects: Number of regions that count.
        small: Regions with fewer than ``smallest`` pixels, which count nowhere.
        smallest: See there.
        found_before: How many the parent finds.
        found_after: How many the candidate finds.
        newly_missed: Found by the parent alone, the largest first.
        newly_found: Found by the candidate alone, the largest first.
        newly_misnamed: Found by both, called by its class by the parent alone.
    """

    defects: int
    small: int
    smallest: int
    found_before: int
    found_after: int
    newly_missed: tuple[Defect, ...]
    newly_found: tuple[Defect, ...]
    newly_misnamed: tuple[Defect, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists, texts and numbers for JSON."""
        lists = {
            key: [defect.to_dict() for defect in getattr(self, key)]
            for key in ("newly_missed", "newly_found", "newly_misnamed")
        }
        numbers = ("defects", "small", "smallest", "found_before", "found_after")
        return {key: getattr(self, key) for key in numbers} | lists


class FlipCounter:
    """Collects what becomes of defects, picture by picture.

    Args:
        matched: The classes of truth and predictions.
        smallest: Pixels from which a region counts, at least 1.
    """

    def __init__(self, matched: Matched, smallest: int = SMALLEST_REGION) -> None:
        self._matched = matched
        self._smallest = smallest
        self._defects = self._small = self._before = self._after = 0
        self._kept: list[Defect] = []

    def add(
        self, stem: str, part: str, truth: UInt8Array, before: UInt8Array, after: UInt8Array
    ) -> None:
        """Take in a picture.

        Args:
            stem: The picture.
            part: The part that it shows.
            truth: (H, W) uint8, labels of the common class map or its ``ignore_index``.
            before: (H, W) uint8, what the parent predicts, in labels of the common class map.
            after: The same of the candidate.
        """
        for defect in self._judged(stem, part, truth, before, after):
            self._defects += 1
            self._before += defect.found_before
            self._after += defect.found_after
            found = (defect.found_before, defect.found_after)
            misnamed = defect.named_before and not defect.named_after
            # All others are as they were: of a large set only what changed is kept.
            if found[0] != found[1] or (all(found) and misnamed):
                self._kept.append(defect)

    def result(self) -> Flips:
        """Return what was collected so far."""
        kept = sorted(self._kept, key=lambda defect: (-defect.pixels, defect.stem, defect.box))
        return Flips(
            self._defects,
            self._small,
            self._smallest,
            self._before,
            self._after,
            tuple(one for one in kept if not one.found_after),
            tuple(one for one in kept if not one.found_before),
            tuple(one for one in kept if one.found_before and one.found_after),
        )

    def _judged(
        self, stem: str, part: str, truth: UInt8Array, before: UInt8Array, after: UInt8Array
    ) -> Iterator[Defect]:
        for regions in regions_by_class(truth, self._matched.class_map, boxes=True):
            name = self._matched.class_map.names[regions.label]
            shares, named = self._answer(regions, before)
            shares_after, named_after = self._answer(regions, after)
            for i in range(len(regions)):
                region = regions.region(i)
                if region.pixels < self._smallest:
                    self._small += 1
                    continue
                yield Defect(
                    stem,
                    part,
                    name,
                    region.pixels,
                    region.box,
                    before=float(shares[i]),
                    after=float(shares_after[i]),
                    named_before=bool(named[i]),
                    named_after=bool(named_after[i]),
                )

    def _answer(
        self, regions: ClassRegions, labels: UInt8Array
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return for each region the share called a defect, and whether most of it is right."""
        (left, top), (height, width) = regions.corner, regions.components.shape
        view = labels[top : top + height, left : left + width]
        right = view == regions.label
        sound = background(self._matched.class_map)
        called = right if sound is None else view != sound
        number = len(regions) + 1
        seen = np.bincount(regions.components[called], minlength=number)[1:]
        named = np.bincount(regions.components[right], minlength=number)[1:]
        return seen / regions.pixels, 2 * named > seen
