"""The whole loop on the command line: a wrong mask becomes the next checkpoint, and back."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from segnet_res.classes import ClassMap
from segnet_res.cli import app
from segnet_res.data import DatasetInfo, save_info
from segnet_res.data.splits import write_splits
from segnet_res.images import read_mask, write_image, write_mask
from segnet_res.retraining.registry import serving

OLD = ClassMap.from_names(["sound", "spot"])
NEW = ClassMap.from_names(["sound", "spot", "pit"])
# Spots are bright, pits are dark.
DEPTH = {1: 110, 2: -60}

SMALL = ["--arch=ressegnet-tiny", "--batch=4", "--crop=32", "--workers=0", "--augment=none"]


def part(seed, *, pits):
    """Draw a part of 40 x 48 pixels with a spot, and a pit where it is asked for."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((40, 48), np.uint8)
    for label, left in [(1, 0), (2, 24)] if pits else [(1, 0)]:
        y, x = rng.integers(3, 22), left + rng.integers(2, 8)
        labels[y : y + 14, x : x + 14] = label
    picture = rng.integers(70, 100, labels.shape) + sum(
        depth * (labels == label) for label, depth in DEPTH.items()
    )
    return picture.astype(np.uint8)[..., None], labels


def write_dataset(root: Path, class_map: ClassMap, splits: dict[str, range], *, pits: bool) -> Path:
    for stems in splits.values():
        for seed in stems:
            picture, labels = part(seed, pits=pits)
            write_image(root / "images" / f"{seed}.png", picture)
            write_mask(root / "masks" / f"{seed}.png", labels)
    save_info(root, DatasetInfo(root.name, class_map, 1))
    write_splits(root, {split: list(map(str, stems)) for split, stems in splits.items()})
    return root


@pytest.fixture
def run(runner):
    def go(*words, code=0):
        result = runner.invoke(app, list(map(str, words)), prog_name="segnet-res")
        assert result.exit_code == code, result.output
        return result.output

    return go


def test_from_a_wrong_mask_to_the_checkpoint_that_serves_and_back(run, tmp_path, monkeypatch):
    monkeypatch.setattr("segnet_res.training.loop.draw_curves", lambda *_: None)
    old = write_dataset(
        tmp_path / "old", OLD, {"train": range(12), "val": range(12, 16)}, pits=False
    )
    exam = write_dataset(tmp_path / "exam", NEW, {"test": range(50, 58)}, pits=True)
    golden, shop = tmp_path / "golden.json", tmp_path / "shop"
    shop.mkdir()
    run("golden", "make", exam, golden, "--split", "test")
    run("train", old, "--out", tmp_path / "first", *SMALL, "--epochs=1", "--steps=80", "--lr=5e-3",
        "--ema=0.9")  # fmt: skip
    parent = tmp_path / "first" / "best.safetensors"
    reasons = ["--registry", shop, "--by", "Ada", "--golden", golden]
    run("promote", parent, *reasons, "--name", "first", "--why", "the first one")
    assert serving(shop) == "first"

    # Pits are new: none is found. Eight masks are corrected.
    arrivals, found, new = tmp_path / "arrivals", tmp_path / "found", tmp_path / "new"
    for seed in range(100, 108):
        write_image(arrivals / f"{seed}.png", part(seed, pits=True)[0])
    served = shop / "first.safetensors"
    run("predict", served, arrivals, found, "--save", "masks", "--quiet")
    new.mkdir()
    save_info(new, DatasetInfo("new", NEW, 1))
    for seed in range(100, 108):
        wrong = read_mask(found / "masks" / f"{seed}.png", OLD)
        picture, labels = part(seed, pits=True)
        assert (wrong[labels == 2] == 2).sum() == 0
        write_mask(tmp_path / "corrected.png", labels)
        run("correct", new, arrivals / f"{seed}.png", tmp_path / "corrected.png", "--by", "Ada")
        assert (cv2.imread(str(new / "images" / f"{seed}.png"), 0)[..., None] == picture).all()

    out = tmp_path / "runs" / "pits"
    run("retrain", served, new, "--base", old, "--golden", golden, "--out", out,
        "--epochs=2", "--steps=60", "--lr=2e-3", "--workers=0")  # fmt: skip
    candidate, told = out / "best.safetensors", tmp_path / "comparison.json"
    run("compare", served, candidate, golden, "--json", told)
    comparison = json.loads(told.read_text())
    by_name = {one["name"]: one for one in comparison["classes"]}
    assert by_name["pit"]["known"] == [False, True]
    assert by_name["pit"]["iou"]["after"] > 0.5
    assert by_name["spot"]["iou"]["after"] > by_name["spot"]["iou"]["before"] - 0.1
    assert comparison["flips"]["newly_missed"] == []
    assert len(comparison["flips"]["newly_found"]) == 8

    run("promote", candidate, *reasons, "--why", "finds pits")
    assert serving(shop) == "pits"
    lineage = run("checkpoints", "show", shop / "pits.safetensors")
    assert "first" in lineage
    assert "finds pits" in run("checkpoints", "history", shop)
    run("rollback", "--registry", shop, "--by", "Ada", "--why", "only a test")
    assert serving(shop) == "first"
    assert (shop / "pits.safetensors").exists()
