"""``segnet-res queue``: which pictures to annotate first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segnet_res.cli._console import EXIT_SOME_FAILED
from segnet_res.cli._json import STDOUT, check_json, write_json
from segnet_res.cli._options import (
    BackendOption,
    CheckpointArgument,
    DeviceOption,
    OverlapOption,
    PrecisionOption,
    TileOption,
)

if TYPE_CHECKING:
    from segnet_res.inference import Segmenter
    from segnet_res.retraining.queue import Queue
    from segnet_res.retraining.queue_cache import QueueCache
    from segnet_res.retraining.queue_known import Known


def queue(
    checkpoint: CheckpointArgument,
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            help="A folder with subfolders, a glob in quotes, or a .txt file that lists pictures.",
        ),
    ],
    dataset: Annotated[
        Path | None,
        typer.Option(metavar="DATASET", help="What is known: pictures like its own are not new."),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Pictures that are listed.")] = 20,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write all of it as JSON; - for stdout."),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            show_default="in the user's cache folder",
            help="Where to keep what was measured.",
        ),
    ] = None,
    device: DeviceOption = "auto",
    backend: BackendOption = "auto",
    tile: TileOption = 1024,
    overlap: OverlapOption = 128,
    precision: PrecisionOption = "float32",
) -> None:
    """Rank pictures by how much a label would teach, most useful first.

    score = 0.4 entropy + 0.4 disagreement + 0.2 newness, each 0 to 1: how unsure the model is of
    the least certain pixels, how far its answers to mirror images lie apart there, and how unlike
    the training the picture looks, or was taken. Near-copies of pictures of DATASET, or of such
    that stand higher, are skipped. What was measured is kept by content: after Ctrl-C the same
    command goes on.

    Example: segnet-res queue checkpoints/tiles.safetensors photos --dataset data/tiles --top 50
    """
    from segnet_res.cli._console import warn
    from segnet_res.inference import Segmenter
    from segnet_res.inference.identity import identity_of
    from segnet_res.retraining.queue_cache import QueueCache, default_cache

    check_json(json_file)
    segmenter = Segmenter.from_checkpoint(
        checkpoint, device, backend, tile=tile, overlap=overlap, precision=precision
    )
    # A training may write its best checkpoint anew while the known pictures are looked at.
    weights = identity_of(segmenter, checkpoint)["sha256"]
    with QueueCache(cache if cache is not None else default_cache()) as kept:
        known = _learn(segmenter, dataset, kept)
        result = _rank(segmenter, weights, folder, known, kept)
    if json_file != STDOUT:
        _print(result, top)
    for failed in result.failed:
        warn(f"{failed.name}: cannot be ranked: {failed.error}")
    write_json(json_file, result.to_dict())
    if result.failed:
        raise typer.Exit(EXIT_SOME_FAILED)


def _learn(segmenter: Segmenter, dataset: Path | None, cache: QueueCache) -> Known:
    from segnet_res.cli._console import progress
    from segnet_res.retraining.queue_known import Known, learn

    conditions = None if segmenter.metadata is None else segmenter.metadata.conditions
    if dataset is None:
        return Known(conditions=conditions)
    steps = learn(dataset, segmenter.channels, conditions, cache)
    _, total = next(steps)
    with progress("known pictures", total, unit="pictures") as bar:
        while True:
            try:
                next(steps)
            except StopIteration as stop:
                known: Known = stop.value
                return known
            bar.advance()


def _rank(
    segmenter: Segmenter, weights: str, folder: Path, known: Known, cache: QueueCache
) -> Queue:
    from segnet_res.cli._console import progress
    from segnet_res.inference.sources import Source
    from segnet_res.retraining.queue import rank

    source = Source(folder)
    # Nothing is written among the pictures, so that nothing is left out.
    pictures = sorted({one.name: one for one in source.find(Path(".none"))}.items())
    if not pictures:
        raise source.nothing()
    found = [one for _, one in pictures]
    steps = rank(segmenter, found, known, cache, weights=weights)
    with progress("ranking", len(found), unit="pictures") as bar:
        while True:
            try:
                next(steps)
            except StopIteration as stop:
                result: Queue = stop.value
                return result
            bar.advance()


def _print(result: Queue, top: int) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from segnet_res.cli._console import counted, say, show_table
    from segnet_res.retraining.queue import FORMULA

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=FORMULA, title_justify="left")
    for heading in ("", "score", "entropy", "disagreement", "newness"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("picture and reasons", overflow="fold", min_width=20)
    for place, row in enumerate(result.rows[:top], start=1):
        numbers = (row.score, *row.terms.values())
        table.add_row(
            str(place),
            *(f"{number:.2f}" for number in numbers),
            Text("\n".join([row.name, *row.reasons()])),
        )
    show_table(table)
    more = len(result.rows) - top
    rest = f", {more:,} more below (--top, --json)" if more > 0 else ""
    say(
        f"{counted(len(result.rows), 'picture')} ranked{rest}; "
        f"{counted(len(result.skipped), 'near-copy').replace('copys', 'copies')} skipped"
    )
