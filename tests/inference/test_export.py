"""Exports that answer like the checkpoint, and exports that are refused."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from segnet_res.checkpoint import Checkpoint, Metadata, read_metadata, short_hash
from segnet_res.classes import ClassMap
from segnet_res.cli import app
from segnet_res.errors import CheckpointError, DataError, StorageError, UsageError
from segnet_res.exported import Form, read_form
from segnet_res.images import write_image
from segnet_res.inference import Segmenter, export
from segnet_res.inference.export import check_export, export_checkpoint
from segnet_res.inference.export_graph import write_graph
from segnet_res.models import build_model


@pytest.fixture(autouse=True)
def _packages():
    for name in ("onnx", "onnxscript", "onnxruntime", "openvino"):
        pytest.importorskip(name, reason=f"exports need {name}")


@pytest.fixture
def copied(tiny_exports, monkeypatch):
    """Copy what the fixture wrote of this checkpoint: writing takes seconds."""

    def write(_checkpoint, form, target):
        assert form == Form(f"tiny {short_hash(tiny_exports / 'tiny.safetensors')}")
        for suffix in (".onnx",) if target.suffix == ".onnx" else (".xml", ".bin"):
            shutil.copy(tiny_exports / f"tiny{suffix}", target.with_suffix(suffix))

    monkeypatch.setattr(export, "write_graph", write)


@pytest.fixture
def quickly(monkeypatch):
    """Compare on a tenth of the drawn parts, which is still more than 100,000 pixels."""
    parts = list(export.drawn_parts(1))
    monkeypatch.setattr(export, "drawn_parts", lambda _channels: parts[3:6])


def test_export_for_openvino(runner, quickly, tiny_checkpoint, tmp_path):
    target = tmp_path / "new" / "tiny.xml"
    pictures = tmp_path / "pictures"
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 1), np.uint8)
    write_image(pictures / "a.png", noise)
    arguments = ["export", str(tiny_checkpoint), str(target), "--check", str(pictures)]
    result = runner.invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    written, drawn, given = result.stdout.splitlines()
    assert written == f"{target} and {target.with_suffix('.bin')}: written, 1.0 MB"
    assert drawn.startswith("drawn parts: all 130,146 pixels get the same label; confidence diff")
    assert given.startswith(f"{pictures}: all 2,000 pixels get the same label; confidence differs")
    assert sorted(path.name for path in target.parent.iterdir()) == ["tiny.bin", "tiny.xml"]
    assert read_form(target).source == f"tiny {short_hash(tiny_checkpoint)}"
    assert read_metadata(target) == read_metadata(tiny_checkpoint)

    again = runner.invoke(app, arguments)
    assert again.exit_code == 2
    assert again.stderr == (
        f"error: {target}: is there already; choose another name, or overwrite it\n"
    )
    assert runner.invoke(app, [*arguments, "--overwrite", "--argmax"]).exit_code == 0
    assert read_form(target).labels


def test_export_as_onnx(quickly, copied, tiny_exports, tmp_path):
    import onnx

    target = tmp_path / "tiny.onnx"
    done = export_checkpoint(tiny_exports / "tiny.safetensors", target)
    assert done.files == (target,)
    assert (done.drawn.different, done.given) == (0, None)
    content = onnx.load(target)
    shape = content.graph.input[0].type.tensor_type.shape
    assert [bool(size.dim_param) for size in shape.dim] == [True, False, True, True]
    # Operators that OpenVINO has no fast kernels for.
    operators = {node.op_type for node in content.graph.node}
    assert "MaxPool" in operators
    assert not operators & {"ScatterElements", "ScatterND", "GatherElements"}
    assert all(len(node.output) == 1 for node in content.graph.node if node.op_type == "MaxPool")


def test_a_peer_is_exported_too(tmp_path):
    torch.manual_seed(0)
    model = build_model("smp:unet-resnet18", num_classes=2, channels=3)
    names = ClassMap.from_names(["sound", "dent"])
    metadata = Metadata("smp:unet-resnet18", names, 3, (127.5,) * 3, (64.0,) * 3)
    checkpoint = Checkpoint(metadata, model.state_dict())
    write_graph(checkpoint, Form("unet"), tmp_path / "unet.xml")
    image = np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)
    expected = Segmenter.of_model(
        checkpoint.build_model(), names, channels=3, device=torch.device("cpu")
    ).predict(image)
    found = Segmenter.from_checkpoint(tmp_path / "unet.xml").predict(image)
    assert np.array_equal(found.labels, expected.labels)
    np.testing.assert_allclose(found.confidence, expected.confidence, atol=1e-4)


@pytest.fixture
def turned(monkeypatch):
    """As if an exporter had turned a sign: what was the first class becomes the second."""

    def write(checkpoint, form, target):
        tensors = {
            name: -tensor if name.startswith("classifier.") else tensor
            for name, tensor in checkpoint.tensors.items()
        }
        write_graph(replace(checkpoint, tensors=tensors), form, target)

    monkeypatch.setattr(export, "write_graph", write)


def test_other_labels_are_refused(quickly, turned, tiny_checkpoint, tmp_path):
    target = tmp_path / "new" / "bad.xml"
    message = (
        r"^bad\.xml: nothing was written, because \d+,\d+ of 130,146 pixels get another label, "
        r"and 1 may; the first in drawn part 4, row 0, column \d+: (sound|scratch) instead of "
        r"(sound|scratch); upgrade the packages that export, or use the checkpoint as it is$"
    )
    with pytest.raises(CheckpointError, match=message):
        export_checkpoint(tiny_checkpoint, target)
    assert not target.parent.exists()


def test_given_pictures_are_held_to_the_limit_by_themselves(
    quickly, copied, tiny_checkpoint, tmp_path, monkeypatch
):
    # Right on all pictures but white ones, as after a damage to few values.
    open_export = export.open_export

    def opened(path):
        runtime, metadata = open_export(path)
        answer = runtime.logits

        def wrong_on_white(images):
            values = answer(images)
            return values[:, ::-1] if (images == 255).all() else values

        runtime.logits = wrong_on_white
        return runtime, metadata

    monkeypatch.setattr(export, "open_export", opened)
    write_image(tmp_path / "pictures" / "white.png", np.full((5, 6, 1), 255, np.uint8))
    message = (
        r"(2\d|30) of 30 pixels get another label, and 0 may; the first in white\.png, row 0, col"
    )
    with pytest.raises(CheckpointError, match=message):
        export_checkpoint(tiny_checkpoint, tmp_path / "x.xml", pictures=tmp_path / "pictures")
    assert not list(tmp_path.glob("x.*"))
    with pytest.raises(DataError, match="no pictures here"):
        export_checkpoint(tiny_checkpoint, tmp_path / "x.xml", pictures=tmp_path / "missing")
    assert not list(tmp_path.glob("x.*"))


def test_a_model_that_is_not_numbers(quickly, tiny_checkpoint, tmp_path):
    checkpoint = Checkpoint.load(tiny_checkpoint)
    checkpoint.tensors["classifier.bias"][0] = torch.nan
    checkpoint.save(tiny_checkpoint)
    message = r"^x\.xml: nothing was written, because of drawn part 4: the answer holds values th"
    with pytest.raises(CheckpointError, match=message):
        export_checkpoint(tiny_checkpoint, tmp_path / "x.xml")


def test_a_model_that_cannot_be_exported(tiny_checkpoint, tmp_path, monkeypatch):
    def fail(*_args, **_options):
        # As the exporter of torch does: advice in colour around what went wrong.
        cause = RuntimeError("\x1b[31munsupported\x1b[0m\noperator")
        raise ValueError("\x1b[96mFailed to convert\x1b[0m. Next steps:" + 50 * " read") from cause

    monkeypatch.setattr(torch.onnx, "export", fail)
    message = r"cannot be written as \.onnx \(RuntimeError: unsupported operator\); upgrade torch"
    with pytest.raises(CheckpointError, match=message):
        export_checkpoint(tiny_checkpoint, tmp_path / "x.onnx")
    assert not list(tmp_path.glob("x.*"))


def test_an_export_is_not_exported(tiny_exports, tmp_path):
    with pytest.raises(CheckpointError, match=r"tiny\.xml: is an export, from which no model can"):
        export_checkpoint(tiny_exports / "tiny.xml", tmp_path / "x.xml")


def test_another_suffix(tmp_path):
    message = r"x\.pt: an export ends in \.onnx, or in \.xml for OpenVINO; choose such a name"
    with pytest.raises(UsageError, match=message):
        check_export(tmp_path / "x.pt", overwrite=False)


@pytest.mark.parametrize("present", ["x.xml", "x.bin"])
def test_a_file_that_is_there(tmp_path, present):
    (tmp_path / present).write_text("")
    message = rf"{present}: is there already; choose another name, or overwrite"
    with pytest.raises(StorageError, match=message):
        check_export(tmp_path / "x.xml", overwrite=False)


@pytest.mark.parametrize("present", ["x.xml", "x.bin"])
def test_a_folder_that_is_there(tmp_path, present):
    (tmp_path / present).mkdir()
    with pytest.raises(StorageError, match=rf"{present}: is a folder; choose another name"):
        check_export(tmp_path / "x.xml", overwrite=True)


@pytest.mark.parametrize(
    ("suffix", "package", "extra"), [(".onnx", "onnxscript", "onnx"), (".xml", *["openvino"] * 2)]
)
def test_a_missing_package(tmp_path, monkeypatch, suffix, package, extra):
    monkeypatch.setitem(sys.modules, package, None)
    message = (
        rf"the package {package} is missing, which an export as {suffix} needs; "
        rf"install it with: pip install 'segnet-res\[{extra}\]'"
    )
    with pytest.raises(UsageError, match=message):
        check_export(tmp_path / f"x{suffix}", overwrite=False)


def test_no_room(quickly, copied, tiny_checkpoint, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot be written \(File exists\); free some"):
        export_checkpoint(tiny_checkpoint, tmp_path / "file" / "x.xml")


def test_neither_backend_reports_its_use(tiny_checkpoint, tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("openvino")
    # In a process of its own, with an empty home: what reports its use notes there who it is.
    program = """
import sys
from pathlib import Path
from segnet_res.cli import app
from segnet_res.inference import export
parts = list(export.drawn_parts(1))[3:6]  # as `quickly` does
export.drawn_parts = lambda _channels: parts
for name in ("x.onnx", "x.xml"):
    assert app(["export", sys.argv[1], name], standalone_mode=False) in (None, 0)
assert sys.modules["openvino_telemetry"] is None
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tiny_checkpoint)],
        cwd=tmp_path,
        env=os.environ | {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / ".cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    made = {path.name for path in tmp_path.rglob("*")}
    assert {"x.onnx", "x.xml"} <= made
    assert not made & {"Microsoft", "intel", ".onnxruntime", "openvino_ga_cid", "deviceid"}
