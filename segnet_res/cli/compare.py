"""``segnet-res compare``: what a candidate does better and worse than its parent."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segnet_res.cli._console import EXIT_SOME_FAILED
from segnet_res.cli._json import STDOUT, check_json, write_json
from segnet_res.cli._options import (
    BackendOption,
    DeviceOption,
    OverlapOption,
    PrecisionOption,
    TileOption,
    TtaOption,
    check_tta,
)
from segnet_res.cli.evaluate import format_ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from segnet_res.assessment import Rate
    from segnet_res.inference import Segmenter
    from segnet_res.retraining.changes import Change
    from segnet_res.retraining.comparison import Comparison, Exam
    from segnet_res.retraining.flips import Defect

# So many defects and pictures of a kind are listed; JSON has them all.
_MOST_LISTED = 20

SmallestRegionOption = Annotated[
    int,
    typer.Option(
        metavar="PIXELS", help="Regions of a mask with fewer are crumbs, not defects to miss."
    ),
]


def compare(
    parent: Annotated[
        Path, typer.Argument(metavar="PARENT", help="The checkpoint before, or an export.")
    ],
    candidate: Annotated[
        Path, typer.Argument(metavar="CANDIDATE", help="The checkpoint after, or an export.")
    ],
    truth: Annotated[
        Path,
        typer.Argument(metavar="GOLDEN_OR_DATASET", help="A golden set, or a dataset folder."),
    ],
    split: Annotated[str, typer.Option(help="Of a dataset folder: val or test.")] = "val",
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write everything as JSON; - for stdout."),
    ] = None,
    smallest_region: SmallestRegionOption = 5,
    device: DeviceOption = "auto",
    backend: BackendOption = "auto",
    tile: TileOption = 1024,
    overlap: OverlapOption = 128,
    tta: TtaOption = "none",
    precision: PrecisionOption = "float32",
) -> None:
    """Compare two checkpoints on the same pictures, which neither was trained on.

    IoU of each class, matched by name, with 95 % intervals of the differences; overkill and escape;
    and every defect that is newly missed or newly found. A defect is a connected region of the
    mask; it is found when at least a quarter of it is called a defect. Exit code 1 when a defect
    is newly missed.

    Example: segnet-res compare checkpoints/tiles.safetensors runs/new/best.safetensors golden.json
    """
    from segnet_res.inference import Segmenter
    from segnet_res.retraining.comparison import open_exam

    check_json(json_file)
    result = run_comparison(
        parent,
        candidate,
        open_exam(truth, split),
        partial(
            Segmenter.from_checkpoint,
            device=device,
            backend=backend,
            tile=tile,
            overlap=overlap,
            flips=check_tta(tta),
            precision=precision,
        ),
        smallest_region=smallest_region,
    )
    if json_file != STDOUT:
        print_comparison(result)
    write_json(json_file, result.to_dict())
    if result.flips.newly_missed:
        raise typer.Exit(EXIT_SOME_FAILED)


def run_comparison(
    parent: Path,
    candidate: Path,
    exam: "Exam",
    load: "Callable[[Path], Segmenter]",
    *,
    smallest_region: int,
) -> "Comparison":
    """Compare two files with a bar of progress.

    Args:
        parent: The one checkpoint.
        candidate: The other.
        exam: The pictures.
        load: Opens either.
        smallest_region: Pixels of the smallest region that counts as a defect.

    Raises:
        UsageError: when an option makes no sense.
        SegnetResError: when a file cannot be used.
    """
    from segnet_res.cli._console import progress
    from segnet_res.errors import UsageError
    from segnet_res.retraining.comparison import Contender
    from segnet_res.retraining.comparison import compare as compared

    if smallest_region < 1:
        raise UsageError(f"--smallest-region is {smallest_region}; give 1 or more pixels")
    before, after = (Contender.of(path, load(path)) for path in (parent, candidate))
    steps = compared(before, after, exam, smallest_region=smallest_region)
    with progress("comparing", len(exam.parts), unit="pictures") as bar:
        while True:
            try:
                next(steps)
            except StopIteration as stop:
                result: Comparison = stop.value
                return result
            bar.advance()


def print_comparison(result: "Comparison") -> None:
    """Print scores, rates and flips to stdout."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from segnet_res.assessment import MIN_PARTS
    from segnet_res.cli._console import say, show_table, warn

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("IoU", overflow="fold", min_width=12)
    for heading in ("before", "after", "change", "95 % interval", ""):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("parts", justify="right", no_wrap=True)
    scores = result.scores
    for name, knows, change, parts in zip(
        result.class_map.names, result.knows, scores.classes, scores.parts, strict=True
    ):
        table.add_row(Text(name), *_cells(change, knows), str(parts))
    table.add_section()
    table.add_row(Text(f"mean of {scores.counted}"), *_cells(scores.miou, (True, True)), "")
    show_table(table)
    say(
        "mean: of the classes that the masks show and both know; `segnet-res evaluate` also counts "
        "a class that is only predicted, as 0"
    )
    for title, before, after in (
        ("overkill", result.before.overkill, result.after.overkill),
        ("escape", result.before.escape, result.after.escape),
    ):
        say(f"{title:<9} {_rate(before)} before, {_rate(after)} after, of pictures")
    for title, before, after in (
        ("overkill", result.before.part_overkill, result.after.part_overkill),
        ("escape", result.before.part_escape, result.after.part_escape),
    ):
        say(f"{title:<9} {_rate(before)} before, {_rate(after)} after, of parts")
    _print_flips(result)
    for doubt in result.doubts:
        warn(doubt)
    if not scores.miou.enough:
        warn(
            f"a class in the mean is shown on fewer than {MIN_PARTS} parts, too few to tell "
            "whether the candidate is better"
        )


def _print_flips(result: "Comparison") -> None:
    from segnet_res.cli._console import counted, say

    flips = result.flips
    small = f"; {counted(flips.small, 'crumb')} of fewer than {flips.smallest} px left out"
    say(
        f"defects   {flips.found_before:,} of {flips.defects:,} found before, "
        f"{flips.found_after:,} after{small if flips.small else ''}"
    )
    for title, defects in (
        ("newly missed", flips.newly_missed),
        ("newly found", flips.newly_found),
        ("found, but newly called by another class", flips.newly_misnamed),
    ):
        say(f"{title}: {len(defects):,}")
        _list([_told(defect) for defect in defects])
    for title, stems in (
        ("sound pictures newly called defective", result.new_alarms),
        ("sound pictures no longer called defective", result.ended_alarms),
    ):
        say(f"{title}: {len(stems):,}")
        _list(stems)


def _list(lines: "Sequence[str]") -> None:
    from segnet_res.cli._console import say

    for line in lines[:_MOST_LISTED]:
        say(f"  {line}")
    if len(lines) > _MOST_LISTED:
        say(f"  and {len(lines) - _MOST_LISTED:,} more; --json lists them all")


def _told(defect: "Defect") -> str:
    left, top, width, height = defect.box
    return (
        f"{defect.stem}: {defect.name} of {defect.pixels:,} px at {left}, {top} "
        f"({width} x {height}); {100 * defect.before:.0f} % of it before, "
        f"{100 * defect.after:.0f} % after"
    )


def _cells(change: "Change", knows: tuple[bool, bool]) -> tuple[str, str, str, str, str]:
    ratios = [
        format_ratio(value) if known else "unknown"
        for value, known in zip((change.before, change.after), knows, strict=True)
    ]
    if change.difference is None or change.interval is None:
        return ratios[0], ratios[1], "", "", ""
    low, high = change.interval
    return (
        ratios[0],
        ratios[1],
        f"{100 * change.difference:+.2f}",
        f"{100 * low:+.1f} to {100 * high:+.1f}",
        change.verdict,
    )


def _rate(rate: "Rate") -> str:
    return f"{format_ratio(rate.value)} ({rate.count:,} of {rate.of:,})"
