"""Connected regions of a mask: how many, how large, how long, and which are too small to count.

A region is a set of pixels of one class that touch at sides or corners (8-connected). The
background and unlabelled pixels form no regions; class maps without a background have regions of
every class.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segnet_res.classes import ClassMap, background
from segnet_res.images import UInt8Array
from segnet_res.strips import StripRegions

Box = tuple[int, int, int, int]

# Columns of what connectedComponentsWithStats measures.
_BOX = [cv2.CC_STAT_LEFT, cv2.CC_STAT_TOP, cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]

# Pixels of a mask whose regions are numbered as a whole: some 250 MB.
_WHOLE = 50_000_000

# From the centre of a pixel to its corners.
_CORNERS = np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]], np.float32)


@dataclass(frozen=True)
class Region:
    """One connected region of one class.

    Attributes:
        label: The class.
        pixels: Its area, at least 1.
        box: Left, top, width and height of its upright bounding box, in pixels.
        length: The longer side of the rectangle of least area, at any angle, that holds its
            pixels whole, in pixels: 1 for a single pixel, 10 for a row of 10, 14.142 for a
            diagonal of 10; of rectangles alike in area that of the longest. None where lengths
            were not asked for.
    """

    label: int
    pixels: int
    box: Box
    length: float | None = None


@dataclass(frozen=True)
class RegionSummary:
    """How many regions a class has, and the pixels of the largest; 0 and 0 without any."""

    count: int
    largest: int


class ClassRegions:
    """The regions of one class as arrays, because a noisy mask holds millions of them.

    Args:
        label: The class.
        mask: (h, w) uint8, 1 where the class is.
        corner: Left and top of the mask in the picture.
        boxes: Whether to measure the box of every region.

    Attributes:
        label: The class.
        pixels: (n,) int64, the area of each region.
        boxes: (n, 4) int64, left, top, width and height of each; None where not asked for.
        corner: Left and top of the mask in the picture.
        components: (h, w) int32, the number of each pixel's region from 1; 0 where there is none.
    """

    def __init__(
        self, label: int, mask: UInt8Array, corner: tuple[int, int], *, boxes: bool
    ) -> None:
        self.label = label
        self.boxes: NDArray[np.int64] | None = None
        self.corner = corner
        if boxes:
            _, components, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
            self.pixels = stats[1:, cv2.CC_STAT_AREA].astype(np.int64)
            self.boxes = stats[1:, _BOX].astype(np.int64)
            self.boxes[:, :2] += corner
        else:
            # Counting what is inside only is several times as quick.
            count, components = cv2.connectedComponents(mask, connectivity=8)
            inside = np.asarray(components)[mask.view(np.bool_)]
            self.pixels = np.bincount(inside, minlength=count)[1:].astype(np.int64)
        self.components = np.asarray(components, np.int32)

    def __len__(self) -> int:
        return len(self.pixels)

    def region(self, index: int, length: float | None = None) -> Region:
        """Return one region, with the length that was measured."""
        return Region(self.label, int(self.pixels[index]), self._box(index), length)

    def largest(self) -> Region:
        """Return the region with the most pixels; of several the first."""
        return self.region(int(self.pixels.argmax()))

    def longest(self) -> Region:
        """Return the region of the greatest length; needs the boxes.

        Only those are measured that can be it: no region is longer than the diagonal of its box,
        and none is shorter than the longer side of its box by more than a square root of 2.
        """
        assert self.boxes is not None
        sides = self.boxes[:, 2:]
        most = np.hypot(sides[:, 0], sides[:, 1])
        candidates = np.flatnonzero(most >= sides.max() / math.sqrt(2))
        lengths = self.lengths(candidates)
        place = int(lengths.argmax())
        return self.region(int(candidates[place]), float(lengths[place]))

    def lengths(self, chosen: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the lengths of the chosen regions, (k,) indices, in their order.

        Needs the boxes.
        """
        assert self.boxes is not None
        sides = self.boxes[chosen, 2:]
        lengths: NDArray[np.float64] = sides.max(axis=1).astype(np.float64)
        # Upright rectangles, above all single pixels, are as long as their box.
        angular = self.pixels[chosen] < sides.prod(axis=1)
        if not angular.any():
            return lengths
        # The place of each number among the chosen; -1 for what need not be measured.
        places = np.full(len(self) + 1, -1)
        places[chosen[angular] + 1] = np.flatnonzero(angular)
        mask = (places >= 0)[self.components].view(np.uint8)
        contours, hierarchy = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
        for contour, (_, _, _, parent) in zip(
            contours, hierarchy.reshape(-1, 4).tolist(), strict=True
        ):
            # A contour inside another is the rim of a hole; eight-connected pixels have one other.
            if parent == -1:
                x, y = contour.reshape(-1, 2)[0]
                lengths[places[self.components[y, x]]] = _longer_side(contour)
        return lengths

    def paint(self, labels: UInt8Array, chosen: NDArray[np.bool_], value: int) -> None:
        """Set the pixels of the chosen regions, (n,) bool, in labels of the picture, in place."""
        (left, top), (height, width) = self.corner, self.components.shape
        view = labels[top : top + height, left : left + width]
        # Number 0 is what lies around the regions.
        view[np.concatenate([[False], chosen])[self.components]] = value

    def _box(self, index: int) -> Box:
        if self.boxes is not None:
            left, top, width, height = self.boxes[index].tolist()
        else:
            here = (self.components == index + 1).view(np.uint8)
            left, top, width, height = cv2.boundingRect(here)
            left, top = left + self.corner[0], top + self.corner[1]
        return left, top, width, height


def regions_by_class(
    labels: UInt8Array, class_map: ClassMap, *, boxes: bool = False
) -> Iterator[ClassRegions]:
    """Yield the regions of each class that occurs, in the order of the labels.

    Args:
        labels: (H, W) uint8, labels of the class map or `ignore_index`.
        class_map: Says what is background, which has no regions.
        boxes: Whether to measure the box of every region.

    Raises:
        ValueError: when the labels are no (H, W) uint8.
    """
    for label in _occurring(labels, class_map):
        # What is yielded holds no mask: of a large one each copy counts.
        yield _regions_of(labels, label, boxes=boxes)


def find_regions(labels: UInt8Array, class_map: ClassMap, *, lengths: bool = False) -> list[Region]:
    """Find the regions of every class but the background.

    Args:
        labels: (H, W) uint8, labels of the class map or `ignore_index`.
        class_map: Says what is background.
        lengths: Whether to measure lengths too.

    Returns:
        The regions, largest first; equally large ones from top to bottom, left to right.

    Raises:
        ValueError: when the labels are no (H, W) uint8.

    >>> classes = ClassMap.from_names(["sound", "scratch"])
    >>> mask = np.array([[1, 0, 0, 1], [0, 1, 0, 0]], np.uint8)
    >>> [(region.pixels, region.box) for region in find_regions(mask, classes)]
    [(2, (0, 0, 2, 2)), (1, (3, 0, 1, 1))]
    """
    regions: list[Region] = []
    for found in regions_by_class(labels, class_map, boxes=True):
        every = np.arange(len(found))
        measured = found.lengths(every).tolist() if lengths else [None] * len(found)
        regions += map(found.region, every.tolist(), measured)
    return sorted(regions, key=lambda region: (-region.pixels, region.box[1], region.box[0]))


def region_summary(labels: UInt8Array, class_map: ClassMap) -> list[RegionSummary]:
    """Count the regions of each class; quicker than `find_regions`.

    Args:
        labels: (H, W) uint8, labels of the class map or `ignore_index`.
        class_map: Says what is background.

    Returns:
        One summary for each class, in the order of the labels. That of the background is 0 and 0:
        where nothing is to report, no regions are looked for.

    Raises:
        ValueError: when the labels are no (H, W) uint8.
    """
    found = [RegionSummary(0, 0)] * len(class_map)
    for label, pixels in region_areas(labels, class_map):
        found[label] = RegionSummary(len(pixels), int(pixels.max()))
    return found


def region_areas(
    labels: UInt8Array, class_map: ClassMap
) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield each class that has regions, and their areas, (n,) int64 in no order.

    Of a large mask no more than a strip is numbered at a time.

    Args:
        labels: (H, W) uint8, labels of the class map or `ignore_index`.
        class_map: Says what is background.

    Raises:
        ValueError: when the labels are no (H, W) uint8.
    """
    for regions in _countable(labels, class_map):
        yield regions.label, regions.pixels


def _countable(labels: UInt8Array, class_map: ClassMap) -> Iterator[ClassRegions | StripRegions]:
    if labels.size <= _WHOLE:
        yield from regions_by_class(labels, class_map)
        return
    for label in _occurring(labels, class_map):
        yield StripRegions(labels, label)


def refine(
    labels: UInt8Array,
    confidence: NDArray[np.float32],
    class_map: ClassMap,
    *,
    threshold: float = 0.0,
    min_region: int = 0,
) -> UInt8Array:
    """Take back to background what is unsure, then what is too small to count.

    First go the pixels of a defect whose confidence is below the threshold; of what is left, the
    regions of fewer than ``min_region`` pixels go. Unlabelled pixels stay. Where no class means
    background there is nothing to take back to: the copy equals the labels.

    Args:
        labels: (H, W) uint8, labels of the class map or `ignore_index`.
        confidence: (H, W) float32, 0 to 1.
        class_map: Says what is background.
        threshold: Confidence from which a defect counts, 0 to 1; 0 keeps all.
        min_region: Pixels from which a region counts; 0 and 1 keep all.

    Returns:
        (H, W) uint8, always a new array.

    Raises:
        ValueError: when shapes differ or a limit is out of its range.
    """
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold is {threshold}, give 0 to 1")
    if min_region < 0:
        raise ValueError(f"min_region is {min_region}, give 0 or more pixels")
    if confidence.shape != labels.shape:
        raise ValueError(f"labels have shape {labels.shape}, confidence {confidence.shape}")
    refined = labels.copy()
    sound = background(class_map)
    if sound is None:
        return refined
    if threshold > 0:
        unsure = (confidence < threshold) & (labels != class_map.ignore_index)
        refined[unsure] = sound
    if min_region > 1:
        for regions in _countable(refined, class_map):
            small = regions.pixels < min_region
            if small.any():
                regions.paint(refined, small, sound)
    return refined


def _regions_of(labels: UInt8Array, label: int, *, boxes: bool) -> ClassRegions:
    mask = (labels == label).view(np.uint8)
    # Cut to the pixels of the class: defects are mostly a small part of the picture.
    left, top, width, height = cv2.boundingRect(mask)
    mask = np.ascontiguousarray(mask[top : top + height, left : left + width])
    return ClassRegions(label, mask, (left, top), boxes=boxes)


def _occurring(labels: UInt8Array, class_map: ClassMap) -> list[int]:
    """Return the classes that occur and have regions.

    Raises:
        ValueError: when the labels are no (H, W) uint8.
    """
    if labels.ndim != 2 or labels.dtype != np.uint8:
        raise ValueError(f"labels are {labels.shape} of {labels.dtype}, give (H, W) of uint8")
    if not labels.size:
        return []
    sound = background(class_map)
    # OpenCV 4 and 5 give arrays of different shapes here.
    histogram = cv2.calcHist([np.ascontiguousarray(labels)], [0], None, [256], [0, 256])
    counts = np.ravel(histogram)
    return [label for label in range(len(class_map)) if label != sound and counts[label] > 0]


def _longer_side(contour: NDArray[Any]) -> float:
    """Return the longer side of the least rectangle around the whole pixels of a contour."""
    points = contour.reshape(-1, 2).astype(np.int32)
    # Counted from the first point, because OpenCV computes with 32 bits.
    hull = cv2.convexHull(points - points[0]).reshape(-1, 2).astype(np.float32)
    corners = cv2.convexHull((hull[:, None] + _CORNERS).reshape(-1, 2)).reshape(-1, 2)
    # A side of the least rectangle lies along a side of the hull. Of rectangles alike in area the
    # longest counts, where minAreaRect would take another one of the picture's mirror image.
    along = (np.roll(corners, -1, axis=0) - corners).astype(np.float64)
    along /= np.hypot(*along.T)[:, None]
    across = along[:, ::-1] * (-1, 1)
    sides = np.stack([np.ptp(corners @ axes.T, axis=0) for axes in (along, across)])
    areas = sides.prod(axis=0)
    return round(float(sides.max(axis=0)[areas <= areas.min() * (1 + 1e-6)].max()), 3)
