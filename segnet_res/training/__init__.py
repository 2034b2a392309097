"""Training: from a dataset folder to a checkpoint, resumable after every epoch."""

from segnet_res.recipe import TrainConfig
from segnet_res.training.events import Epoch, Event, Notice, Step, Validation
from segnet_res.training.loop import train, train_events
from segnet_res.training.run_folder import RunFolder

__all__ = [
    "Epoch",
    "Event",
    "Notice",
    "RunFolder",
    "Step",
    "TrainConfig",
    "Validation",
    "train",
    "train_events",
]
