"""One retraining at a time below a folder; the others wait, in the order of their tickets."""

import time
from collections.abc import Generator
from pathlib import Path
from typing import IO

from segnet_res.data.locks import take
from segnet_res.errors import SegnetResError
from segnet_res.retraining.folder import RetrainFolder
from segnet_res.retraining.state import Progress

LOCK_NAME = ".retraining.lock"

_PAUSE = 0.3


def find_runs(root: Path) -> list[tuple[RetrainFolder, Progress]]:
    """Return the retrainings below a folder in the order of their tickets.

    What cannot be read is passed over: it must not hold up the others.
    """
    found = []
    for path in root.glob("*/request.json"):
        run = RetrainFolder(path.parent)
        try:
            found.append((run, run.read_progress()))
        except SegnetResError:
            continue
    return sorted(found, key=lambda pair: (pair[1].ticket, pair[0].name))


def wait_for_turn(run: RetrainFolder, ticket: int) -> Generator[str, None, IO[bytes] | None]:
    """Wait until no other retraining of the same folder works or has waited longer.

    Args:
        run: The one that waits; held by this process.
        ticket: Its own.

    Yields:
        What it is waiting for, in words, a few times a second.

    Returns:
        The open file whose lock is the turn; None when somebody wants the run to stop.

    Raises:
        StorageError: when nothing can be written there.
    """
    root = run.place.parent
    while not run.stop.exists():
        before = [
            other
            for other, progress in find_runs(root)
            if progress.active
            and other.path.resolve() != run.path.resolve()
            and (progress.state != "waiting" or (progress.ticket, other.name) < (ticket, run.name))
        ]
        if not before and (file := take(root / LOCK_NAME)) is not None:
            return file
        names = ", ".join(other.name for other in before) or "another retraining"
        yield f"waiting for {names}"
        time.sleep(_PAUSE)
    return None
