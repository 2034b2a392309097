"""``segnet-res predict``: pictures in, masks out."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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
    from segnet_res.inference import FileResult

# From so many pictures on it is worth a minute, once, to find the fastest backend.
_MANY = 100


def predict(
    checkpoint: CheckpointArgument,
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE",
            help="A picture, a folder with subfolders, a glob in quotes, or a .txt file that "
            "lists pictures.",
        ),
    ],
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="Folder for the results.")],
    save: Annotated[
        str,
        typer.Option(
            metavar="KINDS", help="Any of masks,colors,overlays,confidence,polygons (COCO JSON)."
        ),
    ] = "masks",
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="One row a picture, as FILE.csv or FILE.jsonl."),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="One page for people, to print or to send."),
    ] = None,
    spec: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Limits that parts must keep; parts that fail: exit 1."),
    ] = None,
    threshold: Annotated[
        float, typer.Option(help="Confidence from which a defect counts, 0 to 1.")
    ] = 0.0,
    min_region: Annotated[int, typer.Option(help="Pixels from which a region counts.")] = 0,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on with what arrives in SOURCE, until Ctrl-C.")
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Segment all again, also what was changed by hand."),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Print failures and warnings only.")
    ] = False,
    batch: Annotated[
        int | None,
        typer.Option(
            help="Pictures of one size that go through the model together.",
            show_default="1, on CUDA 8",
        ),
    ] = None,
    workers: Annotated[int, typer.Option(help="Threads that read, and that write.")] = 2,
    device: DeviceOption = "auto",
    backend: BackendOption = "auto",
    tile: TileOption = 1024,
    overlap: OverlapOption = 128,
    tta: TtaOption = "none",
    precision: PrecisionOption = "float32",
) -> None:
    """Segment a picture, a folder, or what arrives in a folder.

    Writes TARGET/masks/<path below SOURCE without its suffix>.png: class indices at the picture's
    own size, and what was done to TARGET/manifest.jsonl. Start a stopped run again and it goes on;
    a rerun does what is new, changed, failed or missing. A picture that cannot be read is named
    and skipped; the exit code is then 1.

    Example: segnet-res predict checkpoints/magnetic-tile.safetensors photos out --report out/r.csv
    """
    from segnet_res.cli._console import EXIT_SOME_FAILED, note, progress, say, warn
    from segnet_res.inference import FolderRun, Segmenter
    from segnet_res.spec import Spec

    flips = check_tta(tta)
    run = FolderRun(
        source,
        target,
        save=[kind.strip() for kind in save.split(",") if kind.strip()],
        report=report,
        html=html,
        spec=None if spec is None else Spec.load(spec),
        threshold=threshold,
        min_region=min_region,
        batch=batch,
        workers=workers,
        overwrite=overwrite,
        watch=watch,
    )
    tally = _Tally(quiet=quiet)
    with _until_stopped() if watch else nullcontext():
        if backend == "auto" and (watch or len(run) >= _MANY):
            _choose_backend(checkpoint, device, precision, quiet=quiet)
        segmenter = Segmenter.from_checkpoint(
            checkpoint,
            device,
            backend,
            tile=tile,
            overlap=overlap,
            flips=flips,
            precision=precision,
        )
        results = run.results(segmenter, checkpoint=checkpoint, backend=backend)
        if watch and not quiet:
            note(f"watching {source}; Ctrl-C ends it")
        total = None if watch else len(run)
        with progress("segmenting", total, unit="pictures", hidden=quiet or watch) as bar:
            for result in results:
                tally.add(result)
                bar.advance()
    for warning in run.warnings:
        warn(warning)
    if not quiet:
        say(f"{tally}; results are in {target}")
    if tally.failed or tally.rejected:
        raise typer.Exit(EXIT_SOME_FAILED)


def _choose_backend(checkpoint: Path, device: str, precision: str, *, quiet: bool) -> None:
    """Have the fastest backend found for a run that is long enough to be worth it."""
    from segnet_res.cli._console import note
    from segnet_res.inference.automatic import prepare_backend

    def begin() -> None:
        if not quiet:
            note("finding the fastest backend for this checkpoint, once; this takes a while")

    choice = prepare_backend(checkpoint, device=device, precision=precision, on_begin=begin)
    if choice.seconds and not quiet:
        measured = ", ".join(f"{name} {took:.2f} s" for name, took in choice.seconds.items())
        note(f"backend: {choice.backend} (a picture takes {measured})")


@contextmanager
def _until_stopped() -> Iterator[None]:
    """Let Ctrl-C and a plain kill end the block well; what is under way is finished."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    # What stops a service counts as Ctrl-C.
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        return
    finally:
        signal.signal(signal.SIGTERM, before)


class _Tally:
    """Counts results and names those that somebody must look at.

    Args:
        quiet: Whether parts that fail and results by hand are counted only.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        kinds = ("segmented", "reviewed", "kept", "failed", "passed", "rejected")
        self._counts = dict.fromkeys(kinds, 0)
        self._by_hand = 0

    @property
    def failed(self) -> int:
        """Pictures without results."""
        return self._counts["failed"]

    @property
    def rejected(self) -> int:
        """Parts that fail the limits."""
        return self._counts["rejected"]

    def add(self, result: FileResult) -> None:
        """Take in one result."""
        from segnet_res.cli._console import note

        record = result.record
        if record.error is not None:
            self._counts["failed"] += 1
            note(f"skipped {record.path}: {record.error}")
            return
        reviewed = "reviewed" if result.reviewed else "segmented"
        self._counts["kept" if result.kept else reviewed] += 1
        self._by_hand += sum(output.by_hand for output in record.outputs.values())
        if record.verdict is not None:
            self._counts["passed" if record.verdict == "pass" else "rejected"] += 1
        if self._quiet:
            return
        for path in result.by_hand:
            note(f"kept {path}: made or changed by hand (--overwrite makes it again)")
        if record.verdict == "fail" and not result.kept:
            note(f"fail {record.path}: {' '.join(record.reasons)}")

    def __str__(self) -> str:
        from segnet_res.cli._console import counted

        counts = self._counts
        done = sum(counts[kind] for kind in ("segmented", "reviewed", "kept", "failed"))
        parts = [f"{counts['segmented']:,} segmented"]
        if counts["reviewed"]:
            parts.append(f"{counts['reviewed']:,} done from their masks")
        if counts["kept"]:
            parts.append(f"{counts['kept']:,} were there already (--overwrite makes them again)")
        if counts["failed"]:
            parts.append(f"{counts['failed']:,} failed")
        if counts["passed"] or counts["rejected"]:
            parts.append(f"{counts['passed']:,} pass, {counts['rejected']:,} fail the limits")
        if self._by_hand:
            parts.append(f"{counted(self._by_hand, 'result')} by hand kept")
        return f"{counted(done, 'picture')}: {', '.join(parts)}"
