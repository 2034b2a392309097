"""The page's private folder: uploads, results and samples, gone when the page stops."""

import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2

from segnet_res.errors import ImageError, StorageError
from segnet_res.images import UInt8Array, atomic_write

# Long enough for a shift's break with a picture open, short enough for a small disk.
_KEEP_SECONDS = 4 * 3600

_PREVIEW_SIDE = 2048
_JPEG_QUALITY = 90


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
            try:
                if entry != self._samples and entry.stat().st_mtime < oldest:
                    shutil.rmtree(entry, ignore_errors=True)
            except FileNotFoundError:
                continue  # another request has swept it


@contextmanager
def private_folder() -> Iterator[Path]:
    """Make a folder that only this user can enter, and delete it with all it holds at the end.

    Raises:
        StorageError: when the system's temporary folder refuses.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix="segnet-res-"))
    except OSError as error:
        raise StorageError(
            f"no temporary folder can be made ({error.strerror}); free some room or set TMPDIR"
        ) from error
    before = os.environ.get("GRADIO_TEMP_DIR")
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    try:
        yield folder
    finally:
        if before is None:
            del os.environ["GRADIO_TEMP_DIR"]
        else:
            os.environ["GRADIO_TEMP_DIR"] = before
        shutil.rmtree(folder, ignore_errors=True)


def write_index_png(path: Path, labels: UInt8Array) -> None:
    """Write (H, W) uint8 labels as index PNG, lossless and fast rather than small.

    Raises:
        StorageError: when the file cannot be written.
    """
    # 27 ms for 12 million pixels; the default level of compression takes several times that.
    options = [cv2.IMWRITE_PNG_COMPRESSION, 1]
    _write(path, cv2.imencode(".png", labels, options)[1].tobytes())


def write_preview(path: Path, image: UInt8Array) -> None:
    """Write (H, W, 3) uint8 RGB as JPEG of at most 2048 pixels a side.

    Raises:
        StorageError: when the file cannot be written.
    """
    height, width = image.shape[:2]
    scale = _PREVIEW_SIDE / max(height, width)
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        bgr = cv2.resize(bgr, size, interpolation=cv2.INTER_AREA)
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    _write(path, cv2.imencode(".jpg", bgr, options)[1].tobytes())


def _write(path: Path, content: bytes) -> None:
    with atomic_write(path) as file:
        file.write(content)
