"""What the benchmarks share: scores, size and operations of a model, writing of results."""

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.flop_counter import FlopCounterMode

from segnet_res import SegmentationDataset, Segmenter
from segnet_res.assessment import assess
from segnet_res.data import part_groups
from segnet_res.evaluation import evaluate_pictures
from segnet_res.images import atomic_write


def confusions(segmenter: Segmenter, dataset: SegmentationDataset) -> NDArray[np.int64]:
    """Return the confusion matrix of each picture, (pictures, C, C), row = truth."""
    return np.stack([score.counts for score in evaluate_pictures(segmenter, dataset)])


def scores(counts: NDArray[np.int64], dataset: SegmentationDataset) -> dict[str, Any]:
    """Return mIoU and IoU of each class with intervals over parts, overkill and escape."""
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


def peak_of(command: list[str]) -> tuple[int, float]:
    """Run a command; returns the most bytes it held, and its seconds."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    status, peak = Path(f"/proc/{process.pid}/status"), 0
    while process.poll() is None:
        # Rises only; the last look is at most a tenth of a second before the end.
        lines = status.read_text().splitlines()
        found = [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
        peak = max(peak, *found) if found else peak
        time.sleep(0.1)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return 1024 * peak, time.perf_counter() - began


def write_result(path: Path, result: dict[str, Any]) -> None:
    """Write what was measured as JSON."""
    with atomic_write(path) as file:
        file.write(json.dumps(result, indent=1).encode() + b"\n")


def marks(script: str) -> tuple[str, str]:
    """Return the lines of a page between which a script writes; it is named by its ``__file__``."""
    name = Path(script).name
    return f"<!-- measured: begin (benchmarks/{name}) -->", "<!-- measured: end -->"


def write_measured(page: Path, script: str, text: str) -> None:
    """Put a text between the marker lines of a page, in place of what an earlier run put there.

    Args:
        page: A Markdown file with the lines of `marks`.
        script: See `marks`.
        text: What it has to say.
    """
    begin, end = marks(script)
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise SystemExit(f"{page} needs these two lines, in this order:\n{begin}\n{end}")
    with atomic_write(page) as file:
        file.write(f"{before}{begin}\n\n{text}\n\n{end}{after}".encode())


def percent(value: float | None) -> str:
    """Write a share for a table."""
    return "n/a" if value is None else f"{100 * value:.1f} %"
