"""What is wrong with a dataset folder: every orphan, misfit, unreadable file and leak, by name."""

import hashlib
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segnet_res.data.annotations import ANNOTATIONS_FILE, told_parts
from segnet_res.data.copies import Alike, copy_problems, mask_problems
from segnet_res.data.dataset import (
    INFO_FILE,
    SPLITS,
    DatasetInfo,
    check_stem,
    index_images,
    index_masks,
    listed_twice,
    load_info,
    relative_name,
    size_mismatch,
    split_lines,
    unknown_labels,
    with_path,
)
from segnet_res.data.lookalike import Look, look
from segnet_res.data.parts import parts_of, torn_parts
from segnet_res.data.problem import Problem
from segnet_res.data.shares import count_labels
from segnet_res.errors import DataError, ImageError
from segnet_res.images import UInt8Array, find_images, linked_folders, read_image, read_mask


@dataclass(frozen=True)
class CheckReport:
    """What a check found.

    Attributes:
        info: What ``dataset.yaml`` says.
        problems: Everything found, serious or not.
        images: Number of readable pairs of each split that has any.
        pixels: Labelled pixels of each class of each of these splits, (C,) int64.
    """

    info: DatasetInfo
    problems: tuple[Problem, ...]
    images: Mapping[str, int]
    pixels: Mapping[str, NDArray[np.int64]]


@dataclass
class _Seen:
    """What one pass over the files keeps of each picture."""

    looks: dict[str, Look] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    counts: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    labels: set[int] = field(default_factory=set)


def check_dataset(root: Path) -> list[Problem]:
    """Check a dataset folder in one go; see `check_steps`."""
    steps = check_steps(root)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            report: CheckReport = stop.value
            return list(report.problems)


def check_steps(root: Path) -> Generator[tuple[int, int], None, CheckReport]:
    """Check a dataset folder; yields (done, total) pictures, its value is the report.

    Every picture and mask is decoded once.

    Raises:
        DataError: when the folder has no usable ``dataset.yaml``.
    """
    info = load_info(root)
    images, masks = index_images(root), index_masks(root)
    splits: dict[str, tuple[str, ...]] = {}
    problems = [*_file_problems(root, images, masks), *_link_problems(root)]
    problems += _split_problems(root, images, splits)
    problems += _part_problems(root, info, list(images), splits)
    seen = _Seen()
    total = len(images)
    yield (0, total)
    for done, (stem, paths) in enumerate(images.items(), start=1):
        problems += _pair_problems(root, stem, paths[0], masks.get(stem), info, seen)
        yield (done, total)
    problems += _label_problems(info, splits, seen)
    pictures = {stem: relative_name(paths[0], root) for stem, paths in images.items()}
    homes = {stem: split for split, stems in splits.items() for stem in stems}
    seen_alike = Alike(pictures, homes, seen.looks, seen.digests, seen.counts)
    problems += copy_problems(seen_alike)
    problems += mask_problems(
        seen_alike, info.class_map, lambda stem: read_mask(masks[stem], info.class_map)
    )
    usable = {name: [s for s in stems if s in seen.counts] for name, stems in splits.items()}
    usable = {name: stems for name, stems in usable.items() if stems}
    return CheckReport(
        info,
        tuple(problems),
        {name: len(stems) for name, stems in usable.items()},
        {name: _sum(seen, stems) for name, stems in usable.items()},
    )


def _sum(seen: _Seen, stems: list[str]) -> NDArray[np.int64]:
    total: NDArray[np.int64] = np.sum([seen.counts[stem] for stem in stems], axis=0)
    return total


def _file_problems(
    root: Path, images: Mapping[str, list[Path]], masks: Mapping[str, Path]
) -> Iterator[Problem]:
    if not images:
        yield Problem("orphan", "images", "images/: no picture is in it; add pictures and masks")
    for stem, paths in images.items():
        name = relative_name(paths[0], root)
        if len(paths) > 1:
            names = " and ".join(path.name for path in paths)
            yield Problem(
                "orphan", name, f"{name}: {names} have one stem, so one mask; keep one of them"
            )
        if stem not in masks:
            yield Problem("orphan", name, f"{name}: no mask masks/{stem}.png; add it")
    for stem, path in masks.items():
        if stem not in images:
            name = relative_name(path, root)
            yield Problem(
                "orphan", name, f"{name}: no picture images/{stem}.*; add it or remove the mask"
            )
    for path in find_images(root / "masks"):
        if path.suffix.lower() != ".png":
            name = relative_name(path, root)
            yield Problem("orphan", name, f"{name}: masks are PNG files; save it as one")


def _link_problems(root: Path) -> Iterator[Problem]:
    for folder in ("images", "masks"):
        for path in linked_folders(root / folder):
            name = relative_name(path, root)
            message = f"{name}: is a link to a folder, which is not followed; copy the folder here"
            yield Problem("orphan", name, message)


def _split_problems(
    root: Path, images: Mapping[str, list[Path]], splits: dict[str, tuple[str, ...]]
) -> Iterator[Problem]:
    """Yield what is wrong with the lists and fill ``splits``."""
    homes: dict[str, str] = {}
    unread = False
    for split in SPLITS:
        name = f"splits/{split}.txt"
        try:
            lines = split_lines(root, split)
        except DataError as error:
            unread = True
            yield Problem("split", name, with_path(error, root / name, root))
            continue
        splits[split] = yield from _line_problems(name, lines)
        for stem in splits[split]:
            if stem not in images:
                yield Problem(
                    "split", name, f"{name}: {stem!r} has no picture; add it or remove the line"
                )
            if stem in homes:
                yield Problem(
                    "split",
                    name,
                    f"{name}: {stem!r} is also in splits/{homes[stem]}.txt; keep it in one",
                )
            homes.setdefault(stem, split)
    for path in sorted((root / "splits").glob("*")):
        if path.is_file() and not path.name.startswith(".") and path.stem not in SPLITS:
            name = relative_name(path, root)
            yield Problem("note", name, f"{name}: is not read; the splits are {', '.join(SPLITS)}")
    left = [stem for stem in images if stem not in homes]
    # A list that nobody can read may name them all.
    if left and not unread:
        listed = ", ".join(left[:5]) + (", ..." if len(left) > 5 else "")
        yield Problem("note", "splits", f"pictures in no split: {len(left)} ({listed})")


def _line_problems(name: str, lines: Sequence[str]) -> Generator[Problem, None, tuple[str, ...]]:
    """Yield what is wrong with the lines of one list; its value is its good stems, each once."""
    stems = []
    for stem, count in Counter(lines).items():
        try:
            check_stem(stem, name)
        except DataError as error:
            yield Problem("split", name, str(error))
            continue
        stems.append(stem)
        if count > 1:
            yield Problem("split", name, listed_twice(name, stem))
    return tuple(stems)


def _part_problems(
    root: Path, info: DatasetInfo, stems: list[str], splits: Mapping[str, tuple[str, ...]]
) -> Iterator[Problem]:
    """Yield the parts whose pictures lie in several splits, as far as names tell parts."""
    told: Mapping[str, str] = {}
    try:
        told = told_parts(root)
    except DataError as error:
        yield Problem(
            "unreadable", ANNOTATIONS_FILE, with_path(error, root / ANNOTATIONS_FILE, root)
        )
    try:
        groups = parts_of(stems, info, told)
    except DataError as error:
        yield Problem("split", INFO_FILE, f"{INFO_FILE}: {error}")
        return
    for part, found in torn_parts(groups, splits).items():
        listed = " and ".join(f"{stem!r} in {split}" for split, stem in found.items())
        yield Problem(
            "split",
            "splits",
            f"splits/: part {part!r} lies in several, {listed}, so scores flatter; "
            "divide anew with `segnet-res data split --force`",
        )


def _pair_problems(
    root: Path, stem: str, image_path: Path, mask_path: Path | None, info: DatasetInfo, seen: _Seen
) -> Iterator[Problem]:
    image: UInt8Array | None = None
    try:
        image = read_image(image_path, info.channels)
    except ImageError as error:
        yield Problem(
            "unreadable", relative_name(image_path, root), with_path(error, image_path, root)
        )
    else:
        seen.looks[stem] = look(image)
        digest = hashlib.sha256(repr(image.shape).encode())
        digest.update(image.tobytes())
        seen.digests[stem] = digest.hexdigest()
    if mask_path is None:
        return
    name = relative_name(mask_path, root)
    try:
        labels = read_mask(mask_path, info.class_map)
    except ImageError as error:
        yield Problem("unreadable", name, with_path(error, mask_path, root))
        return
    seen.labels |= set(np.flatnonzero(np.bincount(labels.ravel(), minlength=256)).tolist())
    unknown = info.class_map.unknown(labels)
    if unknown:
        yield Problem("label", name, unknown_labels(name, unknown, info.class_map))
    if image is not None and labels.shape != image.shape[:2]:
        yield Problem("size", name, size_mismatch(name, labels.shape, image.shape[:2]))
    elif image is not None:
        seen.counts[stem] = count_labels(labels, len(info.class_map))


def _label_problems(
    info: DatasetInfo, splits: Mapping[str, tuple[str, ...]], seen: _Seen
) -> Iterator[Problem]:
    if seen.labels == {0, 255} and info.class_map.ignore_index == 255:
        yield Problem(
            "label",
            "masks",
            "masks/: hold only 0 and 255, and 255 means ignored, so no class but "
            f"{info.class_map.names[0]!r} is there; if they are black-and-white pictures, import "
            "them with `segnet-res data import folder --binary`",
        )
        return
    usable = {
        split: [stem for stem in stems if stem in seen.counts] for split, stems in splits.items()
    }
    if not usable.get("train"):
        return
    counts = {split: _sum(seen, stems) for split, stems in usable.items() if stems}
    for label, name in enumerate(info.class_map.names):
        if counts["train"][label]:
            continue
        where = [split for split in counts if counts[split][label]]
        if not where:
            yield Problem("note", "splits/train.txt", f"class {name!r} does not occur in train")
            continue
        pictures = [s for split in where for s in usable[split] if seen.counts[s][label]]
        yield Problem(
            "class",
            "splits/train.txt",
            f"class {name!r} is in {' and '.join(where)} (pictures: {len(pictures)}, "
            f"{pictures[0]!r} for one) and not in train, so no model can learn it; move some to "
            "train, or divide anew with `segnet-res data split --force`",
        )
