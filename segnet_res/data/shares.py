"""What a split holds: pixels of each class, and a fingerprint of the files."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from segnet_res.data.dataset import SegmentationDataset
from segnet_res.images import UInt8Array


def class_pixels(dataset: SegmentationDataset) -> NDArray[np.int64]:
    """Count the labelled pixels of each class in each picture; ignored pixels count nowhere.

    Returns:
        (pictures, C) int64, the classes in the order of the labels.

    Raises:
        DataError: when a mask cannot be read or holds unknown labels.
    """
    classes = len(dataset.class_map)
    pixels = np.zeros((len(dataset), classes), np.int64)
    for index in range(len(dataset)):
        pixels[index] = count_labels(dataset.read_labels(index), classes)
    return pixels


def count_labels(labels: UInt8Array, classes: int) -> NDArray[np.int64]:
    """Count the pixels of each class in one mask, (C,) int64.

    >>> count_labels(np.array([[0, 2], [2, 255]], np.uint8), 3).tolist()
    [1, 0, 2]
    """
    # Explicit int64: bincount gives the platform's integer, which has 32 bits on Windows.
    return np.bincount(labels.ravel(), minlength=256)[:classes].astype(np.int64)


def fingerprint(dataset: SegmentationDataset) -> str:
    """Return a SHA-256 over the stems and the bytes of all pictures and masks of a split.

    Equal fingerprints mean equal data, wherever the folder lies: 64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for index, stem in enumerate(dataset.stems):
        for content in (
            stem.encode(),
            dataset.image_path(index).read_bytes(),
            dataset.mask_path(index).read_bytes(),
        ):
            # The lengths keep "ab" + "c" apart from "a" + "bc".
            digest.update(len(content).to_bytes(8, "big"))
            digest.update(content)
    return digest.hexdigest()
