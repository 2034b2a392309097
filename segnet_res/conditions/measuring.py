"""Plain measures of how a picture was taken; the package tells what each means and who found it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from segnet_res.errors import DataError
from segnet_res.images import LargePicture, UInt8Array, to_channels

# A larger picture is measured in windows, evenly spread, so that it costs no more than this.
_MOST_PIXELS = 4_000_000
_WINDOW, _WINDOWS_ALONG = 256, 8

# Immerkær's operator is this along both axes, one after the other.
_CURVATURE = np.array([1, -2, 1], np.float32)
# It multiplies the deviation of noise by the root of the sum of its squares, 6; the
# median of its size is 0.6745 deviations where noise is normal.
_NOISE_SCALE = 6 * 0.6745

_BLUR = 9  # taps of the second blur, as in the paper


@dataclass(frozen=True)
class Conditions:
    """What is measured of a picture; the package tells how.

    Attributes:
        brightness: 0 to 255.
        contrast: 0 to 127.5.
        sharpness: 0 to 1; 0 where there is no structure at all.
        noise: In grey levels.
        width: Pixels.
        height: Pixels.
    """

    brightness: float
    contrast: float
    sharpness: float
    noise: float
    width: int
    height: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote.

        Raises:
            DataError: when a measure is missing or no number.
        """
        try:
            brightness, contrast, sharpness, noise = (float(content[name]) for name in NAMES[:4])
            width, height = (int(content[name]) for name in NAMES[4:])
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"conditions are {str(content)[:80]}; give numbers for {', '.join(NAMES)}"
            ) from error
        return cls(brightness, contrast, sharpness, noise, width, height)


NAMES = tuple(field.name for field in fields(Conditions))


def measure(image: UInt8Array | LargePicture) -> Conditions:
    """Measure a picture.

    Args:
        image: (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) uint8. Colours count by their luma.

    Raises:
        ImageError: when the array has another type or shape.

    >>> measure(np.full((40, 60), 200, np.uint8))
    Conditions(brightness=200.0, contrast=0.0, sharpness=0.0, noise=0.0, width=60, height=40)
    """
    levels, answers = np.zeros(256), np.zeros(256)
    lost, whole = np.zeros(2), np.zeros(2)
    for window in _windows(image):
        grey = to_channels(window, 1)[..., 0]
        levels += _histogram(grey)
        if min(grey.shape) > 2:
            answer = cv2.sepFilter2D(grey, cv2.CV_16S, _CURVATURE, _CURVATURE)[1:-1, 1:-1]
            # What is over 255 is structure.
            answers += _histogram(np.asarray(cv2.convertScaleAbs(answer), np.uint8))
        for axis in range(2):
            found = _lost(grey, axis)
            lost[axis] += found[0]
            whole[axis] += found[1]
    shares = levels / levels.sum()
    grades = np.arange(256)
    brightness = float(shares @ grades)
    contrast = float(np.sqrt(shares @ (grades - brightness) ** 2))
    # An axis without any structure, such as that of a single row, says nothing.
    sharpness = min((lost[whole > 0] / whole[whole > 0]).tolist(), default=0.0)
    return Conditions(
        round(brightness, 3),
        round(contrast, 3),
        round(sharpness, 4),
        round(_median(answers) / _NOISE_SCALE, 3),
        width=image.shape[1],
        height=image.shape[0],
    )


def _windows(image: UInt8Array | LargePicture) -> Iterator[UInt8Array]:
    height, width = image.shape[:2]
    if height * width <= _MOST_PIXELS:
        yield image[:, :]
        return
    for top in _starts(height):
        for left in _starts(width):
            yield image[top : top + _WINDOW, left : left + _WINDOW]


def _starts(length: int) -> list[int]:
    last = max(0, length - _WINDOW)
    return sorted({round(i * last / (_WINDOWS_ALONG - 1)) for i in range(_WINDOWS_ALONG)})


def _histogram(values: UInt8Array) -> NDArray[np.float64]:
    # OpenCV 4 and 5 give arrays of different shapes here.
    return np.ravel(cv2.calcHist([values], [0], None, [256], [0, 256])).astype(np.float64)


def _lost(grey: UInt8Array, axis: int) -> tuple[float, float]:
    """Return how much of the differences along an axis another blur takes, and their sum."""
    if grey.shape[axis] == 1:
        return 0.0, 0.0
    size = (1, _BLUR) if axis == 0 else (_BLUR, 1)
    # Sums instead of means, and so everything else times their number: whole numbers are quick.
    blurred = cv2.boxFilter(grey, cv2.CV_16U, size, normalize=False)
    after = cv2.absdiff(*_neighbours(blurred, axis))
    before = np.multiply(cv2.absdiff(*_neighbours(grey, axis)), _BLUR, dtype=np.uint16)
    # Saturated: less than nothing is nothing.
    return cv2.sumElems(cv2.subtract(before, after))[0], cv2.sumElems(before)[0]


def _neighbours(values: NDArray[Any], axis: int) -> tuple[NDArray[Any], NDArray[Any]]:
    return (values[1:], values[:-1]) if axis == 0 else (values[:, 1:], values[:, :-1])


def _median(counts: NDArray[np.float64]) -> float:
    """Return the median of whole numbers 0, 1, ... of which there are so many, between them.

    >>> _median(np.array([2.0, 2.0])), _median(np.array([0.0, 0.0, 4.0]))
    (0.5, 2.0)
    """
    total = counts.sum()
    if counts[0] == total:
        return 0.0
    # A number stands for the half steps around it; 0 is a half step wide, as sizes are.
    rising = np.concatenate([[0], np.cumsum(counts)])
    edges = np.maximum(np.arange(len(rising)) - 0.5, 0)
    return float(np.interp(total / 2, rising, edges))
