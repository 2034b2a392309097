"""The classes of two checkpoints and of the masks they are compared on, in one class map."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segnet_res.checkpoint import Metadata
from segnet_res.classes import ClassMap, background
from segnet_res.errors import DataError
from segnet_res.images import UInt8Array
from segnet_res.retraining.lineup import changes_of


@dataclass(frozen=True)
class Matched:
    """Classes matched by name.

    Attributes:
        class_map: Those of the masks in their order, then those that only a checkpoint knows.
        parent_knows: (C,) bool, which of them the parent can answer.
        candidate_knows: (C,) bool, likewise.
        truth: (256,) uint8, the label here of every label of a mask; ignored stays ignored.
        parent: (256,) uint8, of every label of the parent.
        candidate: (256,) uint8, of every label of the candidate.
    """

    class_map: ClassMap
    parent_knows: NDArray[np.bool_]
    candidate_knows: NDArray[np.bool_]
    truth: UInt8Array
    parent: UInt8Array
    candidate: UInt8Array


def match_classes(
    masks: ClassMap,
    parent: ClassMap,
    candidate: ClassMap,
    renamed: Mapping[str, str] | None = None,
    merged: Mapping[str, str] | None = None,
) -> Matched:
    """Match the classes of masks, parent and candidate by name.

    Labels that mean "nothing to report" are one class, whatever they are called.

    Args:
        masks: The classes of the masks.
        parent: The classes of the parent.
        candidate: The classes of the candidate.
        renamed: New name in the candidate of an older class. Masks and parents that know the new
            name themselves mean another class by the old one.
        merged: The class of the candidate that an older class counts as by now, in masks too;
            never the background: defects do not vanish from the truth because a checkpoint is not
            to report them.

    Raises:
        DataError: when a checkpoint knows no class of the masks beside the background, or all
            together are more than a mask can hold.

    >>> matched = match_classes(
    ...     ClassMap.from_names(["sound", "crack"]),
    ...     ClassMap.from_names(["background", "crack"]),
    ...     ClassMap.from_names(["sound", "dent", "fissure"]),
    ...     {"crack": "fissure"},
    ... )
    >>> matched.class_map.names, matched.candidate[:3].tolist()
    (('sound', 'fissure', 'dent'), [0, 2, 1])
    >>> matched.parent_knows.tolist()
    [True, True, False]
    """
    renamed = _heeded(renamed, candidate)
    merged = _heeded(merged, candidate)
    sound = None if background(masks) is None else masks.names[0]
    called = [_called(one, renamed, merged, sound) for one in (masks, parent, candidate)]
    names = list(dict.fromkeys(name for one in called for name in one))
    colors = {
        name: color
        for one, known in zip(
            (parent, candidate, masks), (called[1], called[2], called[0]), strict=True
        )
        for name, color in zip(known, one.colors, strict=True)
    }
    class_map = ClassMap(tuple(names), tuple(colors[name] for name in names))
    known = [np.array([name in one for name in names]) for one in called]
    for what, mine in (("parent", known[1]), ("candidate", known[2])):
        if not (mine & known[0])[0 if sound is None else 1 :].any():
            raise DataError(
                f"the {what} knows no class of the masks ({', '.join(masks.names)}); compare on "
                "masks of its classes"
            )
    tables = [
        _table(class_map, one, mine)
        for one, mine in zip(called, (masks, parent, candidate), strict=True)
    ]
    return Matched(class_map, known[1], known[2], *tables)


def renamings(metadata: Metadata | None) -> tuple[dict[str, str], dict[str, str]]:
    """Return which classes retrainings renamed, and which they dropped to count as others.

    A class that was dropped for good is in neither, so that its defects count as missed.
    """
    changes = changes_of(metadata)
    merged = {old: new for old, new in changes.dropped.items() if new is not None}
    return dict(changes.renamed), merged


def _heeded(names: Mapping[str, str] | None, candidate: ClassMap) -> dict[str, str]:
    """Return the pairs whose new name the candidate knows, as a defect, and not the old one."""
    sound = background(candidate)
    return {
        old: new
        for old, new in (names or {}).items()
        if new in candidate.names and old not in candidate.names and candidate.index(new) != sound
    }


def _called(
    one: ClassMap, renamed: Mapping[str, str], merged: Mapping[str, str], sound: str | None
) -> list[str]:
    """Return the common names of the classes of one map."""
    names = [merged.get(name, _renamed(name, renamed, one)) for name in one.names]
    if sound is not None and (background(one) is not None or names[0] == renamed.get(sound)):
        names[0] = sound
    return names


def _renamed(name: str, renamed: Mapping[str, str], one: ClassMap) -> str:
    new = renamed.get(name, name)
    return name if new in one.names and new not in renamed else new


def _table(class_map: ClassMap, called: list[str], one: ClassMap) -> UInt8Array:
    table = np.full(256, class_map.ignore_index, np.uint8)
    table[: len(one)] = [class_map.index(name) for name in called]
    return table
