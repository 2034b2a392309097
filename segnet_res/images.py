"""Reading and writing pictures and masks: every bit depth and file format in, one form out.

A picture is (H, W, channels) uint8, channels 3 (RGB) or 1 (grey); a mask is (H, W) uint8 labels.
Files appear whole or not at all.
"""

import os
import secrets
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile, TiffImagePlugin, UnidentifiedImageError

from segnet_res.classes import ClassMap
from segnet_res.errors import ImageError, StorageError

UInt8Array = NDArray[np.uint8]
Channels = Literal[1, 3]

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp")

# The largest picture that is read, in pixels: 1.2 GB as RGB. The header tells the size before
# anything is decoded, so that a small file that claims a huge picture costs nothing.
MAX_PIXELS = 400_000_000

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

# What a colour is in `labels_from_colors` where it is not the label of one class.
_NOBODY, _SEVERAL = -1, -2

# Factors by which Pillow stretches grey of few bits.
_STRETCHED = {"L;2": 85, "L;4": 17}


def find_images(folder: Path) -> list[Path]:
    """Return all pictures below a folder, by suffix, in the order of their paths.

    Hidden files and folders are left out: ``._a.jpg`` is a leftover of macOS, not a picture.
    """
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def image_size(path: Path) -> tuple[int, int]:
    """Return (height, width) in pixels as `read_image` would give them; reads the header only.

    Raises:
        ImageError: when the file is no picture, or larger than `MAX_PIXELS`.
    """
    with _opened(path) as image:
        width, height = _stored_size(image)
        # Orientations 5 to 8 turn the picture by a quarter.
        return (width, height) if _orientation(image) >= 5 else (height, width)


def is_grey(path: Path) -> bool:
    """Tell whether a picture is stored as grey; reads the header only.

    Raises:
        ImageError: when the file is no picture, or larger than `MAX_PIXELS`.
    """
    with _opened(path) as image:
        return image.mode in ("1", "L", "LA", "La") or image.mode.startswith("I")


def read_image(path: Path, channels: Channels = 3) -> UInt8Array:
    """Read a picture as (H, W, channels) uint8, turned as its EXIF orientation says.

    16-bit grey values are divided by 257 and rounded, so that 65535 becomes 255; of 16-bit colour
    the upper 8 bits count, at most one step less. An alpha channel is dropped; of a file with
    several pages the first is read.

    Args:
        path: PNG, JPEG, TIFF, WebP or BMP; 1 to 16 bits, grey, RGB, RGBA, CMYK or palette. The
            content counts, not the suffix.
        channels: 3 for RGB, 1 for grey (ITU-R 601 luma).

    Raises:
        ImageError: when the file is empty, damaged, no picture, larger than `MAX_PIXELS`, or of
            floating-point values.
    """
    image, _ = _decode(path)
    return to_channels(_as_uint8(image, path.name), channels)


def to_channels(array: UInt8Array, channels: Channels) -> UInt8Array:
    """Turn (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) uint8 into (H, W, channels) uint8.

    Raises:
        ImageError: when the array has another type or shape.
    """
    if array.ndim == 2:
        array = array[..., None]
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        raise ImageError(
            f"a picture is an array {array.shape} of {array.dtype}; give (H, W), (H, W, 1), "
            "(H, W, 3) or (H, W, 4) of uint8"
        )
    if 0 in array.shape:
        raise ImageError(f"a picture is an array {array.shape}; give at least one pixel")
    array = array[..., :3]
    if array.shape[2] == channels:
        return np.ascontiguousarray(array)
    if channels == 3:
        return np.repeat(array, 3, axis=2)
    return np.asarray(Image.fromarray(np.ascontiguousarray(array)).convert("L"))[..., None]


def read_mask(path: Path, class_map: ClassMap) -> UInt8Array:
    """Read a mask as (H, W) uint8 labels.

    Grey and palette files hold the labels themselves (of a palette file the indices count, not
    their colours); RGB and RGBA files hold the colours of the class map.

    Raises:
        ImageError: when the file cannot be read, holds numbers that are no 8-bit labels, or a
            colour that no class has. Labels that no class has are left to the caller.
    """
    image, raw_mode = _decode(path)
    if image.mode in ("RGB", "RGBA"):
        return labels_from_colors(np.array(image.convert("RGB")), class_map, path.name)
    if image.mode in ("LA", "PA"):
        image = image.getchannel(0)
    values = np.array(image)
    if values.ndim != 2 or values.dtype.kind == "f" or values.min() < 0 or values.max() > 255:
        raise ImageError(
            f"{path.name}: mode {image.mode} with values from {values.min()} to {values.max()} "
            "is no mask of class indices; save it as 8-bit single-channel PNG"
        )
    # Pillow stretches grey of 2 and 4 bits to 0..255, which is right for a picture only.
    return values.astype(np.uint8) // _STRETCHED.get(raw_mode, 1)


def labels_from_colors(colors: UInt8Array, class_map: ClassMap, name: str) -> UInt8Array:
    """Turn (H, W, 3) uint8 colours into (H, W) uint8 labels of the classes that own them.

    Raises:
        ImageError: when a colour belongs to no class or to several; ``name`` says in which file.
    """
    red, green, blue = (colors[..., i].astype(np.uint32) for i in range(3))
    codes = (red << 16) + (green << 8) + blue
    # One entry for each of the 2^24 colours is far quicker than sorting the pixels.
    owners = np.full(1 << 24, _NOBODY, np.int16)
    for i, (r, g, b) in enumerate(class_map.colors):
        code = (r << 16) + (g << 8) + b
        owners[code] = i if owners[code] == _NOBODY else _SEVERAL
    labels = owners[codes]
    if (labels == _NOBODY).any():
        missing = [f"#{code:06x}" for code in np.unique(codes[labels == _NOBODY]).tolist()]
        raise ImageError(
            f"{name}: {len(missing)} colours belong to no class (first {', '.join(missing[:5])}); "
            "add them to the classes, or save class indices as 8-bit single-channel PNG"
        )
    if (labels == _SEVERAL).any():
        shared = np.unique(codes[labels == _SEVERAL])[0]
        raise ImageError(
            f"{name}: colour #{shared:06x} belongs to several classes; give each class a colour "
            "of its own, or save class indices as 8-bit single-channel PNG"
        )
    return labels.astype(np.uint8)


def write_mask(path: Path, labels: UInt8Array) -> None:
    """Write (H, W) uint8 labels as an 8-bit single-channel PNG, whole or not at all.

    Raises:
        StorageError: when the file cannot be written.
    """
    with atomic_write(path) as file:
        Image.fromarray(labels).save(file, format="PNG")


def write_image(path: Path, image: UInt8Array) -> None:
    """Write (H, W, 1 or 3) uint8 as PNG or JPEG by the suffix, whole or not at all.

    Raises:
        StorageError: when the file cannot be written, or its suffix is another.
    """
    jpeg = path.suffix.lower() in (".jpg", ".jpeg")
    if not jpeg and path.suffix.lower() != ".png":
        raise StorageError(f"{path.name}: pictures are written as .png or .jpg; name it so")
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    with atomic_write(path) as file:
        if jpeg:
            picture.save(file, format="JPEG", quality=92)
        else:
            picture.save(file, format="PNG")


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
        raise StorageError(
            f"{path}: cannot be written ({error.strerror or error}); "
            "free some room or choose another place"
        ) from error


@contextmanager
def _opened(path: Path) -> Iterator[ImageFile.ImageFile]:
    """Open a picture, check its size from the header, and turn what goes wrong into ImageError."""
    try:
        if path.stat().st_size == 0:
            raise ImageError(f"{path.name}: the file is empty (0 bytes); copy it again")
        with _quiet():
            opened = Image.open(path, formats=_FORMATS)
        with opened as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise ImageError(
                    f"{path.name}: the picture is {width}x{height}, more than "
                    f"{MAX_PIXELS // 1_000_000} million pixels; cut it into parts"
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


def _decode(path: Path) -> tuple[Image.Image, str]:
    """Return the upright first page of a picture, decoded, and the mode of its pixels on disk."""
    with _opened(path) as image:
        orientation = _orientation(image)
        arguments = image.tile[0][3] if image.tile else None
        raw_mode = str(arguments[0] if isinstance(arguments, tuple) else arguments)
        if image.format == "PNG":
            # Pillow decodes without a look at the checksums, and damage would come out black.
            with Image.open(path, formats=_FORMATS) as copy:
                copy.verify()
        image.load()
        # Pillow turns a TIFF by itself.
        if orientation > 1 and image.format != "TIFF":
            return image.transpose(_TURNS[orientation]), raw_mode
        return image, raw_mode


def _as_uint8(image: Image.Image, name: str) -> UInt8Array:
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
