"""What a training yields while it runs."""

from dataclasses import dataclass

from segnet_res.metrics import Scores


@dataclass(frozen=True)
class Step:
    """One optimiser step is done.

    Attributes:
        epoch: From 1.
        step: Within the epoch, from 1.
        steps: Steps of an epoch.
        loss: Of this step, in this process.
        images: Crops of the step, over all processes.
    """

    epoch: int
    step: int
    steps: int
    loss: float
    images: int


@dataclass(frozen=True)
class Validation:
    """One picture of the validation split is done: ``done`` of ``total``."""

    epoch: int
    done: int
    total: int


@dataclass(frozen=True)
class Epoch:
    """One epoch is done and on the disk.

    Attributes:
        number: From 1.
        epochs: How many there will be.
        loss: Mean over the steps.
        scores: On the validation split, by the same `evaluate` as the command's; None in a final
            training, which measures nothing.
        best: Whether its mIoU is the best so far; in a final training each epoch counts as that.
        images_per_second: Training crops, without the validation.
        seconds: With the validation.
    """

    number: int
    epochs: int
    loss: float
    scores: Scores | None
    best: bool
    images_per_second: float
    seconds: float


@dataclass(frozen=True)
class Notice:
    """A sentence on why the data can teach, or measure, less than they seem to."""

    text: str


Event = Notice | Step | Validation | Epoch
