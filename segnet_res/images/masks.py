"""Masks as files: (H, W) uint8 labels from indices or from the colours of the classes."""

from pathlib import Path

import numpy as np

from segnet_res.classes import ClassMap
from segnet_res.errors import ImageError
from segnet_res.images.arrays import UInt8Array, array_of
from segnet_res.images.decoding import MAX_LARGE_PIXELS, MAX_PIXELS, decode, enough_memory
from segnet_res.images.reading import is_grey

# What a colour is in `labels_from_colors` where it is not the label of one class.
_NOBODY, _SEVERAL = -1, -2

# Factors by which Pillow stretches grey of few bits.
STRETCHED = {"L;2": 85, "L;4": 17}


def read_mask(path: Path, class_map: ClassMap) -> UInt8Array:
    """Read a mask as (H, W) uint8 labels.

    Grey and palette files hold the labels themselves (of a palette file the indices count, not
    their colours); RGB and RGBA files hold the colours of the class map.

    Raises:
        ImageError: when the file cannot be read, holds numbers that are no 8-bit labels, or a
            colour that no class has. Labels that no class has are left to the caller.
    """
    with enough_memory(path):
        # Labels take a byte a pixel, colours dozens until they are looked up.
        limit = MAX_LARGE_PIXELS if is_grey(path) else MAX_PIXELS
        decoded = decode(path, max_pixels=limit)
        image = decoded.image
        if image.mode in ("RGB", "RGBA"):
            return labels_from_colors(np.array(image.convert("RGB")), class_map, path.name)
        if image.mode in ("LA", "PA"):
            image = image.getchannel(0)
        values = array_of(image)
        if values.ndim != 2 or values.dtype.kind == "f" or values.min() < 0 or values.max() > 255:
            raise ImageError(
                f"{path.name}: mode {image.mode} with values from {values.min()} to "
                f"{values.max()} is no mask of class indices; save it as 8-bit single-channel PNG"
            )
        # Pillow stretches grey of 2 and 4 bits to 0..255, which is right for a picture only.
        factor = STRETCHED.get(decoded.raw_mode)
        labels = values.astype(np.uint8, copy=False)
        return labels if factor is None else labels // factor


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
