"""Write a checkpoint as ONNX, for machines without torch, and make sure that it answers alike."""

import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from segnet_res.checkpoint import Checkpoint
from segnet_res.errors import CheckpointError, StorageError, UsageError
from segnet_res.images import atomic_write

# The key of the checkpoint's description among the texts of the ONNX file.
METADATA_KEY = "segnet_res"

# (pictures, height, width) that both must agree on: multiples of 32 and others, one pixel, a batch.
_CHECKED_SIZES = ((1, 256, 320), (2, 200, 131), (1, 33, 47), (1, 1, 1))

# At most one pixel in so many may get another label: where two classes are equally probable,
# another order of additions decides.
_PIXELS_PER_DIFFERENCE = 100_000


def export_onnx(checkpoint: Checkpoint, target: Path, *, overwrite: bool = False) -> float:
    """Write a model as ONNX after comparing both on pictures of several sizes.

    Input ``images``: (N, channels, H, W) uint8, any N, H and W; normalisation is inside. Output
    ``logits``: (N, C, H, W) float32. The text ``segnet_res`` of the file is the checkpoint's
    description as JSON, with names and colours of the classes.

    Args:
        checkpoint: The model and its description.
        target: A file ending in ``.onnx``.
        overwrite: Replace a file that is there.

    Returns:
        The largest difference between logits of both.

    Raises:
        UsageError: when the name does not end in ``.onnx`` or a package is missing.
        StorageError: when the file is there already or cannot be written.
        CheckpointError: when the model cannot be exported or answers differently as ONNX.
    """
    check_export(target, overwrite=overwrite)
    import onnx

    model = checkpoint.build_model()
    meta = checkpoint.metadata
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "model.onnx"
        _write(model, meta.channels, draft)
        content = onnx.load(draft)
        entry = content.metadata_props.add()
        entry.key, entry.value = METADATA_KEY, meta.to_json()
        serialized = content.SerializeToString()
    difference = _compare(model, meta.channels, serialized)
    with atomic_write(target) as file:
        file.write(serialized)
    return difference


def check_export(target: Path, *, overwrite: bool) -> None:
    """Refuse an export that could not be written, before any work is done.

    Raises:
        UsageError: when the name does not end in ``.onnx`` or a package is missing.
        StorageError: when the file is there already.
    """
    if target.suffix.lower() != ".onnx":
        raise UsageError(f"{target}: an export ends in .onnx; choose such a name")
    if target.exists() and not overwrite:
        raise StorageError(f"{target}: is there already; choose another name, or overwrite it")
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"the package {error.name} is missing, which export needs; "
            "install it with: pip install 'segnet-res[onnx]'"
        ) from error


def _write(model: nn.Module, channels: int, target: Path) -> None:
    dynamic = torch.export.Dim.DYNAMIC
    try:
        with warnings.catch_warnings():
            # They speak of the exporter's own insides; what counts is compared below.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                model,
                # Two pictures: a batch of one would be taken for a constant.
                (torch.zeros(2, channels, 64, 96, dtype=torch.uint8),),
                target,
                input_names=["images"],
                output_names=["logits"],
                dynamo=True,
                dynamic_shapes={"images": {0: dynamic, 2: dynamic, 3: dynamic}},
                external_data=False,
                verbose=False,
            )
    except Exception as error:
        # The exporter raises all kinds of its own.
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"the model cannot be written as ONNX ({type(error).__name__}: {reason}); "
            "upgrade torch and onnxscript, or use the checkpoint as it is"
        ) from error


def _compare(model: nn.Module, channels: int, serialized: bytes) -> float:
    """Run both on the same pictures and return the largest difference of logits."""
    import onnxruntime

    session = onnxruntime.InferenceSession(serialized, providers=["CPUExecutionProvider"])
    pixels = different = 0
    largest = 0.0
    for count, height, width in _CHECKED_SIZES:
        images = _pictures(count, channels, height, width)
        with torch.inference_mode():
            expected = model(images).numpy()
        found: NDArray[Any] = session.run(None, {"images": images.numpy()})[0]
        if found.shape != expected.shape:
            raise CheckpointError(
                f"as ONNX the model answers {found.shape} instead of {expected.shape} on "
                f"{width}x{height} pixels; use the checkpoint as it is"
            )
        largest = max(largest, float(np.abs(found - expected).max()))
        different += int((found.argmax(1) != expected.argmax(1)).sum())
        pixels += count * height * width
    if different > max(1, pixels // _PIXELS_PER_DIFFERENCE):
        raise CheckpointError(
            f"as ONNX the model gives {different} of {pixels} pixels another label; "
            "nothing was written: upgrade torch and onnxscript, or use the checkpoint as it is"
        )
    return largest


def _pictures(count: int, channels: int, height: int, width: int) -> Tensor:
    """Return (N, channels, H, W) uint8 with smooth shapes and some noise, always the same."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, channels, height // 16 + 2, width // 16 + 2, generator=generator)
    smooth = F.interpolate(coarse, size=(height, width), mode="bilinear")
    noise = torch.rand(count, channels, height, width, generator=generator)
    return (220 * smooth + 35 * noise).to(torch.uint8)
