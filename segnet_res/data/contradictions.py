"""Pictures that look alike and whose masks say different things.

On the magnetic tiles, 2,401 pairs of photographs look alike; 629 of them show a defect by at least
one mask. The agreement of those masks is 0.99 and more for three quarters of them, and for all but
10 % at least 0.41. The 57 below the limit are tiles that one mask calls broken and another sound,
and two that lie turned.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from segnet_res.classes import ClassMap, background
from segnet_res.data.lookalike import Look, lookalikes
from segnet_res.images import UInt8Array

# Masks of one part that agree less than this cannot both be right.
LEAST_AGREEMENT = 0.3
# Without a background most pixels agree by chance.
LEAST_EQUAL = 0.5

# Drawings of one defect in two photographs may lie this share of the longer side apart.
_TOLERANCE = 0.03

# Masks in memory at a time; pairs come in the order of their first picture.
_MASKS = 32


def contradictions(
    stems: Sequence[str],
    looks: Mapping[str, Look],
    counts: Mapping[str, NDArray[np.int64]],
    read: Callable[[str], UInt8Array],
    class_map: ClassMap,
) -> list[tuple[list[str], float]]:
    """Find groups of pictures that look alike and whose masks contradict each other.

    Args:
        stems: The pictures to compare.
        looks: What `look` gave for each.
        counts: (C,) int64 labelled pixels of each.
        read: Gives the labels (H, W) uint8 of a picture.
        class_map: What the labels mean.

    Returns:
        The stems of each group, sorted, with the least agreement in it, 0 to 1.
    """
    read = lru_cache(maxsize=_MASKS)(read)
    base = background(class_map)
    limit = LEAST_EQUAL if base is None else LEAST_AGREEMENT
    groups: dict[str, set[str]] = {}
    worst: dict[str, float] = {}
    for pair in lookalikes([looks[stem] for stem in stems], range(len(stems))):
        first, second = stems[pair.first], stems[pair.second]
        if base is not None and not any(_defects(counts[stem], base) for stem in (first, second)):
            continue
        value = agreement(read(first), read(second), class_map)
        if value is not None and value < limit:
            joined = groups.get(first, {first}) | groups.get(second, {second})
            for stem in joined:
                groups[stem] = joined
                worst[stem] = min(value, worst.get(stem, 1.0))
    return [
        (sorted(group), min(worst[stem] for stem in group))
        for group in sorted({frozenset(group) for group in groups.values()}, key=min)
    ]


def _defects(counts: NDArray[np.int64], base: int) -> int:
    return int(counts.sum() - counts[base])


def agreement(first: UInt8Array, second: UInt8Array, class_map: ClassMap) -> float | None:
    """Return how much two masks of one part agree, 0 to 1; None where nothing can be compared.

    With a background: the share of the pixels of other classes that lie on or near pixels of the
    same class in the other mask. Without one: the share of equal pixels. What either mask ignores
    does not count. The second mask is brought to the size of the first.

    >>> classes = ClassMap.from_names(["sound", "dent"])
    >>> one, other = np.zeros((2, 40, 40), np.uint8)
    >>> one[10:20, 10:20], other[11:21, 10:20] = 1, 1
    >>> agreement(one, other, classes)
    1.0
    >>> agreement(one, np.zeros_like(one), classes)
    0.0
    """
    if first.shape != second.shape:
        second = np.asarray(
            cv2.resize(second, first.shape[::-1], interpolation=cv2.INTER_NEAREST), np.uint8
        )
    judged = (first != class_map.ignore_index) & (second != class_map.ignore_index)
    base = background(class_map)
    if base is None:
        return float((first == second)[judged].mean()) if judged.any() else None
    reach = 2 * max(1, round(_TOLERANCE * max(first.shape))) + 1
    kernel = np.ones((reach, reach), np.uint8)
    agreeing = total = 0
    for label in range(len(class_map)):
        if label == base:
            continue
        parts = [(labels == label) & judged for labels in (first, second)]
        near = [cv2.dilate(part.astype(np.uint8), kernel) > 0 for part in parts]
        agreeing += int((parts[0] & near[1]).sum() + (parts[1] & near[0]).sum())
        total += int(parts[0].sum() + parts[1].sum())
    return agreeing / total if total else None


def said(counts: NDArray[np.int64], class_map: ClassMap) -> str:
    """Return the classes of a mask for people, the background left out.

    >>> said(np.array([90, 10]), ClassMap.from_names(["sound", "dent"]))
    'dent'
    """
    base = background(class_map)
    names = _present(counts, class_map, base)
    return " and ".join(names) or (class_map.names[base] if base is not None else "nothing")


def _present(counts: NDArray[np.int64], class_map: ClassMap, base: int | None) -> Iterable[str]:
    return [name for i, name in enumerate(class_map.names) if counts[i] and i != base]
