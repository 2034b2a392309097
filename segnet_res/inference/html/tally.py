"""What the report tells, gathered from rows of the manifest one by one in bounded memory."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from segnet_res.classes import ClassMap, background
from segnet_res.conditions import Conditions, FolderConditions
from segnet_res.errors import DataError

Row = Mapping[str, Any]

# So many are shown; the manifest holds all.
WORST, LISTED = 24, 300

# The measures of conditions that are drawn over the run.
MEASURES = ("brightness", "contrast", "sharpness", "noise")

# Upper ends of the groups of parts by the share of their area that is defective.
SHARES = (0.0, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)

_CONFIDENCE_BINS = 20
_BINS = 60


@dataclass
class ClassTally:
    """What was found of one class.

    Attributes:
        pictures: With at least one pixel of it.
        regions: Of all pictures.
        pixels: Of all pictures.
        failed: Parts that fail because of it.
    """

    pictures: int = 0
    regions: int = 0
    pixels: int = 0
    failed: int = 0


class Course:
    """Means of a value over a run of unknown length, in 30 to 60 groups of equal size."""

    def __init__(self) -> None:
        self._sums: list[float] = []
        self._counts: list[int] = []
        self._size = 1

    def add(self, value: float) -> None:
        """Take the next value."""
        if self._counts and self._counts[-1] < self._size:
            self._sums[-1] += value
            self._counts[-1] += 1
            return
        if len(self._counts) == _BINS:
            # Two groups become one.
            self._sums = [sum(self._sums[i : i + 2]) for i in range(0, _BINS, 2)]
            self._counts = [sum(self._counts[i : i + 2]) for i in range(0, _BINS, 2)]
            self._size *= 2
        self._sums.append(value)
        self._counts.append(1)

    def means(self) -> list[float]:
        """Return the mean of each group."""
        return [total / count for total, count in zip(self._sums, self._counts, strict=True)]


@dataclass(order=True)
class _Ranked:
    """A row by how bad its part is."""

    rank: tuple[float, ...]
    row: Row = field(compare=False)


class Tally:
    """Everything that the report tells of the pictures.

    Args:
        class_map: Says what is background.

    Attributes:
        class_map: See above.
        pictures: Number of rows.
        unread: Rows without a result.
        passed: Parts that pass, and so on; all 0 where there are no limits.
        failed: See passed.
        noted: Pictures that a note is about.
        classes: What was found, by name.
        confidence: Pictures by mean confidence, in 20 groups from 0 to 1.
        shares: Pictures by the defective share of their area, in the groups of `SHARES`.
        conditions: Of all pictures.
        courses: Means over the run of conditions, failures (share) and defects (share of area).
        failures: The first rows of parts that fail.
        errors: The first rows without a result.
        notes: The first rows with notes.
        first: When the first row was written, ISO 8601; empty where no row tells.
        last: When the last one was.
        seconds: Time in the model.
    """

    def __init__(self, class_map: ClassMap) -> None:
        self.class_map = class_map
        self.pictures = self.unread = self.passed = self.failed = self.noted = 0
        self.classes = {name: ClassTally() for name in class_map.names}
        self.confidence = [0] * _CONFIDENCE_BINS
        self.shares = [0] * len(SHARES)
        self.conditions = FolderConditions()
        self.courses = {name: Course() for name in (*MEASURES, "failed", "defects")}
        self.failures: list[Row] = []
        self.errors: list[Row] = []
        self.notes: list[Row] = []
        self.first = self.last = ""
        self.seconds = 0.0
        self._worst: dict[str, list[_Ranked]] = {}
        self._sound = background(class_map)

    @property
    def judged(self) -> int:
        """Parts with a verdict."""
        return self.passed + self.failed

    def add(self, row: Row) -> None:
        """Take one row of the manifest."""
        self.pictures += 1
        time = str(row.get("time") or "")
        if time:
            self.first = min(self.first or time, time)
            self.last = max(self.last, time)
        if row.get("notes"):
            self.noted += 1
            _keep(self.notes, row)
        if row.get("status") != "ok":
            self.unread += 1
            _keep(self.errors, row)
            return
        self.seconds += row.get("seconds") or 0.0
        self._add_verdict(row)
        self._add_classes(row)
        self._add_values(row)

    def worst(self) -> list[Row]:
        """Return the rows of the worst parts; those that fail come first.

        The classes take turns, so that large defects do not hide small ones of another class. Of
        one class the larger share of defects is worse, or the lower confidence where no class is
        background. Parts without any defect are left out.
        """
        by_class = [sorted(ranked, reverse=True) for ranked in self._worst.values()]
        by_class.sort(key=lambda ranked: ranked[0], reverse=True)
        turns = [each for turn in zip_longest(*by_class) for each in turn if each is not None]
        turns.sort(key=lambda ranked: ranked.rank[0], reverse=True)
        return [ranked.row for ranked in turns[:WORST]]

    def defects(self, row: Row) -> float | None:
        """Return the share of a part's area that is defective; None without a background.

        Nor can it be told of a part that a checkpoint with another background has segmented.
        """
        pixels = {name: int(found["pixels"]) for name, found in _classes(row).items()}
        sound = None if self._sound is None else pixels.get(self.class_map.names[self._sound])
        if sound is None:
            return None
        total = sum(pixels.values())
        return 1 - sound / total if total else 0.0

    def _add_verdict(self, row: Row) -> None:
        if row.get("verdict") is None:
            return
        fails = row["verdict"] == "fail"
        self.passed += not fails
        self.failed += fails
        self.courses["failed"].add(fails)
        if fails:
            _keep(self.failures, row)
            for name in {str(reason).partition(": ")[0] for reason in row.get("reasons") or ()}:
                if name in self.classes:
                    self.classes[name].failed += 1

    def _add_classes(self, row: Row) -> None:
        for name, found in _classes(row).items():
            if name in self.classes:
                tally = self.classes[name]
                tally.pictures += found["pixels"] > 0
                tally.pixels += found["pixels"]
                tally.regions += found.get("regions") or 0

    def _add_values(self, row: Row) -> None:
        confidence, defects = row.get("confidence"), self.defects(row)
        if confidence is not None:
            place = int(confidence * _CONFIDENCE_BINS)
            self.confidence[min(max(place, 0), _CONFIDENCE_BINS - 1)] += 1
        if defects is not None:
            self.shares[next(i for i, end in enumerate(SHARES) if defects <= end)] += 1
            self.courses["defects"].add(defects)
        if row.get("conditions"):
            try:
                conditions = Conditions.from_dict(row["conditions"])
            except DataError:
                # Of a version with other measures.
                return
            self.conditions.add(conditions)
            for name in MEASURES:
                self.courses[name].add(getattr(conditions, name))
        self._rank(row, confidence, defects)

    def _rank(self, row: Row, confidence: float | None, defects: float | None) -> None:
        fails = row.get("verdict") == "fail"
        if defects == 0 and not fails:
            return
        # The first of equals stays the first.
        badness = 1 - (confidence or 0.0) if defects is None else defects
        ranked = _Ranked((float(fails), badness, -self.pictures), row)
        worst = self._worst.setdefault(self._class_of(row), [])
        if len(worst) < WORST:
            heapq.heappush(worst, ranked)
        else:
            heapq.heappushpop(worst, ranked)

    def _class_of(self, row: Row) -> str:
        """Return the class that a part fails for, or has most of."""
        for reason in row.get("reasons") or ():
            name = str(reason).partition(": ")[0]
            if name in self.classes:
                return name
        if self._sound is None:
            return ""
        sound = self.class_map.names[self._sound]
        pixels = {
            name: found["pixels"] for name, found in _classes(row).items() if name in self.classes
        }
        return max(pixels.keys() - {sound}, key=lambda name: (pixels[name], name), default="")


def _classes(row: Row) -> Mapping[str, Mapping[str, int]]:
    classes: Mapping[str, Mapping[str, int]] = row.get("classes") or {}
    return classes


def _keep(rows: list[Row], row: Row) -> None:
    if len(rows) < LISTED:
        rows.append(row)
