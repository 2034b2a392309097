"""What a training starts from: the model, fresh or a checkpoint's, and the data's statistics."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch

from segnet_res.checkpoint import Checkpoint, Metadata, read_metadata, short_hash
from segnet_res.data import SegmentationDataset, fingerprint
from segnet_res.errors import CheckpointError, DataError, TrainingError, UsageError
from segnet_res.models import (
    ResSegNet,
    SegmentationModel,
    build_model,
    describe_device,
    load_vgg16_bn,
)
from segnet_res.models.names import RESIDUALS
from segnet_res.recipe import DEFAULT_ARCHITECTURE, TrainConfig
from segnet_res.training.statistics import Statistics, measure
from segnet_res.version import __version__

# Fewer steps an epoch than this would spend more time on validation than on training.
MIN_STEPS = 100


@dataclass(frozen=True)
class Start:
    """What a training starts from.

    Attributes:
        model: On the CPU.
        architecture: Its name.
        arguments: Further arguments of `build_model`.
        statistics: Of the training split.
        parent: Name and short hash of the checkpoint, if there is one.
    """

    model: SegmentationModel
    architecture: str
    arguments: dict[str, Any]
    statistics: Statistics
    parent: str | None


class Splits(NamedTuple):
    """What a training learns from and what it measures on.

    Attributes:
        training: All that is trained on.
        validation: Empty in a final training.
        joined: The splits as they are that a final training joins; else empty.
    """

    training: SegmentationDataset
    validation: SegmentationDataset
    joined: tuple[SegmentationDataset, ...] = ()

    def digests(self) -> dict[str, str]:
        """Return the fingerprints of the data by their name in a checkpoint or state."""
        return {
            "fingerprint": fingerprint(self.training),
            "validation": fingerprint(self.validation),
            **{f"fingerprint_{one.split}": fingerprint(one) for one in self.joined},
        }


def open_splits(data: Path, *, final: bool) -> Splits:
    """Open ``train`` and ``val`` for a training.

    Args:
        data: A dataset folder.
        final: Train on ``val`` as well; it is empty then.

    Raises:
        DataError: when the folder is no dataset, or a split names what is not there.
    """
    training, validation = (SegmentationDataset(data, split) for split in ("train", "val"))
    if not final:
        return Splits(training, validation)
    # A picture may be in both by mistake; it shall not count twice.
    both = tuple(dict.fromkeys(training.stems + validation.stems))
    return Splits(
        SegmentationDataset(data, "train", stems=both),
        SegmentationDataset(data, "val", stems=()),
        (training, validation),
    )


def prepare(config: TrainConfig, dataset: SegmentationDataset, start: Path | None) -> Start:
    """Build the model that a training starts from.

    Raises:
        DataError: when the training split is empty or cannot be read.
        CheckpointError: when the checkpoint or the pretrained weights do not fit.
        UsageError: when options exclude each other.
    """
    statistics = _measure(dataset)
    torch.manual_seed(config.seed)
    if start is not None:
        return _from_checkpoint(config, dataset, start, statistics)
    architecture = config.arch or DEFAULT_ARCHITECTURE
    arguments = _switches(config, architecture)
    model = build_model(
        architecture,
        num_classes=len(dataset.class_map),
        channels=dataset.channels,
        mean=statistics.mean,
        std=statistics.std,
        **arguments,
    )
    if config.pretrained is not None:
        load_vgg16_bn(model, config.pretrained)
    return Start(model, architecture, arguments, statistics, None)


def _measure(dataset: SegmentationDataset) -> Statistics:
    if not len(dataset):
        raise DataError(
            f"{dataset.info.name}: the split 'train' is empty; fill it with `segnet-res data split`"
        )
    return measure(dataset)


def _switches(config: TrainConfig, architecture: str) -> dict[str, bool]:
    """Return which residual connections are on, all by name: a default may change."""
    switches = {name: getattr(config, name) for name in RESIDUALS}
    if architecture.startswith("ressegnet-"):
        return switches
    off = [f"--no-{name}" for name, on in switches.items() if not on]
    if off:
        raise UsageError(
            f"{architecture} has no residual connections to switch off ({', '.join(off)}); "
            "choose a ressegnet"
        )
    return {}


def _from_checkpoint(
    config: TrainConfig, dataset: SegmentationDataset, start: Path, statistics: Statistics
) -> Start:
    if config.pretrained is not None:
        raise UsageError("--start and --pretrained exclude each other; choose one")
    checkpoint = Checkpoint.load(start)
    meta = checkpoint.metadata
    if config.arch not in (None, meta.architecture):
        raise UsageError(
            f"--arch is {config.arch}, {start.name} is {meta.architecture}; leave --arch out"
        )
    if meta.class_map.names != dataset.class_map.names:
        raise CheckpointError(
            f"{start.name}: knows the classes {', '.join(meta.class_map.names)}, the dataset has "
            f"{', '.join(dataset.class_map.names)}; start from a checkpoint of the same classes"
        )
    if meta.channels != dataset.channels:
        raise CheckpointError(
            f"{start.name}: takes {meta.channels} channels, the dataset has {dataset.channels}; "
            "change `channels` in dataset.yaml, or start from another checkpoint"
        )
    model, arguments = checkpoint.build_model(), dict(meta.arguments)
    if isinstance(model, ResSegNet) and meta.architecture.startswith("ressegnet-"):
        # Files of the first versions name no connection: they have all but the pyramid.
        has = {name: arguments.get(name, name != "pyramid") for name in RESIDUALS}
        off = [f"--no-{name}" for name in RESIDUALS if has[name] and not getattr(config, name)]
        if off:
            raise UsageError(
                f"{start.name} has what {', '.join(off)} would take away; leave that out, or train "
                "from scratch"
            )
        # The other connections would change every answer, this one begins with zeros.
        if config.pyramid and not has["pyramid"]:
            model.add_pyramid()
            arguments["pyramid"] = True
    parent = f"{start.stem} {short_hash(start)}"
    return Start(model, meta.architecture, arguments, statistics, parent)


def resumed(last: Path, dataset: SegmentationDataset) -> Start:
    """Return what a run had started from, after its weights are in its state.

    Neither the checkpoint that it started from nor pretrained weights are needed again.

    Args:
        last: The checkpoint of the run's last epoch, which knows the architecture.
        dataset: The training split.

    Raises:
        CheckpointError: when the checkpoint is missing or damaged.
        DataError: when the training split is empty or cannot be read.
        TrainingError: when the dataset has other classes or channels than the run.
    """
    statistics = _measure(dataset)
    meta = read_metadata(last)
    # The labels of a mask mean what dataset.yaml says, so this is a change of the data as well.
    for what, before, now in (
        ("classes", ", ".join(meta.class_map.names), ", ".join(dataset.class_map.names)),
        ("channels", meta.channels, dataset.channels),
    ):
        if before != now:
            raise TrainingError(
                f"{dataset.root}: {what} of the run were {before}, those of dataset.yaml are "
                f"{now}; resume with what it was started with, or choose another --out"
            )
    model = build_model(
        meta.architecture,
        num_classes=len(dataset.class_map),
        channels=dataset.channels,
        mean=meta.mean,
        std=meta.std,
        **meta.arguments,
    )
    return Start(model, meta.architecture, meta.arguments, statistics, meta.parent)


def doubts(
    statistics: Statistics, training: SegmentationDataset, validation: SegmentationDataset
) -> Iterator[str]:
    """Yield a sentence for each reason why the data teach, or measure, less than they seem to."""
    both = sorted(set(training.stems) & set(validation.stems))
    if both:
        yield (
            f"{len(both)} of the {len(validation)} pictures of val are in train as well "
            f"({both[0]}), so the scores will flatter; `segnet-res data check` names them all"
        )
    missing = [
        name
        for name, pixels in zip(
            training.class_map.names, statistics.pixels.sum(axis=0), strict=True
        )
        if not pixels
    ]
    if missing:
        yield (
            f"no pixel of the split 'train' is {' or '.join(missing)}, so that cannot be learnt; "
            "look at the masks with `segnet-res data check`"
        )


def describe(
    begin: Start, config: TrainConfig, dataset: SegmentationDataset, device: torch.device
) -> Metadata:
    """Return what the checkpoints of a training say about themselves, all but the scores."""
    mean, std = begin.model.mean.flatten().tolist(), begin.model.std.flatten().tolist()
    return Metadata(
        architecture=begin.architecture,
        arguments=begin.arguments,
        class_map=dataset.class_map,
        channels=dataset.channels,
        mean=tuple(mean),
        std=tuple(std),
        class_shares=begin.statistics.shares,
        recipe=config.to_dict()
        | {
            "version": __version__,
            "torch": torch.__version__,
            "trained_on": describe_device(device),
        },
        data={"name": dataset.info.name, "images": len(dataset)},
        conditions=begin.statistics.conditions,
        parent=begin.parent,
    )


def steps_per_epoch(config: TrainConfig, images: int, world: int) -> int:
    """Return the optimiser steps of an epoch.

    >>> steps_per_epoch(TrainConfig(batch=4), images=1000, world=2)
    125
    """
    each = -(-images // (config.batch * world))
    return config.steps or max(each, MIN_STEPS)


def worker_count(config: TrainConfig) -> int:
    """Return the number of reading processes: one for each core but one, at most eight."""
    if config.workers >= 0:
        return config.workers
    return max(1, min(8, len(os.sched_getaffinity(0)) - 1 if _has_affinity() else 4))


def _has_affinity() -> bool:
    return hasattr(os, "sched_getaffinity")
