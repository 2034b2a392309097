"""Any folder of pictures and masks: ``images/`` and ``masks/``, at the top or in each split."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from segnet_res.classes import ClassMap
from segnet_res.data.dataset import (
    SPLITS,
    DatasetInfo,
    is_two_valued,
    load_info,
    read_info,
    read_split,
    stem_of,
    unknown_labels,
)
from segnet_res.data.doctor.survey import RawMask, read_raw
from segnet_res.data.importers._plan import Entry, Plan
from segnet_res.errors import DataError, ImageError, UsageError
from segnet_res.images import Channels, UInt8Array, find_images, is_grey, read_image, read_mask

# Names are made up only for reading labels whose classes nobody has told.
_ANY_LABEL = ClassMap.from_names([f"class_{label}" for label in range(255)])

# Values above this are the defect of a black-and-white mask, as tools with soft brushes save
# values between.
_THRESHOLD = 127


@dataclass(frozen=True)
class MaskOptions:
    """How the masks of a plain folder are to be understood.

    Attributes:
        classes: A file of the form of ``dataset.yaml`` with names and colours.
        names: Names of the classes in the order of their labels, when there is no such file.
        binary: Masks are black-and-white pictures: class 1 where a channel is brighter than half.
        channels: 1 or 3; None to use 1 when all pictures are grey.
    """

    classes: Path | None = None
    names: Sequence[str] = ()
    binary: bool = False
    channels: Channels | None = None


def plan(source: Path, options: MaskOptions) -> Plan:
    """Find the pairs, the classes and the splits that the source brings.

    Raises:
        DataError: when there are no pairs, a picture lacks its mask or a mask its picture, the
            classes cannot be told, or a mask is no black-and-white one though it is told to be.
        UsageError: when options contradict each other.
    """
    entries = list(_entries(source))
    if not entries:
        raise DataError(
            f"{source}: no pictures in images/ or in train/images/, val/images/, test/images/; "
            "give a folder with images/ and masks/"
        )
    entries = _with_listed_splits(source, entries)
    info = _given_info(source, options)
    class_map, notes = _class_map(entries, info, options)
    read_binary = partial(_read_binary, source)
    # Looks no further than the first defect.
    if options.binary and not any(read_binary(entry).any() for entry in entries):
        notes = (*notes, _nothing_white(len(entries), class_map))
    return Plan(
        DatasetInfo(
            info.name if info else "",
            class_map,
            options.channels or (info.channels if info else _channels(entries)),
            info.group if info else None,
        ),
        tuple(entries),
        read_binary if options.binary else partial(_read_labels, class_map),
        # Nothing tells which pictures show one part, so each is a group of its own.
        {entry.stem: entry.stem for entry in entries},
        notes=notes,
    )


def _entries(source: Path) -> Iterator[Entry]:
    """Yield the pairs of ``images/`` and ``masks/`` at the top, then of each split's folder."""
    for base, split in [(source, None), *((source / split, split) for split in SPLITS)]:
        images, masks = base / "images", base / "masks"
        if not images.is_dir():
            continue
        if not masks.is_dir():
            raise DataError(f"{images}: there is no folder masks/ beside it; add the masks")
        found = _by_stem(masks)
        # Split folders may hold equal names; only there the split becomes part of the stem.
        prefix = f"{split}/" if split else ""
        for stem, path in _by_stem(images).items():
            if stem not in found:
                raise DataError(
                    f"{path.relative_to(source).as_posix()}: no mask {stem}.png in "
                    f"{masks.relative_to(source).as_posix()}/; add it or take the picture away"
                )
            yield Entry(prefix + stem, path, _checked_mask(found.pop(stem)), split)
        if found:
            path = next(iter(found.values()))
            raise DataError(
                f"{path.relative_to(source).as_posix()}: no picture of this name in "
                f"{images.relative_to(source).as_posix()}/; add it or take the mask away"
            )


def _by_stem(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in find_images(folder):
        stem = stem_of(path, folder)
        if stem in found:
            raise DataError(
                f"{found[stem].name} and {path.name} in {path.parent.name}/ differ only by "
                "their suffix; rename one, with its mask"
            )
        found[stem] = path
    return found


def _checked_mask(path: Path) -> Path:
    if path.suffix.lower() in (".jpg", ".jpeg"):
        raise DataError(
            f"{path.name}: a JPEG mask has blurred labels; export masks as PNG, BMP or TIFF"
        )
    return path


def _with_listed_splits(source: Path, entries: list[Entry]) -> list[Entry]:
    """Take the splits from ``splits/*.txt`` of the source when there are such files."""
    listed: dict[str, str] = {}
    for split in SPLITS:
        for stem in read_split(source, split):
            if stem in listed:
                raise DataError(
                    f"splits/{split}.txt: {stem!r} is also in splits/{listed[stem]}.txt; "
                    "keep it in one of them"
                )
            listed[stem] = split
    missing = sorted(set(listed) - {entry.stem for entry in entries})
    if missing:
        raise DataError(
            f"splits/{listed[missing[0]]}.txt: {missing[0]!r} has no picture in images/; "
            "add the picture or take the line out"
        )
    return [replace(entry, split=listed.get(entry.stem, entry.split)) for entry in entries]


def _given_info(source: Path, options: MaskOptions) -> DatasetInfo | None:
    if options.classes and options.names:
        raise UsageError("--classes and --names both name the classes; give one of them")
    if options.classes:
        return read_info(options.classes)
    return load_info(source) if (source / "dataset.yaml").is_file() else None


def _class_map(
    entries: list[Entry], info: DatasetInfo | None, options: MaskOptions
) -> tuple[ClassMap, tuple[str, ...]]:
    """Return the classes as told by the user or the source, or as found in the masks."""
    if options.names:
        class_map = ClassMap.from_names(options.names)
    elif info:
        class_map = info.class_map
    elif options.binary:
        class_map = ClassMap.from_names(["background", "defect"])
    else:
        return _found_classes(entries)
    if options.binary and len(class_map) != 2:
        raise UsageError(
            f"--binary gives two classes, but {len(class_map)} are named; name two or leave it out"
        )
    return class_map, ()


def _found_classes(entries: list[Entry]) -> tuple[ClassMap, tuple[str, ...]]:
    """Make a class of every label up to the largest one; 255 counts as ignored."""
    counts = np.zeros(256, np.int64)
    for path in _masks(entries):
        try:
            labels = read_mask(path, _ANY_LABEL)
        except ImageError as error:
            if "colours belong to no class" not in str(error):
                raise
            raise DataError(
                f"{path.name}: the mask holds colours and nobody told which class has which; "
                "give --classes FILE.yaml with names and colours"
            ) from error
        counts += np.bincount(labels.ravel(), minlength=256)
    found = np.flatnonzero(counts[:255])
    if counts[255] and set(found.tolist()) <= {0}:
        raise DataError(
            "the masks hold only 0 and 255, so they are black-and-white pictures and not class "
            "indices; give --binary to read them as background and defect"
        )
    size = int(found[-1]) + 1 if found.size else 1
    class_map = ClassMap.from_names([f"class_{label}" for label in range(size)])
    notes = [f"named the classes class_0 to class_{size - 1} after the labels; --names names them"]
    if counts[255]:
        notes.append("label 255 was taken as ignored")
    return class_map, tuple(notes)


def _masks(entries: list[Entry]) -> Iterator[Path]:
    return (entry.mask for entry in entries if entry.mask)


def _channels(entries: list[Entry]) -> Channels:
    """Return 1 when every picture is stored as grey; reads headers only."""
    return 1 if all(is_grey(entry.image) for entry in entries) else 3


def _read_labels(class_map: ClassMap, entry: Entry) -> UInt8Array:
    assert entry.mask is not None
    labels = read_mask(entry.mask, class_map)
    # 255 may be a legal "ignored", but nothing but 0 and 255 in masks that also know other
    # classes is what a black-and-white export looks like.
    unknown = class_map.unknown(labels)
    if unknown:
        raise DataError(unknown_labels(entry.mask.name, unknown, class_map))
    if is_two_valued(labels) and class_map.ignore_index == 255:
        raise DataError(
            f"{entry.mask.name}: holds 0 and 255 alone, so 255 means a class, or not labelled; "
            "tell it with `segnet-res data check SOURCE --fix TARGET --map "
            f"'0={class_map.names[0]},...,255=ignore'`, or give --binary where all masks are black "
            "and white"
        )
    return labels


def _nothing_white(count: int, class_map: ClassMap) -> str:
    masks = "the only mask holds" if count == 1 else f"all {count} masks hold"
    return (
        f"{masks} no {class_map.names[1]!r} at all; if not every part is sound, export the masks "
        "again"
    )


def _read_binary(source: Path, entry: Entry) -> UInt8Array:
    """Return 1 where the brightest channel of a mask is above half: luma would lose pure red.

    What is transparent is no defect, whatever colour lies below.

    Raises:
        DataError: when nothing is that bright, but the mask is not empty: class indices, for one,
            would all become background without a word.
    """
    assert entry.mask is not None
    brightest: UInt8Array = read_image(entry.mask, 3).max(axis=2)
    raw = read_raw(entry.mask)
    if raw.transparent is not None:
        brightest[raw.transparent] = 0
    defect = brightest > _THRESHOLD
    if not defect.any():
        _check_empty(raw, brightest, entry.mask.relative_to(source).as_posix())
    return np.asarray(defect, np.uint8)


def _check_empty(raw: RawMask, brightest: UInt8Array, name: str) -> None:
    """Refuse a mask without white that holds something else than black.

    Raises:
        DataError: says what it holds.
    """
    # Grey as in the file: of 16 bits, what is small is black once there are 8.
    grey = raw.numbers if raw.palette is None else None
    largest = int((brightest if grey is None else grey).max())
    if raw.transparent is not None:
        if raw.transparent.all():
            return
        found = "with transparent pixels around others that are not"
    elif largest:
        found = f"its largest value is {largest}"
    else:
        return
    raise DataError(
        f"{name}: nothing in the mask is brighter than half, but it is not empty ({found}); leave "
        "--binary out if it holds class indices, or let `segnet-res data check --fix` find out "
        "how it is encoded"
    )
