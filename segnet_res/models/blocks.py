"""The building block of encoder and decoder: a stage of 3x3 convolutions."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class ConvNorm(nn.Sequential):
    """Convolution without bias, then batch norm: the norm's own shift makes a bias idle."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 3) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.kernel_size = kernel_size


class Stage(nn.Module):
    """Several (3x3 convolution, batch norm, ReLU), optionally with a shortcut around them all.

    The shortcut joins before the last ReLU (He et al., "Deep residual learning", 2016); where the
    channels differ it is a 1x1 convolution with batch norm.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels after each convolution, one entry each.
        shortcut: Whether the input is added to the output.
    """

    def __init__(self, in_channels: int, out_channels: Sequence[int], *, shortcut: bool) -> None:
        super().__init__()
        widths = [in_channels, *out_channels]
        self.convs = nn.ModuleList(
            ConvNorm(widths[i], widths[i + 1]) for i in range(len(out_channels))
        )
        self.shortcut: nn.Module | None = None
        if shortcut:
            same = in_channels == widths[-1]
            self.shortcut = nn.Identity() if same else ConvNorm(in_channels, widths[-1], 1)

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels[-1], H, W)."""
        hidden = features
        for conv in self.convs[:-1]:
            hidden = torch.relu(conv(hidden))
        hidden = self.convs[-1](hidden)
        if self.shortcut is not None:
            hidden = hidden + self.shortcut(features)
        return torch.relu(hidden)
