"""The folder of a retraining: what was asked for, how far it is, and who works on it."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from segnet_res.data.locks import HELD, lock_file, take
from segnet_res.errors import StorageError, TrainingError
from segnet_res.images import atomic_write
from segnet_res.retraining.state import Progress, Request

# Somebody who only looks holds the lock for some microseconds.
_PATIENCE = 2.0


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

    Attributes:
        place: Its absolute path; where it was moved to another disk and linked, that of the link.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.place = path.resolve() if path.name in ("", "..") else path.absolute()
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
        return self.place.name

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

    def leave_out(self) -> None:
        """Note in the request that pictures to measure by are left out of the training.

        Raises:
            TrainingError: when the data are frozen already, another process works on it, or there
                is no retraining.
            StorageError: when it cannot be written.
        """
        with self.holding():
            request = self.read_request()
            if self.plan.exists():
                raise TrainingError(
                    f"{self.path}: its data are frozen, nothing can be left out of them any more; "
                    "go on without --leave-out, or start again in another folder"
                )
            self._write(self.request, replace(request, leave_out=True).to_dict())

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
            # For reading: whoever looks may be another user than the one who retrains.
            file = self.lock.open("rb")
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
