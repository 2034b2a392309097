"""Train a model: the same as ``segnet-res train``."""

import sys

from segnet_res.cli import app

if __name__ == "__main__":
    app(["train", *sys.argv[1:]], prog_name="segnet-res")
