"""What every model here has in common: raw pixels in, logits of the same size out."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Five poolings: a height and width that are multiples of this lose nothing on the way down.
STRIDE = 32


class SegmentationModel(nn.Module):
    """Normalises the pixels, pads to a multiple of `STRIDE`, and cuts the logits back to size.

    Mean and standard deviation are buffers, so that a model carries the normalisation that it was
    trained with, and nobody can forget it.

    Args:
        channels: 3 (RGB) or 1 (grey).
        mean: Mean of each channel in units of 0 to 255; None: 127.5.
        std: Standard deviation of each channel in units of 0 to 255; None: 64.

    Attributes:
        portable: Whether the model computes in a form that all runtimes are fast at: the same
            logits, slower in torch. Switched by `segnet_res.models.portable` alone.
    """

    portable: bool = False
    mean: Tensor
    std: Tensor

    def __init__(
        self,
        channels: int,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.channels = channels
        mean = [127.5] * channels if mean is None else mean
        std = [64.0] * channels if std is None else std
        self.register_buffer(
            "mean", torch.tensor(mean, dtype=torch.float32).view(1, channels, 1, 1)
        )
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, channels, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of each pixel.

        Args:
            images: (N, channels, H, W), uint8 or float, values 0 to 255; any H and W from 1.

        Returns:
            (N, num_classes, H, W) float32.
        """
        return self.of_normalised((images.float() - self.mean) / self.std)

    def of_normalised(self, pixels: Tensor) -> Tensor:
        """Return the logits of pixels whose mean and standard deviation are taken care of.

        Args:
            pixels: (N, channels, H, W) float32; any H and W from 1.

        Returns:
            (N, num_classes, H, W) float32.
        """
        height, width = pixels.shape[-2:]
        # Repeating the border keeps it free of edges that are not in the picture.
        pixels = F.pad(pixels, (0, -width % STRIDE, 0, -height % STRIDE), mode="replicate")
        return self.logits(pixels)[..., :height, :width].float()

    def logits(self, pixels: Tensor) -> Tensor:
        """Return (N, num_classes, H, W) of normalised pixels whose H and W are fit."""
        raise NotImplementedError
