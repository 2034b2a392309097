"""Divide an existing dataset anew; the old lists are kept."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from segnet_res.data.annotations import not_done, told_parts
from segnet_res.data.dataset import (
    SPLITS,
    DatasetInfo,
    index_images,
    index_masks,
    load_info,
    unknown_labels,
)
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
from segnet_res.images import read_image, read_mask


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
        group: Regular expression that finds the part in a stem; counts before the dataset's own.
        force: Replace lists that are there; they are kept in ``splits/old-<number>/``.

    Returns:
        The stems of each split.

    Raises:
        UsageError: when there are lists already and ``force`` is not given, or an option does not
            make sense.
        DataError: when the folder is no dataset, or a picture lacks its mask.
        StorageError: when a list cannot be written.
    """
    info = load_info(root)
    shares = check_fractions(fractions)
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
    _keep(root, old)
    write_splits(root, splits)
    with storing(root / "splits"):
        for path in old:
            if path.stem not in splits:
                path.unlink()
    return splits


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
