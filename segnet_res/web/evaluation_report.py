"""What the evaluation of a set says: rows for the page, totals, CSV and JSON to keep."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnet_res.assessment import MAX_WIDTH, MIN_PARTS, Assessment, assess
from segnet_res.boundary import border_ious
from segnet_res.classes import ClassMap, background
from segnet_res.images import atomic_write
from segnet_res.metrics import ConfusionMatrix, Scores
from segnet_res.web.decisions import Decision, rates
from segnet_res.web.judging import Judge

Counts = NDArray[np.int64]

# A part is called defective when so many pixels of it are: a speck of fewer is noise.
SMALLEST = 25

_RATIOS = ("miou", "pixel_accuracy", "missed", "false_alarm", "wrong_class")


@dataclass(frozen=True)
class PictureRow:
    """What became of one picture.

    Attributes:
        index: Its place in the set.
        name: What the page calls it.
        part: The part that it shows.
        error: Why it has no scores, or None.
        warnings: Sentences about its mask.
        counts: (C, C) int64 pixels, row = truth, column = found; None with an error.
        borders: (C, 2) int64 pixels along the borders, see `boundary.border_counts`.
        decision: How the limits of Inspect decide; None without limits.
    """

    index: int
    name: str
    part: str
    error: str | None = None
    warnings: tuple[str, ...] = ()
    counts: Counts | None = None
    borders: Counts | None = None
    decision: Decision | None = None
    # Asked for by the page, the table and the report alike.
    _ratios: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def ratios(self, class_map: ClassMap) -> dict[str, Any]:
        """Return the picture's scores; None where there is nothing to divide by.

        ``miou``, ``pixel_accuracy``, ``ious`` of the classes, and the shares of the labelled
        pixels that are ``missed`` (background instead of a defect), a ``false_alarm`` (the other
        way round) and of a ``wrong_class`` (one defect instead of another). Without a background
        class all that is wrong is a wrong class.
        """
        if not self._ratios:
            self._ratios.update(self._count(class_map))
        return self._ratios

    def _count(self, class_map: ClassMap) -> dict[str, Any]:
        matrix = ConfusionMatrix(class_map)
        if self.counts is not None:
            matrix.add(self.counts)
        scores, counts = matrix.scores(), matrix.counts
        labelled, right = int(counts.sum()), int(np.trace(counts))
        missed = alarms = None
        empty = background(class_map)
        if empty is not None:
            missed = int(counts[:, empty].sum() - counts[empty, empty])
            alarms = int(counts[empty].sum() - counts[empty, empty])
        wrong = labelled - right - (missed or 0) - (alarms or 0)

        def share(pixels: int | None) -> float | None:
            return pixels / labelled if labelled and pixels is not None else None

        return {
            "miou": scores.miou,
            "pixel_accuracy": scores.pixel_accuracy,
            "ious": [score.iou for score in scores.classes],
            "missed": share(missed),
            "false_alarm": share(alarms),
            "wrong_class": share(wrong),
        }

    def outcome(self, class_map: ClassMap, smallest: int) -> str | None:
        """Say how a decision by this picture would end, as `assess` counts it.

        Returns:
            ``found`` and ``escape`` for a defective picture, ``sound`` and ``overkill`` for
            another one; None without scores, labelled pixels or a background class.
        """
        empty = background(class_map)
        if self.counts is None or empty is None or not self.counts.any():
            return None
        defects = np.arange(len(class_map)) != empty
        called = int(self.counts[:, defects].sum()) >= smallest
        return Decision(bool(self.counts[defects].any()), called).outcome

    @property
    def limits_outcome(self) -> str | None:
        """Say how a decision by the limits of Inspect would end; None without limits."""
        return None if self.decision is None else self.decision.outcome


@dataclass(frozen=True)
class Summary:
    """The totals of a set.

    Attributes:
        scores: As `segnet-res evaluate` gives them.
        assessment: The same with intervals, parts, overkill and escape.
        borders: IoU along the border of each class; None where a class does not occur.
        limits: Overkill and escape by the limits of Inspect, see `decisions.rates`, and the
            ``judge``; None without limits.
    """

    scores: Scores
    assessment: Assessment
    borders: tuple[float | None, ...]
    limits: dict[str, Any] | None = None

    @classmethod
    def of(
        cls,
        rows: Sequence[PictureRow],
        matrix: ConfusionMatrix,
        class_map: ClassMap,
        judge: Judge,
    ) -> "Summary":
        """Sum up the rows that have scores; at least one has.

        Args:
            rows: The pictures.
            matrix: The sum of their counts.
            class_map: The classes.
            judge: What the rows' decisions were made by.
        """
        scored = [row for row in rows if row.counts is not None]
        counts = np.stack([row.counts for row in scored if row.counts is not None])
        borders = sum(
            (row.borders for row in scored if row.borders is not None),
            np.zeros((len(class_map), 2), np.int64),
        )
        parts = [row.part for row in scored]
        decided = [(row.part, row.decision) for row in scored if row.decision is not None]
        return cls(
            matrix.scores(),
            assess(counts, parts, class_map, smallest=SMALLEST),
            border_ious(borders),
            rates(decided) | {"judge": judge.to_dict()} if decided else None,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return what `segnet-res evaluate --json` writes, with more beside it.

        ``assessment`` holds intervals, overkill and escape, ``borders`` the IoU along the border
        of each class, ``limits`` overkill and escape by the limits of Inspect, ``enough`` what
        it takes to tell: parts with a class, and the width of an interval.
        """
        return self.scores.to_dict() | {
            "assessment": self.assessment.to_dict(),
            "borders": list(self.borders),
            "limits": self.limits,
            "enough": {"parts": MIN_PARTS, "width": MAX_WIDTH},
        }


def write_json(
    path: Path,
    about: dict[str, Any],
    rows: Sequence[PictureRow],
    summary: Summary,
    class_map: ClassMap,
) -> Path:
    """Write the totals, what they are of, and the scores of each picture.

    Raises:
        StorageError: when the file cannot be written.
    """
    pictures = [
        {"name": row.name, "part": row.part, "error": row.error, "warnings": list(row.warnings)}
        | row.ratios(class_map)
        | {"outcome": row.outcome(class_map, SMALLEST), "limits_outcome": row.limits_outcome}
        for row in rows
    ]
    content = summary.to_dict() | about | {"pictures": pictures}
    with atomic_write(path) as file:
        file.write((json.dumps(content, indent=2) + "\n").encode())
    return path


def write_csv(path: Path, rows: Sequence[PictureRow], class_map: ClassMap) -> Path:
    """Write one line a picture; what a picture lacks stays empty.

    Raises:
        StorageError: when the file cannot be written.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    ious = [f"iou {name}" for name in class_map.names]
    outcomes = ["outcome", "outcome by limits"]
    writer.writerow(["picture", "part", *outcomes, *_RATIOS, *ious, "error", "warnings"])
    for row in rows:
        ratios = row.ratios(class_map)
        values = [ratios[key] for key in _RATIOS] + ratios["ious"]
        cells = ["" if value is None else value for value in values]
        notes = [row.error or "", " ".join(row.warnings)]
        ends = [row.outcome(class_map, SMALLEST) or "", row.limits_outcome or ""]
        writer.writerow([_inert(row.name), _inert(row.part), *ends, *cells, *map(_inert, notes)])
    with atomic_write(path) as file:
        # The mark tells spreadsheets that names beyond English are in UTF-8.
        file.write(text.getvalue().encode("utf-8-sig", "replace"))
    return path


def _inert(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
