"""The checkpoints of a folder, the last used ones kept loaded."""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segnet_res.checkpoint import (
    Metadata,
    checkpoint_name,
    find_checkpoints,
    read_metadata,
)
from segnet_res.classes import background, format_color
from segnet_res.errors import CheckpointError, SegnetResError
from segnet_res.exported import files_of, is_export, read_form
from segnet_res.web.serving import CachedRegistry, Digests
from segnet_res.web.turns import Turnstile

if TYPE_CHECKING:
    from segnet_res.inference import Segmenter

# Loaded models take 10 MB to 500 MB each; two let a person go to and fro between candidates.
_KEEP = 2

# Path, time of change and size of a file, or of both files of an export for OpenVINO.
FileKey = tuple[Path, int, int]


@dataclass(frozen=True)
class Entry:
    """A checkpoint or export: either its metadata or the reason why it cannot be used.

    Attributes:
        name: File name, of a checkpoint without suffix, by which the page asks for it.
        path: The file.
        metadata: None when the file cannot be used.
        error: One sentence, or None.
    """

    name: str
    path: Path
    metadata: Metadata | None = None
    error: str | None = None

    def card(self) -> dict[str, Any]:
        """Return what the page shows of the checkpoint, as plain lists, texts and numbers."""
        card: dict[str, Any] = {"name": self.name, "error": self.error}
        if self.metadata is None:
            return card
        meta = self.metadata
        scores = meta.scores or {}
        ious = {row.get("name"): row.get("iou") for row in scores.get("classes", [])}
        return card | {
            "architecture": meta.architecture,
            "channels": meta.channels,
            "miou": scores.get("miou"),
            "images": scores.get("images"),
            "data": str(meta.data.get("name", "")),
            "trained_on": meta.data.get("images"),
            "created": meta.created,
            "parent": meta.parent,
            "licence": meta.licence,
            "bytes": sum(file.stat().st_size for file in files_of(self.path)),
            "export": _export(self.path),
            "classes": [
                {"index": i, "name": name, "color": format_color(color), "iou": ious.get(name)}
                for i, (name, color) in enumerate(
                    zip(meta.class_map.names, meta.class_map.colors, strict=True)
                )
            ],
        }


def _export(path: Path) -> dict[str, Any] | None:
    """Return how a file was exported, as the page tells it; None where it was not."""
    if not is_export(path):
        return None
    try:
        form = read_form(path)
    except CheckpointError:
        return None  # the speed, which runs it, says what is wrong
    return {"source": form.source, "precision": form.precision, "labels": form.labels}


def _has_no_background(entry: Entry) -> bool:
    return entry.metadata is not None and background(entry.metadata.class_map) is None


class Library:
    """Finds checkpoints in a folder and lends their models.

    Args:
        folder: Looked at anew at each call, so that new files appear without a restart.
        device: "auto", "cpu" or "cuda".
        flips: Average over the picture and its mirror images; four times the work.

    Attributes:
        tta: Whether it averages, in the words of the command line: "none" or "flips".
        turns: The one queue of the page; whoever borrows a model waits for a turn in it first.
        registry: Which of the checkpoints serves.
    """

    def __init__(self, folder: Path, device: str = "auto", *, flips: bool = False) -> None:
        self.folder = folder
        self.tta = "flips" if flips else "none"
        self._flips = flips
        self._device = device
        self.turns = Turnstile()
        self.registry = CachedRegistry(folder)
        self._digests = Digests()
        self._loaded: OrderedDict[FileKey, Segmenter] = OrderedDict()
        self._lock = threading.Lock()

    def entries(self) -> list[Entry]:
        """Return every checkpoint of the folder by name, broken ones with their reason.

        The page opens with the first: that is the one that serves. Those that know no background,
        such as road scenes, come last, because the page is for inspection.
        """
        entries = []
        for path in find_checkpoints(self.folder):
            try:
                entries.append(Entry(checkpoint_name(path), path, read_metadata(path)))
            except SegnetResError as error:
                entries.append(Entry(checkpoint_name(path), path, error=str(error)))
        serving = self.serving_file()
        return sorted(
            entries, key=lambda entry: (entry.path.name != serving, _has_no_background(entry))
        )

    def serving_file(self) -> str | None:
        """Return the name of the file that serves; None where none does or nobody can tell."""
        # A damaged registry is told of in the Models tab; pictures can be inspected all the same.
        with suppress(SegnetResError):
            now = self.registry.serving()
            return None if now is None else now.file
        return None

    def cards(self) -> list[dict[str, Any]]:
        """Return the card of every checkpoint; a file that has just vanished is left out."""
        cards, serving = [], self.serving_file()
        for entry in self.entries():
            try:
                cards.append(entry.card() | {"serving": entry.path.name == serving})
            except FileNotFoundError:
                continue
        return cards

    def first(self) -> str | None:
        """Return the name of the first checkpoint that can be used."""
        return next((entry.name for entry in self.entries() if entry.metadata), None)

    @contextmanager
    def borrow(self, name: str) -> Iterator["Segmenter"]:
        """Lend the model of a checkpoint to whoever has the turn; here nobody waits.

        Args:
            name: One of the names of `entries`. It comes from a browser, so it is compared with
                what the folder holds and never becomes part of a path.

        Raises:
            CheckpointError: when the folder has no such checkpoint or it cannot be used.
        """
        yield self._load(name)

    def key(self, name: str) -> FileKey:
        """Return what tells one version of a checkpoint's file from another.

        Raises:
            CheckpointError: when the folder has no such checkpoint.
        """
        key = self.keys().get(name)
        if key is None:
            known = ", ".join(entry.name for entry in self.entries())
            remedy = f"known are {known}" if known else "put one there or train one"
            raise CheckpointError(f"{self.folder}: no checkpoint is called {name!r}; {remedy}")
        return key

    def weights(self, name: str) -> str:
        """Return the SHA-256 of a checkpoint by now; each version of its file is read once.

        Raises:
            CheckpointError: when the folder has no such checkpoint, or it cannot be read.
        """
        path = self.key(name)[0]
        try:
            return self._digests.of(path)
        except OSError as error:
            raise CheckpointError(
                f"{path.name}: cannot be read ({error.strerror}); choose another checkpoint"
            ) from error

    def keys(self) -> dict[str, FileKey]:
        """Return the key of each checkpoint by its name."""
        keys = {}
        for path in find_checkpoints(self.folder):
            with suppress(FileNotFoundError):  # deleted since it was listed
                stats = [file.stat() for file in files_of(path)]
                keys[checkpoint_name(path)] = (
                    path,
                    max(status.st_mtime_ns for status in stats),
                    sum(status.st_size for status in stats),
                )
        return keys

    def load_apart(self, name: str) -> "Segmenter":
        """Return a checkpoint's model; those that people work with stay loaded.

        Raises:
            CheckpointError: when the folder has no such checkpoint or it cannot be used.
        """
        key = self.key(name)
        with self._lock:
            return self._loaded.get(key) or self._open(key[0])

    def open_file(self, path: Path) -> "Segmenter":
        """Return the model of a file beside the folder, such as a run's; nothing stays loaded.

        Raises:
            CheckpointError: when it is no checkpoint.
        """
        return self._open(path)

    def _load(self, name: str) -> "Segmenter":
        key = self.key(name)
        with self._lock:
            if key not in self._loaded:
                self._loaded[key] = self._open(key[0])
            self._loaded.move_to_end(key)
            while len(self._loaded) > _KEEP:
                self._loaded.popitem(last=False)
            return self._loaded[key]

    def _open(self, path: Path) -> "Segmenter":
        # Imported here: torch takes seconds, and the page should open before.
        from segnet_res.inference import Segmenter

        # Exports run on the CPU alone, whatever device the page has for checkpoints.
        device = "cpu" if is_export(path) else self._device
        return Segmenter.from_checkpoint(path, device=device, flips=self._flips)


def check_weights(library: Library, name: str, weights: str) -> None:
    """Refuse a checkpoint that another one took the place of under the same name.

    Asked while the model is borrowed it tells that this one has those weights, too.

    Args:
        library: Has the checkpoint.
        name: Its name.
        weights: What `Library.weights` said of it before.

    Raises:
        CheckpointError: when it has other weights by now; a training writes its best one again
            and again.
    """
    if library.weights(name) != weights:
        raise CheckpointError(f"the checkpoint {name} has changed since; choose the picture again")
