"""Pictures too large for the ordinary way: decoded once, segmented and painted part by part.

The labels are those of `Segmenter.predict`; what differs is what is held meanwhile. The ordinary
way takes some 30 bytes a pixel, this one 6 to 8 in colour and 3 to 4 in grey: the picture as Pillow
holds it, the labels, and the confidence as grey where somebody wants it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from segnet_res.classes import ClassMap
from segnet_res.conditions import Conditions, measure
from segnet_res.errors import ImageError
from segnet_res.images import LargePicture, UInt8Array, image_size, is_grey, write_strips
from segnet_res.inference.outputs import KINDS, Kind, check_jpeg
from segnet_res.inference.segmenter import Prediction, Segmenter
from segnet_res.memory import available_memory, trim_memory
from segnet_res.regions import refine
from segnet_res.render import confidence_image

# What the ordinary way takes at its peak, in bytes a pixel: decoding, labels, confidence, painting.
_BYTES = 32

# It may take this part of the memory, since several pictures are under way at once...
_SHARE = 1 / 16

# ...and never more than a gigabyte, which is a picture of 32 million pixels.
_MOST_PIXELS = 32_000_000

# What a large picture takes at most, in bytes a pixel, without the model: as the file has it,
# labels and confidence; and, in turn, a canvas in colour, or the numbers of regions.
_GREY_BYTES, _COLOR_BYTES = 4, 8

# Kinds of result that are made of a byte a pixel.
_GREY_KINDS = {"masks", "confidence"}


@dataclass(frozen=True)
class LargeResult:
    """What became of a large picture.

    Attributes:
        labels: (H, W) uint8, refined, and corrected by who asked for that.
        confidence: Mean over the pixels, 0 to 1.
        conditions: How it was taken.
        notes: As those of `segnet_res.images.Picture`.
        seconds: Time in the model.
    """

    labels: UInt8Array
    confidence: float
    conditions: Conditions
    notes: tuple[str, ...]
    seconds: float

    @property
    def height(self) -> int:
        """Pixels."""
        return len(self.labels)

    @property
    def width(self) -> int:
        """Pixels."""
        return len(self.labels[0])


def is_large(height: int, width: int) -> bool:
    """Tell whether a picture of this size is one for `predict_large` on this machine.

    >>> is_large(10_000, 10_000), is_large(256, 256)
    (True, False)
    """
    return height * width > min(_MOST_PIXELS, int(_SHARE * available_memory()) // _BYTES)


def predict_large(
    segmenter: Segmenter,
    path: Path,
    outputs: Mapping[str, Path],
    *,
    name: str,
    threshold: float = 0.0,
    min_region: int = 0,
    corrected: Callable[[UInt8Array], UInt8Array] | None = None,
) -> LargeResult:
    """Segment a picture of up to `MAX_LARGE_PIXELS` and write its results, each whole or not.

    Args:
        segmenter: Does it, tile by tile.
        path: The picture.
        outputs: The file of each kind of result, by the names of `KINDS`.
        name: What the picture is called in files of polygons.
        threshold: As for `segnet_res.regions.refine`.
        min_region: See there.
        corrected: Is given the labels when they are found and their mask is written; what it
            returns is what all other results show.

    Raises:
        ImageError: when the picture cannot be read or is too large.
        StorageError: when a result cannot be written.
        DeviceError: when memory runs out.
        CheckpointError: when the model's output is not numbers, or not of these classes.
    """
    kinds = {KINDS[kind]: file for kind, file in outputs.items()}
    _check_memory(path, grey=outputs.keys() <= _GREY_KINDS)
    picture: LargePicture | None = LargePicture.open(path, segmenter.channels)
    assert picture is not None
    if any(kind.suffix == ".jpg" for kind in kinds):
        check_jpeg(picture.shape)
    conditions, notes = measure(picture), picture.notes
    start = time.perf_counter()
    found = _segment(
        segmenter, picture, threshold, grey=any(kind.needs_confidence for kind in kinds)
    )
    seconds = time.perf_counter() - start
    if min_region > 1:
        # What is unsure is gone already; of the confidence only the shape is looked at.
        found.labels = refine(
            found.labels, _sure(found.labels), segmenter.class_map, min_region=min_region
        )
    if (mask := kinds.pop(KINDS["masks"], None)) is not None:
        _write(KINDS["masks"], mask, found, segmenter.class_map)
    if corrected is not None:
        found.labels = corrected(found.labels)
    showing = [kind for kind in kinds if kind.needs_image]
    for kind in showing:
        # The last one is painted over the picture itself, which nobody needs afterwards.
        canvas = picture.canvas() if kind is showing[-1] else None
        _write(kind, kinds[kind], found, segmenter.class_map, picture, canvas)
    picture = canvas = None
    for kind in (kind for kind in kinds if not kind.needs_image):
        if kind.pixels is None:
            prediction = Prediction(found.labels, _sure(found.labels))
            kind.write(kinds[kind], None, prediction, segmenter.class_map, name=name)
        else:
            _write(kind, kinds[kind], found, segmenter.class_map)
    return LargeResult(found.labels, found.confidence, conditions, notes, seconds)


@dataclass
class _Found:
    """Labels (H, W) uint8, confidence as grey (H, W) uint8 where it was asked for, and its mean."""

    labels: UInt8Array
    grey: UInt8Array | None
    confidence: float


def _segment(
    segmenter: Segmenter, picture: LargePicture, threshold: float, *, grey: bool
) -> _Found:
    size = picture.shape[:2]
    found = _Found(np.empty(size, np.uint8), np.empty(size, np.uint8) if grey else None, 0.0)
    for part in segmenter.parts(picture):
        place = part.rows, part.columns
        found.labels[place] = refine(
            part.labels, part.confidence, segmenter.class_map, threshold=threshold
        )
        if found.grey is not None:
            found.grey[place] = confidence_image(part.confidence)
        found.confidence += float(part.confidence.sum(dtype=np.float64))
        trim_memory()
    found.confidence /= size[0] * size[1]
    return found


def _write(
    kind: Kind,
    path: Path,
    found: _Found,
    class_map: ClassMap,
    picture: LargePicture | None = None,
    canvas: Image.Image | None = None,
) -> None:
    """Write a result strip by strip."""
    pixels = kind.pixels
    assert pixels is not None

    def make(rows: slice) -> UInt8Array:
        labels = found.labels[rows]
        image = labels[..., None] if picture is None else picture.colors(rows)
        sure = _sure(labels) if found.grey is None else _from_grey(found.grey[rows])
        return pixels(image, labels, sure, class_map)

    height, width = found.labels.shape
    write_strips(path, (height, width), make, canvas)


def _sure(labels: UInt8Array) -> NDArray[np.float32]:
    """Return a confidence of the shape of the labels that takes no memory, for who needs none."""
    return np.broadcast_to(np.float32(1), labels.shape)


def _from_grey(grey: UInt8Array) -> NDArray[np.float32]:
    """Return a confidence (h, w) float32 of which `confidence_image` makes the same grey again.

    >>> levels = np.arange(256, dtype=np.uint8)[None]
    >>> bool((confidence_image(_from_grey(levels)) == levels).all())
    True
    """
    return np.minimum((grey + np.float32(0.5)) / 255, 1, dtype=np.float32)


def _check_memory(path: Path, *, grey: bool) -> None:
    """Refuse what cannot fit, by the header, before it is decoded."""
    height, width = image_size(path)
    needed = height * width * (_GREY_BYTES if grey and is_grey(path) else _COLOR_BYTES)
    if needed > available_memory():
        raise ImageError(
            f"{path.name}: the picture is {width}x{height} and takes {needed / 1e9:.1f} GB, the "
            f"machine has {available_memory() / 1e9:.1f} GB of memory; cut it into parts"
        )
