"""The golden sets below the folder that the page may read, and new ones made from a split."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from segnet_res.data.storage import storing
from segnet_res.errors import DataError, SegnetResError, UsageError
from segnet_res.retraining.golden import GoldenSet, load_golden
from segnet_res.retraining.golden_making import Holding, golden_steps
from segnet_res.web.batch_names import shown_name
from segnet_res.web.folders import Folders
from segnet_res.web.jobs import Progress, Steps

# New ones go here, below the folder of the datasets.
FOLDER = "golden"

# What a dataset consists of; thousands of files, and none of them a golden set.
_INNER = frozenset({"images", "masks", "splits", "history"})

# Annotations of other tools are JSON too, and may be huge: what does not begin like one of ours is
# not read further.
_HEAD_BYTES = 512
_MAX_BYTES = 64 * 2**20


@dataclass(frozen=True)
class FoundGolden:
    """A file that says it is a golden set.

    Attributes:
        name: Its path below the folder, by which the page asks for it.
        golden: What it says; None when it cannot be used.
        error: The reason, in one sentence, or None.
    """

    name: str
    golden: GoldenSet | None = None
    error: str | None = None


class Goldens:
    """Finds golden sets, and names new ones.

    Args:
        folders: What may be read of this machine.
    """

    def __init__(self, folders: Folders) -> None:
        self._folders = folders
        self._lock = threading.Lock()
        self._read: dict[tuple[Path, int, int], FoundGolden | None] = {}
        self._making: set[Path] = set()

    def all(self) -> list[FoundGolden]:
        """Return the golden sets by name, those that cannot be used with their reason.

        Whether their pictures are still what they were is not looked at here: that takes a while.
        """
        return [found for path in self._files() if (found := self._look(path)) is not None]

    def find(self, name: object) -> GoldenSet:
        """Return a golden set by one of its names.

        Args:
            name: Comes from a browser, so it is compared with what there is and never becomes part
                of a path.

        Raises:
            DataError: when there is none of this name, or it cannot be used.
        """
        found = {one.name: one for one in self.all()}
        one = found.get(name) if isinstance(name, str) else None
        if one is None:
            known = ", ".join(list(found)[:8]) or "none; freeze a split first"
            raise DataError(f"no golden set is called {str(name)[:200]!r}; known are {known}")
        if one.golden is None:
            raise DataError(str(one.error))
        return one.golden

    @contextmanager
    def new_file(self, dataset: str, split: str) -> Iterator[Path]:
        """Reserve the file of a new golden set: ``golden/<dataset>-<split>.json``.

        Args:
            dataset: One of `Folders.datasets`.
            split: "val" or "test".

        Raises:
            DataError: when there is no such dataset.
            StorageError: when the folder cannot be made.
        """
        root = self._folders.dataset(dataset)
        assert self._folders.root is not None
        folder = self._folders.root / FOLDER
        with storing(folder):
            folder.mkdir(exist_ok=True)
        with self._lock:
            stem, number = f"{root.name}-{split}", 1
            path = folder / f"{stem}.json"
            # Nothing is overwritten: a comparison of last year needs the set of last year.
            while path.exists() or path in self._making:
                number += 1
                path = folder / f"{stem}-{number}.json"
            self._making.add(path)
        try:
            yield path
        finally:
            with self._lock:
                self._making.discard(path)

    def name_of(self, path: Path) -> str:
        """Return the name by which a file of the folder is found again."""
        assert self._folders.root is not None
        return shown_name(path.relative_to(self._folders.root).as_posix())

    def _files(self) -> list[Path]:
        found: list[Path] = []
        for name, folder in self._folders.paths().items():
            if not _INNER & set(Path(name).parts):
                with suppress(OSError):
                    found += sorted(p for p in folder.glob("*.json") if not p.is_symlink())
        return found

    def _look(self, path: Path) -> FoundGolden | None:
        try:
            status = path.stat()
        except OSError:
            return None  # deleted since it was listed
        key = (path, status.st_mtime_ns, status.st_size)
        with self._lock:
            if key in self._read:
                return self._read[key]
        found = self._open(path, status.st_size)
        with self._lock:
            self._read[key] = found
        return found

    def _open(self, path: Path, size: int) -> FoundGolden | None:
        try:
            with path.open("rb") as file:
                if b'"golden"' not in file.read(_HEAD_BYTES) or size > _MAX_BYTES:
                    return None
        except OSError:
            return None
        name = self.name_of(path)
        try:
            return FoundGolden(name, load_golden(path))
        except SegnetResError as error:
            return FoundGolden(name, error=str(error))


class Freezing:
    """The work of freezing a split as a golden set; for `Jobs`.

    Args:
        goldens: Where it will be found.
        folders: What may be read of this machine.
        dataset: Name of the dataset.
        split: "val" or "test".

    Attributes:
        made: Name of the golden set, once it is there.
        holdings: On how much of it each class is seen.

    Raises:
        UsageError: when the split is none to measure on.
        DataError: when there is no such dataset.
    """

    def __init__(self, goldens: Goldens, folders: Folders, dataset: object, split: object) -> None:
        if split not in ("val", "test"):
            raise UsageError("only the splits val and test can be frozen; choose one of them")
        self._root = folders.dataset(dataset if isinstance(dataset, str) else "")
        self._goldens = goldens
        self._dataset, self._split = str(dataset), str(split)
        self.made: str | None = None
        self.holdings: tuple[Holding, ...] = ()

    def run(self) -> Steps:
        """Read and list every picture of the split."""
        with self._goldens.new_file(self._dataset, self._split) as path:
            steps = golden_steps(self._root, self._split, path)
            total = 0
            while True:
                try:
                    done, total = next(steps)
                except StopIteration as stop:
                    _, self.holdings = stop.value
                    break
                if (yield Progress(done, total)):
                    return
            self.made = self._goldens.name_of(path)
        yield Progress(total, total)
