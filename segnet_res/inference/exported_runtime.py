"""What the runtimes of exports share: pixels in as the file wants them, logits out."""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnet_res.checkpoint import Metadata
from segnet_res.errors import CheckpointError, DeviceError, SegnetResError, UsageError
from segnet_res.exported import Form
from segnet_res.images import UInt8Array
from segnet_res.inference.runtime import Mirror, NumpyRuntime

# What the libraries' errors say when memory runs out.
_OUT_OF_MEMORY = ("allocate", "allocation", "bad_alloc", "out of memory", "not enough memory")

# The smallest positive probability: the logarithm of none would be no number.
_LEAST = np.finfo(np.float32).tiny


class ExportedRuntime(NumpyRuntime):
    """A model from a file; see `segnet_res.inference.runtime.Runtime` for the methods.

    Args:
        path: The file, for messages.
        metadata: What it says about the checkpoint.
        form: What it says about itself.
    """

    backend: str
    device: str
    precision: str

    def __init__(self, path: Path, metadata: Metadata, form: Form) -> None:
        self.name = path.name
        self.form = form
        self.classes = len(metadata.class_map)
        self._mean = np.array(metadata.mean, np.float32)[:, None, None]
        self._std = np.array(metadata.std, np.float32)[:, None, None]

    @abstractmethod
    def run(self, pixels: NDArray[Any]) -> Sequence[NDArray[Any]]:
        """Return the outputs of the network, in order, each the caller's own.

        Args:
            pixels: (N, channels, H, W), uint8, or normalised float32, as the file wants them.
        """

    def logits(self, images: UInt8Array, mirror: Mirror = ()) -> NDArray[np.float32]:
        """See `Runtime`; of a file that gives labels, logits that give the same ones again.

        Raises:
            UsageError: when a file that gives labels is asked about a mirror image.
            CheckpointError: when the network cannot be run.
            DeviceError: when memory runs out.
        """
        if mirror and self.form.labels:
            raise UsageError(
                f"{self.name}: gives labels, which cannot be averaged over mirror images; "
                "do without them, or export it without --argmax"
            )
        turned = np.flip(images, mirror) if mirror else images
        pixels: NDArray[Any] = np.ascontiguousarray(turned.transpose(0, 3, 1, 2))
        if not self.form.normalised:
            pixels = (pixels - self._mean) / self._std
        try:
            outputs = self.run(pixels)
        except Exception as error:
            # The libraries raise all kinds of their own.
            raise self._reason(error, images) from error
        logits = self._spread(*outputs) if self.form.labels else outputs[0]
        # The axes of the picture stand one place further back here, after the channels.
        axes = tuple(axis + 1 for axis in mirror)
        return np.ascontiguousarray(np.flip(logits, axes)) if axes else logits

    def _spread(self, labels: UInt8Array, confidence: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return logits (N, C, H, W) that give these labels and this confidence again.

        What the winner leaves is spread over the others evenly: the file does not tell better.
        """
        sure = np.log(np.clip(confidence, 1 / self.classes, 1))
        left = np.maximum(1 - confidence, _LEAST) / max(1, self.classes - 1)
        # Below the winner even where rounding says otherwise.
        others = np.minimum(np.log(left), np.nextafter(sure, np.float32(-np.inf)))
        logits = np.repeat(others[:, None], self.classes, axis=1)
        np.put_along_axis(logits, labels[:, None].astype(np.intp), sure[:, None], axis=1)
        return logits

    def _reason(self, error: Exception, images: UInt8Array) -> SegnetResError:
        height, width = images.shape[1:3]
        text = " ".join(str(error).split())
        if isinstance(error, MemoryError) or any(part in text for part in _OUT_OF_MEMORY):
            return DeviceError(f"cpu: memory ran out on {width}x{height} pixels; use smaller tiles")
        return CheckpointError(
            f"{self.name}: {self.backend} cannot run it ({text[:200]}); use the checkpoint "
            "as it is, or export it again"
        )


def missing_package(error: ImportError, *, purpose: str, extra: str) -> UsageError:
    """Return the error that names a missing package and how to install it."""
    return UsageError(
        f"the package {error.name} is missing, which {purpose} needs; "
        f"install it with: pip install 'segnet-res[{extra}]'"
    )


def check_cpu(device: str, backend: str) -> None:
    """Refuse a device that exports are not run on.

    Raises:
        UsageError: when the name is no device's.
        DeviceError: when it is not the CPU.
    """
    if device in ("auto", "cpu"):
        return
    if device.partition(":")[0] != "cuda":
        raise UsageError(f"device {device!r} is unknown; choose auto, cpu, cuda or cuda:0")
    raise DeviceError(
        f"device {device}: {backend} runs on the CPU here; use --device cpu, or a .safetensors "
        "checkpoint with the backend torch"
    )
