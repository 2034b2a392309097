"""Open the inspection page: the same as ``segnet-res app``.

Without arguments it is the page of an engineer's own machine: masks may be corrected and saved
below ``datasets``, and checkpoints retrained into ``runs``.
"""

import sys
from pathlib import Path

from segnet_res.cli import app

HERE = Path(__file__).resolve().parent
OWN_MACHINE = [
    "--data",
    f"{HERE / 'datasets'}",
    "--accept-annotations",
    "--runs",
    f"{HERE / 'runs'}",
]

if __name__ == "__main__":
    app(["app", *(sys.argv[1:] or OWN_MACHINE)], prog_name="segnet-res")
