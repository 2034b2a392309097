"""Whether two runtimes give a picture the same labels, and where not."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segnet_res.classes import ClassMap
from segnet_res.data import draw_part
from segnet_res.errors import CheckpointError, DataError
from segnet_res.images import Channels, UInt8Array, find_images, read_image, to_channels
from segnet_res.inference.runtime import Runtime

# At most one pixel in so many may get another label: where two classes are equally probable,
# another order of additions decides.
PIXELS_PER_DIFFERENCE = 100_000

# Larger pictures are compared in pieces of this height and width, so that memory is bounded.
_PIECE = 1024

# (height, width) of the drawn parts: multiples of 32 and others, 0.8 million pixels in all, so that
# one difference in 100,000 can be told.
_PARTS = ((480, 640), (360, 480), (375, 505), (250, 190), (245, 331))
# What is cut from the first: a small odd piece, and a single pixel.
_CUTS = ((33, 47), (1, 1))


@dataclass(frozen=True)
class Batch:
    """Pictures that are compared together.

    Attributes:
        name: What a message calls them.
        images: (N, H, W, channels) uint8.
        top: Row of the first pixels in the picture that they were cut from.
        left: Column of the first pixels.
    """

    name: str
    images: UInt8Array
    top: int = 0
    left: int = 0


@dataclass(frozen=True)
class Parity:
    """How well two runtimes agree.

    Attributes:
        pixels: Compared pixels.
        different: How many of them got another label.
        confidence: The largest difference of confidences, 0 to 1.
        first: Where the first other label is, and both classes; empty where all are the same.
    """

    pixels: int
    different: int
    confidence: float
    first: str

    @property
    def allowed(self) -> int:
        """How many pixels may differ."""
        return self.pixels // PIXELS_PER_DIFFERENCE


def compare(
    expected: Runtime, found: Runtime, batches: Iterable[Batch], class_map: ClassMap
) -> Parity:
    """Segment pictures by both and count the pixels whose labels differ.

    Args:
        expected: What is right.
        found: What is checked.
        batches: The pictures.
        class_map: Names of the classes.

    Raises:
        CheckpointError: when the answers have different shapes or are not numbers.
        DeviceError: when memory runs out.
    """
    pixels = different = 0
    confidence = 0.0
    first = ""
    for batch in batches:
        wanted, given = expected.logits(batch.images), found.logits(batch.images)
        if tuple(wanted.shape) != tuple(given.shape):
            raise CheckpointError(
                f"{batch.name}: the answer has the shape {tuple(given.shape)} instead of "
                f"{tuple(wanted.shape)}; use the checkpoint as it is"
            )
        for right, other in zip(wanted, given, strict=True):
            labels, sure = expected.decide(right)
            again, as_sure = found.decide(other)
            apart = labels != again
            pixels += labels.size
            # Not a number compares as no difference at all.
            largest = float(np.abs(sure - as_sure).max())
            if not np.isfinite(largest):
                raise CheckpointError(
                    f"{batch.name}: the answer holds values that are not numbers; "
                    "use the checkpoint as it is, or choose another one"
                )
            confidence = max(confidence, largest)
            if apart.any() and not different:
                first = _place(batch, labels, again, class_map)
            different += int(apart.sum())
    return Parity(pixels, different, confidence, first)


def drawn_parts(channels: Channels) -> Iterator[Batch]:
    """Yield synthetic parts of several sizes, always the same, one batch of two among them."""
    parts = [
        to_channels(draw_part(np.random.default_rng([5, seed]), size=size).image, channels)
        for seed, size in enumerate(_PARTS)
    ]
    for number, part in enumerate(parts, start=1):
        yield Batch(f"drawn part {number}", part[None])
    for height, width in _CUTS:
        yield Batch(f"{height}x{width} pixels of drawn part 1", parts[0][None, :height, :width])
    pair = np.stack([parts[0][:250, :190], parts[3]])
    yield Batch("drawn parts 1 and 4 together", pair)


def given_pictures(source: Path, channels: Channels) -> Iterator[Batch]:
    """Return the pictures of a folder, or one picture; large ones in pieces.

    Raises:
        DataError: when there are none, at once.
        ImageError: when one cannot be read, once its turn comes.
    """
    paths = find_images(source) if source.is_dir() else [source]
    if not paths or not source.exists():
        raise DataError(f"{source}: no pictures here; give a picture, or a folder that holds some")
    return _pieces(paths, channels)


def _pieces(paths: Iterable[Path], channels: Channels) -> Iterator[Batch]:
    for path in paths:
        image = read_image(path, channels)
        for top in range(0, image.shape[0], _PIECE):
            for left in range(0, image.shape[1], _PIECE):
                piece = image[top : top + _PIECE, left : left + _PIECE]
                yield Batch(path.name, piece[None], top, left)


def _place(batch: Batch, labels: UInt8Array, again: UInt8Array, class_map: ClassMap) -> str:
    row, column = np.argwhere(labels != again)[0]
    names = class_map.names
    return (
        f"{batch.name}, row {batch.top + row}, column {batch.left + column}: "
        f"{names[again[row, column]]} instead of {names[labels[row, column]]}"
    )
