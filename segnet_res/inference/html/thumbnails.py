"""Small pictures of parts with what was found, as JPEG that goes into the page."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from segnet_res.classes import ClassMap, background
from segnet_res.errors import SegnetResError
from segnet_res.images import UInt8Array, image_size, read_image, read_mask
from segnet_res.regions import find_regions
from segnet_res.render import overlay

# Longer sides are scaled down to this.
_SIDE = 480
_QUALITY = 82

# Larger ones would take gigabytes only to be shown small.
_MOST_PIXELS = 50_000_000

# Regions smaller than this on the thumbnail are framed, at most so many.
_SMALL, _FRAMES, _GAP = 40, 20, 5


def thumbnail(
    row: Mapping[str, Any], target: Path, picture: Path | None, class_map: ClassMap
) -> str | None:
    """Return the picture of a part as a ``data:`` address, None where nothing is at hand.

    The photograph with its mask painted over it is best; else the overlay that the run saved, and
    the mask alone.

    Args:
        row: Line of the manifest.
        target: Folder of the results.
        picture: The photograph, where it is still there.
        class_map: Names and colours of the labels.
    """
    outputs: Mapping[str, Mapping[str, str]] = row.get("outputs") or {}
    found = {kind: target / str(output["path"]) for kind, output in outputs.items()}
    for show in (_painted, _saved_overlay, _mask_alone):
        try:
            pixels = show(found, picture, class_map)
        except (SegnetResError, OSError, MemoryError, ValueError):
            # A report without one of its pictures is better than none.
            continue
        if pixels is not None:
            return _address(pixels)
    return None


def _painted(
    found: Mapping[str, Path], picture: Path | None, class_map: ClassMap
) -> UInt8Array | None:
    if picture is None or "masks" not in found or _is_large(picture):
        return None
    image, labels = read_image(picture, 3), read_mask(found["masks"], class_map)
    if image.shape[:2] != labels.shape:
        return None
    return _scaled(image, labels, class_map)


def _saved_overlay(
    found: Mapping[str, Path],
    picture: Path | None,  # noqa: ARG001
    class_map: ClassMap,  # noqa: ARG001
) -> UInt8Array | None:
    if "overlays" not in found:
        return None
    with Image.open(found["overlays"], formats=("JPEG",)) as image:
        # The decoder itself scales down, so that a huge one takes little memory.
        image.draft("RGB", (_SIDE, _SIDE))
        image.thumbnail((_SIDE, _SIDE))
        return np.asarray(image.convert("RGB"))


def _mask_alone(
    found: Mapping[str, Path],
    picture: Path | None,  # noqa: ARG001
    class_map: ClassMap,
) -> UInt8Array | None:
    if "masks" not in found or _is_large(found["masks"]):
        return None
    labels = read_mask(found["masks"], class_map)
    return _scaled(np.full((*labels.shape, 3), 96, np.uint8), labels, class_map)


def _is_large(path: Path) -> bool:
    height, width = image_size(path)
    return height * width > _MOST_PIXELS


def _scaled(image: UInt8Array, labels: UInt8Array, class_map: ClassMap) -> UInt8Array:
    """Scale picture and mask down and paint one over the other.

    However small a region of a defect is, it stays to be seen, and has a frame around it.
    """
    height, width = labels.shape
    scale = min(1.0, _SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    sound = background(class_map)
    if sound is None:
        nearest = np.asarray(cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST), np.uint8)
        return overlay(small, nearest, class_map)
    painted = np.full(small.shape[:2], sound, np.uint8)
    # What a pixel of the thumbnail covers: it is taken from the upper left one.
    window = np.ones((math.ceil(1 / scale), math.ceil(1 / scale)), np.uint8)
    for label in np.unique(labels).tolist():
        if label < len(class_map) and label != sound:
            here = cv2.dilate((labels == label).view(np.uint8), window, anchor=(0, 0))
            painted[cv2.resize(here, size, interpolation=cv2.INTER_NEAREST) > 0] = label
    result = overlay(small, painted, class_map)
    for region in find_regions(labels, class_map)[:_FRAMES]:
        _frame(result, region.box, scale)
    return result


def _frame(pixels: UInt8Array, box: tuple[int, int, int, int], scale: float) -> None:
    left, top, width, height = (value * scale for value in box)
    if max(width, height) > _SMALL:
        return
    first = (round(left) - _GAP, round(top) - _GAP)
    last = (round(left + width) + _GAP, round(top + height) + _GAP)
    # White on black is seen on any picture.
    cv2.rectangle(pixels, first, last, (0, 0, 0), 3)
    cv2.rectangle(pixels, first, last, (255, 255, 255), 1)


def _address(pixels: UInt8Array) -> str:
    file = io.BytesIO()
    # With colours of every pixel, because a defect may be as small.
    Image.fromarray(pixels).save(file, format="JPEG", quality=_QUALITY, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
