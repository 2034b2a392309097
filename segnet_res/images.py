"""Reading and writing pictures and masks: every bit depth and file format in, one form out.

A picture is (H, W, channels) uint8, channels 3 (RGB) or 1 (grey); a mask is (H, W) uint8 labels.
Files appear whole or not at all.
"""

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

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
        width, height = image.size
        # EXIF orientations 5 to 8 turn the picture by a quarter.
        turned = image.getexif().get(0x0112, 1) >= 5
    return (width, height) if turned else (height, width)


def read_image(path: Path, channels: Channels = 3) -> UInt8Array:
    """Read a picture as (H, W, channels) uint8, turned as its EXIF orientation says.

    16-bit values are divided by 257, so that 65535 becomes 255; an alpha channel is dropped; of a
    file with several pages the first is read.

    Args:
        path: PNG, JPEG, TIFF, WebP or BMP; 8 or 16 bits, grey, RGB, RGBA or palette.
        channels: 3 for RGB, 1 for grey (ITU-R 601 luma).

    Raises:
        ImageError: when the file is empty, damaged, no picture, larger than `MAX_PIXELS`, or of
            floating-point values.
    """
    with _opened(path) as image:
        upright = ImageOps.exif_transpose(image)
        return to_channels(_as_uint8(upright, path), channels)


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
        ImageError: when the file cannot be read, has more than 8 bits with labels above 255, or a
            colour that no class has. Labels that no class has are left to the caller.
    """
    with _opened(path) as image:
        _load(image, path)
        if image.mode in ("L", "P"):
            return np.array(image, np.uint8)
        if image.mode == "1":
            return np.array(image, np.uint8)
        if image.mode in ("RGB", "RGBA"):
            return labels_from_colors(np.array(image.convert("RGB")), class_map, path.name)
        values = np.array(image)
    if values.ndim != 2 or not np.issubdtype(values.dtype, np.integer) or values.max() > 255:
        raise ImageError(
            f"{path.name}: a mask of mode {image.mode} with values up to {values.max()} is not "
            "a mask of class indices; save it as 8-bit single-channel PNG"
        )
    return values.astype(np.uint8)


def labels_from_colors(colors: UInt8Array, class_map: ClassMap, name: str) -> UInt8Array:
    """Turn (H, W, 3) uint8 colours into (H, W) uint8 labels of the classes that own them.

    Raises:
        ImageError: when a colour belongs to no class; ``name`` says in which file.
    """
    codes = (colors.astype(np.uint32) * np.array([65536, 256, 1], np.uint32)).sum(axis=2)
    known, places = np.unique(codes, return_inverse=True)
    owners = {(r << 16) + (g << 8) + b: i for i, (r, g, b) in enumerate(class_map.colors)}
    missing = [code for code in known.tolist() if code not in owners]
    if missing:
        listed = ", ".join(f"#{code:06x}" for code in missing[:5])
        raise ImageError(
            f"{name}: {len(missing)} colours belong to no class (first {listed}); "
            "add them to the classes, or save class indices as 8-bit single-channel PNG"
        )
    table = np.array([owners[code] for code in known.tolist()], np.uint8)
    return table[places].reshape(colors.shape[:2])


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
        StorageError: when the file cannot be written.
    """
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    with atomic_write(path) as file:
        if path.suffix.lower() in (".jpg", ".jpeg"):
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
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f".{path.name[:80]}.", suffix=".part", dir=path.parent
        )
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            # mkstemp gives 0600; a result should be as readable as any other new file.
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StorageError(
            f"{path}: cannot be written ({error.strerror or error}); "
            "free some room or choose another place"
        ) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open a picture, check its size from the header, and turn what goes wrong into ImageError."""
    try:
        if path.stat().st_size == 0:
            raise ImageError(f"{path.name}: the file is empty (0 bytes); copy it again")
        with warnings.catch_warnings():
            # Pillow warns of damaged metadata of pictures that it reads all the same.
            warnings.simplefilter("ignore", UserWarning)
            with Image.open(path) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    raise ImageError(
                        f"{path.name}: the picture is {width}x{height}, more than "
                        f"{MAX_PIXELS // 1_000_000} million pixels; cut it into parts"
                    )
                yield image
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError(
            f"{path.name}: not a picture that can be read; save it as PNG, JPEG, TIFF, WebP or BMP"
        ) from error
    except FileNotFoundError as error:
        raise ImageError(f"{path}: no such file; check the path") from error
    except (OSError, SyntaxError, ValueError, EOFError, MemoryError) as error:
        # Pillow's readers raise all of these on damaged files.
        raise ImageError(
            f"{path.name}: the file is damaged ({error}); copy or export it again"
        ) from error


def _load(image: Image.Image, path: Path) -> None:
    if getattr(image, "n_frames", 1) > 1:
        image.seek(0)
    image.load()
    if 0 in image.size:
        raise ImageError(f"{path.name}: the picture has no pixels; export it again")


def _as_uint8(image: Image.Image, path: Path) -> UInt8Array:
    """Return (H, W) or (H, W, 3) uint8 of any mode that Pillow opens."""
    _load(image, path)
    if image.mode.startswith("I"):
        values = np.array(image)
        if values.min() < 0 or values.max() > 65535:
            raise ImageError(
                f"{path.name}: 32-bit values from {values.min()} to {values.max()}; "
                "export the picture with 8 or 16 bits"
            )
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if image.mode == "F":
        raise ImageError(
            f"{path.name}: a picture of floating-point values has no fixed range; "
            "export it with 8 or 16 bits"
        )
    if image.mode in ("L", "LA", "La", "1"):
        return np.array(image.convert("L"))
    # Through RGBA, because Pillow would warn about palettes with a transparent colour.
    source = image.convert("RGBA") if image.mode == "P" else image
    return np.array(source.convert("RGB"))
