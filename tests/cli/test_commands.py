"""What all commands share: late imports, exit codes, one line an error."""

import subprocess
import sys
from io import StringIO

import pytest
import typer
from rich.console import Console
from rich.table import Table
from typer.testing import CliRunner

from segnet_res.cli import app
from segnet_res.cli._console import CommandGroup, _consoles, fail, progress, say, show_table
from segnet_res.errors import DataError
from segnet_res.version import __version__

HEAVY = ("torch", "gradio", "numpy", "albumentations", "cv2", "PIL", "matplotlib", "rich")


def failing(error):
    """A command line whose command ``go`` raises, and ``end`` that just ends."""
    application = typer.Typer(cls=CommandGroup, rich_markup_mode=None)

    @application.callback()
    def options(debug: bool = False):
        pass

    @application.command()
    def go():
        raise error

    @application.command()
    def end():
        say("good")

    return application


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["predict", "--help"]])
def test_help_imports_nothing_heavy(words):
    script = (
        "import sys\n"
        "from segnet_res.cli import app\n"
        f"code = app({words!r}, standalone_mode=False)\n"
        f"heavy = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "sys.exit(f'imported {heavy}' if heavy or code else 0)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_version(runner: CliRunner):
    result = runner.invoke(app, ["--version"])
    assert (result.exit_code, result.output) == (0, f"segnet-res {__version__}\n")


def test_python_m():
    result = subprocess.run(
        [sys.executable, "-m", "segnet_res", "--version"], capture_output=True, text=True
    )
    assert result.stdout == f"segnet-res {__version__}\n"


def test_on_a_terminal_a_table_keeps_to_its_width(monkeypatch):
    for terminal, broken in ((True, True), (False, False)):
        screen = Console(file=StringIO(), width=30, force_terminal=terminal, soft_wrap=True)
        monkeypatch.setitem(_consoles, False, screen)
        table = Table()
        table.add_column(overflow="fold")
        table.add_row("name" * 20)
        show_table(table)
        assert ("name" * 20 not in screen.file.getvalue()) is broken


def test_all_commands_are_there(runner: CliRunner):
    result = runner.invoke(app, ["--help"])
    for name in ("app", "train", "evaluate", "predict", "data", "checkpoints"):
        assert f"  {name} " in result.output


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--nothing"], "error: No such option: --nothing; see segnet-res --help\n"),
        (["nothing"], "error: No such command 'nothing'; see segnet-res --help\n"),
        (["predict"], "error: Missing argument 'CHECKPOINT'; see segnet-res predict --help\n"),
    ],
)
def test_wrong_usage_is_one_line(runner: CliRunner, words, line):
    result = runner.invoke(app, words, prog_name="segnet-res")
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", line)


def test_a_value_of_the_wrong_type_is_one_line(runner: CliRunner):
    words = ["predict", "a", "b", "c", "--tile", "x"]
    result = runner.invoke(app, words, prog_name="segnet-res")
    assert result.exit_code == 2
    # What stands in between is worded by the version of Typer.
    assert result.stderr.startswith("error: Invalid value for '--tile': ")
    assert result.stderr.endswith("; see segnet-res predict --help\n")
    assert result.stderr.count("\n") == 1


def test_no_command_shows_the_help(runner: CliRunner):
    result = runner.invoke(app, [])
    assert result.exit_code == 2
    assert "Commands:" in result.output
    assert "error:" not in result.output


def test_an_error_is_one_line(runner: CliRunner):
    long = "[bold]a[1].png: " + "word " * 40 + "; :smile: [/bold]"
    result = runner.invoke(failing(DataError(long)), ["go"])
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"error: {long}\n")


@pytest.mark.parametrize("words", [["--debug", "go"], ["go", "--debug"]])
def test_debug_adds_the_traceback(runner: CliRunner, words):
    result = runner.invoke(failing(DataError("no data")), words)
    assert result.exit_code == 2
    assert "Traceback (most recent call last)" in result.stderr
    assert result.stderr.endswith("error: no data\n")


def test_debug_behind_two_dashes_is_an_argument(runner: CliRunner):
    result = runner.invoke(failing(None), ["end", "--", "--debug"])
    assert result.exit_code == 2
    assert "unexpected extra argument" in result.stderr


def test_an_error_nobody_foresaw_is_one_line(runner: CliRunner):
    result = runner.invoke(failing(ZeroDivisionError("division\nby zero")), ["go"])
    assert (result.exit_code, result.stderr) == (
        2,
        "error: unexpected ZeroDivisionError: division; "
        "run the command again with --debug and report what it prints\n",
    )


def test_an_error_of_the_system_is_one_line(runner: CliRunner):
    result = runner.invoke(failing(PermissionError(13, "Permission denied", "/secret")), ["go"])
    assert (result.exit_code, result.stderr) == (
        2,
        "error: /secret: Permission denied; check the path, the rights and the room\n",
    )


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (KeyboardInterrupt(), 130, "stopped by Ctrl-C\n"),
        (typer.Abort(), 130, "stopped\n"),
        (typer.Exit(1), 1, ""),
    ],
)
def test_other_ends(runner: CliRunner, error, code, line):
    result = runner.invoke(failing(error), ["go"])
    assert (result.exit_code, result.stderr) == (code, line)


def test_a_good_end(runner: CliRunner):
    result = runner.invoke(failing(None), ["end"])
    assert (result.exit_code, result.stdout, result.stderr) == (0, "good\n", "")


def test_a_reader_that_leaves():
    script = (
        "from segnet_res.cli._console import CommandGroup, say\n"
        "import typer\n"
        "app = typer.Typer(cls=CommandGroup)\n"
        "@app.callback()\n"
        "def options(): pass\n"
        "@app.command()\n"
        "def go():\n"
        "    for i in range(100_000): say(str(i))\n"
        "app(['go'])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 1


def test_fail(capsys):
    with pytest.raises(typer.Exit) as caught:
        fail("parts [1]: no picture", 1)
    assert caught.value.exit_code == 1
    assert capsys.readouterr().err == "error: parts [1]: no picture\n"


def test_names_that_are_not_utf8_can_be_printed(runner: CliRunner):
    result = runner.invoke(failing(DataError("\udce9.png: damaged")), ["go"])
    assert (result.exit_code, result.stderr) == (2, "error: \\udce9.png: damaged\n")


def test_names_with_line_breaks_stay_on_one_line(runner: CliRunner):
    result = runner.invoke(failing(DataError("a\nb\x1b[2J.png: damaged")), ["go"])
    assert (result.exit_code, result.stderr) == (2, "error: a\\nb\\x1b[2J.png: damaged\n")


def test_results_that_are_not_utf8_can_be_printed(capsys):
    say("out\udce9")
    assert capsys.readouterr().out == "out\\udce9\n"


def test_no_bar_without_a_terminal(capsys):
    with progress("working", 3) as bar:
        bar.advance(note="loss 0.5")
        say("one")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("one\n", "")


def test_a_bar_fits_on_one_line_of_80_columns(monkeypatch):
    """Wrapped or cut, it would hide what people watch a training for."""
    screen = Console(file=StringIO(), width=80, force_terminal=True, color_system=None)
    monkeypatch.setitem(_consoles, True, screen)
    with progress("training", 20000, done=9900) as bar:
        bar.advance(100, description="epoch 12/50", note="loss 0.1234  mIoU 62.43 %")
    frames = [line for line in screen.file.getvalue().splitlines() if "epoch 12/50" in line]
    assert frames
    assert all("images/s" in line and "loss 0.1234  mIoU 62.43 %" in line for line in frames)
