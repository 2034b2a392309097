"""What a spec is made of: limits with their units, and zones that are not inspected."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import cv2
import numpy as np

from segnet_res.images import UInt8Array

# What each rule limits, and the units it can be given in.
RULES: dict[str, tuple[str, ...]] = {
    "max_count": ("regions",),
    "max_area": ("px", "mm2"),
    "max_length": ("px", "mm"),
    "max_total_area": ("px", "mm2"),
    "max_share": ("%",),
}

# All defects together have no single region, so no area or length of one.
TOTAL_RULES = ("max_count", "max_total_area", "max_share")

# How units are shown to people.
_SHOWN = {"mm2": "mm²"}


@dataclass(frozen=True)
class Limit:
    """One limit; a part that exceeds it fails, one that meets it exactly passes.

    Attributes:
        rule: One of `RULES`.
        amount: What is allowed, exactly as it was written.
        unit: One of the rule's units.
    """

    rule: str
    amount: Decimal
    unit: str

    @property
    def shown_unit(self) -> str:
        """The unit as people read it; empty for a number of regions."""
        return "" if self.unit == "regions" else _SHOWN.get(self.unit, self.unit)

    def plain(self) -> int | str:
        """Return what stands in the file: ``3``, ``"0.8 mm2"``."""
        if self.rule == "max_count":
            return int(self.amount)
        return f"{plain_number(self.amount)} {self.unit}"


@dataclass(frozen=True)
class Zone:
    """A part of every picture that is not inspected, such as a clamp.

    Attributes:
        corners: Corners (x, y) of a polygon, or the first and the last pixel of a rectangle, in
            pixels from the upper left. Pixels of the outline belong to the zone.
        rectangle: Whether there are two corners of an upright rectangle.
        name: What people call it; may be empty.
    """

    corners: tuple[tuple[int, int], ...]
    rectangle: bool = False
    name: str = ""

    def paint(self, labels: UInt8Array, value: int) -> None:
        """Set the pixels of the zone, in place; what lies outside of the picture is left out.

        Args:
            labels: (H, W) uint8, contiguous.
            value: 0 to 255.
        """
        if self.rectangle:
            (left, top), (right, bottom) = self.corners
            labels[top : bottom + 1, left : right + 1] = value
        else:
            cv2.fillPoly(labels, [np.array(self.corners, np.int32)], (value,))

    def plain(self) -> dict[str, Any]:
        """Return what stands in the file."""
        named: dict[str, Any] = {"name": self.name} if self.name else {}
        if not self.rectangle:
            return named | {"polygon": [list(corner) for corner in self.corners]}
        (left, top), (right, bottom) = self.corners
        size = {"width": right - left + 1, "height": bottom - top + 1}
        return named | {"rectangle": {"left": left, "top": top} | size}


def plain_number(value: Decimal) -> str:
    """Write a number without exponent and idle zeros.

    >>> plain_number(Decimal("0.50")), plain_number(Decimal("1200"))
    ('0.5', '1200')
    """
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
