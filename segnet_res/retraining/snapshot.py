"""The data of a retraining, frozen in the run: new pictures and old ones as one dataset folder.

Datasets grow while somebody corrects masks, and a training that is resumed must see what it saw
before. Pictures are linked where the system can do that, so that they take no room. Masks, which
people correct, some programs in place, are copied, or written anew where labels differ, or colours
stand for them: those of the dataset need not be those of the candidate.
"""

import json
import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from segnet_res.data import DatasetInfo, SegmentationDataset, fingerprint, save_info
from segnet_res.data.dataset import SPLITS
from segnet_res.data.splits import write_splits
from segnet_res.data.storage import copy_file, new_folder, storing
from segnet_res.errors import DataError, TrainingError
from segnet_res.images import Channels, UInt8Array, atomic_write, is_grey, write_mask
from segnet_res.retraining.lineup import Lineup
from segnet_res.training.descent import Pool

SOURCES_FILE = "sources.json"


@dataclass(frozen=True)
class Source:
    """A dataset that a retraining learns from.

    Attributes:
        name: What people call it.
        path: Its folder.
        role: "new" or "base".
        prefix: Folder of its pictures in the snapshot.
        train: Number of pictures that are trained on.
        val: Number of pictures that are validated on.
        left_out: Pictures of its split train that are not trained on.
        fingerprint: Of its split train, as `segnet_res.data.fingerprint` gives it.
    """

    name: str
    path: str
    role: str
    prefix: str
    train: int
    val: int
    left_out: int
    fingerprint: str


class Sourced:
    """The splits of a dataset that a retraining learns from.

    Args:
        root: The dataset folder.
        place: 0 for the new dataset, 1 and up for old ones.

    Raises:
        DataError: when the folder is no dataset, or a split names what is not there.
    """

    def __init__(self, root: Path, place: int) -> None:
        self.root, self.place = root, place
        self.splits = {split: SegmentationDataset(root, split) for split in SPLITS}
        self.info = self.splits["train"].info

    @property
    def role(self) -> str:
        """What it is for: "new" or "base"."""
        return "base" if self.place else "new"

    @property
    def prefix(self) -> str:
        """Folder of its pictures in the snapshot."""
        return f"base{self.place}" if self.place else "new"


def freeze(
    target: Path,
    sources: Sequence[Sourced],
    lineup: Lineup,
    *,
    channels: Channels,
    left_out: Mapping[str, Collection[tuple[int, str]]] | None = None,
) -> list[Source]:
    """Write the training and validation pictures of several datasets as one, whole or not at all.

    Args:
        target: The folder; must not be there.
        sources: The new dataset, then the old ones.
        lineup: What becomes of the classes.
        channels: As the parent reads pictures.
        left_out: Pictures that do not count, by split: place of the dataset, stem.

    Raises:
        DataError: when a mask cannot be used, or no picture is there to train or validate on.
        StorageError: when the folder cannot be written.
    """
    lists: dict[str, list[str]] = {"train": [], "val": []}
    written = []
    for split, stems in lists.items():
        for source in sources:
            dropped = (left_out or {}).get(split, ())
            stems += [
                f"{source.prefix}/{stem}"
                for stem in source.splits[split].stems
                if (source.place, stem) not in dropped
            ]
    _check(lists, sources[0])
    with new_folder(target) as folder:
        for source in sources:
            for split, stems in lists.items():
                _copy(folder, source, split, set(stems), lineup)
            written.append(_describe(source, lists))
        save_info(folder, DatasetInfo(sources[0].info.name, lineup.class_map, channels))
        write_splits(folder, lists)
        with atomic_write(folder / SOURCES_FILE) as file:
            file.write(json.dumps([asdict(one) for one in written], indent=2).encode() + b"\n")
    return written


def read_sources(target: Path) -> list[Source]:
    """Return what a snapshot was made from.

    Raises:
        TrainingError: when that cannot be read.
    """
    path = target / SOURCES_FILE
    try:
        return [Source(**one) for one in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError) as error:
        raise TrainingError(f"{path}: damaged ({error}); start again in another folder") from error


def pools(dataset: SegmentationDataset, share: float) -> tuple[Pool, ...]:
    """Return how often new and old pictures of a snapshot are drawn.

    Args:
        dataset: The split train of a snapshot.
        share: Of the crops from new pictures, 0 to 1; without old pictures, all are.
    """
    new = np.array([stem.startswith("new/") for stem in dataset.stems])
    if new.all() or not new.any():
        return ()
    return (Pool(share, np.flatnonzero(new)), Pool(1 - share, np.flatnonzero(~new)))


def _check(lists: Mapping[str, Sequence[str]], new: Sourced) -> None:
    if not any(stem.startswith("new/") for stem in lists["train"]):
        raise DataError(
            f"{new.info.name}: no picture of the split 'train' is left to learn from; add some, or "
            "fill the split with `segnet-res data split`"
        )
    if not lists["val"]:
        raise DataError(
            f"{new.info.name}: no picture to validate on; fill its split 'val', or give an old "
            "dataset that has one: --base OLD_DATASET"
        )


def _copy(
    folder: Path, source: Sourced, split: str, wanted: Collection[str], lineup: Lineup
) -> None:
    dataset = source.splits[split]
    table = lineup.table(source.info.class_map)
    for index, stem in enumerate(dataset.stems):
        name = f"{source.prefix}/{stem}"
        if name not in wanted:
            continue
        image = dataset.image_path(index)
        _link(image, folder / "images" / source.prefix / image.relative_to(source.root / "images"))
        before, mask = dataset.mask_path(index), folder / "masks" / f"{name}.png"
        labels = dataset.read_labels(index)
        if _same(labels, table) and is_grey(before):
            copy_file(before, mask)
        else:
            write_mask(mask, table[labels])


def _same(labels: UInt8Array, table: UInt8Array) -> bool:
    held = np.flatnonzero(np.bincount(labels.ravel(), minlength=256))
    return bool((table[held] == held).all())


def _link(source: Path, target: Path) -> None:
    with storing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source.resolve(), target)
        except OSError:
            # Another file system, or one that knows no links, or somebody else's file.
            shutil.copyfile(source, target)


def _describe(source: Sourced, lists: Mapping[str, Sequence[str]]) -> Source:
    counts = {
        split: sum(stem.startswith(f"{source.prefix}/") for stem in stems)
        for split, stems in lists.items()
    }
    return Source(
        source.info.name,
        str(source.root.resolve()),
        source.role,
        source.prefix,
        counts["train"],
        counts["val"],
        len(source.splits["train"]) - counts["train"],
        fingerprint(source.splits["train"]),
    )
