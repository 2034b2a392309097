"""The dataset folder: ``dataset.yaml``, pictures, masks and the lists of the splits.

::

    dataset.yaml            name; classes: [{name, color}]; ignore_index; channels: 1 or 3; group
    images/<stem>.<ext>     pictures, subfolders allowed
    masks/<stem>.png        8-bit class indices at the picture's size
    splits/{train,val,test}.txt   one stem a line; a missing file is an empty split
    annotations.jsonl       who corrected which mask; see `segnet_res.data.annotations`
    history/                masks before they were corrected

A stem is the path below ``images/`` without its suffix, with ``/`` on every system.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import yaml

from segnet_res.classes import ClassMap
from segnet_res.errors import DataError, ImageError
from segnet_res.images import (
    Channels,
    UInt8Array,
    atomic_write,
    find_images,
    read_image,
    read_mask,
)

SPLITS = ("train", "val", "test")

INFO_FILE = "dataset.yaml"


@dataclass(frozen=True)
class DatasetInfo:
    """What ``dataset.yaml`` says.

    Attributes:
        name: What people call the data set.
        class_map: Names and colours of the classes and the label that counts nowhere.
        channels: 1 when the pictures are read as grey, 3 for RGB.
        group: Regular expression that finds the part in a stem; None where none was given.
    """

    name: str
    class_map: ClassMap
    channels: Channels
    group: str | None = None


@dataclass(frozen=True)
class Sample:
    """One picture with its mask.

    Attributes:
        stem: The picture's path below ``images/`` without its suffix.
        image: (H, W, channels) uint8.
        labels: (H, W) uint8, class labels or ``ignore_index``.
    """

    stem: str
    image: UInt8Array
    labels: UInt8Array


def load_info(root: Path) -> DatasetInfo:
    """Read ``dataset.yaml`` of a dataset folder.

    Raises:
        DataError: when the folder or the file is missing or its content cannot be used.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; give the folder that holds {INFO_FILE}")
    path = root / INFO_FILE
    if not path.is_file():
        raise DataError(
            f"{root}: no {INFO_FILE} in this folder; make a dataset with `segnet-res data import`"
        )
    return read_info(path)


def read_info(path: Path) -> DatasetInfo:
    """Read a file of the form of ``dataset.yaml``, whatever its name.

    Raises:
        DataError: when the file cannot be read or its content cannot be used.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _no_text(path, error) from error
    return parse_info(text, path)


def check_text(text: str, path: Path) -> None:
    """Refuse what was read from a file of another encoding without an error.

    Raises:
        DataError: when the text of the file ``path`` holds a zero character, as UTF-16 read as
            UTF-8 does.
    """
    if "\0" in text:
        raise _no_text(path, "it holds zero bytes, as UTF-16 does")


def _no_text(path: Path, reason: object) -> DataError:
    return DataError(f"{path}: cannot be read ({reason}); save it as UTF-8 text")


def parse_info(text: str, path: Path) -> DatasetInfo:
    """Read the text of a ``dataset.yaml``.

    Args:
        text: All of it.
        path: The file, for messages, and its folder as the name where the text gives none.

    Raises:
        DataError: when it cannot be used.
    """
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it does not parse"
        raise DataError(f"{path}: not valid YAML{where} ({problem}); correct it there") from error
    if not isinstance(content, dict):
        raise DataError(
            f"{path}: holds {type(content).__name__} instead of keys; "
            "write name, classes, ignore_index and channels"
        )
    try:
        class_map = ClassMap.from_dict(content)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    channels = content.get("channels", 3)
    if channels not in (1, 3) or isinstance(channels, bool):
        raise DataError(f"{path}: channels is {channels!r}; write 1 for grey or 3 for RGB")
    name = content.get("name", path.parent.resolve().name)
    return DatasetInfo(str(name), class_map, channels, _group(content.get("group"), path))


def _group(pattern: object, path: Path) -> str | None:
    if pattern is None:
        return None
    problem = "no text"
    if isinstance(pattern, str):
        try:
            re.compile(pattern)
        except re.error as error:
            problem = str(error)
        else:
            return pattern
    raise DataError(
        f"{path}: group is {pattern!r}, not a regular expression ({problem}); "
        "write one in single quotes, or take the line out"
    )


def save_info(root: Path, info: DatasetInfo) -> None:
    """Write ``dataset.yaml`` into a dataset folder.

    Raises:
        StorageError: when the file cannot be written.
    """
    with atomic_write(root / INFO_FILE) as file:
        file.write(format_info(info).encode())


def format_info(info: DatasetInfo) -> str:
    """Return the text of ``dataset.yaml``: one line a class, so that people can edit it.

    >>> from segnet_res.classes import ClassMap
    >>> print(format_info(DatasetInfo("caps", ClassMap.from_names(["sound", "dent"]), 1)), end="")
    name: caps
    classes:
      - {name: sound, color: "#3c4048"}
      - {name: dent, color: "#e69f00"}
    ignore_index: 255
    channels: 1
    """
    content = info.class_map.to_dict()
    lines = [f"name: {yaml_scalar(info.name)}", "classes:"]
    lines += [
        f'  - {{name: {yaml_scalar(entry["name"])}, color: "{entry["color"]}"}}'
        for entry in content["classes"]
    ]
    lines += [f"ignore_index: {content['ignore_index']}", f"channels: {info.channels}"]
    if info.group is not None:
        lines += [f"group: {yaml_scalar(info.group)}"]
    return "\n".join(lines) + "\n"


def yaml_scalar(text: str) -> str:
    """Return a text as YAML reads it back inside braces: quoted where it must be."""
    dumped: str = yaml.safe_dump([text], default_flow_style=True, allow_unicode=True, width=10**6)
    return dumped.strip()[1:-1]


def stem_of(path: Path, folder: Path) -> str:
    """Return the stem of a picture or mask below a folder.

    >>> stem_of(Path("images/left/a.b.png"), Path("images"))
    'left/a.b'
    """
    return path.relative_to(folder).with_suffix("").as_posix()


def check_stem(stem: str, where: str) -> None:
    """Refuse a stem that points outside the dataset folder.

    Raises:
        DataError: when the stem is absolute, or goes up, or uses a backslash.
    """
    parts = PurePosixPath(stem).parts
    drive = re.match("[A-Za-z]:", stem)
    if not parts or stem.startswith("/") or ".." in parts or "\\" in stem or drive:
        raise DataError(
            f"{where}: {stem!r} points outside the dataset; "
            "write paths below images/ with / between folders"
        )


def index_images(root: Path) -> dict[str, list[Path]]:
    """Return the pictures below ``images/`` by stem; more than one where suffixes differ."""
    folder = root / "images"
    found: dict[str, list[Path]] = {}
    for path in find_images(folder):
        found.setdefault(stem_of(path, folder), []).append(path)
    return found


def index_masks(root: Path) -> dict[str, Path]:
    """Return the PNG files below ``masks/`` by stem."""
    folder = root / "masks"
    return {
        stem_of(path, folder): path for path in find_images(folder) if path.suffix.lower() == ".png"
    }


def read_split(root: Path, split: str) -> tuple[str, ...]:
    """Return the stems of a split in the order of its file; none when there is no file.

    Raises:
        DataError: when the split's name is not one of `SPLITS`, or its file is no UTF-8 text, or
            names a stem twice or one that points outside the dataset.
    """
    path = root / "splits" / f"{split}.txt"
    stems = split_lines(root, split)
    for stem in stems:
        check_stem(stem, str(path))
    if len(set(stems)) < len(stems):
        twice = next(stem for stem in stems if stems.count(stem) > 1)
        raise DataError(listed_twice(str(path), twice))
    return stems


def split_lines(root: Path, split: str) -> tuple[str, ...]:
    """Return what a split's file lists, in its order and unchecked; none when there is no file.

    Raises:
        DataError: when the split's name is not one of `SPLITS`, or its file is no UTF-8 text.
    """
    if split not in SPLITS:
        raise DataError(f"split is {split!r}; the splits are {', '.join(SPLITS)}")
    path = root / "splits" / f"{split}.txt"
    if not path.is_file():
        return ()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise _no_text(path, error) from error
    check_text(text, path)
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def listed_twice(where: str, stem: str) -> str:
    """Say that a split's file names a stem more than once."""
    return f"{where}: {stem!r} is there more than once; keep one line of it"


class SegmentationDataset:
    """The pictures and masks of one split of a dataset folder, in the order of the split's file.

    Map-style: has a length and gives a `Sample` for an index, so torch's DataLoader takes it.

    Args:
        root: The dataset folder.
        split: "train", "val" or "test"; a split without a file is empty.
        stems: These pictures instead of those that the split's file names.

    Attributes:
        root: The dataset folder.
        split: Name of the split.
        info: What ``dataset.yaml`` says.
        stems: One stem for each sample.

    Raises:
        DataError: when the folder is no dataset, or the split names a stem that lacks a picture
            or a mask or has two pictures.
    """

    def __init__(self, root: Path, split: str, *, stems: Sequence[str] | None = None) -> None:
        self.root = root
        self.split = split
        self.info = load_info(root)
        self.stems = read_split(root, split) if stems is None else tuple(stems)
        images, masks = (index_images(root), index_masks(root)) if self.stems else ({}, {})
        self._images = [_one_image(stem, images.get(stem, []), self._file) for stem in self.stems]
        self._masks = [
            _mask(stem, masks, relative_name(self._images[i], root))
            for i, stem in enumerate(self.stems)
        ]

    @property
    def _file(self) -> str:
        return f"splits/{self.split}.txt"

    @property
    def class_map(self) -> ClassMap:
        """Names and colours of the classes."""
        return self.info.class_map

    @property
    def channels(self) -> Channels:
        """1 for grey pictures, 3 for RGB."""
        return self.info.channels

    def __len__(self) -> int:
        return len(self.stems)

    def __getitem__(self, index: int) -> Sample:
        image = self.read_image(index)
        labels = self.read_labels(index)
        if labels.shape != image.shape[:2]:
            name = relative_name(self._masks[index], self.root)
            raise DataError(size_mismatch(name, labels.shape, image.shape[:2]))
        return Sample(self.stems[index], image, labels)

    def image_path(self, index: int) -> Path:
        """Return the picture's file."""
        return self._images[index]

    def mask_path(self, index: int) -> Path:
        """Return the mask's file."""
        return self._masks[index]

    def read_image(self, index: int, channels: Channels | None = None) -> UInt8Array:
        """Return the picture alone, (H, W, channels) uint8.

        Args:
            index: Which one.
            channels: 1 or 3; None: as the dataset has it.

        Raises:
            ImageError: when the file cannot be read; called by its path below the dataset.
        """
        path = self._images[index]
        try:
            return read_image(path, channels or self.channels)
        except ImageError as error:
            raise ImageError(with_path(error, path, self.root)) from error

    def read_labels(self, index: int) -> UInt8Array:
        """Return the mask alone, (H, W) uint8 class labels or ``ignore_index``.

        Raises:
            DataError: when the file cannot be read or holds a label that no class has.
        """
        path = self._masks[index]
        try:
            labels = read_mask(path, self.class_map)
        except ImageError as error:
            raise ImageError(with_path(error, path, self.root)) from error
        unknown = self.class_map.unknown(labels)
        if unknown:
            name = relative_name(path, self.root)
            raise DataError(unknown_labels(name, unknown, self.class_map))
        return labels


def relative_name(path: Path, root: Path) -> str:
    """Return what messages call a file of a dataset: names may repeat over subfolders.

    >>> relative_name(Path("data/masks/left/a.png"), Path("data"))
    'masks/left/a.png'
    """
    return path.relative_to(root).as_posix()


def with_path(error: DataError, path: Path, root: Path) -> str:
    """Return an error's sentence with the path below the dataset instead of the bare name."""
    text = str(error).removeprefix(str(path)).removeprefix(path.name)
    return f"{relative_name(path, root)}{text}"


def size_mismatch(name: str, mask: tuple[int, ...], image: tuple[int, ...]) -> str:
    """Say that a mask and its picture differ in size; both sizes are (height, width)."""
    return (
        f"{name}: the mask is {mask[1]}x{mask[0]}, its picture {image[1]}x{image[0]}; "
        "export the mask at the picture's size"
    )


def unknown_labels(name: str, unknown: list[int], class_map: ClassMap) -> str:
    """Say that a mask holds labels that no class has, with a hint at two-value masks."""
    listed = ", ".join(map(str, unknown[:5])) + (", ..." if len(unknown) > 5 else "")
    if unknown == [255]:
        remedy = (
            "a mask of 0 and 255 is a black-and-white picture, not class indices: "
            "import it with `segnet-res data import folder --binary`"
        )
    else:
        remedy = "save class indices, or add the classes to dataset.yaml"
    return (
        f"{name}: label {listed} belongs to no class "
        f"(known are 0 to {len(class_map) - 1} and {class_map.ignore_index} for ignored); {remedy}"
    )


def is_two_valued(labels: UInt8Array) -> bool:
    """Tell whether a mask holds both 0 and 255 and nothing else, as black-and-white ones do."""
    counts = np.bincount(labels.ravel(), minlength=256)
    return bool(counts[255] and counts[0] + counts[255] == labels.size)


def _one_image(stem: str, paths: list[Path], where: str) -> Path:
    if not paths:
        raise DataError(
            f"{where}: {stem!r} has no picture images/{stem}.*; "
            "add the picture or take the line out"
        )
    if len(paths) > 1:
        names = " and ".join(path.name for path in paths)
        raise DataError(f"{where}: {stem!r} has several pictures ({names}); keep one of them")
    return paths[0]


def _mask(stem: str, masks: dict[str, Path], image: str) -> Path:
    if stem not in masks:
        raise DataError(
            f"{image}: no mask masks/{stem}.png; add it, or take {stem!r} out of the split"
        )
    return masks[stem]
