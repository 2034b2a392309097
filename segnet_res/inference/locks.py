"""One run at a time in a target, and a journal of what a killed run was about to write."""

import json
import os
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from segnet_res.data.locks import HELD, lock_file
from segnet_res.data.storage import storing
from segnet_res.errors import StorageError

# The file that is locked, in the target. The system lets go of the lock when its process ends, by
# whatever means; the file then stays, and tells the next run that this one was cut short.
LOCK_NAME = ".manifest.lock"

# Bytes from which entries that are settled are forgotten: a hot folder is served for months.
_ENOUGH = 1_000_000


class Journal:
    """Which files a run is about to put into the target, written down before it does.

    A file whose content is neither in the manifest nor here was made by somebody else.

    Args:
        file: The locked file.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._guard = threading.Lock()
        self._open = 0
        # What killed runs have left is kept until this one ends well.
        self._begin = file.seek(0, os.SEEK_END)

    @property
    def settled(self) -> bool:
        """Whether everything that was begun has been recorded since."""
        return not self._open

    def begin(self, outputs: Mapping[str, str]) -> None:
        """Write down files that will appear: the SHA-256 of each by its path below the target.

        Raises:
            StorageError: when there is no room.
        """
        lines = [json.dumps({"output": path, "sha256": sha}) for path, sha in outputs.items()]
        with self._guard, storing(Path(self._file.name)):
            self._open += 1
            self._file.write("".join(f"{line}\n" for line in lines).encode())

    def end(self) -> None:
        """Say that the files of one `begin` are in the manifest."""
        with self._guard:
            self._open -= 1
            if not self._open and self._file.seek(0, os.SEEK_END) > self._begin + _ENOUGH:
                self._file.truncate(self._begin)

    def entries(self) -> Iterator[tuple[str, str]]:
        """Yield path below the target and SHA-256 of what killed runs were about to write."""
        with Path(self._file.name).open("rb") as file:
            for line in file:
                try:
                    content = json.loads(line)
                    yield str(content["output"]), str(content["sha256"])
                except (ValueError, KeyError, TypeError):
                    # The line of the holder, or half a line of a run that was killed.
                    continue


@contextmanager
def locked(target: Path) -> Iterator[Journal]:
    """Hold a target for one run; the folder is made where it is missing.

    Raises:
        StorageError: when another run holds it, or nothing can be written there.
    """
    path = target / LOCK_NAME
    with storing(target):
        target.mkdir(parents=True, exist_ok=True)
    file = _acquire(path)
    journal = None
    # What killed runs have left is needed until a run has come to its end.
    forget = file.seek(0, os.SEEK_END) == 0
    try:
        holder = {"process": os.getpid(), "host": socket.gethostname()}
        line = json.dumps({"holder": holder | {"since": _now()}})
        with storing(target):
            # A killed run may have left half a line.
            file.write(f"\n{line}\n".encode())
        journal = Journal(file)
        yield journal
        forget = True
    finally:
        if forget and (journal is None or journal.settled):
            _forget(file, path)
        file.close()


def _forget(file: IO[bytes], path: Path) -> None:
    """Empty the journal of a run that has ended well, and remove it while the lock is held.

    The next run must not find a file that is about to go.
    """
    file.truncate(0)
    # On Windows an open file cannot be removed.
    if sys.platform != "win32":
        path.unlink(missing_ok=True)


def _acquire(path: Path) -> IO[bytes]:
    while True:
        with storing(path.parent):
            file = path.open("a+b", buffering=0)
        try:
            lock_file(file)
        except OSError as error:
            holder = _holder(path)
            file.close()
            if error.errno in HELD:
                raise StorageError(
                    f"{path.parent}: another run is writing into it{holder}; "
                    "wait until it has ended, or choose another target"
                ) from error
            raise StorageError(
                f"{path.parent}: cannot be locked ({error.strerror}), so that two runs could mix "
                "their results; choose a target on another file system"
            ) from error
        try:
            same = os.path.samestat(os.fstat(file.fileno()), path.stat())
        except FileNotFoundError:
            same = False
        if same:
            return file
        # The run that held it has ended and taken its file away while this one waited for it.
        file.close()


def _holder(path: Path) -> str:
    """Return who holds the lock, as part of a sentence; empty where that cannot be told."""
    found = ""
    try:
        with path.open("rb") as file:
            for line in file:
                if line.startswith(b'{"holder"'):
                    holder = json.loads(line)["holder"]
                    found = f" (process {holder['process']} on {holder['host']})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return found


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
