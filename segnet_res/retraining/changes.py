"""Whether a candidate is better than its parent on the same pictures, and how sure that is.

Both are scored on the same splits drawn anew, so that what makes a picture hard for both cancels
out: the interval of the difference is mostly far narrower than those of the two scores. Drawn are
parts, with all their pictures (cluster bootstrap; Efron and Tibshirani, 1993, chapter 8): two
photographs of one part tell less than two parts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnet_res.assessment import MIN_PARTS, RESAMPLES
from segnet_res.bootstrap import Interval, interval, ious, margins, mean, resampled, summed


@dataclass(frozen=True)
class Change:
    """A score of both checkpoints.

    Attributes:
        before: The parent's, 0 to 1; None where it has none.
        after: The candidate's.
        difference: after - before; None where one is None.
        interval: 95 % interval of the difference; None where there is none.
        enough: Whether it rests on `MIN_PARTS` parts of each class or more; an interval from fewer
            is not to be trusted.
    """

    before: float | None
    after: float | None
    difference: float | None = None
    interval: Interval | None = None
    enough: bool = False

    @property
    def verdict(self) -> str:
        """Tell whether the difference is more than chance.

        better or worse, unclear where it may be chance, equal where no part differs, "too few"
        where the masks show too little to tell.
        """
        if self.interval is not None and self.interval == (0, 0):
            return "equal"
        if self.interval is None or not self.enough:
            return "too few"
        low, high = self.interval
        return "better" if low > 0 else "worse" if high < 0 else "unclear"

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists, texts and numbers for JSON."""
        return {
            "before": self.before,
            "after": self.after,
            "difference": self.difference,
            "interval": None if self.interval is None else list(self.interval),
            "enough": self.enough,
            "verdict": self.verdict,
        }


@dataclass(frozen=True)
class ScoreChanges:
    """What changed from a parent to its candidate.

    Attributes:
        classes: IoU of each class, in the order of the labels.
        parts: On how many parts the masks show each class.
        miou: Mean IoU over the classes that both know and the masks show.
        counted: Number of these classes.
    """

    classes: tuple[Change, ...]
    parts: tuple[int, ...]
    miou: Change
    counted: int


def score_changes(
    before: NDArray[np.int64],
    after: NDArray[np.int64],
    groups: Sequence[str],
    knows: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> ScoreChanges:
    """Compare the confusion matrices of single pictures.

    A class that the masks do not show has no IoU here, whoever predicts it: what it is wrongly
    said of is missing from the other classes, and counts as overkill.

    Args:
        before: (pictures, C, C) pixels of the parent, row = truth, column = prediction; at least
            one picture.
        after: The same of the candidate, on the same pictures.
        groups: The part of each picture.
        knows: (C,) bool for parent and candidate, which classes each knows; one that a checkpoint
            does not know has no IoU.
        resamples: Number of splits to draw.
        seed: Chooses them; the same seed gives the same intervals.

    Raises:
        ValueError: when shapes do not fit, or the truth of both differs.
    """
    if before.shape != after.shape or len(before) != len(groups) or not len(before):
        raise ValueError(f"{before.shape} and {after.shape} for {len(groups)} pictures do not fit")
    if not np.array_equal(before.sum(axis=2), after.sum(axis=2)):
        raise ValueError("the masks of parent and candidate differ")
    parts = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True)[1].ravel()
    sums = [summed(margins(counts), parts) for counts in (before, after)]
    truth = sums[0][:, 1:2].repeat(3, axis=1)
    # Perfect answers: 1 where a split shows the class, NaN where it does not.
    shown = ious(truth.sum(axis=0))
    each = [
        _known(ious(one.sum(axis=0)) * shown, mine) for one, mine in zip(sums, knows, strict=True)
    ]
    drawn_shown = resampled(truth, resamples, seed)
    drawn = [
        _known(resampled(one, resamples, seed) * drawn_shown, mine)
        for one, mine in zip(sums, knows, strict=True)
    ]
    counted = ~np.isnan(each[0]) & ~np.isnan(each[1])
    holding = (sums[0][:, 1] > 0).sum(axis=0)
    enough = holding >= MIN_PARTS
    return ScoreChanges(
        classes=tuple(
            _change(each[0][i], each[1][i], drawn[1][:, i] - drawn[0][:, i], enough[i])
            for i in range(len(shown))
        ),
        parts=tuple(holding.tolist()),
        miou=_change(
            mean(each[0][counted]),
            mean(each[1][counted]),
            mean(drawn[1][:, counted]) - mean(drawn[0][:, counted]),
            enough[counted].all(),
        ),
        counted=int(counted.sum()),
    )


def _known(values: NDArray[np.float64], knows: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.where(knows, values, np.nan)


def _change(
    before: np.floating[Any] | NDArray[np.float64],
    after: np.floating[Any] | NDArray[np.float64],
    drawn: NDArray[np.float64],
    enough: np.bool_,
) -> Change:
    first, second = _number(before), _number(after)
    if first is None or second is None:
        return Change(first, second)
    return Change(first, second, second - first, interval(drawn), bool(enough))


def _number(value: np.floating[Any] | NDArray[np.float64]) -> float | None:
    return None if np.isnan(value) else float(value)
