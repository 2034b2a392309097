"""Where pictures to annotate come from, and what is known of each of them already."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segnet_res.data.dataset import SPLITS, index_images, index_masks, load_info, read_split
from segnet_res.errors import DataError, SegnetResError, UsageError
from segnet_res.retraining.corrections import Annotation, annotations
from segnet_res.web.backend import Backend
from segnet_res.web.batch_names import shown_name

# As many as a batch takes.
MAX_PICTURES = 20_000

_KEPT_FINGERPRINTS = 50_000


class Fingerprints:
    """SHA-256 of pictures, each file read once as long as it stays what it is."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, int, int], str] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, path: Path) -> str:
        """Return the SHA-256 of a file's bytes in hex digits.

        Raises:
            DataError: when the file cannot be read.
        """
        try:
            status = path.stat()
            key = (str(path), status.st_mtime_ns, status.st_size)
            with self._lock:
                if key in self._known:
                    self._known.move_to_end(key)
                    return self._known[key]
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise DataError(
                f"{path.name}: cannot be read ({error.strerror}); look at the list again"
            ) from error
        with self._lock:
            self._known[key] = digest
            while len(self._known) > _KEPT_FINGERPRINTS:
                self._known.popitem(last=False)
        return digest


@dataclass(frozen=True)
class Known:
    """What a dataset knows of its pictures.

    Attributes:
        root: Its folder.
        images: The file of each stem.
        masks: Stems that have a mask.
        lines: The newest annotation of each stem.
        splits: The split of each stem that is in one.
    """

    root: Path
    images: dict[str, Path]
    masks: frozenset[str]
    lines: dict[str, Annotation]
    splits: dict[str, str]

    @classmethod
    def of(cls, root: Path) -> "Known":
        """Look at a dataset.

        Raises:
            DataError: when it cannot be used.
        """
        images = {stem: paths[0] for stem, paths in index_images(root).items()}
        splits = {stem: split for split in SPLITS for stem in read_split(root, split)}
        return cls(root, images, frozenset(index_masks(root)), annotations(root), splits)

    def state(self, stem: str) -> str:
        """Return one of ``STATES``, ``labelled`` for a mask that nobody has signed, or nothing."""
        line = self.lines.get(stem)
        if line is not None:
            return line.state
        return "labelled" if stem in self.masks else ""


class Same:
    """Finds the pictures of a dataset that files anywhere are copies of.

    Only files of one size in bytes are compared, each by its hash and once.

    Args:
        known: The dataset.
        fingerprints: Tell which pictures are the same.
    """

    def __init__(self, known: Known, fingerprints: Fingerprints) -> None:
        self._known = known
        self._fingerprints = fingerprints
        self._stems = {path: stem for stem, path in known.images.items()}
        self._sizes: dict[int, list[str]] = {}
        self._by_content: dict[int, dict[str, str]] = {}
        for stem, path in known.images.items():
            try:
                self._sizes.setdefault(path.stat().st_size, []).append(stem)
            except OSError:
                continue  # deleted since

    def stem_of(self, path: Path) -> str:
        """Return the stem of the same picture, or an empty text."""
        if path in self._stems:
            return self._stems[path]
        try:
            size = path.stat().st_size
        except OSError:
            return ""
        if size not in self._sizes:
            return ""
        if size not in self._by_content:
            found = self._by_content[size] = {}
            for stem in self._sizes[size]:
                found.setdefault(self._fingerprints.of(self._known.images[stem]), stem)
        return self._by_content[size].get(self._fingerprints.of(path), "")


class Places:
    """The datasets and folders below the one that the start command allowed.

    Args:
        backend: What stands behind the page.
        fingerprints: Tell which pictures are the same.
    """

    def __init__(self, backend: Backend, fingerprints: Fingerprints) -> None:
        self._backend = backend
        self._fingerprints = fingerprints

    def dataset(self, name: object) -> Path:
        """Return a dataset's folder by its name below the root, also where it is empty.

        Raises:
            UsageError: when there is none of this name.
        """
        found = self._backend.folders.dataset_folders()
        if not isinstance(name, str) or name not in found:
            listed = ", ".join(list(found)[:8]) or "none; make a new one"
            raise UsageError(f"no dataset is called {shown_name(str(name))!r}; there are {listed}")
        return found[name]

    def told(self) -> dict[str, Any]:
        """Return datasets with their classes, and folders, as plain lists, texts and numbers."""
        datasets: list[dict[str, Any]] = []
        for name, path in self._backend.folders.dataset_folders().items():
            try:
                info = load_info(path)
            except SegnetResError as error:
                datasets.append({"name": name, "error": str(error)})
                continue
            datasets.append(
                {
                    "name": name,
                    "title": shown_name(info.name),
                    "classes": list(info.class_map.names),
                    "group": info.group,
                    "error": None,
                }
            )
        return {"datasets": datasets, "folders": self._backend.folders.names()}

    def listing(self, folder: object, dataset: object) -> list[dict[str, Any]]:
        """Return the pictures of a folder: ``file``, ``state``, ``split``.

        Args:
            folder: One of the folders' names, or of a dataset: then its pictures alone.
            dataset: For the state of the pictures; None or empty: none is known.

        Raises:
            UsageError: when there are too many, or no such dataset.
            DataError: when there is no such folder.
        """
        name, place = self._place(folder)
        paths = self.pictures(place)
        if len(paths) > MAX_PICTURES:
            raise UsageError(
                f"{name} holds {len(paths)} pictures, the page takes up to {MAX_PICTURES}; "
                "choose one of its subfolders"
            )
        known = Known.of(self.dataset(dataset)) if dataset else None
        same = Same(known, self._fingerprints) if known else None
        rows = []
        for file, path in paths.items():
            row = {"file": file, "state": "", "split": ""}
            stem = same.stem_of(path) if same else ""
            if known and stem:
                row |= {"state": known.state(stem), "split": known.splits.get(stem, "")}
            rows.append(row)
        return rows

    def states(self, dataset: object) -> Callable[[Path], str]:
        """Return what tells the state of a picture, see `Known.state`; the dataset is read once.

        Args:
            dataset: Its name; None or empty: no state is known.

        Raises:
            UsageError: when there is no such dataset.
            DataError: when it cannot be used.
        """
        if not dataset:
            return lambda _: ""
        known = Known.of(self.dataset(dataset))
        same = Same(known, self._fingerprints)

        def state(path: Path) -> str:
            stem = same.stem_of(path)
            return known.state(stem) if stem else ""

        return state

    def pictures(self, place: Path) -> dict[str, Path]:
        """Return the pictures below a folder by their path there, none that a link leads out to."""
        found = self._backend.folders.pictures(place)
        return {name: path for name, path in found.items() if _can_travel(path)}

    def _place(self, folder: object) -> tuple[str, Path]:
        name = folder if isinstance(folder, str) else ""
        return name, self._backend.folders.folder(name)


def _can_travel(path: Path) -> bool:
    """Tell whether a browser can ask for a file by its name: one that is no UTF-8 is lost there."""
    return str(path).encode(errors="replace").decode() == str(path)
