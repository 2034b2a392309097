"""Tells the file of a picture from one that takes its place: cameras may use a name again."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from segnet_res.errors import ImageError

# Size in bytes and time of change in nanoseconds.
Status = tuple[int, int]


@dataclass(frozen=True)
class Stamp:
    """What the file of a picture was when it was inspected.

    Attributes:
        size: In bytes.
        changed: Time of change in nanoseconds.
        sha256: Of its content, in hex digits.
    """

    size: int
    changed: int
    sha256: str

    def fits(self, path: Path) -> bool:
        """Tell whether a file is still the same; its content decides where it was written again.

        Raises:
            ImageError: when it cannot be read.
        """
        # Hashing takes about a second for 1 GB, so it is left out where nothing has happened.
        return status_of(path) == (self.size, self.changed) or sha256_of(path) == self.sha256

    def check(self, path: Path) -> None:
        """Refuse a file that is another one by now.

        Raises:
            ImageError: when it is, or cannot be read.
        """
        if not self.fits(path):
            raise ImageError(f"{path.name}: has changed since it was inspected; inspect it again")


def status_of(path: Path) -> Status:
    """Return size and time of change of a file.

    Raises:
        ImageError: when there is no such file.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    return status.st_size, status.st_mtime_ns


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hex digits.

    Raises:
        ImageError: when it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> ImageError:
    return ImageError(f"{path.name}: cannot be read ({error.strerror}); choose the picture again")
