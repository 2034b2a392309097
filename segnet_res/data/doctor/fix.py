"""The doctor's two visits: look at every mask and decide, then write the corrected copy."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from segnet_res.classes import ClassMap
from segnet_res.data.dataset import (
    INFO_FILE,
    SPLITS,
    DatasetInfo,
    load_info,
    read_info,
    save_info,
    size_mismatch,
)
from segnet_res.data.doctor import separate, surplus
from segnet_res.data.doctor.decide import decide, named_after
from segnet_res.data.doctor.ends import find_ends
from segnet_res.data.doctor.layout import WHOLE, Layout, Pair, find_layout
from segnet_res.data.doctor.reading import Reading, parse_mapping
from segnet_res.data.doctor.repair import labels_of
from segnet_res.data.doctor.survey import RawMask, Survey, is_lossy, read_raw
from segnet_res.data.splits import check_listable, write_splits
from segnet_res.data.storage import copy_file, new_folder
from segnet_res.errors import DataError, ImageError, UsageError
from segnet_res.images import Channels, UInt8Array, image_size, is_grey, write_mask


@dataclass(frozen=True)
class FixOptions:
    """What the user knows better than the doctor.

    Attributes:
        names: Names of the classes in the order of their labels.
        classes: A file of the form of ``dataset.yaml`` with names and colours.
        mapping: What values mean, see `reading.parse_mapping`.
        order: Of masks of one class each, the classes from the lowest to the topmost.
        surplus: Which row and column is cut off masks that are one pixel too large.
    """

    names: Sequence[str] = ()
    classes: Path | None = None
    mapping: str | None = None
    order: Sequence[str] = ()
    surplus: Literal["first", "last"] | None = None


@dataclass(frozen=True)
class Diagnosis:
    """What the doctor found and would do.

    Attributes:
        source: The folder that was looked at.
        info: What ``dataset.yaml`` of the copy will say.
        found: What was seen and why it is read so, one sentence each.
        mapping: What becomes what, as the option ``--map`` takes it; empty where classes have
            files of their own.
        left_out: Files that the copy cannot hold, one sentence each.
    """

    source: Path
    info: DatasetInfo
    found: tuple[str, ...]
    mapping: str
    left_out: tuple[str, ...]
    _pairs: tuple[Pair, ...] = field(repr=False)
    _reading: Reading | None = field(repr=False)
    _stack: tuple[str, ...] = field(repr=False)
    _labels: dict[str, int] = field(repr=False)
    _ends: surplus.Ends = field(repr=False)

    def labels(self, pair: Pair) -> UInt8Array:
        """Return the labels (H, W) uint8 of a picture as they will be in the copy.

        Raises:
            DataError: when a mask holds what no other does.
        """
        size = image_size(pair.image)
        labels = _read_labels(pair, self._reading, self._stack, self._labels)
        return labels if labels.shape == size else surplus.cut(labels, size, self._ends)


@dataclass(frozen=True)
class FixReport:
    """What the doctor wrote.

    Attributes:
        target: The corrected copy.
        pictures: How many it holds.
        changed: How many masks hold other labels, or have another form or size, than before.
    """

    target: Path
    pictures: int
    changed: int


def diagnose(source: Path, options: FixOptions | None = None) -> Diagnosis:
    """Look at all masks in one go; see `diagnose_steps`."""
    steps = diagnose_steps(source, options)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            result: Diagnosis = stop.value
            return result


def diagnose_steps(
    source: Path, options: FixOptions | None = None
) -> Generator[tuple[int, int], None, Diagnosis]:
    """Look at all masks of a folder; yields (done, total) pictures, its value is the diagnosis.

    Args:
        source: A dataset folder, or a folder with ``images/`` and ``masks/`` at the top or in
            each split. It is only read.
        options: What the user knows.

    Raises:
        DataError: when no reading of the masks fits, or two do: the message says which option
            tells.
        UsageError: when an option does not make sense.
    """
    options = options or FixOptions()
    if not source.is_dir():
        raise DataError(f"{source}: no such folder; give the folder that holds images/ and masks/")
    info = _given_info(source, options)
    classes = _given_classes(info, options)
    told = None if options.mapping is None else parse_mapping(options.mapping, classes)
    layout = find_layout(source, classes.names if classes else ())
    if layout.classes and told is not None:
        raise UsageError(
            "--map tells values of one mask, but each class has masks of its own; leave it out"
        )
    if options.order and not layout.classes:
        raise UsageError("--order is for masks of one class each; leave it out")
    survey, coverage, left_out = Survey(), separate.Coverage(), list(layout.left_out)
    good: list[Pair] = []
    larger: list[Pair] = []
    for done, pair in enumerate(layout.pairs):
        yield (done, len(layout.pairs))
        try:
            is_larger = _survey(pair, layout, survey, coverage)
        except ImageError as error:
            left_out.append(str(error))
            continue
        good.append(pair)
        if is_larger:
            larger.append(pair)
    yield (len(layout.pairs), len(layout.pairs))
    if not good:
        raise DataError(f"{source}: no mask can be used; the first: {left_out[0]}")
    reading: Reading | None = None
    stack: tuple[str, ...] = ()
    labels: dict[str, int] = {}
    if layout.classes:
        classes, labels = separate.name_classes(layout.classes, classes)
        stack, found = separate.stacking(coverage, labels, options.order)
    else:
        reading = decide(survey, classes, told)
        if classes is None and told is None and layout.ending:
            reading = named_after(reading, layout.ending)
        classes, found = reading.class_map, (_kinds(survey), *reading.found)
    ends, notes = find_ends(
        larger, options.surplus, lambda p: _read_labels(p, reading, stack, labels)
    )
    return Diagnosis(
        source,
        DatasetInfo(
            info.name if info else source.resolve().name,
            classes,
            info.channels if info else _channels(good),
            info.group if info else None,
        ),
        (*layout.found, *found, *notes),
        reading.mapping() if reading else "",
        tuple(left_out),
        tuple(good),
        reading,
        stack,
        labels,
        ends,
    )


def fix_steps(diagnosis: Diagnosis, target: Path) -> Generator[tuple[int, int], None, FixReport]:
    """Write the corrected copy; yields (done, total) pictures, its value is the report.

    Pictures are copied byte for byte, masks written as 8-bit grey PNG of labels. The target appears
    when all is done; an error or closing the generator leaves nothing.

    Args:
        diagnosis: What was found.
        target: The dataset folder to make; it must not be there, or be empty.

    Raises:
        DataError: when a mask holds what no other does.
        StorageError: when the target is not empty or cannot be written.
        UsageError: when the target lies in the source.
    """
    if target.resolve().is_relative_to(diagnosis.source.resolve()):
        raise UsageError(
            f"{target}: lies inside the source, which stays as it is; choose a place outside"
        )
    changed = 0
    pairs = diagnosis._pairs
    with new_folder(target) as folder:
        for done, pair in enumerate(pairs):
            yield (done, len(pairs))
            labels = diagnosis.labels(pair)
            copy_file(pair.image, folder / "images" / f"{pair.stem}{pair.image.suffix}")
            write_mask(folder / "masks" / f"{pair.stem}.png", labels)
            changed += _differs(pair, labels)
        yield (len(pairs), len(pairs))
        splits = {split: [pair.stem for pair in pairs if pair.split == split] for split in SPLITS}
        write_splits(folder, {split: stems for split, stems in splits.items() if stems})
        save_info(folder, diagnosis.info)
    return FixReport(target, len(pairs), changed)


def _given_info(source: Path, options: FixOptions) -> DatasetInfo | None:
    if options.classes and options.names:
        raise UsageError("--classes and --names both name the classes; give one of them")
    if (source / INFO_FILE).is_file():
        return load_info(source)
    return None


def _given_classes(info: DatasetInfo | None, options: FixOptions) -> ClassMap | None:
    if options.names:
        return ClassMap.from_names(list(options.names))
    if options.classes:
        return read_info(options.classes).class_map
    return info.class_map if info else None


def _survey(pair: Pair, layout: Layout, survey: Survey, coverage: separate.Coverage) -> bool:
    """Take in the masks of a picture; tell whether they are one pixel larger than it.

    Raises:
        ImageError: when one cannot be read or has another size, or no list can hold the picture's
            name; then none of them counts.
    """
    try:
        check_listable(pair.stem, pair.image)
    except DataError as error:
        raise ImageError(str(error)) from error
    raws = {name: read_raw(path) for name, path in pair.masks.items()}
    size = image_size(pair.image)
    for name, raw in raws.items():
        if raw.shape != size and not surplus.is_surplus(raw.shape, size):
            raise ImageError(size_mismatch(pair.masks[name].name, raw.shape, size))
    if len({raw.shape for raw in raws.values()}) > 1:
        raise ImageError(
            f"{pair.image.name}: its masks differ in size; export all at the picture's size"
        )
    if layout.classes:
        parts = {name: separate.presence(pair.masks[name], raw) for name, raw in raws.items()}
        coverage.add(parts)
    else:
        survey.add(raws[WHOLE], lossy=is_lossy(pair.masks[WHOLE]))
    return any(raw.shape != size for raw in raws.values())


def _read_labels(
    pair: Pair, reading: Reading | None, stack: Sequence[str], labels: dict[str, int]
) -> UInt8Array:
    """Return the labels of a picture in the size of its masks."""
    if reading is not None:
        path = pair.masks[WHOLE]
        return labels_of(read_raw(path), reading, path.name)
    parts: dict[str, NDArray[np.bool_]] = {
        name: separate.presence(path, read_raw(path)) for name, path in pair.masks.items()
    }
    size = next((part.shape for part in parts.values()), image_size(pair.image))
    return separate.merged(parts, stack, labels, (size[0], size[1]))


def _kinds(survey: Survey) -> str:
    kinds = " and ".join(f"{count} {kind}" for kind, count in sorted(survey.kinds.items()))
    lossy = f", {survey.lossy} of them JPEG" if survey.lossy else ""
    return f"{kinds} mask{'s' if survey.files > 1 else ''}{lossy}"


def _channels(pairs: Sequence[Pair]) -> Channels:
    return 1 if all(is_grey(pair.image) for pair in pairs) else 3


def _differs(pair: Pair, labels: UInt8Array) -> bool:
    """Tell whether a mask is not the same file of labels as before."""
    if set(pair.masks) != {WHOLE} or pair.masks[WHOLE].suffix.lower() != ".png":
        return True
    raw: RawMask = read_raw(pair.masks[WHOLE])
    return raw.numbers is None or not np.array_equal(raw.numbers, labels)
