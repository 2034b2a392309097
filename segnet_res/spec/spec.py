"""`Spec`: reads and writes a file of limits, and judges masks by it."""

import difflib
import hashlib
import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

import numpy as np
import yaml

from segnet_res.classes import ClassMap, background
from segnet_res.errors import SpecError
from segnet_res.images import UInt8Array
from segnet_res.regions import regions_by_class
from segnet_res.spec import strict_yaml
from segnet_res.spec.judging import Findings, Verdict
from segnet_res.spec.limits import Limit, Zone, plain_number
from segnet_res.spec.reading import read_fields


@dataclass(frozen=True)
class Spec:
    """The limits that a part must keep.

    Make one by `load`, `parse` or `from_dict`, which check what they read.

    Attributes:
        name: What errors call it: the name of its file.
        title: What people call the part; may be empty.
        mm_per_pixel: Width of a pixel; None where no limit is in mm.
        picture: (width, height) that every picture must have, or None.
        classes: The limits of each class that is named; without any, everything is allowed.
        others: The limits of every other class; None where other classes are not spoken of.
        total: The limits of all defects together.
        ignore: What is not inspected.
    """

    name: str
    title: str
    mm_per_pixel: Decimal | None
    picture: tuple[int, int] | None
    classes: dict[str, tuple[Limit, ...]]
    others: tuple[Limit, ...] | None
    total: tuple[Limit, ...]
    ignore: tuple[Zone, ...]

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a YAML file.

        Raises:
            SpecError: when it cannot be read or used; tells everything that is wrong at once.
        """
        try:
            # No more than what would be refused as too long: the file may be anything.
            with path.open(encoding="utf-8-sig") as file:
                text = file.read(strict_yaml.MAX_LENGTH + 1)
        except (OSError, UnicodeDecodeError) as error:
            found = getattr(error, "strerror", None) or "no UTF-8 text"
            raise SpecError(
                path.name, [f"cannot be read ({found}); give a YAML file of limits"]
            ) from error
        return cls.parse(text, name=path.name)

    @classmethod
    def parse(cls, text: str, *, name: str = "limits") -> Self:
        """Read the text of a YAML file.

        Args:
            text: The content; may come from anywhere.
            name: What errors call it.

        Raises:
            SpecError: when it cannot be used; tells everything that is wrong at once.

        >>> spec = Spec.parse("classes: {crack: {max_area: 40 px}}")
        >>> mask = np.array([[0, 1, 1]], np.uint8)
        >>> spec.judge(mask, ClassMap.from_names(["sound", "crack"])).passed
        True
        """
        try:
            content = strict_yaml.read(text)
        except strict_yaml.StrictYamlError as error:
            raise SpecError(name, [f"not valid YAML ({error}); correct it there"]) from error
        return cls.from_dict(content, name=name)

    @classmethod
    def from_dict(cls, content: object, *, name: str = "limits") -> Self:
        """Take limits in the form of the file, as `to_dict` gives them.

        Raises:
            SpecError: when they cannot be used; tells everything that is wrong at once.
        """
        fields = read_fields(content)
        if fields.problems:
            raise SpecError(name, fields.problems)
        return cls(
            name,
            fields.title,
            fields.mm_per_pixel,
            fields.picture,
            fields.classes,
            fields.others,
            fields.total,
            fields.ignore,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the limits in the form of the file: plain lists, texts and numbers."""
        content: dict[str, Any] = {}
        if self.title:
            content["title"] = self.title
        if self.mm_per_pixel is not None:
            content["mm_per_pixel"] = float(self.mm_per_pixel)
        if self.picture is not None:
            content["picture"] = {"width": self.picture[0], "height": self.picture[1]}
        if self.classes:
            content["classes"] = {name: _plain(limits) for name, limits in self.classes.items()}
        if self.others is not None:
            content["others"] = _plain(self.others)
        if self.total:
            content["total"] = _plain(self.total)
        if self.ignore:
            content["ignore"] = [zone.plain() for zone in self.ignore]
        return content

    def to_yaml(self) -> str:
        """Return the text of a file with these limits."""
        text: str = yaml.safe_dump(
            self.to_dict(), sort_keys=False, allow_unicode=True, default_flow_style=None, width=100
        )
        return text

    @property
    def digest(self) -> str:
        """SHA-256 of the limits, 64 hex digits: the same whatever the layout of the file.

        Comments, the order of keys and the way of writing a number change nothing.
        """
        content = self.to_dict()
        if self.mm_per_pixel is not None:
            content["mm_per_pixel"] = plain_number(self.mm_per_pixel)
        text = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def check_classes(self, class_map: ClassMap) -> None:
        """Refuse classes that the limits do not fit.

        Every class must be spoken of, by its name, by ``others`` or by ``total``: a class that a
        new checkpoint brings must not pass because nobody thought of it.

        Raises:
            SpecError: when a limited class is not known, or is the background, or when a class is
                not spoken of; tells everything at once.
        """
        sound = background(class_map)
        problems = [
            f"no class is called {name!r}{_guess(name, class_map)}; known are "
            f"{', '.join(class_map.names)}"
            for name in self.classes
            if name not in class_map.names
        ]
        if sound is None and self.total:
            problems.append(
                "total counts all defects, but none of these classes means 'no defect'; "
                "limit them by name"
            )
        if sound is not None and class_map.names[sound] in self.classes:
            problems.append(
                f"{class_map.names[sound]!r} means that there is no defect, so it cannot be "
                "limited; take it out"
            )
        silent = [
            name
            for i, name in enumerate(class_map.names)
            if i != sound and name not in self.classes
        ]
        if silent and self.others is None and not self.total:
            problems.append(
                f"nothing is said of {', '.join(silent)}; add limits, or `others: {{}}` to allow "
                "them"
            )
        if problems:
            raise SpecError(self.name, problems)

    def judge(self, labels: UInt8Array, class_map: ClassMap) -> Verdict:
        """Judge a mask.

        Pixels of the zones are left out first, so that of a region that reaches into a zone only
        the part outside counts. Shares are of the inspected area: labelled pixels outside the
        zones.

        Args:
            labels: (H, W) uint8, labels of the class map or `ignore_index`.
            class_map: Names the labels.

        Raises:
            SpecError: when classes or size of the picture do not fit, or the zones leave nothing.
        """
        self.check_classes(class_map)
        inspected = self._inspected(labels, class_map)
        limits = {
            i: self.classes.get(name, self.others or ())
            for i, name in enumerate(class_map.names)
            if i != background(class_map)
        }
        pixels = int(np.count_nonzero(inspected != class_map.ignore_index))
        boxes = any(limit.rule == "max_length" for group in limits.values() for limit in group)
        findings = {
            regions.label: Findings.of(
                class_map.names[regions.label], regions, limits[regions.label]
            )
            for regions in regions_by_class(inspected, class_map, boxes=boxes)
        }
        reasons = [
            reason
            for label, found in findings.items()
            for reason in found.exceeded(limits[label], pixels, self.mm_per_pixel)
        ]
        count = sum(found.count for found in findings.values())
        defects = sum(found.pixels for found in findings.values())
        reasons += Findings(None, count, defects).exceeded(self.total, pixels, self.mm_per_pixel)
        return Verdict(not reasons, tuple(reasons), pixels)

    def _inspected(self, labels: UInt8Array, class_map: ClassMap) -> UInt8Array:
        """Return a copy of the labels in which the zones are unlabelled."""
        height, width = labels.shape
        if self.picture is not None and self.picture != (width, height):
            raise SpecError(
                self.name,
                [
                    f"the picture is {width}x{height}, the limits are for "
                    f"{self.picture[0]}x{self.picture[1]}; give pictures of that size, or limits "
                    "for this one"
                ],
            )
        inspected = np.ascontiguousarray(labels).copy()
        for zone in self.ignore:
            zone.paint(inspected, class_map.ignore_index)
        if (inspected == class_map.ignore_index).all():
            raise SpecError(
                self.name,
                [
                    f"nothing of the picture ({width}x{height}) is left to inspect; "
                    "make the zones of ignore smaller"
                ],
            )
        return inspected


def _plain(limits: tuple[Limit, ...]) -> dict[str, int | str]:
    return {limit.rule: limit.plain() for limit in limits}


def _guess(name: str, class_map: ClassMap) -> str:
    """Return what a misspelt class may have meant, as part of a sentence."""
    folded = {known.casefold(): known for known in class_map.names}
    near = difflib.get_close_matches(name.casefold(), folded, n=1)
    return f" (did you mean {folded[near[0]]!r}?)" if near else ""
