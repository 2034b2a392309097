"""The fastest backend that answers like torch: tried once, remembered for the next time."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

from segnet_res.checkpoint import read_metadata
from segnet_res.errors import SegnetResError, UsageError
from segnet_res.exported import is_export
from segnet_res.inference.conversions import Choice, facts_of, keep, recall, workplace
from segnet_res.inference.runtime import Runtime

# The file that each backend reads, and the packages that write and run it.
_FILES = {"openvino": "model.xml", "onnxruntime": "model.onnx"}
_PACKAGES = {
    "openvino": ("openvino",),
    "onnxruntime": ("onnxruntime", "onnx", "onnxscript"),
}

# Which backends compute in a precision on a CPU, beside torch.
_ABLE = {"float32": ("openvino", "onnxruntime"), "bfloat16": ("openvino",), "float16": ()}

# Where none of these is there, no CUDA is: Linux, its subsystem on Windows, Jetson, Windows.
_CUDA = ("/dev/nvidiactl", "/dev/dxg", "/dev/nvhost-gpu", "/dev/nvgpu", "C:/Windows")

# Pictures that each backend segments while it is measured, after one that does not count.
_ROUNDS = 5


def recall_backend(path: Path, *, device: str, precision: str) -> Choice | None:
    """Return the backend that was chosen for a checkpoint earlier; imports no torch.

    Args:
        path: A ``.safetensors`` file.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
        precision: One of `segnet_res.inference.runtime.PRECISIONS`.

    Returns:
        None where nothing was chosen yet, or torch computes on a graphics card.
    """
    if not _on_cpu(device):
        return None
    try:
        return recall(facts_of(path, backend="auto", precision=precision))
    except OSError:
        return None


def prepare_backend(
    path: Path,
    *,
    device: str = "auto",
    precision: str = "float32",
    on_begin: Callable[[], None] | None = None,
) -> Choice:
    """Choose the fastest backend for a checkpoint, and remember it; takes a minute at most.

    Each installed backend gets the model, is compared with torch as an export is, and measured on
    the same picture in turns. Worth it before a long run; without it torch starts at once.

    Args:
        path: A ``.safetensors`` file, or an export, for which there is nothing to choose.
        device: See `recall_backend`.
        precision: See `recall_backend`.
        on_begin: Called before something is measured that takes its time.

    Returns:
        The choice; torch where no other backend is installed, fits or is faster.

    Raises:
        CheckpointError: when the file is no checkpoint or is damaged.
    """
    if is_export(path) or not _on_cpu(device) or not _candidates(precision):
        return Choice("torch")
    try:
        facts = facts_of(path, backend="auto", precision=precision)
    except OSError:
        # Whoever opens the checkpoint says so in a sentence.
        return Choice("torch")
    known = recall(facts)
    if known is not None:
        return known
    if on_begin is not None:
        on_begin()
    try:
        with workplace() as folder:
            return keep(facts, _choose(path, folder, precision))
    except OSError:
        # No cache, or no room: torch needs none.
        return Choice("torch")


@contextmanager
def converted(path: Path, backend: str, precision: str) -> Iterator[Path]:
    """Lend a checkpoint in the form that a backend reads; kept for the next time.

    Args:
        path: A ``.safetensors`` file.
        backend: ``onnxruntime`` or ``openvino``.
        precision: What it will compute in.

    Raises:
        UsageError: when a package is missing or the backend does not compute so.
        CheckpointError: when the checkpoint is damaged, cannot be converted, or gets other labels.
    """
    if backend not in _ABLE[precision]:
        able = [name for name, backends in _ABLE.items() if backend in backends]
        raise UsageError(
            f"precision {precision}: {backend} does not compute in it on a CPU; "
            f"choose {' or '.join(able)}"
        )
    # A file that is missing, or damaged, gets its own sentence.
    read_metadata(path)
    facts = facts_of(path, backend=backend, precision="float32")
    known = recall(facts)
    if known is not None and known.file is not None:
        yield known.file
        return
    with tempfile.TemporaryDirectory() as folder:
        file = _convert(path, Path(folder), backend)
        # Where it cannot be kept it is good for now.
        with suppress(OSError):
            file = keep(facts, Choice(backend, file)).file or file
        yield file


def _choose(path: Path, folder: Path, precision: str) -> Choice:
    from segnet_res.checkpoint import Checkpoint
    from segnet_res.inference.opening import open_export, open_torch

    runtimes: dict[str, Runtime] = {"torch": open_torch(path, device="cpu", precision=precision)[0]}
    refused = {}
    files: dict[str, Path | None] = {"torch": None}
    for backend in _candidates(precision):
        place = folder / backend
        place.mkdir()
        try:
            file = _convert(path, place, backend)
            runtimes[backend] = open_export(file, backend=backend, precision=precision)[0]
            files[backend] = file
        except SegnetResError as error:
            refused[backend] = str(error)
    channels = Checkpoint.load(path).metadata.channels
    seconds = _measure(runtimes, channels)
    fastest = min(seconds, key=lambda backend: seconds[backend])
    return Choice(fastest, files[fastest], seconds, refused)


def _convert(path: Path, folder: Path, backend: str) -> Path:
    """Write a checkpoint for a backend, and compare the labels."""
    # Imported here: this needs torch, and knowing what was chosen does not.
    from segnet_res.inference.export import export_checkpoint

    target = folder / _FILES[backend]
    export_checkpoint(path, target)
    return target


def _measure(runtimes: dict[str, Runtime], channels: int) -> dict[str, float]:
    """Return the seconds that one picture takes by each runtime, taking turns.

    The shortest of several: others may have work for the cores meanwhile.
    """
    from segnet_res.inference.export_parity import drawn_parts

    images = next(drawn_parts(3 if channels == 3 else 1)).images
    seconds: dict[str, list[float]] = {name: [] for name in runtimes}
    for _ in range(_ROUNDS + 1):
        for name, runtime in runtimes.items():
            start = time.perf_counter()
            runtime.decide(runtime.logits(images)[0])
            seconds[name].append(time.perf_counter() - start)
    return {name: min(times[1:]) for name, times in seconds.items()}


def _candidates(precision: str) -> list[str]:
    return [
        backend
        for backend in _ABLE[precision]
        if all(find_spec(package) for package in _PACKAGES[backend])
    ]


def _on_cpu(device: str) -> bool:
    """Tell whether a device's name means the CPU; torch is asked only where there may be CUDA."""
    if device != "auto":
        return device == "cpu"
    if not any(Path(path).exists() for path in _CUDA):
        return True
    from segnet_res.models import resolve_device

    return resolve_device("auto").type == "cpu"
