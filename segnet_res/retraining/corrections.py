"""Corrected masks become part of a dataset: whole, once, and with who, when and by which model.

A save writes, in this order: the picture where it is new, the mask before to ``history/``, the
mask, the lists of the splits, and at last a line of ``annotations.jsonl``. A process that is killed
in between leaves whole files, and no picture in a split without its mask; saving again does the
rest.
"""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from segnet_res.classes import ClassMap, Color
from segnet_res.data.annotations import (
    DONE,
    STATES,
    Annotation,
    annotations,
    append_annotation,
)
from segnet_res.data.dataset import (
    SPLITS,
    check_stem,
    index_images,
    load_info,
    size_mismatch,
    unknown_labels,
)
from segnet_res.data.locks import holding
from segnet_res.errors import DataError, UsageError
from segnet_res.images import UInt8Array, image_size, read_mask
from segnet_res.inference.manifest import digest_of_file
from segnet_res.retraining.corrections_classes import insert_class, make_dataset
from segnet_res.retraining.corrections_names import Content, find_content
from segnet_res.retraining.corrections_saving import Mask, Save, mask_path
from segnet_res.retraining.corrections_splits import move_to

__all__ = [
    "STATES",
    "Annotation",
    "ConflictError",
    "add_class",
    "annotations",
    "current_mask",
    "find_picture",
    "make_dataset",
    "picture_path",
    "save_correction",
]

_LONGEST_WORDS = 200


class ConflictError(DataError):
    """Somebody else has saved a mask since this one was opened.

    Args:
        message: What, found, remedy.
        annotation: What was saved meanwhile; None where the mask bears no name.

    Attributes:
        annotation: The same.
    """

    def __init__(self, message: str, annotation: Annotation | None) -> None:
        super().__init__(message)
        self.annotation = annotation


def add_class(root: Path, name: str, color: Color | None = None) -> ClassMap:
    """Add a class behind the others, while nobody else changes the dataset; see `insert_class`.

    Raises:
        UsageError: when the name says nothing.
        DataError: when the name is there already, or no label is free.
        StorageError: when the file cannot be written, or others keep the dataset busy.
    """
    with holding(root):
        return insert_class(root, name, color)


def find_picture(root: Path, picture: Path, name: str = "") -> str | None:
    """Return the stem of a picture in a dataset, known by its bytes; None where it is not there.

    Args:
        root: The dataset folder.
        picture: The file.
        name: What people call it: of several equal pictures the one of this name is meant.

    Raises:
        DataError: when the picture or the annotations cannot be read.
    """
    return find_content(root, Content(picture), annotations(root), name or picture.name)


def picture_path(root: Path, stem: str) -> Path:
    """Return the file of a picture of a dataset.

    Raises:
        DataError: when there is none, or the stem leads out of the dataset.
    """
    check_stem(stem, root.name)
    paths = index_images(root).get(stem)
    if not paths:
        raise DataError(f"{root.name}: no picture is called {stem!r}; choose one of images/")
    return paths[0]


def current_mask(root: Path, stem: str) -> tuple[UInt8Array, str] | None:
    """Return the mask of a picture as it is now.

    Args:
        root: The dataset folder.
        stem: The picture.

    Returns:
        (H, W) uint8 labels of the dataset's classes or ``ignore_index``, and the SHA-256 of the
        file; None where there is no mask.

    Raises:
        DataError: when the mask cannot be read, does not fit its picture or the classes, or the
            stem leads out of the dataset.
    """
    check_stem(stem, root.name)
    class_map = load_info(root).class_map
    path = mask_path(root, stem)
    while True:
        try:
            sha256 = digest_of_file(path)
        except FileNotFoundError:
            return None
        labels = read_mask(path, class_map)
        # Somebody may have saved in between; then both are read again.
        if digest_of_file(path) == sha256:
            _check_fit(root, stem, labels, class_map)
            return labels, sha256


def save_correction(
    root: Path,
    picture: Path,
    labels: UInt8Array,
    *,
    name: str,
    who: str,
    state: str = DONE,
    part: str | None = None,
    split: str | None = None,
    proposed_by: str | None = None,
    opened: str | None = None,
    overwrite: bool = False,
) -> Annotation:
    """Save a corrected mask into a dataset, with its picture where that is new there.

    The same picture, byte for byte, is never there twice: its mask gets a new revision, and the
    one before goes to ``history/<stem>/<revision>.png``. A mask that is the same as before makes
    no revision, and a line only where state, person, part or split are others.

    Only pictures that are done are in a split: that of other pictures of their part, else the one
    of train and val that lacks most of its share of 0.75 and 0.25.

    Args:
        root: The dataset folder.
        picture: The picture, of a format that `segnet_res.images.read_picture` takes.
        labels: (H, W) uint8 at the picture's size, the dataset's labels or ``ignore_index``.
        name: The picture's file name as people know it.
        who: Who saves.
        state: One of `STATES`.
        part: The part that the picture shows; None: as its name, or who named it before, tells.
        split: The split that it shall go to; None leaves it open.
        proposed_by: The checkpoint whose prediction was corrected, as name and short hash.
        opened: The SHA-256 of the mask that was there when the picture was opened, as
            `current_mask` gives it; None: there was none.
        overwrite: Whether another mask that is there by now is replaced; it is kept in history.

    Returns:
        What is known of the picture now.

    Raises:
        ConflictError: when the mask that is there is another than ``opened``.
        UsageError: when a word is empty, a state or split is unknown, or the split would tear the
            part.
        DataError: when the dataset, the picture or the labels cannot be used.
        StorageError: when something cannot be written, or others keep the dataset busy.
    """
    who = _words("who", who)
    part = None if part is None else _words("part", part)
    proposed_by = None if proposed_by is None else _words("proposed_by", proposed_by)
    _check_choices(state, split)
    content = Content(picture)
    with holding(root):
        save = Save(root, content, name)
        save.check(labels)
        before = save.mask
        same = before is not None and _equal(before.labels, labels)
        if before is not None and not same and before.sha256 != opened and not overwrite:
            raise _conflict(save, before)
        home, shown, told = save.place(state, part, split)
        revision = save.write(labels, replaces=not same)
        move_to(root, save.stem, home if state == DONE else None)
        line = Annotation(
            stem=save.stem,
            state=state,
            who=who,
            when=datetime.now(UTC).isoformat(timespec="seconds"),
            proposed_by=proposed_by,
            picture_sha256=content.sha256,
            mask_sha256=digest_of_file(mask_path(root, save.stem)),
            revision=revision,
            split=home if state == DONE else None,
            part=shown,
            part_told=told,
            home=home,
        )
        last = save.line
        if last is not None and _says_the_same(last, line):
            return last
        append_annotation(root, line)
        return line


def check_saving(
    root: Path,
    picture: Path,
    labels: UInt8Array,
    *,
    name: str,
    state: str,
    part: str | None,
    opened: str | None,
    overwrite: bool,
) -> None:
    """Refuse a mask that `save_correction` would refuse, before the dataset gets classes for it.

    Args:
        root: The dataset folder.
        picture: The picture.
        labels: (H, W) uint8; whatever they stand for, no mask that is there equals them.
        name: As for `save_correction`, as are the others.
        state: See there.
        part: See there.
        opened: See there.
        overwrite: See there.

    Raises:
        ConflictError: when the mask that is there is another than ``opened``.
        DataError: when the dataset or the picture cannot be used.
        StorageError: when others keep the dataset busy.
    """
    content = Content(picture)
    with holding(root):
        save = Save(root, content, name)
        save.check_picture(labels)
        if save.mask is not None and save.mask.sha256 != opened and not overwrite:
            raise _conflict(save, save.mask)
        save.place(state, part, None)


def _check_fit(root: Path, stem: str, labels: UInt8Array, class_map: ClassMap) -> None:
    pictures = index_images(root).get(stem)
    size = image_size(pictures[0]) if pictures else labels.shape
    if labels.shape != size:
        raise DataError(size_mismatch(f"{stem}.png", labels.shape, size))
    unknown = class_map.unknown(labels)
    if unknown:
        raise DataError(unknown_labels(f"{stem}.png", unknown, class_map))


def _equal(before: UInt8Array | None, labels: UInt8Array) -> bool:
    return before is not None and np.array_equal(before, labels)


def _says_the_same(last: Annotation, line: Annotation) -> bool:
    return last == replace(line, when=last.when, proposed_by=last.proposed_by)


def _conflict(save: Save, mask: Mask) -> ConflictError:
    line = save.line
    if line is not None and line.mask_sha256 == mask.sha256:
        found = f"{line.who} saved a mask of it at {line.when}"
    else:
        line, found = None, "it has a mask by now that nobody signed"
    return ConflictError(
        f"{save.stem}: {found}, after yours was begun; look at that one, then save again and "
        "replace it (it is kept in history)",
        line,
    )


def _words(what: str, text: str) -> str:
    """Return a text for one line.

    Raises:
        UsageError: when it says nothing or too much.
    """
    clean = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if not clean or len(clean) > _LONGEST_WORDS:
        found = "empty" if not clean else f"{len(clean)} characters long"
        raise UsageError(f"{what} is {found}; give a name of 1 to {_LONGEST_WORDS} characters")
    return clean


def _check_choices(state: str, split: str | None) -> None:
    if state not in STATES:
        raise UsageError(f"state is {state!r}; choose one of {', '.join(STATES)}")
    if split is not None and split not in SPLITS:
        raise UsageError(f"split is {split!r}; the splits are {', '.join(SPLITS)}")
