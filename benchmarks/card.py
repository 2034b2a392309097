"""Measure a checkpoint on a split and write the result into its card.

    python benchmarks/card.py checkpoints/camvid.safetensors data/roads --split val

Writes ``benchmarks/results/<name>-<split>.json``, a picture of what was taken for what,
``checkpoints/<name>-<split>.png``, and in the card beside the checkpoint the part between the two
marker lines; the rest of the card is left as it is. With ``--flips`` predictions are averaged over
mirror images, and only the scores are measured; the card has both, once both were measured.

What is delivered may have been trained on the split too, by ``train --final``. Then the checkpoint
that it went on from is measured, and ``--ships`` names the one whose card is written and says so:

    python benchmarks/card.py benchmarks/held_out/magnetic-tile.safetensors data/tiles
        --ships checkpoints/magnetic-tile.safetensors
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from measure import confusions, gflop, parameters, percent, scores, write_measured, write_result

from segnet_res import SegmentationDataset, Segmenter, build_model
from segnet_res.assessment import RESAMPLES, SMALLEST
from segnet_res.checkpoint import Checkpoint, read_metadata, short_hash
from segnet_res.models import resolve_device
from segnet_res.recipe import TrainConfig

RESULTS = Path(__file__).parent / "results"
PEER = "smp:unet-resnet18"
# Speed is measured on so many pictures, each model on each in turn.
TIMED = 20


def measure(checkpoint: Path, root: Path, split: str, device: str, flips: bool) -> dict[str, Any]:
    """Return everything that the card tells."""
    dataset = SegmentationDataset(root, split)
    segmenter = Segmenter.from_checkpoint(checkpoint, device, flips=flips)
    counts = confusions(segmenter, dataset)
    result = {
        "checkpoint": checkpoint.name,
        "hash": short_hash(checkpoint),
        "data": dataset.info.name,
        "split": split,
        "flips": flips,
        **scores(counts, dataset),
        "confusion": counts.sum(axis=0).tolist(),
        "machine": segmenter.device,
        "torch": torch.__version__,
    }
    return result if flips else result | {"speed": speed(checkpoint, device, dataset)}


def speed(checkpoint: Path, device: str, dataset: SegmentationDataset) -> dict[str, Any]:
    """Compare the time for a picture with that of the peer, picture by picture in turn."""
    model = Checkpoint.load(checkpoint).build_model()
    classes, channels = dataset.class_map, model.channels
    # Laid out as ours is, which suits convolutions: in torch's own layout it would be slower.
    peer = build_model(PEER, num_classes=len(classes), channels=channels).eval()
    peer.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    place = resolve_device(device)
    rivals = {
        "ours": Segmenter.from_checkpoint(checkpoint, device, "torch"),
        "peer": Segmenter.of_model(peer, classes, channels=channels, device=place),
    }
    images = [dataset[i].image for i in range(0, len(dataset), max(1, len(dataset) // TIMED))]
    seconds: dict[str, list[float]] = {name: [] for name in rivals}
    for round_, image in enumerate([images[0], *images]):
        for name, rival in rivals.items():
            start = time.perf_counter()
            rival.predict(image)
            if round_:  # the first round warms up
                seconds[name].append(time.perf_counter() - start)
    ratio = np.median(np.array(seconds["peer"]) / np.array(seconds["ours"]))
    return {
        "peer": PEER,
        "times_as_fast": float(ratio),
        "parameters": parameters(model),
        "peer_parameters": parameters(peer),
        "gflop_per_megapixel": gflop(model, channels),
        "peer_gflop_per_megapixel": gflop(peer.cpu(), channels),
    }


def draw_confusion(result: dict[str, Any], path: Path) -> None:
    """Draw which share of the pixels of each class was taken for which, as PNG."""
    counts = np.array(result["confusion"])
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = [score["name"] for score in result["classes"]]
    figure = Figure(
        figsize=(2.2 + 0.55 * len(names), 1.6 + 0.45 * len(names)), layout="constrained"
    )
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=100, aspect="auto")
    axes.set(xlabel="taken for", ylabel="marked as", title="Pixels of each class, in %")
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    for (row, column), share in np.ndenumerate(shares):
        # A class without pixels says nothing, and zeros only hide what is not zero.
        if share >= 0.05:
            text = f"{share:.1f}" if share < 10 else f"{share:.0f}"
            color = "white" if share > 60 else "black"
            axes.text(column, row, text, ha="center", va="center", color=color, fontsize=9)
    figure.savefig(path, dpi=110)


def command(checkpoint: Path) -> str:
    """Return the command line that trains such a checkpoint: the options that are not defaults."""
    meta, base = read_metadata(checkpoint), TrainConfig().to_dict()
    skipped = ("device", "workers")
    words = [
        f"--{'' if value is not False else 'no-'}{key.replace('_', '-')}"
        + ("" if isinstance(value, bool) else f" {value}")
        for key, value in meta.recipe.items()
        if key in base and key not in skipped and value != base[key] and value is not None
    ]
    parent = [] if meta.parent is None else [f"--start {meta.parent.split()[0]}.safetensors"]
    return " ".join(["segnet-res train DATASET --out RUN", *parent, *words])


def table(
    result: dict[str, Any],
    flipped: dict[str, Any] | None,
    line: str,
    picture: str,
    before: str | None,
) -> str:
    """Return the measured part of the card.

    Args:
        result: What `measure` returned without mirror images.
        flipped: And with them, where that was measured.
        line: The command line that trains such a checkpoint.
        picture: Name of the picture of the confusion matrix, beside the card.
        before: Where the measured checkpoint lies, if the card is of one that goes on from it.
    """
    low, high = result["miou_interval"]
    speed = result["speed"]
    rows = [
        *(_of_before(before, result["split"]) if before else ()),
        f"mIoU **{percent(result['miou'])}** ({percent(low)} to {percent(high)}) on the split "
        f"`{result['split']}`: {result['pictures']} pictures of {result['parts']} parts that the "
        "training has not seen.",
        "",
        "| class | IoU | 95 % interval | pictures | parts | pixels |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for score in result["classes"]:
        known = score["iou"] is not None
        between = f"{percent(score['interval'][0])} to {percent(score['interval'][1])}"
        rows.append(
            f"| {score['name']} | {percent(score['iou']) if known else 'n/a'} "
            f"| {between if known else ''} | {score['pictures']} | {score['parts']} "
            f"| {score['pixels']:,} |"
        )
    rows += [
        "",
        f"Intervals: {RESAMPLES} bootstrap samples over parts, each with all its pictures. What no "
        "part of the split shows cannot be drawn: with few parts the truth may lie further off.",
        "",
        f"Whole pictures, defective when {SMALLEST} pixels are: overkill (sound called defective) "
        f"{percent(result['overkill'])}, escape (defective passed) {percent(result['escape'])}.",
        "",
        *(_with_flips(flipped) if flipped else ()),
        f"![Confusion matrix: the share of the pixels of each class that was taken for each]"
        f"({picture})",
        "",
        f"Size and speed: {speed['parameters'] / 1e6:.2f} M parameters, "
        f"{speed['gflop_per_megapixel']:.0f} GFLOP a megapixel; {speed['times_as_fast']:.2f} times "
        f"as fast as {speed['peer']} ({speed['peer_parameters'] / 1e6:.1f} M parameters, "
        f"{speed['peer_gflop_per_megapixel']:.0f} GFLOP), each picture by both in turn, both "
        "channels_last "
        f"({result['machine']}, torch {result['torch']}).",
        "",
        "Trained with:",
        "",
        "```sh",
        line,
        "```",
    ]
    return "\n".join(rows)


def _of_before(before: str, split: str) -> tuple[str, str]:
    return (
        f"Measured on [the checkpoint that this one goes on from]({before}), trained without "
        f"`{split}`. This one has seen `{split}` too, so that nothing is left to measure it on.",
        "",
    )


def _with_flips(result: dict[str, Any]) -> tuple[str, str]:
    low, high = result["miou_interval"]
    return (
        f"Averaged over mirror images (`--tta flips`, four times the work): mIoU "
        f"{percent(result['miou'])} ({percent(low)} to {percent(high)}), overkill "
        f"{percent(result['overkill'])}, escape {percent(result['escape'])}.",
        "",
    )


def _read(path: Path, checkpoint: Path) -> dict[str, Any] | None:
    """Return an earlier result of this very checkpoint, if there is one."""
    result: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return result if result.get("hash") == short_hash(checkpoint) else None


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--split", default="val")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--flips", action="store_true")
    parser.add_argument("--ships", type=Path, help="goes on from CHECKPOINT; its card is written")
    arguments = parser.parse_args()
    checkpoint: Path = arguments.checkpoint
    result = measure(
        checkpoint, arguments.dataset, arguments.split, arguments.device, arguments.flips
    )
    name = f"{checkpoint.stem}-{arguments.split}"
    plain, mirrored = RESULTS / f"{name}.json", RESULTS / f"{name}-flips.json"
    write_result(mirrored if arguments.flips else plain, result)
    without = _read(plain, checkpoint)
    if without is None:
        print(f"mIoU {percent(result['miou'])}; the card waits for a run without --flips")
        return
    ships: Path = arguments.ships or checkpoint
    picture, card = ships.with_name(f"{name}.png"), ships.with_suffix(".md")
    before = None if ships == checkpoint else os.path.relpath(checkpoint, card.parent)
    measured = table(without, _read(mirrored, checkpoint), command(ships), picture.name, before)
    if card.exists():
        draw_confusion(without, picture)
        write_measured(card, __file__, measured)
    print(measured)


if __name__ == "__main__":
    main()
