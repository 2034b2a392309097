"""Run the command line as ``python -m segnet_res``."""

from segnet_res.cli import main

if __name__ == "__main__":
    main()
