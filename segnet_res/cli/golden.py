"""``segnet-res golden``: frozen pictures that checkpoints are compared on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from segnet_res.retraining.golden_making import Holding

golden_app = typer.Typer(
    help="Freeze pictures that checkpoints are compared on.", no_args_is_help=True
)


@golden_app.command()
def make(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="A dataset folder.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write, .json.")],
    split: Annotated[str, typer.Option(help="val or test.")] = "val",
) -> None:
    """Freeze a split as a golden set: a list of its pictures and masks with their SHA-256.

    The pictures stay where they are. As soon as one of them, or a mask, is changed or missing, the
    set is refused: every comparison on it has the same truth.

    Example: segnet-res golden make data/tiles golden/tiles.json --split test
    """
    from segnet_res.cli._console import counted, say
    from segnet_res.retraining.golden_making import make_golden

    golden, holdings = make_golden(dataset, split, file)
    say(
        f"{file}: {counted(len(golden.pictures), 'picture')} of "
        f"{counted(len(set(golden.parts)), 'part')}, fingerprint {golden.fingerprint[:12]}"
    )
    _warn_of_rare(holdings)


@golden_app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A golden set.")],
) -> None:
    """Compare the pictures and masks of a golden set with its list."""
    from segnet_res.cli._console import counted, say
    from segnet_res.retraining.golden import load_golden

    golden = load_golden(file)
    dataset = golden.open()
    golden.check_held_out()
    say(
        f"{file}: all {counted(len(dataset), 'picture')} are what they were, "
        f"fingerprint {golden.fingerprint[:12]}"
    )


def _warn_of_rare(holdings: "tuple[Holding, ...]") -> None:
    from segnet_res.assessment import MIN_PARTS
    from segnet_res.cli._console import warn

    rare = [f"{one.name} ({one.parts})" for one in holdings if one.parts < MIN_PARTS]
    if rare:
        warn(
            f"on fewer than {MIN_PARTS} parts, too few to tell whether a checkpoint is better: "
            + ", ".join(rare)
        )
