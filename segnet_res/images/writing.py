"""Writing pictures and masks; files appear whole or not at all."""

from collections.abc import Callable
from pathlib import Path

from PIL import Image

from segnet_res.errors import StorageError
from segnet_res.images.arrays import UInt8Array
from segnet_res.images.files import atomic_write

# Rows that are painted at a time: 15 MB of colours where a picture is 10,000 pixels wide.
_STRIP = 512


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
    _save(path, Image.fromarray(image[..., 0] if image.shape[2] == 1 else image))


def write_strips(
    path: Path,
    size: tuple[int, int],
    make: Callable[[slice], UInt8Array],
    canvas: Image.Image | None = None,
) -> None:
    """Write a picture as PNG or JPEG that is made strip by strip, whole or not at all.

    Pillow's encoders want the picture as one, but take it as it is; from an array they would make
    a copy first.

    Args:
        path: Where to.
        size: Height and width.
        make: Gives some rows, (h, W) or (h, W, 3) uint8.
        canvas: What to paint on, of this size, for which no other memory is taken.

    Raises:
        StorageError: when the file cannot be written, or its suffix is another.
    """
    height, width = size
    for top in range(0, height, _STRIP):
        strip = Image.fromarray(make(slice(top, min(height, top + _STRIP))))
        if canvas is None:
            canvas = Image.new(strip.mode, (width, height))
        canvas.paste(strip, (0, top))
    assert canvas is not None
    _save(path, canvas)


def _save(path: Path, picture: Image.Image) -> None:
    jpeg = path.suffix.lower() in (".jpg", ".jpeg")
    if not jpeg and path.suffix.lower() != ".png":
        raise StorageError(f"{path.name}: pictures are written as .png or .jpg; name it so")
    with atomic_write(path) as file:
        if jpeg:
            picture.save(file, format="JPEG", quality=92)
        else:
            picture.save(file, format="PNG")
