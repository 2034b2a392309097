"""Locks on files, which the system lets go when their process ends, by whatever means."""

import errno
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from segnet_res.data.dataset import load_info
from segnet_res.data.storage import storing
from segnet_res.errors import StorageError

LOCK_NAME = ".corrections.lock"

# Somebody else's save takes a second, or some where the picture is large.
_PATIENCE = 30.0

# What systems answer where another process holds the lock.
HELD = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK}


@contextmanager
def holding(root: Path) -> Iterator[None]:
    """Hold a dataset for this process and thread; others who would change it wait.

    Raises:
        DataError: when the folder is no dataset.
        StorageError: when others hold it for long, or nothing can be written there.
    """
    load_info(root)
    file = take(root / LOCK_NAME, _PATIENCE)
    if file is None:
        raise StorageError(
            f"{root}: somebody else has been saving there for {_PATIENCE:.0f} seconds; try again "
            "in a moment"
        )
    with file:
        yield


def take(path: Path, patience: float = 0.0) -> IO[bytes] | None:
    """Lock a file; the lock is let go when the file is closed, or its process ends.

    Args:
        path: The file; made where it is missing.
        patience: Seconds to try.

    Returns:
        The open file, or None where another process has it.

    Raises:
        StorageError: when the file cannot be opened, or its file system knows no locks.
    """
    deadline = time.monotonic() + patience
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+b")
    while True:
        try:
            lock_file(file)
        except OSError as error:
            if error.errno not in HELD:
                file.close()
                raise StorageError(
                    f"{path}: cannot be locked ({error.strerror}), so that two processes could "
                    "mix their files; choose a folder on another file system"
                ) from error
            if time.monotonic() >= deadline:
                file.close()
                return None
            time.sleep(0.02)
        else:
            return file


def lock_file(file: IO[bytes], *, shared: bool = False) -> None:
    """Lock an open file for this process; the lock goes when the file is closed.

    Args:
        file: Open for writing.
        shared: Whether others may hold it so too, where the system can do that: enough to find out
            whether somebody has it for himself.

    Raises:
        OSError: when another one has it, or the file system knows no locks.
    """
    if sys.platform == "win32":
        import msvcrt

        # Far behind the text, which stays readable for others.
        file.seek(1 << 30)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
