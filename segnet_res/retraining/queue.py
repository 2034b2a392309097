"""Which pictures to annotate first: ranked by how much a label of each would teach.

The score is `FORMULA`, with the terms

- *entropy* and *disagreement* of the least certain pixels, as
  `segnet_res.retraining.queue_measures` has them;
- *newness*, the larger of two: the look, as `segnet_res.retraining.queue_known` compares it, and
  the conditions: 0, 1/2, 3/4, 7/8 ... for 0, 1, 2, 3 ... measures (brightness, sharpness and so on)
  that are not as in the training pictures.

Near-copies of pictures that are known, or stand higher in the list, teach nothing new: they are
skipped, and named.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segnet_res.conditions import judge_conditions
from segnet_res.data.lookalike import Look, lookalikes
from segnet_res.errors import ImageError
from segnet_res.inference import Segmenter
from segnet_res.inference.identity import identity_of, settings_of
from segnet_res.inference.sources import Found
from segnet_res.retraining.queue_cache import QueueCache
from segnet_res.retraining.queue_known import Known, appearance
from segnet_res.retraining.queue_measures import SHARE, Doubt, Photograph, doubt_about

WEIGHTS: Mapping[str, float] = {"entropy": 0.4, "disagreement": 0.4, "newness": 0.2}
FORMULA = "score = " + " + ".join(f"{weight:g} {term}" for term, weight in WEIGHTS.items())

# Disagreement is given as a reason where it makes up so much of the score.
_TELLING = 0.5


@dataclass(frozen=True)
class Measured:
    """A picture with all that its place depends on.

    Attributes:
        name: What people call it.
        path: The file.
        sha256: Of the file.
        doubt: What the model does not know about it.
        strangeness: How unlike the known pictures it looks, 0 to 1.
        unusual: Sentences about the conditions that are not as in the training pictures.
        look: For near-copies.
    """

    name: str
    path: Path
    sha256: str
    doubt: Doubt
    strangeness: float
    unusual: tuple[str, ...]
    look: Look

    @property
    def newness(self) -> float:
        """How new it is, by look or conditions, 0 to 1."""
        return max(1 - 0.5 ** len(self.unusual), self.strangeness)

    @property
    def terms(self) -> dict[str, float]:
        """The terms of the score by name, each 0 to 1."""
        return {
            "entropy": self.doubt.entropy,
            "disagreement": self.doubt.disagreement,
            "newness": self.newness,
        }

    @property
    def score(self) -> float:
        """How much a label would teach, 0 to 1."""
        return round(sum(WEIGHTS[term] * value for term, value in self.terms.items()), 4)

    def reasons(self) -> list[str]:
        """Say in words what speaks for it."""
        found = []
        if self.doubt.between is not None:
            found.append("unsure between {} and {}".format(*self.doubt.between))
        if WEIGHTS["disagreement"] * self.doubt.disagreement > _TELLING * self.score:
            found.append("answers otherwise when mirrored")
        if self.strangeness:
            found.append("looks unlike the known pictures")
        return [*found, *self.unusual]


@dataclass(frozen=True)
class Failed:
    """A picture that cannot be ranked.

    Attributes:
        name: What people call it.
        path: The file.
        error: Why.
    """

    name: str
    path: Path
    error: str


@dataclass(frozen=True)
class Skipped:
    """A picture that is a near-copy.

    Attributes:
        picture: The picture.
        like: What the other one is called.
        known: Whether the other one is a known picture; else it stands higher in the list.
    """

    picture: Measured
    like: str
    known: bool

    def __str__(self) -> str:
        """Say why."""
        where = "which is in the dataset" if self.known else "which stands higher"
        return f"looks like {self.like}, {where}"


@dataclass(frozen=True)
class Queue:
    """The pictures in the order in which to annotate them.

    Attributes:
        rows: The most useful first.
        skipped: Near-copies, in the same order.
        failed: Pictures that cannot be ranked.
    """

    rows: tuple[Measured, ...]
    skipped: tuple[Skipped, ...]
    failed: tuple[Failed, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists and numbers for JSON."""
        return {
            "formula": FORMULA,
            "pictures": [
                {"rank": rank, "path": str(row.path)} | _told(row) | {"reasons": row.reasons()}
                for rank, row in enumerate(self.rows, start=1)
            ],
            "skipped": [
                {"path": str(one.picture.path)} | _told(one.picture) | {"reason": str(one)}
                for one in self.skipped
            ],
            "failed": [{"path": str(one.path), "error": one.error} for one in self.failed],
        }


class Ranking:
    """Measures one picture after the other, and puts them in order at the end.

    Args:
        segmenter: The model.
        known: The pictures that are known.
        cache: Where to look up and keep what was measured; None for nowhere.
        weights: SHA-256 of the file that the model was opened from, taken then: another one may
            have its place by now. None for a model without a file.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        known: Known,
        cache: QueueCache | None = None,
        *,
        weights: str | None = None,
    ) -> None:
        self._segmenter = segmenter
        self._known = known
        self._cache = cache
        self._measured: list[Measured] = []
        self._failed: list[Failed] = []
        settings = settings_of(segmenter, None, threshold=0.0, min_region=0)
        if weights is None:
            weights = identity_of(segmenter, None)["sha256"]
        content = {"model": weights, "share": SHARE} | settings
        text = json.dumps(content, sort_keys=True)
        self._settings = hashlib.sha256(text.encode()).hexdigest()

    def add(self, name: str, path: Path) -> Measured | Failed:
        """Measure one picture; what is wrong with it is kept, too.

        Raises:
            DeviceError: when memory runs out.
            CheckpointError: when the model's output cannot be used.
        """
        try:
            measured = self._measure(name, path)
        except ImageError as error:
            failed = Failed(name, path, str(error))
            self._failed.append(failed)
            return failed
        self._measured.append(measured)
        return measured

    def result(self) -> Queue:
        """Put what was measured so far in order, and leave near-copies out."""
        order = sorted(self._measured, key=lambda one: (-one.score, one.name))
        likes = _nearest_copies(self._known, order)
        rows, skipped = [], []
        for one, like in zip(order, likes, strict=True):
            if like is None:
                rows.append(one)
            else:
                skipped.append(Skipped(one, *like))
        return Queue(tuple(rows), tuple(skipped), tuple(self._failed))

    def _measure(self, name: str, path: Path) -> Measured:
        channels = self._segmenter.channels
        photo = Photograph(path, channels)
        seen = appearance(photo, channels, self._cache)
        conditions = self._known.conditions
        unusual = () if conditions is None else tuple(judge_conditions(seen.conditions, conditions))
        strange = self._known.newness(seen.look) or 0.0
        doubt = self._doubt(photo)
        return Measured(name, path, photo.sha256, doubt, strange, unusual, seen.look)

    def _doubt(self, photo: Photograph) -> Doubt:
        key = f"{photo.sha256} {self._settings}"
        doubt = None if self._cache is None else self._cache.find_doubt(key)
        if doubt is None:
            doubt = doubt_about(self._segmenter, photo.array)
            if self._cache is not None:
                self._cache.keep_doubt(key, doubt)
        return doubt


def rank(
    segmenter: Segmenter,
    pictures: Iterable[Found],
    known: Known,
    cache: QueueCache | None = None,
    *,
    weights: str | None = None,
) -> Generator[Measured | Failed, None, Queue]:
    """Rank pictures; yields each as it is measured, its value is the order.

    Arguments and errors are those of `Ranking`.
    """
    ranking = Ranking(segmenter, known, cache, weights=weights)
    for found in pictures:
        yield ranking.add(found.name, found.path)
    return ranking.result()


def _nearest_copies(known: Known, order: Sequence[Measured]) -> list[tuple[str, bool] | None]:
    """Return for each picture what it is a near-copy of, and whether that is known; or None."""
    first = len(known.looks)
    looks = [*known.looks, *(one.look for one in order)]
    # Known pictures are not compared with each other.
    places = [0] * first + list(range(1, len(order) + 1))
    alike: dict[int, list[int]] = {}
    for pair in lookalikes(looks, places):
        # The first of a pair is known, or stands higher.
        alike.setdefault(pair.second, []).append(pair.first)
    homes = {digest: place for place, digest in reversed(list(enumerate(known.digests)))}
    names = [*known.names, *(one.name for one in order)]
    left_out: set[int] = set()
    found: list[tuple[str, bool] | None] = []
    for place, one in enumerate(order, start=first):
        same = [homes[one.sha256]] if one.sha256 in homes else []
        likes = [other for other in same + sorted(alike.get(place, [])) if other not in left_out]
        if likes:
            left_out.add(place)
            found.append((names[likes[0]], likes[0] < first))
        else:
            homes[one.sha256] = place
            found.append(None)
    return found


def _told(one: Measured) -> dict[str, Any]:
    doubt = one.doubt
    return {
        "name": one.name,
        "sha256": one.sha256,
        "score": one.score,
        "terms": one.terms,
        "between": None if doubt.between is None else list(doubt.between),
        "place": list(doubt.place),
    }
