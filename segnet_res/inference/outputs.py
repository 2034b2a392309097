"""The kinds of result that a run can save, and how a file of each is written; needs no torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from segnet_res.classes import ClassMap
from segnet_res.errors import ImageError, UsageError
from segnet_res.images import UInt8Array, write_image, write_mask
from segnet_res.inference.coco import write_polygons
from segnet_res.render import confidence_image, overlay

if TYPE_CHECKING:
    from segnet_res.inference.segmenter import Prediction

# JPEG has no room for longer sides.
MAX_JPEG_SIDE = 65_500


# Makes the pixels of a result from the same rows of a picture (h, w, 3 or 1) uint8, its labels
# (h, w) uint8 and its confidence (h, w) float32: (h, w) or (h, w, 3) uint8.
Pixels = Callable[[UInt8Array, UInt8Array, NDArray[np.float32], ClassMap], UInt8Array]


@dataclass(frozen=True)
class Kind:
    """One kind of result: the files of a folder of that name in the target.

    Attributes:
        name: What `--save` calls it, and the folder in the target.
        suffix: Of its files.
        pixels: Makes its pixels, each from what lies at its own place alone, so that a large
            picture can be written strip by strip; None where a file is no picture.
        needs_image: Whether the photograph in its own colours is needed.
        needs_confidence: Whether the confidence is needed. What needs neither can be made again
            from a mask that is there.
    """

    name: str
    suffix: str
    pixels: Pixels | None
    needs_image: bool = False
    needs_confidence: bool = False

    def write(
        self,
        path: Path,
        image: UInt8Array | None,
        prediction: Prediction,
        class_map: ClassMap,
        *,
        name: str,
    ) -> None:
        """Write the file of one picture, whole or not at all.

        Args:
            path: Where to; missing folders are made.
            image: (H, W, 1 or 3) uint8; None only where it is not needed.
            prediction: Labels and confidence of the same height and width.
            class_map: Names and colours of the labels.
            name: What the picture is called: its path below the source.

        Raises:
            ImageError: when a picture is too long for the format.
            StorageError: when the file cannot be written.
        """
        if self.pixels is None:
            write_polygons(path, prediction.labels, class_map, name=name)
            return
        assert image is not None or not self.needs_image
        if self.suffix == ".jpg":
            check_jpeg(prediction.labels.shape)
        pixels = self.pixels(
            prediction.labels[..., None] if image is None else image,
            prediction.labels,
            prediction.confidence,
            class_map,
        )
        (write_mask if pixels.ndim == 2 else write_image)(path, pixels)


def check_jpeg(shape: Sequence[int]) -> None:
    """Refuse a picture (height, width, ...) that JPEG has no room for.

    Raises:
        ImageError: when a side is longer than `MAX_JPEG_SIDE`.
    """
    height, width = shape[:2]
    if max(height, width) > MAX_JPEG_SIDE:
        raise ImageError(
            f"{width}x{height} is too long for a JPEG overlay; leave overlays out for this picture"
        )


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "masks",
            ".png",
            lambda _image, labels, _confidence, _classes: labels,
        ),
        Kind(
            "colors",
            ".png",
            lambda _image, labels, _confidence, classes: classes.palette()[labels],
        ),
        Kind(
            "overlays",
            ".jpg",
            lambda image, labels, _confidence, classes: overlay(image, labels, classes),
            needs_image=True,
        ),
        Kind(
            "confidence",
            ".png",
            lambda _image, _labels, confidence, _classes: confidence_image(confidence),
            needs_confidence=True,
        ),
        Kind("polygons", ".json", None),
    )
}


def check_kinds(save: Sequence[str]) -> tuple[Kind, ...]:
    """Return the kinds of these names, each once, in the order of `KINDS`.

    Raises:
        UsageError: when there is none, or one is unknown.

    >>> [kind.name for kind in check_kinds(["overlays", "masks", "masks"])]
    ['masks', 'overlays']
    """
    unknown = [name for name in save if name not in KINDS]
    if unknown or not save:
        raise UsageError(f"save is {', '.join(unknown) or 'empty'}; choose from {', '.join(KINDS)}")
    return tuple(kind for name, kind in KINDS.items() if name in save)
