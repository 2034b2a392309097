"""The classes of a candidate: those of its parent, renamed, dropped, and new ones beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from segnet_res.checkpoint import Metadata
from segnet_res.classes import MAX_CLASSES, ClassMap, Color, background, default_color
from segnet_res.errors import UsageError
from segnet_res.images import UInt8Array


@dataclass(frozen=True)
class Changes:
    """What retrainings have made of classes whose old names masks may still use.

    Attributes:
        renamed: New name by old name.
        dropped: For each class that was dropped the one that its pixels count as; None: ignored.
    """

    renamed: Mapping[str, str] = field(default_factory=dict)
    dropped: Mapping[str, str | None] = field(default_factory=dict)


def changes_of(metadata: Metadata | None) -> Changes:
    """Return what the retraining that made a checkpoint, and those before it, made of classes."""
    told: Any = {} if metadata is None else metadata.recipe.get("retrained")
    found: dict[str, dict[str, Any]] = {"renamed": {}, "dropped": {}}
    for one in (told.get("earlier"), told) if isinstance(told, dict) else ():
        for key, names in found.items():
            more = one.get(key) if isinstance(one, dict) else None
            names |= more if isinstance(more, dict) else {}
    return Changes(found["renamed"], found["dropped"])


@dataclass(frozen=True)
class Lineup:
    """What becomes of each class.

    Attributes:
        class_map: The classes of the candidate.
        carried: For each of them its label in the parent; None for a new class.
        renamed: New name of a parent's class by its old one; also by those that it had before.
        dropped: For each class that is dropped, or was before, the one that its pixels count as;
            None: they are ignored.
    """

    class_map: ClassMap
    carried: tuple[int | None, ...]
    renamed: Mapping[str, str] = field(default_factory=dict)
    dropped: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def added(self) -> tuple[str, ...]:
        """Names of the classes that the parent does not know."""
        return tuple(
            name
            for name, old in zip(self.class_map.names, self.carried, strict=True)
            if old is None
        )

    def table(self, old: ClassMap) -> UInt8Array:
        """Return the candidate's label of every label of a dataset, (256,) uint8.

        Labels of no class become ``ignore_index``; whoever reads masks refuses them before.
        """
        table = np.full(256, self.class_map.ignore_index, np.uint8)
        for label, name in enumerate(old.names):
            dropped = name in self.dropped
            new = self.dropped[name] if dropped else _named(name, self.renamed, old)
            if new is not None:
                table[label] = self.class_map.index(new)
        return table


def line_up(
    parent: ClassMap,
    datasets: Sequence[ClassMap],
    *,
    renamed: Mapping[str, str] | None = None,
    dropped: Mapping[str, str | None] | None = None,
    earlier: Changes | None = None,
) -> Lineup:
    """Decide which classes a candidate knows.

    All that the parent knows, unless they are dropped, and all that the datasets add. They stand in
    the order of the first dataset where that knows them all, so that it can be scored as it is;
    otherwise in the parent's, new ones behind.

    Args:
        parent: The classes of the parent.
        datasets: Those of the new dataset, then of the old ones.
        renamed: New name by old name of the parent's classes.
        dropped: Classes that are not carried over, each with the class that its pixels count as, or
            None when they shall be ignored.
        earlier: What was made of the classes before, see `changes_of`: masks of that time mean the
            same as ever. A dropped class that the new dataset names is a new one.

    Raises:
        UsageError: when a name is not known, or two classes would get one name.
        DataError: when there are too many classes.

    >>> old = ClassMap.from_names(["sound", "crack", "chip"])
    >>> new = ClassMap.from_names(["sound", "crack", "dent"])
    >>> line = line_up(old, [new], renamed={"crack": "fissure"}, dropped={"chip": None})
    >>> line.class_map.names, line.carried
    (('sound', 'fissure', 'dent'), (0, 1, None))
    """
    renamed, dropped = dict(renamed or {}), dict(dropped or {})
    earlier = Changes() if earlier is None else earlier
    _check(parent, renamed, dropped, earlier)
    _inherit(parent, datasets, renamed, dropped, earlier)
    labels = {
        renamed.get(name, name): label
        for label, name in enumerate(parent.names)
        if name not in dropped
    }
    named = [
        [_named(name, renamed, one) for name in one.names if name not in dropped]
        for one in datasets
    ]
    names = list(dict.fromkeys([*labels, *(name for one in named for name in one)]))
    _check_targets(dropped, names)
    if datasets and set(named[0]) == set(names):
        names = list(dict.fromkeys(named[0]))
    free = [one.ignore_index for one in datasets if one.ignore_index >= len(names)]
    class_map = ClassMap(
        tuple(names),
        _colors(names, parent, datasets, renamed),
        free[0] if free else MAX_CLASSES,
    )
    return Lineup(class_map, tuple(labels.get(name) for name in names), renamed, dropped)


def _named(name: str, renamed: Mapping[str, str], where: ClassMap) -> str:
    """Return what a class of a dataset, which is not dropped, is called in the candidate."""
    new = renamed.get(name, name)
    # A dataset that knows the new name was made after the renaming, and means something else; but
    # not when that name has been given away itself, as in a=b and b=c.
    return name if new in where.names and new not in renamed else new


def _inherit(
    parent: ClassMap,
    datasets: Sequence[ClassMap],
    renamed: dict[str, str],
    dropped: dict[str, str | None],
    earlier: Changes,
) -> None:
    """Add what was made before of classes that the parent knows no more."""
    for old, new in earlier.renamed.items():
        if old in parent.names or old in dropped:
            continue
        if new in dropped:
            dropped[old] = dropped[new]
        elif new in parent.names:
            renamed[old] = renamed.get(new, new)
    newest = datasets[0].names if datasets else ()
    for old, target in earlier.dropped.items():
        if old in parent.names or old in dropped or old in newest:
            continue
        if target is None or target in dropped:
            dropped[old] = None if target is None else dropped[target]
        elif target in parent.names:
            dropped[old] = renamed.get(target, target)


def _check(
    parent: ClassMap,
    renamed: Mapping[str, str],
    dropped: Mapping[str, str | None],
    earlier: Changes,
) -> None:
    known = ", ".join(parent.names)
    for name in [*renamed, *(name for name in dropped if name not in earlier.dropped)]:
        if name not in parent.names:
            raise UsageError(
                f"no class of the parent is called {name!r}; it knows {known}: rename or drop these"
            )
    both = [name for name in renamed if name in dropped]
    if both:
        raise UsageError(f"{both[0]!r} shall be renamed and dropped; choose one")
    for name, new in renamed.items():
        if new in dropped:
            raise UsageError(
                f"{name!r} shall be called {new!r}, which is dropped, so that older masks would be "
                f"ambiguous; choose another name, or count one as the other: --drop {name}={new}"
            )
    left = [renamed.get(name, name) for name in parent.names if name not in dropped]
    twice = [name for name in left if left.count(name) > 1]
    if twice:
        raise UsageError(
            f"two classes of the parent would be called {twice[0]!r}; to count one as the other, "
            f"drop it: --drop OLD={twice[0]}"
        )
    if background(parent) is not None and parent.names[0] in dropped:
        raise UsageError(
            f"{parent.names[0]!r} means nothing to report and cannot be dropped; rename it instead"
        )


def _check_targets(dropped: Mapping[str, str | None], names: Sequence[str]) -> None:
    for name, target in dropped.items():
        if target is not None and target not in names:
            raise UsageError(
                f"{name!r} shall count as {target!r}, which is no class of the candidate; "
                f"choose one of {', '.join(names)}"
            )


def _colors(
    names: Sequence[str],
    parent: ClassMap,
    datasets: Sequence[ClassMap],
    renamed: Mapping[str, str],
) -> tuple[Color, ...]:
    """Return a colour for each name: the newest dataset's, else the parent's; none twice."""
    known: dict[str, Color] = {}
    for one in [*datasets, parent]:
        for name, color in zip(one.names, one.colors, strict=True):
            known.setdefault(name, color)
            known.setdefault(renamed.get(name, name), color)
    chosen: list[Color] = []
    for name in names:
        spare = (default_color(i) for i in range(MAX_CLASSES))
        color = known[name]
        while color in chosen:
            color = next(spare)
        chosen.append(color)
    return tuple(chosen)
