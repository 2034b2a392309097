"""Max-pooling that remembers where each maximum was, and the way back."""

import torch
import torch.nn.functional as F
from torch import Tensor


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
        (N, C, H, W), of the type of ``pooled``.
    """
    height, width = size
    n, channels = pooled.shape[:2]
    flat = torch.zeros(
        (n, channels, height * width), dtype=pooled.dtype, device=pooled.device
    ).scatter(2, indices.flatten(2), pooled.flatten(2))
    return flat.view(n, channels, height, width)
