"""Models run by torch, on the CPU or by CUDA."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from segnet_res.checkpoint import Checkpoint
from segnet_res.errors import DeviceError
from segnet_res.images import UInt8Array
from segnet_res.inference.runtime import Mirror
from segnet_res.models import describe_device, fold_batch_norms, is_out_of_memory

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

# From the axes of (N, H, W, channels) to those of (N, channels, H, W).
_AXES = {1: 2, 2: 3}


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model into evaluation mode and give every part its own mode back afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


class TorchRuntime:
    """Runs a module; see `segnet_res.inference.runtime.Runtime` for the methods.

    Args:
        model: Gives (N, C, H, W) logits of (N, channels, H, W) pixels of 0 to 255; moved to
            ``place``; its training mode is the same after each call.
        place: Where it computes.
        precision: ``float32``, or ``bfloat16`` or ``float16``: faster on CUDA, and labels may
            differ at borders.
    """

    backend = "torch"

    def __init__(
        self, model: nn.Module, place: torch.device, *, precision: str = "float32"
    ) -> None:
        self.model = model.to(place)
        self.place = place
        self.device = describe_device(place)
        self.precision = precision

    @classmethod
    def of_checkpoint(
        cls, checkpoint: Checkpoint, place: torch.device, *, precision: str = "float32"
    ) -> "TorchRuntime":
        """Build the model of a checkpoint in the form that runs fastest.

        Raises:
            CheckpointError: when the weights do not fit the architecture that is named.
        """
        model = fold_batch_norms(checkpoint.build_model()).to(memory_format=torch.channels_last)
        return cls(model, place, precision=precision)

    def logits(self, images: UInt8Array, mirror: Mirror = ()) -> Tensor:
        """See `Runtime`."""
        axes = [_AXES[axis] for axis in mirror]
        autocast = torch.autocast(
            self.place.type,
            dtype=_DTYPES[self.precision] if self.precision != "float32" else None,
            enabled=self.precision != "float32",
        )
        # Rows, columns, channels in memory is channels_last already.
        pixels = torch.from_numpy(np.require(images, requirements=["C", "W"]))
        pixels = pixels.to(self.place).permute(0, 3, 1, 2)
        try:
            with evaluating(self.model), torch.no_grad(), autocast:
                logits: Tensor = self.model(pixels.flip(axes) if axes else pixels).float()
                return logits.flip(axes) if axes else logits
        except RuntimeError as error:
            if is_out_of_memory(error):
                height, width = images.shape[1:3]
                raise DeviceError(
                    f"{self.place}: memory ran out on {width}x{height} pixels; "
                    "use smaller tiles or the device cpu"
                ) from error
            raise

    def values(self, array: NDArray[np.float32]) -> Tensor:
        """See `Runtime`."""
        return torch.from_numpy(array).to(self.place)

    def copy(self, values: Tensor) -> Tensor:
        """See `Runtime`."""
        return values.clone()

    @torch.no_grad()
    def decide(self, logits: Tensor) -> tuple[UInt8Array, NDArray[np.float32]]:
        """See `Runtime`."""
        labels = logits.argmax(dim=0).to(torch.uint8)
        confidence = (logits.amax(dim=0) - logits.logsumexp(dim=0)).exp()
        return labels.cpu().numpy(), confidence.cpu().numpy()

    def numpy(self, values: Tensor) -> NDArray[np.float32]:
        """See `Runtime`."""
        array: NDArray[np.float32] = values.cpu().numpy()
        return array
