"""The folder of a run: what it holds, and how it goes on after an interruption."""

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from segnet_res.errors import StorageError, TrainingError, UsageError
from segnet_res.images import atomic_write
from segnet_res.recipe import TrainConfig

# Options that change how, but not what, a run computes: another machine may resume with others.
_FREE = ("device", "workers", "compile", "amp")


@dataclass(frozen=True)
class Origin:
    """What a run started from, beside its options.

    Attributes:
        dataset: The dataset folder; None where it is not known.
        start: The checkpoint whose weights were the start, if there was one.
        parent: Name and short hash of that checkpoint.
        licence: Note on what the data allow.
        retrained: Whether `segnet-res retrain` made the run, which draws pictures by other shares.
    """

    dataset: Path | None = None
    start: Path | None = None
    parent: str | None = None
    licence: str | None = None
    retrained: bool = False


class RunFolder:
    """Files of one training.

    - ``config.json``: the options and the origin; written first;
    - ``best.safetensors``: the checkpoint with the best validation mIoU, in a final training that
      of the last epoch;
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

    def check_free(self) -> None:
        """Refuse a folder that a new run would damage.

        A run that stopped before its first epoch was finished has nothing to lose, so that it can
        be started anew with the option that it stopped for.

        Raises:
            TrainingError: when the folder holds an epoch of another run.
            StorageError: when a file is in the way.
        """
        if self.path.exists() and not self.path.is_dir():
            raise StorageError(f"{self.path}: is a file; give --out a folder")
        if any(path.exists() for path in (self.best, self.last, self.state)):
            raise TrainingError(
                f"{self.path}: holds a run already; go on with --resume, or choose another --out"
            )

    def begin(self, config: TrainConfig, origin: Origin, *, again: bool = False) -> None:
        """Start a new run.

        Args:
            config: The options.
            origin: What it starts from.
            again: Whether a run is resumed that ended before its first state was written. It may
                have left the checkpoints of that epoch, and will write the same ones.

        Raises:
            TrainingError: see `check_free`.
            StorageError: when the folder cannot be written.
        """
        if not again:
            self.check_free()
        content = config.to_dict() | {
            "dataset": _absolute(origin.dataset),
            "start": _absolute(origin.start),
            "parent": origin.parent,
            "licence": origin.licence,
            "retrained": origin.retrained,
        }
        with atomic_write(self.config) as file:
            file.write(json.dumps(content, indent=2).encode() + b"\n")

    def read_config(self) -> TrainConfig:
        """Return the options that the run was started with.

        Raises:
            TrainingError: when there is no run, or its options cannot be read.
        """
        content = self._read()
        try:
            return TrainConfig.from_dict(content)
        except UsageError as error:
            raise self._damaged(error) from error

    def read_origin(self) -> Origin:
        """Return what the run started from.

        Raises:
            TrainingError: when there is no run, or its notes cannot be read.
        """
        content = self._read()
        texts = {key: content.get(key) for key in ("dataset", "start", "parent", "licence")}
        for key, text in texts.items():
            if text is not None and not isinstance(text, str):
                raise self._damaged(ValueError(f"{key} is {text!r}"))
        dataset, start = texts["dataset"], texts["start"]
        return Origin(
            None if dataset is None else Path(dataset),
            None if start is None else Path(start),
            texts["parent"],
            texts["licence"],
            retrained=content.get("retrained") is True,
        )

    def check_origin(self, given: Origin) -> Origin:
        """Return the origin of the run to resume, with what is given anew.

        Raises:
            TrainingError: when another start is given, or the run is of another kind.
        """
        known = self.read_origin()
        if known.retrained and not given.retrained:
            raise TrainingError(
                f"{self.path}: is a retraining; go on with "
                f"`segnet-res retrain --out {self.path} --resume`"
            )
        if given.start is not None and _absolute(given.start) != _absolute(known.start):
            raise TrainingError(
                f"{self.path}: the run was started from {known.start or 'no checkpoint'} and not "
                f"{given.start}; leave --start out with --resume, or choose another --out"
            )
        return Origin(
            given.dataset,
            given.start or known.start,
            known.parent,
            given.licence or known.licence,
            known.retrained,
        )

    def check_parent(self, origin: Origin, parent: str | None) -> None:
        """Refuse a start that was replaced since the run was started.

        Raises:
            TrainingError: when it is another file.
        """
        if origin.parent is not None and origin.parent != parent:
            raise TrainingError(
                f"{origin.start}: was {origin.parent} when the run was started and is {parent}; "
                "choose another --out"
            )

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads(self.config.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise TrainingError(
                f"{self.path}: no run to resume (config.json is missing); start without --resume"
            ) from error
        except (OSError, ValueError) as error:
            raise self._damaged(error) from error
        if not isinstance(content, dict):
            raise self._damaged(ValueError("no keys"))
        return content

    def _damaged(self, error: Exception) -> TrainingError:
        return TrainingError(f"{self.config}: damaged ({error}); start again in another folder")

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

    def has_state(self) -> bool:
        """Tell whether an epoch was finished, and can be gone on from.

        Raises:
            TrainingError: when epochs were finished and their state is gone: to begin again would
                overwrite what they have left.
        """
        if self.state.exists():
            return True
        # The state of an epoch is written after its row: the first row may be without.
        if self.metrics.exists() and len(self.metrics.read_text().splitlines()) > 2:
            raise TrainingError(
                f"{self.state}: gone, and without it the run cannot go on; put it back, or start a "
                f"new run with --start {self.last}"
            )
        return False

    def load_state(self) -> dict[str, Any] | None:
        """Return the state after the last finished epoch; None when no epoch was finished.

        Raises:
            TrainingError: when the file cannot be read, or was there and is gone.
        """
        if not self.has_state():
            return None
        try:
            # weights_only: tensors, numbers and texts, never code.
            state: dict[str, Any] = torch.load(self.state, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged pickle can raise anything
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
        # torch's own writer hides a full disk behind an error about positions.
        content = io.BytesIO()
        torch.save(state, content)
        with atomic_write(self.state) as file:
            file.write(content.getbuffer())

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


def _absolute(path: Path | None) -> str | None:
    # A run is resumed from other working folders too.
    return None if path is None else str(path.resolve())
