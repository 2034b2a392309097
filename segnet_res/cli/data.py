"""``segnet-res data``: import, check and split data sets, draw synthetic parts."""

from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar, cast

import typer

from segnet_res.cli._console import EXIT_SOME_FAILED, console, counted, note, progress, say

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from segnet_res.data.dataset import DatasetInfo
    from segnet_res.data.doctor import FixOptions
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
            names=_listed(names),
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
    fix: Annotated[
        Path | None,
        typer.Option(
            metavar="TARGET", help="Write a copy with corrected masks here, and check it."
        ),
    ] = None,
    names: Annotated[
        str | None, typer.Option(metavar="A,B,C", help="With --fix: names of the classes.")
    ] = None,
    classes: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --fix: YAML file with the classes and colours."),
    ] = None,
    mapping: Annotated[
        str | None,
        typer.Option(
            "--map",
            metavar="VALUE=CLASS,...",
            help="With --fix: what numbers, #rrggbb colours or transparent pixels mean.",
        ),
    ] = None,
    order: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,C",
            help="With --fix: of masks of one class each, the classes; the topmost last.",
        ),
    ] = None,
    surplus: Annotated[
        str | None,
        typer.Option(
            metavar="first|last",
            help="With --fix: the row and column that goes where masks are one pixel too large.",
        ),
    ] = None,
) -> None:
    """Name everything that is wrong with a data set; exit code 1 when something is.

    Orphans, split entries without a picture, masks of another size, unknown labels, unreadable
    files, pictures of one part in different splits, masks that contradict each other, and classes
    that nobody can learn. Also prints the share of each class.

    With --fix, finds out first how the masks are encoded (black and white, counted from 1,
    palettes, colours with or without noise, one file for each class, one pixel too large), says
    what it found, and writes a copy of the data set with masks of class labels. The data set stays
    as it is. Where two readings fit, it asks; an option answers.

    Examples of use:

      segnet-res data check data/caps

      segnet-res data check export --fix data/caps --names sound,dent

      segnet-res data check export --fix data/caps --map "0=sound,128=ignore,255=dent"
    """
    if fix is not None:
        from segnet_res.data.doctor import FixOptions

        options = FixOptions(
            names=_listed(names),
            classes=classes,
            mapping=mapping,
            order=_listed(order),
            surplus=_surplus(surplus),
        )
        complete = _fix(dataset, fix, options)
        dataset = fix
    else:
        _refuse_without_fix(names=names, classes=classes, map=mapping, order=order, surplus=surplus)
        complete = True
    serious = _check(dataset)
    if serious and fix is None:
        # Masks are the one thing that the program can mend by itself.
        if {"label", "size", "unreadable", "orphan"} & serious:
            say("masks in another form? `segnet-res data check DATASET --fix TARGET` can tell")
        raise typer.Exit(EXIT_SOME_FAILED)
    if serious or not complete:
        raise typer.Exit(EXIT_SOME_FAILED)


def _check(dataset: Path) -> set[str]:
    """Check a dataset, print what was found, and return the kinds of serious problems."""
    from segnet_res.data.check import check_steps

    steps = check_steps(dataset)
    with progress("checking", next(steps)[1]) as bar:
        report = _drain(steps, bar.advance)
    for problem in report.problems:
        say(f"{'problem' if problem.serious else 'note'}: {problem.message}")
    _print_shares(report.info, report.images, report.pixels)
    serious = [problem.kind for problem in report.problems if problem.serious]
    say(counted(len(serious), "problem") if serious else "no problems")
    return set(serious)


def _fix(dataset: Path, target: Path, options: "FixOptions") -> bool:
    """Write a corrected copy, print what was found, and tell whether it holds every picture."""
    from segnet_res.data.doctor import diagnose_steps, fix_steps

    looking = diagnose_steps(dataset, options)
    with progress("looking at masks", next(looking)[1]) as bar:
        diagnosis = _drain(looking, bar.advance)
    for text in diagnosis.found:
        say(f"found: {text}")
    if diagnosis.mapping:
        say(f"mapping: {diagnosis.mapping}")
    for text in diagnosis.left_out:
        say(f"left out: {text}")
    writing = fix_steps(diagnosis, target)
    with progress("writing", next(writing)[1]) as bar:
        report = _drain(writing, bar.advance)
    say(
        f"wrote: {target} with {counted(report.pictures, 'picture')}, "
        f"{counted(report.changed, 'mask')} changed"
    )
    return not diagnosis.left_out


def _refuse_without_fix(**options: object) -> None:
    from segnet_res.errors import UsageError

    for name, value in options.items():
        if value is not None:
            raise UsageError(f"--{name} tells how to correct masks; add --fix TARGET")


def _surplus(text: str | None) -> Literal["first", "last"] | None:
    from segnet_res.errors import UsageError

    if text not in (None, "first", "last"):
        raise UsageError(f"--surplus is {text!r}; give first or last")
    return cast("Literal['first', 'last'] | None", text)


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",")) if text else ()


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
