"""From plain dictionaries and texts to limits and zones; all that is wrong is told at once."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from segnet_res.spec.limits import RULES, TOTAL_RULES, Limit, Zone

KEYS = ("title", "mm_per_pixel", "picture", "classes", "others", "total", "ignore")

# Nine digits before the point and six behind are more than any gauge reads, and pass through
# binary numbers unchanged.
_NUMBER = r"([0-9]{1,9}(?:\.[0-9]{1,6})?)"
# A number below 0.0001 as YAML and JSON write it.
_SMALL = r"[0-9](?:\.[0-9])?e-0[56]"
_WHOLE = re.compile(r"[0-9]{1,6}")

_EXAMPLES = {"px": "40 px", "mm": "1.5 mm", "mm2": "0.8 mm2", "%": "1 %"}


@dataclass
class Fields:
    """What a file says, and what is wrong with it."""

    title: str = ""
    mm_per_pixel: Decimal | None = None
    picture: tuple[int, int] | None = None
    classes: dict[str, tuple[Limit, ...]] = field(default_factory=dict)
    others: tuple[Limit, ...] | None = None
    total: tuple[Limit, ...] = ()
    ignore: tuple[Zone, ...] = ()
    problems: list[str] = field(default_factory=list)


def read_fields(content: object) -> Fields:
    """Read the content of a file; numbers may be numbers or texts."""
    fields = Fields()
    if not isinstance(content, Mapping):
        fields.problems.append(
            "holds no keys; write limits like `classes: {crack: {max_count: 0}}`"
        )
        return fields
    reader = _Reader(fields.problems)
    reader.keys(content, KEYS, "the file")
    fields.title = reader.text(content.get("title", ""), "title")
    if "mm_per_pixel" in content:
        fields.mm_per_pixel = reader.scale(content["mm_per_pixel"])
    if "picture" in content:
        fields.picture = reader.picture(content["picture"])
    classes = reader.mapping(content.get("classes", {}), "classes")
    fields.classes = {
        reader.text(str(name), "a class"): reader.limits(limits, f"classes.{name}", tuple(RULES))
        for name, limits in classes.items()
    }
    if "others" in content:
        fields.others = reader.limits(content["others"], "others", tuple(RULES))
    if "total" in content:
        fields.total = reader.limits(content["total"], "total", TOTAL_RULES)
    fields.ignore = reader.zones(content.get("ignore", []))
    if not fields.problems:
        _check(fields, "mm_per_pixel" in content)
    return fields


def _check(fields: Fields, scaled: bool) -> None:
    """Look for what makes no sense together."""
    groups = [*fields.classes.values(), fields.others or (), fields.total]
    limits = [limit for group in groups for limit in group]
    if not limits:
        fields.problems.append("sets no limit; write one like `classes: {crack: {max_count: 0}}`")
    in_mm = [limit for limit in limits if limit.unit.startswith("mm")]
    if in_mm and not scaled:
        fields.problems.append(
            f"{in_mm[0].rule} is in {in_mm[0].unit}, but the size of a pixel is not known; "
            "add it, like `mm_per_pixel: 0.02`, or give limits in px"
        )


class _Reader:
    """Reads values and collects what is wrong with them."""

    def __init__(self, problems: list[str]) -> None:
        self._problems = problems

    def keys(self, content: Mapping[Any, Any], known: Sequence[str], where: str) -> None:
        for key in content:
            if key not in known:
                self._problems.append(
                    f"{where} has an unknown key {str(key)[:60]!r}; known are {', '.join(known)}"
                )

    def mapping(self, content: object, where: str) -> Mapping[Any, Any]:
        if isinstance(content, Mapping):
            return content
        self._problems.append(
            f"{where} is {_found(content)}; write keys and values, or {{}} for no limit"
        )
        return {}

    def text(self, content: object, where: str) -> str:
        if isinstance(content, str) and content.isprintable():
            return content
        self._problems.append(f"{where} is {_found(content)}; write one line of text")
        return ""

    def scale(self, content: object) -> Decimal | None:
        text = _scalar(content)
        fits = re.fullmatch(rf"{_NUMBER}|{_SMALL}", text)
        value = Decimal(text) if fits else Decimal(0)
        if value > 0:
            return value
        self._problems.append(
            f"mm_per_pixel is {_found(content)}; write how many millimetres a pixel is wide, "
            "like 0.02"
        )
        return None

    def picture(self, content: object) -> tuple[int, int] | None:
        fields = self.mapping(content, "picture")
        self.keys(fields, ("width", "height"), "picture")
        width = self.whole(fields.get("width"), "picture.width", least=1)
        height = self.whole(fields.get("height"), "picture.height", least=1)
        return None if width is None or height is None else (width, height)

    def whole(self, content: object, where: str, *, least: int = 0) -> int | None:
        text = _scalar(content)
        if _WHOLE.fullmatch(text) and int(text) >= least:
            return int(text)
        self._problems.append(
            f"{where} is {_found(content)}; write a whole number from {least} to 999999"
        )
        return None

    def limits(self, content: object, where: str, rules: Sequence[str]) -> tuple[Limit, ...]:
        fields = self.mapping(content, where)
        self.keys(fields, rules, where)
        found = [
            self._limit(fields[rule], rule, f"{where}.{rule}") for rule in rules if rule in fields
        ]
        return tuple(limit for limit in found if limit is not None)

    def _limit(self, content: object, rule: str, where: str) -> Limit | None:
        if rule == "max_count":
            count = self.whole(content, where)
            return None if count is None else Limit(rule, Decimal(count), "regions")
        units = RULES[rule]
        match = re.fullmatch(rf"{_NUMBER}\s*(\S*)", _scalar(content))
        if match is not None:
            unit = match[2].replace("²", "2")
            unit = "px" if unit == "px2" and "mm2" in units else unit
            share = rule == "max_share"
            if unit in units and not (share and Decimal(match[1]) > 100):
                return Limit(rule, Decimal(match[1]), unit)
        examples = " or ".join(_EXAMPLES[unit] for unit in units)
        self._problems.append(
            f"{where} is {_found(content)}; write a number with its unit, like {examples}"
        )
        return None

    def zones(self, content: object) -> tuple[Zone, ...]:
        if not isinstance(content, list):
            self._problems.append(
                f"ignore is {_found(content)}; write a list of zones, like "
                "`- rectangle: {left: 0, top: 0, width: 100, height: 50}`"
            )
            return ()
        zones = [self._zone(zone, f"ignore[{i}]") for i, zone in enumerate(content, start=1)]
        return tuple(zone for zone in zones if zone is not None)

    def _zone(self, content: object, where: str) -> Zone | None:
        fields = self.mapping(content, where)
        self.keys(fields, ("name", "rectangle", "polygon"), where)
        name = self.text(fields.get("name", ""), f"{where}.name")
        if ("rectangle" in fields) == ("polygon" in fields):
            self._problems.append(f"{where} needs a rectangle or a polygon; write one of them")
            return None
        if "polygon" in fields:
            return self._polygon(fields["polygon"], f"{where}.polygon", name)
        return self._rectangle(fields["rectangle"], f"{where}.rectangle", name)

    def _rectangle(self, content: object, where: str, name: str) -> Zone | None:
        fields = self.mapping(content, where)
        self.keys(fields, ("left", "top", "width", "height"), where)
        left = self.whole(fields.get("left"), f"{where}.left")
        top = self.whole(fields.get("top"), f"{where}.top")
        width = self.whole(fields.get("width"), f"{where}.width", least=1)
        height = self.whole(fields.get("height"), f"{where}.height", least=1)
        if left is None or top is None or width is None or height is None:
            return None
        corners = ((left, top), (left + width - 1, top + height - 1))
        return Zone(corners, rectangle=True, name=name)

    def _polygon(self, content: object, where: str, name: str) -> Zone | None:
        points = content if isinstance(content, list) else []
        corners = [
            tuple(int(_scalar(value)) for value in point)
            for point in points
            if isinstance(point, list)
            and len(point) == 2
            and all(_WHOLE.fullmatch(_scalar(value)) for value in point)
        ]
        if len(corners) < 3 or len(corners) < len(points):
            self._problems.append(
                f"{where} is {_found(content)}; write at least three corners in whole pixels, "
                "like [[0, 0], [99, 0], [0, 49]]"
            )
            return None
        return Zone(tuple((x, y) for x, y in corners), name=name)


def _scalar(content: object) -> str:
    """Return a number or text as text; anything else as one that no number looks like."""
    if isinstance(content, str | int | float) and not isinstance(content, bool):
        return str(content).strip()
    return "-"


def _found(content: object) -> str:
    """Say what stands in a file instead of what should."""
    if content is None:
        return "missing"
    if isinstance(content, str):
        return repr(content if len(content) <= 40 else f"{content[:40]}...") if content else "empty"
    if isinstance(content, Mapping):
        return "a list of keys"
    if isinstance(content, list):
        return f"a list of {len(content)}"
    return str(content)[:40]
