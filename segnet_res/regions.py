"""Connected regions of a mask: how many, how large, how long, and which are too small to count.

A region is a set of pixels of one class that touch at sides or corners (8-connected). The
background and unlabelled pixels form no regions; class maps without a background have regions of
every class.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from segnet_res.classes import ClassMap, background
from segnet_res.images import UInt8Array

Int32Array = NDArray[np.int32]

# Columns of what connectedComponentsWithStats measures.
_BOX = [cv2.CC_STAT_LEFT, cv2.CC_STAT_TOP, cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]

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
            diagonal of 10. None where lengths were not asked for.
    """

    label: int
    pixels: int
    box: tuple[int, int, int, int]
    length: float | None = None


@dataclass(frozen=True)
class RegionSummary:
    """How many regions a class has, and the pixels of the largest; 0 and 0 without any."""

    count: int
    largest: int


def find_regions(labels: UInt8Array, class_map: ClassMap, *, lengths: bool = False) -> list[Region]:
    """Find the regions of every class but the background.

    Args:
        labels: (H, W) uint8, labels of the class map or `ignore_index`.
        class_map: Says what is background.
        lengths: Whether to measure lengths too; takes about as long again.

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
    for label, left, top, mask in _class_masks(labels, class_map):
        _, numbered, measures, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        components, stats = np.asarray(numbered, np.int32), np.asarray(measures, np.int32)
        measured = _lengths(mask, components, stats) if lengths else None
        boxes = stats[1:, _BOX] + [left, top, 0, 0]
        for i, (pixels, box) in enumerate(
            zip(stats[1:, cv2.CC_STAT_AREA].tolist(), boxes.tolist(), strict=True)
        ):
            length = None if measured is None else measured[i]
            regions.append(Region(label, pixels, tuple(box), length))
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
    for label, _, _, mask in _class_masks(labels, class_map):
        _, sizes = _components(mask)
        found[label] = RegionSummary(len(sizes) - 1, int(sizes[1:].max()))
    return found


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
        for _, left, top, mask in _class_masks(refined, class_map):
            components, sizes = _components(mask)
            small = sizes < min_region
            small[0] = False  # what is around the regions
            if small.any():
                height, width = mask.shape
                view = refined[top : top + height, left : left + width]
                view[small[components]] = sound
    return refined


def _class_masks(
    labels: UInt8Array, class_map: ClassMap
) -> Iterator[tuple[int, int, int, UInt8Array]]:
    """Yield label, left, top and the mask (h, w) of 0 and 1 of each class that occurs.

    The mask is cut to the pixels of the class: defects are mostly a small part of the picture.
    """
    if labels.ndim != 2 or labels.dtype != np.uint8:
        raise ValueError(f"labels are {labels.shape} of {labels.dtype}, give (H, W) of uint8")
    if not labels.size:
        return
    sound = background(class_map)
    # OpenCV 4 and 5 give arrays of different shapes here.
    histogram = cv2.calcHist([np.ascontiguousarray(labels)], [0], None, [256], [0, 256])
    occurring = np.ravel(histogram) > 0
    for label in range(len(class_map)):
        if label == sound or not occurring[label]:
            continue
        mask = (labels == label).view(np.uint8)
        left, top, width, height = cv2.boundingRect(mask)
        yield label, left, top, np.ascontiguousarray(mask[top : top + height, left : left + width])


def _components(mask: UInt8Array) -> tuple[Int32Array, NDArray[np.int64]]:
    """Number the regions of a mask: (h, w) int32, 0 outside, and the pixels of each number."""
    count, components = cv2.connectedComponents(mask, connectivity=8)
    numbered = np.asarray(components, np.int32)
    # Counting what is inside only is several times as quick as connectedComponentsWithStats.
    sizes = np.bincount(numbered[mask.view(np.bool_)], minlength=count)
    return numbered, sizes


def _lengths(mask: UInt8Array, components: Int32Array, stats: Int32Array) -> list[float]:
    """Return the length of every region of a mask, in the order of their numbers."""
    sides = stats[1:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]]
    lengths = sides.max(axis=1).astype(np.float64).tolist()
    # Upright rectangles, above all single pixels, are as long as their box.
    angular = stats[1:, cv2.CC_STAT_AREA] < sides.prod(axis=1)
    contours, hierarchy = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    for contour, (_, _, _, parent) in zip(contours, hierarchy.reshape(-1, 4).tolist(), strict=True):
        x, y = contour.reshape(-1, 2)[0]
        number = int(components[y, x]) - 1
        # A contour inside another is the rim of a hole.
        if parent == -1 and angular[number]:
            lengths[number] = _longer_side(np.asarray(contour, np.int32).reshape(-1, 2))
    return [float(length) for length in lengths]


def _longer_side(points: Int32Array) -> float:
    """Return the longer side of the least rectangle around whole pixels, (N, 2) x and y."""
    # Counted from the first point, because OpenCV computes with 32 bits.
    hull = cv2.convexHull(points - points[0]).reshape(-1, 2).astype(np.float32)
    corners = (hull[:, None] + _CORNERS).reshape(-1, 2)
    _, (width, height), _ = cv2.minAreaRect(corners)
    length = max(width, height)
    assert math.isfinite(length)
    return round(length, 3)
