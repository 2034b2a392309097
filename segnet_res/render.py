"""Pictures of a result: overlay, outline, error map, and how much of the area each class takes."""

import cv2
import numpy as np
from numpy.typing import NDArray

from segnet_res.classes import ClassMap, Color, background
from segnet_res.images import UInt8Array, to_channels

# Pixels that are counted at a time.
_COUNTED = 1 << 22

# Codes of `error_map`.
AGREE, FOUND, FALSE_ALARM, MISSED, WRONG_CLASS, UNLABELLED = range(6)

# Vermilion, blue and yellow stay apart on grey metal for colour-blind eyes too.
ERROR_COLORS: dict[int, tuple[str, Color]] = {
    FALSE_ALARM: ("false alarm", (213, 94, 0)),
    MISSED: ("missed", (0, 114, 178)),
    WRONG_CLASS: ("wrong class", (240, 228, 66)),
    FOUND: ("correct", (255, 255, 255)),
}


def overlay(
    image: UInt8Array, labels: UInt8Array, class_map: ClassMap, opacity: float = 0.55
) -> UInt8Array:
    """Paint the classes over a picture; the background and unlabelled pixels stay as they are.

    Args:
        image: (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) uint8.
        labels: (H, W) uint8, labels of the class map or `ignore_index`.
        class_map: Says the colours.
        opacity: 0 shows the picture alone, 1 the colours alone.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ImageError: when the picture has another type or number of channels.
        ValueError: when sizes differ or the opacity is outside 0 to 1.
    """
    if not 0 <= opacity <= 1:
        raise ValueError(f"opacity is {opacity}, give 0 to 1")
    rgb = _same_size(image, labels)
    blended = np.asarray(
        cv2.addWeighted(class_map.palette()[labels], opacity, rgb, 1 - opacity, 0), np.uint8
    )
    return np.where(_painted(labels, class_map)[..., None], blended, rgb)


def outline(
    image: UInt8Array, labels: UInt8Array, class_map: ClassMap, width: int = 2
) -> UInt8Array:
    """Draw the inner border of every region in the colour of its class.

    Args:
        image: (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) uint8.
        labels: (H, W) uint8, labels of the class map or `ignore_index`.
        class_map: Says the colours.
        width: Thickness of the border in pixels, at least 1.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ImageError: when the picture has another type or number of channels.
        ValueError: when sizes differ or the width is below 1.
    """
    if width < 1:
        raise ValueError(f"width is {width}, give at least 1")
    rgb = _same_size(image, labels).copy()
    window = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    # A window whose largest and smallest label differ touches a border.
    border = cv2.dilate(labels, window) != cv2.erode(labels, window)
    drawn = border & _painted(labels, class_map)
    rgb[drawn] = class_map.palette()[labels[drawn]]
    return rgb


def error_map(labels: UInt8Array, truth: UInt8Array, class_map: ClassMap) -> UInt8Array:
    """Tell for every pixel in which way prediction and truth differ.

    Without a background class every difference is `WRONG_CLASS`.

    >>> classes = ClassMap.from_names(["background", "crack", "fray"])
    >>> predicted = np.array([[0, 1, 1, 0, 2, 1]], np.uint8)
    >>> true = np.array([[0, 1, 0, 1, 1, 255]], np.uint8)
    >>> error_map(predicted, true, classes).tolist()
    [[0, 1, 2, 3, 4, 5]]

    Args:
        labels: (H, W) uint8 predicted labels.
        truth: (H, W) uint8 true labels or `ignore_index`.
        class_map: Says which labels mean background and "not labelled".

    Returns:
        (H, W) uint8 of the codes `AGREE` (both background), `FOUND` (both the same other class),
        `FALSE_ALARM`, `MISSED`, `WRONG_CLASS` and `UNLABELLED`.

    Raises:
        ValueError: when sizes differ.
    """
    if labels.shape != truth.shape:
        raise ValueError(f"labels have shape {labels.shape}, truth {truth.shape}")
    empty = background(class_map)
    codes = np.where(labels == truth, FOUND, WRONG_CLASS).astype(np.uint8)
    if empty is not None:
        codes[(labels == empty) & (truth != empty)] = MISSED
        codes[(labels != empty) & (truth == empty)] = FALSE_ALARM
        codes[(labels == empty) & (truth == empty)] = AGREE
    codes[truth == class_map.ignore_index] = UNLABELLED
    return codes


def confidence_image(confidence: NDArray[np.float32]) -> UInt8Array:
    """Return confidence as grey, (H, W) uint8: 255 times the confidence, rounded down.

    So 255 means sure, and a threshold is met by the same pixels in both forms: a confidence is at
    least n/255 where the grey is at least n.

    Args:
        confidence: (H, W) float32, 0 to 1.

    >>> confidence_image(np.array([[0, 0.5, 0.999, 1]], np.float32)).tolist()
    [[0, 127, 254, 255]]
    """
    # Float64 for the product, which else rounds up just below a whole number.
    return np.multiply(confidence, 255, dtype=np.float64).astype(np.uint8)


def class_pixels(labels: UInt8Array, class_map: ClassMap) -> NDArray[np.int64]:
    """Return the number of pixels of each class, (C,) int64; unlabelled pixels count nowhere."""
    counts = np.zeros(256, np.int64)
    flat = labels.ravel()
    # Part by part, because numpy counts bytes as numbers of eight bytes each.
    for start in range(0, flat.size, _COUNTED):
        counts += np.bincount(flat[start : start + _COUNTED], minlength=256)
    return counts[: len(class_map)]


def class_shares(labels: UInt8Array, class_map: ClassMap) -> NDArray[np.float64]:
    """Return the share of each class in the labelled area, (C,) float64 from 0 to 1.

    >>> shares = class_shares(np.array([[0, 0, 1, 255]], np.uint8), ClassMap.from_names(["a", "b"]))
    >>> shares.round(3).tolist()
    [0.667, 0.333]
    """
    pixels = class_pixels(labels, class_map)
    return np.asarray(pixels / max(1, pixels.sum()), np.float64)


def _painted(labels: UInt8Array, class_map: ClassMap) -> NDArray[np.bool_]:
    painted = np.zeros(256, np.bool_)
    painted[: len(class_map)] = True
    empty = background(class_map)
    if empty is not None:
        painted[empty] = False
    return np.asarray(painted[labels], np.bool_)


def _same_size(image: UInt8Array, labels: UInt8Array) -> UInt8Array:
    rgb = to_channels(image, 3)
    if rgb.shape[:2] != labels.shape:
        raise ValueError(f"the picture is {rgb.shape[:2]}, its labels are {labels.shape}")
    return rgb
