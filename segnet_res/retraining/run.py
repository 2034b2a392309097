"""Retrainings in processes of their own: started, stopped, resumed and looked at by files alone.

Whoever starts one may end: the retraining goes on, and everybody who knows its folder can look at
it, stop it or resume it. Of the retrainings beside each other in one folder one works at a time;
the others wait, in the order in which they were started.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

from segnet_res.errors import TrainingError
from segnet_res.retraining.folder import RetrainFolder
from segnet_res.retraining.state import Progress, Request
from segnet_res.retraining.turns import find_runs

# Python has started by then on any machine.
_START = 60.0

# So that processes that have ended are taken leave of, and no sooner.
_children: list[subprocess.Popen[bytes]] = []


def start(out: Path, request: Request) -> Progress:
    """Start a retraining in a process of its own.

    Args:
        out: A new or empty folder.
        request: What it shall do.

    Returns:
        How far it is: waiting or preparing, or failed at once.

    Raises:
        TrainingError: when the folder holds a retraining, or no process could be started.
        SegnetResError: when something asked for cannot be done, as far as that can be seen at once.
    """
    # Imported here: it needs torch, which whoever only looks at a retraining does not wait for.
    from segnet_res.retraining.prepare import check_request

    check_request(request)
    run = RetrainFolder(out)
    run.ask(request)
    return _launch(run)


def resume(out: Path, *, leave_out: bool = False) -> Progress:
    """Go on with a retraining that was stopped, killed, or has failed.

    It ends with the weights of one that was never interrupted.

    Args:
        out: Its folder.
        leave_out: Leave out of the training what is there to measure by; for one that was refused
            because of such pictures.

    Raises:
        TrainingError: when it works, is finished, or is none; or its data are frozen, and nothing
            can be left out any more.
    """
    run = RetrainFolder(out)
    check_resumable(run)
    if leave_out:
        run.leave_out()
    return _launch(run)


def check_resumable(run: RetrainFolder) -> None:
    """Refuse to resume what works already or has nothing left to do.

    Raises:
        TrainingError: when it works, is finished, or is none.
    """
    before = run.read_progress()
    if before.active:
        raise TrainingError(
            f"{run.path}: is {before.state} already; stop it first: "
            f"segnet-res retrain --out {run.path} --stop"
        )
    if before.state == "finished":
        raise TrainingError(
            f"{run.path}: is finished; its candidate is best.safetensors, retrain that to go on"
        )


def stop(out: Path, *, wait: float = 0.0) -> Progress:
    """Ask a retraining to stop after the step that is running.

    Args:
        out: Its folder.
        wait: Seconds to wait for it.

    Returns:
        How far it is; "stopped" when it has stopped by then.

    Raises:
        TrainingError: when there is no retraining.
    """
    run = RetrainFolder(out)
    if not run.read_progress().active:
        return run.read_progress()
    run.stop.touch()
    deadline = time.monotonic() + wait
    while run.held() and time.monotonic() < deadline:
        time.sleep(0.05)
    return status(out)


def status(out: Path) -> Progress:
    """Return how far a retraining is.

    Raises:
        TrainingError: when there is none, or its files are damaged.
    """
    _reap()
    return RetrainFolder(out).read_progress()


def runs(root: Path) -> dict[str, Progress]:
    """Return the retrainings below a folder by name, in the order in which they were started."""
    _reap()
    return {run.name: progress for run, progress in find_runs(root)}


def _launch(run: RetrainFolder) -> Progress:
    ticket = time.time_ns()
    # What somebody wanted of an earlier process does not count for this one.
    run.stop.unlink(missing_ok=True)
    with run.log.open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "segnet_res.retraining", str(run.path), str(ticket)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Neither Ctrl-C nor a closed terminal of the caller reaches it.
            start_new_session=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
    _children.append(child)
    deadline = time.monotonic() + _START
    while time.monotonic() < deadline:
        if _begun(run, ticket):
            return run.read_progress()
        if child.poll() is not None:
            break
        time.sleep(0.02)
    # Somebody else may have been quicker to go on with it; then it does.
    if _begun(run, ticket) or run.held():
        return run.read_progress()
    raise TrainingError(
        f"{run.path}: no process of its own could be started; its last words are in {run.log}"
    )


def _begun(run: RetrainFolder, ticket: int) -> bool:
    return run.progress.exists() and run.read_progress().ticket == ticket


def _reap() -> None:
    _children[:] = [child for child in _children if child.poll() is None]
