"""A picture on its way through a run, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from segnet_res.conditions import Conditions
from segnet_res.images import UInt8Array
from segnet_res.inference.checking import Check
from segnet_res.inference.manifest import Record
from segnet_res.inference.segmenter import Prediction

if TYPE_CHECKING:
    from segnet_res.inference.staging import Staging


@dataclass(frozen=True)
class Work:
    """A picture on its way.

    Attributes:
        check: What is to be done.
        image: (H, W, channels) uint8 once it was read.
        notes: What is to be said of it.
        prediction: Labels and confidence once it went through the model.
        large: What else is known of a large picture, whose results are written already.
        seconds: Time in the model.
        error: Why it goes no further.
    """

    check: Check
    image: UInt8Array | None = None
    notes: tuple[str, ...] = ()
    prediction: Prediction | None = None
    large: Large | None = None
    seconds: float | None = None
    error: str | None = None

    @property
    def pixels(self) -> int:
        """Pixels that are held for it."""
        if self.large is not None:
            return self.large.labels.size
        return 0 if self.image is None else self.image.shape[0] * self.image.shape[1]

    def failed(self, error: Exception) -> Work:
        """Return the same picture as one that goes no further."""
        return replace(self, image=None, prediction=None, error=reason_of(error, self.check))


@dataclass(frozen=True)
class Large:
    """What is known of a large picture instead of its pixels.

    Attributes:
        staging: Its results, written but not in their places.
        labels: (H, W) uint8, equal to its mask, which may be one by hand.
        confidence: Mean over the pixels, 0 to 1.
        conditions: How it was taken.
    """

    staging: Staging
    labels: UInt8Array
    confidence: float
    conditions: Conditions


@dataclass(frozen=True)
class FileResult:
    """What became of one picture.

    Attributes:
        path: The picture.
        record: What the manifest says of it.
        kept: Whether all results were there before, so that nothing was done.
        reviewed: Whether the mask that was there told all, so that the model was not asked.
        by_hand: Results that this run found to be changed by hand, by their paths.
        start: Where the manifest's new line begins; None where none was written.
    """

    path: Path
    record: Record
    kept: bool = False
    reviewed: bool = False
    by_hand: tuple[str, ...] = ()
    start: int | None = None

    @property
    def name(self) -> str:
        """The picture's path below the source, with ``/``."""
        return self.record.path

    @property
    def error(self) -> str | None:
        """Why there is no result; None when there is one."""
        return self.record.error

    @property
    def shares(self) -> dict[str, float]:
        """Share of the labelled area that each class takes, 0 to 1."""
        return shares_of(self.record.classes)


def shares_of(classes: dict[str, dict[str, int]]) -> dict[str, float]:
    """Return the share of each class in the labelled area from its pixels.

    >>> shares_of({"sound": {"pixels": 3, "regions": 0}, "crack": {"pixels": 1, "regions": 1}})
    {'sound': 0.75, 'crack': 0.25}
    """
    total = max(1, sum(found["pixels"] for found in classes.values()))
    return {name: round(found["pixels"] / total, 8) for name, found in classes.items()}


def reason_of(error: Exception, check: Check) -> str:
    """Return the message of an error without the file's name, which the record has already."""
    if isinstance(error, MemoryError):
        return "the picture does not fit into memory; cut it into parts"
    text = " ".join(str(error).split())
    for start in (f"{check.job.path}: ", f"{check.job.path.name}: "):
        text = text.removeprefix(start)
    return text
