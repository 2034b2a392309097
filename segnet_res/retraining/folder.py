"""The folder of a retraining: what was asked for, how far it is, and who works on it."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from segnet_res.data.storage import storing
from segnet_res.errors import StorageError, TrainingError
from segnet_res.images import atomic_write
from segnet_res.inference.locks import HELD, lock_file
from segnet_res.recipe import NEW_SHARE

# What a process is doing on a retraining; after its end the folder keeps one of the others.
ACTIVE = ("waiting", "preparing", "training")
ENDED = ("stopped", "failed", "finished", "interrupted")

# Somebody who only looks holds the lock for some microseconds.
_PATIENCE = 2.0


@dataclass(frozen=True)
class Request:
    """What a retraining shall do.

    Attributes:
        checkpoint: The parent.
        dataset: The new dataset.
        bases: Old datasets whose pictures are replayed.
        goldens: Files of golden sets, none of whose pictures may be trained on.
        renamed: See `line_up`.
        dropped: See `line_up`.
        new_share: Of the crops from new pictures, above 0 and at most 1.
        minutes: Budget of time; None: by the number of new pictures.
        leave_out: Whether pictures of val, test or a golden set are left out of the training
            instead of refused.
        licence: Note on what the data allow; None: the parent's.
        options: Options of `TrainConfig` that somebody has chosen.
    """

    checkpoint: Path
    dataset: Path
    bases: tuple[Path, ...] = ()
    goldens: tuple[Path, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)
    dropped: Mapping[str, str | None] = field(default_factory=dict)
    new_share: float = NEW_SHARE
    minutes: float | None = None
    leave_out: bool = False
    licence: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; paths are absolute, as a process elsewhere needs them."""
        content = asdict(self)
        for key in ("checkpoint", "dataset"):
            content[key] = str(content[key].resolve())
        for key in ("bases", "goldens"):
            content[key] = [str(path.resolve()) for path in content[key]]
        return content

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Request":
        """Read what `to_dict` wrote.

        Raises:
            KeyError, TypeError: when it is damaged.
        """
        paths = {key: Path(content[key]) for key in ("checkpoint", "dataset")}
        lists = {key: tuple(map(Path, content[key])) for key in ("bases", "goldens")}
        return cls(**(dict(content) | paths | lists))


@dataclass(frozen=True)
class Progress:
    """How far a retraining is.

    Attributes:
        state: One of `ACTIVE` or `ENDED`.
        ticket: When it was started, in nanoseconds; the smallest has its turn first.
        process: Number of the process that works on it.
        doing: What it is doing, in words; after a failure the reason.
        step: Steps that are done.
        of: Steps of the whole training; 0 before that is known.
        epoch: The epoch that is trained, from 1; 0 before.
        epochs: How many there will be.
        loss: Of the last step.
        rate: Crops a second.
        seconds_left: Until the end; None as long as nobody knows.
        estimate: How long the whole training was estimated to take, in seconds.
        metrics: One dictionary an epoch: epoch, loss, lr, miou and the IoU of each class.
        notes: What somebody should know, in one sentence each.
        updated: When this was written, in seconds since 1970.
    """

    state: str
    ticket: int = 0
    process: int = 0
    doing: str = ""
    step: int = 0
    of: int = 0
    epoch: int = 0
    epochs: int = 0
    loss: float | None = None
    rate: float | None = None
    seconds_left: float | None = None
    estimate: float | None = None
    metrics: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    updated: float = 0.0

    @property
    def active(self) -> bool:
        """Whether a process waits for its turn or works."""
        return self.state in ACTIVE


class RetrainFolder:
    """Files of a retraining, beside those that `segnet_res.training.RunFolder` tells of.

    - ``request.json``: what was asked for;
    - ``data/``: the pictures and masks, frozen (see `segnet_res.retraining.snapshot`);
    - ``start.safetensors``: the parent's weights for the candidate's classes;
    - ``plan.json``: options and estimate; written when everything is prepared;
    - ``progress.json``: how far it is;
    - ``stop``: there while somebody wants it to stop;
    - ``log.txt``: what a process of its own had to say;
    - ``.retrain.lock``: locked by the process that works on it.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.request = path / "request.json"
        self.data = path / "data"
        self.start = path / "start.safetensors"
        self.plan = path / "plan.json"
        self.progress = path / "progress.json"
        self.stop = path / "stop"
        self.log = path / "log.txt"
        self.lock = path / ".retrain.lock"

    @property
    def name(self) -> str:
        """What people call it."""
        return self.path.resolve().name

    def ask(self, request: Request) -> None:
        """Write down what shall be done, into a new or empty folder.

        Raises:
            TrainingError: when the folder holds anything.
            StorageError: when it cannot be written.
        """
        if self.path.exists() and not self.path.is_dir():
            raise StorageError(f"{self.path}: is a file; give --out a folder")
        # Held, so that of two who ask at once for the same folder one is told.
        with self.holding():
            if self.request.exists():
                raise TrainingError(
                    f"{self.path}: holds a retraining already; go on with --resume, or choose "
                    "another --out"
                )
            if any(path != self.lock for path in self.path.iterdir()):
                raise StorageError(
                    f"{self.path}: is there already and not empty; give --out a new folder"
                )
            self._write(self.request, request.to_dict())

    def read_request(self) -> Request:
        """Return what was asked for.

        Raises:
            TrainingError: when there is no retraining, or the file is damaged.
        """
        try:
            return Request.from_dict(self._read(self.request))
        except (KeyError, TypeError) as error:
            raise self._damaged(self.request, error) from error

    def read_plan(self) -> dict[str, Any] | None:
        """Return the content of ``plan.json``; None as long as the retraining is not prepared.

        Raises:
            TrainingError: when the file is damaged.
        """
        return self._read(self.plan) if self.plan.exists() else None

    def write_plan(self, content: Mapping[str, Any]) -> None:
        """Write ``plan.json``.

        Raises:
            StorageError: when it cannot be written.
        """
        self._write(self.plan, content)

    def write_progress(self, progress: Progress) -> None:
        """Write how far the retraining is, for whoever asks.

        Raises:
            StorageError: when it cannot be written.
        """
        self._write(self.progress, asdict(replace(progress, updated=time.time())))

    def read_progress(self) -> Progress:
        """Return how far the retraining is.

        A process that was killed could not say so: where the state is one of `ACTIVE` and nobody
        holds the lock, it is "interrupted".

        Raises:
            TrainingError: when there is no retraining, or the file is damaged.
        """
        # Asked first: whoever ends in between has written his last word by the time it is read.
        held = self.held()
        if not self.progress.exists():
            self.read_request()
            return Progress("waiting" if held else "stopped", doing="not started yet")
        content = self._read(self.progress)
        try:
            lists = {key: tuple(content[key]) for key in ("metrics", "notes")}
            progress = Progress(**(content | lists))
        except (KeyError, TypeError) as error:
            raise self._damaged(self.progress, error) from error
        if progress.active and not held:
            return replace(
                progress,
                state="interrupted",
                doing="its process was ended from outside; it can be resumed",
                seconds_left=None,
            )
        return progress

    def held(self) -> bool:
        """Whether a process waits for its turn or works on the retraining."""
        try:
            file = self.lock.open("r+b")
        except OSError:
            return False
        with file:
            try:
                lock_file(file, shared=True)
            except OSError as error:
                return error.errno in HELD
        return False

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Hold the retraining for this process.

        Raises:
            TrainingError: when another process holds it.
            StorageError: when nothing can be written there.
        """
        file = take(self.lock, _PATIENCE)
        if file is None:
            raise TrainingError(
                f"{self.path}: another process is working on it; look at it with "
                f"`segnet-res retrain --out {self.path} --status`"
            )
        with file:
            yield

    def _write(self, path: Path, content: Mapping[str, Any]) -> None:
        with atomic_write(path) as file:
            file.write(json.dumps(content, indent=2).encode() + b"\n")

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise TrainingError(
                f"{self.path}: no retraining is here ({path.name} is missing); start one with "
                "`segnet-res retrain`"
            ) from error
        except (OSError, ValueError) as error:
            raise self._damaged(path, error) from error
        if not isinstance(content, dict):
            raise self._damaged(path, ValueError("no keys"))
        return content

    def _damaged(self, path: Path, error: Exception) -> TrainingError:
        return TrainingError(f"{path}: damaged ({error}); start again in another folder")


def take(path: Path, patience: float = 0.0) -> IO[bytes] | None:
    """Lock a file; the lock is let go when the file is closed, or its process ends.

    Args:
        path: The file; made where it is missing.
        patience: Seconds to try.

    Returns:
        The open file, or None where another process has it.

    Raises:
        StorageError: when the file cannot be opened, or its file system knows no locks.
    """
    deadline = time.monotonic() + patience
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+b")
    while True:
        try:
            lock_file(file)
        except OSError as error:
            if error.errno not in HELD:
                file.close()
                raise StorageError(
                    f"{path}: cannot be locked ({error.strerror}), so that two retrainings could "
                    "mix their files; choose a folder on another file system"
                ) from error
            if time.monotonic() >= deadline:
                file.close()
                return None
            time.sleep(0.02)
        else:
            return file
