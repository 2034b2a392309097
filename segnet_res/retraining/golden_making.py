"""Making a golden set: a split of a dataset, frozen."""

import json
import os
from collections.abc import Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnet_res.data import SegmentationDataset, empty_split, part_groups
from segnet_res.data.shares import count_labels
from segnet_res.errors import DataError, StorageError
from segnet_res.images import atomic_write
from segnet_res.inference.manifest import digest_of_file
from segnet_res.retraining.golden import VERSION, GoldenPicture, GoldenSet, check_measures


@dataclass(frozen=True)
class Holding:
    """On how many pictures and parts of a golden set a class is seen."""

    name: str
    pictures: int
    parts: int


def make_golden(root: Path, split: str, target: Path) -> tuple[GoldenSet, tuple[Holding, ...]]:
    """Freeze a split of a dataset.

    Args:
        root: The dataset folder.
        split: "val" or "test".
        target: The file to write; must not be there.

    Returns:
        The set, and for each class on how much of it it is seen.

    Raises:
        UsageError: when the split is the one that is trained on.
        DataError: when it is empty or holds a file that cannot be used.
        StorageError: when the file is there or cannot be written.
    """
    steps = golden_steps(root, split, target)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            made: tuple[GoldenSet, tuple[Holding, ...]] = stop.value
            return made


def golden_steps(
    root: Path, split: str, target: Path
) -> Generator[tuple[int, int], None, tuple[GoldenSet, tuple[Holding, ...]]]:
    """Do what `make_golden` does, one picture after another; closed early it leaves nothing.

    Yields:
        How many pictures are done, and how many there are.
    """
    check_measures(split)
    if target.exists():
        raise StorageError(f"{target}: is there already and stays as it is; choose another name")
    dataset = SegmentationDataset(root, split)
    if not len(dataset):
        raise DataError(empty_split(dataset))
    parts = part_groups(dataset)
    present = np.zeros((len(dataset), len(dataset.class_map)), np.bool_)
    pictures = []
    for index, stem in enumerate(dataset.stems):
        yield index, len(dataset)
        # Both are read, so that what cannot be used is found before it is frozen.
        present[index] = count_labels(dataset[index].labels, len(dataset.class_map)) > 0
        image, mask = dataset.image_path(index), dataset.mask_path(index)
        pictures.append(
            GoldenPicture(
                stem,
                parts[stem],
                image.relative_to(root / "images").as_posix(),
                digest_of_file(image),
                digest_of_file(mask),
            )
        )
    golden = GoldenSet(
        target,
        root,
        dataset.info.name,
        split,
        dataset.class_map,
        dataset.channels,
        tuple(pictures),
    )
    _write(golden)
    return golden, _holdings(golden, present)


def _write(golden: GoldenSet) -> None:
    content: dict[str, Any] = {
        "golden": VERSION,
        "name": golden.name,
        # Relative, so that both can be moved together.
        "dataset": _relative(golden.root, golden.path.parent),
        "split": golden.split,
        **golden.class_map.to_dict(),
        "channels": golden.channels,
        "fingerprint": golden.fingerprint,
        "pictures": [asdict(picture) for picture in golden.pictures],
    }
    with atomic_write(golden.path) as file:
        file.write(json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n")


def _relative(root: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(root.resolve(), folder.resolve())).as_posix()
    except ValueError:
        # Another drive of Windows.
        return root.resolve().as_posix()


def _holdings(golden: GoldenSet, present: NDArray[np.bool_]) -> tuple[Holding, ...]:
    parts = np.asarray(golden.parts)
    return tuple(
        Holding(name, int(present[:, i].sum()), len(set(parts[present[:, i]].tolist())))
        for i, name in enumerate(golden.class_map.names)
    )
