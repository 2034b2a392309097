"""What the benchmarks share: scores with intervals, size and operations of a model."""

import platform
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.flop_counter import FlopCounterMode

from segnet_res import ConfusionMatrix, SegmentationDataset, Segmenter
from segnet_res.data.tiles import tile_groups

RESAMPLES = 2000
# A picture is called defective when this many pixels are: a speck of fewer is noise.
SMALLEST = 25


def confusions(segmenter: Segmenter, dataset: SegmentationDataset) -> NDArray[np.int64]:
    """Return the confusion matrix of each picture, (pictures, C, C), row = truth."""
    counts = []
    for i in range(len(dataset)):
        sample = dataset[i]
        matrix = ConfusionMatrix(dataset.class_map)
        matrix.update(sample.labels, segmenter.predict(sample.image).labels)
        counts.append(matrix.counts)
    return np.stack(counts)


def ious(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the IoU of each class of (..., C, C) counts; NaN where a class does not occur."""
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    union = counts.sum(-1) + counts.sum(-2) - hits
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(union > 0, hits / union, np.nan)


def interval(values: NDArray[np.float64]) -> list[float]:
    """Return the 2.5 and 97.5 percentiles of the values that are numbers."""
    return [float(v) for v in np.nanpercentile(values, [2.5, 97.5])]


def scores(counts: NDArray[np.int64], dataset: SegmentationDataset) -> dict[str, Any]:
    """Return mIoU and IoU of each class with bootstrap intervals, overkill and escape."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(counts), (RESAMPLES, len(counts)))
    resampled = ious(np.stack([counts[chosen].sum(0) for chosen in drawn]))
    each = ious(counts.sum(0))
    present = counts.sum(2) > 0  # (pictures, C)
    parts = np.array(list(tile_groups(dataset.stems).values()))
    defective = counts[:, 1:, :].sum((1, 2)) > 0
    called = counts[:, :, 1:].sum((1, 2)) >= SMALLEST
    return {
        "pictures": len(counts),
        "parts": len(set(parts)),
        "miou": float(np.nanmean(each)),
        "miou_interval": interval(np.nanmean(resampled, axis=1)),
        "classes": [
            {
                "name": name,
                "iou": None if np.isnan(each[i]) else float(each[i]),
                "interval": None if np.isnan(each[i]) else interval(resampled[:, i]),
                "pictures": int(present[:, i].sum()),
                "parts": len(set(parts[present[:, i]])),
                "pixels": int(counts[:, i].sum()),
            }
            for i, name in enumerate(dataset.class_map.names)
        ],
        "overkill": float(called[~defective].mean()) if (~defective).any() else None,
        "escape": float((~called[defective]).mean()) if defective.any() else None,
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


def machine(device: torch.device) -> str:
    """Name what computed."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"


def percent(value: float | None) -> str:
    """Write a share for a table."""
    return "n/a" if value is None else f"{100 * value:.1f} %"
