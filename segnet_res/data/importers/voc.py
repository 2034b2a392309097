"""Pascal VOC: ``JPEGImages/``, ``SegmentationClass/`` and ``ImageSets/Segmentation/``."""

from functools import partial
from pathlib import Path

import numpy as np

from segnet_res.classes import ClassMap, Color
from segnet_res.data.dataset import SPLITS, DatasetInfo, is_two_valued, stem_of
from segnet_res.data.doctor.survey import codes_of, read_raw
from segnet_res.data.importers._drawn import channels_of, read_text
from segnet_res.data.importers._plan import Entry, Plan
from segnet_res.data.importers.folder import MaskOptions
from segnet_res.errors import DataError, UsageError
from segnet_res.images import UInt8Array, find_images, labels_from_colors

NAMES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa",
    "train", "tvmonitor",
)  # fmt: skip

# The rims around objects, which count nowhere.
_BORDER = 0xE0E0C0


def plan(source: Path, options: MaskOptions) -> Plan:
    """Find pictures, masks, classes and lists.

    The classes are those of ``labelmap.txt``, as CVAT and others write it, or else VOC's own.

    Raises:
        DataError: when a folder is missing, or a mask has no picture, or a list names none.
        UsageError: when options make no sense here.
    """
    if options.binary or options.classes or options.names:
        raise UsageError("voc names its own classes; leave --classes, --names and --binary out")
    images, masks = source / "JPEGImages", source / "SegmentationClass"
    if not images.is_dir() or not masks.is_dir():
        raise DataError(
            f"{source}: JPEGImages/ and SegmentationClass/ are not both here; give the folder that "
            "holds them (of VOC itself, VOCdevkit/VOC2012)"
        )
    class_map = _classes(source / "labelmap.txt")
    pictures = {stem_of(path, images): path for path in find_images(images)}
    found = {stem_of(path, masks): path for path in find_images(masks)}
    homes = _lists(source / "ImageSets" / "Segmentation", found)
    entries = []
    for stem, mask in found.items():
        if stem not in pictures:
            raise DataError(
                f"SegmentationClass/{stem}{mask.suffix}: no picture JPEGImages/{stem}.*; add it or "
                "take the mask away"
            )
        entries.append(Entry(stem, pictures[stem], mask, homes.get(stem)))
    left = len(pictures) - len(entries)
    return Plan(
        DatasetInfo("", class_map, options.channels or channels_of(entries)),
        tuple(entries),
        partial(_read_labels, class_map),
        {entry.stem: entry.stem for entry in entries},
        notes=(f"left out pictures without a mask in SegmentationClass/: {left}",) if left else (),
    )


def _classes(path: Path) -> ClassMap:
    if not path.is_file():
        return ClassMap(NAMES, tuple(color(i) for i in range(len(NAMES))))
    names: list[str] = []
    colors: list[Color] = []
    for line in read_text(path).splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, *rest = line.split(":")
        numbers = [part.strip() for part in rest[0].split(",")] if rest and rest[0] else []
        if numbers and not (
            len(numbers) == 3 and all(n.isdecimal() and int(n) < 256 for n in numbers)
        ):
            raise DataError(
                f"labelmap.txt: {line!r} has no colour of three numbers up to 255; write "
                "name:red,green,blue::"
            )
        # Without a colour the class has that of its place in VOC's palette.
        red, green, blue = (int(n) for n in numbers) if numbers else color(len(names))
        names.append(name.strip())
        colors.append((red, green, blue))
    return ClassMap(tuple(names), tuple(colors))


def color(index: int) -> Color:
    """Return a colour of VOC's palette.

    >>> color(1), color(2), color(255)
    ((128, 0, 0), (0, 128, 0), (224, 224, 192))
    """
    red = green = blue = 0
    for bit in range(8):
        red |= (index >> 3 * bit & 1) << (7 - bit)
        green |= (index >> 3 * bit + 1 & 1) << (7 - bit)
        blue |= (index >> 3 * bit + 2 & 1) << (7 - bit)
    return red, green, blue


def _lists(folder: Path, masks: dict[str, Path]) -> dict[str, str]:
    homes: dict[str, str] = {}
    for split in SPLITS:
        path = folder / f"{split}.txt"
        if not path.is_file():
            continue
        for line in read_text(path).splitlines():
            stem = line.strip()
            if not stem:
                continue
            if stem not in masks:
                raise DataError(
                    f"{path.name}: {stem!r} has no mask SegmentationClass/{stem}.png; add it or "
                    "take the line out"
                )
            if homes.setdefault(stem, split) != split:
                raise DataError(
                    f"{path.name}: {stem!r} is also in {homes[stem]}.txt; keep it in one of them"
                )
    return homes


def _read_labels(class_map: ClassMap, entry: Entry) -> UInt8Array:
    assert entry.mask is not None
    raw = read_raw(entry.mask)
    if raw.numbers is not None and raw.palette is None:
        if raw.numbers.dtype != np.uint8:
            raise DataError(
                f"{entry.mask.name}: holds grey values up to {raw.numbers.max()}, which are "
                "neither labels nor colours; save the mask as 8-bit PNG"
            )
        # Grey files hold the labels themselves; all black is the background either way. Black and
        # white alone are more likely a defect than what nobody could judge.
        labels = raw.numbers.astype(np.uint8)
        if not class_map.unknown(labels) and not is_two_valued(labels):
            return labels
    colors = raw.as_colors().copy()
    ignored = codes_of(colors) == _BORDER
    colors[ignored] = class_map.colors[0]
    labels = labels_from_colors(colors, class_map, entry.mask.name)
    labels[ignored] = class_map.ignore_index
    return labels
