"""Where the command line starts: the program ``segnet-res``, and ``python -m segnet_res``.

Nothing but the standard library is imported before `main` runs, so that Ctrl-C during the imports
ends the program as it does later: with one line and exit code 130.
"""

import _thread
import sys
import threading

# As in segnet_res.cli._console, which may be what was being imported.
_EXIT_INTERRUPTED = 130

# Seconds until a swallowed Ctrl-C is given again: long enough for whoever swallowed it to return.
_AGAIN = 0.05


def main() -> None:
    """Run the command line and exit with its code."""
    sys.unraisablehook = _unraisable
    try:
        from segnet_res.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("stopped by Ctrl-C\n")
        sys.exit(_EXIT_INTERRUPTED)


def _unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
    """Give Ctrl-C again where it came in a callback, such as Python's own during an import.

    What is raised there goes nowhere, and the program would run on.
    """
    if not issubclass(unraisable.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)
        return
    again = threading.Timer(_AGAIN, _thread.interrupt_main)
    again.daemon = True
    again.start()


if __name__ == "__main__":
    main()
