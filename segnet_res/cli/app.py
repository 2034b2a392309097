"""``segnet-res app``: the page in the browser."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from segnet_res.cli._options import TtaOption, check_tta


def app(
    checkpoints: Annotated[
        Path | None,
        typer.Option(
            help="Folder of checkpoints to choose from; without it ./checkpoints, or the bundled.",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 opens the page to the network.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes any free one.")] = 7860,
    auth: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File of logins; `segnet-res logins` writes it."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder whose datasets and pictures the page may read; without it none.",
        ),
    ] = None,
    accept_checkpoints: Annotated[
        bool,
        typer.Option(
            "--accept-checkpoints",
            help="Let people add .safetensors files to the folder through the page.",
        ),
    ] = False,
    accept_annotations: Annotated[
        bool,
        typer.Option(
            "--accept-annotations",
            help="Let people save corrected masks into datasets below --data, and make new ones.",
        ),
    ] = False,
    runs: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Let people retrain into this folder, and promote what comes out; needs --data.",
        ),
    ] = None,
    tta: TtaOption = "none",
) -> None:
    """Open the inspection page.

    Drop a picture into it and see which pixels are which defect; Ctrl-C ends it. Example:
    segnet-res app --checkpoints runs/tiles
    """
    from segnet_res.cli._console import say, warn
    from segnet_res.errors import UsageError
    from segnet_res.web import is_local, serve

    if checkpoints is not None and not checkpoints.is_dir():
        raise UsageError(f"{checkpoints}: no such folder; give the folder that holds checkpoints")
    if data is not None and not data.is_dir():
        raise UsageError(f"{data}: no such folder; give the folder that holds datasets or pictures")
    flips = check_tta(tta)
    _check_loop(data, runs, accept_annotations=accept_annotations)
    folder = checkpoints if checkpoints is not None else _default_folder()
    if not is_local(host) and auth is None:
        more = _also_allowed(
            {
                "add checkpoints": accept_checkpoints,
                "change datasets": accept_annotations,
                "retrain and promote": runs is not None,
            }
        )
        warn(
            f"everybody who reaches {host} can use the page{more}; give --auth FILE, or put a "
            "proxy with a login before it"
        )
    running = []  # still empty when Ctrl-C comes before the page runs
    with (
        _ended_by_signals(),
        serve(
            folder.resolve(),
            host=host,
            port=port,
            auth=auth,
            data=data.resolve() if data else None,
            accept_checkpoints=accept_checkpoints,
            accept_annotations=accept_annotations,
            runs=runs.resolve() if runs else None,
            flips=flips,
        ) as server,
    ):
        say(f"Page at {server.url} with the checkpoints of {folder}; Ctrl-C ends it.")
        running.append(server)
        server.wait()
    if any(server.busy for server in running):
        # A large picture on a slow machine: nobody waits for it any more, and all files are gone.
        os._exit(0)


def _check_loop(data: Path | None, runs: Path | None, *, accept_annotations: bool) -> None:
    """Refuse what cannot work without a folder of datasets; make the folder of runs.

    Raises:
        UsageError: when --data is missing, or the folder of runs cannot be made.
    """
    from segnet_res.errors import UsageError

    if accept_annotations and data is None:
        raise UsageError(
            "--accept-annotations: there is no folder to save masks into; name it with --data DIR"
        )
    if runs is None:
        return
    if data is None:
        raise UsageError(
            "--runs: there are no datasets to retrain on; name their folder with --data DIR"
        )
    if runs.resolve() == data.resolve():
        raise UsageError(
            f"--runs: {runs} is the folder of --data too, so that runs would pass for datasets; "
            "give another folder, which may lie within it"
        )
    try:
        runs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"--runs: {runs} cannot be made ({error.strerror}); give a folder that can be written"
        ) from error


def _also_allowed(rights: dict[str, bool]) -> str:
    """Return what people may do beside looking, as the end of a sentence.

    >>> _also_allowed({"add checkpoints": True, "change datasets": True})
    ', add checkpoints and change datasets'
    """
    named = [right for right, given in rights.items() if given]
    if not named:
        return ""
    return "".join(f", {right}" for right in named[:-1]) + f" and {named[-1]}"


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let Ctrl-C and a plain kill end the page well: its files go, and the exit code is 0."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        return
    finally:
        signal.signal(signal.SIGTERM, before)


def _default_folder() -> Path:
    """Return ./checkpoints, or that of the repository where the working folder has none."""
    here = Path("checkpoints")
    return here if here.is_dir() else Path(__file__).resolve().parents[2] / "checkpoints"
