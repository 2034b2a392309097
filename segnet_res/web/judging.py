"""Whether a part passes: what counts as found, and the limits that a person or a file sets.

Inspect and Batch judge by this, so that the same picture gets the same verdict in both.
"""

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from segnet_res.classes import ClassMap, background
from segnet_res.errors import SegnetResError, UsageError
from segnet_res.images import UInt8Array
from segnet_res.regions import refine
from segnet_res.render import class_pixels
from segnet_res.spec import Spec

_MAX_PIXELS = 10**9

# A file of limits is a page of text.
_MAX_SPEC_CHARACTERS = 200_000

# What the page calls the limits of a class, and how a file of limits writes them.
_RULES = {
    "share": ("max_share", "{} %"),
    "area": ("max_area", "{} px"),
    "length": ("max_length", "{} px"),
}


@dataclass(frozen=True)
class Limits:
    """What a person allows, whichever checkpoint is chosen.

    Attributes:
        share: Share of the picture that all defects together may take, in percent, or None.
        classes: By the name of a class: ``share`` in percent, ``count`` of regions, ``area`` of
            the largest region and ``length`` of the longest in pixels; what is not limited is
            left out.
    """

    share: float | None = None
    classes: dict[str, dict[str, float]] = field(default_factory=dict)

    @classmethod
    def from_untrusted(cls, content: object) -> "Limits":
        """Take the numbers that make sense and leave the rest out."""
        fields: dict[str, Any] = content if isinstance(content, dict) else {}
        listed = fields.get("classes")
        classes: dict[str, dict[str, float]] = {}
        for name, rules in (listed if isinstance(listed, dict) else {}).items():
            given: dict[str, Any] = rules if isinstance(rules, dict) else {}
            tops = {"share": 100, "count": 999_999, "area": 999_999_999, "length": 999_999_999}
            numbers = {rule: _number(given.get(rule), top) for rule, top in tops.items()}
            if kept := {rule: number for rule, number in numbers.items() if number is not None}:
                classes[str(name)] = kept
        return cls(_number(fields.get("share"), 100), classes)

    def spec(self, class_map: ClassMap) -> Spec | None:
        """Return these limits for the classes of a model; None when none of them applies.

        Limits of classes that the model does not know are passed over: they are the habit of a
        person who also works with other models.
        """
        sound = background(class_map)
        limits: dict[str, dict[str, str | int]] = {}
        for i, name in enumerate(class_map.names):
            given = self.classes.get(name, {})
            if i == sound or not given:
                continue
            limits[name] = {
                rule: text.format(_plain(given[key]))
                for key, (rule, text) in _RULES.items()
                if key in given
            }
            if "count" in given:
                limits[name]["max_count"] = round(given["count"])
        content: dict[str, Any] = {}
        if limits:
            content = {"classes": limits, "others": {}}
        if self.share is not None and sound is not None:
            content["total"] = {"max_share": f"{_plain(self.share)} %"}
        return Spec.from_dict(content, name="the limits") if content else None


@dataclass(frozen=True)
class Judge:
    """What the sliders and limits of the page say.

    Attributes:
        percent: Confidence from which a defect counts, in whole percent, 0 to 100.
        min_region: Pixels from which a region counts.
        limits: What a person allows.
        spec: The limits of a file, which are then the only ones, or None.
        spec_error: Why the file cannot be used, or None.
    """

    # What `from_untrusted` reads.
    FIELDS: ClassVar[tuple[str, ...]] = ("threshold", "min_region", "limits", "spec", "spec_name")

    percent: int = 0
    min_region: int = 0
    limits: Limits = field(default_factory=Limits)
    spec: Spec | None = None
    spec_error: str | None = None

    @classmethod
    def from_untrusted(cls, fields: dict[str, Any]) -> "Judge":
        """Take what a browser sends; what makes no sense is left out.

        Args:
            fields: ``threshold`` (percent), ``min_region`` (pixels), ``limits`` (as `Limits`),
                ``spec`` (the text of a file of limits, or None) and ``spec_name``.
        """
        spec, error = _spec(fields.get("spec"), fields.get("spec_name"))
        return cls(
            percent=round(_number(fields.get("threshold"), 100) or 0),
            min_region=round(_number(fields.get("min_region"), _MAX_PIXELS) or 0),
            limits=Limits.from_untrusted(fields.get("limits")),
            spec=spec,
            spec_error=error,
        )

    @classmethod
    def from_program(cls, fields: dict[str, Any]) -> "Judge":
        """Take what a program sends; numbers that make no sense are refused.

        A slider cannot leave its range, so that `from_untrusted` may mend what it says; a program
        that gives 900 %, or 0.5 as on the command line, must be told.

        Args:
            fields: As those of `from_untrusted`; ``threshold`` and ``min_region`` are 0 where they
                are missing.

        Raises:
            UsageError: when the threshold or the region is no whole number in its range.
        """
        threshold, min_region = fields.get("threshold", 0), fields.get("min_region", 0)
        if not _is_whole(threshold, 100):
            raise UsageError(
                f"threshold is {_short(threshold)}; give a confidence in whole percent from 0 to "
                "100, such as 50 for the command line's 0.5"
            )
        if not _is_whole(min_region, _MAX_PIXELS):
            raise UsageError(
                f"min_region is {_short(min_region)}; give whole pixels from 0 to {_MAX_PIXELS:,}"
            )
        return cls.from_untrusted(fields)

    @property
    def threshold(self) -> float:
        """The confidence from which a defect counts, 0 to 1."""
        return self.percent / 100

    @property
    def state(self) -> str:
        """What the sliders say, as part of a file's name."""
        return f"{self.percent}-{self.min_region}"

    def to_dict(self) -> dict[str, Any]:
        """Return what reports tell of the judge."""
        file = None
        if self.spec is not None:
            file = {"name": self.spec.name, "title": self.spec.title, "sha256": self.spec.digest}
        limits = None
        if self.spec is None:
            limits = {"share": self.limits.share, "classes": self.limits.classes}
        return {
            "threshold": self.threshold,
            "min_region": self.min_region,
            "limits": limits,
            "spec": file,
        }

    def refine(
        self, labels: UInt8Array, confidence: NDArray[np.float32], class_map: ClassMap
    ) -> UInt8Array:
        """Take back to background what is unsure or too small to count.

        Args:
            labels: (H, W) uint8.
            confidence: (H, W) float32, 0 to 1.
            class_map: Says what is background.

        Returns:
            (H, W) uint8; the labels themselves where nothing is to be taken back.
        """
        if self.percent == 0 and self.min_region <= 1:
            return labels
        return refine(
            labels, confidence, class_map, threshold=self.threshold, min_region=self.min_region
        )

    def verdict(self, labels: UInt8Array, class_map: ClassMap) -> dict[str, Any]:
        """Judge what is left after `refine`.

        Args:
            labels: (H, W) uint8.
            class_map: Names the labels.

        Returns:
            Plain texts and numbers: ``state`` (``pass``, ``fail``, or ``neutral`` where nothing
            says what is allowed), ``reasons`` (sentences), ``boxes`` (left, top, width, height of
            the region that a reason speaks of, or None), ``rules`` (class, or None for all defects,
            and rule of each reason), ``error`` (why the limits cannot be
            used, or None) and ``share`` of the picture that is defect, 0 to 1, or None without a
            background.
        """
        empty = background(class_map)
        marked = None if empty is None else _marked(labels, class_map, empty)
        nothing: dict[str, Any] = {
            "state": "neutral",
            "reasons": [],
            "boxes": [],
            "rules": [],
            "error": None,
            "share": marked,
        }
        if self.spec_error is not None:
            return nothing | {"error": self.spec_error}
        try:
            spec = self.spec if self.spec is not None else self.limits.spec(class_map)
            if spec is None:
                return nothing
            found = spec.judge(labels, class_map)
        except SegnetResError as error:
            return nothing | {"error": str(error)}
        return nothing | {
            "state": "pass" if found.passed else "fail",
            "reasons": [reason.sentence for reason in found.reasons],
            "boxes": [None if r.box is None else list(r.box) for r in found.reasons],
            "rules": [[reason.class_name, reason.rule] for reason in found.reasons],
        }


def _spec(text: object, name: object) -> tuple[Spec | None, str | None]:
    """Return the limits of a file that a browser sends, or why they cannot be used."""
    if not isinstance(text, str):
        return None, None
    called = name if isinstance(name, str) and 0 < len(name) <= 200 else "limits"
    if len(text) > _MAX_SPEC_CHARACTERS:
        return None, f"{called}: too long for a file of limits; choose another file"
    try:
        return Spec.parse(text, name=called), None
    except SegnetResError as error:
        return None, str(error)


def _marked(labels: UInt8Array, class_map: ClassMap, empty: int) -> float:
    pixels = class_pixels(labels, class_map)
    return float((pixels.sum() - pixels[empty]) / labels.size)


def _number(value: object, top: float) -> float | None:
    """Return a number from 0 to ``top``; None for anything that is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        return None
    return float(min(top, max(0, value)))


def _is_whole(value: object, top: int) -> bool:
    """Tell whether a value is a whole number from 0 to ``top``."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= top and value % 1 == 0


def _short(value: object) -> str:
    """Write a value of any kind for a message."""
    return f"{value!r:.100}"


def _plain(value: float) -> str:
    """Write a number without exponent, as exactly as a file of limits takes it."""
    return f"{value:.6f}".rstrip("0").rstrip(".")
