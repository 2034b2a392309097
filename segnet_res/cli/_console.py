"""What every command shares: printing, the progress bar, and errors as one line with an exit code.

Exit codes: 0 good; 1 some inputs failed, or the verdict is "fail"; 2 wrong usage or unusable input;
130 stopped by Ctrl-C.
"""

import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import typer
from typer.core import TyperGroup

from segnet_res.errors import SegnetResError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID
    from rich.table import Table

EXIT_SOME_FAILED = 1
EXIT_UNUSABLE = 2
EXIT_INTERRUPTED = 130

# Columns that a training's line takes beside its bar, with counts of five digits.
_BESIDE_THE_BAR = 74

# Columns that no table takes.
_NO_EDGE = 1_000_000

_consoles: dict[bool, "Console"] = {}


def console(*, stderr: bool = False) -> "Console":
    """Return the console of stdout (results) or stderr (messages, progress).

    Markup and highlighting are off: a file called ``part[1].png`` must come out as it is.
    """
    from rich.console import Console

    if stderr not in _consoles:
        # One console a stream, so that messages appear above a progress bar and not inside it.
        _consoles[stderr] = Console(
            stderr=stderr, markup=False, highlight=False, emoji=False, soft_wrap=True
        )
    return _consoles[stderr]


def show_table(table: "Table") -> None:
    """Print a table to stdout; where that is no terminal, as wide as it needs."""
    screen = console()
    if not screen.is_terminal:
        # Nothing has an edge there, and a name that is broken is found by no search.
        table.width = screen.measure(
            table, options=screen.options.update(max_width=_NO_EDGE)
        ).maximum
    screen.print(table)


def say(message: str) -> None:
    """Print one line of result to stdout."""
    console().print(_printable(message))


def note(message: str) -> None:
    """Print one line about the run to stderr, above a progress bar that may be there."""
    console(stderr=True).print(_printable(message))


def warn(message: str) -> None:
    """Print one warning to stderr."""
    note(f"warning: {message}")


def counted(count: int, noun: str) -> str:
    """Return a count with its noun.

    >>> counted(1, "picture"), counted(1200, "picture")
    ('1 picture', '1,200 pictures')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def fail(message: str, code: int = EXIT_UNUSABLE) -> NoReturn:
    """Print ``error: message`` to stderr and end the command with an exit code."""
    note(f"error: {message}")
    raise typer.Exit(code)


class Bar:
    """A line of progress that `progress` shows."""

    def __init__(self, bar: "Progress", task: "TaskID") -> None:
        self._bar = bar
        self._task = task

    def advance(
        self, count: float = 1, *, note: str | None = None, description: str | None = None
    ) -> None:
        """Count finished items; ``note`` is shown at the end of the line (loss, mIoU, ...)."""
        given = {"note": note, "description": description}
        fields: dict[str, Any] = {key: text for key, text in given.items() if text is not None}
        self._bar.update(self._task, advance=count, **fields)

    def reach(self, done: int, total: int | None, *, description: str, note: str) -> None:
        """Say how many items are finished, of a total that may be known only now."""
        self._bar.update(
            self._task, completed=done, total=total, description=description, note=note
        )


@contextmanager
def progress(
    description: str,
    total: float | None,
    *,
    unit: str = "images",
    done: float = 0,
    hidden: bool = False,
) -> Iterator[Bar]:
    """Show a progress bar with count, rate and time left on stderr while the block runs.

    Nothing is drawn where stderr is not a terminal, so that log files hold messages only.

    Args:
        description: What is going on, in a word or two.
        total: Number of items; None when nobody knows.
        unit: What is counted, for the rate.
        done: Items that were finished before this run; they do not count for the rate.
        hidden: Whether nothing is drawn anywhere.
    """
    from rich import progress as bars
    from rich.table import Column
    from rich.text import Text

    class Rate(bars.ProgressColumn):
        def render(self, task: bars.Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{speed:.1f} {unit}/s" if speed else f"- {unit}/s")

    screen = console(stderr=True)

    # On one line in 80 columns too: the bar alone gives way.
    def whole() -> Column:
        return Column(no_wrap=True)

    with bars.Progress(
        bars.TextColumn("{task.description}", markup=False, table_column=whole()),
        bars.BarColumn(min(40, max(4, screen.width - _BESIDE_THE_BAR)), table_column=whole()),
        bars.MofNCompleteColumn(table_column=whole()),
        Rate(table_column=whole()),
        bars.TimeRemainingColumn(table_column=whole()),
        bars.TextColumn("{task.fields[note]}", markup=False, table_column=whole()),
        console=screen,
        transient=True,
        disable=hidden or not screen.is_terminal,
    ) as bar:
        yield Bar(bar, bar.add_task(description, total=total, completed=round(done), note=""))


class CommandGroup(TyperGroup):
    """The group of all commands: turns what goes wrong into one line and an exit code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,  # noqa: ANN401 - the signature that Typer calls
    ) -> Any:  # noqa: ANN401
        """Run a command line; ``--debug`` counts wherever it stands before a ``--``."""
        given = list(sys.argv[1:] if args is None else args)
        options = given[: given.index("--")] if "--" in given else given
        debug = "--debug" in options
        if debug:
            args = ["--debug", *(word for word in options if word != "--debug")]
            args += given[len(options) :]
        try:
            code = super().main(
                args=args,
                prog_name=prog_name,
                complete_var=complete_var,
                standalone_mode=False,
                windows_expand_args=windows_expand_args,
                **extra,
            )
        except (Exception, KeyboardInterrupt) as error:
            code = _report(error, debug=debug)
        if not standalone_mode:
            return code
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - typer.Context or click.Context by version
        """Run a command; Ctrl-C ends it with one line."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            # Here and not in `main`: on the way there Typer makes something else of it, and what
            # depends on its version.
            note("stopped by Ctrl-C")
            raise typer.Exit(EXIT_INTERRUPTED) from None


def _report(error: BaseException, *, debug: bool) -> int:
    """Print an error that ended a command and return the exit code."""
    if isinstance(error, BrokenPipeError):
        # The reader has left (`| head`). Python would complain once more when it flushes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_SOME_FAILED
    if debug:
        traceback.print_exception(error)
    if isinstance(error, SegnetResError):
        note(f"error: {error}")
    elif isinstance(error, (typer.Abort, KeyboardInterrupt)):
        note("stopped")
        return EXIT_INTERRUPTED
    elif type(error).__name__ == "NoArgsIsHelpError":
        console(stderr=True).print(str(error.format_message()))  # type: ignore[attr-defined]
    elif hasattr(error, "format_message"):
        # A usage error of Click, whose class Typer keeps to itself since 0.20-odd.
        note(f"error: {_usage_message(error)}")
    elif isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        note(f"error: {where}{error.strerror or error}; check the path, the rights and the room")
    else:
        note(
            f"error: unexpected {type(error).__name__}: {_first_line(error)}; "
            "run the command again with --debug and report what it prints"
        )
    return EXIT_UNUSABLE


def _usage_message(error: Any) -> str:  # noqa: ANN401 - click.ClickException, wherever it lives
    message = " ".join(str(error.format_message()).split()).rstrip(".")
    context = getattr(error, "ctx", None)
    return f"{message}; see {context.command_path} --help" if context else message


def _printable(text: str) -> str:
    # File names need not be UTF-8 and may hold line breaks, or what a terminal takes for commands:
    # what cannot be printed is shown as an escape.
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(repr(char)[1:-1] if ord(char) < 32 or char == "\x7f" else char for char in text)


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "no message")
