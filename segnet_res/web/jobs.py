"""Long work behind the page: runs in threads, tells how far it is, and survives a reload."""

import logging
import os
import secrets
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from segnet_res.errors import SegnetResError, UsageError
from segnet_res.web.turns import Ticket, Turnstile

# Jobs that run at once share the one turnstile, picture by picture. Few of them, because each
# holds a model and its tables; the others wait in the order of their start.
_RUNNING = 4

# A browser can ask for any number of jobs.
_UNFINISHED = 40
_FINISHED = 40

# As long as the files of other results stay.
_KEEP_SECONDS = 4 * 3600

# How often a running job's files are marked as in use.
_TOUCH_SECONDS = 300

# The rate is that of the last so many seconds: long enough to be steady, short enough to follow
# pictures that grow.
_RATE_SECONDS = 20.0

UNEXPECTED = "something unexpected went wrong; the server's log has the details"
OUT_OF_MEMORY = "the server has too little memory for this; use smaller pictures, or another server"


@dataclass(frozen=True)
class Progress:
    """How far a piece of work is.

    Attributes:
        done: Units, such as pictures, that are finished.
        total: Units there are in all.
        message: What is worked on, such as a file's name; may be empty.
        ahead: How many others have their turn before the next unit; 0: it is being worked on.
    """

    done: int
    total: int
    message: str = ""
    ahead: int = 0


# What `Work.run` is: it yields how far it is and is sent whether it shall come to an end.
Steps = Generator[Progress, bool, None]


class Work(Protocol):
    """A long piece of work, which also holds what it has found so far."""

    def run(self) -> Steps:
        """Do the work.

        Each ``yield`` gives True once somebody wants to stop: the work then keeps what it has and
        returns. Work that yields again instead is closed there. A `SegnetResError` ends the job
        with its sentence.
        """


AnyWork = TypeVar("AnyWork", bound=Work)


class Job(Generic[AnyWork]):
    """One piece of work that was started.

    Attributes:
        token: By this name the page finds the job again; nobody can guess it.
        work: What is done; its results grow while the job runs.
        folder: Where the work writes files, or None. It goes when the job is forgotten.
        jobs_ahead: How many others must come to their end before this one begins.
    """

    def __init__(
        self,
        work: AnyWork,
        *,
        folder: Path | None,
        keep: Iterable[Path],
        clock: Callable[[], float],
    ) -> None:
        self.token = secrets.token_urlsafe(16)
        self.work = work
        self.folder = folder
        self._keep = tuple(keep) + ((folder,) if folder else ())
        self._clock = clock
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._progress = Progress(0, 0)
        self._began = clock()
        self._end: float | None = None
        self._error: str | None = None
        self._steps: deque[tuple[float, int]] = deque()
        self.jobs_ahead = 0
        self._touched = 0.0
        self.seen = clock()

    @property
    def status(self) -> str:
        """``waiting``, ``running``, ``stopping``, and at last ``done``, ``stopped`` or ``failed``.

        Waiting are jobs that others stand before; of single turns `Progress.ahead` tells.
        """
        if self.ended:
            if self._error is not None:
                return "failed"
            return "stopped" if self._stopping.is_set() else "done"
        if self._stopping.is_set():
            return "stopping"
        return "waiting" if self.jobs_ahead else "running"

    @property
    def ended(self) -> bool:
        """Whether nothing more will change."""
        return self._ended.is_set()

    @property
    def error(self) -> str | None:
        """The sentence that tells why the job failed, or None."""
        return self._error

    def state(self) -> dict[str, Any]:
        """Return what the page shows of a job, as plain texts and numbers.

        ``status``, ``done``, ``total``, ``message``, ``error``, ``seconds`` since the start,
        ``ahead`` (jobs before this one while it waits, else turns before its next unit), and
        ``rate`` (units a second) and ``eta`` (seconds), which are None as long as nobody knows.
        """
        with self._lock:
            progress, now = self._progress, self._clock() if self._end is None else self._end
            rate = self._rate(now)
            left = progress.total - progress.done
            return {
                "status": self.status,
                "done": progress.done,
                "total": progress.total,
                "message": progress.message,
                "error": self._error,
                "seconds": now - self._began,
                "ahead": 0 if self.ended else self.jobs_ahead or progress.ahead,
                "rate": rate,
                "eta": left / rate if rate and not self.ended else None,
            }

    def stop(self) -> None:
        """Ask the work to come to an end soon; what it has found so far stays."""
        if not self.ended:
            self._stopping.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the end for so long at most, and tell whether it has come."""
        return self._ended.wait(seconds)

    def run(self, jobs_ahead: Callable[[], int]) -> None:
        """Do the work in this thread, once no other jobs are before it; raises nothing."""
        try:
            self._run(jobs_ahead)
        except SegnetResError as error:
            self._error = str(error)
        except MemoryError:
            self._error = OUT_OF_MEMORY
        except Exception:
            logging.getLogger(__name__).exception("a job failed")
            self._error = UNEXPECTED
        finally:
            with self._lock:
                self._end = self._clock()
            self._ended.set()

    def _run(self, jobs_ahead: Callable[[], int]) -> None:
        while (ahead := jobs_ahead()) > 0 and not self._stopping.wait(0.2):
            self.jobs_ahead = ahead
            self._touch()
        self.jobs_ahead = 0
        if self._stopping.is_set():
            return
        steps = self.work.run()
        told = False
        try:
            self._advance(next(steps))
            while not told:
                told = self._stopping.is_set()
                self._advance(steps.send(told))
        except StopIteration:
            # Whoever asked too late gets a result that is whole, and it is called so.
            if not told:
                self._stopping.clear()
        finally:
            steps.close()

    def _advance(self, progress: Progress) -> None:
        now = self._clock()
        with self._lock:
            self._progress = progress
            if not self._steps or self._steps[-1][1] != progress.done:
                self._steps.append((now, progress.done))
            # One step older than the window stays, so that there is always something to compare.
            while len(self._steps) > 2 and self._steps[1][0] <= now - _RATE_SECONDS:
                self._steps.popleft()
        self._touch()

    def _rate(self, now: float) -> float | None:
        if not self._steps:
            return None
        (first, before), (last, done) = self._steps[0], self._steps[-1]
        if self._end is not None:
            first, before, last = self._began, 0, now
        elif done == before:
            return None
        elif now - last > last - first:
            # It has come to a halt, or waits for its turn: the rate sinks with every second.
            last = now
        return (done - before) / (last - first) if last > first and done > before else None

    def _touch(self) -> None:
        """Keep the sweep of old files away from what the job uses."""
        now = self._clock()
        if now - self._touched < _TOUCH_SECONDS and self._touched:
            return
        self._touched = now
        for path in self._keep:
            with suppress(OSError):
                os.utime(path)


class Jobs:
    """Starts work and finds it again, for every tab and every page.

    Args:
        clock: Gives seconds; tests pass their own.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._jobs: dict[str, Job[Any]] = {}
        self._lock = threading.Lock()
        self._closed = False

    def start(
        self, work: AnyWork, *, folder: Path | None = None, keep: Iterable[Path] = ()
    ) -> Job[AnyWork]:
        """Do work in a thread of its own and return its job at once.

        Args:
            work: What to do.
            folder: Existing folder of the job's files, such as `Storage.new_result` makes. It is
                safe from the sweep of old files while the job runs, and deleted with the job.
            keep: Further files and folders, such as uploads, to keep from the sweep meanwhile.

        Raises:
            UsageError: when the server has more to do than it should promise.
        """
        job = Job(work, folder=folder, keep=keep, clock=self._clock)
        with self._lock:
            self._forget()
            if self._closed or len(self._unfinished()) >= _UNFINISHED:
                raise UsageError(
                    f"the server has {_UNFINISHED} jobs to do already; wait until some are "
                    "finished, or stop one of yours"
                )
            self._jobs[job.token] = job
        # Not left to the thread: whoever asks before it has begun would read "running".
        job.jobs_ahead = self._ahead(job)
        thread = threading.Thread(
            target=job.run, args=(lambda: self._ahead(job),), name="job", daemon=True
        )
        thread.start()
        return job

    def find(self, token: object, kind: type[AnyWork]) -> Job[AnyWork]:
        """Return a job by its token.

        Args:
            token: Comes from a browser and may be anything.
            kind: Type of the work; a job of another tab is not found.

        Raises:
            UsageError: when there is no such job, or no longer.
        """
        with self._lock:
            self._forget()
            job = self._jobs.get(token) if isinstance(token, str) else None
            if job is None or not isinstance(job.work, kind):
                raise UsageError("this job is no longer here; start it again")
            job.seen = self._clock()
        if job.folder is not None:
            # The sweep of old files passes over what somebody has open.
            with suppress(OSError):
                os.utime(job.folder)
        return job

    def close(self, seconds: float = 30) -> None:
        """Stop every job and wait for their ends for so long at most; none starts afterwards."""
        with self._lock:
            self._closed = True
            jobs = list(self._jobs.values())
        for job in jobs:
            job.stop()
        deadline = time.monotonic() + seconds
        for job in jobs:
            job.wait(max(0, deadline - time.monotonic()))

    def _unfinished(self) -> list[Job[Any]]:
        return [job for job in self._jobs.values() if not job.ended]

    def _ahead(self, job: Job[Any]) -> int:
        """Return how many jobs must end before this one may run; they run in order of arrival."""
        with self._lock:
            unfinished = self._unfinished()
            return max(0, unfinished.index(job) - _RUNNING + 1)

    def _forget(self) -> None:
        """Drop finished jobs that nobody has asked for in a long time, and the oldest of many."""
        now = self._clock()
        finished = sorted((job for job in self._jobs.values() if job.ended), key=lambda j: j.seen)
        surplus = max(0, len(finished) - _FINISHED)
        for i, job in enumerate(finished):
            if i < surplus or now - job.seen > _KEEP_SECONDS:
                del self._jobs[job.token]
                if job.folder is not None:
                    shutil.rmtree(job.folder, ignore_errors=True)


def my_turn(turns: Turnstile, progress: Progress) -> Generator[Progress, bool, Ticket | None]:
    """Wait for a turn within `Work.run`, telling how many are before.

    Use it as ``ticket = yield from my_turn(turns, Progress(done, total, name))``; None means that
    the work shall stop. The turn lasts until the ticket is left: ``with ticket: ...``, and no
    ``yield`` in between, for a job that is closed there would go on holding it.
    """
    ticket = turns.enter()
    try:
        while not ticket.wait(0.4):
            waiting = Progress(progress.done, progress.total, progress.message, ticket.ahead())
            if (yield waiting):
                ticket.leave()
                return None
        # Told after the wait, so that the page never shows a queue that has gone.
        stopping = yield progress
    except BaseException:
        ticket.leave()
        raise
    if stopping:
        ticket.leave()
        return None
    return ticket
