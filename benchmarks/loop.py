"""Measure the loop: a class that a checkpoint does not know, corrected, retrained, compared.

    python benchmarks/loop.py data/tiles --without fray --out runs/loop
    python benchmarks/loop.py data/tiles --retrain "--lr 2e-3" -- --epochs 8 --steps 400

The dataset's val is the golden set: nothing is trained on it, and nothing is chosen by it. Of
train, the parts that show the class are put aside, and the others are divided by part, as names and
looks tell it, into a train and a val without the class; ``segnet-res train`` makes the first
checkpoint of them, with the options after ``--``. Then 20 pictures of the class come back with
their masks as corrected predictions, by `save_correction`, which is what the page saves with.
``segnet-res retrain`` and ``segnet-res compare`` do the rest, with their defaults but for
``--retrain``. Started again it goes on where it stopped.
"""

import argparse
import json
import platform
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import percent, write_measured, write_result

from segnet_res import SegmentationDataset
from segnet_res.checkpoint import checkpoint_name, short_hash
from segnet_res.classes import ClassMap
from segnet_res.data import DatasetInfo, assign_splits, part_groups
from segnet_res.data.dataset import save_info
from segnet_res.data.lookalike import look
from segnet_res.data.splits import join_groups, write_splits
from segnet_res.data.storage import copy_file, new_folder
from segnet_res.images import UInt8Array, write_mask
from segnet_res.retraining.corrections import make_dataset, save_correction

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "loop.json"
PAGE = ROOT / "docs" / "retraining.md"

# Of the parts without the class; what is validated on chooses the best epoch.
_SHARES = (0.8, 0.2)


class Halves:
    """A dataset's train, divided into what is known at first and what comes back corrected.

    Args:
        root: The dataset folder.
        without: Name of the class.
        pictures: Most pictures of the class that come back.

    Attributes:
        source: The split train of the dataset.
        parts: The part of each of its pictures.
        known: The classes without the one.
        old: Places of the pictures of parts that do not show the class.
        new: Places of the pictures of it that come back.
    """

    def __init__(self, root: Path, without: str, pictures: int) -> None:
        self.source = source = SegmentationDataset(root, "train")
        label = source.class_map.index(without)
        names = [name for name in source.class_map.names if name != without]
        colors = [c for i, c in enumerate(source.class_map.colors) if i != label]
        self.known = ClassMap(tuple(names), tuple(colors), source.class_map.ignore_index)
        looks = {stem: look(source[i].image) for i, stem in enumerate(source.stems)}
        self.parts = join_groups(part_groups(source), looks)
        self.present = [set(np.unique(source.read_labels(i)).tolist()) for i in range(len(source))]
        showing = [i for i, labels in enumerate(self.present) if label in labels]
        aside = {self.part(i) for i in showing}
        self.old = [i for i in range(len(source)) if self.part(i) not in aside]
        self.new = showing[:pictures]

    def labels(self, place: int, class_map: ClassMap) -> UInt8Array:
        """Return the mask of a picture in the order of other classes."""
        table = np.full(256, class_map.ignore_index, np.uint8)
        for index, name in enumerate(self.source.class_map.names):
            if name in class_map.names:
                table[index] = class_map.index(name)
        return table[self.source.read_labels(place)]

    def part(self, place: int) -> str:
        """Return the part that a picture shows."""
        return self.parts[self.source.stems[place]]


def write_old(halves: Halves, target: Path, seed: int) -> None:
    """Write what is known at first: pictures without the class, divided by part."""
    with new_folder(target) as folder:
        info = halves.source.info
        save_info(folder, DatasetInfo("old", halves.known, info.channels, info.group))
        for place in halves.old:
            path, stem = halves.source.image_path(place), halves.source.stems[place]
            copy_file(path, folder / "images" / f"{stem}{path.suffix}")
            mask = folder / "masks" / f"{stem}.png"
            mask.parent.mkdir(parents=True, exist_ok=True)
            write_mask(mask, halves.labels(place, halves.known))
        stems = {halves.source.stems[i]: i for i in halves.old}
        splits = assign_splits(
            {stem: halves.part(i) for stem, i in stems.items()},
            fractions=_SHARES,
            seed=seed,
            strata={stem: halves.present[i] for stem, i in stems.items()},
        )
        write_splits(folder, splits)


def write_new(halves: Halves, target: Path, parent: Path) -> None:
    """Save the corrected pictures, one after the other, as the page does."""
    new = [name for name in halves.source.class_map.names if name not in halves.known.names]
    names = (*halves.known.names, *new)
    everything = halves.source.class_map
    colors = tuple(everything.colors[everything.index(name)] for name in names)
    class_map = ClassMap(names, colors, everything.ignore_index)
    if not target.exists():
        make_dataset(target, "new", class_map, halves.source.channels)
    for place in halves.new:
        path = halves.source.image_path(place)
        save_correction(
            target,
            path,
            halves.labels(place, class_map),
            name=path.name,
            who="benchmark",
            part=halves.part(place),
            proposed_by=f"{checkpoint_name(parent)} {short_hash(parent)}",
        )


def segnet(*words: object, fine: tuple[int, ...] = (0,)) -> None:
    """Run a command as a user would."""
    command = [sys.executable, "-m", "segnet_res", *map(str, words)]
    print("segnet-res", *map(str, words), flush=True)
    done = subprocess.run(command)
    if done.returncode not in fine:
        raise SystemExit(f"it ended with {done.returncode}")


def begin_or_resume(out: Path, begun: str, *words: object) -> float:
    """Run a training, or go on with it; returns its seconds, over all times it was started."""
    clock = out.with_name(f"{out.name}-seconds.txt")
    before = float(clock.read_text()) if clock.exists() else 0.0
    if (out / "finished").exists():
        return before
    start = time.perf_counter()
    command, *rest = words
    segnet(
        command, *(["--out", out, "--resume"] if (out / begun).exists() else [*rest, "--out", out])
    )
    seconds = before + time.perf_counter() - start
    clock.write_text(f"{seconds}\n")
    (out / "finished").touch()
    return seconds


def measure(
    root: Path,
    out: Path,
    without: str,
    pictures: int,
    seed: int,
    options: list[str],
    retrain_options: list[str],
) -> dict[str, Any]:
    """Go through the loop once and return what came of it."""
    out.mkdir(parents=True, exist_ok=True)
    halves = Halves(root, without, pictures)
    old, new, golden = out / "old", out / "new", out / "golden.json"
    if not old.exists():
        write_old(halves, old, seed)
    if not golden.exists():
        segnet("golden", "make", root, golden, "--split", "val")
    first, second = out / "parent", out / "retrained"
    train_seconds = begin_or_resume(first, "config.json", "train", old, "--seed", seed, *options)
    parent, candidate = first / "best.safetensors", second / "best.safetensors"
    write_new(halves, new, parent)
    retrain_seconds = begin_or_resume(
        second, "request.json", "retrain", parent, new, "--base", old, "--golden", golden,
        "--seed", seed, *retrain_options,
    )  # fmt: skip
    compared = out / "comparison.json"
    # 1 only says that a defect is newly missed, which is one of the results.
    segnet("compare", parent, candidate, golden, "--json", compared, fine=(0, 1))
    comparison = json.loads(compared.read_text())
    splits = {
        split: len((new / "splits" / f"{split}.txt").read_text().split())
        for split in ("train", "val")
    }
    return {
        "data": halves.source.info.name,
        "without": without,
        "seed": seed,
        "corrected": {"pictures": len(halves.new), "parts": len({*map(halves.part, halves.new)})}
        | splits,
        "old": {"pictures": len(halves.old), "parts": len({*map(halves.part, halves.old)})},
        "options": options,
        "retrain_options": retrain_options,
        "train_seconds": train_seconds,
        "retrain_seconds": retrain_seconds,
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads",
        "torch": torch.__version__,
        "comparison": comparison,
    }


def tables(result: dict[str, Any]) -> str:
    """Return what the guide shows."""
    comparison, without = result["comparison"], result["without"]
    exam, corrected = comparison["exam"], result["corrected"]
    lines = [
        f"{result['data']} with `{without}` left out of the first training "
        f"({result['old']['pictures']} pictures, seed {result['seed']}); then "
        f"{corrected['pictures']} corrected pictures of {corrected['parts']} parts came back "
        f"({corrected['train']} to train, {corrected['val']} to validate). First training: "
        f"`{' '.join(result['options']) or 'the defaults'}`; retraining: "
        f"`{' '.join(result['retrain_options']) or 'the defaults'}`, "
        f"{result['retrain_seconds'] / 60:.0f} minutes on a CPU ({result['machine']}). IoU on the "
        f"{exam['pictures']} pictures of {exam['parts']} parts that neither training saw:",
        "",
        "| class | parts | before | after | change | 95 % interval |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    rows = [(one["name"], one["parts"], one["known"], one["iou"]) for one in comparison["classes"]]
    for name, parts, known, iou in rows:
        cells = [
            percent(iou[key]) if ok else "unknown"
            for key, ok in zip(("before", "after"), known, strict=True)
        ]
        change, interval = iou["difference"], iou["interval"]
        cells.append("" if change is None else f"{100 * change:+.1f}")
        cells.append(
            "" if interval is None else f"{100 * interval[0]:+.1f} to {100 * interval[1]:+.1f}"
        )
        lines.append(f"| {name} | {parts} | {' | '.join(cells)} |")
    flips = comparison["flips"]
    lines += [
        "",
        f"Of {flips['defects']:,} defects {flips['found_before']:,} were found before and "
        f"{flips['found_after']:,} after; {len(flips['newly_missed']):,} are newly missed. "
        f"Of the sound photographs {_rates(comparison, 'overkill')} are called defective, of the "
        f"others {_rates(comparison, 'escape')} are passed.",
    ]
    return "\n".join(lines)


def _rates(comparison: dict[str, Any], name: str) -> str:
    """Write a rate by pictures, before and after."""
    before, after = (comparison[name]["pictures"][side]["value"] for side in ("before", "after"))
    return f"{percent(before)} before and {percent(after)} after"


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], epilog="after --: options of the first training"
    )
    parser.add_argument("dataset", type=Path, help="dataset folder with train and val")
    parser.add_argument("--without", default="fray", help="the class that is left out at first")
    parser.add_argument(
        "--pictures", type=int, default=20, help="corrected pictures that come back"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/loop"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--retrain", default="", help="options of the retraining, in quotes")
    parser.add_argument("--json", type=Path, default=RESULTS, help="file to write")
    # argparse would give them to the first positional argument.
    words, options = sys.argv[1:], []
    if "--" in words:
        cut = words.index("--")
        words, options = words[:cut], words[cut + 1 :]
    arguments = parser.parse_args(words)
    result = measure(
        arguments.dataset, arguments.out, arguments.without, arguments.pictures,
        arguments.seed, options, shlex.split(arguments.retrain),
    )  # fmt: skip
    write_result(arguments.json, result)
    text = tables(result)
    if arguments.json == RESULTS:
        write_measured(PAGE, __file__, text)
    print(text)


if __name__ == "__main__":
    main()
