"""What the benchmarks share: scores with intervals, size and operations of a model."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.flop_counter import FlopCounterMode

from segnet_res import SegmentationDataset, Segmenter
from segnet_res.assessment import assess
from segnet_res.data import part_groups
from segnet_res.evaluation import evaluate_pictures


def confusions(segmenter: Segmenter, dataset: SegmentationDataset) -> NDArray[np.int64]:
    """Return the confusion matrix of each picture, (pictures, C, C), row = truth."""
    return np.stack([score.counts for score in evaluate_pictures(segmenter, dataset)])


def scores(counts: NDArray[np.int64], dataset: SegmentationDataset) -> dict[str, Any]:
    """Return mIoU and IoU of each class with bootstrap intervals, overkill and escape."""
    result = assess(counts, list(part_groups(dataset).values()), dataset.class_map)
    return {
        "pictures": result.pictures,
        "parts": result.parts,
        "miou": result.miou,
        "miou_interval": result.interval,
        "classes": [
            {
                "name": score.name,
                "iou": score.iou,
                "interval": score.interval,
                "pictures": score.pictures,
                "parts": score.parts,
                "pixels": score.pixels,
            }
            for score in result.classes
        ],
        "overkill": result.overkill.value,
        "escape": result.escape.value,
    }


def parameters(model: torch.nn.Module) -> int:
    """Return the number of parameters."""
    return sum(p.numel() for p in model.parameters())


@torch.no_grad()
def gflop(model: torch.nn.Module, channels: int) -> float:
    """Return the operations for a megapixel in units of 10^9, counted on 256x256 pixels."""
    device = next(model.parameters()).device
    with FlopCounterMode(display=False) as counter:
        model.eval()(torch.zeros(1, channels, 256, 256, device=device))
    return counter.get_total_flops() / 1e9 / (256 * 256 / 1e6)


def percent(value: float | None) -> str:
    """Write a share for a table."""
    return "n/a" if value is None else f"{100 * value:.1f} %"
