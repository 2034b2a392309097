"""The process of a retraining that `segnet_res.retraining.run` starts: RUN TICKET."""

import os
import signal
import sys
from pathlib import Path

from segnet_res.errors import SegnetResError
from segnet_res.retraining.folder import RetrainFolder
from segnet_res.retraining.work import work


def main(run: Path, ticket: int) -> int:
    """Work on a retraining; return the exit code: 0 finished or stopped, 2 failed."""
    # Ended from outside, it stops like Ctrl-C, so that progress.json says so.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if hasattr(os, "nice"):
        # Whoever inspects parts meanwhile comes first.
        os.nice(5)
    try:
        for _ in work(RetrainFolder(run), ticket):
            pass
    except SegnetResError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
