"""``segnet-res retrain``: from a checkpoint and corrected pictures to a candidate."""

import os
import shlex
import time
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segnet_res.cli._console import EXIT_UNUSABLE, counted, note, progress, say, warn
from segnet_res.cli._options import is_given
from segnet_res.errors import UsageError
from segnet_res.recipe import NEW_CLASS_SHARE, NEW_SHARE, TrainConfig

if TYPE_CHECKING:
    from segnet_res.retraining.folder import RetrainFolder
    from segnet_res.retraining.state import Progress, Request

# Shown as the default of options that follow from parent, data and device.
_CHOSEN = "chosen"


def retrain(
    context: typer.Context,
    out: Annotated[Path, typer.Option(metavar="RUN", help="A new folder for the candidate.")],
    checkpoint: Annotated[
        Path | None, typer.Argument(help="The parent, whose weights are the start.")
    ] = None,
    dataset: Annotated[Path | None, typer.Argument(help="Dataset of the new pictures.")] = None,
    base: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="OLD_DATASET",
            help="Replay its training pictures, so that nothing old is forgotten; may be repeated.",
        ),
    ] = None,
    golden: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Golden set that must not be trained on; may be repeated."
        ),
    ] = None,
    rename: Annotated[
        list[str] | None,
        typer.Option(metavar="OLD=NEW", help="New name of a class of the parent."),
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=OTHER]",
            help="Leave a class out: its pixels are ignored, or count as OTHER.",
        ),
    ] = None,
    new_share: Annotated[
        float | None,
        typer.Option(
            help="Share of the crops from new pictures, beside --base.",
            show_default=f"{NEW_SHARE}; {NEW_CLASS_SHARE} with new classes",
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(help="Train as long as this, once all is prepared; else by the new pictures."),
    ] = None,
    leave_out: Annotated[
        bool,
        typer.Option(
            "--leave-out", help="Leave out what is in val, test or a golden set too, and go on."
        ),
    ] = False,
    by: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who wants it; is written down.")
    ] = None,
    background: Annotated[
        bool, typer.Option("--background", help="In a process of its own that goes on by itself.")
    ] = False,
    status: Annotated[bool, typer.Option("--status", help="Tell how far RUN is.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="Stop RUN; --resume goes on.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with RUN.")] = False,
    epochs: Annotated[
        int | None, typer.Option(show_default=_CHOSEN, help="Number of epochs.")
    ] = None,
    steps: Annotated[int | None, typer.Option(show_default=_CHOSEN, help="Steps an epoch.")] = None,
    batch: Annotated[
        int | None, typer.Option(show_default="the parent's", help="Crops a step.")
    ] = None,
    crop: Annotated[
        int | None, typer.Option(show_default="the parent's", help="Size of the crops in pixels.")
    ] = None,
    lr: Annotated[
        float | None,
        typer.Option(
            show_default="a 16th of the parent's; its own with new classes", help="Learning rate."
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(show_default="0", help="Seed of everything drawn.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(show_default="by the cores", help="Reading processes.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(show_default="auto", help="auto, cpu, cuda or cuda:0.")
    ] = None,
    licence: Annotated[
        str | None,
        typer.Option(show_default="the parent's", help="Note on what the data allow."),
    ] = None,
) -> None:
    """Retrain a checkpoint on new pictures, with old ones beside them.

    Classes are matched by name: what the dataset adds is new, what the parent knows stays. Before
    it starts it tells how long it will take. RUN gets the files of a training; best.safetensors is
    the candidate. Retrainings beside each other in one folder wait for each other.

    Examples of use:

      segnet-res retrain tiles.safetensors data/dents --base data/tiles --out runs/dents

      segnet-res retrain tiles.safetensors data/new --base data/tiles --minutes 30 --out runs/new

      segnet-res retrain tiles.safetensors data/new --rename crack=fissure --out runs/new

      segnet-res retrain --out runs/dents --status
    """
    from segnet_res.retraining.folder import RetrainFolder

    run = RetrainFolder(out)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError("a retraining takes one process; start it without torchrun")
    _check_modes(context, status=status, stop=stop, resume=resume)
    if status or stop:
        _look(run, stop=stop)
        return
    if resume:
        _resume(run, background=background, leave_out=leave_out)
        return
    if checkpoint is None or dataset is None:
        raise UsageError(
            "checkpoint or dataset is missing; give both: segnet-res retrain CHECKPOINT DATASET "
            "--out RUN"
        )
    from segnet_res.retraining.state import Request

    _begin(
        run,
        Request(
            checkpoint,
            dataset,
            tuple(base or ()),
            tuple(golden or ()),
            dict(_pair(text) for text in rename or ()),
            {
                name: other or None
                for name, _, other in (text.partition("=") for text in drop or ())
            },
            new_share,
            minutes,
            leave_out,
            licence,
            _given(context),
            by,
        ),
        background=background,
    )


def _given(context: typer.Context) -> dict[str, Any]:
    """Return the options of a training that are on the command line."""
    return {
        option.name: context.params[option.name]
        for option in fields(TrainConfig)
        if context.params.get(option.name) is not None
    }


def _pair(text: str) -> tuple[str, str]:
    old, sign, new = text.partition("=")
    if not (old and sign and new):
        raise UsageError(f"--rename is {text!r}; write OLD=NEW")
    return old, new


def _check_modes(context: typer.Context, *, status: bool, stop: bool, resume: bool) -> None:
    modes = {"--status": status, "--stop": stop, "--resume": resume}
    chosen = [name for name, wanted in modes.items() if wanted]
    if len(chosen) > 1:
        raise UsageError(f"{' and '.join(chosen)} exclude each other; choose one")
    if not chosen:
        return
    usable = {"out", "status", "stop", "resume"} | (
        {"background", "leave_out"} if resume else set()
    )
    for name in context.params.keys() - usable:
        # Whoever gives it believes that it counts.
        if is_given(context, name):
            raise UsageError(
                f"{chosen[0]} knows its checkpoint and dataset and all options; give --out alone, "
                f"without {name.replace('_', '-')}"
            )


def _begin(run: "RetrainFolder", request: "Request", *, background: bool) -> None:
    from segnet_res.retraining.prepare import check_request
    from segnet_res.retraining.run import start

    if background:
        _tell_started(run, start(run.path, request))
        return
    check_request(request)
    run.ask(request)
    _work(run)


def _resume(run: "RetrainFolder", *, background: bool, leave_out: bool) -> None:
    from segnet_res.retraining.run import check_resumable, resume

    if background:
        _tell_started(run, resume(run.path, leave_out=leave_out))
        return
    check_resumable(run)
    if leave_out:
        run.leave_out()
    run.stop.unlink(missing_ok=True)
    _work(run)


def _tell_started(run: "RetrainFolder", found: "Progress") -> None:
    say(f"{run.path}: {_summary(found)}")
    note(f"look at it with: segnet-res retrain --out {shlex.quote(str(run.path))} --status")


def _look(run: "RetrainFolder", *, stop: bool) -> None:
    from segnet_res.retraining import run as runs

    found = runs.stop(run.path, wait=10) if stop else runs.status(run.path)
    say(f"{run.path}: {_summary(found)}")
    for text in found.notes:
        note(text)
    if found.state == "failed":
        raise typer.Exit(EXIT_UNUSABLE)


def _work(run: "RetrainFolder") -> None:
    """Do the work in this process, with a line for each epoch."""
    from segnet_res.retraining.work import work

    hint = f"go on with: segnet-res retrain --out {shlex.quote(str(run.path))} --resume"
    last: Progress | None = None
    try:
        with (
            closing(work(run, time.time_ns())) as told,
            progress("retraining", None, unit="steps") as bar,
        ):
            for now in told:
                _show(now, last)
                bar.reach(now.step, now.of or None, description=_where(now), note=_loss(now))
                last = now
    except KeyboardInterrupt:
        note(hint)
        raise
    assert last is not None
    if last.state == "finished":
        best = max((row["miou"] or 0.0) for row in last.metrics)
        say(f"best mIoU {100 * best:.2f} %: {run.path / 'best.safetensors'}")
    else:
        note(hint)


def _show(now: "Progress", last: "Progress | None") -> None:
    """Print what is new since the last look."""
    if now.state == "waiting" and (last is None or last.doing != now.doing):
        note(now.doing)
    if now.state == "training" and (last is None or last.state != "training"):
        for text in now.notes:
            warn(text)
        rate = "" if now.rate is None else f", {now.rate:.1f} images/s"
        steps, epochs = counted(now.of, "step"), counted(now.epochs, "epoch")
        say(f"{steps} in {epochs}{rate}: about {_time(now.estimate)}")
    for row in now.metrics[len(last.metrics) if last else 0 :]:
        say(_line(row, now))


def _line(row: Any, now: "Progress") -> str:  # noqa: ANN401 - a row of metrics.csv
    miou = "n/a" if row["miou"] is None else f"{100 * row['miou']:.2f} %"
    return (
        f"epoch {row['epoch']:.0f}/{now.epochs}  loss {row['loss']:.4f}  mIoU {miou}  "
        f"{row['images_per_second']:.1f} images/s  {row['seconds']:.0f} s"
    )


def _where(now: "Progress") -> str:
    return f"epoch {now.epoch}/{now.epochs}" if now.epoch else now.state


def _loss(now: "Progress") -> str:
    if now.doing != "training":
        return now.doing
    return "" if now.loss is None else f"loss {now.loss:.4f}"


def _summary(found: "Progress") -> str:
    parts = [found.state if found.state == found.doing else f"{found.state}, {found.doing}"]
    if found.of:
        parts.append(f"step {found.step:,} of {found.of:,}")
    if found.metrics:
        best = max((row["miou"] or 0.0) for row in found.metrics)
        parts.append(f"best mIoU {100 * best:.2f} %")
    if found.seconds_left is not None:
        parts.append(f"about {_time(found.seconds_left)} left")
    return "; ".join(parts)


def _time(seconds: float | None) -> str:
    """Return a span of time as people say it.

    >>> _time(42), _time(600), _time(9000)
    ('42 s', '10 min', '2 h 30 min')
    """
    if seconds is None:
        return "unknown"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
