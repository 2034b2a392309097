"""The command line ``segnet-res``: one file a command, registered here.

Nothing heavy (torch, numpy, gradio) is imported before a command runs, so that ``--help`` and
``--version`` answer at once.
"""

from typing import Annotated

import typer

# As modules, because one of them is called like the Typer app below.
from segnet_res.cli import app as page
from segnet_res.cli import (
    checkpoints,
    compare,
    correct,
    data,
    evaluate,
    export,
    golden,
    logins,
    predict,
    promote,
    queue,
    retrain,
    train,
)
from segnet_res.cli._console import CommandGroup
from segnet_res.version import __version__

app = typer.Typer(
    name="segnet-res",
    cls=CommandGroup,
    help="Segment photographs of parts: which pixels are which defect, and how sure that is.",
    no_args_is_help=True,
    # Plain help: rich markup would eat the brackets of examples and file names.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"segnet-res {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Print a traceback when something goes wrong.")
    ] = False,
) -> None:
    """Declare the options of every command; CommandGroup.main acts on --debug."""
    del version, debug


app.command("app")(page.app)
app.command("logins")(logins.logins)
app.command("train")(train.train)
app.command("queue")(queue.queue)
app.command("correct")(correct.correct)
app.command("retrain")(retrain.retrain)
app.command("evaluate")(evaluate.evaluate)
app.command("compare")(compare.compare)
app.command("promote")(promote.promote)
app.command("rollback")(promote.rollback)
app.command("predict")(predict.predict)
app.command("export")(export.export)
app.add_typer(data.data_app, name="data")
app.add_typer(golden.golden_app, name="golden")
app.add_typer(checkpoints.checkpoints_app, name="checkpoints")


def main() -> None:
    """Run the command line and exit with its code."""
    app(prog_name="segnet-res")
