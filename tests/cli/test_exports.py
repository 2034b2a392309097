"""Exports where a command takes a checkpoint."""

import json
import subprocess
import sys

import numpy as np
import pytest

from segnet_res.cli import app
from segnet_res.images import read_image


@pytest.mark.parametrize("name", ["tiny.onnx", "tiny.xml"])
def test_evaluate(runner, tiny_exports, tiny_dataset, name):
    scores = []
    for file in ("tiny.safetensors", name):
        words = ["evaluate", str(tiny_exports / file), str(tiny_dataset), "--json", "-"]
        result = runner.invoke(app, words)
        assert result.exit_code == 0, result.stderr
        scores.append(json.loads(result.stdout))
    assert scores[0] == scores[1]


@pytest.mark.parametrize("name", ["tiny.onnx", "tiny.xml"])
def test_predict_without_torch(runner, tiny_exports, tiny_dataset, tmp_path, name):
    pictures, targets = tiny_dataset / "images", (tmp_path / "torch", tmp_path / "other")
    words = ["predict", str(tiny_exports / "tiny.safetensors"), str(pictures), str(targets[0])]
    assert runner.invoke(app, [*words, "--backend", "torch"]).exit_code == 0
    code = (
        "import sys; from segnet_res.cli import app\n"
        "app(sys.argv[1:], standalone_mode=False)\n"
        "print([name for name in ('torch', 'torchvision') if name in sys.modules])"
    )
    words = ["predict", str(tiny_exports / name), str(pictures), str(targets[1])]
    command = [sys.executable, "-c", code, *words, "--save", "masks,overlays"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
    for stem in ("a", "b", "d", "nested/c"):
        expected, found = (read_image(target / f"masks/{stem}.png", 1) for target in targets)
        assert np.array_equal(found, expected)


def test_what_is_for_int8_alone_is_not_passed_over(runner, tiny_checkpoint, tmp_path):
    target = tmp_path / "x.xml"
    result = runner.invoke(
        app, ["export", str(tiny_checkpoint), str(target), "--calibrate", str(tmp_path)]
    )
    assert result.exit_code == 2
    assert "add --int8 or leave it out" in result.stderr
    assert not target.exists()


def test_another_precision_is_another_result(runner, tiny_exports, tiny_dataset, tmp_path):
    said = []
    for precision in ("float32", "bfloat16", "bfloat16"):
        command = ["predict", str(tiny_exports / "tiny.xml"), str(tiny_dataset / "images")]
        options = ["--backend", "openvino", "--precision", precision]
        result = runner.invoke(app, [*command, str(tmp_path / "out"), *options])
        assert result.exit_code == 0, result.output
        said.append(result.stdout.split(";")[0])
    assert said == ["4 pictures: 4 segmented"] * 2 + [
        "4 pictures: 0 segmented, 4 were there already (--overwrite makes them again)"
    ]


def test_train_takes_no_export(runner, tiny_exports, tiny_dataset, tmp_path):
    words = ["train", str(tiny_dataset), "--out", str(tmp_path / "run")]
    result = runner.invoke(app, [*words, "--start", str(tiny_exports / "tiny.onnx")])
    assert result.exit_code == 2
    assert "tiny.onnx: is an export, from which no model can be built again; give" in result.stderr
