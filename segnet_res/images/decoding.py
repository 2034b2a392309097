"""Decoding the first page of a file, whatever is wrong with it: an ImageError or sound pixels."""

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

from PIL import ExifTags, Image, ImageFile, TiffImagePlugin, UnidentifiedImageError

from segnet_res.errors import ImageError
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
    ArithmeticError,
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


@contextmanager
def enough_memory(path: Path) -> Iterator[None]:
    """Turn a lack of memory while a picture is read into an ImageError that names it."""
    try:
        yield
    except MemoryError as error:
        raise ImageError(
            f"{path.name}: too large for the memory of this machine; cut it into parts"
        ) from error


@contextmanager
def opened(
    path: Path, content: bytes | None = None, *, max_pixels: int | None = None
) -> Iterator[ImageFile.ImageFile]:
    """Open a picture, check its size from the header, and turn what goes wrong into ImageError."""
    limit = MAX_PIXELS if max_pixels is None else max_pixels
    try:
        # Never by its name: Pillow would map the file into memory, and a file that somebody cuts
        # short meanwhile would then end the whole process.
        with (
            enough_memory(path),
            path.open("rb") if content is None else io.BytesIO(content) as file,
        ):
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


def orientation_of(image: ImageFile.ImageFile) -> int:
    """Return the EXIF orientation, 1 to 8, of a picture that is not decoded yet."""
    try:
        with _quiet():
            if image.format == "PNG" and "exif" not in image.info:
                # Pillow would decode all pixels to look behind them.
                exif = Image.Exif()
                exif.load(_exif_behind(image))
            else:
                exif = image.getexif()
            value = exif.get(ExifTags.Base.Orientation)
    except _READER_ERRORS:
        # The pixels may be sound all the same.
        return 1
    return value if value in _TURNS else 1


def _exif_behind(image: ImageFile.ImageFile) -> bytes:
    """Return the EXIF of a PNG wherever it stands among the chunks; empty where there is none."""
    file = image.fp
    assert file is not None
    place = file.tell()
    try:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            if kind == b"eXIf":
                return file.read(length)
            file.seek(length + 4, os.SEEK_CUR)  # with the checksum
        return b""
    finally:
        file.seek(place)


def stored_size(image: ImageFile.ImageFile) -> tuple[int, int]:
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
    with opened(path, content, max_pixels=max_pixels) as image:
        orientation = orientation_of(image)
        notes = _notes(image)
        arguments = image.tile[0][3] if image.tile else None
        raw_mode = str(arguments[0] if isinstance(arguments, tuple) else arguments)
        if image.format == "PNG":
            _verify(image)
        _check_covered(image)
        image.load()
        if image.format == "TIFF" and image.mode == "I;16":
            return Decoded(_full_range(image, raw_mode), raw_mode, notes)
        # Pillow turns a TIFF by itself.
        if orientation > 1 and image.format != "TIFF":
            return Decoded(image.transpose(_TURNS[orientation]), raw_mode, notes)
        return Decoded(image, raw_mode, notes)


def _full_range(image: ImageFile.ImageFile, raw_mode: str) -> Image.Image:
    """Bring 12 bits to 16, and turn a negative round: Pillow does so for up to 8 bits only."""
    assert isinstance(image, TiffImagePlugin.TiffImageFile)
    if raw_mode == "I;12":
        return image.point(lambda value: value * (65535 / 4095))
    if image.tag_v2.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0:
        return image.point(lambda value: value * -1 + 65535)
    return image


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


def _check_covered(image: ImageFile.ImageFile) -> None:
    """Refuse a file whose strips or tiles are too few: Pillow would leave the rest black.

    Raises:
        ValueError: says so.
    """
    if not image.tile:
        # WebP is decoded by its library as a whole.
        return
    width, height = image.size
    there = 0
    for _, box, *_ in image.tile:
        left, top, right, bottom = box or (0, 0, width, height)
        there += (right - left) * (bottom - top)
    if there < width * height:
        raise ValueError(f"{there} of {width * height} pixels are there")


def _notes(image: ImageFile.ImageFile) -> tuple[str, ...]:
    """Tell what of a file is left out, of a picture that is not decoded yet."""
    if image.format == "TIFF":
        assert image.fp is not None
        place = image.fp.tell()
        pages = count_pages(image.fp)
        image.fp.seek(place)
        if pages > MAX_PAGES:
            return (f"first of more than {MAX_PAGES} pages",)
        return (f"first of {pages} pages",) if pages > 1 else ()
    frames = getattr(image, "n_frames", 1) if image.format in ("PNG", "WEBP") else 1
    return (f"first of {frames} frames",) if frames > 1 else ()
