"""What the training pictures were like, and what to say of pictures that are otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from segnet_res.conditions.measuring import NAMES, Conditions
from segnet_res.errors import DataError

# What is kept of the training pictures: these quantiles of each measure.
PROBABILITIES = (0.0, 0.01, 0.05, 0.5, 0.95, 0.99, 1.0)
_LEAST, _LOW, _LOWER, _MIDDLE, _UPPER, _HIGH, _MOST = range(7)

# A picture is told of when it lies outside of the middle 98 % of the training pictures by more
# than this share of the way there from their median. Without it one in fifty sound pictures would
# be told of, in each measure, and far more where there were few training pictures.
_MARGIN = 0.25

# However alike the training pictures are, a smaller change than this does not matter.
_LEAST_CHANGE = {"brightness": 2.0, "contrast": 1.0, "sharpness": 0.01, "noise": 0.2}

# The median of so many pictures strays far less than one picture.
_FEWEST = 10
# A run is told of, too, when a larger share of its pictures is told of.
_MOST_OUTSIDE = 0.05
# Medians and shares of a run are those of at most so many pictures, evenly spread.
_MOST_KEPT = 4096

# A size is told of when it is so many times larger than all of the training, or smaller.
_SIZE_FACTOR = 1.5

# What may have changed where a measure is lower, and where it is higher.
_CAUSES = {
    "brightness": ("light or exposure?", "light or exposure?"),
    "contrast": ("light, or another surface?", "light, or another surface?"),
    "sharpness": ("lens or focus?", "another lens, or sharpening by the camera?"),
    "noise": ("smoothing by the camera, or compression?", "gain or exposure time?"),
}


@dataclass(frozen=True)
class KnownConditions:
    """The conditions of the training pictures, as a checkpoint keeps them.

    Attributes:
        pictures: How many were measured.
        quantiles: Of each measure, by its name, the values at `PROBABILITIES`.
    """

    pictures: int
    quantiles: Mapping[str, tuple[float, ...]]

    @classmethod
    def of(cls, measured: Iterable[Conditions]) -> Self:
        """Summarise what was measured.

        Raises:
            ValueError: when there is nothing.
        """
        table = np.array([[getattr(one, name) for name in NAMES] for one in measured])
        if not len(table):
            raise ValueError("no conditions; measure at least one picture")
        values = np.quantile(table, PROBABILITIES, axis=0).T.round(4).tolist()
        return cls(len(table), {name: tuple(v) for name, v in zip(NAMES, values, strict=True)})

    def usual(self, name: str) -> tuple[float, float]:
        """Return the range of a measure in the middle 98 % of the pictures."""
        return self.quantiles[name][_LOW], self.quantiles[name][_HIGH]

    def __str__(self) -> str:
        """Tell the usual ranges.

        >>> print(KnownConditions.of([Conditions(100.0, 30.0, 0.8, 2.0, 640, 480)]))
        brightness 100, contrast 30, sharpness 0.8, noise 2, width 640, height 480 (98 % of 1)
        """
        ranges = ", ".join(f"{name} {_range(*self.usual(name))}" for name in NAMES)
        return f"{ranges} (98 % of {self.pictures:,})"

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists and numbers for JSON."""
        quantiles = {name: list(values) for name, values in self.quantiles.items()}
        return {
            "pictures": self.pictures,
            "probabilities": list(PROBABILITIES),
            "quantiles": quantiles,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self | None:
        """Read what `to_dict` wrote; None where another version keeps other things.

        Raises:
            DataError: when it is damaged.
        """
        try:
            probabilities, found = content["probabilities"], content["quantiles"]
            if probabilities != list(PROBABILITIES) or not set(NAMES) <= found.keys():
                return None
            quantiles = {name: tuple(float(value) for value in found[name]) for name in NAMES}
            if any(len(values) != len(PROBABILITIES) for values in quantiles.values()):
                raise ValueError("too few")
            if not np.isfinite(list(quantiles.values())).all():
                raise ValueError("no numbers")
            return cls(int(content["pictures"]), quantiles)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                "the conditions of the training pictures are damaged; copy the checkpoint again"
            ) from error


def judge_conditions(measured: Conditions, known: KnownConditions) -> list[str]:
    """Tell in which way one picture is unlike the training pictures.

    Returns:
        One sentence for each measure that lies outside; none where all is as usual.

    >>> usual = Conditions(100.0, 30.0, 0.8, 2.0, 640, 480)
    >>> known = KnownConditions.of([usual] * 200)
    >>> judge_conditions(usual, known)
    []
    >>> judge_conditions(Conditions(100.0, 30.0, 0.5, 2.0, 640, 480), known)
    ['sharpness 0.5 is lower than in all 200 training pictures (0.8): lens or focus?']
    """
    found: _Found = {}
    for name in _CAUSES:
        value, quantiles = getattr(measured, name), known.quantiles[name]
        side = _side(name, value, quantiles)
        than = _than(value, side, quantiles, known.pictures)
        found[name] = side, f"{name} {_short(value)} is {than}"
    return _sentences(found) + _judge_size((measured.width, measured.height), known)


class FolderConditions:
    """The conditions of all pictures of a run; memory stays bounded.

    Of very many pictures every second, fourth, eighth ... is kept.
    """

    def __init__(self) -> None:
        self._kept: list[tuple[float, ...]] = []
        self._count = 0
        self._stride = 1

    def __len__(self) -> int:
        return self._count

    def add(self, measured: Conditions) -> None:
        """Take one more picture."""
        if self._count % self._stride == 0:
            self._kept.append(tuple(float(getattr(measured, name)) for name in NAMES))
            if len(self._kept) == _MOST_KEPT:
                del self._kept[1::2]
                self._stride *= 2
        self._count += 1

    def judge(self, known: KnownConditions) -> list[str]:
        """Tell in which way the run is unlike the training pictures.

        Either its median lies outside of the middle 90 % of theirs, or too many pictures are told
        of by themselves.

        Returns:
            At most one sentence for each measure; none of fewer than 10 pictures, of which
            `judge_conditions` tells one by one.
        """
        if self._count < _FEWEST:
            return []
        table = np.array(self._kept)
        found = {
            name: _judge_values(name, table[:, NAMES.index(name)], known.quantiles[name])
            for name in _CAUSES
        }
        middle = np.median(table[:, [NAMES.index("width"), NAMES.index("height")]], axis=0)
        return _sentences(found) + _judge_size((int(middle[0]), int(middle[1])), known)


# Of each measure -1, 0 or 1 for lower, usual or higher, and a sentence but for the cause.
_Found = dict[str, tuple[int, str]]


def _sentences(found: _Found) -> list[str]:
    # Noise is sharp itself, and one cause is told once.
    noisy = found["noise"][0] > 0 and found["sharpness"][0] > 0
    return [
        f"{text}: {_CAUSES[name][side > 0]}"
        for name, (side, text) in found.items()
        if side and not (noisy and name == "sharpness")
    ]


def _judge_values(
    name: str, values: NDArray[np.float64], quantiles: tuple[float, ...]
) -> tuple[int, str]:
    """Return -1, 0 or 1 for lower, usual or higher, and a sentence but for the cause."""
    median = float(np.median(values))
    lower, upper = quantiles[_LOWER], quantiles[_UPPER]
    least = _LEAST_CHANGE[name]
    if not lower - least <= median <= upper + least:
        side = -1 if median < lower else 1
        word = ("lower", "higher")[side > 0]
        return side, (
            f"{name} is {_short(median)} in the middle of the run, {word} than in 95 % of the "
            f"training pictures ({_range(lower, upper)})"
        )
    sides = np.array([_side(name, value, quantiles) for value in values.tolist()])
    for side, word in ((-1, "lower"), (1, "higher")):
        share = float((sides == side).mean())
        if share > _MOST_OUTSIDE:
            usual = _range(quantiles[_LOW], quantiles[_HIGH])
            return side, (
                f"{name} of {100 * share:.0f} % of the pictures is {word} than in 99 % of the "
                f"training pictures ({usual})"
            )
    return 0, ""


def _side(name: str, value: float, quantiles: tuple[float, ...]) -> int:
    """Return -1, 0 or 1: whether a value is too low, usual or too high for one picture."""
    low, middle, high = (quantiles[i] for i in (_LOW, _MIDDLE, _HIGH))
    least = _LEAST_CHANGE[name]
    if value < low - max(least, _MARGIN * (middle - low)):
        return -1
    return 1 if value > high + max(least, _MARGIN * (high - middle)) else 0


def _than(value: float, side: int, quantiles: tuple[float, ...], pictures: int) -> str:
    word = ("lower", "higher")[side > 0]
    end = quantiles[_MOST if side > 0 else _LEAST]
    every = value > end if side > 0 else value < end
    if every:
        usual = _range(quantiles[_LEAST], quantiles[_MOST])
        return f"{word} than in all {pictures:,} training pictures ({usual})"
    usual = _range(quantiles[_LOW], quantiles[_HIGH])
    return f"{word} than in 99 % of the training pictures ({usual})"


def _judge_size(size: tuple[int, int], known: KnownConditions) -> list[str]:
    widths, heights = known.quantiles["width"], known.quantiles["height"]
    # A picture may stand upright or lie on its side.
    longest, shortest = max(size), min(size)
    most = max(widths[_MOST], heights[_MOST])
    least = min(widths[_LEAST], heights[_LEAST])
    if least / _SIZE_FACTOR <= shortest and longest <= most * _SIZE_FACTOR:
        return []
    word = "larger" if longest > most * _SIZE_FACTOR else "smaller"
    return [
        f"the size {size[0]}x{size[1]} is {word} than that of all {known.pictures:,} training "
        f"pictures (sides of {_range(least, most)} pixels): another camera or distance?"
    ]


def _range(low: float, high: float) -> str:
    first, last = _short(low), _short(high)
    return first if first == last else f"{first} to {last}"


def _short(value: float) -> str:
    """Write a number with three digits.

    >>> _short(0.81234), _short(107.83), _short(2.0), _short(6144.0)
    ('0.812', '108', '2', '6144')
    """
    digits = max(0, 2 - int(np.floor(np.log10(abs(value))))) if value else 0
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
