"""The page's private folder, gone when the page stops, or when the next one starts."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from segnet_res.errors import StorageError

if sys.platform != "win32":
    import fcntl

_PREFIX = "segnet-res-"
# Locked as long as the page of the folder runs; the system unlocks it however the page ends.
_LOCK = ".running"


@contextmanager
def private_folder() -> Iterator[Path]:
    """Make a folder that only this user can enter, and delete it with all it holds at the end.

    Folders of this user whose page was killed are deleted first.

    Raises:
        StorageError: when the system's temporary folder refuses.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    except OSError as error:
        raise StorageError(
            f"no temporary folder can be made ({error.strerror}); free some room or set TMPDIR"
        ) from error
    before = os.environ.get("GRADIO_TEMP_DIR")
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    try:
        with _held(folder):
            sweep(folder.parent)
            yield folder
    finally:
        if before is None:
            del os.environ["GRADIO_TEMP_DIR"]
        else:
            os.environ["GRADIO_TEMP_DIR"] = before
        shutil.rmtree(folder, ignore_errors=True)


def sweep(parent: Path) -> list[Path]:
    """Delete the private folders below ``parent`` whose page no longer runs; return them."""
    swept: list[Path] = []
    if sys.platform == "win32":
        return swept
    for folder in parent.glob(f"{_PREFIX}*"):
        if _is_ours(folder) and _is_left(folder / _LOCK):
            shutil.rmtree(folder, ignore_errors=True)
            swept.append(folder)
    return swept


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    if sys.platform == "win32":
        yield
        return
    # Locked before it gets its name: whoever sees the name sees the lock.
    unnamed = folder / f"{_LOCK}.new"
    with unnamed.open("xb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        unnamed.rename(folder / _LOCK)
        yield


def _is_ours(folder: Path) -> bool:
    try:
        status = folder.lstat()
    except OSError:
        return False
    # A link of somebody else in a shared /tmp must not lead us to another folder.
    return folder.is_dir() and not folder.is_symlink() and status.st_uid == os.getuid()


def _is_left(lock: Path) -> bool:
    try:
        # Not through a link, and only what is there.
        descriptor = os.open(lock, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        return False  # no folder of ours, or another page is just starting in it
    with os.fdopen(descriptor, "rb") as file:
        return _can_lock(file)


def _can_lock(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False  # its page runs
    return True
