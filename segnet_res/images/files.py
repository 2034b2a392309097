"""Pictures as files: which there are, and how one appears whole or not at all."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from segnet_res.errors import StorageError

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp")


def find_images(folder: Path) -> list[Path]:
    """Return all pictures below a folder, by suffix, in the order of their paths.

    Hidden files and folders are left out: ``._a.jpg`` is a leftover of macOS, not a picture. Links
    to folders are not followed, because they may lead in circles; `linked_folders` finds them.
    """
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def linked_folders(folder: Path) -> list[Path]:
    """Return the links to folders below a folder, which `find_images` passes over."""
    return sorted(path for path in folder.rglob("*") if path.is_symlink() and path.is_dir())


@contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file beside ``path`` that takes its place when the block ends well.

    Missing folders are made. When the block raises, the temporary file goes and what was at
    ``path`` stays.

    Raises:
        StorageError: when the system refuses: no room, no permission, a folder in the way.
    """
    # Hidden, so that find_images passes over it; the name is cut to fit the system's limit.
    temporary = path.with_name(f".{path.name[:40]}.{secrets.token_hex(6)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise not_written(path, error) from error


def not_written(path: Path, error: OSError) -> StorageError:
    """Return what to say when the system refuses to write ``path``, with the remedy."""
    refused = isinstance(error, PermissionError)
    remedy = "get the right to write there" if refused else "free some room"
    return StorageError(
        f"{path}: cannot be written ({error.strerror or error}); {remedy} or choose another place"
    )
