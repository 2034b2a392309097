"""Writing pictures and masks; files appear whole or not at all."""

from pathlib import Path

from PIL import Image

from segnet_res.errors import StorageError
from segnet_res.images.arrays import UInt8Array
from segnet_res.images.files import atomic_write


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
