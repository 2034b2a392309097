"""Optimiser, learning-rate schedule, moving average, and how a device computes best."""

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn

from segnet_res.recipe import TrainConfig

# Of the polynomial decay, as DeepLab and many since have it.
_POWER = 0.9

# Training batches that the batch-norm statistics of the averaged weights are measured on.
NORM_BATCHES = 20


def build_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """Return AdamW; weight decay acts on kernels, not on biases and batch norms."""
    kernels = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    return torch.optim.AdamW(
        [
            {"params": kernels, "weight_decay": config.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ],
        lr=config.lr,
    )


def learning_rate(config: TrainConfig, step: int, steps: int) -> float:
    """Return the learning rate of a step: a linear warm-up, then a fall to 0.

    >>> config = TrainConfig(lr=1.0, warmup=0.5, schedule="cosine")
    >>> [round(learning_rate(config, step, 4), 3) for step in range(4)]
    [0.5, 1.0, 1.0, 0.5]
    """
    warm = round(config.warmup * steps)
    if step < warm:
        return config.lr * (step + 1) / warm
    done = (step - warm) / max(1, steps - warm)
    if config.schedule == "cosine":
        return config.lr * (1 + math.cos(math.pi * done)) / 2
    return config.lr * float((1 - done) ** _POWER)


def build_average(model: nn.Module, decay: float) -> AveragedModel:
    """Return the exponential moving average of a model's weights.

    A model of its own, whose ``module`` predicts after `refresh_norms`; decay 0 follows the model
    at once.
    """
    return AveragedModel(model, multi_avg_fn=_averaging(decay))


def _averaging(decay: float) -> Callable[..., None]:
    averaging: Callable[..., None] = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    return averaging


def update_average(average: AveragedModel, model: nn.Module, decay: float, step: int) -> None:
    """Take one step of the moving average.

    The decay is shortened at the start, as TensorFlow's moving average does: 0.998 from the first
    step on would carry the random weights through the first thousand steps.
    """
    now = min(decay, (1 + step) / (10 + step)) if decay else 0.0
    average.multi_avg_fn = _averaging(now)
    average.update_parameters(model)


def refresh_norms(average: AveragedModel, batches: Iterable[Tensor], device: torch.device) -> None:
    """Measure the batch-norm statistics of the averaged weights.

    Averaging the statistics instead would not do: averaged weights give smaller activations than
    any of the weights that were averaged, and the norms would shrink them once more at each layer.

    Args:
        average: Its ``module`` gets the statistics.
        batches: (N, channels, H, W) uint8 pictures of the training.
        device: Where the model is.
    """
    pictures = (batch.to(device, memory_format=torch.channels_last) for batch in batches)
    update_bn(pictures, average.module)


def fast_in_bfloat16(device: torch.device) -> bool:
    """Tell whether a device computes in bfloat16 faster than in float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # Without the instructions, bfloat16 on the CPU is emulated and slower. torch offers no public
    # way to ask before 2.10.
    ask = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(ask and ask())
