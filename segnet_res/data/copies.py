"""Pictures that are there twice: in two splits, or with masks that contradict each other."""

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segnet_res.classes import ClassMap
from segnet_res.data.contradictions import agreement, contradictions, said
from segnet_res.data.dataset import SPLITS
from segnet_res.data.lookalike import Look, lookalikes
from segnet_res.data.problem import Problem
from segnet_res.images import UInt8Array

# Masks of the very same picture that agree less than this are no two drawings of one thing.
_SAME_PICTURE = 0.9


@dataclass(frozen=True)
class Alike:
    """What is known of all pictures, by stem.

    Attributes:
        pictures: Their files, relative to the dataset folder.
        homes: Their splits; pictures in no split are missing.
        looks: What `look` gave; unreadable ones are missing.
        digests: A hash of their pixels; unreadable ones are missing.
        counts: (C,) int64 labelled pixels; pictures without a usable mask are missing.
    """

    pictures: Mapping[str, str]
    homes: Mapping[str, str]
    looks: Mapping[str, Look]
    digests: Mapping[str, str]
    counts: Mapping[str, NDArray[np.int64]]

    def equal(self, known: Container[str]) -> Iterator[tuple[str, str]]:
        """Yield pairs of stems whose pictures are the same to the pixel.

        One of each set is in all its pairs: one of ``known`` where there is any, because a pair
        with another one tells nothing about two that are known.
        """
        by_digest: dict[str, list[str]] = {}
        for stem, digest in self.digests.items():
            by_digest.setdefault(digest, []).append(stem)
        for stems in by_digest.values():
            first, *others = sorted(stems, key=lambda stem: stem not in known)
            for other in others:
                yield first, other


def copy_problems(seen: Alike) -> Iterator[Problem]:
    """Yield equal pictures anywhere and pictures that look alike in different splits."""
    homes = seen.homes
    for first, other in seen.equal(homes):
        apart = {homes.get(first), homes.get(other)}
        leak = len(apart) == 2 and None not in apart
        names = [seen.pictures[stem] for stem in (first, other)]
        where = f" ({homes[first]} and {homes[other]})" if leak else ""
        yield Problem(
            "duplicate" if leak else "note",
            names[0],
            f"{names[0]} and {names[1]}{where}: show the very same pixels; "
            + ("keep one, or put both into one split" if leak else "one of them is enough"),
        )
    stems = [stem for stem in seen.looks if stem in homes]
    parts = [SPLITS.index(homes[stem]) for stem in stems]
    for pair in lookalikes([seen.looks[stem] for stem in stems], parts):
        first, second = stems[pair.first], stems[pair.second]
        if seen.digests[first] != seen.digests[second]:
            name, other = seen.pictures[first], seen.pictures[second]
            yield Problem(
                "duplicate",
                name,
                f"{name} ({homes[first]}) and {other} ({homes[second]}): look like one picture "
                f"or one part (correlation {pair.correlation:.2f}); put both into one split",
            )


def mask_problems(
    seen: Alike, class_map: ClassMap, read: Callable[[str], UInt8Array]
) -> Iterator[Problem]:
    """Yield pictures that are equal or look alike and whose masks contradict each other.

    For equal pictures that is a problem, for others a note: parts in a fixture look alike.
    """
    told = set()
    for first, other in seen.equal(seen.counts):
        if first not in seen.counts or other not in seen.counts:
            continue
        value = agreement(read(first), read(other), class_map)
        if value is not None and value < _SAME_PICTURE:
            told.add(frozenset((first, other)))
            names = [_named(seen, stem, class_map) for stem in (first, other)]
            yield Problem(
                "contradiction",
                seen.pictures[first],
                f"{names[0]} and {names[1]}: show the very same pixels, and their masks agree by "
                f"{value:.0%}; keep the picture whose mask is right",
            )
    stems = [stem for stem in seen.looks if stem in seen.counts]
    for group, value in contradictions(stems, seen.looks, seen.counts, read, class_map):
        if frozenset(group) in told:
            continue
        named = _by_class(seen, group, class_map)
        yield Problem(
            "note",
            seen.pictures[group[0]],
            f"{named}: look like one part and their masks contradict each other (least "
            f"agreement {value:.0%}); look at them side by side and correct the wrong masks",
        )


def _named(seen: Alike, stem: str, class_map: ClassMap) -> str:
    return f"{seen.pictures[stem]} ({said(seen.counts[stem], class_map)})"


def _by_class(seen: Alike, group: Sequence[str], class_map: ClassMap) -> str:
    """Name a picture for each thing that the masks of a group say; two where all say the same."""
    sayings: dict[str, list[str]] = {}
    for stem in group:
        sayings.setdefault(said(seen.counts[stem], class_map), []).append(seen.pictures[stem])
    shown = 2 if len(sayings) == 1 else 1
    return ", ".join(
        f"{' and '.join(paths[:shown])} ({saying}"
        + (f"; {len(paths) - shown} more)" if len(paths) > shown else ")")
        for saying, paths in sayings.items()
    )
