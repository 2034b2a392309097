"""ONNX files that answer like the checkpoint, and exports that are refused."""

import json
import sys

import numpy as np
import pytest
import torch

from segnet_res.checkpoint import Checkpoint
from segnet_res.cli import app
from segnet_res.errors import CheckpointError, StorageError, UsageError
from segnet_res.inference import export
from segnet_res.inference.export import check_export, export_onnx


@pytest.fixture
def onnxruntime():
    for name in ("onnx", "onnxscript"):
        pytest.importorskip(name)
    return pytest.importorskip("onnxruntime")


def test_export(runner, onnxruntime, tiny_checkpoint, tmp_path):
    target = tmp_path / "new" / "tiny.onnx"
    result = runner.invoke(app, ["export", str(tiny_checkpoint), str(target)])
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith(f"{target}: written and compared; logits differ by ")
    assert [path.name for path in target.parent.iterdir()] == ["tiny.onnx"]

    session = onnxruntime.InferenceSession(target, providers=["CPUExecutionProvider"])
    text = session.get_modelmeta().custom_metadata_map[export.METADATA_KEY]
    assert json.loads(text)["class_map"]["classes"][1]["name"] == "scratch"

    images = np.random.default_rng(5).integers(0, 256, (3, 1, 45, 70), dtype=np.uint8)
    (found,) = session.run(["logits"], {"images": images})
    with torch.inference_mode():
        expected = Checkpoint.load(tiny_checkpoint).build_model()(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-3 * np.abs(expected).max())

    again = runner.invoke(app, ["export", str(tiny_checkpoint), str(target)])
    assert again.exit_code == 2
    assert again.stderr == (
        f"error: {target}: is there already; choose another name, or overwrite it\n"
    )


class Ramp(torch.nn.Module):
    """Two logits of opposite sign: brighter than 100, or, with sign -1, darker."""

    def __init__(self, sign=1):
        super().__init__()
        self.sign = sign

    def forward(self, images):
        bright = self.sign * (images.float() - 100)
        return torch.cat([-bright, bright], dim=1)


def test_other_labels_are_refused(onnxruntime, tiny_checkpoint, tmp_path, monkeypatch):
    checkpoint = Checkpoint.load(tiny_checkpoint)
    monkeypatch.setattr(checkpoint, "build_model", Ramp)
    assert export_onnx(checkpoint, tmp_path / "good.onnx") == 0
    # As if the exporter had turned a sign.
    write = export._write
    monkeypatch.setattr(
        export, "_write", lambda _model, channels, path: write(Ramp(-1), channels, path)
    )
    with pytest.raises(CheckpointError, match=r"another label; nothing was written: upgrade torch"):
        export_onnx(checkpoint, tmp_path / "bad.onnx")
    assert [path.name for path in tmp_path.glob("*.onnx")] == ["good.onnx"]


def test_a_model_that_cannot_be_exported(onnxruntime, tiny_checkpoint, tmp_path, monkeypatch):
    def fail(*_args, **_options):
        raise RuntimeError("unsupported\noperator")

    monkeypatch.setattr(torch.onnx, "export", fail)
    message = r"cannot be written as ONNX \(RuntimeError: unsupported operator\); upgrade"
    with pytest.raises(CheckpointError, match=message):
        export_onnx(Checkpoint.load(tiny_checkpoint), tmp_path / "x.onnx")


def test_another_suffix(tmp_path):
    with pytest.raises(UsageError, match=r"x\.pt: an export ends in \.onnx; choose such a name"):
        check_export(tmp_path / "x.pt", overwrite=False)


def test_a_file_that_is_there(tmp_path):
    (tmp_path / "x.onnx").write_text("")
    with pytest.raises(StorageError, match="is there already; choose another name, or overwrite"):
        check_export(tmp_path / "x.onnx", overwrite=False)


def test_a_missing_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    monkeypatch.setitem(sys.modules, "onnx", sys)
    monkeypatch.setitem(sys.modules, "onnxruntime", sys)
    message = r"the package onnxscript is missing, .*; install it with: pip install 'segnet-res\["
    with pytest.raises(UsageError, match=message):
        check_export(tmp_path / "x.onnx", overwrite=False)
