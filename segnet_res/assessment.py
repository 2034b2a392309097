"""How far the scores of a split can be trusted: intervals, parts, overkill and escape.

Scores of a few dozen pictures would be others on the next few dozen. The interval says how much:
95 % of the scores of 2,000 splits drawn anew from the parts, each with all its pictures, lie within
it (cluster bootstrap; Efron and Tibshirani, 1993, chapter 8): a dozen photographs of one part tell
less than a dozen parts. Where it is wide, or where a class was seen on a handful of parts only,
`enough` is False: too few to tell.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnet_res.bootstrap import Interval, interval, ious, margins, mean, resampled, summed
from segnet_res.classes import ClassMap, background

# Were the parts drawn anew, all k that show a class would be missing with a chance of about e^-k:
# less than one in a hundred from five on. With fewer, the interval itself cannot be trusted.
MIN_PARTS = 5
# Ten points to each side; who compares two checkpoints wants to see less than that.
MAX_WIDTH = 0.2

# A picture is called defective when this many pixels are: a speck of fewer is noise.
SMALLEST = 25
# Splits drawn for the intervals: fifty of them lie beyond each end.
RESAMPLES = 2000

# Quantile of the normal distribution that leaves 2.5 % above.
_Z = 1.959964


@dataclass(frozen=True)
class Rate:
    """So many of so many.

    Attributes:
        count: How often it happened.
        of: How often it could have.
    """

    count: int
    of: int

    @property
    def value(self) -> float | None:
        """The share, 0 to 1; None where it could not happen."""
        return self.count / self.of if self.of else None

    @property
    def interval(self) -> Interval | None:
        """The 95 % interval of Wilson (1927), which holds for 0 of n too; None where ``of`` is 0.

        >>> [round(limit, 3) for limit in Rate(0, 20).interval]
        [0.0, 0.161]
        """
        if not self.of:
            return None
        share, weight = self.count / self.of, _Z**2 / self.of
        middle = share + weight / 2
        spread = math.sqrt(weight * (share * (1 - share) + weight / 4))
        low, high = (middle - spread) / (1 + weight), (middle + spread) / (1 + weight)
        # Rounding alone would leave a trace beside 0 and 1.
        return (
            0.0 if self.count == 0 else max(0.0, low),
            1.0 if self.count == self.of else min(1.0, high),
        )

    @property
    def enough(self) -> bool:
        """Whether the interval is at most `MAX_WIDTH` wide."""
        interval = self.interval
        return interval is not None and interval[1] - interval[0] <= MAX_WIDTH

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists and numbers for JSON."""
        return {
            "count": self.count,
            "of": self.of,
            "value": self.value,
            "interval": None if self.interval is None else list(self.interval),
            "enough": self.enough,
        }


@dataclass(frozen=True)
class ClassAssessment:
    """One class over all pictures.

    Attributes:
        name: The class.
        iou: 0 to 1; None where the class occurs in neither truth nor prediction.
        interval: 95 % interval of the IoU; None where there is no IoU.
        pictures: Pictures with the class in their truth.
        parts: Parts with the class in the truth of a picture.
        pixels: Pixels of the class in the truth.
        enough: Whether there is enough to tell: the class on at least `MIN_PARTS` parts, and an
            interval at most `MAX_WIDTH` wide.
    """

    name: str
    iou: float | None
    interval: Interval | None
    pictures: int
    parts: int
    pixels: int
    enough: bool


@dataclass(frozen=True)
class Assessment:
    """What a split tells about a model, and what it does not.

    A picture is defective when its truth holds a pixel of a defect, and called defective when the
    prediction holds at least ``smallest``; a part when one of its pictures is. Overkill is the
    share of the sound that are called defective, escape the share of the defective that are not.
    Class maps without a background know no sound parts: those rates are 0 of 0. Pictures without a
    labelled pixel are in neither.

    Attributes:
        pictures: Number of pictures.
        parts: Number of parts.
        miou: Mean IoU over the classes that occur; None when none does.
        interval: 95 % interval of the mIoU.
        enough: Whether all classes in the mean have enough.
        classes: One for each class, in the order of the labels.
        overkill: By pictures.
        escape: By pictures.
        part_overkill: By parts.
        part_escape: By parts.
        smallest: Pixels from which a prediction calls a picture defective.
        resamples: Number of splits drawn for the intervals.
    """

    pictures: int
    parts: int
    miou: float | None
    interval: Interval | None
    enough: bool
    classes: tuple[ClassAssessment, ...]
    overkill: Rate
    escape: Rate
    part_overkill: Rate
    part_escape: Rate
    smallest: int
    resamples: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists, texts and numbers for JSON."""
        return {
            "pictures": self.pictures,
            "parts": self.parts,
            "miou": self.miou,
            "interval": _listed(self.interval),
            "enough": self.enough,
            "classes": [
                {
                    "name": score.name,
                    "iou": score.iou,
                    "interval": _listed(score.interval),
                    "pictures": score.pictures,
                    "parts": score.parts,
                    "pixels": score.pixels,
                    "enough": score.enough,
                }
                for score in self.classes
            ],
            "overkill": {
                "pictures": self.overkill.to_dict(),
                "parts": self.part_overkill.to_dict(),
            },
            "escape": {"pictures": self.escape.to_dict(), "parts": self.part_escape.to_dict()},
            "smallest": self.smallest,
            "resamples": self.resamples,
        }


def assess(
    counts: NDArray[np.int64],
    groups: Sequence[str],
    class_map: ClassMap,
    *,
    smallest: int = SMALLEST,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Assessment:
    """Assess a model from the confusion matrices of single pictures.

    Intervals come from drawing parts. Those that a class was not seen on cannot be drawn: with few
    of them the truth may lie further off, which is why `ClassAssessment.enough` asks for parts.

    Args:
        counts: (pictures, C, C) pixels, row = truth, column = prediction; at least one picture.
        groups: The part of each picture.
        class_map: Names the classes.
        smallest: Pixels from which a prediction calls a picture defective; fewer are noise.
        resamples: Number of splits to draw, at least 1.
        seed: Chooses them; the same seed gives the same intervals.

    Raises:
        ValueError: when there are no pictures, or shapes or numbers do not fit.
    """
    _check(counts, groups, class_map, smallest, resamples)
    parts = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True)[1].ravel()
    sums = margins(counts)
    each = ious(sums.sum(axis=0))
    drawn = resampled(summed(sums, parts), resamples, seed)
    present = sums[:, 1] > 0  # (pictures, C)
    classes = []
    for i, name in enumerate(class_map.names):
        iou, spread = _number(each[i]), interval(drawn[:, i])
        holding = len(np.unique(parts[present[:, i]]))
        classes.append(
            ClassAssessment(
                name=name,
                iou=iou,
                interval=None if iou is None else spread,
                pictures=int(present[:, i].sum()),
                parts=holding,
                pixels=int(sums[:, 1, i].sum()),
                enough=iou is not None and holding >= MIN_PARTS and _narrow(spread),
            )
        )
    seen = [score for score in classes if score.iou is not None]
    defective, called = defective_pictures(sums, background(class_map), smallest)
    bad_parts, called_parts = _by_part(defective, parts), _by_part(called, parts)
    # What nobody has labelled is neither sound nor defective.
    labelled = sums[:, 1].sum(axis=1) > 0
    if background(class_map) is None:
        labelled = np.zeros_like(labelled)
    labelled_parts = _by_part(labelled, parts)
    return Assessment(
        pictures=len(counts),
        parts=int(parts.max()) + 1,
        miou=_number(mean(each)),
        interval=interval(mean(drawn)),
        enough=bool(seen) and all(score.enough for score in seen),
        classes=tuple(classes),
        overkill=_rate(called, ~defective & labelled),
        escape=_rate(~called, defective),
        part_overkill=_rate(called_parts, ~bad_parts & labelled_parts),
        part_escape=_rate(~called_parts, bad_parts),
        smallest=smallest,
        resamples=resamples,
    )


def _check(
    counts: NDArray[np.int64],
    groups: Sequence[str],
    class_map: ClassMap,
    smallest: int,
    resamples: int,
) -> None:
    n = len(class_map)
    if counts.ndim != 3 or counts.shape[1:] != (n, n) or not len(counts):
        raise ValueError(
            f"counts are {counts.shape}, give (pictures, {n}, {n}) of a picture or more"
        )
    if len(groups) != len(counts):
        raise ValueError(f"{len(groups)} groups for {len(counts)} pictures, give one each")
    if smallest < 1 or resamples < 1:
        raise ValueError(f"smallest is {smallest}, resamples {resamples}; give at least 1")


def _narrow(spread: Interval | None) -> bool:
    return spread is not None and spread[1] - spread[0] <= MAX_WIDTH


def defective_pictures(
    sums: NDArray[np.int64], sound: int | None, smallest: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tell which pictures are defective, and which are called so, (pictures,) bool each.

    Args:
        sums: (pictures, 3, C), see `segnet_res.bootstrap.margins`.
        sound: The label of the background; None: then no picture is either.
        smallest: Pixels from which a prediction calls a picture defective.
    """
    if sound is None:
        nothing = np.zeros(len(sums), np.bool_)
        return nothing, nothing
    _, actual, predicted = np.moveaxis(np.delete(sums, sound, axis=2).sum(axis=2), 1, 0)
    return actual > 0, predicted >= smallest


def _by_part(pictures: NDArray[np.bool_], parts: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Tell for each part whether any of its pictures is marked."""
    marked = np.zeros(int(parts.max()) + 1, np.bool_)
    marked[parts[pictures]] = True
    return marked


def _rate(happened: NDArray[np.bool_], possible: NDArray[np.bool_]) -> Rate:
    return Rate(int((happened & possible).sum()), int(possible.sum()))


def _number(value: np.floating | NDArray[np.float64]) -> float | None:
    return None if np.isnan(value) else float(value)


def _listed(spread: Interval | None) -> list[float] | None:
    return None if spread is None else list(spread)
