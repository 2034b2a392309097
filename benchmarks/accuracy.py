"""Train and measure plain SegNet, each residual connection, the losses and the peers.

    python benchmarks/accuracy.py run --tiles data/tiles --roads data/roads --seeds 0 1 2
    python benchmarks/accuracy.py table

Every run is the command ``segnet-res train`` with the same budget; what a run differs in stands in
`experiments`. A run that was stopped goes on, one that is finished is not run again: half an hour
now and half an hour later add up. The last epoch is measured, not the best: choosing by the split
that is reported would flatter every row, and those with restless curves most.

CamVid's val comes from a drive that train contains. ``--drive 0001TP`` leaves a whole drive of
train out and measures there instead, ``--split-seed 1`` divides the tiles otherwise; recipes are
chosen that way. ``--half`` takes the tiles at half their size, a quarter of the pixels: where there
is little time, more of a tile then fits into a crop.
"""

import argparse
import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from threading import Lock
from typing import Any

import cv2
import torch
from measure import (
    confusions,
    gflop,
    parameters,
    percent,
    scores,
    write_measured,
    write_result,
)

from segnet_res import SegmentationDataset, Segmenter
from segnet_res.checkpoint import Checkpoint
from segnet_res.data import SPLITS
from segnet_res.data.dataset import read_split
from segnet_res.data.resplit import split_dataset
from segnet_res.data.splits import write_splits
from segnet_res.data.storage import new_folder
from segnet_res.data.synth import synthesize
from segnet_res.images import write_image, write_mask
from segnet_res.models.names import RESIDUALS

RESULTS = Path(__file__).parent / "results" / "accuracy"
ROOT = Path(__file__).parents[1]

# Raised when `train` comes to another network by the same command line: rows of different
# generations do not compare. In the first the random changes of a crop began with the same number.
GENERATION = 2

LOSSES = ("cross-entropy", "balanced", "relaxed")
OTHER_LOSSES = ("adjusted", "dice", "focal", "lovasz")
# What else a recipe may change, each alone.
VARIANTS = {
    "coarse": ("--coarse", "0.6"),
    "no-rare": ("--rare", "0"),
    "no-average": ("--ema", "0"),
}
# Defects lie on a background, and tiles all the same way; in road scenes neither is so.
TILE_VARIANTS = {"paste": ("--paste", "0.3"), "aligned": ("--augment", "aligned")}
# Half of the drawn parts are sound; of each defect there are then about as many as photographs.
DRAWN = 400
_DRAWING = Lock()
PEERS = ("unet-resnet18", "unet-resnet34", "fpn-resnet34", "deeplabv3plus-resnet34",
         "segformer-mit_b0", "unet-mobilenet_v2")  # fmt: skip
AUGMENT = {"tiles": "inspection", "roads": "scene"}

# What README shows beside the peers.
SHORT = (("segnet", "cross-entropy"), ("segnet", "relaxed"), ("ressegnet", "relaxed"))

Budget = tuple[int, str, str, str]
"""Generation, data set, size of our networks, and the budget in words."""

Row = tuple[str, str]
"""Network and loss."""

Runs = list[dict[str, Any]]
"""Results of one row, one for each seed."""


@dataclass(frozen=True)
class Experiment:
    """One row of the table: what its command line adds to the common budget."""

    network: str
    loss: str
    options: tuple[str, ...]
    drawn: int = 0  # synthetic parts beside the photographs to train on

    @property
    def name(self) -> str:
        """A name for files."""
        return f"{self.network}_{self.loss}".replace(":", "-")


def experiments(size: str, data: str) -> Iterator[Experiment]:
    """Yield all rows: networks by losses, other losses, variants of the recipe, peers."""
    networks = {"segnet": ["--arch", f"segnet-{size}"]}
    for one in RESIDUALS:
        off = [f"--no-{other}" for other in RESIDUALS if other != one]
        networks[f"only-{one}"] = ["--arch", f"ressegnet-{size}", *off]
    networks["ressegnet"] = ["--arch", f"ressegnet-{size}"]
    for network, options in networks.items():
        for loss in LOSSES:
            yield Experiment(network, loss, (*options, "--loss", loss))
    for loss in OTHER_LOSSES:
        yield Experiment("ressegnet", loss, (*networks["ressegnet"], "--loss", loss))
    for variant, options in (VARIANTS | (TILE_VARIANTS if data == "tiles" else {})).items():
        words = (*networks["ressegnet"], "--loss", "relaxed", *options)
        yield Experiment(f"ressegnet:{variant}", "relaxed", words)
    if data == "tiles":
        words = (*networks["ressegnet"], "--loss", "relaxed")
        yield Experiment("ressegnet:synthetic", "relaxed", words, DRAWN)
    for peer in PEERS:
        yield Experiment(peer, "relaxed", ("--arch", f"smp:{peer}", "--loss", "relaxed"))


def train(experiment: Experiment, data: Path, out: Path, seed: int, common: list[str]) -> None:
    """Run the command, or go on where it stopped."""
    words = [sys.executable, "-m", "segnet_res", "train", str(data), "--out", str(out)]
    if (out / "config.json").exists():
        words += ["--resume"]
    else:
        words += ["--seed", str(seed), *common, *experiment.options]
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.with_suffix(".log").open("a") as log:
        subprocess.run(words, check=True, stdout=log, stderr=subprocess.STDOUT)


def measure(out: Path, data: Path, device: str) -> dict[str, Any]:
    """Return what a finished run reached."""
    dataset = SegmentationDataset(data, "val")
    checkpoint = out / "last.safetensors"
    segmenter = Segmenter.from_checkpoint(checkpoint, device, "torch")
    model = Checkpoint.load(checkpoint).build_model()
    with (out / "metrics.csv").open(newline="") as file:
        history = list(csv.DictReader(file))
    curve = [float(row["miou"] or 0) for row in history]
    return {
        **scores(confusions(segmenter, dataset), dataset),
        "epochs": len(curve),
        "epochs_to_90": next(i for i, v in enumerate(curve, 1) if v >= 0.9 * curve[-1]),
        "train_seconds": sum(float(row["seconds"]) for row in history),
        "parameters": parameters(model),
        "gflop_per_megapixel": gflop(model, model.channels),
        # Where somebody keeps the data is nobody else's business.
        "config": json.loads((out / "config.json").read_text()) | {"dataset": data.name},
        "machine": segmenter.device,
        "torch": torch.__version__,
    }


def leave_out(root: Path, drive: str, target: Path) -> Path:
    """Make a dataset whose val is one drive of the training split, and whose train the others."""
    if not target.exists():
        stems = read_split(root, "train")
        with _same_pictures(root, target) as folder:
            splits = {
                split: [one for one in stems if one.split("/")[-1].startswith(drive) is chosen]
                for split, chosen in zip(SPLITS, (False, True), strict=False)
            }
            write_splits(folder, splits)
    return target


def halve(root: Path, target: Path) -> Path:
    """Make a dataset of the same pictures and splits at half the size."""
    if not target.exists():
        with new_folder(target) as folder:
            for name in ("dataset.yaml", "splits"):
                (folder / name).symlink_to((root / name).resolve())
            for split in SPLITS:
                dataset = SegmentationDataset(root, split)
                for sample in dataset:
                    height, width = sample.labels.shape
                    size = (width // 2, height // 2)
                    image = cv2.resize(sample.image, size, interpolation=cv2.INTER_AREA)
                    labels = cv2.resize(sample.labels, size, interpolation=cv2.INTER_NEAREST_EXACT)
                    picture, mask = (
                        folder / kind / f"{sample.stem}.png" for kind in ("images", "masks")
                    )
                    for path in (picture, mask):
                        path.parent.mkdir(parents=True, exist_ok=True)
                    # OpenCV drops the axis of a single channel.
                    write_image(picture, image.reshape(height // 2, width // 2, -1))
                    write_mask(mask, labels)
    return target


def divide(root: Path, seed: int, target: Path) -> Path:
    """Make a dataset of the same pictures, divided by another seed."""
    if not target.exists():
        with _same_pictures(root, target) as folder:
            split_dataset(folder, seed=seed)
    return target


def add_drawn(root: Path, count: int, half: bool, target: Path) -> Path:
    """Make a dataset that has so many synthetic parts beside the pictures of its train."""
    if not target.exists():
        drawn = target.with_name(f"{target.name}-alone")
        if not drawn.exists():
            synthesize(drawn, count=count)
        if half:
            drawn = halve(drawn, target.with_name(f"{target.name}-alone-half"))
        with new_folder(target) as folder:
            (folder / "dataset.yaml").symlink_to((root / "dataset.yaml").resolve())
            for kind in ("images", "masks"):
                for name, source in (("taken", root), ("drawn", drawn)):
                    shutil.copytree(source / kind, folder / kind / name)
            splits = {
                split: [f"taken/{stem}" for stem in read_split(root, split)]
                for split in ("train", "val")
            }
            splits["train"] += [
                f"drawn/{stem}" for split in ("train", "val") for stem in read_split(drawn, split)
            ]
            write_splits(folder, splits)
    return target


@contextmanager
def _same_pictures(root: Path, target: Path) -> Iterator[Path]:
    """Make a dataset whose pictures and masks are links; the block writes its splits."""
    with new_folder(target) as folder:
        for name in ("dataset.yaml", "images", "masks"):
            (folder / name).symlink_to((root / name).resolve())
        yield folder


def run(arguments: argparse.Namespace) -> None:
    """Run what is missing, all rows of the first seed before the second."""
    # Each data set by the name of how it is divided.
    folders: dict[str, Path] = {}
    if arguments.tiles:
        name, data = "tiles", arguments.tiles
        if arguments.split_seed is not None:
            name += f"-split{arguments.split_seed}"
            data = divide(data, arguments.split_seed, arguments.out / name)
        if arguments.half:
            name += "-half"
            data = halve(data, arguments.out / name)
        folders[name] = data
    if arguments.roads and arguments.drive:
        target = arguments.out / f"without-{arguments.drive}"
        folders[f"roads-{arguments.drive}"] = leave_out(arguments.roads, arguments.drive, target)
    elif arguments.roads:
        folders["roads"] = arguments.roads
    wanted = [
        (seed, split, data, experiment)
        for seed in arguments.seeds
        for split, data in folders.items()
        for experiment in experiments(arguments.size, _kind(split))
        if not arguments.only or experiment.name in arguments.only
    ]
    # Small networks leave most of a large GPU idle.
    with ThreadPoolExecutor(arguments.jobs) as pool:
        list(pool.map(lambda job: run_one(arguments, *job), wanted))  # raises what one of them did


def run_one(
    arguments: argparse.Namespace, seed: int, split: str, data: Path, experiment: Experiment
) -> None:
    """Train and measure one row with one seed, unless that was done before."""
    label = f"{split}_{experiment.name}_{arguments.size}_e{arguments.epochs}_s{seed}_g{GENERATION}"
    result = RESULTS / f"{label}.json"
    if result.exists():
        before = json.loads(result.read_text())["options"]
        if before != arguments.options:
            raise SystemExit(
                f"{result}: was measured with the options {' '.join(before) or '(none)'}; give "
                "them again, or move the file away"
            )
        print(f"{label}: done before")
        return
    out = arguments.out / label
    print(f"{label}: begins; {out.with_suffix('.log')} tells how far it is")
    # What a row adds on its own is in no other, whatever the defaults are.
    common = ["--epochs", str(arguments.epochs), "--augment", AUGMENT[_kind(split)], "--paste", "0"]
    common += ["--device", arguments.device, *arguments.options]
    learnt = data
    if experiment.drawn:
        with _DRAWING:  # once for the seeds that run beside each other
            learnt = add_drawn(data, experiment.drawn, split.endswith("-half"),
                               arguments.out / f"{split}-drawn{experiment.drawn}")  # fmt: skip
    train(experiment, learnt, out, seed, common)
    content = {"generation": GENERATION, "data": split, "network": experiment.network,
               "loss": experiment.loss, "size": arguments.size, "seed": seed,
               "jobs": arguments.jobs, "options": arguments.options}  # fmt: skip
    content |= measure(out, data, arguments.device)
    write_result(result, content)
    print(f"{label}: mIoU {percent(content['miou'])}")


def _kind(split: str) -> str:
    """Return "tiles" or "roads", of which a division such as "roads-0006R0" is."""
    return split.split("-")[0]


def read_results() -> dict[Budget, dict[Row, Runs]]:
    """Return all results by budget, those of the latest generation first, and the best rows."""
    groups: dict[Budget, dict[Row, Runs]] = {}
    for path in sorted(RESULTS.glob("*.json")):
        result = json.loads(path.read_text())
        config, jobs = result["config"], result.get("jobs", 1)
        steps = f"{config['steps']} steps" if config["steps"] else "all pictures"
        budget = (f"{result['epochs']} epochs of {steps}, "
                  f"{config['batch']} crops of {config['crop']} pixels, on {result['machine']}"
                  f"{f', {jobs} runs beside each other' if jobs > 1 else ''}")  # fmt: skip
        generation = result.get("generation", 1)
        rows = groups.setdefault((generation, result["data"], result["size"], budget), {})
        rows.setdefault((result["network"], result["loss"]), []).append(result)
    return {
        budget: dict(sorted(rows.items(), key=lambda row: -_mean(row[1], "miou")))
        for budget, rows in sorted(groups.items(), key=lambda group: -group[0][0])
    }


def full_tables() -> str:
    """Return two tables for each data set and budget: the rows ranked, and their IoU per class."""
    lines = []
    for (generation, data, size, budget), rows in read_results().items():
        any_run = next(iter(rows.values()))[0]
        classes = [one["name"] for one in any_run["classes"]]
        lines += [
            f"## {data}, size {size}, generation {generation}",
            "",
            f"{budget}; measured after the last epoch on {any_run['pictures']} pictures that the "
            "training has not seen." + _gain(rows),
            "",
            "| network | loss | seeds | mIoU | 95 % interval | overkill | escape "
            "| epochs to 90 % | minutes | M parameters | GFLOP a megapixel |",
            "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
            *(_summary(network, loss, runs) for (network, loss), runs in rows.items()),
            "",
            f"| IoU | loss | {' | '.join(classes)} |",
            "|---|---|" + "---:|" * len(classes),
            *(_classes(network, loss, runs) for (network, loss), runs in rows.items()),
            "",
        ]
    return "\n".join(lines).rstrip()


def short_tables() -> str:
    """Return for each data set how the default stands to plain SegNet and to peers.

    Of several budgets and generations it is the one with the most rows.
    """
    results, lines = read_results(), []
    fullest = {key[1]: key for key in sorted(results, key=lambda key: len(results[key]))}
    for (generation, data, size, budget), rows in results.items():
        if fullest[data] != (generation, data, size, budget):
            continue
        chosen = [
            f"| {network} | {loss} | {_seeds(runs)} | {_percent(run['miou'] for run in runs)} "
            f"| {runs[0]['parameters'] / 1e6:.2f} |"
            for (network, loss), runs in rows.items()
            if network in PEERS or (network, loss) in SHORT
        ]
        # One row has nothing to stand beside.
        if len(chosen) < 2:
            continue
        lines += [f"{data}, generation {generation}: {budget}.", "",
                  "| network | loss | seeds | mIoU | M parameters |",
                  "|---|---|---:|---:|---:|", *chosen, ""]  # fmt: skip
    return "\n".join(lines).rstrip()


def _gain(rows: dict[Row, Runs]) -> str:
    """Say what all residual connections together give over plain SegNet, by loss."""
    gains = []
    for loss in LOSSES:
        if ("ressegnet", loss) in rows and ("segnet", loss) in rows:
            ours, plain = rows["ressegnet", loss], rows["segnet", loss]
            gains.append(f"{100 * (_mean(ours, 'miou') - _mean(plain, 'miou')):+.1f} ({loss})")
    return f" Points of mIoU over plain SegNet: {', '.join(gains)}." if gains else ""


def _summary(network: str, loss: str, runs: Runs) -> str:
    low = min(run["miou_interval"][0] for run in runs)
    high = max(run["miou_interval"][1] for run in runs)
    return (
        f"| {network} | {loss} | {_seeds(runs)} | {_percent(run['miou'] for run in runs)} "
        f"| {percent(low)} to {percent(high)} "
        f"| {_percent(run['overkill'] for run in runs)} "
        f"| {_percent(run['escape'] for run in runs)} "
        f"| {_mean(runs, 'epochs_to_90'):.0f} | {_mean(runs, 'train_seconds') / 60:.0f} "
        f"| {runs[0]['parameters'] / 1e6:.2f} | {runs[0]['gflop_per_megapixel']:.0f} |"
    )


def _classes(network: str, loss: str, runs: Runs) -> str:
    of_each = zip(*([one["iou"] for one in run["classes"]] for run in runs), strict=True)
    return f"| {network} | {loss} | {' | '.join(map(_percent, of_each))} |"


def _seeds(runs: Runs) -> str:
    return ", ".join(str(seed) for seed in sorted(run["seed"] for run in runs))


def _percent(of_seeds: Iterable[float | None]) -> str:
    """Write the mean of a share over seeds; where one of them has none, there is no mean."""
    values = list(of_seeds)
    return percent(None if None in values else fmean(values))


def _mean(runs: Runs, key: str) -> float:
    return fmean(run[key] for run in runs)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("table", help="write the tables of docs/accuracy.md and README")
    runs = commands.add_parser("run", help="train and measure what is missing")
    runs.add_argument("--tiles", type=Path, help="dataset folder of magnetic-tile")
    runs.add_argument("--roads", type=Path, help="dataset folder of camvid")
    runs.add_argument("--drive", help="leave this drive of camvid's train out, measure there")
    runs.add_argument("--split-seed", type=int, help="divide the tiles anew by this seed")
    runs.add_argument("--half", action="store_true", help="the tiles at half their size")
    runs.add_argument("--out", type=Path, default=Path("runs/accuracy"))
    runs.add_argument("--size", default="small")
    runs.add_argument("--epochs", type=int, default=60)
    runs.add_argument("--seeds", type=int, nargs="+", default=[0])
    runs.add_argument("--device", default="auto")
    runs.add_argument("--jobs", type=int, default=1, help="so many runs beside each other")
    runs.add_argument("--only", nargs="*", help="names of rows, such as ressegnet_relaxed")
    runs.add_argument("options", nargs="*", help="after --: further options of train, for all rows")
    arguments = parser.parse_args()
    if arguments.command == "run":
        run(arguments)
    else:
        write_measured(ROOT / "docs" / "accuracy.md", __file__, full_tables())
        write_measured(ROOT / "README.md", __file__, short_tables())


if __name__ == "__main__":
    main()
