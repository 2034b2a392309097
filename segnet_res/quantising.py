"""A checkpoint in 8-bit integers, and what it costs: scores, size and time before and after."""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch

from segnet_res.checkpoint import Checkpoint
from segnet_res.data import SegmentationDataset
from segnet_res.data.dataset import INFO_FILE
from segnet_res.errors import CheckpointError, DataError, UsageError
from segnet_res.evaluation import check_fit, evaluate
from segnet_res.exported import IR, Form, files_of
from segnet_res.images import Channels, UInt8Array, find_images, read_image, to_channels
from segnet_res.inference import Segmenter
from segnet_res.inference.export import check_export, labels_checker, publish, source_of
from segnet_res.inference.export_graph import write_graph
from segnet_res.inference.export_int8 import write_int8
from segnet_res.inference.export_parity import drawn_parts
from segnet_res.inference.opening import open_export
from segnet_res.metrics import ConfusionMatrix

Item = TypeVar("Item")

# As many pictures as the ranges of values settle with; more take longer.
_CALIBRATED = 100

# The most pictures without masks that are compared.
_COMPARED = 500

# Of larger pictures the middle counts: a tile, which bounds the memory.
_TILE = 1024

# Runs of each model that are timed, in turns, after one that does not count.
_ROUNDS = 7


@dataclass(frozen=True)
class Measured:
    """What one form of a model is worth.

    Attributes:
        miou: Mean IoU, 0 to 1; None where no class occurs.
        bytes: Size of its files.
        seconds: Median time of one picture.
    """

    miou: float | None
    bytes: int
    seconds: float


@dataclass(frozen=True)
class Quantised:
    """A checkpoint written in 8-bit integers.

    Attributes:
        files: What was written.
        before: The same export in float32, by the same backend.
        after: What was written.
        against: What mIoU was measured against, in words.
        size: (height, width) of the picture that was timed.
        backend: What ran both.
    """

    files: tuple[Path, ...]
    before: Measured
    after: Measured
    against: str
    size: tuple[int, int]
    backend: str


def quantise_checkpoint(
    path: Path,
    target: Path,
    calibration: Path,
    *,
    split: str = "val",
    max_drop: float = 0.5,
    normalise: bool = True,
    argmax: bool = False,
    overwrite: bool = False,
) -> Quantised:
    """Write a checkpoint in 8-bit integers after measuring what that costs.

    Args:
        path: A ``.safetensors`` file.
        target: A file ending in ``.onnx`` or ``.xml``.
        calibration: A dataset, whose training pictures calibrate and whose ``split`` measures; or
            a folder of pictures, of which every second one calibrates, and the others are compared
            with the labels that the checkpoint gives itself.
        split: Which split of a dataset measures.
        max_drop: How many points of mIoU may be lost at most.
        normalise: See `segnet_res.inference.export.export_checkpoint`.
        argmax: See there.
        overwrite: Replace files that are there.

    Raises:
        UsageError: when the name has another ending, a package is missing or max_drop is negative.
        StorageError: when a file is there already or cannot be written.
        CheckpointError: when the model cannot be exported, or loses more than ``max_drop``; nothing
            is written then.
        DataError: when there are no pictures, or the dataset's classes are others.
    """
    if not max_drop >= 0:
        raise UsageError(
            f"max-drop is {max_drop}; give the points of mIoU that may be lost, from 0"
        )
    check_export(target, overwrite=overwrite)
    # The graph is written as ONNX first, whatever it becomes.
    check_export(Path("graph.onnx"), overwrite=True)
    checkpoint = Checkpoint.load(path)
    pictures = _pictures(checkpoint, calibration, split)
    form = Form(source_of(path), normalised=normalise, labels=argmax)
    backend = "openvino" if target.suffix.lower() == IR else "onnxruntime"
    with tempfile.TemporaryDirectory() as folder:
        graph = Path(folder) / "float32.onnx"
        write_graph(checkpoint, form, graph)
        labels_checker(checkpoint, graph, target.name)(drawn_parts(pictures.channels))
        draft = Path(folder) / f"model{target.suffix.lower()}"
        write_int8(checkpoint, graph, form, pictures.calibrating(), draft)
        before, after = (_segmenter(checkpoint, file, backend) for file in (graph, draft))
        scores = [pictures.score(before, before), pictures.score(after, before)]
        _check_drop(scores, max_drop, target)
        image = next(pictures.calibrating())
        seconds = _measure([before, after], image)
        first, second = (
            Measured(score, sum(part.stat().st_size for part in files_of(file)), took)
            for score, file, took in zip(scores, (graph, draft), seconds, strict=True)
        )
        publish(draft, target)
    height, width = image.shape[:2]
    return Quantised(files_of(target), first, second, pictures.against, (height, width), backend)


@dataclass(frozen=True)
class _Pictures:
    """Where pictures come from: those that calibrate, and the score by others.

    Attributes:
        channels: Of the pictures.
        calibrating: Yields (H, W, channels) uint8, at most a tile large.
        score: mIoU of a model, given the float32 form of it too.
        against: What that is measured against.
    """

    channels: Channels
    calibrating: Callable[[], Iterator[UInt8Array]]
    score: Callable[[Segmenter, Segmenter], float | None]
    against: str


def _pictures(checkpoint: Checkpoint, calibration: Path, split: str) -> _Pictures:
    channels: Channels = 3 if checkpoint.metadata.channels == 3 else 1
    if (calibration / INFO_FILE).is_file():
        return _of_dataset(checkpoint, channels, calibration, split)
    paths = find_images(calibration) if calibration.is_dir() else []
    if not paths:
        raise DataError(
            f"{calibration}: no pictures here; give a dataset, or a folder of pictures such as "
            "the model will see"
        )
    # A single one has to do for both.
    compared = paths[1::2] or paths
    return _Pictures(
        channels,
        lambda: (_middle(read_image(path, channels)) for path in _some(paths[::2], _CALIBRATED)),
        lambda model, right: _agreement(model, right, _some(compared, _COMPARED), channels),
        f"the labels of the checkpoint itself on {min(len(compared), _COMPARED)} pictures",
    )


def _of_dataset(checkpoint: Checkpoint, channels: Channels, root: Path, split: str) -> _Pictures:
    measured = SegmentationDataset(root, split)
    meta = checkpoint.metadata
    # Now, and not after a minute of work.
    check_fit(
        Segmenter.of_model(
            checkpoint.build_model(),
            meta.class_map,
            channels=channels,
            device=torch.device("cpu"),
        ),
        measured,
    )
    train = SegmentationDataset(root, "train")
    if not len(train):
        raise DataError(
            f"{root}: the split 'train' is empty, whose pictures calibrate; fill it with "
            "`segnet-res data split`, or give the folder of pictures"
        )
    chosen = _some(range(len(train)), _CALIBRATED)
    return _Pictures(
        channels,
        lambda: (_middle(to_channels(train[i].image, channels)) for i in chosen),
        lambda model, _right: evaluate(model, measured).miou,
        f"the masks of the split {split} of {measured.info.name}",
    )


def _some(items: Sequence[Item], most: int) -> list[Item]:
    """Return at most so many items, evenly spread."""
    step = max(1, -(-len(items) // most))
    return list(items[::step])


def _middle(image: UInt8Array) -> UInt8Array:
    top, left = (max(0, (side - _TILE) // 2) for side in image.shape[:2])
    return image[top : top + _TILE, left : left + _TILE]


def _agreement(
    model: Segmenter, right: Segmenter, paths: Sequence[Path], channels: Channels
) -> float | None:
    """Return the mIoU of a model when the labels of another one are the truth."""
    matrix = ConfusionMatrix(model.class_map)
    for path in paths:
        image = _middle(read_image(path, channels))
        matrix.update(right.predict(image).labels, model.predict(image).labels)
    return matrix.scores().miou


def _segmenter(checkpoint: Checkpoint, file: Path, backend: str) -> Segmenter:
    meta = checkpoint.metadata
    runtime = open_export(file, backend=backend)[0]
    return Segmenter(runtime, meta.class_map, channels=meta.channels, metadata=meta)


def _measure(segmenters: Sequence[Segmenter], image: UInt8Array) -> list[float]:
    """Return the median seconds of a picture by each, taking turns."""
    seconds: list[list[float]] = [[] for _ in segmenters]
    for _ in range(_ROUNDS + 1):
        for segmenter, times in zip(segmenters, seconds, strict=True):
            start = time.perf_counter()
            segmenter.predict(image)
            times.append(time.perf_counter() - start)
    return [statistics.median(times[1:]) for times in seconds]


def _check_drop(scores: Sequence[float | None], max_drop: float, target: Path) -> None:
    before, after = (100 * (score or 0) for score in scores)
    if before - after > max_drop:
        raise CheckpointError(
            f"{target.name}: nothing was written, because mIoU falls from {before:.2f} % to "
            f"{after:.2f} % by int8, and {max_drop:g} points may be lost; calibrate on more "
            "pictures like those that it will see, raise --max-drop, or export without --int8"
        )
