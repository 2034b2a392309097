"""The verdict on a mask: every limit that is exceeded, with numbers and in words."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Self

from segnet_res.regions import ClassRegions, Region
from segnet_res.spec.limits import Limit, plain_number


@dataclass(frozen=True)
class Reason:
    """One limit that is exceeded.

    Attributes:
        class_name: The class; None for all defects together.
        rule: One of `RULES`.
        found: What was found, in ``unit``.
        limit: What is allowed, in ``unit``.
        unit: ``px``, ``mm``, ``mm²``, ``%``, or empty for a number of regions.
        sentence: The same in words.
        box: Left, top, width and height of the region that is too large or too long, in pixels;
            None for the other rules.
    """

    class_name: str | None
    rule: str
    found: float
    limit: float
    unit: str
    sentence: str
    box: tuple[int, int, int, int] | None = None


@dataclass(frozen=True)
class Verdict:
    """Whether a part passes.

    Attributes:
        passed: True when no limit is exceeded.
        reasons: The limits that are, in the order of the classes, those of all defects last.
        inspected: Pixels that were looked at: labelled ones outside the zones.
    """

    passed: bool
    reasons: tuple[Reason, ...]
    inspected: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists, texts and numbers for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Findings:
    """What a mask holds of one class, or of all defects.

    Attributes:
        class_name: The class; None for all defects together.
        count: Number of regions.
        pixels: Pixels of all regions.
        largest: The largest region; None where there is none, or all defects are meant.
        longest: The longest region with its length; None where no length is limited.
    """

    class_name: str | None
    count: int
    pixels: int
    largest: Region | None = None
    longest: Region | None = None

    @classmethod
    def of(cls, name: str, regions: ClassRegions, limits: tuple[Limit, ...]) -> Self:
        """Measure the regions of one class as far as limits ask for."""
        rules = {limit.rule for limit in limits}
        return cls(
            name,
            len(regions),
            int(regions.pixels.sum()),
            regions.largest() if "max_area" in rules else None,
            regions.longest() if "max_length" in rules else None,
        )

    def exceeded(
        self, limits: tuple[Limit, ...], inspected: int, mm_per_pixel: Decimal | None
    ) -> Iterator[Reason]:
        """Yield a reason for each limit that is exceeded.

        Args:
            limits: What is allowed.
            inspected: Pixels that were looked at, at least 1.
            mm_per_pixel: Width of a pixel; None where no limit is in mm.
        """
        for limit in limits:
            found, region = self._measure(limit.rule)
            if limit.rule == "max_share":
                found = 100 * found / inspected
            elif limit.unit.startswith("mm"):
                assert mm_per_pixel is not None
                # Exact, so that 25 pixels of 0.02 mm are not more than 0.01 mm².
                found *= mm_per_pixel ** (2 if limit.unit == "mm2" else 1)
            if found > limit.amount:
                yield Reason(
                    self.class_name,
                    limit.rule,
                    float(found),
                    float(limit.amount),
                    limit.shown_unit,
                    _sentence(self.class_name or "All defects", found, limit),
                    None if region is None else region.box,
                )

    def _measure(self, rule: str) -> tuple[Decimal, Region | None]:
        """Return what a rule speaks of, in pixels or regions, and the region that is to blame."""
        if rule == "max_count":
            return Decimal(self.count), None
        if rule == "max_area":
            return Decimal(self.largest.pixels if self.largest else 0), self.largest
        if rule == "max_length":
            length = self.longest.length if self.longest else 0
            return Decimal(str(length)), self.longest
        return Decimal(self.pixels), None


_WORDS = {
    "max_area": "the largest region is",
    "max_length": "the longest region is",
    "max_total_area": "the regions together are",
    "max_share": "the share of the inspected area is",
}


def _sentence(name: str, found: Decimal, limit: Limit) -> str:
    """Say what was found and what is allowed.

    >>> _sentence("crack", Decimal(2), Limit("max_count", Decimal(0), "regions"))
    'crack: 2 regions, none is allowed.'
    >>> _sentence("crack", Decimal("1.23456"), Limit("max_area", Decimal("0.8"), "mm2"))
    'crack: the largest region is 1.23 mm², allowed is 0.8 mm².'
    """
    shown, allowed = _rounded(found, limit.amount), _grouped(limit.amount)
    if limit.rule == "max_count":
        regions = "1 region" if found == 1 else f"{shown} regions"
        rest = "none is allowed" if not limit.amount else f"at most {allowed} allowed"
        return f"{name}: {regions}, {rest}."
    unit = limit.shown_unit
    return f"{name}: {_WORDS[limit.rule]} {shown} {unit}, allowed is {allowed} {unit}."


def _rounded(found: Decimal, limit: Decimal) -> str:
    """Write a value with three digits, or as many as show that it is more than the limit.

    >>> _rounded(Decimal("1.00049"), Decimal(1)), _rounded(Decimal(12345), Decimal(9))
    ('1.0005', '12,345')
    """
    places = max(0, 2 - found.adjusted())
    while True:
        rounded = found.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)
        if rounded > limit or rounded == found:
            return _grouped(rounded)
        places += 1


def _grouped(value: Decimal) -> str:
    whole, point, rest = plain_number(value).partition(".")
    return f"{int(whole):,}{point}{rest}"
