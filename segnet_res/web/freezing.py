"""Freezing a split as a golden set, as a job of the page."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segnet_res.data.storage import storing
from segnet_res.errors import UsageError
from segnet_res.retraining.golden_making import Holding, golden_steps
from segnet_res.web.folders import Folders
from segnet_res.web.jobs import Progress, Steps

# New golden sets go here, below the folder of the datasets.
FOLDER = "golden"

# Files that are being made; of two people who freeze the same split each gets a file.
_making: set[Path] = set()
_lock = threading.Lock()


class Freezing:
    """The work of freezing a split; for `Jobs`.

    Args:
        folders: What may be read of this machine.
        dataset: Name of the dataset, as a browser sends it.
        split: "val" or "test", likewise.

    Attributes:
        made: Name of the golden set, see `list_goldens`; None before it is there.
        holdings: On how much of it each class is seen.

    Raises:
        UsageError: when the split is none to measure on.
        DataError: when there is no such dataset.
    """

    def __init__(self, folders: Folders, dataset: object, split: object) -> None:
        if not isinstance(split, str) or split not in ("val", "test"):
            raise UsageError("only the splits val and test can be frozen; choose one of them")
        self.root = folders.dataset(dataset if isinstance(dataset, str) else "")
        assert folders.root is not None
        self._below = folders.root
        self.split = split
        self.made: str | None = None
        self.holdings: tuple[Holding, ...] = ()

    def run(self) -> Steps:
        """Read and list every picture of the split."""
        total = 0
        with self._new_file() as path:
            steps = golden_steps(self.root, self.split, path)
            while True:
                try:
                    done, total = next(steps)
                except StopIteration as stop:
                    _, self.holdings = stop.value
                    break
                if (yield Progress(done, total)):
                    return
            self.made = path.relative_to(self._below).as_posix()
        yield Progress(total, total)

    @contextmanager
    def _new_file(self) -> Iterator[Path]:
        """Reserve ``golden/<dataset>-<split>.json``; with a number where that is taken."""
        folder = self._below / FOLDER
        with storing(folder):
            folder.mkdir(exist_ok=True)
        stem, number = f"{self.root.name}-{self.split}", 1
        with _lock:
            path = folder / f"{stem}.json"
            # Nothing is overwritten: last year's comparison needs last year's set.
            while path.exists() or path in _making:
                number += 1
                path = folder / f"{stem}-{number}.json"
            _making.add(path)
        try:
            yield path
        finally:
            with _lock:
                _making.discard(path)
