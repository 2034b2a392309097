"""Reading pictures: every bit depth and file format in, (H, W, channels) uint8 out."""

import io
import os
import stat
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageFile, TiffImagePlugin, UnidentifiedImageError

from segnet_res.errors import ImageError
from segnet_res.images.arrays import Channels, UInt8Array, to_channels
from segnet_res.images.pages import MAX_PAGES, count_pages

# The largest picture that is read, in pixels: 1.2 GB as RGB. The header tells the size before
# anything is decoded, so that a small file that claims a huge picture costs nothing.
MAX_PIXELS = 400_000_000

# The largest that is cut where it is needed, see `segnet_res.images.large`: 30,000 x 30,000.
MAX_LARGE_PIXELS = 1_000_000_000

# Larger files are decoded from the disk: a header can claim little and be followed by much.
_MAX_CONTENT = 256_000_000

# Ours is the only limit; Pillow's own would warn at 89 and raise at 179 million pixels.
Image.MAX_IMAGE_PIXELS = None

# Not all that Pillow knows: EPS, for one, would start Ghostscript on a file from anywhere.
_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP")

# What Pillow's readers raise on damaged files, beside OSError.
_READER_ERRORS = (
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    struct.error,
    zlib.error,
)

_FILTERS = threading.Lock()

# What each EXIF orientation asks for.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Picture:
    """A picture that was read.

    Attributes:
        array: (H, W, channels) uint8.
        notes: What whoever looks at the result should know about the file, such as "first of 3
            pages"; mostly nothing.
    """

    array: UInt8Array
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decoded:
    """The upright first page of a file, as Pillow holds it.

    Attributes:
        image: Decoded, of any of Pillow's modes.
        raw_mode: How the pixels are stored in the file.
        notes: As for `Picture`.
    """

    image: Image.Image
    raw_mode: str
    notes: tuple[str, ...]


def read_picture(path: Path, channels: Channels = 3, content: bytes | None = None) -> Picture:
    """Read a picture as (H, W, channels) uint8, turned as its EXIF orientation says.

    16-bit grey values are divided by 257 and rounded, so that 65535 becomes 255; of 16-bit colour
    the upper 8 bits count, at most one step less. An alpha channel is dropped. Of a file with
    several pages or frames the first is read, and a note says so.

    Args:
        path: PNG, JPEG, TIFF, WebP or BMP; 1 to 16 bits, grey, RGB, RGBA, CMYK or palette. The
            content counts, not the suffix.
        channels: 3 for RGB, 1 for grey (ITU-R 601 luma).
        content: The bytes of the file where the caller has read them already, to hash them for
            one; the path then only names the picture.

    Raises:
        ImageError: when the file is empty, damaged, no picture, larger than `MAX_PIXELS`, or of
            floating-point values.
    """
    decoded = decode(path, content)
    array = to_channels(as_uint8(decoded.image, path.name), channels)
    return Picture(array, decoded.notes)


def read_image(path: Path, channels: Channels = 3) -> UInt8Array:
    """Read the array of a picture alone; see `read_picture`.

    Raises:
        ImageError: as `read_picture`.
    """
    return read_picture(path, channels).array


def image_size(path: Path) -> tuple[int, int]:
    """Return (height, width) in pixels as `read_image` would give them; reads the header only.

    Raises:
        ImageError: when the file is no picture, or larger than `MAX_LARGE_PIXELS`.
    """
    with _opened(path, max_pixels=MAX_LARGE_PIXELS) as image:
        width, height = _stored_size(image)
        # Orientations 5 to 8 turn the picture by a quarter.
        return (width, height) if _orientation(image) >= 5 else (height, width)


def is_grey(path: Path) -> bool:
    """Tell whether a picture is stored as grey; reads the header only.

    Raises:
        ImageError: when the file is no picture, or larger than `MAX_LARGE_PIXELS`.
    """
    with _opened(path, max_pixels=MAX_LARGE_PIXELS) as image:
        return image.mode in ("1", "L", "LA", "La") or image.mode.startswith("I")


@contextmanager
def _opened(
    path: Path, content: bytes | None = None, *, max_pixels: int | None = None
) -> Iterator[ImageFile.ImageFile]:
    """Open a picture, check its size from the header, and turn what goes wrong into ImageError."""
    limit = MAX_PIXELS if max_pixels is None else max_pixels
    try:
        # Never by its name: Pillow would map the file into memory, and a file that somebody cuts
        # short meanwhile would then end the whole process.
        with path.open("rb") if content is None else io.BytesIO(content) as file:
            if content is None and not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ImageError(f"{path}: is a device, not a file; give a picture")
            if not file.read(1):
                raise ImageError(f"{path.name}: the file is empty (0 bytes); copy it again")
            file.seek(0)
            with _quiet():
                image = Image.open(file, formats=_FORMATS)
            width, height = image.size
            if width * height > limit:
                raise ImageError(
                    f"{path.name}: the picture is {width}x{height}, more than "
                    f"{limit // 1_000_000} million pixels; cut it into parts"
                )
            yield image
    except UnidentifiedImageError as error:
        raise ImageError(
            f"{path.name}: not a picture that can be read; save it as PNG, JPEG, TIFF, WebP or BMP"
        ) from error
    except MemoryError as error:
        raise ImageError(
            f"{path.name}: too large for the memory of this machine; cut it into parts"
        ) from error
    except OSError as error:
        # Pillow's own complaints about the content carry no number of the system.
        if error.errno is not None:
            raise ImageError(
                f"{path}: cannot be read ({error.strerror}); check the path and its permissions"
            ) from error
        raise _damaged(path, error) from error
    except _READER_ERRORS as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> ImageError:
    return ImageError(f"{path.name}: the file is damaged ({error}); copy or export it again")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Pillow's warnings about odd metadata of pictures that it reads all the same."""
    # The list of filters belongs to the whole process, and readers work in several threads.
    with _FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def _orientation(image: ImageFile.ImageFile) -> int:
    """Return the EXIF orientation, 1 to 8, of a picture that is not decoded yet."""
    # Of a PNG without EXIF in front of the pixels Pillow would decode them all to look behind.
    if image.format == "PNG" and "exif" not in image.info:
        return 1
    try:
        with _quiet():
            value = image.getexif().get(ExifTags.Base.Orientation)
    except _READER_ERRORS:
        # The pixels may be sound all the same.
        return 1
    return value if value in _TURNS else 1


def _stored_size(image: ImageFile.ImageFile) -> tuple[int, int]:
    """Return (width, height) before the EXIF turn, of a picture that is not decoded yet."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        # Its size is turned already in some versions of Pillow, in others not.
        tags = image.tag_v2
        return tags[TiffImagePlugin.IMAGEWIDTH], tags[TiffImagePlugin.IMAGELENGTH]
    return image.size


def decode(path: Path, content: bytes | None = None, *, max_pixels: int | None = None) -> Decoded:
    """Decode the first page of a picture.

    Args:
        path: The file.
        content: Its bytes where the caller has them; see `read_picture`.
        max_pixels: Larger pictures are refused; None: `MAX_PIXELS`.

    Raises:
        ImageError: when the file cannot be read, or is damaged, no picture or too large.
    """
    if content is None:
        content = _content(path)
    with _opened(path, content, max_pixels=max_pixels) as image:
        orientation = _orientation(image)
        notes = _notes(image)
        arguments = image.tile[0][3] if image.tile else None
        raw_mode = str(arguments[0] if isinstance(arguments, tuple) else arguments)
        if image.format == "PNG":
            _verify(image)
        image.load()
        # Pillow turns a TIFF by itself.
        if orientation > 1 and image.format != "TIFF":
            return Decoded(image.transpose(_TURNS[orientation]), raw_mode, notes)
        return Decoded(image, raw_mode, notes)


def _content(path: Path) -> bytes | None:
    """Return the bytes of a file that is not too large for that; None leaves it to be opened.

    What is in memory cannot change while it is decoded, as a file can that is being copied.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if stat.S_ISREG(status.st_mode) and 0 < status.st_size <= _MAX_CONTENT:
                return file.read(status.st_size)
    except (OSError, MemoryError):
        # Opening it says what is wrong.
        pass
    return None


def _verify(image: ImageFile.ImageFile) -> None:
    """Compare the checksums of a PNG: Pillow decodes without, and damage would come out black."""
    assert image.fp is not None
    place = image.fp.tell()
    image.fp.seek(0)
    # A second look at the same bytes, because verifying uses a picture up.
    with Image.open(image.fp, formats=("PNG",)) as copy:
        copy.verify()
    image.fp.seek(place)


def _notes(image: ImageFile.ImageFile) -> tuple[str, ...]:
    """Tell what of a file is left out, of a picture that is not decoded yet."""
    if image.format == "TIFF":
        assert image.fp is not None
        place = image.fp.tell()
        pages = count_pages(image.fp)
        image.fp.seek(place)
        if pages > 1:
            many = "more than " if pages == MAX_PAGES else ""
            return (f"first of {many}{pages} pages",)
        return ()
    frames = getattr(image, "n_frames", 1) if image.format in ("PNG", "WEBP") else 1
    return (f"first of {frames} frames",) if frames > 1 else ()


def as_uint8(image: Image.Image, name: str) -> UInt8Array:
    """Return (H, W) or (H, W, 3) uint8 of a decoded picture of any mode."""
    if image.mode.startswith("I"):
        values = np.array(image)
        if values.min() < 0 or values.max() > 65535:
            raise ImageError(
                f"{name}: 32-bit values from {values.min()} to {values.max()}; "
                "export the picture with 8 or 16 bits"
            )
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if image.mode == "F":
        raise ImageError(
            f"{name}: a picture of floating-point values has no fixed range; "
            "export it with 8 or 16 bits"
        )
    if image.mode in ("L", "RGB"):
        return np.array(image)
    if image.mode in ("LA", "1"):
        return np.array(image.convert("L"))
    # Through RGBA, because Pillow would warn about palettes with a transparent colour.
    source = image.convert("RGBA") if image.mode == "P" else image
    return np.array(source.convert("RGB"))
