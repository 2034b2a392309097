"""Write a checkpoint for machines without torch, and make sure that it answers alike."""

import shutil
import tempfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch

from segnet_res.checkpoint import Checkpoint, short_hash
from segnet_res.errors import CheckpointError, StorageError, UsageError
from segnet_res.exported import IR, ONNX, SUFFIXES, Form, files_of
from segnet_res.images import Channels, atomic_write
from segnet_res.inference.export_graph import write_graph
from segnet_res.inference.export_parity import (
    Batch,
    Parity,
    compare,
    drawn_parts,
    given_pictures,
)
from segnet_res.inference.exported_runtime import missing_package
from segnet_res.inference.opening import open_export
from segnet_res.inference.torch_runtime import TorchRuntime

# What writing and checking each kind of file needs, and the extra that brings it.
_PACKAGES = {ONNX: (("onnx", "onnxscript", "onnxruntime"), "onnx"), IR: (("openvino",), "openvino")}


@dataclass(frozen=True)
class Exported:
    """A checkpoint written for another runtime.

    Attributes:
        files: What was written.
        drawn: How well it agrees on synthetic parts.
        given: How well it agrees on the given pictures; None without any.
    """

    files: tuple[Path, ...]
    drawn: Parity
    given: Parity | None


def export_checkpoint(
    path: Path,
    target: Path,
    *,
    normalise: bool = True,
    argmax: bool = False,
    pictures: Path | None = None,
    overwrite: bool = False,
) -> Exported:
    """Write a checkpoint as ONNX or OpenVINO IR after comparing both on pictures.

    Input ``images``: (N, channels, H, W) uint8 of 0 to 255, any N, H and W. Output ``logits``:
    (N, C, H, W) float32. The text ``segnet_res`` in the file is the checkpoint's description as
    JSON, with names and colours of the classes.

    Args:
        path: A ``.safetensors`` file.
        target: A file ending in ``.onnx`` or ``.xml``; the weights of an ``.xml`` go into a
            ``.bin`` beside it.
        normalise: Whether normalisation is inside; else the input is float32, less the mean and
            divided by the standard deviation.
        argmax: Whether labels come out: ``labels`` (N, H, W) uint8 and ``confidence`` (N, H, W)
            float32 of 0 to 1, instead of logits.
        pictures: A picture, or a folder of some, to compare on beside the drawn ones.
        overwrite: Replace files that are there.

    Raises:
        UsageError: when the name has another ending or a package is missing.
        StorageError: when a file is there already or cannot be written.
        CheckpointError: when the model cannot be exported or labels differ on more than one pixel
            in 100,000; nothing is written then.
        DataError: when the given pictures cannot be read.
    """
    check_export(target, overwrite=overwrite)
    checkpoint = Checkpoint.load(path)
    channels: Channels = 3 if checkpoint.metadata.channels == 3 else 1
    batches = given_pictures(pictures, channels) if pictures else None
    form = Form(source_of(path), normalised=normalise, labels=argmax)
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / f"model{target.suffix.lower()}"
        write_graph(checkpoint, form, draft)
        check = labels_checker(checkpoint, draft, target.name)
        drawn = check(drawn_parts(channels))
        given = check(batches) if batches is not None else None
        publish(draft, target)
    return Exported(files_of(target), drawn, given)


def source_of(path: Path) -> str:
    """Return name and short hash of a checkpoint, as an export names it."""
    return f"{path.stem} {short_hash(path)}"


def check_export(target: Path, *, overwrite: bool) -> None:
    """Refuse an export that could not be written, before any work is done.

    Raises:
        UsageError: when the name has another ending or a package is missing.
        StorageError: when a file or folder is there already.
    """
    suffix = target.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(
            f"{target}: an export ends in {ONNX}, or in {IR} for OpenVINO; choose such a name"
        )
    for file in files_of(target):
        if file.is_dir():
            raise StorageError(f"{file}: is a folder; choose another name")
        if file.exists() and not overwrite:
            raise StorageError(f"{file}: is there already; choose another name, or overwrite it")
    names, extra = _PACKAGES[suffix]
    for name in names:
        try:
            __import__(name)
        except ImportError as error:
            raise missing_package(error, purpose=f"an export as {suffix}", extra=extra) from error


def labels_checker(
    checkpoint: Checkpoint, draft: Path, name: str
) -> Callable[[Iterable[Batch]], Parity]:
    """Return what compares a written export with its checkpoint.

    Args:
        checkpoint: What is right; computed by torch on the CPU in float32.
        draft: The export, read again as anybody will read it.
        name: What a message calls it.

    Returns:
        A function of pictures that raises CheckpointError when labels differ too often.
    """
    expected = TorchRuntime.of_checkpoint(checkpoint, torch.device("cpu"))
    found = open_export(draft)[0]

    def check(batches: Iterable[Batch]) -> Parity:
        try:
            parity = compare(expected, found, batches, checkpoint.metadata.class_map)
        except CheckpointError as error:
            raise CheckpointError(f"{name}: nothing was written, because of {error}") from error
        if parity.different > parity.allowed:
            raise CheckpointError(
                f"{name}: nothing was written, because {parity.different:,} of "
                f"{parity.pixels:,} pixels get another label, and {parity.allowed:,} may; the "
                f"first in {parity.first}; upgrade the packages that export, or use the "
                "checkpoint as it is"
            )
        return parity

    return check


def publish(draft: Path, target: Path) -> None:
    """Copy a finished export to its place, all its files or none.

    Raises:
        StorageError: when it cannot be written.
    """
    with ExitStack() as stack:
        # Left in the opposite order: the weights come first, and the network that names them last.
        for source, place in zip(files_of(draft), files_of(target), strict=True):
            file = stack.enter_context(atomic_write(place))
            with source.open("rb") as content:
                shutil.copyfileobj(content, file)
