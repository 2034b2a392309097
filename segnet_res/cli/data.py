"""``segnet-res data``: import, check and split data sets, draw synthetic parts."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from segnet_res.cli._console import console, note, progress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from segnet_res.data.dataset import DatasetInfo
    from segnet_res.images import Channels

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
    from segnet_res.data.importers import ImportReport, MaskOptions, import_steps
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
        while True:
            try:
                next(steps)
            except StopIteration as stop:
                report: ImportReport = stop.value
                break
            bar.advance()
    for text in report.notes:
        note(f"note: {text}")
    _print_shares(report.info, report.images, report.pixels)


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
