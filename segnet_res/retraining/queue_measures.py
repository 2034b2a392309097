"""What is measured of a picture to tell how much a label of it would teach.

*Entropy*: of the softmax, averaged over the picture and its three mirror images, as a share of the
most that so many classes can have. *Disagreement*: how far these four answers lie apart, as
`segnet_res.inference.disagreement.distance` has it. Of both, the mean over the `SHARE` of the
pixels where they are highest: a mean over the whole picture would hide a small defect, a single
pixel is chance.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segnet_res.classes import ClassMap
from segnet_res.conditions import Conditions, measure
from segnet_res.data.lookalike import Look, look
from segnet_res.errors import CheckpointError, ImageError
from segnet_res.images import Channels, UInt8Array, image_size, read_picture
from segnet_res.inference import Segmenter
from segnet_res.inference.disagreement import distance
from segnet_res.memory import available_memory

# Of the pixels of a picture.
SHARE = 0.05

# What a pixel takes beside the model: file, values, two maps and a copy of one, two labels.
_BYTES = 24
# Of the machine's memory; others work there too.
_MEMORY = 0.25


@dataclass(frozen=True)
class Doubt:
    """What a model does not know about a picture.

    Attributes:
        entropy: 0 to 1.
        disagreement: 0 to 1.
        between: The two classes that most of the unsure pixels lie between; None where there is
            one class only.
        place: Column and row of the most unsure pixel.
    """

    entropy: float
    disagreement: float
    between: tuple[str, str] | None
    place: tuple[int, int]


@dataclass(frozen=True)
class Appearance:
    """What a picture looks like, whatever a model says.

    Attributes:
        look: For near-copies, and for what is new.
        conditions: How it was taken.
    """

    look: Look
    conditions: Conditions


class Photograph:
    """A picture whose bytes were read once, and which is decoded when that is needed.

    Args:
        path: The file.
        channels: As the model reads it.

    Attributes:
        path: The file.
        sha256: Of its bytes.

    Raises:
        ImageError: when it cannot be read, or is too large to be held.
    """

    def __init__(self, path: Path, channels: Channels) -> None:
        self.path = path
        self._channels = channels
        height, width = image_size(path)
        if height * width * _BYTES > _MEMORY * available_memory():
            raise ImageError(
                f"{path.name}: {width}x{height} pixels take too much of this machine's memory; cut "
                "it into parts"
            )
        try:
            self._data = path.read_bytes()
        except OSError as error:
            raise ImageError(
                f"{path}: cannot be read ({error.strerror}); check its rights"
            ) from error
        self._array: UInt8Array | None = None
        self.sha256 = hashlib.sha256(self._data).hexdigest()

    @property
    def array(self) -> UInt8Array:
        """(H, W, channels) uint8.

        Raises:
            ImageError: when it is damaged.
        """
        if self._array is None:
            self._array = read_picture(self.path, self._channels, self._data).array
        return self._array


def appearance_of(image: UInt8Array) -> Appearance:
    """Take in what (H, W, 1 or 3) uint8 looks like."""
    return Appearance(look(image), measure(image))


def doubt_about(segmenter: Segmenter, image: UInt8Array) -> Doubt:
    """Run a model on a picture and its mirror images: four times the work of a prediction.

    Args:
        segmenter: The model.
        image: (H, W, 1 or 3) uint8.

    Raises:
        ImageError: when the array has another type or shape.
        DeviceError: when memory runs out.
        CheckpointError: when the model's output is not numbers, or not of these classes.
    """
    size = image.shape[:2]
    entropy, apart = np.empty(size, np.float32), np.empty(size, np.float32)
    first, second = np.empty(size, np.uint8), np.empty(size, np.uint8)
    for rows, columns, answers in segmenter.answers(image):
        shares = _mean_softmax(answers)
        entropy[rows, columns] = _entropy(shares)
        apart[rows, columns] = distance(answers)
        first[rows, columns] = shares.argmax(axis=0)
        np.put_along_axis(shares, shares.argmax(axis=0)[None], -1, axis=0)
        second[rows, columns] = shares.argmax(axis=0)
    if not (np.isfinite(entropy).all() and np.isfinite(apart).all()):
        raise CheckpointError(
            "the model answers with values that are not numbers; its weights are damaged: choose "
            "another checkpoint or train again"
        )
    row, column = np.unravel_index(int(entropy.argmax()), size)
    unsure = entropy >= np.partition(entropy.ravel(), -_count(entropy.size))[-_count(entropy.size)]
    return Doubt(
        _highest(entropy),
        _highest(apart),
        _between(first[unsure], second[unsure], segmenter.class_map),
        (int(column), int(row)),
    )


def _mean_softmax(answers: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (C, h, w) of (4, C, h, w) logits."""
    total = np.zeros(answers.shape[1:], np.float32)
    # One answer at a time, because all of a tile about many classes take gigabytes.
    for answer in answers:
        shares = np.exp(answer - answer.max(axis=0))
        total += shares / shares.sum(axis=0)
    total /= np.float32(len(answers))
    return total


def _entropy(shares: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the entropy of (C, h, w) softmaxes, 0 to 1.

    >>> even, sure = np.full((4, 1, 1), 0.25, np.float32), np.eye(4, dtype=np.float32)[:, :1, None]
    >>> _entropy(even).item(), _entropy(sure).item()
    (1.0, 0.0)
    """
    if len(shares) == 1:
        return np.zeros(shares.shape[1:], np.float32)
    # A share of exactly 0 adds nothing, but its logarithm would be infinite.
    logs = np.log(np.maximum(shares, np.finfo(np.float32).tiny))
    bits: NDArray[np.float32] = np.abs((shares * logs).sum(axis=0))
    bits /= np.float32(math.log(len(shares)))
    # Rounding alone may leave more than there can be.
    return np.minimum(bits, 1, out=bits)


def _highest(values: NDArray[np.float32]) -> float:
    """Return the mean of the `SHARE` of the pixels that have most.

    >>> _highest(np.array([[0.5] * 2 + [0.0] * 38], np.float32))
    0.5
    """
    count = _count(values.size)
    return round(float(np.partition(values.ravel(), -count)[-count:].mean()), 4)


def _count(pixels: int) -> int:
    return max(1, round(SHARE * pixels))


def _between(first: UInt8Array, second: UInt8Array, class_map: ClassMap) -> tuple[str, str] | None:
    if len(class_map) < 2:
        return None
    codes = np.minimum(first, second).astype(np.int64) * 256 + np.maximum(first, second)
    low, high = divmod(int(np.bincount(codes).argmax()), 256)
    return class_map.names[low], class_map.names[high]
