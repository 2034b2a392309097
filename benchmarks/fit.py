"""How fast networks fit a few pictures: what a network cannot even learn by heart, it cannot find.

    python benchmarks/fit.py data/tiles --out runs/fit

A few pictures of each defect of train, at half their size, are both training and validation;
``segnet-res train`` has so many steps to learn them by heart, with plain cross-entropy, without
augmentation and without an average of the weights. Scores on pictures that were trained on say
nothing of others. They say which connections let the training get on, in minutes on two cores where
`accuracy.py` takes days. A run that is finished is not run again.
"""

import argparse
import csv
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from measure import gflop, parameters, percent, write_measured, write_result

from segnet_res import SegmentationDataset
from segnet_res.checkpoint import Checkpoint
from segnet_res.classes import background
from segnet_res.data.dataset import save_info
from segnet_res.data.splits import write_splits
from segnet_res.data.storage import new_folder
from segnet_res.images import UInt8Array, write_image, write_mask
from segnet_res.models.names import RESIDUALS

RESULTS = Path(__file__).parent / "results" / "fit.json"
PAGE = Path(__file__).parents[1] / "docs" / "decisions" / "0017-logits-from-all-scales.md"

# Nearly all crops around a defect: the question is only how soon they are learnt.
COMMON = ("--loss", "cross-entropy", "--augment", "none", "--ema", "0", "--epochs", "1",
          "--batch", "8", "--crop", "128", "--scale", "1.2", "--rare", "0.9")  # fmt: skip
_LEAST_PIXELS = 100


def networks(size: str) -> dict[str, list[str]]:
    """Return the options of each network by the name of its row."""
    residual = ["--arch", f"ressegnet-{size}"]
    return {
        f"segnet-{size}": ["--arch", f"segnet-{size}"],
        f"ressegnet-{size} without pyramid": [*residual, "--no-pyramid"],
        f"ressegnet-{size}": residual,
        "smp:unet-resnet18": ["--arch", "smp:unet-resnet18"],
        **{
            f"ressegnet-{size}, {one} alone": [
                *residual, *(f"--no-{other}" for other in RESIDUALS if other != one)
            ]
            for one in RESIDUALS
        },
    }  # fmt: skip


def choose(source: SegmentationDataset, count: int, seed: int) -> list[int]:
    """Return places of so many pictures of each class but the background."""
    sound = background(source.class_map)
    shown: dict[int, list[int]] = {}
    for place in range(len(source)):
        pixels = np.bincount(source.read_labels(place).ravel(), minlength=256)
        for label in range(len(source.class_map)):
            if label != sound and pixels[label] >= _LEAST_PIXELS:
                shown.setdefault(label, []).append(place)
    rng = np.random.default_rng(seed)
    drawn = [rng.permutation(places)[:count].tolist() for places in shown.values()]
    return sorted({place for places in drawn for place in places})


def write_few(source: SegmentationDataset, places: list[int], target: Path) -> None:
    """Write a dataset of halved pictures, whose val is its train."""
    with new_folder(target) as folder:
        save_info(folder, source.info)
        for place in places:
            sample, stem = source[place], source.stems[place]
            for kind in ("images", "masks"):
                (folder / kind / stem).parent.mkdir(parents=True, exist_ok=True)
            write_image(folder / "images" / f"{stem}.png", _half(sample.image, cv2.INTER_AREA))
            labels = _half(sample.labels, cv2.INTER_NEAREST_EXACT)
            write_mask(folder / "masks" / f"{stem}.png", labels)
        stems = [source.stems[place] for place in places]
        write_splits(folder, {"train": stems, "val": stems})


def _half(array: UInt8Array, interpolation: int) -> UInt8Array:
    height, width = array.shape[0] // 2, array.shape[1] // 2
    half = cv2.resize(array, (width, height), interpolation=interpolation)
    # OpenCV drops the last axis of a grey picture.
    return np.asarray(half, np.uint8).reshape(height, width, *array.shape[2:])


def fit(data: Path, out: Path, options: list[str], steps: int, seed: int) -> dict[str, Any]:
    """Train one network, and return what it has learnt."""
    if not (out / "metrics.csv").exists():
        command = [sys.executable, "-m", "segnet_res", "train", str(data), "--out", str(out)]
        command += [*COMMON, "--steps", str(steps), "--seed", str(seed), *options]
        subprocess.run(command, check=True)
    with (out / "metrics.csv").open(newline="") as file:
        last = list(csv.DictReader(file))[-1]
    model = Checkpoint.load(out / "last.safetensors").build_model()
    return {
        "miou": float(last["miou"]),
        "loss": float(last["loss"]),
        "ious": {key[4:]: float(last[key]) for key in last if key.startswith("iou_") and last[key]},
        "parameters": parameters(model),
        "gflop_per_megapixel": gflop(model, model.channels),
    }


def table(result: dict[str, Any]) -> str:
    """Return what the decision shows."""
    names = list(next(iter(result["rows"].values()))["ious"])
    lines = [
        f"{result['pictures']} pictures of {result['data']}, at half their size, learnt by heart "
        f"for {result['steps']} steps of 8 crops of 128 pixels, seed {result['seed']}, "
        f"{result['machine']}; IoU on the same pictures:",
        "",
        f"| network | M parameters | GFLOP a megapixel | loss | mIoU | {' | '.join(names)} |",
        f"|---|---:|---:|---:|---:|{'---:|' * len(names)}",
    ]
    for name, row in result["rows"].items():
        ious = " | ".join(percent(row["ious"].get(one)) for one in names)
        lines.append(
            f"| {name} | {row['parameters'] / 1e6:.2f} | "
            f"{row['gflop_per_megapixel']:.1f} | {row['loss']:.3f} | "
            f"{percent(row['miou'])} | {ious} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path, help="dataset folder of magnetic-tile")
    parser.add_argument("--out", type=Path, default=Path("runs/fit"))
    parser.add_argument("--pictures", type=int, default=9, help="of each class")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--size", default="small")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, default=RESULTS, help="file to write")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    source = SegmentationDataset(arguments.dataset, "train")
    few = arguments.out / "few"
    if not few.exists():
        write_few(source, choose(source, arguments.pictures, arguments.seed), few)
    result = {
        "data": source.info.name,
        "pictures": len(SegmentationDataset(few, "train")),
        "steps": arguments.steps,
        "seed": arguments.seed,
        "machine": f"CPU ({platform.machine()}, {torch.get_num_threads()} threads)",
        "torch": torch.__version__,
        "rows": {
            name: fit(
                few,
                arguments.out / name.replace(":", "-").replace(" ", "-").replace(",", ""),
                options,
                arguments.steps,
                arguments.seed,
            )
            for name, options in networks(arguments.size).items()
        },
    }
    write_result(arguments.json, result)
    text = table(result)
    if arguments.json == RESULTS:
        write_measured(PAGE, __file__, text)
    print(text)


if __name__ == "__main__":
    main()
