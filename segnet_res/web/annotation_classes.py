"""The classes that a mask is corrected in: the dataset's, then what else is at hand, by name."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segnet_res.classes import (
    MAX_CLASSES,
    ClassMap,
    Color,
    background,
    default_color,
    format_color,
    parse_color,
)
from segnet_res.data.dataset import load_info
from segnet_res.data.names import same_name
from segnet_res.errors import DataError, UsageError
from segnet_res.images import UInt8Array
from segnet_res.retraining.corrections import add_class
from segnet_res.web.batch_names import shown_name

# The label of pixels that nobody can judge, in every mask that travels between page and browser.
# Datasets may have another one.
IGNORE = 255

# Beyond it a name is no name, and the columns of the page burst.
_LONGEST_NAME = 100


@dataclass(frozen=True)
class EditorClasses:
    """The classes that the editor offers; labels are their places, and `IGNORE`.

    Attributes:
        names: One for each class.
        colors: One for each class.
        own: How many of them the dataset has; the others join it when a mask that shows them is
            saved.
    """

    names: tuple[str, ...]
    colors: tuple[Color, ...]
    own: int

    @classmethod
    def gather(cls, *maps: ClassMap) -> "EditorClasses":
        """Take the classes of the first map, then those of the others that it lacks.

        Labels that mean "nothing to report" are one class, whatever they are called, and so are
        names that differ in capitals and separators alone.

        Raises:
            DataError: when they are more than a mask can hold.

        >>> dataset, model = (
        ...     ClassMap.from_names(["sound", "dent"]),
        ...     ClassMap.from_names(["background", "crack"]),
        ... )
        >>> both = EditorClasses.gather(dataset, model)
        >>> both.names, both.own
        (('sound', 'dent', 'crack'), 2)
        """
        names, colors = list(maps[0].names), list(maps[0].colors)
        empty = background(maps[0])
        for other in maps[1:]:
            nothing = background(other) if empty is not None else None
            for i, name in enumerate(other.names):
                if same_name(name, names) is None and i != nothing:
                    names.append(name)
                    colors.append(free_color(other.colors[i], colors))
        if len(names) > MAX_CLASSES:
            raise DataError(
                f"dataset and checkpoint have {len(names)} classes together, a mask holds "
                f"{MAX_CLASSES}; choose a checkpoint that was trained for these classes"
            )
        return cls(tuple(names), tuple(colors), len(maps[0]))

    @property
    def background(self) -> int | None:
        """The label that means "nothing to report", or None."""
        return background(ClassMap(self.names, self.colors, IGNORE))

    def take(self, labels: UInt8Array, names: Sequence[str], ignore: int) -> UInt8Array:
        """Return labels of other classes as labels of these.

        Args:
            labels: (H, W) uint8.
            names: What they stand for; those that are not among these classes become `IGNORE`.
            ignore: Their label for what counts nowhere.
        """
        table = np.full(256, IGNORE, np.uint8)
        for label, name in enumerate(names):
            table[label] = self._label(name, first=label == 0, names=names)
        table[ignore] = IGNORE
        return np.asarray(table[labels], np.uint8)

    def rows(self) -> list[dict[str, object]]:
        """Return what the page shows of each class, as plain texts and numbers."""
        return [
            {"index": i, "name": name, "color": format_color(color), "own": i < self.own}
            for i, (name, color) in enumerate(zip(self.names, self.colors, strict=True))
        ]

    def _label(self, name: str, *, first: bool, names: Sequence[str]) -> int:
        known = same_name(name, self.names)
        if known is not None:
            return self.names.index(known)
        nothing = first and background(ClassMap.from_names(list(names))) == 0
        return 0 if nothing and self.background == 0 else IGNORE


def into_dataset(
    labels: UInt8Array, names: Sequence[str], colors: Sequence[Color], root: Path
) -> UInt8Array:
    """Return a mask in the classes of a dataset; classes that it shows and lacks are added there.

    Args:
        labels: (H, W) uint8, places in ``names`` or `IGNORE`.
        names: What the labels stand for.
        colors: One for each name, for those that are added.
        root: The dataset's folder; its ``dataset.yaml`` may get more classes.

    Returns:
        (H, W) uint8, labels of the dataset.

    Raises:
        DataError: when the dataset cannot be used, or has no room for another class.
        StorageError: when its file cannot be written.
    """
    class_map = load_info(root).class_map
    shown = [int(label) for label in np.flatnonzero(np.bincount(labels.ravel(), minlength=256))]
    editor = EditorClasses(tuple(names), tuple(colors), len(names))
    for label in shown:
        if label == IGNORE or _in(class_map, editor, label) is not None:
            continue
        class_map = add_class(root, names[label], colors[label])
    table = np.full(256, class_map.ignore_index, np.uint8)
    for label in shown:
        found = None if label == IGNORE else _in(class_map, editor, label)
        if found is not None:
            table[label] = found
    return np.asarray(table[labels], np.uint8)


def named_classes(content: object) -> tuple[tuple[str, ...], tuple[Color, ...]]:
    """Return names and colours that a browser sent, ``[{"name", "color"}, ...]``.

    Raises:
        UsageError: when it is no such list.
        DataError: when a name cannot be one, or is there twice.
    """
    rows = content if isinstance(content, list) else []
    if not 0 < len(rows) <= MAX_CLASSES or not all(isinstance(row, dict) for row in rows):
        raise UsageError("the page sent no list of classes; reload it")
    names = tuple(class_name(row.get("name")) for row in rows)
    # What the class map itself refuses, such as a name that is there twice, has its sentence there.
    class_map = ClassMap.from_names(names)
    colors = tuple(
        parse_color(row["color"]) if "color" in row else class_map.colors[i]
        for i, row in enumerate(rows)
    )
    return names, colors


def class_name(content: object) -> str:
    """Return the name of a class that somebody typed, without the blanks around it.

    Raises:
        DataError: when it is empty, too long, or holds what cannot be shown.
    """
    name = content.strip() if isinstance(content, str) else ""
    if not name or len(name) > _LONGEST_NAME or shown_name(name) != name:
        raise DataError(
            f"a class cannot be called {shown_name(name)[:_LONGEST_NAME]!r}; give it a name of 1 "
            f"to {_LONGEST_NAME} letters"
        )
    return name


def free_color(wanted: Color, taken: Sequence[Color]) -> Color:
    """Return the colour, or one that no other class has."""
    if wanted not in taken:
        return wanted
    return next(color for i in range(256) if (color := default_color(i)) not in taken)


def _in(class_map: ClassMap, editor: EditorClasses, label: int) -> int | None:
    """Return the label in a dataset of one in the editor, or None."""
    known = same_name(editor.names[label], class_map.names)
    if known is not None:
        return class_map.names.index(known)
    return background(class_map) if label == editor.background else None
