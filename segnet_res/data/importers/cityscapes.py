"""Cityscapes: ``leftImg8bit/<split>/`` and ``gtFine/<split>/`` with ``*_gtFine_labelIds.png``."""

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segnet_res.classes import ClassMap, Color
from segnet_res.data.dataset import DatasetInfo
from segnet_res.data.doctor.survey import read_raw
from segnet_res.data.importers._drawn import channels_of, read_text
from segnet_res.data.importers._pictures import split_of
from segnet_res.data.importers._plan import Entry, Plan
from segnet_res.data.importers.folder import MaskOptions
from segnet_res.errors import DataError, UsageError
from segnet_res.images import UInt8Array, find_images

# The nineteen classes that count, with the ids that they have in the masks.
_OWN: dict[int, tuple[str, Color]] = {
    7: ("road", (128, 64, 128)), 8: ("sidewalk", (244, 35, 232)), 11: ("building", (70, 70, 70)),
    12: ("wall", (102, 102, 156)), 13: ("fence", (190, 153, 153)), 17: ("pole", (153, 153, 153)),
    19: ("traffic light", (250, 170, 30)), 20: ("traffic sign", (220, 220, 0)),
    21: ("vegetation", (107, 142, 35)), 22: ("terrain", (152, 251, 152)),
    23: ("sky", (70, 130, 180)), 24: ("person", (220, 20, 60)), 25: ("rider", (255, 0, 0)),
    26: ("car", (0, 0, 142)), 27: ("truck", (0, 0, 70)), 28: ("bus", (0, 60, 100)),
    31: ("train", (0, 80, 100)), 32: ("motorcycle", (0, 0, 230)), 33: ("bicycle", (119, 11, 32)),
}  # fmt: skip
_MOST_OWN = 33
# The plate of the licence is -1, which is 255 in 8 bits.
_NO_CLASS = 255

_MASK, _PICTURE = "_gtFine_labelIds", "_leftImg8bit"


def plan(source: Path, options: MaskOptions) -> Plan:
    """Find pictures, masks and classes.

    The classes are those of ``label_colors.txt``, as CVAT and others write it, or else the
    nineteen of Cityscapes that count; its other ids are ignored.

    Raises:
        DataError: when a folder is missing, or a mask has no picture.
        UsageError: when options make no sense here.
    """
    if options.binary or options.classes or options.names:
        raise UsageError(
            "cityscapes names its own classes; leave --classes, --names and --binary out"
        )
    images, masks = _folder(source, "leftImg8bit"), source / "gtFine"
    if images is None or not masks.is_dir():
        raise DataError(
            f"{source}: leftImg8bit/ and gtFine/ are not both here; give the folder that holds them"
        )
    pictures = {
        path.relative_to(images).with_suffix("").as_posix().removesuffix(_PICTURE): path
        for path in find_images(images)
    }
    entries = []
    for path in find_images(masks):
        stem = path.relative_to(masks).with_suffix("").as_posix()
        if not stem.endswith(_MASK):
            continue
        stem = stem.removesuffix(_MASK)
        if stem not in pictures:
            raise DataError(
                f"gtFine/{stem}{_MASK}.png: no picture {images.name}/{stem}{_PICTURE}.*; add it or "
                "take the mask away"
            )
        split, _, rest = stem.partition("/")
        known = split_of(split)
        entries.append(Entry(rest if rest else stem, pictures[stem], path, known))
    class_map, table = _classes(source / "label_colors.txt")
    left = len(pictures) - len(entries)
    return Plan(
        DatasetInfo("", class_map, options.channels or channels_of(entries)),
        tuple(entries),
        partial(_read_labels, table),
        {entry.stem: entry.stem for entry in entries},
        notes=(f"left out pictures without a mask in gtFine/: {left}",) if left else (),
    )


def _folder(source: Path, name: str) -> Path | None:
    return next(
        (path for path in (source / name, source / "imgsFine" / name) if path.is_dir()), None
    )


def _classes(path: Path) -> tuple[ClassMap, NDArray[np.int16]]:
    """Return the classes and the label of each id, -1 where there is none."""
    table = np.full(256, -1, np.int16)
    if not path.is_file():
        names, colors = zip(*_OWN.values(), strict=True)
        class_map = ClassMap(names, colors)
        table[: _MOST_OWN + 1] = table[_NO_CLASS] = class_map.ignore_index
        table[[*_OWN]] = np.arange(len(_OWN))
        return class_map, table
    told: list[tuple[str, Color | None]] = []
    for line in read_text(path).splitlines():
        if line.strip() and not line.startswith("#"):
            numbers, name = _numbers(line)
            told.append((name, numbers))
    given = [color for _, color in told if color]
    class_map = ClassMap.from_names([name for name, _ in told])
    if len(given) == len(told):
        class_map = ClassMap(class_map.names, tuple(given))
    table[: len(told)] = np.arange(len(told))
    table[_NO_CLASS] = class_map.ignore_index
    return class_map, table


def _numbers(line: str) -> tuple[Color | None, str]:
    """Read ``128 64 128 road``; the colour may be missing."""
    parts = line.split(maxsplit=3)
    if len(parts) == 4 and all(part.isdecimal() and int(part) < 256 for part in parts[:3]):
        return (int(parts[0]), int(parts[1]), int(parts[2])), parts[3].strip()
    return None, line.strip()


def _read_labels(table: NDArray[np.int16], entry: Entry) -> UInt8Array:
    assert entry.mask is not None
    raw = read_raw(entry.mask)
    if raw.numbers is None or int(raw.numbers.max()) > 255:
        raise DataError(f"{entry.mask.name}: is no mask of ids; export {_MASK[1:]} files again")
    labels = table[raw.numbers]
    if labels.min() < 0:
        unknown = int(raw.numbers[labels < 0].min())
        raise DataError(
            f"{entry.mask.name}: holds the id {unknown}, which no class has; add the class to "
            "label_colors.txt or export again"
        )
    return labels.astype(np.uint8)
