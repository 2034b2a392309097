"""The table of a batch: one row a picture, filtered, sorted and cut into pages for a browser."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from segnet_res.classes import ClassMap, background
from segnet_res.images import UInt8Array
from segnet_res.regions import region_summary
from segnet_res.render import class_pixels
from segnet_res.web.judging import Judge

State = Literal["defective", "sound", "unjudged", "failed"]
STATES: tuple[State, ...] = ("defective", "sound", "unjudged", "failed")

_VERDICTS: dict[str, State] = {"fail": "defective", "pass": "sound", "neutral": "unjudged"}

# A browser may ask for any number of rows; so many are a page of thumbnails.
MAX_PAGE_ROWS = 100


@dataclass(frozen=True)
class Row:
    """What became of one picture.

    Attributes:
        number: Its place in the batch, from 0; files of the picture are called by it.
        name: What people call it.
        state: ``defective`` or ``sound`` as the limits say, ``unjudged`` where the classes have no
            background, ``failed`` where there is no result.
        reasons: Sentences: why it is defective, or why there is no verdict.
        error: Why there is no result; None when there is one.
        size: (height, width) in pixels; None where the picture could not be read.
        shares: Share of the picture that each class takes, (C,), 0 to 1.
        regions: Number of connected regions of each class, (C,).
        largest: Pixels of the largest region of each class, (C,).
        defects: Share of all classes but the background; None where there is none.
        confidence: Mean over the pixels, 0 to 1.
        seconds: Time in the model.
    """

    number: int
    name: str
    state: State = "unjudged"
    reasons: tuple[str, ...] = ()
    error: str | None = None
    size: tuple[int, int] | None = None
    shares: tuple[float, ...] = ()
    regions: tuple[int, ...] = ()
    largest: tuple[int, ...] = ()
    defects: float | None = None
    confidence: float | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class View:
    """Which rows somebody wants to see; all of it comes from a browser.

    Attributes:
        state: Only rows of this state; None: of all.
        text: Only rows whose name contains this, whatever the case.
        order: ``number`` (as given), ``name``, ``worst`` (most defects first), ``unsure`` (least
            confidence first), or ``class N`` (most of class N first).
        offset: How many of these rows to leave out.
        count: How many to show at most, 1 to `MAX_PAGE_ROWS`.
    """

    state: State | None = None
    text: str = ""
    order: str = "number"
    offset: int = 0
    count: int = 50

    @classmethod
    def from_untrusted(cls, content: object) -> "View":
        """Take what has the right type and range, and defaults for the rest."""
        fields: dict[str, Any] = content if isinstance(content, dict) else {}
        text, order = fields.get("text"), fields.get("order")
        return cls(
            state=next((state for state in STATES if state == fields.get("state")), None),
            text=text.strip()[:200] if isinstance(text, str) else "",
            order=order if isinstance(order, str) and len(order) < 20 else "number",
            offset=_number(fields.get("offset"), 0, 0, 10**9),
            count=_number(fields.get("count"), 50, 1, MAX_PAGE_ROWS),
        )

    def select(self, rows: Sequence[Row]) -> list[Row]:
        """Return all rows of this view, in its order, without regard to the page."""
        wanted = self.text.casefold()
        found = [
            row
            for row in rows
            if (self.state is None or row.state == self.state) and wanted in row.name.casefold()
        ]
        return sorted(found, key=self._key)

    def page(self, selected: Sequence[Row]) -> tuple[int, Sequence[Row]]:
        """Return the offset and the rows of the page, the last one when the offset is beyond."""
        last = max(0, len(selected) - 1) // self.count * self.count
        offset = min(self.offset // self.count * self.count, last)
        return offset, selected[offset : offset + self.count]

    def _key(self, row: Row) -> tuple[Any, ...]:
        """Return what rows are sorted by; rows without the number in question come last."""
        value: float | str | None = None
        if self.order == "name":
            return (0, row.name.casefold(), row.number)
        if self.order == "worst":
            value = None if row.defects is None else -row.defects
        elif self.order == "unsure":
            value = row.confidence
        elif self.order.startswith("class "):
            label = self.order.removeprefix("class ")
            # Ascii: isdigit alone takes figures of other scripts, which int() may refuse.
            if label.isascii() and label.isdigit() and int(label) < len(row.shares):
                value = -row.shares[int(label)]
        return (value is None, 0 if value is None else value, row.number)


def measured(row: Row, labels: UInt8Array, class_map: ClassMap, judge: Judge) -> Row:
    """Return the row with what (H, W) uint8 labels say: areas, regions and verdict."""
    summaries = region_summary(labels, class_map)
    pixels = class_pixels(labels, class_map)
    area = max(1, int(pixels.sum()))
    empty = background(class_map)
    verdict = judge.verdict(labels, class_map)
    return replace(
        row,
        state=_VERDICTS[verdict["state"]],
        reasons=tuple(verdict["reasons"]),
        shares=tuple((pixels / area).tolist()),
        regions=tuple(summary.count for summary in summaries),
        largest=tuple(summary.largest for summary in summaries),
        defects=None if empty is None else float((area - pixels[empty]) / area),
    )


def counts(rows: Sequence[Row]) -> dict[str, int]:
    """Return how many rows there are of each state, and ``all``."""
    found = Counter(row.state for row in rows)
    return {"all": len(rows)} | {state: found[state] for state in STATES}


def _number(value: object, default: int, least: int, most: int) -> int:
    # True is an int to Python.
    if not isinstance(value, int) or isinstance(value, bool):
        return default
    return min(most, max(least, value))
