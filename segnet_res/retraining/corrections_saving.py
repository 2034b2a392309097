"""One picture of a dataset that is held: what is known of it, and writing it with its mask."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segnet_res.data.annotations import DONE, annotations
from segnet_res.data.dataset import (
    SPLITS,
    DatasetInfo,
    index_images,
    load_info,
    read_split,
    size_mismatch,
    unknown_labels,
)
from segnet_res.errors import DataError
from segnet_res.images import (
    UInt8Array,
    atomic_write,
    image_size,
    read_mask,
    read_picture,
    write_mask,
)
from segnet_res.inference.manifest import digest_of_file
from segnet_res.retraining.corrections_history import keep_mask, revision_of
from segnet_res.retraining.corrections_names import Content, find_content, free_stem
from segnet_res.retraining.corrections_splits import choose_split, siblings, tells_part


@dataclass(frozen=True)
class Mask:
    """The mask that is there now; its labels are None where it cannot be read."""

    path: Path
    sha256: str
    labels: UInt8Array | None


class Save:
    """One picture of a dataset that is held, and what is known of it.

    Args:
        root: The dataset folder.
        content: The picture.
        name: What people call it.
    """

    def __init__(self, root: Path, content: Content, name: str) -> None:
        self.root, self.content = root, content
        self.info: DatasetInfo = load_info(root)
        self.known = annotations(root)
        found = find_content(root, content, self.known, name)
        self.is_new = found is None
        self.stem = free_stem(root, name) if found is None else found
        self._suffix = content.suffix(name) if found is None else ""
        self.line = self.known.get(self.stem)
        self.mask = self._read_mask()

    def check(self, labels: UInt8Array) -> None:
        """Refuse labels that are no mask of the picture, and a picture that cannot be listed."""
        self.check_picture(labels)
        unknown = self.info.class_map.unknown(labels)
        if unknown:
            raise DataError(unknown_labels(self.stem, unknown, self.info.class_map))

    def check_picture(self, labels: UInt8Array) -> None:
        """The same, but for the classes that the labels stand for."""
        if not self.stem.isascii() and self.stem != self.stem.encode(errors="ignore").decode():
            raise DataError(
                f"{self.stem!r}: the name is no UTF-8, so that no split can list it; rename the "
                "picture and its mask"
            )
        if labels.ndim != 2 or labels.dtype != np.uint8:
            raise DataError(
                f"{self.stem}: the mask is {labels.shape} of {labels.dtype}; give (H, W) of uint8"
            )
        # A new picture is decoded as a whole: a damaged one would stop the next training.
        size = (
            read_picture(self.content.path, self.info.channels, self.content.data).array.shape[:2]
            if self.is_new
            else image_size(index_images(self.root)[self.stem][0])
        )
        if labels.shape != size:
            raise DataError(size_mismatch(self.stem, labels.shape, size))

    def place(
        self, state: str, part: str | None, split: str | None
    ) -> tuple[str | None, str, bool]:
        """Return the split that the picture belongs to, its part, and whether somebody named it.

        Raises:
            DataError: when neither the name of a new picture nor anybody tells its part.
            UsageError: as `choose_split`.
        """
        told = part
        if told is None and self.line is not None and self.line.part_told:
            told = self.line.part
        if told is None and self.is_new and not tells_part(self.stem, self.info):
            raise DataError(
                f"{self.stem}: the group expression {self.info.group!r} of the dataset does not "
                "match, so that nobody could tell its part; name the part, or give the picture "
                "another name"
            )
        images = index_images(self.root)
        named = {stem: one.part for stem, one in self.known.items() if one.part_told}
        shown, others = siblings(self.stem, told, images, self.info, named)
        splits = self._homes(images)
        if state != DONE and split is None:
            # It goes back there when it is done again.
            home = next((name for name in SPLITS if self.stem in splits[name]), None)
        else:
            home = choose_split(splits, self.stem, others, wanted=split)
        return home, shown, told is not None

    def _homes(self, images: Collection[str]) -> dict[str, set[str]]:
        """Return the pictures of each split, with those that were taken out and may come back.

        What was there to measure by must not be trained on later, nor what shows the same part.
        """
        homes = {name: set(read_split(self.root, name)) for name in SPLITS}
        there = set().union(*homes.values())
        for stem, line in self.known.items():
            if line.home is not None and stem not in there and stem in images:
                homes[line.home].add(stem)
        return homes

    def write(self, labels: UInt8Array, *, replaces: bool) -> int:
        """Write picture and mask as far as they are not there; return the mask's revision."""
        if self.is_new:
            with atomic_write(self.root / "images" / f"{self.stem}{self._suffix}") as file:
                file.write(self.content.data)
        path = mask_path(self.root, self.stem)
        if self.mask is None:
            write_mask(path, labels)
            return max(1, revision_of(self.root, self.stem, self.line, None) + 1)
        revision = revision_of(self.root, self.stem, self.line, self.mask.sha256)
        if not replaces:
            # Somebody says for the first time that a mask is right.
            return max(1, revision)
        keep_mask(self.root, self.stem, revision, path)
        write_mask(path, labels)
        return revision + 1

    def _read_mask(self) -> Mask | None:
        path = mask_path(self.root, self.stem)
        try:
            sha256 = digest_of_file(path)
        except FileNotFoundError:
            return None
        try:
            return Mask(path, sha256, read_mask(path, self.info.class_map))
        except DataError:
            # What cannot be read differs from whatever is saved, and is kept as it is.
            return Mask(path, sha256, None)


def mask_path(root: Path, stem: str) -> Path:
    """Return where the mask of a picture lies, or will lie."""
    return root / "masks" / f"{stem}.png"
