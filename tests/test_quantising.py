"""Exports in 8-bit integers: what they cost is measured, and too much is refused."""

import logging
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from segnet_res import Segmenter, quantising
from segnet_res.cli import app
from segnet_res.errors import CheckpointError, DataError, UsageError
from segnet_res.exported import read_form
from segnet_res.images import write_image
from segnet_res.inference.export_parity import Batch
from segnet_res.quantising import quantise_checkpoint


@pytest.fixture(autouse=True)
def _quickly(tiny_exports, monkeypatch):
    """Writing ONNX takes seconds: what the fixture wrote is this checkpoint."""
    monkeypatch.setattr(
        quantising,
        "write_graph",
        lambda _checkpoint, _form, target: shutil.copy(tiny_exports / "tiny.onnx", target),
    )
    noise = np.random.default_rng(0).integers(0, 256, (1, 40, 50, 1), np.uint8)
    monkeypatch.setattr(quantising, "drawn_parts", lambda _channels: [Batch("noise", noise)])


@pytest.fixture
def pictures(tmp_path):
    rng = np.random.default_rng(2)
    for name in "abcde":
        write_image(
            tmp_path / "pictures" / f"{name}.png", rng.integers(0, 256, (40, 64, 1), np.uint8)
        )
    return tmp_path / "pictures"


def test_int8_by_a_dataset(runner, tiny_checkpoint, tiny_dataset, tmp_path):
    target = tmp_path / "tiny.xml"
    arguments = ["export", str(tiny_checkpoint), str(target), "--int8", "--max-drop", "100"]
    result = runner.invoke(app, [*arguments, "--calibrate", str(tiny_dataset)])
    assert result.exit_code == 0, result.stderr
    written, heading, before, after = result.stdout.splitlines()
    assert written.startswith(f"{target} and {target.with_suffix('.bin')}: written, ")
    assert heading == (
        "mIoU against the masks of the split val of tiny; time of 32x32 pixels by openvino"
    )
    assert before.startswith("float32  mIoU ")
    assert after.startswith("int8     mIoU ")
    form = read_form(target)
    assert (form.precision, len(form.weights)) == ("int8", 64)
    # Weights of a byte each instead of four.
    floats = (tmp_path / "tiny.bin").stat().st_size
    assert floats < 0.5 * tiny_checkpoint.stat().st_size


def test_int8_by_a_folder(tiny_checkpoint, pictures, tmp_path):
    handlers, disabled = logging.root.handlers[:], logging.root.manager.disable
    target = tmp_path / "tiny.onnx"
    done = quantise_checkpoint(tiny_checkpoint, target, pictures, max_drop=100)
    assert done.files == (target,)
    assert done.against == "the labels of the checkpoint itself on 2 pictures"
    assert (done.size, done.backend) == ((40, 64), "onnxruntime")
    # Its own labels are the truth.
    assert done.before.miou == 1
    assert 0 < done.after.miou <= 1
    assert done.after.bytes == target.stat().st_size < 0.6 * done.before.bytes
    assert done.before.seconds > 0
    assert (logging.root.handlers, logging.root.manager.disable) == (handlers, disabled)
    image = np.full((33, 47, 1), 200, np.uint8)
    found = Segmenter.from_checkpoint(target).predict(image)
    assert found.labels.shape == (33, 47)


@pytest.mark.parametrize(("max_drop", "written"), [(0.5, False), (1.5, True)])
def test_a_loss_is_limited(tiny_checkpoint, tiny_dataset, tmp_path, monkeypatch, max_drop, written):
    scores = iter([0.8125, 0.8])
    monkeypatch.setattr(
        quantising, "evaluate", lambda _model, _dataset: SimpleNamespace(miou=next(scores))
    )
    target = tmp_path / "new" / "tiny.onnx"
    if written:
        done = quantise_checkpoint(tiny_checkpoint, target, tiny_dataset, max_drop=max_drop)
        assert (done.before.miou, done.after.miou) == (0.8125, 0.8)
        return
    message = (
        r"^tiny\.onnx: nothing was written, because mIoU falls from 81\.25 % to 80\.00 % by int8, "
        r"and 0\.5 points may be lost; calibrate on more pictures like those that it will see, "
    )
    with pytest.raises(CheckpointError, match=message):
        quantise_checkpoint(tiny_checkpoint, target, tiny_dataset, max_drop=max_drop)
    assert not target.parent.exists()


def test_calibration_and_comparison_are_of_different_pictures(tiny_checkpoint, pictures):
    from segnet_res.checkpoint import Checkpoint

    seen = []
    checkpoint = Checkpoint.load(tiny_checkpoint)
    found = quantising._pictures(checkpoint, pictures, "val")
    calibrating = list(found.calibrating())
    model = SimpleNamespace(
        class_map=checkpoint.metadata.class_map,
        predict=lambda image: seen.append(image) or SimpleNamespace(labels=image[..., 0] % 2),
    )
    assert found.score(model, model) == 1
    assert len(calibrating) == 3
    assert len(seen) == 4
    assert not any(np.array_equal(image, other) for image in seen for other in calibrating)


def test_evenly_spread():
    assert quantising._some(range(5), 10) == [0, 1, 2, 3, 4]
    assert quantising._some(range(10), 4) == [0, 3, 6, 9]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--int8"], "--int8 needs pictures such as the model will see; give --calibrate with a d"),
        (
            ["--int8", "--calibrate", "x", "--check", "y"],
            "--check compares labels one by one, which --int8 changes within --max-drop; leave",
        ),
        (["--int8", "--calibrate", "x", "--max-drop", "-1"], "max-drop is -1.0; give the points"),
        (["--int8", "--calibrate", "x"], "x: no pictures here; give a dataset, or a folder of pi"),
    ],
)
def test_options_that_make_no_sense(runner, tiny_checkpoint, tmp_path, options, message):
    target = tmp_path / "x.onnx"
    result = runner.invoke(app, ["export", str(tiny_checkpoint), str(target), *options])
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {message}")
    assert not target.exists()


def test_a_dataset_that_does_not_fit(tiny_checkpoint, tiny_dataset, tmp_path):
    target = tmp_path / "x.onnx"
    (tiny_dataset / "splits" / "train.txt").write_text("")
    with pytest.raises(DataError, match=r"the split 'train' is empty, whose pictures calibrate"):
        quantise_checkpoint(tiny_checkpoint, target, tiny_dataset)
    with pytest.raises(DataError, match=r"tiny: the split 'test' is empty; choose another split"):
        quantise_checkpoint(tiny_checkpoint, target, tiny_dataset, split="test")
    content = yaml.safe_load((tiny_dataset / "dataset.yaml").read_text())
    content["classes"][1]["name"] = "dent"
    (tiny_dataset / "dataset.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(DataError, match="classes differ: the checkpoint lacks dent"):
        quantise_checkpoint(tiny_checkpoint, target, tiny_dataset)


def test_a_quantiser_that_fails(tiny_checkpoint, pictures, tmp_path, monkeypatch):
    import onnxruntime.quantization

    def fail(*_args, **_options):
        raise ValueError("no\nranges")

    monkeypatch.setattr(onnxruntime.quantization, "quantize_static", fail)
    message = r"the model cannot be quantised \(ValueError: no ranges\); export it without --int8"
    with pytest.raises(CheckpointError, match=message):
        quantise_checkpoint(tiny_checkpoint, tmp_path / "x.onnx", pictures)
    assert not (tmp_path / "x.onnx").exists()


def test_a_missing_package(tiny_checkpoint, pictures, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(UsageError, match="the package onnxscript is missing, which an export as "):
        quantise_checkpoint(tiny_checkpoint, tmp_path / "x.xml", pictures)
