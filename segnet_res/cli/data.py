"""``segnet-res data``: import, check and split data sets, draw synthetic parts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from segnet_res.cli._console import counted, note, progress, say
from segnet_res.cli._datasets import drain, listed, print_shares
from segnet_res.cli.data_check import check

if TYPE_CHECKING:
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
    format: Annotated[
        str,
        typer.Argument(
            help="camvid, magnetic-tile, folder, coco, cvat, labelme, labelstudio, voc, "
            "cityscapes, or datumaro:NAME for a format of Datumaro."
        ),
    ],
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
        typer.Option(metavar="FILE", help="YAML file with the classes and colours."),
    ] = None,
    names: Annotated[
        str | None,
        typer.Option(metavar="A,B,C", help="Names of the classes in the order of their labels."),
    ] = None,
    binary: Annotated[
        bool, typer.Option("--binary", help="folder: masks are black and white; white = defect.")
    ] = False,
    channels: Annotated[
        int | None, typer.Option(help="1 reads pictures as grey, 3 as RGB.")
    ] = None,
) -> None:
    r"""Import pictures and masks into a dataset folder.

    --classes, --names and --channels are for the formats that leave them open: folder, and what
    annotation tools write.

    Examples of use:

      segnet-res data import magnetic-tile Magnetic-tile-defect-datasets data/tiles

      segnet-res data import camvid CamVid data/roads --split test

      segnet-res data import folder export data/caps --names sound,dent --group "cap\d+"

      segnet-res data import cvat export data/caps --names sound,dent,scratch
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
            names=listed(names),
            binary=binary,
            channels=_channels(channels),
        ),
    )
    with progress("importing", next(steps).total) as bar:
        report = drain(steps, bar.advance)
    for text in report.notes:
        note(f"note: {text}")
    print_shares(report.info, report.images, report.pixels)


data_app.command()(check)


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
def new(
    target: Annotated[Path, typer.Argument(help="Dataset folder to make.")],
    like: Annotated[
        Path, typer.Option(metavar="SOURCE", help="Dataset folder or checkpoint with the classes.")
    ],
    group: Annotated[str | None, typer.Option(metavar="REGEX", help=_GROUP_HELP)] = None,
) -> None:
    """Make a dataset without pictures, with the classes and channels of another or a checkpoint.

    Corrected pictures come into it by `segnet-res correct`, or in the page's tab Annotate.

    Example: segnet-res data new data/new-caps --like runs/caps/best.safetensors
    """
    from segnet_res.checkpoint import read_metadata
    from segnet_res.data import load_info
    from segnet_res.retraining.corrections import make_dataset

    known = load_info(like) if like.is_dir() else read_metadata(like)
    channels = cast("Channels", known.channels)
    make_dataset(target, target.resolve().name, known.class_map, channels, group)
    say(f"{target}: no pictures yet; classes {', '.join(known.class_map.names)}")


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
        report = drain(steps, bar.advance)
    print_shares(report.info, report.images, report.pixels)


def _channels(count: int | None) -> "Channels | None":
    from segnet_res.errors import UsageError

    if count not in (None, 1, 3):
        raise UsageError(f"--channels is {count}; give 1 for grey or 3 for RGB")
    return cast("Channels | None", count)
