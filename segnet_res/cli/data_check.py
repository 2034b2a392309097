"""``segnet-res data check``: what is wrong with a data set, and a copy with corrected masks."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from segnet_res.cli._console import EXIT_SOME_FAILED, counted, progress, say
from segnet_res.cli._datasets import drain, listed, print_shares

if TYPE_CHECKING:
    from segnet_res.data.doctor import FixOptions


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
            names=listed(names),
            classes=classes,
            mapping=mapping,
            order=listed(order),
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
        report = drain(steps, bar.advance)
    for problem in report.problems:
        say(f"{'problem' if problem.serious else 'note'}: {problem.message}")
    print_shares(report.info, report.images, report.pixels)
    serious = [problem.kind for problem in report.problems if problem.serious]
    say(counted(len(serious), "problem") if serious else "no problems")
    return set(serious)


def _fix(dataset: Path, target: Path, options: "FixOptions") -> bool:
    """Write a corrected copy, print what was found, and tell whether it holds every picture."""
    from segnet_res.data.doctor import diagnose_steps, fix_steps

    looking = diagnose_steps(dataset, options)
    with progress("looking at masks", next(looking)[1]) as bar:
        diagnosis = drain(looking, bar.advance)
    for text in diagnosis.found:
        say(f"found: {text}")
    if diagnosis.mapping:
        say(f"mapping: {diagnosis.mapping}")
    for text in diagnosis.left_out:
        say(f"left out: {text}")
    writing = fix_steps(diagnosis, target)
    with progress("writing", next(writing)[1]) as bar:
        report = drain(writing, bar.advance)
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
