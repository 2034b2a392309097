"""Long work: progress, rate, stop, failure, order, and what is forgotten."""

import os
import threading
import time

import pytest

from segnet_res.errors import DataError, UsageError
from segnet_res.web import jobs as module
from segnet_res.web.jobs import UNEXPECTED, Job, Jobs, Progress, my_turn
from segnet_res.web.turns import Turnstile


class Counting:
    """Counts to `total`, one unit for each permission that the test gives."""

    def __init__(self, total=3, clock=None, seconds=0.0):
        self.total = total
        self.found = []
        self.closed = False
        self.permits = threading.Semaphore(0)
        self.reached = threading.Semaphore(0)
        self._clock, self._seconds = clock, seconds

    def run(self):
        try:
            for i in range(self.total):
                self.reached.release()
                self.permits.acquire()
                if (yield Progress(i, self.total, f"unit {i}")):
                    break
                self.found.append(i)
                if self._clock:
                    self._clock.now += self._seconds
            else:
                yield Progress(self.total, self.total)
        finally:
            self.closed = True

    def go(self, units=1):
        for _ in range(units):
            self.permits.release()


class Failing:
    def __init__(self, error):
        self.error = error

    def run(self):
        yield Progress(0, 2, "first")
        raise self.error


@pytest.fixture
def jobs():
    made = Jobs()
    yield made
    made.close(10)


def test_a_job_runs_to_its_end_and_is_found_by_its_token(jobs):
    work = Counting(3)
    job = jobs.start(work)
    assert jobs.find(job.token, Counting) is job
    work.go(3)
    assert job.wait(10)
    assert work.found == [0, 1, 2]
    assert work.closed
    state = job.state()
    assert (state["status"], state["done"], state["total"]) == ("done", 3, 3)
    assert state["error"] is None
    assert state["eta"] is None


def test_stopping_keeps_what_was_found(jobs):
    work = Counting(5)
    job = jobs.start(work)
    work.go(2)
    for _ in range(3):
        assert work.reached.acquire(timeout=10)
    job.stop()
    assert job.status == "stopping"
    work.go(1)
    assert job.wait(10)
    assert job.status == "stopped"
    assert work.found == [0, 1]
    assert work.closed


def test_a_stop_that_comes_too_late_leaves_a_whole_result():
    class Last:
        def run(self):
            yield Progress(0, 1)
            # Somebody presses the button while the last unit is being finished.
            job.stop()

    job = Job(Last(), folder=None, keep=(), clock=time.monotonic)
    job.run(lambda: 0)
    assert job.status == "done"


def test_work_that_does_not_listen_is_closed():
    closed = []

    class Deaf:
        def run(self):
            try:
                while True:
                    yield Progress(0, 1)
            finally:
                closed.append(True)

    job = Job(Deaf(), folder=None, keep=(), clock=time.monotonic)
    threading.Timer(0.05, job.stop).start()
    job.run(lambda: 0)
    assert job.status == "stopped"
    assert closed == [True]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (DataError("a.png: no mask; add it"), "a.png: no mask; add it"),
        (ValueError("secret detail"), UNEXPECTED),
        (MemoryError(), module.OUT_OF_MEMORY),
    ],
)
def test_a_failure_becomes_a_sentence(jobs, error, sentence):
    job = jobs.start(Failing(error))
    assert job.wait(10)
    assert job.status == "failed"
    assert job.state()["error"] == sentence


def test_rate_and_rest_are_worked_out_from_the_last_seconds(clock):
    states = []

    class Timed:
        def run(self):
            for done in range(11):
                # Five slow units of 10 s, then fast ones of 2 s.
                yield Progress(done, 20)
                states.append(job.state())
                clock.now += 10 if done < 5 else 2

    job = Job(Timed(), folder=None, keep=(), clock=clock)
    job.run(lambda: 0)
    assert states[0]["rate"] is None
    assert states[0]["eta"] is None
    assert states[1]["rate"] == pytest.approx(0.1)
    assert states[1]["eta"] == pytest.approx(190)
    # Unit 10 came at 60 s; the step before the window of 20 s is unit 4 at 40 s.
    assert states[10]["rate"] == pytest.approx(6 / 20)
    assert states[10]["eta"] == pytest.approx(10 / (6 / 20))
    assert job.state()["seconds"] == pytest.approx(62)


def test_the_rate_sinks_while_nothing_happens(clock):
    rates = []

    class Halting:
        def run(self):
            yield Progress(0, 9)
            clock.now += 2
            yield Progress(1, 9)
            clock.now += 2
            rates.append(job.state()["rate"])
            clock.now += 6
            rates.append(job.state()["rate"])

    job = Job(Halting(), folder=None, keep=(), clock=clock)
    job.run(lambda: 0)
    assert rates == [pytest.approx(0.5), pytest.approx(0.1)]


def test_jobs_beyond_the_limit_wait_in_the_order_of_their_start(jobs, monkeypatch):
    monkeypatch.setattr(module, "_RUNNING", 1)
    works = [Counting(1) for _ in range(3)]
    first, second, third = [jobs.start(work) for work in works]
    assert works[0].reached.acquire(timeout=10)
    until(lambda: third.state()["ahead"] == 2)
    assert second.state()["ahead"] == 1
    assert second.status == third.status == "waiting"
    assert not works[1].reached.acquire(timeout=0.3)
    third.stop()
    assert third.wait(10)
    assert third.status == "stopped"
    works[0].go()
    assert first.wait(10)
    assert works[1].reached.acquire(timeout=10)
    works[1].go()
    assert second.wait(10)
    assert second.status == "done"
    assert works[2].found == []


def until(true, seconds=10):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def test_no_more_jobs_are_promised_than_can_be_kept(jobs, monkeypatch):
    monkeypatch.setattr(module, "_UNFINISHED", 1)
    work = Counting(1)
    job = jobs.start(work)
    with pytest.raises(UsageError, match="the server has 1 jobs to do already; wait until some"):
        jobs.start(Counting(1))
    work.go()
    assert job.wait(10)
    second = Counting(1)
    second.go()
    assert jobs.start(second).wait(10)


@pytest.mark.parametrize("token", [None, 5, ["x"], {}, "", "../x", "x" * 10_000])
def test_unknown_tokens_get_a_sentence(jobs, token):
    with pytest.raises(UsageError, match="this job is no longer here; start it again"):
        jobs.find(token, Counting)


def test_a_job_of_another_tab_is_not_found(jobs):
    job = jobs.start(Failing(DataError("no")))
    with pytest.raises(UsageError, match="no longer here"):
        jobs.find(job.token, Counting)


def test_finished_jobs_and_their_files_are_forgotten_in_time(tmp_path, clock):
    jobs = Jobs(clock)
    folder = tmp_path / "result"
    folder.mkdir()
    work = Counting(0)
    job = jobs.start(work, folder=folder)
    assert job.wait(10)
    clock.now += 4 * 3600
    assert jobs.find(job.token, Counting) is job
    assert folder.is_dir()
    clock.now += 4 * 3600 + 1
    with pytest.raises(UsageError, match="no longer here"):
        jobs.find(job.token, Counting)
    assert not folder.exists()


def test_of_many_finished_jobs_the_oldest_go(monkeypatch, clock):
    monkeypatch.setattr(module, "_FINISHED", 2)
    jobs = Jobs(clock)
    tokens = []
    for _ in range(4):
        clock.now += 1
        job = jobs.start(Counting(0))
        assert job.wait(10)
        tokens.append(job.token)
    for token in tokens[:2]:
        with pytest.raises(UsageError, match="no longer here"):
            jobs.find(token, Counting)
    for token in tokens[2:]:
        assert jobs.find(token, Counting).ended


def test_files_of_a_running_job_are_kept_from_the_sweep(tmp_path, clock):
    folder, upload = tmp_path / "result", tmp_path / "upload"
    for path in (folder, upload):
        path.mkdir()
    seen = []

    class Slow:
        def run(self):
            for done in range(3):
                for path in (folder, upload):
                    os.utime(path, (0, 0))
                clock.now += 200
                yield Progress(done, 3)
                seen.append([path.stat().st_mtime > 0 for path in (folder, upload)])

    job = Job(Slow(), folder=folder, keep=[upload], clock=clock)
    job.run(lambda: 0)
    # Marked at once, not again after 200 s, again after 400 s.
    assert seen == [[True, True], [False, False], [True, True]]


def test_closing_stops_every_job():
    jobs = Jobs()
    work = Counting(100)
    job = jobs.start(work)
    assert work.reached.acquire(timeout=10)
    threading.Timer(0.05, work.go, [100]).start()
    jobs.close(10)
    assert job.status == "stopped"
    with pytest.raises(UsageError):
        jobs.start(Counting(1))


class Turning:
    """Takes a turn for each of its units."""

    def __init__(self, turns, total):
        self.turns, self.total, self.found = turns, total, []

    def run(self):
        for i in range(self.total):
            ticket = yield from my_turn(self.turns, Progress(i, self.total, f"unit {i}"))
            if ticket is None:
                break
            with ticket:
                self.found.append(i)


def test_a_turn_is_waited_for_and_given_back(jobs):
    turns = Turnstile()
    ours = turns.enter()
    work = Turning(turns, 2)
    job = jobs.start(work)
    until(lambda: job.state()["ahead"] == 1)
    assert job.state()["message"] == "unit 0"
    assert work.found == []
    ours.leave()
    assert job.wait(10)
    assert work.found == [0, 1]
    with turns.enter() as free:
        assert free.ahead() == 0


def test_a_job_that_waits_for_its_turn_can_be_stopped(jobs):
    turns = Turnstile()
    with turns.enter():
        job = jobs.start(Turning(turns, 2))
        until(lambda: job.state()["ahead"] == 1)
        job.stop()
        assert job.wait(10)
    assert job.status == "stopped"
    assert job.work.found == []
    with turns.enter() as free:
        assert free.ahead() == 0


def test_work_that_is_closed_in_its_wait_leaves_the_queue():
    turns = Turnstile()
    steps = Turning(turns, 1).run()
    next(steps)
    steps.close()
    with turns.enter() as free:
        assert free.ahead() == 0
