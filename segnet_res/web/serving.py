"""Which checkpoint serves, for a page that asks again and again."""

import threading
from pathlib import Path

from segnet_res.checkpoint import digest
from segnet_res.exported import files_of
from segnet_res.retraining.registry import Entry, Registry

# A folder holds a handful; files that have gone make room.
_MOST_KNOWN = 500


class CachedRegistry(Registry):
    """The promotions of a folder, read anew only when the file has changed.

    Each line holds a whole comparison, and the page asks at every look at its list.

    Args:
        folder: The folder of checkpoints.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._known: tuple[tuple[int, int], tuple[Entry, ...]] | None = None

    def entries(self) -> tuple[Entry, ...]:
        """Return all lines, oldest first, as `Registry.entries` does.

        Raises:
            CheckpointError: when a line cannot be read.
        """
        try:
            status = self.path.stat()
        except OSError:
            return super().entries()
        key = (status.st_mtime_ns, status.st_size)
        known = self._known
        if known is None or known[0] != key:
            known = (key, super().entries())
            self._known = known
        return known[1]


class Digests:
    """SHA-256 of the files of a folder, worked out once for each version of a file."""

    def __init__(self) -> None:
        self._known: dict[tuple[Path, int, int], str] = {}
        self._lock = threading.Lock()

    def of(self, path: Path) -> str:
        """Return what `digest` returns.

        Raises:
            OSError: when the file has gone.
        """
        stats = [file.stat() for file in files_of(path)]
        key = (
            path,
            max(status.st_mtime_ns for status in stats),
            sum(status.st_size for status in stats),
        )
        with self._lock:
            if key not in self._known:
                while len(self._known) >= _MOST_KNOWN:
                    del self._known[next(iter(self._known))]
                self._known[key] = digest(path)
            return self._known[key]
