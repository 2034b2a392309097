"""Max-pooling that remembers where each maximum was, and the way back, in two equal forms.

The indexed form is the fast one for torch. The marked form is made of operators that every runtime
has fast kernels for; an export uses it, by `portable`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segnet_res.models.base import SegmentationModel

# The first of equal maxima is kept, row by row, as `max_pool2d` does: it gets the highest rank.
_RANKS = ((4.0, 3.0), (2.0, 1.0))


def max_pool(features: Tensor) -> tuple[Tensor, Tensor]:
    """Take the maximum of each 2x2 window.

    Args:
        features: (N, C, H, W); an odd last row or column is dropped, as SegNet does.

    Returns:
        The maxima (N, C, H // 2, W // 2), and where each was: flat indices into H * W, int64.
    """
    return F.max_pool2d(features, kernel_size=2, stride=2, return_indices=True)


def max_unpool(pooled: Tensor, indices: Tensor, size: tuple[int, int]) -> Tensor:
    """Put each value back where its maximum was, zeros elsewhere.

    Bit-equal to `torch.nn.functional.max_unpool2d`, forward and backward, but a plain scatter: it
    compiles, exports to ONNX and runs in deterministic mode, which `max_unpool2d` does not.

    Args:
        pooled: (N, C, h, w).
        indices: (N, C, h, w) int64 from `max_pool`.
        size: (H, W) of the features before pooling.

    Returns:
        (N, C, H, W), of the type of ``pooled``, and like it with channels first or last in memory.
    """
    height, width = size
    n, channels = pooled.shape[:2]
    # Along the memory: across it, features and gradients would be copied into the other order.
    if pooled.is_contiguous(memory_format=torch.channels_last):
        pixels = pooled.new_zeros((n, height * width, channels))
        pixels.scatter_(1, _by_pixel(indices), _by_pixel(pooled))
        return pixels.view(n, height, width, channels).permute(0, 3, 1, 2)
    planes = pooled.new_zeros((n, channels, height * width))
    planes.scatter_(2, indices.flatten(2), pooled.flatten(2))
    return planes.view(n, channels, height, width)


def marked_pool(features: Tensor) -> tuple[Tensor, Tensor]:
    """Take the maximum of each 2x2 window, and mark it by ranks instead of indices.

    Args:
        features: (N, C, H, W), both even.

    Returns:
        The maxima (N, C, H / 2, W / 2), and marks (N, C, H, W) of the features' type: 0 below the
        maximum of the window, else 4, 3, 2, 1 by the place in it, so that of equal maxima the first
        has the highest mark.
    """
    pooled = F.max_pool2d(features, kernel_size=2)
    height, width = pooled.shape[-2:]
    ranks = torch.tensor(_RANKS, dtype=features.dtype, device=features.device)
    return pooled, (features >= _doubled(pooled)).to(features.dtype) * ranks.repeat(height, width)


def marked_unpool(pooled: Tensor, marks: Tensor, size: tuple[int, int]) -> Tensor:  # noqa: ARG001
    """Put each value back where its window has the highest mark, zeros elsewhere.

    Equal to `max_unpool` after `max_pool`, ties included.

    Args:
        pooled: (N, C, h, w), finite.
        marks: (N, C, 2 h, 2 w) from `marked_pool`.
        size: (H, W) of the features before pooling; here the marks tell it.

    Returns:
        (N, C, H, W), of the type of ``pooled``.
    """
    highest = marks >= _doubled(F.max_pool2d(marks, kernel_size=2))
    return _doubled(pooled) * highest.to(pooled.dtype)


@contextmanager
def portable(model: nn.Module) -> Iterator[None]:
    """Let a model pool and unpool by marks, as an export must; afterwards as before.

    Models that do not unpool stay as they are.
    """
    parts = [part for part in model.modules() if isinstance(part, SegmentationModel)]
    before = [part.portable for part in parts]
    for part in parts:
        part.portable = True
    try:
        yield
    finally:
        for part, flag in zip(parts, before, strict=True):
            part.portable = flag


def _by_pixel(features: Tensor) -> Tensor:
    """Return (N, C, h, w) as (N, h * w, C); no copy where channels come last in memory."""
    return features.permute(0, 2, 3, 1).flatten(1, 2)


def _doubled(features: Tensor) -> Tensor:
    """Return (N, C, 2 h, 2 w): each value four times."""
    return F.interpolate(features, scale_factor=2, mode="nearest")
