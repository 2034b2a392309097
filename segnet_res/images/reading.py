"""Reading pictures: every bit depth and file format in, (H, W, channels) uint8 out."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from segnet_res.errors import ImageError
from segnet_res.images.arrays import Channels, UInt8Array, array_of, to_channels
from segnet_res.images.decoding import (
    MAX_LARGE_PIXELS,
    decode,
    enough_memory,
    opened,
    orientation_of,
    stored_size,
)

# Pillow's modes of pictures whose white nobody can know.
_NO_RANGE = {"F": "floating-point values", "I": "32-bit or signed integers"}


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
            values without a fixed range: floating-point, 32-bit or signed.
    """
    with enough_memory(path):
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
    with opened(path, max_pixels=MAX_LARGE_PIXELS) as image:
        width, height = stored_size(image)
        # Orientations 5 to 8 turn the picture by a quarter.
        return (width, height) if orientation_of(image) >= 5 else (height, width)


def is_grey(path: Path) -> bool:
    """Tell whether a picture is stored as grey; reads the header only.

    Raises:
        ImageError: when the file is no picture, or larger than `MAX_LARGE_PIXELS`.
    """
    with opened(path, max_pixels=MAX_LARGE_PIXELS) as image:
        return image.mode in ("1", "L", "LA", "La") or image.mode.startswith("I")


def has_alpha(path: Path) -> bool:
    """Tell whether a picture has alpha or a transparent colour; reads the header only.

    Raises:
        ImageError: when the file is no picture, or larger than `MAX_LARGE_PIXELS`.
    """
    with opened(path, max_pixels=MAX_LARGE_PIXELS) as image:
        return image.has_transparency_data


def is_turned(path: Path) -> bool:
    """Tell whether EXIF data say that a picture is to be turned or mirrored; reads the header only.

    Raises:
        ImageError: when the file is no picture, or larger than `MAX_LARGE_PIXELS`.
    """
    with opened(path, max_pixels=MAX_LARGE_PIXELS) as image:
        return orientation_of(image) > 1


def as_uint8(image: Image.Image, name: str) -> UInt8Array:
    """Return (H, W) or (H, W, 3) uint8 of a decoded picture of any mode.

    Raises:
        ImageError: when its values have no fixed range.
    """
    if image.mode in _NO_RANGE:
        raise ImageError(
            f"{name}: a picture of {_NO_RANGE[image.mode]} has no fixed range; "
            "export it with 8 or 16 bits without sign"
        )
    if image.mode.startswith("I"):
        return ((array_of(image).astype(np.uint32) + 128) // 257).astype(np.uint8)
    if image.mode in ("L", "RGB"):
        return array_of(image)
    if image.mode in ("LA", "1"):
        return np.array(image.convert("L"))
    # Through RGBA, because Pillow would warn about palettes with a transparent colour.
    source = image.convert("RGBA") if image.mode == "P" else image
    return np.array(source.convert("RGB"))
