"""Open the inspection page: the same as ``segnet-res app``."""

import sys

from segnet_res.cli import app

if __name__ == "__main__":
    app(["app", *sys.argv[1:]], prog_name="segnet-res")
