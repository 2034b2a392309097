"""The folder of a run: what it holds, and how it goes on after an interruption."""

import csv
import io
import json
import pickle
from pathlib import Path
from typing import Any

import torch

from segnet_res.errors import TrainingError
from segnet_res.images import atomic_write
from segnet_res.recipe import TrainConfig

# Options that change how, but not what, a run computes: another machine may resume with others.
_FREE = ("device", "workers", "compile", "amp")


class RunFolder:
    """Files of one training.

    - ``config.json``: the options; written first;
    - ``best.safetensors``: the checkpoint with the best validation mIoU;
    - ``last.safetensors``: the checkpoint of the last epoch;
    - ``state.pt``: what resuming needs; written last in every epoch;
    - ``metrics.csv``, ``curves.png``, ``events.out.tfevents.*``: what happened.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.json"
        self.best = path / "best.safetensors"
        self.last = path / "last.safetensors"
        self.state = path / "state.pt"
        self.metrics = path / "metrics.csv"
        self.curves = path / "curves.png"

    def begin(self, config: TrainConfig) -> None:
        """Start a new run.

        Raises:
            TrainingError: when the folder holds a run already.
            StorageError: when the folder cannot be written.
        """
        if self.config.exists() or self.best.exists():
            raise TrainingError(
                f"{self.path}: holds a run already; go on with --resume, or choose another --out"
            )
        with atomic_write(self.config) as file:
            file.write(json.dumps(config.to_dict(), indent=2).encode() + b"\n")

    def read_config(self) -> TrainConfig:
        """Return the options that the run was started with.

        Raises:
            TrainingError: when there is no run, or its options cannot be read.
        """
        try:
            return TrainConfig.from_dict(json.loads(self.config.read_text(encoding="utf-8")))
        except FileNotFoundError as error:
            raise TrainingError(
                f"{self.path}: no run to resume (config.json is missing); start without --resume"
            ) from error
        except (OSError, ValueError, AttributeError) as error:
            raise TrainingError(
                f"{self.config}: damaged ({error}); start again in another folder"
            ) from error

    def check_config(self, config: TrainConfig) -> None:
        """Refuse to go on with options that would change what the run computes.

        Raises:
            TrainingError: names each option that differs, with both values.
        """
        before, now = self.read_config().to_dict(), config.to_dict()
        changed = [
            f"{key} was {before[key]!r} and is {now[key]!r}"
            for key in now
            if key not in _FREE and before[key] != now[key]
        ]
        if changed:
            raise TrainingError(
                f"{self.path}: the run was started with other options ({'; '.join(changed)}); "
                "leave them out with --resume, or choose another --out"
            )

    def load_state(self) -> dict[str, Any] | None:
        """Return the state after the last finished epoch; None when no epoch was finished.

        Raises:
            TrainingError: when the file cannot be read.
        """
        if not self.state.exists():
            return None
        try:
            # weights_only: tensors, numbers and texts, never code.
            state: dict[str, Any] = torch.load(self.state, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
            # torch's own message is a page about unsafe ways to read the file.
            raise TrainingError(
                f"{self.state}: damaged; start a new run with --start {self.last}"
            ) from error
        return state

    def save_state(self, state: dict[str, Any]) -> None:
        """Write the state after an epoch, whole or not at all.

        Raises:
            StorageError: when the file cannot be written.
        """
        with atomic_write(self.state) as file:
            torch.save(state, file)

    def write_metrics(self, history: list[dict[str, Any]]) -> None:
        """Write ``metrics.csv``, one row an epoch.

        Raises:
            StorageError: when the file cannot be written.
        """
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(history[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)
        with atomic_write(self.metrics) as file:
            file.write(text.getvalue().encode())
