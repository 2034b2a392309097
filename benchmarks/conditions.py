"""Measure how often a checkpoint's known conditions raise an alarm: on sound pictures and others.

    python benchmarks/conditions.py benchmarks/held_out/magnetic-tile.safetensors data/tiles

Reads the validation pictures as they are, and changed by lens, light and camera, and writes
``benchmarks/results/<name>-conditions.json`` and the table of docs/batch-report.md: how many
pictures are told of by themselves, what is said of the whole run, and what measuring costs beside
the model.
"""

import argparse
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from measure import percent, write_measured, write_result

from segnet_res import SegmentationDataset, Segmenter
from segnet_res.checkpoint import read_metadata, short_hash
from segnet_res.conditions import (
    FolderConditions,
    KnownConditions,
    judge_conditions,
    measure,
)
from segnet_res.images import UInt8Array, read_image

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[1] / "docs" / "batch-report.md"
# The model runs on so many pictures only.
TIMED = 20

NOISE = np.random.default_rng(0)

CHANGES: dict[str, Callable[[UInt8Array], UInt8Array]] = {
    "as it is": lambda image: image,
    "blurred, sigma 0.7": lambda image: _like(image, cv2.GaussianBlur(image, (0, 0), 0.7)),
    "blurred, sigma 1": lambda image: _like(image, cv2.GaussianBlur(image, (0, 0), 1)),
    "moved by 5 pixels": lambda image: _like(image, cv2.blur(image, (5, 1))),
    "half the light": lambda image: _clipped(0.5 * image),
    "1.5 times the light": lambda image: _clipped(1.5 * image),
    "noise of 5 levels": lambda image: _clipped(image + NOISE.normal(0, 5, image.shape)),
    "noise of 10 levels": lambda image: _clipped(image + NOISE.normal(0, 10, image.shape)),
    "twice as large": lambda image: _like(image, cv2.resize(image, None, fx=2, fy=2)),
}


def alarms(
    images: list[UInt8Array], known: KnownConditions, change: Callable[[UInt8Array], UInt8Array]
) -> dict[str, Any]:
    """Return what is said of the changed pictures one by one, and of all together."""
    run, told = FolderConditions(), 0
    for image in images:
        measured = measure(change(image))
        run.add(measured)
        told += bool(judge_conditions(measured, known))
    return {"pictures": len(images), "told_of": told, "of_the_run": run.judge(known)}


def cost(images: list[UInt8Array], segmenter: Segmenter) -> dict[str, float]:
    """Return the time of measuring as a share of the model's, picture by picture in turn."""
    shares, seconds = [], []
    segmenter.predict(images[0])
    for image in images[:: max(1, len(images) // TIMED)]:
        start = time.perf_counter()
        measure(image)
        middle = time.perf_counter()
        segmenter.predict(image)
        seconds.append((middle - start) / (image.shape[0] * image.shape[1]))
        shares.append((middle - start) / (time.perf_counter() - middle))
    return {
        "share_of_model": float(np.median(shares)),
        "nanoseconds_per_pixel": float(1e9 * np.median(seconds)),
    }


def table(result: dict[str, Any]) -> str:
    """Return a result as Markdown."""
    lines = ["| pictures | told of one by one | said of the run |", "|---|---:|---|"]
    for name, found in result["changes"].items():
        said = ", ".join(map(_in_short, found["of_the_run"])) or "nothing"
        lines.append(f"| {name} | {found['told_of']} of {found['pictures']} | {said} |")
    share = percent(result["cost"]["share_of_model"])
    lines += ["", f"Measuring takes {share} of the time of the model ({result['machine']})."]
    return "\n".join(lines)


def _in_short(sentence: str) -> str:
    """Return what is how of a sentence about a run: "sharpness lower"."""
    words = re.match(r"(\w+).*?\b(lower|higher)\b", sentence)
    return " ".join(words.groups()) if words else sentence.partition(":")[0]


def _like(image: UInt8Array, changed: Any) -> UInt8Array:  # noqa: ANN401
    # OpenCV drops the axis of a single channel.
    return np.asarray(changed, np.uint8).reshape(*changed.shape[:2], image.shape[2])


def _clipped(values: np.ndarray) -> UInt8Array:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--split", default="val")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--backend", default="torch")
    arguments = parser.parse_args()
    known = read_metadata(arguments.checkpoint).conditions
    if known is None:
        parser.error(f"{arguments.checkpoint} knows no conditions; see scripts/add_conditions.py")
    dataset = SegmentationDataset(arguments.dataset, arguments.split)
    images = [read_image(dataset.image_path(i), dataset.channels) for i in range(len(dataset))]
    segmenter = Segmenter.from_checkpoint(arguments.checkpoint, arguments.device, arguments.backend)
    result = {
        "checkpoint": arguments.checkpoint.name,
        "hash": short_hash(arguments.checkpoint),
        "data": dataset.info.name,
        "split": arguments.split,
        "known": known.pictures,
        "changes": {name: alarms(images, known, change) for name, change in CHANGES.items()},
        "cost": {"backend": segmenter.backend} | cost(images, segmenter),
        "machine": segmenter.device,
    }
    print(table(result))
    write_result(RESULTS / f"{arguments.checkpoint.stem}-conditions.json", result)
    write_measured(PAGE, __file__, table(result))


if __name__ == "__main__":
    main()
