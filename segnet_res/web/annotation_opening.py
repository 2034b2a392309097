"""Opens a picture to be annotated: with its draft, its saved mask, or what a checkpoint says."""

import os
import shutil
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segnet_res.checkpoint import short_hash
from segnet_res.classes import ClassMap
from segnet_res.data.dataset import load_info
from segnet_res.errors import UsageError
from segnet_res.images import UInt8Array
from segnet_res.retraining.corrections import annotations, current_mask, find_picture
from segnet_res.retraining.drafts import Draft, Drafts
from segnet_res.web.annotation_classes import IGNORE, EditorClasses
from segnet_res.web.annotation_places import Fingerprints, Places
from segnet_res.web.annotation_saving import Fields, Person, find_source, told
from segnet_res.web.backend import Backend
from segnet_res.web.checkpoints import FileKey
from segnet_res.web.judging import Judge
from segnet_res.web.pictures import Picture
from segnet_res.web.replies import Reply, answered, in_turn, new_reply
from segnet_res.web.results import GoneError, check_size, full_size, read_picture
from segnet_res.web.storage import (
    MAX_JPEG_SIDE,
    PREVIEW_SIDE,
    write_index_png,
    write_preview,
)

# What somebody may ask to begin with; "best" takes the first that there is of draft, saved mask and
# prediction.
STARTS = ("best", "draft", "saved", "prediction", "empty")

# Opened pictures of all people that are kept at hand; each holds a copy of its picture.
_KEPT = 60
_KEPT_SECONDS = 600


@dataclass(frozen=True)
class Saved:
    """What the dataset has of a picture.

    Attributes:
        stem: Its stem there.
        labels: (H, W) uint8 in the dataset's classes.
        sha256: Of the mask's file; tells whether somebody changes it meanwhile.
        line: Its newest annotation as plain texts and numbers; None where there is none.
    """

    stem: str
    labels: UInt8Array
    sha256: str
    line: dict[str, Any] | None


class Opener:
    """Opens pictures; everything that it is asked comes from a browser.

    Args:
        backend: What stands behind the page.
        places: Finds datasets.
        fingerprints: Tell which pictures are the same.
        drafts: Where work in progress is kept.
    """

    def __init__(
        self, backend: Backend, places: Places, fingerprints: Fingerprints, drafts: Drafts
    ) -> None:
        self._backend = backend
        self._places = places
        self._fingerprints = fingerprints
        self._drafts = drafts
        self._hashes: dict[FileKey, str] = {}
        self._folders: deque[tuple[float, Path]] = deque()

    def open(self, content: object, user: str | None) -> Iterator[Reply]:
        """Open one picture when its turn has come.

        Args:
            content: ``source`` as `Pictures.find` takes it, ``dataset`` that the mask is meant for
                (empty: none yet), ``model``, ``start`` (one of `STARTS`), ``threshold`` and
                ``min_region`` of a prediction as `Judge` takes them, and who asks.
            user: Who has logged in, or None.

        Yields:
            the replies of `in_turn`, the last an ``opened``: plain lists and texts. ``origin`` is
            "draft", "saved", "prediction" or "empty"; ``files`` has the mask that the editor begins
            with and, of a prediction, the same as ``proposal``; ``opened`` the hash of the mask in
            the dataset. With an ``error``, ``gone`` says that an upload is no longer here.
        """
        reply = new_reply("opened", content)
        fields: Fields = content if isinstance(content, dict) else {}
        # Nobody should wait in the queue for being told that a file cannot be read.
        early = answered(reply, lambda: self._look(fields))
        if early["error"] is not None:
            yield early
            return
        person = Person.of(fields, user)
        yield from in_turn(
            self._backend.checkpoints.turns, reply, lambda: self._open(fields, person)
        )

    def _look(self, fields: Fields) -> Reply:
        try:
            check_size(find_source(self._backend, fields).path)
        except GoneError as error:
            return {"error": str(error), "gone": True}
        return {}

    def _open(self, fields: Fields, person: Person) -> Reply:
        start = fields.get("start")
        if start not in STARTS:
            raise UsageError("the page asked for something unknown; reload it")
        picture = find_source(self._backend, fields)
        image = read_picture(picture.path)
        root = self._places.dataset(fields["dataset"]) if fields.get("dataset") else None
        sha256 = self._fingerprints.of(picture.path)
        saved = None if root is None else _saved(root, picture.path)
        draft = self._drafts.find(sha256, person.key)
        if draft is not None and draft.labels.shape != image.shape[:2]:
            draft = None
        begun = self._begin(str(start), fields, root, image, saved, draft)
        reply: Reply = {
            "source": fields.get("source"),
            "picture_sha256": sha256,
            "image": {"name": picture.name, "width": image.shape[1], "height": image.shape[0]},
            "dataset": fields.get("dataset") or None,
            "saved": None
            if saved is None
            else (saved.line or {"who": None, "when": None, "state": "labelled"})
            | {"stem": saved.stem, "mask_sha256": saved.sha256},
            "draft": None if draft is None else draft.when,
            "opened": None if saved is None else saved.sha256,
            "ignore": IGNORE,
        }
        return reply | begun.told() | {"files": self._write(picture, image, begun)}

    def _begin(
        self,
        start: str,
        fields: Fields,
        root: Path | None,
        image: UInt8Array,
        saved: Saved | None,
        draft: Draft | None,
    ) -> "_Begun":
        """Decide which mask the editor begins with."""
        own = None if root is None else load_info(root).class_map
        model = fields.get("model") if isinstance(fields.get("model"), str) else ""
        entry = next(
            (e for e in self._backend.checkpoints.entries() if e.name == model and e.metadata), None
        )
        known = None if entry is None or entry.metadata is None else entry.metadata.class_map
        maps = [class_map for class_map in (own, known) if class_map is not None]
        if draft is not None:
            maps.append(ClassMap.from_names(draft.classes, ignore_index=draft.ignore))
        if not maps:
            raise UsageError(
                "there are no classes to annotate with; choose a dataset, or a checkpoint at the "
                "top of the page"
            )
        classes = EditorClasses.gather(*maps)
        own_count = classes.own if own is not None else 0
        if draft is not None and start in ("best", "draft"):
            labels = classes.take(draft.labels, draft.classes, draft.ignore)
            # In another dataset the draft has seen no mask: one that is there must not go unseen.
            opened = draft.opened if _same_dataset(draft, fields) else None
            return _Begun("draft", labels, classes, own_count, None, draft.proposed_by, opened)
        if saved is not None and own is not None and start in ("best", "draft", "saved"):
            labels = classes.take(saved.labels, own.names, own.ignore_index)
            proposer = (saved.line or {}).get("proposed_by")
            return _Begun("saved", labels, classes, own_count, None, proposer, _NOT_KNOWN)
        if entry is None or known is None or start == "empty":
            nothing = IGNORE if classes.background is None else classes.background
            labels = np.full(image.shape[:2], nothing, np.uint8)
            return _Begun("empty", labels, classes, own_count, None, None, _NOT_KNOWN)
        with self._backend.checkpoints.borrow(entry.name) as segmenter:
            found = segmenter.predict(image)
        seen = Judge.from_untrusted(fields).refine(found.labels, found.confidence, known)
        labels = classes.take(seen, known.names, known.ignore_index)
        proposer = f"{entry.name} {self._short_hash(entry.name)}"
        return _Begun("prediction", labels, classes, own_count, labels, proposer, _NOT_KNOWN)

    def _short_hash(self, model: str) -> str:
        """Return the hash of a checkpoint; the file is read once."""
        key = self._backend.checkpoints.key(model)
        if key not in self._hashes:
            self._hashes[key] = short_hash(key[0])
        return self._hashes[key]

    def _write(self, picture: Picture, image: UInt8Array, begun: "_Begun") -> dict[str, Any]:
        """Write what the browser fetches."""
        self._forget()
        folder = self._backend.storage.new_result()
        self._folders.append((time.monotonic(), folder))
        if picture.uploaded:
            # What somebody works on is not old.
            os.utime(picture.path.parent)
        write_preview(folder / "preview.jpg", image)
        write_index_png(folder / "labels.png", begun.labels)
        full = full_size(picture, folder, image)
        if full is None and PREVIEW_SIDE < max(image.shape[:2]) <= MAX_JPEG_SIDE:
            # A TIFF, say, which no browser shows: to paint single pixels one must see them.
            full = str(folder / "full.jpg")
            write_preview(folder / "full.jpg", image, side=MAX_JPEG_SIDE)
        return {
            "preview": str(folder / "preview.jpg"),
            "full": full,
            "labels": str(folder / "labels.png"),
            "proposal": None if begun.proposal is None else str(folder / "labels.png"),
        }

    def _forget(self) -> None:
        """Delete what was opened long ago, when there is much of it."""
        oldest = time.monotonic() - _KEPT_SECONDS
        while len(self._folders) >= _KEPT and self._folders[0][0] < oldest:
            shutil.rmtree(self._folders.popleft()[1], ignore_errors=True)


# In place of the hash of a mask, when it is the one in the dataset now that counts.
_NOT_KNOWN = "now"


@dataclass(frozen=True)
class _Begun:
    """The mask that the editor begins with, and its classes."""

    origin: str
    labels: UInt8Array
    classes: EditorClasses
    own: int
    proposal: UInt8Array | None
    proposed_by: str | None
    opened: str | None

    def told(self) -> Reply:
        rows = [row | {"own": i < self.own} for i, row in enumerate(self.classes.rows())]
        reply: Reply = {
            "origin": self.origin,
            "classes": rows,
            "background": self.classes.background,
            "proposed_by": self.proposed_by,
        }
        # A draft was begun with the mask of then: somebody may have saved another one since.
        return reply if self.opened == _NOT_KNOWN else reply | {"opened": self.opened}


def _saved(root: Path, path: Path) -> Saved | None:
    stem = find_picture(root, path)
    mask = None if stem is None else current_mask(root, stem)
    if stem is None or mask is None:
        return None
    line = annotations(root).get(stem)
    return Saved(stem, mask[0], mask[1], None if line is None else told(line))


def _same_dataset(draft: Draft, fields: Fields) -> bool:
    return (draft.dataset or "") == (fields.get("dataset") or "")
