"""New datasets, and new classes in those that are there."""

import re
from pathlib import Path
from typing import Any

import yaml

from segnet_res.classes import ClassMap, Color, default_color, format_color
from segnet_res.data.dataset import INFO_FILE, DatasetInfo, load_info, parse_info, save_info
from segnet_res.data.names import same_name
from segnet_res.data.storage import new_folder, storing
from segnet_res.errors import DataError, UsageError
from segnet_res.images import Channels, atomic_write


def make_dataset(
    root: Path, name: str, class_map: ClassMap, channels: Channels, group: str | None = None
) -> None:
    """Make a dataset without pictures; the folder appears as a whole.

    Args:
        root: The folder.
        name: What people call the dataset.
        class_map: Its classes.
        channels: 1 to read its pictures as grey, 3 for RGB.
        group: Regular expression that finds the part in the name of a picture.

    Raises:
        UsageError: when the name says nothing or ``group`` is no regular expression.
        StorageError: when the folder is there and not empty, or cannot be written.
    """
    name = " ".join(name.split())
    if not name:
        raise UsageError("the dataset's name is empty; give it one")
    if group is not None:
        try:
            re.compile(group)
        except re.error as error:
            raise UsageError(
                f"group is {group!r}, not a regular expression ({error}); correct it"
            ) from error
    with new_folder(root) as folder, storing(root):
        for part in ("images", "masks", "splits"):
            (folder / part).mkdir()
        save_info(folder, DatasetInfo(name, class_map, channels, group))


def insert_class(root: Path, name: str, color: Color | None = None) -> ClassMap:
    """Add a class to ``dataset.yaml``; whatever else is in the file stays as it is.

    It gets the first free label, so that the labels of masks keep their meaning. The caller sees
    to it that nobody else writes meanwhile.

    Args:
        root: The dataset folder.
        name: What people call the class.
        color: Its colour; None for one that no other class has.

    Returns:
        The classes with the new one.

    Raises:
        UsageError: when the name says nothing.
        DataError: when the name is there already, whatever its capitals and separators, or no
            label is free.
        StorageError: when the file cannot be written.
    """
    info = load_info(root)
    old, name = info.class_map, " ".join(name.split())
    if not name or not name.isprintable():
        raise UsageError(f"the class's name is {name!r}; give it one that can be read")
    known = same_name(name, old.names)
    if known is not None:
        raise DataError(
            f"{info.name}: the class {known!r} is there already, as label {old.index(known)}; use "
            "that one, or choose another name"
        )
    if len(old) == old.ignore_index:
        raise DataError(
            f"{info.name}: all labels below {old.ignore_index}, which means ignored, are classes; "
            "no further one has room"
        )
    path = root / INFO_FILE
    chosen = _free_color(old) if color is None else color
    wanted = ClassMap((*old.names, name), (*old.colors, chosen), old.ignore_index)
    text = _with_class(path.read_text(encoding="utf-8"), name, chosen)
    if parse_info(text, path).class_map != wanted:
        raise _by_hand(path, name)
    with atomic_write(path) as file:
        file.write(text.encode())
    return wanted


def _with_class(text: str, name: str, color: Color) -> str:
    """Return the text of a ``dataset.yaml`` with one more entry in its list of classes."""
    entry = yaml.safe_dump(
        {"name": name, "color": format_color(color)},
        default_flow_style=True,
        allow_unicode=True,
        sort_keys=False,
        width=10**6,
    ).strip()
    node: Any = yaml.compose(text, yaml.SafeLoader)
    text = text if text.endswith("\n") else text + "\n"
    # What is there was read before: it has keys, and a list of classes.
    classes = next(value for key, value in node.value if key.value == "classes")
    last = classes.value[-1]
    if classes.flow_style:
        place = last.end_mark.index
        return f"{text[:place]}, {entry}{text[place:]}"
    lines = text.splitlines(keepends=True)
    # Of an entry over several lines only its last text tells where it ends: what comes behind may
    # be comments.
    end = last if last.flow_style else last.value[-1][1]
    place = end.end_mark.line + 1
    lines.insert(place, f"{' ' * classes.start_mark.column}- {entry}\n")
    return "".join(lines)


def _by_hand(path: Path, name: str) -> DataError:
    return DataError(
        f"{path}: is written in a way that leaves no place for the class {name!r}; add it there by "
        "hand, at the end of the list"
    )


def _free_color(class_map: ClassMap) -> Color:
    return next(
        color
        for color in map(default_color, range(len(class_map), 256 + len(class_map)))
        if color not in class_map.colors
    )
