"""``segnet-res train``: from a dataset to a checkpoint."""

import os
import shlex
from collections.abc import Iterator
from dataclasses import fields
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segnet_res.cli._console import note, progress, say, warn
from segnet_res.cli._options import is_given
from segnet_res.errors import UsageError
from segnet_res.recipe import AUGMENTATIONS, LOSSES, PASTE, SCHEDULES, TrainConfig

if TYPE_CHECKING:
    from segnet_res.training import Epoch, Event, RunFolder

_BASE = TrainConfig()

# Enough parts for every defect in several forms; drawn in some seconds.
_SYNTHETIC_PARTS = 240
_SYNTHETIC = "synthetic-parts"


def train(
    context: typer.Context,
    out: Annotated[Path, typer.Option(metavar="RUN", help="Folder for checkpoints and curves.")],
    dataset: Annotated[
        Path | None,
        typer.Argument(help="Dataset folder; left out: synthetic parts are drawn into the run."),
    ] = None,
    arch: Annotated[
        str | None,
        typer.Option(
            help="ressegnet-tiny, -small (the default), -base or -vgg16; segnet-... without "
            "residuals; smp:<decoder>-<encoder> for a peer."
        ),
    ] = _BASE.arch,
    start: Annotated[
        Path | None, typer.Option(metavar="CHECKPOINT", help="Start from these weights.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in RUN.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:0.")] = _BASE.device,
    epochs: Annotated[int, typer.Option(help="Number of epochs.")] = _BASE.epochs,
    steps: Annotated[
        int, typer.Option(help="Steps an epoch; 0: by the number of pictures, at least 100.")
    ] = _BASE.steps,
    batch: Annotated[int, typer.Option(help="Crops a step and process.")] = _BASE.batch,
    crop: Annotated[int, typer.Option(help="Size of the crops in pixels.")] = _BASE.crop,
    scale: Annotated[
        float, typer.Option(help="Enlarge pictures by a random factor from 1/scale to scale.")
    ] = _BASE.scale,
    coarse: Annotated[
        float, typer.Option(help="Share of the epochs, the first, at half the size.")
    ] = _BASE.coarse,
    rare: Annotated[
        float, typer.Option(help="Share of the crops around a pixel of an evenly drawn class.")
    ] = _BASE.rare,
    paste: Annotated[
        float | None,
        typer.Option(
            help="Share of the crops that get the defects of another picture.",
            show_default=f"{PASTE} where parts have a background",
        ),
    ] = _BASE.paste,
    augment: Annotated[str, typer.Option(help=f"{', '.join(AUGMENTATIONS)}.")] = _BASE.augment,
    loss: Annotated[str, typer.Option(help=f"{', '.join(LOSSES)}.")] = _BASE.loss,
    beta: Annotated[
        str,
        typer.Option(
            help="Balance of the balanced loss: shares (of the training split), batch, or for "
            "two classes a number from 0 to 1."
        ),
    ] = _BASE.beta,
    relax: Annotated[
        float, typer.Option(help="Balance of the relaxed loss at the start; it falls to 0.")
    ] = _BASE.relax,
    adjust: Annotated[
        float, typer.Option(help="Balance of the adjusted loss; it stays.")
    ] = _BASE.adjust,
    shortcut: Annotated[bool, typer.Option(help="Shortcuts around the stages.")] = _BASE.shortcut,
    skip: Annotated[bool, typer.Option(help="Skips from encoder to decoder.")] = _BASE.skip,
    path: Annotated[bool, typer.Option(help="Finer scales past the pooling.")] = _BASE.path,
    pyramid: Annotated[bool, typer.Option(help="Logits of coarser scales, added.")] = _BASE.pyramid,
    pretrained: Annotated[
        str | None,
        typer.Option(
            metavar="hub|FILE",
            help="Start a vgg16 form from torchvision's VGG16-BN: fetched, or a local file.",
        ),
    ] = _BASE.pretrained,
    lr: Annotated[float, typer.Option(help="Learning rate after the warm-up.")] = _BASE.lr,
    weight_decay: Annotated[
        float, typer.Option(help="Weight decay of AdamW.")
    ] = _BASE.weight_decay,
    warmup: Annotated[float, typer.Option(help="Share of the steps that warm up.")] = _BASE.warmup,
    schedule: Annotated[
        str, typer.Option(help=f"Decay of the learning rate: {', '.join(SCHEDULES)}.")
    ] = _BASE.schedule,
    clip: Annotated[float, typer.Option(help="Largest norm of the gradient.")] = _BASE.clip,
    ema: Annotated[
        float, typer.Option(help="Decay of the moving average of the weights; 0: none.")
    ] = _BASE.ema,
    seed: Annotated[int, typer.Option(help="Seed of everything drawn.")] = _BASE.seed,
    workers: Annotated[
        int, typer.Option(help="Reading processes; -1: by the number of cores.")
    ] = _BASE.workers,
    amp: Annotated[bool, typer.Option(help="bfloat16 where it is fast.")] = _BASE.amp,
    compile: Annotated[bool, typer.Option("--compile", help="Compile the model.")] = _BASE.compile,
    final: Annotated[
        bool,
        typer.Option("--final", help="Train on val too and measure nothing, to deliver."),
    ] = _BASE.final,
    licence: Annotated[
        str | None, typer.Option(help="Note on what the data allow, kept in the checkpoint.")
    ] = None,
) -> None:
    """Train a model on the splits train and val of a dataset.

    RUN gets best.safetensors, last.safetensors, metrics.csv, curves.png and TensorBoard events
    after every epoch. Stop it any time; --resume goes on and ends with the same weights
    (on a GPU as near to them as two runs of one seed).

    --final is for the last run, once runs without it have settled the options: rare defects are
    too few to leave some out. Quote the scores of a run without it.

    Examples of use:

      segnet-res train data/tiles --out runs/tiles

      segnet-res train data/tiles --out runs/tiles --resume

      segnet-res train data/roads --out runs/roads --augment scene --crop 256

      torchrun --nproc-per-node 4 -m segnet_res train data/tiles --out runs/tiles
    """
    from segnet_res.checkpoint import read_metadata
    from segnet_res.training import RunFolder, train_events

    run = RunFolder(out)
    config = _config(context, run, resume=resume)
    data = dataset or _known_dataset(run, config, resume=resume)
    events = train_events(config, data, out, resume=resume, start=start, licence=licence)
    try:
        trained = _show(events, config)
    except KeyboardInterrupt:
        if _leads() and run.config.exists():
            note(f"go on with: segnet-res train --out {shlex.quote(str(out))} --resume")
        raise
    if _leads():
        best = read_metadata(run.best)
        epoch = f"epoch {best.recipe['epoch']}: {run.best}"
        found = f"best mIoU {_percent((best.scores or {}).get('miou'))} in {epoch}"
        if config.final:
            found = f"trained on train and val, not measured, {epoch}"
        say(f"{'' if trained else 'the run was finished before: '}{found}")


def _config(context: typer.Context, run: "RunFolder", *, resume: bool) -> TrainConfig:
    """Return the options: those given, else those of the run to resume, else the defaults."""
    given = {
        option.name: context.params[option.name]
        for option in fields(TrainConfig)
        if is_given(context, option.name)
    }
    return TrainConfig(**((run.read_config().to_dict() if resume else {}) | given))


def _known_dataset(run: "RunFolder", config: TrainConfig, *, resume: bool) -> Path:
    """Return the dataset of a run for which none is named: its own, or synthetic parts."""
    if resume and not (run.path / _SYNTHETIC).exists():
        dataset = run.read_origin().dataset
        if dataset is not None:
            return dataset
    if not resume:
        run.check_free()
    return _synthetic(run.path, config.seed)


def _synthetic(out: Path, seed: int) -> Path:
    """Return the folder of synthetic parts of a run, drawn when it is not there yet."""
    from segnet_res.data import synthesize

    folder = out / _SYNTHETIC
    if not folder.exists():
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise UsageError(
                "synthetic parts are not drawn by several processes at once; "
                "draw them first: segnet-res data synth FOLDER"
            )
        note(f"no dataset given: drawing {_SYNTHETIC_PARTS} synthetic parts into {folder}")
        synthesize(folder, count=_SYNTHETIC_PARTS, seed=seed)
    return folder


def _show(events: "Iterator[Event]", config: TrainConfig) -> bool:
    """Show progress and a line for each epoch; return whether there was anything left to train."""
    from segnet_res.training import Epoch, Notice, Step, Validation

    first = next(events, None)
    while isinstance(first, Notice):
        if _leads():
            warn(first.text)
        first = next(events, None)
    if first is None:
        return False
    assert isinstance(first, Step)
    if not _leads():
        for _ in events:
            pass
        return True
    # Crops of half the size have a quarter of the pixels: counted so, the time left is told well.
    sizes = [0.25] * config.coarse_epochs + [1.0] * (config.epochs - config.coarse_epochs)
    whole = first.steps * first.images
    miou = ""
    with progress(
        "training", sum(sizes) * whole, unit="images", done=sum(sizes[: first.epoch - 1]) * whole
    ) as bar:
        for event in chain([first], events):
            if isinstance(event, Step):
                bar.advance(
                    event.images * sizes[event.epoch - 1],
                    description=f"epoch {event.epoch}/{config.epochs}",
                    note=f"loss {event.loss:.4f}{miou}",
                )
            elif isinstance(event, Epoch):
                miou = _miou(event)
                say(_line(event))
            elif isinstance(event, Validation):
                bar.advance(0, note=f"validating {event.done}/{event.total}")
    return True


def _line(epoch: "Epoch") -> str:
    digits = len(str(epoch.epochs))
    best = "" if epoch.scores is None else " best" if epoch.best else "     "
    return (
        f"epoch {epoch.number:{digits}}/{epoch.epochs}  loss {epoch.loss:.4f}{_miou(epoch)}{best}  "
        f"{epoch.images_per_second:.1f} images/s  {epoch.seconds:.0f} s"
    )


def _miou(epoch: "Epoch") -> str:
    return "" if epoch.scores is None else f"  mIoU {_percent(epoch.scores.miou)}"


def _percent(value: float | None) -> str:
    return "n/a" if value is None else f"{100 * value:.2f} %"


def _leads() -> bool:
    """Whether this is the process that prints: alone, or the first of torchrun's."""
    return os.environ.get("RANK", "0") == "0"
