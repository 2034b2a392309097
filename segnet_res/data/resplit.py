"""Divide an existing dataset anew; the old lists are kept."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from segnet_res.data.annotations import not_done, told_parts
from segnet_res.data.dataset import (
    INFO_FILE,
    SPLITS,
    DatasetInfo,
    index_images,
    index_masks,
    load_info,
    parse_info,
    unknown_labels,
    yaml_scalar,
)
from segnet_res.data.locks import holding
from segnet_res.data.lookalike import look
from segnet_res.data.parts import join_parts
from segnet_res.data.splits import (
    DEFAULT_FRACTIONS,
    assign_splits,
    check_fractions,
    check_listable,
    group_by_pattern,
    join_groups,
    write_splits,
)
from segnet_res.data.storage import copy_file, storing
from segnet_res.data.tiles import is_photograph, tile_groups
from segnet_res.errors import DataError, UsageError
from segnet_res.images import atomic_write, read_image, read_mask


def split_dataset(
    root: Path,
    *,
    fractions: Sequence[float] = DEFAULT_FRACTIONS,
    seed: int = 0,
    group: str | None = None,
    force: bool = False,
) -> dict[str, list[str]]:
    """Divide all pairs of a dataset into splits and write the lists.

    Pictures of one part stay together: as ``group`` tells them, or ``group`` of ``dataset.yaml``.
    Without either, photographs of the magnetic-tile data set stay together by tile, as its
    importer does it, and any other picture is a part of its own. Parts that somebody named in
    ``annotations.jsonl`` stay together too, and what is to review or rejected there is in no split.

    Args:
        root: The dataset folder.
        fractions: Share of the pictures for train, val and test.
        seed: Chooses which parts go where.
        group: Regular expression that finds the part in a stem; takes the place of the dataset's
            own, so that later divisions and evaluations know the same parts.
        force: Replace lists that are there; they are kept in ``splits/old-<number>/``.

    Returns:
        The stems of each split.

    Raises:
        UsageError: when there are lists already and ``force`` is not given, or an option does not
            make sense.
        DataError: when the folder is no dataset, or a picture lacks its mask.
        StorageError: when a list cannot be written, or somebody else changes the dataset.
    """
    # A correction that is saved meanwhile would be in no list.
    with holding(root):
        return _split(root, check_fractions(fractions), seed, group, force)


def _split(
    root: Path, shares: Sequence[float], seed: int, group: str | None, force: bool
) -> dict[str, list[str]]:
    info = load_info(root)
    old = [path for split in SPLITS if (path := root / "splits" / f"{split}.txt").is_file()]
    if old and not force:
        raise UsageError(
            f"{root}: is divided already (splits/{old[0].name}); "
            "add --force to divide it anew and keep the old lists in splits/old-1/"
        )
    left_out = not_done(root)
    images = {stem: paths for stem, paths in index_images(root).items() if stem not in left_out}
    masks = index_masks(root)
    for stem, paths in images.items():
        check_listable(stem, paths[0])
        if stem not in masks:
            raise DataError(
                f"{paths[0].name}: no mask masks/{stem}.png; add it, or look for more with "
                "`segnet-res data check`"
            )
    if not images:
        found = f"none of its {len(left_out)} pictures is done" if left_out else "no pictures"
        raise DataError(f"{root}: {found}; add pictures with masks to images/ and masks/")
    group = info.group if group is None else group
    told = told_parts(root)
    if group is not None:
        groups = group_by_pattern(images, group, optional=told)
    else:
        tiles = {stem: paths[0] for stem, paths in images.items() if is_photograph(stem)}
        looks = {stem: look(read_image(path, 1)) for stem, path in tiles.items()}
        groups = join_groups(tile_groups(list(images)), looks)
    groups = join_parts(groups, told)
    strata = {stem: _classes(masks[stem], info) for stem in images}
    splits = assign_splits(groups, fractions=shares, seed=seed, strata=strata)
    splits = {split: stems for split, stems in splits.items() if stems}
    # First: lists of parts that nothing tells of would look sound to whoever checks them.
    if group != info.group:
        assert group is not None
        _tell_group(root, group)
    _keep(root, old)
    write_splits(root, splits)
    with storing(root / "splits"):
        for path in old:
            if path.stem not in splits:
                path.unlink()
    return splits


def _tell_group(root: Path, group: str) -> None:
    """Write the expression into ``dataset.yaml``; whatever else is in the file stays as it is."""
    path = root / INFO_FILE
    text = path.read_text(encoding="utf-8")
    quoted = yaml_scalar(group)
    document: Any = yaml.compose(text, yaml.SafeLoader)
    there = [value for key, value in document.value if key.value == "group"]
    if there:
        start, end = there[0].start_mark.index, there[0].end_mark.index
        changed = f"{text[:start]}{quoted}{text[end:]}"
    else:
        changed = f"{text.rstrip()}\ngroup: {quoted}\n"
    try:
        understood = parse_info(changed, path) == replace(parse_info(text, path), group=group)
    except DataError:
        understood = False
    if not understood:
        raise DataError(
            f"{path}: is written in a way that leaves no place for the line `group: {quoted}`; add "
            "it there by hand, and divide again without --group"
        )
    with atomic_write(path) as file:
        file.write(changed.encode())


def _classes(path: Path, info: DatasetInfo) -> list[int]:
    labels = read_mask(path, info.class_map)
    unknown = info.class_map.unknown(labels)
    if unknown:
        raise DataError(unknown_labels(path.name, unknown, info.class_map))
    return [label for label in np.unique(labels).tolist() if label != info.class_map.ignore_index]


def _keep(root: Path, lists: Sequence[Path]) -> None:
    """Copy the old lists to the first free ``splits/old-<number>/``."""
    number = 1
    while (root / "splits" / f"old-{number}").exists():
        number += 1
    for path in lists:
        copy_file(path, root / "splits" / f"old-{number}" / path.name)
