"""From a file and the names of backend and device to what runs the model."""

from pathlib import Path

from segnet_res.checkpoint import Metadata
from segnet_res.errors import UsageError
from segnet_res.inference.runtime import BACKENDS, Runtime


def open_runtime(
    path: Path, *, device: str, backend: str, precision: str
) -> tuple[Runtime, Metadata]:
    """Open a checkpoint or an export.

    Args:
        path: A ``.safetensors`` file.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
        backend: One of `BACKENDS`.
        precision: One of `PRECISIONS`.

    Raises:
        CheckpointError: when the file is none of ours or damaged.
        DeviceError: when the device is missing.
        UsageError: when backend or device are unknown or do not go together.
    """
    if backend not in BACKENDS:
        raise UsageError(f"backend {backend!r} is unknown; choose {', '.join(BACKENDS)}")
    return _open_torch(path, device=device, precision=precision)


def _open_torch(path: Path, *, device: str, precision: str) -> tuple[Runtime, Metadata]:
    # Imported here: an export is segmented without torch.
    from segnet_res.checkpoint import Checkpoint
    from segnet_res.inference.torch_runtime import TorchRuntime
    from segnet_res.models import resolve_device

    place = resolve_device(device)
    checkpoint = Checkpoint.load(path)
    return TorchRuntime.of_checkpoint(checkpoint, place, precision=precision), checkpoint.metadata
