"""Measure the order of the queue: how soon do the pictures come that the model gets wrong?

    python benchmarks/queue_order.py benchmarks/held_out/magnetic-tile.safetensors data/tiles

Ranks the pictures of a split that was not trained on, knowing those of train, and compares the
order with the masks, by the score, without its newness, and by each other term alone: which share
of all wrong pixels lies in the first tenth, quarter and half of the pictures; and, because a few
pictures hold most of these, which share of the worst pictures does, those of the quarter that is
wrong on most of its area.
Pixels of classes that the checkpoint does not know are always wrong. Near-copies are not left out
here, so that the orders are of the same pictures. Writes results/queue-<checkpoint>.json, and the
tables of docs/retraining.md from all of these.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from measure import percent, write_measured, write_result
from numpy.typing import NDArray

from segnet_res import SegmentationDataset, Segmenter
from segnet_res.checkpoint import checkpoint_name, digest, short_hash
from segnet_res.classes import ClassMap
from segnet_res.images import UInt8Array
from segnet_res.retraining.queue import FORMULA, WEIGHTS, Measured, Ranking
from segnet_res.retraining.queue_cache import QueueCache, default_cache
from segnet_res.retraining.queue_known import Known, learn

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[1] / "docs" / "retraining.md"

SHARES = (0.1, 0.25, 0.5)
WORST = 0.25

# Each order by what it sorts by; higher comes first. Newness alone is 0 for most pictures of such
# a split, and would tell the order of the files.
ORDERS: dict[str, Callable[[Measured], float]] = {
    "score": lambda one: one.score,
    "score without newness": lambda one: one.score - WEIGHTS["newness"] * one.terms["newness"],
    "entropy alone": lambda one: one.terms["entropy"],
    "disagreement alone": lambda one: one.terms["disagreement"],
}


def wrong_pixels(labels: UInt8Array, truth: UInt8Array, known: ClassMap, mine: ClassMap) -> int:
    """Count the labelled pixels that are called otherwise; both (H, W) uint8, classes by name."""
    names = np.array([*known.names, ""])
    table = np.full(256, len(known))
    table[: len(known)] = np.arange(len(known))
    said = names[table[labels]]
    meant = np.array([*mine.names, *[""] * (256 - len(mine))])[truth]
    return int(((said != meant) & (truth != mine.ignore_index)).sum())


def found_early(order: Sequence[int], amounts: NDArray[np.float64]) -> list[float]:
    """Return which share of the amounts lies in the first `SHARES` of an order."""
    found = np.cumsum(amounts[list(order)]) / max(1.0, float(amounts.sum()))
    return [float(found[max(1, round(share * len(found))) - 1]) for share in SHARES]


def worst(areas: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 for the pictures that are wrong on most of their area, 0 for the others."""
    chosen = np.zeros(len(areas))
    chosen[np.argsort(-areas)[: round(WORST * len(areas))]] = 1
    return chosen


def run(checkpoint: Path, root: Path, split: str) -> dict[str, Any]:
    """Return all that was measured."""
    segmenter = Segmenter.from_checkpoint(checkpoint)
    dataset = SegmentationDataset(root, split)
    assert segmenter.metadata is not None
    with QueueCache(default_cache()) as cache:
        trained = set(SegmentationDataset(root, "train").stems)
        steps = learn(root, segmenter.channels, segmenter.metadata.conditions, cache, stems=trained)
        known = _value(steps)
        ranking = Ranking(segmenter, known, cache, weights=digest(checkpoint))
        measured: list[Measured] = []
        wrong: list[int] = []
        areas: list[float] = []
        for index, sample in enumerate(dataset):
            one = ranking.add(sample.stem, dataset.image_path(index))
            assert isinstance(one, Measured)
            measured.append(one)
            labels = segmenter.predict(sample.image).labels
            wrong.append(
                wrong_pixels(labels, sample.labels, segmenter.class_map, dataset.class_map)
            )
            areas.append(wrong[-1] / labels.size)
            if index % 20 == 0:
                print(f"{index} of {len(dataset)}", flush=True)
    pixels, pictures = np.array(wrong, np.float64), worst(np.array(areas))
    orders = {
        name: sorted(range(len(measured)), key=lambda i: -key(measured[i]))
        for name, key in ORDERS.items()
    }
    best = {"pixels": np.argsort(-pixels).tolist(), "pictures": np.argsort(-pictures).tolist()}
    return {
        "checkpoint": f"{checkpoint_name(checkpoint)} {short_hash(checkpoint)}",
        "unknown": sorted(set(dataset.class_map.names) - set(segmenter.class_map.names)),
        "dataset": dataset.info.name,
        "split": split,
        "pictures": len(dataset),
        "formula": FORMULA,
        "shares": list(SHARES),
        "orders": {
            name: {"pixels": found_early(order, pixels), "pictures": found_early(order, pictures)}
            for name, order in orders.items()
        }
        | {
            "best possible": {
                "pixels": found_early(best["pixels"], pixels),
                "pictures": found_early(best["pictures"], pictures),
            }
        },
    }


def _value(steps: Any) -> Known:  # noqa: ANN401 - a generator of anything
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            known: Known = stop.value
            return known


def table(result: dict[str, Any]) -> str:
    """Return what a result says as Markdown."""
    without = f", which does not know {', '.join(result['unknown'])}" if result["unknown"] else ""
    first = " | ".join(f"first {100 * share:.0f} %" for share in result["shares"])
    same = " | ".join(f"{100 * share:.0f} %" for share in result["shares"])
    lines = [
        f"`{result['checkpoint'].split()[0]}`{without}, on the {result['pictures']} pictures of "
        f"{result['split']} of {result['dataset']}:",
        "",
        f"| by | wrong pixels in the {first} | worst quarter of pictures in the same {same} |",
        "|---|" + "---:|" * (2 * len(result["shares"])),
    ]
    chance = {"pixels": result["shares"], "pictures": result["shares"]}
    for name, found in (result["orders"] | {"chance": chance}).items():
        cells = " | ".join(map(percent, [*found["pixels"], *found["pictures"]]))
        lines.append(f"| {name} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--split", default="val")
    arguments = parser.parse_args()
    result = run(arguments.checkpoint, arguments.dataset, arguments.split)
    print(table(result))
    path = RESULTS / f"queue-{checkpoint_name(arguments.checkpoint)}.json"
    write_result(path, result)
    results = [json.loads(one.read_text()) for one in sorted(RESULTS.glob("queue-*.json"))]
    write_measured(PAGE, __file__, "\n\n".join(map(table, results)))


if __name__ == "__main__":
    main()
