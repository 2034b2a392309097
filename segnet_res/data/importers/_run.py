"""The way every import goes: plan, copy pictures and write masks, divide, put in place."""

from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segnet_res.data.dataset import (
    SPLITS,
    DatasetInfo,
    check_stem,
    save_info,
    size_mismatch,
    unknown_labels,
)
from segnet_res.data.importers import (
    camvid,
    cityscapes,
    coco,
    cvat,
    datumaro,
    folder,
    labelme,
    labelstudio,
    magnetic_tile,
    voc,
)
from segnet_res.data.importers._plan import Entry, Plan
from segnet_res.data.importers.folder import MaskOptions
from segnet_res.data.lookalike import Look, look
from segnet_res.data.shares import count_labels
from segnet_res.data.splits import (
    DEFAULT_FRACTIONS,
    assign_splits,
    check_fractions,
    check_listable,
    group_by_pattern,
    join_groups,
    write_splits,
)
from segnet_res.data.storage import copy_file, new_folder
from segnet_res.errors import DataError, UsageError
from segnet_res.images import UInt8Array, linked_folders, read_image, write_mask

# Those that take options about masks and classes, by what makes the plan.
_PLANS: Mapping[str, Callable[[Path, MaskOptions], Plan]] = {
    "folder": folder.plan,
    "coco": coco.plan,
    "cvat": cvat.plan,
    "labelme": labelme.plan,
    "labelstudio": labelstudio.plan,
    "voc": voc.plan,
    "cityscapes": cityscapes.plan,
}

FORMATS = ("camvid", "magnetic-tile", *_PLANS)


@dataclass(frozen=True)
class ImportReport:
    """What an import made.

    Attributes:
        target: The dataset folder.
        info: What its ``dataset.yaml`` says.
        images: Number of pictures of each split that has any.
        pixels: Labelled pixels of each class of each of these splits, (C,) int64.
        notes: What the user should know, one sentence each.
    """

    target: Path
    info: DatasetInfo
    images: Mapping[str, int]
    pixels: Mapping[str, NDArray[np.int64]]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """How far an import is: ``done`` of ``total`` pictures."""

    done: int
    total: int


def import_dataset(
    format: str,
    source: Path,
    target: Path,
    *,
    split: str | None = None,
    group: str | None = None,
    seed: int = 0,
    fractions: Sequence[float] | None = None,
    masks: MaskOptions | None = None,
) -> ImportReport:
    """Import a data set in one go; see `import_steps` for the arguments and errors."""
    steps = import_steps(
        format,
        source,
        target,
        split=split,
        group=group,
        seed=seed,
        fractions=fractions,
        masks=masks,
    )
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            report: ImportReport = stop.value
            return report


def import_steps(
    format: str,
    source: Path,
    target: Path,
    *,
    split: str | None = None,
    group: str | None = None,
    seed: int = 0,
    fractions: Sequence[float] | None = None,
    masks: MaskOptions | None = None,
) -> Generator[Step, None, ImportReport]:
    """Import a data set, yielding after every picture; the generator's value is the report.

    Pictures are copied byte for byte, masks written as 8-bit index PNG. The target appears when
    all is done; an error or closing the generator leaves nothing. The source is only read.

    Args:
        format: One of `FORMATS`, or "datumaro:" with the name of a format that Datumaro reads.
        source: The folder to import.
        target: The dataset folder to make; it must not be there, or be empty.
        split: Puts every picture into this split, whatever the source says.
        group: Regular expression that finds the part in a stem; pictures of one part share a
            split. Replaces what the importer knows about parts.
        seed: Chooses which parts go where.
        fractions: Share of the pictures for train, val and test.
        masks: How masks and classes are to be understood; see each format.

    Raises:
        UsageError: when the format is unknown or options contradict each other.
        DataError: when the source has another layout, or a file of it cannot be used.
        StorageError: when the target is not empty or cannot be written.
    """
    _check(format, source, target, split)
    plan = _plan(format, source, masks)
    entries, notes = _chosen(plan, split)
    own_splits = split is None and any(entry.split for entry in entries)
    if own_splits and (group is not None or fractions is not None):
        raise UsageError(
            f"{source}: brings its own splits, which a group expression or fractions would "
            "change; leave them out, or use `segnet-res data split` after the import"
        )
    if split is not None and (group is not None or fractions is not None):
        raise UsageError(
            f"everything goes into {split}, so a group expression or fractions change nothing; "
            "leave them out"
        )
    shares = check_fractions(DEFAULT_FRACTIONS if fractions is None else fractions)
    groups = dict(plan.groups)
    # Kept, so that an evaluation can tell how many parts, not only pictures, are right.
    info = plan.info if group is None else replace(plan.info, group=group)
    info = replace(info, name=info.name or target.resolve().name)
    if info.group is not None and split is None and not own_splits:
        groups = group_by_pattern([entry.stem for entry in entries], info.group)
    joins = plan.joins_lookalikes and info.group is None
    counts: dict[str, NDArray[np.int64]] = {}
    looks: dict[str, Look] = {}
    with new_folder(target) as folder:
        yield Step(0, len(entries))
        for done, entry in enumerate(entries, start=1):
            image, labels = _read(entry, plan)
            copy_file(entry.image, folder / "images" / f"{entry.stem}{entry.image.suffix}")
            write_mask(folder / "masks" / f"{entry.stem}.png", labels)
            counts[entry.stem] = count_labels(labels, len(plan.info.class_map))
            if joins and split is None:
                looks[entry.stem] = look(image)
            yield Step(done, len(entries))
        if split is not None:
            splits = {split: sorted(counts)}
        elif own_splits:
            splits = {
                name: [entry.stem for entry in entries if entry.split == name] for name in SPLITS
            }
        else:
            strata = {stem: np.flatnonzero(count).tolist() for stem, count in counts.items()}
            groups = join_groups({stem: groups[stem] for stem in counts}, looks)
            splits = assign_splits(groups, fractions=shares, seed=seed, strata=strata)
        splits = {name: stems for name, stems in splits.items() if stems}
        write_splits(folder, splits)
        save_info(folder, info)
    return ImportReport(
        target,
        info,
        {name: len(stems) for name, stems in splits.items()},
        {name: _sum(counts[stem] for stem in stems) for name, stems in splits.items()},
        (*notes, *_left_out(entries, plan.annotations), *_links(source)),
    )


def _check(format: str, source: Path, target: Path, split: str | None) -> None:
    if format not in FORMATS and not format.startswith(datumaro.PREFIX):
        raise UsageError(f"format is {format!r}; known are {', '.join(FORMATS)}")
    if split is not None and split not in SPLITS:
        raise UsageError(f"split is {split!r}; the splits are {', '.join(SPLITS)}")
    if not source.is_dir():
        raise DataError(f"{source}: no such folder; give the folder to import")
    if target.resolve().is_relative_to(source.resolve()):
        raise UsageError(
            f"{target}: lies inside the source, which an import leaves as it is; "
            "choose a place outside"
        )


def _plan(format: str, source: Path, masks: MaskOptions | None) -> Plan:
    if format.startswith(datumaro.PREFIX):
        return datumaro.plan(source, masks or MaskOptions(), format.removeprefix(datumaro.PREFIX))
    if format in _PLANS:
        return _PLANS[format](source, masks or MaskOptions())
    if masks is not None and masks != MaskOptions():
        raise UsageError(
            f"{format} names its own classes; --classes, --names, --binary and --channels are "
            "for other formats, such as folder"
        )
    return camvid.plan(source) if format == "camvid" else magnetic_tile.plan(source)


def _chosen(plan: Plan, split: str | None) -> tuple[list[Entry], tuple[str, ...]]:
    """Leave out what the source puts into no split, unless all goes into one."""
    entries = list(plan.entries)
    if not entries:
        raise DataError("the source holds no pictures; give the folder that holds them")
    _check_stems(entries)
    if split is not None or not any(entry.split for entry in entries):
        return entries, plan.notes
    kept = [entry for entry in entries if entry.split]
    left = len(entries) - len(kept)
    more = (f"left out, as in no file of splits/: {left} pictures",) if left else ()
    return kept, (*plan.notes, *more)


def _check_stems(entries: Sequence[Entry]) -> None:
    """Refuse names that a list of stems cannot hold, and two pictures of one stem."""
    seen: dict[str, Entry] = {}
    for entry in entries:
        check_stem(entry.stem, str(entry.image))
        check_listable(entry.stem, entry.image)
        other = seen.setdefault(entry.stem, entry)
        if other is not entry:
            raise DataError(
                f"{other.image} and {entry.image} would both become {entry.stem!r}; rename one, "
                "with its mask"
            )


def _read(entry: Entry, plan: Plan) -> tuple[UInt8Array, UInt8Array]:
    """Return the picture (H, W, channels) and its labels (H, W) of the same size."""
    image = read_image(entry.image, plan.info.channels)
    size = image.shape[:2]
    labels = plan.read_labels(entry)
    if labels is None:
        return image, np.zeros(size, np.uint8)
    name = entry.mask.name if entry.mask else entry.image.name
    if labels.shape != size:
        raise DataError(size_mismatch(name, labels.shape, size))
    unknown = plan.info.class_map.unknown(labels)
    if unknown:
        raise DataError(unknown_labels(name, unknown, plan.info.class_map))
    return image, labels


def _left_out(entries: Sequence[Entry], read: Collection[Path]) -> tuple[str, ...]:
    """Name the files beside pictures and masks that are neither and were not read either."""
    shown = {path for entry in entries for path in (entry.image, entry.mask) if path}
    used = shown.union(read)
    others = sorted(
        path.name
        for folder in {path.parent for path in shown}
        for path in folder.iterdir()
        if path.is_file() and path not in used and not path.name.startswith(".")
    )
    if not others:
        return ()
    listed = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
    return (f"left out, as not pictures of the data set: {listed}",)


def _links(source: Path) -> tuple[str, ...]:
    """Say of pictures behind a link that they were not looked for."""
    return tuple(
        f"left out {path.relative_to(source).as_posix()}/, a link to a folder; import a copy of it"
        for path in linked_folders(source)
    )


def _sum(counts: Iterable[NDArray[np.int64]]) -> NDArray[np.int64]:
    total: NDArray[np.int64] = np.sum(list(counts), axis=0)
    return total
