"""What an inspection leaves behind: labels and confidence of a picture, and files to show them."""

import json
import re
import shutil
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segnet_res.classes import ClassMap
from segnet_res.errors import DataError, ImageError, StorageError
from segnet_res.images import Picture as PictureFile
from segnet_res.images import UInt8Array, has_alpha, image_size, is_turned
from segnet_res.images import read_picture as read_file
from segnet_res.web.pictures import Picture
from segnet_res.web.stamps import Stamp, sha256_of, status_of
from segnet_res.web.storage import Storage, write_index_png, write_preview

# A picture of 100 million pixels takes about 1 GB while it is worked on; a small file can claim
# far more, so the header is asked first.
MAX_PAGE_PIXELS = 100_000_000

# A browser holds one byte a pixel for each mask; larger masks are shown at every 2nd (3rd, ...)
# pixel, while the file to download keeps them all.
_MAX_SHOWN_PIXELS = 36_000_000

# What all results together may take on the disk; beyond it the oldest go. A browser that comes
# back to one of them asks for the picture to be inspected again.
_MAX_BYTES = 4 * 2**30

# States of a refined mask that are kept, so that going to and fro with a slider is quick.
_KEPT_STATES = 4

_THUMBNAIL_SIDE = 160

# The state of a mask from which nothing has been taken back.
RAW = "0-0"

_ENCODERS = ThreadPoolExecutor(1, thread_name_prefix="encoder")

# What a browser can show of the upload itself.
_BROWSER_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")

_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,64}")

# The confidence of whole percent: a pixel of level k has at least k / 100.
_PERCENT = np.append(np.arange(101, dtype=np.float64) / 100, np.inf).astype(np.float32)


class GoneError(DataError):
    """A result has been swept away; the picture can be inspected again."""


def check_size(path: Path) -> tuple[int, int]:
    """Return (height, width) of a picture that the page takes; reads the header only.

    Raises:
        ImageError: when the file is no picture, or larger than `MAX_PAGE_PIXELS`.
    """
    height, width = image_size(path)
    if height * width > MAX_PAGE_PIXELS:
        raise ImageError(
            f"{path.name}: the picture is {width}x{height}, the page takes up to "
            f"{MAX_PAGE_PIXELS // 1_000_000} million pixels; cut it into parts, or use "
            "segnet-res predict"
        )
    return height, width


def read_picture(path: Path) -> UInt8Array:
    """Read a picture as (H, W, 3) uint8 RGB, after a look at its size.

    Raises:
        ImageError: when the file cannot be read, or is larger than `MAX_PAGE_PIXELS`.
    """
    return read_noted(path).array


def read_stamped(path: Path) -> tuple[PictureFile, Stamp]:
    """Read a picture as `read_noted` does, with what tells its file from one that replaces it.

    Raises:
        ImageError: as `read_picture`, or when the file was written meanwhile.
    """
    before = status_of(path)
    read = read_noted(path)
    stamp = Stamp(*before, sha256_of(path))
    # Else the pixels might be of one part and the hash of the next.
    if status_of(path) != before:
        raise ImageError(f"{path.name}: was written while it was read; inspect it again")
    return read, stamp


def read_again(path: Path, stamp: Stamp) -> UInt8Array:
    """Read the picture that was inspected, (H, W, 3) uint8 RGB.

    Raises:
        ImageError: as `read_picture`, or when the file is another one by now.
    """
    before = status_of(path)
    stamp.check(path)
    image = read_picture(path)
    if status_of(path) != before:
        raise ImageError(f"{path.name}: has changed since it was inspected; inspect it again")
    return image


def read_noted(path: Path) -> PictureFile:
    """The same with what somebody should know about the file, such as "first of 3 pages"."""
    check_size(path)
    return read_file(path)


def shown_step(pixels: int) -> int:
    """Return n where every n-th row and column of so many pixels is few enough for a browser."""
    step = 1
    while pixels / step**2 > _MAX_SHOWN_PIXELS:
        step += 1
    return step


def confidence_levels(confidence: NDArray[np.float32]) -> UInt8Array:
    """Return the whole percent that each confidence reaches.

    Args:
        confidence: (H, W) float32, 0 to 1.

    Returns:
        (H, W) uint8, 0 to 100: level k means that the confidence is at least k / 100.
    """
    levels = np.asarray((confidence * np.float32(100)).astype(np.uint8))
    # The product is rounded; the comparison with the threshold itself decides.
    table = np.resize(_PERCENT, 256)
    levels -= confidence < cv2.LUT(levels, table)
    levels += confidence >= cv2.LUT(levels, np.roll(table, -1))
    return levels


def levels_confidence(levels: UInt8Array) -> NDArray[np.float32]:
    """Return the least confidence of each level that `confidence_levels` gave, (H, W) float32.

    Compared with a threshold of whole percent it gives what the exact confidence gives.
    """
    return np.asarray(cv2.LUT(levels, np.resize(_PERCENT, 256)), np.float32)


@dataclass(frozen=True)
class Result:
    """The result of one picture, in a folder of its own that only its token leads to.

    Attributes:
        folder: Where its files lie.
        token: By this name the browser asks for more of it.
        source: How the browser described the picture, as `Pictures.find` takes it.
        name: What the page calls the picture.
        stamp: Tells the picture's file from one that takes its place.
        model: The checkpoint.
        weights: SHA-256 of its file or files.
        class_map: The classes of the labels.
        size: (height, width) in pixels.
        step: Every step-th pixel is in the files that are shown.
        full: File of full size that a browser can show, or None.
        own_mask: Whether a mask belongs to the picture, as to those of a dataset.
        doubts: What is odd about the picture: of several pages only the first was read, or it is
            unlike those of the training; in sentences.
    """

    folder: Path
    token: str
    source: dict[str, Any]
    name: str
    stamp: Stamp
    model: str
    weights: str
    class_map: ClassMap
    size: tuple[int, int]
    step: int
    full: str | None
    own_mask: bool
    doubts: tuple[str, ...] = ()

    @property
    def stem(self) -> str:
        """The picture's name without folders and suffix, short enough for a file's name."""
        return Path(self.name).stem[:100] or "picture"

    def labels(self) -> UInt8Array:
        """Return what the model found, (H, W) uint8."""
        return _read_png(self.folder / "labels.png")

    def confidence(self) -> NDArray[np.float32]:
        """Return the confidence rounded down to whole percent, (H, W) float32.

        Compared with a threshold of whole percent it gives what the exact value gives.
        """
        try:
            return levels_confidence(np.load(self.folder / "levels.npy"))
        except OSError:
            raise _gone() from None

    def state(self, name: str) -> Path:
        """Return the file of the full-size mask in one state, which may not exist yet."""
        return self.folder / ("labels.png" if name == RAW else f"seen-{name}.png")

    def save_state(self, name: str, labels: UInt8Array) -> dict[str, str]:
        """Write a mask in one state and return the files by the names that the page knows.

        Args:
            name: Tells the state from others; letters, digits and hyphens.
            labels: (H, W) uint8.
        """
        mask, shown = self.state(name), self.folder / f"shown-{name}.png"
        if not mask.exists():
            write_index_png(mask, labels)
        if self.step == 1:
            shown = mask
        elif not shown.exists():
            write_index_png(shown, labels[:: self.step, :: self.step])
        self._forget_states(keep=name)
        return {"mask": str(mask), "shown": str(shown)}

    def read_state(self, name: str) -> UInt8Array | None:
        """Return the mask of one state, (H, W) uint8, or None when it is not kept."""
        path = self.state(name)
        return _read_png(path) if path.exists() else None

    def save_shown(self, name: str, values: UInt8Array) -> str:
        """Write (H, W) uint8 as the page shows it, every `step`-th pixel; return the path."""
        path = self.folder / f"{name}.png"
        write_index_png(path, values[:: self.step, :: self.step])
        return str(path)

    def files(self) -> dict[str, str | None]:
        """Return the files that stay the same whatever is refined."""
        return {
            "preview": str(self.folder / "preview.jpg"),
            "thumb": str(self.folder / "thumb.jpg"),
            "confidence": str(self.folder / "confidence.png"),
            "full": self.full,
        }

    def _forget_states(self, keep: str) -> None:
        states = sorted(
            (path for path in self.folder.glob("seen-*.png") if path != self.state(keep)),
            key=lambda path: path.stat().st_mtime_ns,
        )
        for path in states[: -(_KEPT_STATES - 1)]:
            path.unlink(missing_ok=True)
            path.with_name(path.name.replace("seen-", "shown-", 1)).unlink(missing_ok=True)


class Results:
    """Keeps results for a while.

    Args:
        storage: Where the folders go.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def new(
        self,
        picture: Picture,
        source: dict[str, Any],
        stamp: Stamp,
        model: str,
        weights: str,
        class_map: ClassMap,
        image: UInt8Array,
        labels: UInt8Array,
        confidence: NDArray[np.float32],
        *,
        doubts: Sequence[str] = (),
    ) -> Result:
        """Write the files of a new result.

        Args:
            picture: What was inspected.
            source: How the browser described it.
            stamp: See `Result`.
            model: The checkpoint's name.
            weights: See `Result`.
            class_map: Its classes.
            image: (H, W, 3) uint8 RGB.
            labels: (H, W) uint8.
            confidence: (H, W) float32, 0 to 1.
            doubts: See `Result`.

        Raises:
            StorageError: when the disk refuses.
        """
        self._make_room()
        folder = self._storage.new_result()
        step = shown_step(labels.size)
        result = Result(
            folder, folder.name.removeprefix("result-"), source, picture.name, stamp, model,
            weights, class_map, (labels.shape[0], labels.shape[1]), step,
            full_size(picture, folder, image, stamp), picture.mask is not None, tuple(doubts),
        )  # fmt: skip
        # Encoding takes longer than all else here, and works without Python's lock.
        seen = confidence[::step, ::step] * np.float32(255)
        encoded = _ENCODERS.submit(
            write_index_png, folder / "confidence.png", seen.astype(np.uint8)
        )
        try:
            write_index_png(folder / "labels.png", labels)
            write_preview(folder / "preview.jpg", image)
            write_preview(folder / "thumb.jpg", image, side=_THUMBNAIL_SIDE)
            # Not compressed: only this program reads it, and would wait for it.
            np.save(folder / "levels.npy", confidence_levels(confidence))
        except OSError as error:
            raise _no_room(error) from error
        finally:
            encoded.result()
        facts = {
            "source": source, "name": picture.name, "stamp": asdict(stamp), "model": model,
            "weights": weights, "size": result.size, "step": step, "full": result.full,
            "own_mask": result.own_mask, "class_map": class_map.to_dict(),
            "doubts": result.doubts,
        }  # fmt: skip
        try:
            (folder / "result.json").write_text(json.dumps(facts), "utf-8")
        except OSError as error:
            raise _no_room(error) from error
        return result

    def find(self, token: object) -> Result:
        """Return a result by its token.

        Args:
            token: Comes from a browser and may be anything.

        Raises:
            GoneError: when there is no such result, or no longer.
        """
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise _gone()
        folder = self._storage.folder / f"result-{token}"
        try:
            facts = json.loads((folder / "result.json").read_text("utf-8"))
            # What somebody works with is not old.
            folder.touch()
        except OSError:
            raise _gone() from None
        height, width = facts["size"]
        return Result(
            folder, token, facts["source"], facts["name"], Stamp(**facts["stamp"]), facts["model"],
            facts["weights"], ClassMap.from_dict(facts["class_map"]), (height, width),
            facts["step"], facts["full"], facts["own_mask"], tuple(facts["doubts"]),
        )  # fmt: skip

    def _make_room(self) -> None:
        """Delete the oldest results when all together take too much of the disk."""
        sizes = []
        for folder in self._storage.folder.glob("result-*"):
            try:
                # Other tabs keep files there too; only what is ours to forget is forgotten. Asked
                # first, because a batch has 100,000 files.
                if not (folder / "result.json").is_file():
                    continue
                used = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
                sizes.append((folder.stat().st_mtime, used, folder))
            except OSError:
                continue  # just swept
        total = sum(used for _, used, _ in sizes)
        recent = time.time() - 60
        for when, used, folder in sorted(sizes, key=lambda entry: entry[0]):
            if total <= _MAX_BYTES or when > recent:
                break
            shutil.rmtree(folder, ignore_errors=True)
            total -= used


def full_size(
    picture: Picture, folder: Path, image: UInt8Array, stamp: Stamp | None = None
) -> str | None:
    """Return a file of full size that a browser may fetch and shows as the model sees it, or None.

    Args:
        picture: What is shown.
        folder: Gets a copy of a picture that is not uploaded, not opaque, or not upright.
        image: (H, W, 3) uint8 RGB, what `read_picture` gives of it.
        stamp: Of the file that ``image`` is from; where another one is there by now, the copy is
            made from ``image``. None: what is there is taken.

    Raises:
        ImageError: when the picture can no longer be read.
        StorageError: when the disk refuses.
    """
    suffix = picture.path.suffix.lower()
    if suffix not in _BROWSER_SUFFIXES:
        return None
    # Browsers turn JPEG and PNG as EXIF data say, but not WebP.
    if has_alpha(picture.path) or (suffix == ".webp" and is_turned(picture.path)):
        return _write_opaque(folder / "full.png", image)
    if picture.uploaded:
        return str(picture.path)
    copy = folder / f"full{suffix}"
    try:
        shutil.copyfile(picture.path, copy)
    except OSError as error:
        raise _no_room(error) from error
    # The model takes seconds, in which a camera may write the next part under this name.
    if stamp is not None and not stamp.fits(picture.path):
        copy.unlink()
        return _write_opaque(folder / "full.png", image)
    return str(copy)


def _write_opaque(path: Path, image: UInt8Array) -> str:
    """Write a picture as the model sees it: a browser would blend its alpha."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    # Fast rather than small, as it is fetched once and by a browser that is near.
    content = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()
    try:
        path.write_bytes(content)
    except OSError as error:
        raise _no_room(error) from error
    return str(path)


def _read_png(path: Path) -> UInt8Array:
    read = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if read is None:
        raise _gone()
    return np.asarray(read, np.uint8)


def _gone() -> GoneError:
    return GoneError("this result is no longer here; choose the picture again")


def _no_room(error: OSError) -> StorageError:
    return StorageError(
        f"the page's temporary folder cannot be written ({error.strerror}); free some room"
    )
