"""What a picture is as an array: (H, W, channels) uint8, channels 3 (RGB) or 1 (grey)."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from segnet_res.errors import ImageError

UInt8Array = NDArray[np.uint8]
Channels = Literal[1, 3]

# Pillow turns a picture into an array by way of two copies; larger ones go strip by strip, which
# takes longer and next to no memory.
_AT_ONCE = 32_000_000
_STRIP = 256


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


def array_of(image: Image.Image) -> NDArray[Any]:
    """Return a picture of Pillow as (H, W) or (H, W, bands), of the type of its mode."""
    if image.width * image.height <= _AT_ONCE:
        return np.array(image)
    first = np.asarray(image.crop((0, 0, image.width, 1)))
    values = np.empty((image.height, *first.shape[1:]), first.dtype)
    for top in range(0, image.height, _STRIP):
        bottom = min(image.height, top + _STRIP)
        values[top:bottom] = np.asarray(image.crop((0, top, image.width, bottom)))
    return values
