"""Checkpoints that somebody uploads: looked at closely before they appear in the folder."""

import re
import shutil
import struct
from pathlib import Path

import numpy as np

from segnet_res.checkpoint import SUFFIX, Checkpoint, Metadata, read_metadata
from segnet_res.errors import CheckpointError, SegnetResError, StorageError
from segnet_res.images import atomic_write

# Letters and digits of any language, and what file names usually hold besides.
_NAME = re.compile(r"\w[\w .()+-]{0,99}")
# Our own names and those of smp; others make libraries look into folders or into the network.
_ARCHITECTURE = re.compile(r"(smp:)?[\w.+-]+")

# Some hundred kB are usual; parsing takes many times a header's size.
_MAX_HEADER = 8 * 2**20

# The side of the picture on which the model has to show that it works.
_TRIAL_SIDE = 64


def accept(upload: Path, name: str, folder: Path) -> str:
    """Put an uploaded checkpoint into the folder, once it has proved to be one.

    Whoever calls holds a turn: the model is built and runs once. Nothing is overwritten, and the
    file appears whole.

    Args:
        upload: The file.
        name: What it is called where it comes from; anything, so only its last part is looked at.
        folder: Where checkpoints lie.

    Returns:
        The name by which the page asks for the checkpoint.

    Raises:
        CheckpointError: when it is none, does not work, or the folder has one of this name.
        StorageError: when it cannot be written.
    """
    file_name = name.replace("\\", "/").rpartition("/")[2]
    stem = file_name.removesuffix(SUFFIX)
    if stem == file_name:
        raise CheckpointError(f"{file_name[:100]!r}: no {SUFFIX} file; other formats can hold code")
    if not is_checkpoint_name(stem):
        raise CheckpointError(
            f"{stem[:100]!r}: no name for a checkpoint; rename the file, with letters, digits and "
            "- _ . ( ) + alone"
        )
    target = folder / f"{stem}{SUFFIX}"
    _refuse_twice(target)
    try:
        _try_out(upload)
    except SegnetResError as error:
        # The upload's own name is one that the person may never have seen.
        raise CheckpointError(str(error).replace(upload.name, file_name)) from error
    _publish(upload, target)
    upload.unlink(missing_ok=True)
    return stem


def is_checkpoint_name(stem: str) -> bool:
    """Tell whether a checkpoint that people name through the page can be called so."""
    return _NAME.fullmatch(stem) is not None and stem == stem.strip()


def _refuse_twice(target: Path) -> None:
    # Many file systems take A and a for the same letter.
    taken = {path.name.casefold() for path in target.parent.glob("*")}
    if target.name.casefold() in taken:
        raise CheckpointError(
            f"{target.name}: the folder has a checkpoint of this name; rename the file"
        )


def _try_out(path: Path) -> None:
    """Build the model and let it segment a small picture."""
    with path.open("rb") as file:
        start = file.read(8)
    # A file that is no safetensors at all gets its sentence from `read_metadata`.
    length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
    if _MAX_HEADER < length < path.stat().st_size:
        raise CheckpointError(
            f"{path.name}: not a checkpoint (its header is larger than {_MAX_HEADER // 2**20} MB); "
            f"give a {SUFFIX} file that `segnet-res train` wrote"
        )
    metadata = read_metadata(path)
    if not _ARCHITECTURE.fullmatch(metadata.architecture):
        raise CheckpointError(
            f"{path.name}: {metadata.architecture[:100]!r} is no architecture; "
            "give a checkpoint that `segnet-res train` wrote"
        )
    _check_shapes(path, metadata)
    # Imported here: torch takes seconds, and the page should open before.
    from segnet_res.inference import Segmenter

    segmenter = Segmenter.from_checkpoint(path, device="cpu")
    trial = np.linspace(0, 255, _TRIAL_SIDE**2 * 3).astype(np.uint8)
    segmenter.predict(trial.reshape(_TRIAL_SIDE, _TRIAL_SIDE, 3))


def _check_shapes(path: Path, metadata: Metadata) -> None:
    """Compare with what the architecture needs before any memory is taken for it."""
    import torch

    from segnet_res.models import build_model

    tensors = Checkpoint.load(path).tensors
    try:
        with torch.device("meta"):
            model = build_model(
                metadata.architecture,
                num_classes=len(metadata.class_map),
                channels=metadata.channels,
                mean=metadata.mean,
                std=metadata.std,
                **metadata.arguments,
            )
    except (SegnetResError, RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(f"{path.name}: its model cannot be built ({reason})") from error
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if wanted != found:
        odd = sorted(name for name in wanted | found if wanted.get(name) != found.get(name))
        raise CheckpointError(
            f"{path.name}: the weights do not fit the architecture {metadata.architecture} "
            f"(see {odd[0][:100]}); use the version of segnet_res that wrote it"
        )


def _publish(upload: Path, target: Path) -> None:
    """Copy the file to its place, whole, where nothing was before."""
    reserved = False
    try:
        with upload.open("rb") as source, atomic_write(target) as copy:
            shutil.copyfileobj(source, copy)
            # Takes the name, or finds it taken; `atomic_write` then replaces our own empty file.
            target.open("xb").close()
            reserved = True
    except StorageError as error:
        if reserved:
            target.unlink(missing_ok=True)
        elif isinstance(error.__cause__, FileExistsError):
            _refuse_twice(target)
        raise
