"""Models of segmentation-models-pytorch behind the same interface."""

from collections.abc import Sequence

import segmentation_models_pytorch as smp
import torch
from torch import Tensor

from segnet_res.errors import UsageError
from segnet_res.models.base import STRIDE, SegmentationModel
from segnet_res.models.names import SMP_PREFIX


class PeerModel(SegmentationModel):
    """A model of segmentation-models-pytorch, from scratch.

    Args:
        name: ``<decoder>-<encoder>`` in smp's own names, such as ``unet-resnet18``.
        num_classes: Channels of the logits.
        channels: 3 (RGB) or 1 (grey) pictures.
        mean: See `SegmentationModel`.
        std: See `SegmentationModel`.

    Raises:
        UsageError: when smp knows no such decoder or encoder.
    """

    def __init__(
        self,
        name: str,
        *,
        num_classes: int,
        channels: int = 3,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> None:
        super().__init__(channels, mean, std)
        decoder, _, encoder = name.partition("-")
        try:
            self.network = smp.create_model(
                decoder,
                encoder_name=encoder,
                # Weights from the hub would be an outside request that nobody asked for.
                encoder_weights=None,
                in_channels=channels,
                classes=num_classes,
            )
            # Some take one size only, or none so small; here every size is met.
            with torch.no_grad():
                self.network.eval()(torch.zeros(1, channels, STRIDE, STRIDE))
            self.network.train()
        except (AssertionError, KeyError, ValueError, RuntimeError) as error:
            reason = str(error.args[0] if error.args else error).split(". ")[0]
            raise UsageError(
                f"{SMP_PREFIX}{name}: smp cannot build this model ({reason[:200]}); "
                "write smp:<decoder>-<encoder>, such as smp:unet-resnet18"
            ) from error

    def logits(self, pixels: Tensor) -> Tensor:
        """Map (N, channels, H, W), multiples of 32, to (N, num_classes, H, W)."""
        logits: Tensor = self.network(pixels)
        return logits
