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


def test_train_takes_no_export(runner, tiny_exports, tiny_dataset, tmp_path):
    words = ["train", str(tiny_dataset), "--out", str(tmp_path / "run")]
    result = runner.invoke(app, [*words, "--start", str(tiny_exports / "tiny.onnx")])
    assert result.exit_code == 2
    assert "tiny.onnx: is an export, from which no model can be built again; give" in result.stderr
