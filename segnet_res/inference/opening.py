"""From a file and the names of backend and device to what runs the model."""

from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from segnet_res.checkpoint import Metadata, read_metadata
from segnet_res.errors import SegnetResError, UsageError
from segnet_res.exported import IR, is_export, read_form
from segnet_res.inference.automatic import converted, recall_backend
from segnet_res.inference.exported_runtime import check_cpu
from segnet_res.inference.runtime import BACKENDS, Runtime


def open_runtime(
    path: Path, *, device: str, backend: str, precision: str
) -> tuple[Runtime, Metadata]:
    """Open a checkpoint or an export.

    Args:
        path: A ``.safetensors`` file, or an export.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
        backend: One of `BACKENDS`. ``auto`` is what `prepare_backend` chose earlier for this
            checkpoint, else torch; another one than torch gets a conversion, which is kept.
        precision: One of `PRECISIONS`.

    Raises:
        CheckpointError: when the file is none of ours or damaged.
        DeviceError: when the device is missing.
        UsageError: when backend or device are unknown or do not go together.
    """
    if backend not in BACKENDS:
        raise UsageError(f"backend {backend!r} is unknown; choose {', '.join(BACKENDS)}")
    if is_export(path):
        return open_export(path, device=device, backend=backend, precision=precision)
    if backend in ("onnxruntime", "openvino"):
        check_cpu(device, backend)
        with converted(path, backend, precision) as file:
            return open_export(file, backend=backend, precision=precision)
    if backend == "auto":
        choice = recall_backend(path, device=device, precision=precision)
        if choice is not None and choice.file is not None:
            # What was kept may have gone since: torch needs none of it.
            with suppress(SegnetResError):
                return open_export(choice.file, backend=choice.backend, precision=precision)
    return open_torch(path, device=device, precision=precision)


def open_export(
    path: Path, *, device: str = "cpu", backend: str = "auto", precision: str = "float32"
) -> tuple[Runtime, Metadata]:
    """Open an export; imports no torch.

    Args:
        path: An ``.onnx`` file, or an ``.xml`` with its ``.bin``.
        device: ``auto`` or ``cpu``.
        backend: ``auto``, ``openvino``, or for ``.onnx`` also ``onnxruntime``.
        precision: ``float32``, or with OpenVINO ``bfloat16``.

    Raises:
        CheckpointError: when the file is none of ours or damaged.
        DeviceError: when another device is asked for.
        UsageError: when the backend does not read the file or its package is missing.
    """
    chosen = _export_backend(path, backend, precision)
    check_cpu(device, chosen)
    metadata, form = read_metadata(path), read_form(path)
    if chosen == "openvino":
        from segnet_res.inference.openvino_runtime import OpenVinoRuntime

        return OpenVinoRuntime(path, metadata, form, precision=precision), metadata
    from segnet_res.inference.onnx_runtime import OnnxRuntime

    return OnnxRuntime(path, metadata, form, precision=precision), metadata


def _export_backend(path: Path, backend: str, precision: str) -> str:
    readers = ("openvino",) if path.suffix.lower() == IR else ("onnxruntime", "openvino")
    if backend != "auto":
        if backend not in readers:
            raise UsageError(
                f"{path.name}: is an export, which {backend} does not read; "
                f"choose the backend auto or {' or '.join(readers)}"
            )
        return backend
    if precision != "float32":
        return "openvino"
    # Where none is installed, the first names the missing package.
    return next((name for name in readers if find_spec(name)), readers[0])


def open_torch(path: Path, *, device: str, precision: str) -> tuple[Runtime, Metadata]:
    """Open a checkpoint by torch; arguments and errors are those of `open_runtime`."""
    # Imported here: an export is segmented without torch.
    from segnet_res.checkpoint import Checkpoint
    from segnet_res.inference.torch_runtime import TorchRuntime
    from segnet_res.models import resolve_device

    place = resolve_device(device)
    checkpoint = Checkpoint.load(path)
    return TorchRuntime.of_checkpoint(checkpoint, place, precision=precision), checkpoint.metadata
