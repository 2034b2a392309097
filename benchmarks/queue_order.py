"""Measure the order of the queue: how soon do the pictures come that the model gets wrong?

    python benchmarks/queue_order.py checkpoints/magnetic-tile.safetensors data/tiles

Ranks the pictures of a split that was not trained on, knowing those of train, and compares the
order with the masks: which share of all wrong pixels lies in the first tenth, quarter and half of
the pictures, by the score and by each term alone. Pixels of classes that the checkpoint does not
know are always wrong. Near-copies are not left out here, so that the orders are of the same
pictures. Writes results/queue-<checkpoint>.json, and the tables of docs/retraining.md from all of
these.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from measure import percent
from numpy.typing import NDArray

from segnet_res import SegmentationDataset, Segmenter
from segnet_res.checkpoint import checkpoint_name, short_hash
from segnet_res.classes import ClassMap
from segnet_res.images import UInt8Array, atomic_write
from segnet_res.retraining.queue import FORMULA, Measured, Ranking
from segnet_res.retraining.queue_cache import QueueCache, default_cache
from segnet_res.retraining.queue_known import Known, learn

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[1] / "docs" / "retraining.md"
BEGIN = "<!-- measured: begin (benchmarks/queue_order.py) -->"
END = "<!-- measured: end (benchmarks/queue_order.py) -->"

SHARES = (0.1, 0.25, 0.5)

# Each order by what it sorts by; higher comes first.
ORDERS: dict[str, Callable[[Measured], float]] = {
    "score": lambda one: one.score,
    "entropy alone": lambda one: one.terms["entropy"],
    "disagreement alone": lambda one: one.terms["disagreement"],
    "newness alone": lambda one: one.terms["newness"],
}


def wrong_pixels(labels: UInt8Array, truth: UInt8Array, known: ClassMap, mine: ClassMap) -> int:
    """Count the labelled pixels that are called otherwise; both (H, W) uint8, classes by name."""
    names = np.array([*known.names, ""])
    table = np.full(256, len(known))
    table[: len(known)] = np.arange(len(known))
    said = names[table[labels]]
    meant = np.array([*mine.names, *[""] * (256 - len(mine))])[truth]
    return int(((said != meant) & (truth != mine.ignore_index)).sum())


def shares_of(order: Sequence[int], wrong: NDArray[np.int64]) -> list[float]:
    """Return which share of the wrong pixels lies in the first `SHARES` of an order."""
    found = np.cumsum(wrong[list(order)]) / max(1, int(wrong.sum()))
    return [float(found[max(1, round(share * len(found))) - 1]) for share in SHARES]


def run(checkpoint: Path, root: Path, split: str) -> dict[str, Any]:
    """Return all that was measured."""
    segmenter = Segmenter.from_checkpoint(checkpoint)
    dataset = SegmentationDataset(root, split)
    assert segmenter.metadata is not None
    with QueueCache(default_cache()) as cache:
        trained = set(SegmentationDataset(root, "train").stems)
        steps = learn(root, segmenter.channels, segmenter.metadata.conditions, cache, stems=trained)
        known = _value(steps)
        ranking = Ranking(segmenter, known, cache, checkpoint=checkpoint)
        measured: list[Measured] = []
        wrong: list[int] = []
        for index, sample in enumerate(dataset):
            one = ranking.add(sample.stem, dataset.image_path(index))
            assert isinstance(one, Measured)
            measured.append(one)
            labels = segmenter.predict(sample.image).labels
            wrong.append(
                wrong_pixels(labels, sample.labels, segmenter.class_map, dataset.class_map)
            )
            if index % 20 == 0:
                print(f"{index} of {len(dataset)}", flush=True)
    counts = np.array(wrong)
    orders = {
        name: shares_of(sorted(range(len(measured)), key=lambda i: -key(measured[i])), counts)
        for name, key in ORDERS.items()
    }
    return {
        "checkpoint": f"{checkpoint_name(checkpoint)} {short_hash(checkpoint)}",
        "unknown": sorted(set(dataset.class_map.names) - set(segmenter.class_map.names)),
        "dataset": dataset.info.name,
        "split": split,
        "pictures": len(dataset),
        "formula": FORMULA,
        "shares": list(SHARES),
        "orders": orders | {"best possible": shares_of(np.argsort(-counts).tolist(), counts)},
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
    heads = " | ".join(f"first {100 * share:.0f} %" for share in result["shares"])
    lines = [
        f"`{result['checkpoint'].split()[0]}`{without}, on the {result['pictures']} pictures of "
        f"{result['split']} of {result['dataset']}:",
        "",
        f"| wrong pixels in the | {heads} |",
        "|---|" + "---:|" * len(result["shares"]),
    ]
    chance = " | ".join(percent(share) for share in result["shares"])
    for name, found in result["orders"].items():
        lines.append(f"| by {name} | {' | '.join(map(percent, found))} |")
    return "\n".join([*lines, f"| by chance | {chance} |"]).replace("by best", "best")


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
    with atomic_write(path) as file:
        file.write(json.dumps(result, indent=2).encode() + b"\n")
    results = [json.loads(one.read_text()) for one in sorted(RESULTS.glob("queue-*.json"))]
    head, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    texts = "\n\n".join(map(table, results))
    page = f"{head}{BEGIN}\n\n{texts}\n\n{END}{rest.split(END)[1]}"
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
