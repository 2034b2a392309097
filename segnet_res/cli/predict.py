"""``segnet-res predict``: pictures in, masks out."""

from pathlib import Path
from typing import Annotated

import typer

from segnet_res.cli._options import (
    BackendOption,
    CheckpointArgument,
    DeviceOption,
    FlipsOption,
    OverlapOption,
    PrecisionOption,
    TileOption,
)


def predict(
    checkpoint: CheckpointArgument,
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="A picture, or a folder with subfolders.")
    ],
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="Folder for the results.")],
    save: Annotated[
        str, typer.Option(metavar="KINDS", help="Any of masks,overlays,confidence.")
    ] = "masks",
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="One row a picture, as FILE.csv or FILE.jsonl."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Segment again what the target holds already.")
    ] = False,
    device: DeviceOption = "auto",
    backend: BackendOption = "auto",
    tile: TileOption = 1024,
    overlap: OverlapOption = 128,
    flips: FlipsOption = False,
    precision: PrecisionOption = "float32",
) -> None:
    """Segment a picture or a folder.

    Writes TARGET/masks/<path below SOURCE without its suffix>.png: class indices at the picture's
    own size. Start a stopped run again and it goes on. A picture that cannot be read is named and
    skipped; the exit code is then 1.

    Example: segnet-res predict checkpoints/magnetic-tile.safetensors photos out --report out/r.csv
    """
    from segnet_res.cli._console import EXIT_SOME_FAILED, counted, note, progress, say
    from segnet_res.inference import FolderRun, Segmenter

    kinds = [kind.strip() for kind in save.split(",") if kind.strip()]
    run = FolderRun(source, target, save=kinds, report=report, overwrite=overwrite)
    segmenter = Segmenter.from_checkpoint(
        checkpoint,
        device,
        backend,
        tile=tile,
        overlap=overlap,
        flips=flips,
        precision=precision,
    )
    segmented = kept = failed = 0
    with progress("segmenting", len(run), unit="pictures") as bar:
        for result in run.results(segmenter):
            if result.error is not None:
                failed += 1
                note(f"skipped {result.name}: {result.error}")
            elif result.kept:
                kept += 1
            else:
                segmented += 1
            bar.advance()
    parts = [f"{segmented} segmented"]
    if kept:
        parts.append(f"{kept} were there already (--overwrite makes them again)")
    if failed:
        parts.append(f"{failed} failed")
    say(f"{counted(len(run), 'picture')}: {', '.join(parts)}; results are in {target}")
    if failed:
        raise typer.Exit(EXIT_SOME_FAILED)
