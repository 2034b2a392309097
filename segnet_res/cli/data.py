"""``segnet-res data``: import, check and split data sets, draw synthetic parts."""

from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar, cast

import typer

from segnet_res.cli._console import EXIT_SOME_FAILED, console, counted, note, progress, say

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from segnet_res.data.dataset import DatasetInfo
    from segnet_res.images import Channels

_Report = TypeVar("_Report")

data_app = typer.Typer(
    help="Make data sets: import, check and split them, draw synthetic parts.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_FRACTIONS_HELP = "Shares of train, val and test, like 0.75,0.25 or 0.7,0.15,0.15."
_GROUP_HELP = "Regular expression that finds the part in a picture's path; a part stays whole."


@data_app.command("import")
def import_(
    format: Annotated[str, typer.Argument(help="camvid, magnetic-tile or folder.")],
    source: Annotated[Path, typer.Argument(help="Folder to read; it stays as it is.")],
    target: Annotated[Path, typer.Argument(help="Dataset folder to make.")],
    split: Annotated[
        str | None, typer.Option(help="Put everything into this split: train, val or test.")
    ] = None,
    group: Annotated[str | None, typer.Option(metavar="REGEX", help=_GROUP_HELP)] = None,
    seed: Annotated[int, typer.Option(help="Chooses which parts go into which split.")] = 0,
    fractions: Annotated[str | None, typer.Option(metavar="SHARES", help=_FRACTIONS_HELP)] = None,
    classes: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="folder: YAML file with the classes and colours."),
    ] = None,
    names: Annotated[
        str | None, typer.Option(metavar="A,B,C", help="folder: names of the classes.")
    ] = None,
    binary: Annotated[
        bool, typer.Option("--binary", help="folder: masks are black and white; white = defect.")
    ] = False,
    channels: Annotated[
        int | None, typer.Option(help="folder: 1 reads pictures as grey, 3 as RGB.")
    ] = None,
) -> None:
    r"""Import pictures and masks into a dataset folder.

    Examples of use:

      segnet-res data import magnetic-tile Magnetic-tile-defect-datasets data/tiles

      segnet-res data import camvid CamVid data/roads --split test

      segnet-res data import folder export data/caps --names sound,dent --group "cap\d+"
    """
    from segnet_res.data.importers import MaskOptions, import_steps
    from segnet_res.data.splits import parse_fractions

    steps = import_steps(
        format,
        source,
        target,
        split=split,
        group=group,
        seed=seed,
        fractions=None if fractions is None else parse_fractions(fractions),
        masks=MaskOptions(
            classes=classes,
            names=[name.strip() for name in names.split(",")] if names else (),
            binary=binary,
            channels=_channels(channels),
        ),
    )
    with progress("importing", next(steps).total) as bar:
        report = _drain(steps, bar.advance)
    for text in report.notes:
        note(f"note: {text}")
    _print_shares(report.info, report.images, report.pixels)


@data_app.command()
def check(
    dataset: Annotated[Path, typer.Argument(help="Dataset folder.")],
) -> None:
    """Name everything that is wrong with a data set; exit code 1 when something is.

    Orphans, split entries without a picture, masks of another size, unknown labels, unreadable
    files, and pictures of one part in different splits. Also prints the share of each class.
    """
    from segnet_res.data.check import check_steps

    steps = check_steps(dataset)
    with progress("checking", next(steps)[1]) as bar:
        report = _drain(steps, bar.advance)
    for problem in report.problems:
        say(f"{'problem' if problem.serious else 'note'}: {problem.message}")
    _print_shares(report.info, report.images, report.pixels)
    count = sum(problem.serious for problem in report.problems)
    if count:
        say(f"{counted(count, 'problem')}")
        raise typer.Exit(EXIT_SOME_FAILED)
    say("no problems")


@data_app.command()
def split(
    dataset: Annotated[Path, typer.Argument(help="Dataset folder.")],
    fractions: Annotated[str, typer.Option(metavar="SHARES", help=_FRACTIONS_HELP)] = "0.75,0.25",
    seed: Annotated[int, typer.Option(help="Chooses which parts go into which split.")] = 0,
    group: Annotated[str | None, typer.Option(metavar="REGEX", help=_GROUP_HELP)] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Divide anew; keeps the old lists in splits/old-1/.")
    ] = False,
) -> None:
    """Divide a data set into train, val and test, with every class in train and val.

    Photographs named like those of the magnetic-tile data set stay together by tile.
    """
    from segnet_res.data.resplit import split_dataset
    from segnet_res.data.splits import parse_fractions

    splits = split_dataset(
        dataset, fractions=parse_fractions(fractions), seed=seed, group=group, force=force
    )
    for name, stems in splits.items():
        say(f"{name}: {counted(len(stems), 'picture')}")


@data_app.command()
def synth(
    target: Annotated[Path, typer.Argument(help="Dataset folder to make.")],
    count: Annotated[int, typer.Option(min=1, help="Number of pictures.")] = 200,
    seed: Annotated[int, typer.Option(help="The same seed draws the same pictures.")] = 0,
    size: Annotated[
        str | None, typer.Option(metavar="HxW", help="Size of all; otherwise sizes of real tiles.")
    ] = None,
) -> None:
    """Draw synthetic magnetic tiles with exact masks: sound ones and every kind of defect."""
    from segnet_res.data.synth import parse_size, synthesize_steps

    steps = synthesize_steps(
        target, count=count, seed=seed, size=None if size is None else parse_size(size)
    )
    with progress("drawing", next(steps).total) as bar:
        report = _drain(steps, bar.advance)
    _print_shares(report.info, report.images, report.pixels)


def _drain(steps: Generator[object, None, _Report], advance: Callable[[], None]) -> _Report:
    """Run a generator to its end, counting its steps, and return its value."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return cast("_Report", stop.value)
        advance()


def _channels(count: int | None) -> "Channels | None":
    from segnet_res.errors import UsageError

    if count not in (None, 1, 3):
        raise UsageError(f"--channels is {count}; give 1 for grey or 3 for RGB")
    return cast("Channels | None", count)


def _print_shares(
    info: "DatasetInfo", images: Mapping[str, int], pixels: Mapping[str, "NDArray[np.int64]"]
) -> None:
    """Print pictures and the share of each class for every split that has any."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title=info.name, title_justify="left")
    table.add_column("class")
    for split in images:
        table.add_column(split, justify="right")
    for label, name in enumerate(info.class_map.names):
        table.add_row(name, *(_percent(pixels[split], label) for split in images))
    table.add_section()
    table.add_row("pictures", *(str(count) for count in images.values()))
    console().print(table)


def _percent(pixels: "NDArray[np.int64]", label: int) -> str:
    if not pixels[label]:
        return "-"
    return f"{100 * pixels[label] / pixels.sum():.3f} %"
