"""``segnet-res evaluate``: IoU of each class over a split."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segnet_res.cli._json import STDOUT, check_json, write_json
from segnet_res.cli._options import (
    BackendOption,
    CheckpointArgument,
    DeviceOption,
    OverlapOption,
    PrecisionOption,
    TileOption,
    TtaOption,
    check_tta,
)

if TYPE_CHECKING:
    from segnet_res.metrics import Scores


def evaluate(
    checkpoint: CheckpointArgument,
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="A dataset folder.")],
    split: Annotated[str, typer.Option(help="train, val or test.")] = "val",
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write the scores as JSON; - for stdout."),
    ] = None,
    device: DeviceOption = "auto",
    backend: BackendOption = "auto",
    tile: TileOption = 1024,
    overlap: OverlapOption = 128,
    tta: TtaOption = "none",
    precision: PrecisionOption = "float32",
) -> None:
    """Compare predictions and masks of a split.

    One confusion matrix over all pictures, pixels that are not labelled left out. A class that
    occurs in neither masks nor predictions is n/a and outside the mean.

    Example: segnet-res evaluate checkpoints/magnetic-tile.safetensors data/tiles --split val
    """
    from segnet_res.cli._console import progress, warn
    from segnet_res.data import SegmentationDataset
    from segnet_res.evaluation import evaluate_each, trained_on
    from segnet_res.inference import Segmenter

    check_json(json_file)
    samples = SegmentationDataset(dataset, split)
    segmenter = Segmenter.from_checkpoint(
        checkpoint,
        device,
        backend,
        tile=tile,
        overlap=overlap,
        flips=check_tta(tta),
        precision=precision,
    )
    doubt = trained_on(segmenter, samples)
    if doubt:
        warn(doubt)
    with progress("evaluating", len(samples), unit="pictures") as bar:
        for matrix in evaluate_each(segmenter, samples):
            bar.advance(note=f"mIoU {format_ratio(matrix.scores().miou)}")
    scores = matrix.scores()
    if json_file != STDOUT:
        print_scores(scores)
    write_json(json_file, scores.to_dict())


def print_scores(scores: "Scores") -> None:
    """Print the table of the classes and the means to stdout."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from segnet_res.cli._console import counted, say, show_table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("class", overflow="fold")
    for heading in ("IoU", "Dice", "precision", "recall", "pixels"):
        table.add_column(heading, justify="right", no_wrap=True)
    for score in scores.classes:
        ratios = (score.iou, score.dice, score.precision, score.recall)
        table.add_row(Text(score.name), *map(format_ratio, ratios), f"{score.pixels:,}")
    show_table(table)
    say(
        f"mIoU {format_ratio(scores.miou)}, pixel accuracy {format_ratio(scores.pixel_accuracy)}, "
        f"mean accuracy {format_ratio(scores.mean_accuracy)} "
        f"over {counted(scores.images, 'picture')}"
    )


def format_ratio(ratio: float | None) -> str:
    """Return a ratio in percent, or n/a.

    >>> format_ratio(0.8125), format_ratio(None)
    ('81.25 %', 'n/a')
    """
    return "n/a" if ratio is None else f"{100 * ratio:.2f} %"
