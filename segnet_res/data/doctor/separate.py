"""Masks of one class each, put together into one mask of labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from segnet_res.classes import ClassMap
from segnet_res.data.doctor.reading import IGNORE, share
from segnet_res.data.doctor.survey import RawMask, is_lossy
from segnet_res.data.names import same_name
from segnet_res.errors import DataError, UsageError
from segnet_res.images import UInt8Array

# Between these shares of the brightest value a pixel is neither, as in soft edges; more of them
# than this share of a file are no edges.
_LOW, _HIGH = 0.16, 0.84
_FEW_BETWEEN = 0.05

# What is darker everywhere, and has more than two values, is black with noise, or numbers.
_DARK = 64
# Edges may be so soft that every value of a byte occurs; fewer from 0 on without a gap are numbers.
_BYTE = 255

# Two classes may share this part of the smaller one, as drawings of neighbours do.
_A_SEAM = 0.02


@dataclass
class Coverage:
    """What files of one class each cover.

    Attributes:
        pixels: Of each class.
        shared: Of each pair of classes, by their places.
    """

    pixels: dict[str, int] = field(default_factory=dict)
    shared: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, parts: Mapping[str, NDArray[np.bool_]]) -> None:
        """Take in the files of one picture."""
        for name, part in parts.items():
            self.pixels[name] = self.pixels.get(name, 0) + int(part.sum())
        for one, other in combinations(sorted(parts), 2):
            both = int((parts[one] & parts[other]).sum())
            self.shared[one, other] = self.shared.get((one, other), 0) + both


def presence(path: Path, raw: RawMask) -> NDArray[np.bool_]:
    """Return where a mask of one class says that the class is, (H, W) bool.

    Args:
        path: The file; its suffix tells whether small numbers may be noise.
        raw: What it holds.

    Raises:
        DataError: when it holds more than two values, but for soft edges.
    """
    # By colour where there are any: the first index of a palette may well be white.
    if raw.numbers is not None and raw.palette is None:
        values = raw.numbers
    else:
        values = raw.as_colors().max(axis=2)
    top, count = int(values.max()), len(np.unique(values))
    if count > 2 and is_lossy(path):
        if top < _DARK:  # noise in a file where the class is not
            return np.zeros(values.shape, np.bool_)
    elif count > 2 and (top < _DARK or count == top + 1 <= _BYTE):
        raise DataError(
            f"{path.name}: is the mask of one class by its name, but holds {count} numbers up to "
            f"{top}, as where each place has its own; write 255 where the class is and 0 elsewhere"
        )
    if raw.transparent is not None:
        return ~raw.transparent & (values > top / 2 if values.min() < top else True)
    between = (values > _LOW * top) & (values < _HIGH * top)
    if between.sum() > _FEW_BETWEEN * values.size or _has_area(values, between):
        raise DataError(
            f"{path.name}: is the mask of one class by its name, but "
            f"{share(int(between.sum()), values.size)} of its pixels are neither dark nor bright; "
            "export the mask of each class in two values"
        )
    return values > top / 2 if top else np.zeros(values.shape, np.bool_)


def _has_area(values: NDArray[np.integer], between: NDArray[np.bool_]) -> bool:
    """Tell whether a place of 3 by 3 pixels has one value: edges that fade have none such."""
    place = np.ones((3, 3), np.uint8)
    flat = cv2.erode(values, place) == cv2.dilate(values, place)
    return bool((flat & between).any())


def name_classes(
    endings: Sequence[str], classes: ClassMap | None
) -> tuple[ClassMap, dict[str, int]]:
    """Return the classes of the copy and the label of each ending or folder.

    Raises:
        DataError: when one is called like no class.
    """
    others = [name for name in endings if same_name(name, (IGNORE,)) is None]
    if classes is None:
        base = next((n for n in others if same_name(n, ("background", "sound", "good"))), None)
        names = [base or "background", *(name for name in others if name != base)]
        classes = ClassMap.from_names(names)
    labels = {}
    for name in endings:
        known = same_name(name, (*classes.names, IGNORE))
        if known is None:
            raise DataError(
                f"masks/: files are called after {name!r}, which is no class; known are "
                f"{', '.join(classes.names)}; rename them, or name all classes with --names"
            )
        labels[name] = (
            classes.names.index(known) if known in classes.names else classes.ignore_index
        )
    return classes, labels


def stacking(
    coverage: Coverage, labels: Mapping[str, int], order: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the endings from the lowest to the topmost, and what was seen.

    Args:
        coverage: What the files cover.
        labels: The label of each ending.
        order: The classes from the lowest to the topmost as the user told; empty where not.

    Raises:
        DataError: when classes overlap by more than seams and no order is told.
        UsageError: when the order does not name each class once.
    """
    # Background is under everything, what is ignored above: nobody could judge there.
    ranks = dict(labels)
    placed = [name for name in labels if labels[name] and same_name(name, (IGNORE,)) is None]
    if order:
        told = {name: same_name(name, order) for name in placed}
        missing = sorted(name for name, found in told.items() if found is None)
        if missing or len(set(order)) < len(order):
            raise UsageError(
                f"--order is {', '.join(order)}; name each of {', '.join(sorted(told))} once, "
                "the topmost last"
            )
        for name, found in told.items():
            assert found is not None
            ranks[name] = 1 + order.index(found)
    stack = sorted(labels, key=lambda name: (ranks[name], name))
    notes = []
    for (one, other), both in coverage.shared.items():
        if not both or 0 in (labels[one], labels[other]):
            continue
        lower, upper = sorted((one, other), key=stack.index)
        smaller = min(coverage.pixels[one], coverage.pixels[other])
        if not order and both > _A_SEAM * smaller and {one, other} <= {*placed}:
            raise DataError(
                f"masks/: {one!r} and {other!r} share {both:,} pixels, "
                f"{share(both, smaller)} of the smaller, and nothing tells which lies on top; "
                f"tell it with --order, the topmost last, such as --order {','.join(placed)}"
            )
        notes.append(f"{upper!r} lies above {lower!r} where both are ({both:,} pixels)")
    return tuple(stack), tuple(notes)


def merged(
    parts: Mapping[str, NDArray[np.bool_]],
    stack: Sequence[str],
    labels: Mapping[str, int],
    size: tuple[int, int],
) -> UInt8Array:
    """Return the labels (H, W) uint8 of one picture; what no class covers is label 0."""
    result = np.zeros(size, np.uint8)
    for name in stack:
        if name in parts:
            result[parts[name]] = labels[name]
    return result
