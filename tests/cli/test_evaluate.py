"""``segnet-res evaluate``: the table, the JSON of the contract, and what cannot be measured."""

import json

import numpy as np
import pytest
from PIL import Image

from segnet_res.cli import app
from segnet_res.data import SegmentationDataset
from segnet_res.evaluation import evaluate
from segnet_res.inference import Segmenter


def test_the_table(runner, tiny_checkpoint, tiny_dataset):
    result = runner.invoke(app, ["evaluate", str(tiny_checkpoint), str(tiny_dataset)])
    assert result.exit_code == 0
    assert result.stderr == ""
    for word in ("class", "IoU", "Dice", "precision", "recall", "pixels", "sound", "scratch"):
        assert word in result.stdout
    assert result.stdout.splitlines()[-1].startswith("mIoU ")
    assert result.stdout.splitlines()[-1].endswith(" over 2 pictures")


def test_absent_classes_are_na(runner, tiny_checkpoint, tiny_dataset):
    for name in ("nested/c", "d"):
        path = tiny_dataset / "masks" / f"{name}.png"
        with Image.open(path) as image:
            size = image.size
        Image.fromarray(np.full(size[::-1], 255, np.uint8)).save(path)
    result = runner.invoke(app, ["evaluate", str(tiny_checkpoint), str(tiny_dataset)])
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1].startswith("mIoU n/a, pixel accuracy n/a")


@pytest.mark.parametrize("target", ["-", "scores.json"])
def test_json_is_what_python_says(runner, tiny_checkpoint, tiny_dataset, tmp_path, target):
    path = target if target == "-" else str(tmp_path / "new" / target)
    words = ["evaluate", str(tiny_checkpoint), str(tiny_dataset), "--split", "train"]
    result = runner.invoke(app, [*words, "--json", path])
    assert result.exit_code == 0
    text = result.stdout if target == "-" else (tmp_path / "new" / target).read_text()
    content = json.loads(text)
    segmenter = Segmenter.from_checkpoint(tiny_checkpoint)
    scores = evaluate(segmenter, SegmentationDataset(tiny_dataset, "train"))
    assert content == json.loads(json.dumps(scores.to_dict()))
    assert list(content) == [
        "miou", "pixel_accuracy", "mean_accuracy", "images", "classes", "confusion",
    ]  # fmt: skip
    assert list(content["classes"][0]) == ["name", "iou", "dice", "precision", "recall", "pixels"]
    assert np.shape(content["confusion"]) == (2, 2)


def test_an_empty_split(runner, tiny_checkpoint, tiny_dataset):
    words = ["evaluate", str(tiny_checkpoint), str(tiny_dataset), "--split", "test"]
    result = runner.invoke(app, words)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: tiny: the split 'test' is empty; choose another")


def test_missing_dataset_and_checkpoint(runner, tiny_checkpoint, tiny_dataset, tmp_path):
    result = runner.invoke(app, ["evaluate", str(tiny_checkpoint), str(tmp_path / "none")])
    assert result.exit_code == 2
    assert "none: no such folder; " in result.stderr
    result = runner.invoke(app, ["evaluate", str(tmp_path / "no.safetensors"), str(tiny_dataset)])
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "no.safetensors" in result.stderr
