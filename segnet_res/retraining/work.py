"""A retraining from beginning to end, in this process."""

import csv
import os
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from segnet_res.errors import SegnetResError
from segnet_res.retraining.folder import RetrainFolder
from segnet_res.retraining.state import Progress
from segnet_res.retraining.turns import wait_for_turn

if TYPE_CHECKING:
    from segnet_res.retraining.prepare import Prepared
    from segnet_res.training import Event, Step

_T = TypeVar("_T")

# So often is progress.json written while nothing but steps happens.
_EVERY = 1.0
# How much the last step counts in the rate that is shown.
_NEWEST = 0.1


class _StopError(Exception):
    """Somebody wants the retraining to stop."""


def work(run: RetrainFolder, ticket: int) -> Generator[Progress, None, None]:
    """Prepare and train; what was begun before goes on.

    ``progress.json`` tells all the time how far it is. A file ``stop`` ends the retraining after
    the step that is running, Ctrl-C and closing the generator likewise; the running epoch is done
    again when it is resumed.

    Args:
        run: What to do, see `RetrainFolder.ask`.
        ticket: When it was started, in nanoseconds.

    Yields:
        How far it is, after every step and picture; the last says how it ended.

    Raises:
        TrainingError: when another process works on it.
        SegnetResError: when it cannot be done; ``progress.json`` then gives the reason.
    """
    with run.holding():
        keeper = _Keeper(run, ticket)
        try:
            yield from _work(run, keeper)
        except (_StopError, KeyboardInterrupt, GeneratorExit) as reason:
            keeper.end("stopped", "it can be resumed")
            if not isinstance(reason, _StopError):
                raise
            yield keeper.progress
        except SegnetResError as error:
            keeper.end("failed", str(error))
            raise
        except BaseException as error:
            keeper.end("failed", f"unexpected {type(error).__name__}: {error}")
            raise
        finally:
            run.stop.unlink(missing_ok=True)


def _work(run: RetrainFolder, keeper: "_Keeper") -> Iterator[Progress]:
    # Whoever waits for its turn, or for the first word of a process, does not wait for torch.
    request = run.read_request()
    turn = yield from _told(wait_for_turn(run, keeper.progress.ticket), keeper, "waiting")
    if turn is None:
        raise _StopError
    with turn:
        yield keeper.say("preparing", "starting")
        from segnet_res.retraining.prepare import prepare
        from segnet_res.training import RunFolder, train_events

        prepared = yield from _told(prepare(run, request), keeper, "preparing")
        yield keeper.planned(prepared)
        folder = RunFolder(run.path)
        begun = folder.has_state()
        if not begun:
            # Written last in an epoch: what lies here without it was cut short and will be again.
            for path in (folder.best, folder.last):
                path.unlink(missing_ok=True)
        events = train_events(
            prepared.plan.config,
            run.data,
            run.path,
            resume=begun,
            # A run that goes on has its weights in its state, wherever its folder has been moved.
            start=None if begun else run.start,
            licence=(run.read_plan() or {}).get("licence"),
            descent=prepared.descent,
        )
        with closing(events):  # type: ignore[type-var]
            for event in events:
                yield keeper.record(event)
        keeper.progress = replace(
            keeper.progress, metrics=read_metrics(run.path, prepared.plan.config.epochs)
        )
        keeper.end("finished", f"the candidate is {folder.best.name}")
    yield keeper.progress


def _told(
    steps: Generator[str, None, _T], keeper: "_Keeper", state: str
) -> Generator[Progress, None, _T]:
    """Tell what is being done until it is done."""
    while True:
        try:
            doing = next(steps)
        except StopIteration as stop:
            result: _T = stop.value
            return result
        yield keeper.say(state, doing)


class _Keeper:
    """Keeps progress.json, and knows how fast the training is.

    Args:
        run: The folder.
        ticket: When the retraining was started.
    """

    def __init__(self, run: RetrainFolder, ticket: int) -> None:
        self.run = run
        self.progress = Progress("waiting", ticket=ticket, process=os.getpid())
        self.validation = 0.0
        self.pause: float | None = None
        self._before = time.perf_counter()
        self._images = 0
        self._written = 0.0
        self._write(doing="starting")

    def say(self, state: str, doing: str) -> Progress:
        """Tell what is being done.

        Raises:
            _StopError: when somebody wants that.
        """
        fresh = state != self.progress.state
        self.progress = replace(self.progress, state=state, doing=doing)
        self._publish(now=fresh)
        return self.progress

    def planned(self, prepared: "Prepared") -> Progress:
        """Tell how long it will take."""
        plan = prepared.plan
        seconds, speed = plan.seconds, plan.speed
        if speed is not None:
            self.validation = speed.epoch + plan.validation * speed.picture
            self.pause = speed.step
        self.progress = replace(
            self.progress,
            state="training",
            doing="training",
            of=plan.steps,
            epochs=plan.config.epochs,
            estimate=seconds,
            seconds_left=seconds,
            rate=None if speed is None else plan.config.batch / speed.step,
            notes=prepared.notes,
        )
        self._publish(now=True)
        return self.progress

    def record(self, event: "Event") -> Progress:
        """Take in what has happened.

        Raises:
            _StopError: when somebody wants that.
        """
        from segnet_res.training import Epoch, Step, Validation

        now = time.perf_counter()
        if isinstance(event, Step):
            self._step(event, now - self._before)
            self._before = now
        elif isinstance(event, Epoch):
            self.validation = now - self._before
            self._before = now
            self.progress = replace(
                self.progress,
                doing="training",
                metrics=read_metrics(self.run.path, event.number),
                seconds_left=self._left(event.number),
            )
        elif isinstance(event, Validation):
            self.progress = replace(
                self.progress, doing=f"validating {event.done} of {event.total}"
            )
        self._publish(now=isinstance(event, Epoch))
        return self.progress

    def end(self, state: str, doing: str) -> None:
        """Write the last word."""
        self.progress = replace(self.progress, state=state, doing=doing, seconds_left=None)
        self._write()

    def _step(self, event: "Step", seconds: float) -> None:
        first = event.step == 1
        if first and self.progress.step == 0:
            rows = read_metrics(self.run.path, event.epoch - 1)
            self.progress = replace(self.progress, metrics=rows)
        # The first step of an epoch also waits for the readers.
        if not first or self.pause is None:
            before = seconds if self.pause is None else self.pause
            self.pause = before + _NEWEST * (seconds - before)
        self._images = event.images
        self.progress = replace(
            self.progress,
            doing="training",
            step=(event.epoch - 1) * event.steps + event.step,
            epoch=event.epoch,
            loss=event.loss,
        )
        self.progress = replace(
            self.progress,
            rate=event.images / max(self.pause or 0.0, 1e-9),
            seconds_left=self._left(event.epoch - 1),
        )

    def _left(self, validated: int) -> float:
        """Return the seconds left after so many validations."""
        steps = self.progress.of - self.progress.step
        return steps * (self.pause or 0.0) + (self.progress.epochs - validated) * self.validation

    def _publish(self, *, now: bool) -> None:
        if now or time.monotonic() - self._written >= _EVERY:
            self._write()
        if self.run.stop.exists():
            raise _StopError

    def _write(self, **changes: Any) -> None:  # noqa: ANN401 - fields of Progress
        self.progress = replace(self.progress, **changes)
        self.run.write_progress(self.progress)
        self._written = time.monotonic()


def read_metrics(folder: Path, epochs: int) -> tuple[dict[str, Any], ...]:
    """Return the rows of ``metrics.csv`` of the first epochs; what is no number is None."""
    from segnet_res.training import RunFolder

    path = RunFolder(folder).metrics
    if not path.exists():
        return ()
    text = path.read_text(encoding="utf-8")
    rows = [
        {key: float(value) if value else None for key, value in row.items()}
        for row in csv.DictReader(text.splitlines())
    ]
    # An epoch whose state was not written any more will be trained again.
    return tuple(row for row in rows if (row["epoch"] or 0) <= epochs)
