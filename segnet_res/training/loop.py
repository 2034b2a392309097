"""The training loop: yields what happens, and writes the run's folder after every epoch."""

import math
import time
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.tensorboard import SummaryWriter

from segnet_res.checkpoint import Checkpoint, Metadata
from segnet_res.data import SegmentationDataset
from segnet_res.errors import DeviceError, TrainingError, UsageError
from segnet_res.evaluation import check_fit, evaluate_each
from segnet_res.inference import Segmenter
from segnet_res.losses import build_loss
from segnet_res.metrics import Scores
from segnet_res.models import is_out_of_memory
from segnet_res.recipe import TrainConfig
from segnet_res.training.crops import Batch, Crops, EpochSampler, batches, build_loader
from segnet_res.training.curves import draw_curves
from segnet_res.training.descent import Descent
from segnet_res.training.distributed import Processes, processes
from segnet_res.training.events import Epoch, Event, Notice, Step, Validation
from segnet_res.training.optim import (
    NORM_BATCHES,
    build_average,
    build_optimizer,
    fast_in_bfloat16,
    learning_rate,
    refresh_norms,
    update_average,
)
from segnet_res.training.run_folder import Origin, RunFolder
from segnet_res.training.setup import (
    Start,
    describe,
    doubts,
    open_splits,
    prepare,
    resumed,
    steps_per_epoch,
    worker_count,
)


def train(
    config: TrainConfig,
    data: Path,
    out: Path,
    *,
    resume: bool = False,
    start: Path | None = None,
    licence: str | None = None,
) -> Iterator[Epoch]:
    """Train on the split ``train`` of a dataset folder and validate on ``val``.

    With `TrainConfig.final` both are trained on.

    The best and the last checkpoint, `metrics.csv` and the curves are in ``out`` when an epoch is
    yielded. Stopping in the middle loses the running epoch and nothing else.

    Args:
        config: The options.
        data: A dataset folder.
        out: The run's folder (see `RunFolder`).
        resume: Go on with the run in ``out``; on a CPU it ends with the weights of an uninterrupted
            run, on CUDA as near to them as two runs of one seed: some of its sums have no order.
        start: A checkpoint whose weights are the start, for the same classes; a run that is resumed
            knows its own.
        licence: Note on what the data allow, for the checkpoint; a run that is resumed keeps it.

    Yields:
        One `Epoch` after another; under torchrun only in the process of rank 0.

    Raises:
        DataError: when the data cannot be used.
        CheckpointError: when ``start`` does not fit.
        DeviceError: when a device is missing, or memory runs out.
        TrainingError: when a loss or gradient is not finite, ``out`` does not fit, or a reading
            process is ended.
        StorageError: when ``out`` cannot be written.
        UsageError: when an option makes no sense.
    """
    for event in train_events(config, data, out, resume=resume, start=start, licence=licence):
        if isinstance(event, Epoch):
            yield event


def train_events(
    config: TrainConfig,
    data: Path,
    out: Path,
    *,
    resume: bool = False,
    start: Path | None = None,
    licence: str | None = None,
    descent: Descent | None = None,
) -> Iterator[Event]:
    """Like `train`, but yields notices on the data, every step and every validated picture too.

    Args:
        config: As for `train`, like those that follow.
        data: A dataset folder.
        out: The run's folder.
        resume: Go on with the run in ``out``.
        start: A checkpoint whose weights are the start.
        licence: Note on what the data allow.
        descent: What a retraining adds; the same again when it is resumed.

    Raises:
        SegnetResError: as `train`.
    """
    run, state = RunFolder(out), None
    origin = Origin(data, start, licence=licence, retrained=descent is not None)
    if not resume:
        run.check_free()
    with processes(config.device) as group:
        splits = open_splits(data, final=config.final)
        training, validation = splits.training, splits.validation
        if resume:
            run.check_config(config)
            origin = run.check_origin(origin)
            state = run.load_state()
        if state is None:
            begin = _with_descent(prepare(config, training, origin.start), descent)
            run.check_parent(origin, begin.parent)
            origin = replace(origin, parent=begin.parent)
        else:
            begin = _with_descent(resumed(run.last, training), descent)
        measured = training if config.final else validation
        check_fit(_segmenter(begin.model, measured, group.device), measured)
        trainer = _Trainer(config, training, validation, begin, group, run)
        trainer.licence, trainer.descent = origin.licence, descent
        trainer.digests = splits.digests()
        if state is not None:
            trainer.restore(state)
        elif group.leads:
            run.begin(config, origin, again=resume)
        # A retraining has looked at its data before, and has told what it found.
        if descent is None and trainer.done < config.epochs:
            for text in doubts(begin.statistics, training, validation):
                yield Notice(text)
        with _memory_and_batches(config, group):
            yield from trainer.epochs()


def _with_descent(begin: Start, descent: Descent | None) -> Start:
    if descent is None:
        return begin
    statistics = replace(begin.statistics, pools=descent.pools)
    return replace(begin, parent=descent.parent, statistics=statistics)


@contextmanager
def _memory_and_batches(config: TrainConfig, group: Processes) -> Iterator[None]:
    """Say what helps where torch finds batches too large or too small."""
    crops = "1 crop" if config.batch == 1 else f"{config.batch} crops"
    batches = f"batches of {crops} of {config.crop}x{config.crop}"
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise DeviceError(
            f"memory of {group.device} ran out with {batches}; lower --batch or --crop"
        ) from error
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise UsageError(
            f"{batches} leave a batch norm of this model with a single value, which has no "
            "deviation; raise --batch or --crop"
        ) from error


class _Trainer:
    """What changes while a training runs."""

    def __init__(
        self,
        config: TrainConfig,
        training: SegmentationDataset,
        validation: SegmentationDataset,
        begin: Start,
        group: Processes,
        run: RunFolder,
    ) -> None:
        self.config, self.begin, self.group, self.run = config, begin, group, run
        self.training, self.validation = training, validation
        self.licence: str | None = None
        self.digests: dict[str, str] = {}
        self.descent: Descent | None = None
        self.steps = steps_per_epoch(config, len(training), group.world)
        self.model = begin.model.to(group.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = build_average(self.model, config.ema)
        self.optimizer = build_optimizer(self.model, config)
        self.loss = build_loss(config, begin.statistics.shares, training.class_map.ignore_index)
        self.amp = config.amp and fast_in_bfloat16(group.device)
        self.forward: nn.Module = self.model
        if group.world > 1:
            devices = [group.device] if group.device.type == "cuda" else None
            self.forward = DistributedDataParallel(self.forward, device_ids=devices)
        if config.compile:
            # Static: two sizes of crops are two compilations, where one for any size fails.
            self.forward = torch.compile(self.forward, dynamic=False)  # type: ignore[assignment]
        self.sampler = EpochSampler(self.steps, config.batch, group.rank, group.world)
        self.loader = build_loader(
            Crops(
                training,
                begin.statistics.pixels,
                config,
                pools=begin.statistics.pools,
                coarse=config.coarse_epochs * self.steps * config.batch * group.world,
            ),
            self.sampler,
            workers=worker_count(config),
            pin=group.device.type == "cuda",
        )
        self.recent: deque[Tensor] = deque(maxlen=NORM_BATCHES)
        self.done = 0
        self.history: list[dict[str, Any]] = []
        self.best = -1.0

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to the end of an epoch.

        Raises:
            TrainingError: when data or processes are others, so that going on would not end where
                the run would have ended.
        """
        for key, name in (("fingerprint", "training"), ("validation", "validation")):
            if state.get(key, self.digests[key]) != self.digests[key]:
                raise TrainingError(
                    f"{self.training.root}: the {name} split has changed since the run was "
                    f"started; start a new run with --start {self.run.last}"
                )
        before = state.get("processes", 1)
        if before != self.group.world:
            raise TrainingError(
                f"{self.run.path}: the run was started with {before} processes and is resumed "
                f"with {self.group.world}; give torchrun --nproc-per-node {before}"
            )
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.done, self.best, self.history = state["done"], state["best"], state["history"]

    def epochs(self) -> Iterator[Event]:
        """Run the epochs that are left."""
        with closing(self._writer()) as writer:
            for epoch in range(self.done, self.config.epochs):
                began = time.perf_counter()
                loss = yield from self._steps(epoch)
                rate = self.steps * self._images / (time.perf_counter() - began)
                if self.group.leads:
                    refresh_norms(self.average, self.recent, self.group.device)
                    scores = None if self.config.final else (yield from self._validate(epoch))
                    seconds = time.perf_counter() - began
                    yield self._record(epoch, loss, scores, rate, seconds, writer)
                self.group.wait()

    @property
    def _images(self) -> int:
        return self.config.batch * self.group.world

    def _writer(self) -> "SummaryWriter | _Silent":
        if not self.group.leads or self.done >= self.config.epochs:
            return _Silent()
        # What an interrupted run had written beyond its last whole epoch is taken back.
        return SummaryWriter(str(self.run.path), purge_step=self.done + 1)

    def _steps(self, epoch: int) -> Generator[Event, None, float]:
        # What a model draws (dropout) follows from seed and epoch, so that resuming repeats it.
        torch.manual_seed(self.config.seed + epoch)
        self.sampler.epoch = epoch
        self.recent.clear()  # of this epoch only, or a resumed run would have fewer
        self.model.train()
        total = 0.0
        for step, batch in enumerate(batches(self.loader)):
            loss = self._step(epoch * self.steps + step, batch)
            total += loss
            self.recent.append(batch.images)
            yield Step(epoch + 1, step + 1, self.steps, loss, self._images)
        return self.group.mean(total / self.steps)

    def _step(self, number: int, batch: Batch) -> float:
        config, every = self.config, self.config.epochs * self.steps
        for settings in self.optimizer.param_groups:
            settings["lr"] = learning_rate(config, number, every)
        images = batch.images.to(
            self.group.device, non_blocking=True, memory_format=torch.channels_last
        )
        labels = batch.labels.to(self.group.device, non_blocking=True)
        with torch.autocast(self.group.device.type, torch.bfloat16, enabled=self.amp):
            logits: Tensor = self.forward(images)
        loss = self.loss(logits, labels, number / every)
        value = loss.item()
        _check_finite("loss", value, number, batch)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), config.clip)
        # Clipping would spread it over all weights, and only the next loss would show it.
        _check_finite("gradient", norm.item(), number, batch)
        self.optimizer.step()
        update_average(self.average, self.model, config.ema, number)
        return value

    def _validate(self, epoch: int) -> Generator[Event, None, Scores]:
        segmenter = _segmenter(self.average.module, self.validation, self.group.device)
        total = len(self.validation)
        for matrix in evaluate_each(segmenter, self.validation):
            yield Validation(epoch + 1, matrix.images, total)
        return matrix.scores()

    def _record(
        self,
        epoch: int,
        loss: float,
        scores: Scores | None,
        rate: float,
        seconds: float,
        writer: "SummaryWriter | _Silent",
    ) -> Epoch:
        """Write everything of an epoch; the state last, so that it never runs ahead."""
        row: dict[str, Any] = {
            "epoch": epoch + 1,
            "loss": loss,
            "lr": self.optimizer.param_groups[0]["lr"],
            "miou": None,
            "pixel_accuracy": None,
            "images_per_second": rate,
            "seconds": seconds,
        }
        if scores is not None:
            row |= {"miou": scores.miou, "pixel_accuracy": scores.pixel_accuracy}
            row |= {f"iou_{score.name}": score.iou for score in scores.classes}
        self.history.append(row)
        self.done = epoch + 1
        miou = row["miou"] or 0.0
        better = scores is None or miou > self.best
        self.best = max(self.best, miou)
        checkpoint = self._checkpoint(scores)
        if better:
            checkpoint.save(self.run.best)
        checkpoint.save(self.run.last)
        self.run.write_metrics(self.history)
        draw_curves(self.history, self.run.curves)
        for key, value in row.items():
            if key != "epoch" and value is not None:
                writer.add_scalar(key.replace("iou_", "iou/"), value, epoch + 1)
        writer.flush()
        self.run.save_state(
            {
                "model": self.model.state_dict(),
                "average": self.average.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "processes": self.group.world,
                "done": self.done,
                "best": self.best,
                "history": self.history,
            }
            | self.digests
        )
        return Epoch(epoch + 1, self.config.epochs, loss, scores, better, rate, seconds)

    def _checkpoint(self, scores: Scores | None) -> Checkpoint:
        model = self.average.module
        tensors = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
        metadata: Metadata = replace(
            describe(self.begin, self.config, self.training, self.group.device),
            scores=None if scores is None else scores.to_dict(),
            licence=self.licence,
        )
        if self.descent is not None:
            metadata.recipe.update(self.descent.recipe)
            metadata.data.update(self.descent.data)
        metadata.recipe["epoch"] = self.done
        metadata.data.update(
            {key: digest for key, digest in self.digests.items() if key != "validation"}
        )
        return Checkpoint(metadata, tensors)


def _check_finite(what: str, value: float, number: int, batch: Batch) -> None:
    if not math.isfinite(value):
        raise TrainingError(
            f"the {what} became {value} in step {number + 1} on {', '.join(batch.stems)}; "
            "look at these pictures and masks, or lower --lr"
        )


class _Silent:
    """Stands in for TensorBoard's writer in the processes that do not write."""

    def add_scalar(self, tag: str, value: float, step: int) -> None: ...

    def flush(self) -> None: ...

    def close(self) -> None: ...


def _segmenter(model: nn.Module, dataset: SegmentationDataset, device: torch.device) -> Segmenter:
    return Segmenter.of_model(model, dataset.class_map, channels=dataset.channels, device=device)
