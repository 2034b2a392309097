"""What lies in the page's private folder: uploads, results and samples."""

import secrets
import shutil
import time
from pathlib import Path

import cv2
import numpy as np

from segnet_res.errors import ImageError, StorageError
from segnet_res.images import UInt8Array

# Long enough for a shift's break with a picture open, short enough for a small disk.
_KEEP_SECONDS = 4 * 3600

PREVIEW_SIDE = 2048
_JPEG_QUALITY = 90

# JPEG has no room for longer sides.
MAX_JPEG_SIDE = 65_500


class Storage:
    """Files that the browser may fetch, all below one folder that only this user can enter.

    Args:
        folder: Existing folder; uploads land in subfolders of it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._samples = self.folder / "samples"

    def uploaded(self, path: str) -> Path:
        """Return an upload by the path that the browser was given when it uploaded the file.

        Raises:
            ImageError: when the path leads anywhere but to an upload, or the upload has expired.
        """
        # A forged path must not become a way to read other files of this machine.
        try:
            found = Path(path).resolve()
            inside = found.is_relative_to(self.folder) and found.is_file()
        except (OSError, ValueError):
            inside = False
        if not inside:
            raise ImageError("the upload is no longer here; choose the file again")
        return found

    def new_result(self) -> Path:
        """Make a folder with an unguessable name for the files of one result, sweep old ones."""
        self._sweep()
        folder = self.folder / f"result-{secrets.token_urlsafe(16)}"
        folder.mkdir()
        return folder

    def samples(self) -> Path:
        """Return the folder of the samples, which are not swept."""
        self._samples.mkdir(exist_ok=True)
        return self._samples

    def _sweep(self) -> None:
        oldest = time.time() - _KEEP_SECONDS
        for entry in self.folder.iterdir():
            # Hidden is what holds the folder itself.
            if entry == self._samples or entry.name.startswith("."):
                continue
            try:
                if entry.stat().st_mtime >= oldest:
                    continue
                if entry.is_dir():
                    shutil.rmtree(entry, ignore_errors=True)
                else:
                    entry.unlink()  # an upload that was broken off
            except FileNotFoundError:
                continue  # another request has swept it


def write_index_png(path: Path, labels: UInt8Array) -> None:
    """Write (H, W) uint8 labels as index PNG, lossless and fast rather than small.

    Raises:
        StorageError: when the file cannot be written.
    """
    # 27 ms for 12 million pixels; the default level of compression takes several times that.
    options = [cv2.IMWRITE_PNG_COMPRESSION, 1]
    _write(path, cv2.imencode(".png", labels, options)[1].tobytes())


def write_preview(path: Path, image: UInt8Array, side: int = PREVIEW_SIDE) -> None:
    """Write (H, W, 3) uint8 RGB as JPEG of at most ``side`` pixels a side.

    Raises:
        StorageError: when the file cannot be written.
    """
    height, width = image.shape[:2]
    scale = side / max(height, width)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    _write(path, cv2.imencode(".jpg", bgr, options)[1].tobytes())


def _write(path: Path, content: bytes) -> None:
    # Nobody asks for these files before the reply that names them, and none outlives the page:
    # waiting for the disk, as `atomic_write` does, would only make every picture slower.
    try:
        path.write_bytes(content)
    except OSError as error:
        raise StorageError(
            f"the page's temporary folder cannot be written ({error.strerror}); free some room, "
            "or set TMPDIR to a larger disk"
        ) from error
