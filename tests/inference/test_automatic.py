"""The backend that is chosen, and conversions that are made once."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from segnet_res import Segmenter
from segnet_res.errors import CheckpointError, DeviceError, UsageError
from segnet_res.inference import automatic, export
from segnet_res.inference.automatic import prepare_backend, recall_backend
from segnet_res.inference.conversions import cache_folder

pytest.importorskip("openvino", reason="conversions need openvino")

IMAGE = np.random.default_rng(1).integers(0, 256, (40, 50, 1), np.uint8)


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def made(monkeypatch, tiny_exports):
    """The backends that a conversion was made for: OpenVINO alone, and copied, to save seconds."""
    found = []

    def convert(_path, folder, backend):
        found.append(backend)
        shutil.copy(tiny_exports / "tiny.xml", folder / "model.xml")
        return Path(shutil.copy(tiny_exports / "tiny.bin", folder / "model.bin")).with_suffix(
            ".xml"
        )

    monkeypatch.setattr(automatic, "_convert", convert)
    monkeypatch.setattr(automatic, "_candidates", lambda _precision: ["openvino"])
    return found


@pytest.fixture
def rates(monkeypatch):
    """What the backends are measured at, for tests to change."""
    seconds = {"torch": 0.5, "openvino": 0.25}
    monkeypatch.setattr(
        automatic,
        "_measure",
        lambda runtimes, _channels: {name: seconds[name] for name in runtimes},
    )
    return seconds


def labels(path, **options):
    return Segmenter.from_checkpoint(path, "cpu", **options).predict(IMAGE).labels


def test_the_fastest_is_chosen_once(tiny_checkpoint, rates, made):
    assert recall_backend(tiny_checkpoint, device="cpu", precision="float32") is None
    assert Segmenter.from_checkpoint(tiny_checkpoint, "cpu").backend == "torch"
    assert made == []
    told = []
    options = {"device": "cpu", "on_begin": lambda: told.append(list(made))}
    choice = prepare_backend(tiny_checkpoint, **options)
    assert (choice.backend, choice.seconds, choice.refused) == ("openvino", rates, {})
    assert prepare_backend(tiny_checkpoint, **options) == choice
    assert told == [[]]  # once, before anything was made
    assert recall_backend(tiny_checkpoint, device="cpu", precision="float32") == choice
    assert made == ["openvino"]
    segmenter = Segmenter.from_checkpoint(tiny_checkpoint, "cpu")
    assert (segmenter.backend, segmenter.metadata.data["name"]) == ("openvino", "tiny")
    expected = labels(tiny_checkpoint, backend="torch")
    assert np.array_equal(segmenter.predict(IMAGE).labels, expected)


def test_torch_may_be_the_fastest(tiny_checkpoint, rates):
    rates["openvino"] = 0.75
    choice = prepare_backend(tiny_checkpoint, device="cpu")
    assert (choice.backend, choice.file) == ("torch", None)
    assert Segmenter.from_checkpoint(tiny_checkpoint, "cpu").backend == "torch"


def test_a_backend_that_answers_otherwise_is_not_chosen(tiny_checkpoint, rates, monkeypatch):
    def refuse(*_args):
        raise CheckpointError("7 of 9 pixels get another label")

    monkeypatch.setattr(automatic, "_convert", refuse)
    choice = prepare_backend(tiny_checkpoint, device="cpu")
    assert (choice.backend, choice.seconds) == ("torch", {"torch": 0.5})
    assert choice.refused == {"openvino": "7 of 9 pixels get another label"}


def test_each_backend_is_measured(tiny_checkpoint):
    choice = prepare_backend(tiny_checkpoint, device="cpu")
    assert choice.seconds.keys() == {"torch", "openvino"}
    assert all(0 < seconds < 60 for seconds in choice.seconds.values())
    assert choice.seconds[choice.backend] == min(choice.seconds.values())


def test_what_was_chosen_may_be_gone(tiny_checkpoint, rates, monkeypatch):
    choice = prepare_backend(tiny_checkpoint, device="cpu")
    choice.file.with_suffix(".bin").write_bytes(b"")
    assert recall_backend(tiny_checkpoint, device="cpu", precision="float32") is None
    assert Segmenter.from_checkpoint(tiny_checkpoint, "cpu").backend == "torch"
    # Gone after it was looked up.
    monkeypatch.setattr("segnet_res.inference.opening.recall_backend", lambda *_, **__: choice)
    assert Segmenter.from_checkpoint(tiny_checkpoint, "cpu").backend == "torch"
    monkeypatch.undo()


def test_nothing_to_choose(tiny_checkpoint, tmp_path, made, monkeypatch):
    for path, options in (
        (tmp_path / "x.onnx", {"device": "cpu"}),
        (tiny_checkpoint, {"device": "cuda"}),
        (tmp_path / "missing.safetensors", {"device": "cpu"}),
    ):
        assert prepare_backend(path, **options).backend == "torch"
    monkeypatch.setattr(automatic, "_candidates", lambda _precision: [])
    assert prepare_backend(tiny_checkpoint, device="cpu").backend == "torch"
    assert made == []
    assert not cache_folder().exists()


def test_no_room_for_the_choice(tiny_checkpoint, rates):
    cache_folder().parent.mkdir(parents=True)
    cache_folder().write_text("a file where the folder should be")
    assert prepare_backend(tiny_checkpoint, device="cpu").backend == "torch"
    # Asked for by name it works all the same, and is made each time.
    segmenter = Segmenter.from_checkpoint(tiny_checkpoint, "cpu", "openvino")
    assert segmenter.backend == "openvino"
    assert segmenter.predict(IMAGE).labels.shape == (40, 50)


def test_a_conversion_is_compared_with_its_checkpoint(tiny_checkpoint, tmp_path, monkeypatch):
    monkeypatch.undo()
    compared = []

    def checker(_checkpoint, draft, _name):
        compared.append(draft.suffix)
        return lambda _batches: None

    monkeypatch.setattr(export, "labels_checker", checker)
    file = automatic._convert(tiny_checkpoint, tmp_path, "openvino")
    assert (file, compared) == (tmp_path / "model.xml", [".xml"])
    assert np.array_equal(labels(file), labels(tiny_checkpoint, backend="torch"))


def test_a_backend_by_name_is_converted_once(tiny_checkpoint, made):
    expected = labels(tiny_checkpoint, backend="torch")
    for _ in range(2):
        assert np.array_equal(labels(tiny_checkpoint, backend="openvino"), expected)
    assert labels(tiny_checkpoint, backend="openvino", precision="bfloat16").shape == (40, 50)
    assert made == ["openvino"]
    # It is no choice that `auto` has made.
    assert recall_backend(tiny_checkpoint, device="cpu", precision="float32") is None


def test_a_kept_conversion_needs_no_torch(tiny_checkpoint, rates):
    prepare_backend(tiny_checkpoint, device="cpu")
    code = (
        "import sys, numpy as np; from segnet_res import Segmenter\n"
        f"segmenter = Segmenter.from_checkpoint({str(tiny_checkpoint)!r}, 'cpu')\n"
        "print(segmenter.backend, segmenter.predict(np.zeros((40, 50), np.uint8)).labels.shape)\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("openvino (40, 50)\nFalse\n", "")


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        (
            {"backend": "onnxruntime", "precision": "bfloat16"},
            UsageError,
            "precision bfloat16: onnxruntime does not compute in it on a CPU; choose float32$",
        ),
        (
            {"backend": "openvino", "precision": "float16"},
            UsageError,
            "precision float16: openvino does not .*; choose float32 or bfloat16$",
        ),
        ({"backend": "openvino", "device": "cuda"}, DeviceError, "device cuda: openvino runs on"),
    ],
)
def test_what_does_not_go_together(tiny_checkpoint, options, kind, message):
    with pytest.raises(kind, match=message):
        Segmenter.from_checkpoint(tiny_checkpoint, **options)


def test_what_is_no_checkpoint(tmp_path):
    for name in ("missing.safetensors", "x.safetensors"):
        (tmp_path / "x.safetensors").write_text("none")
        with pytest.raises(CheckpointError, match=rf"{name}: (cannot be read|not a checkpoint)"):
            Segmenter.from_checkpoint(tmp_path / name, "cpu", "openvino")


def test_torch_is_asked_where_there_may_be_a_graphics_card(
    tiny_checkpoint, tmp_path, monkeypatch, made
):
    card = tmp_path / "dxg"
    monkeypatch.setattr(automatic, "_CUDA", (str(card),))
    prepare_backend(tiny_checkpoint, device="auto")
    assert made == ["openvino"]
    assert recall_backend(tiny_checkpoint, device="auto", precision="float32") is not None
    card.touch()
    monkeypatch.setattr("segnet_res.models.resolve_device", lambda _name: torch.device("cuda"))
    assert recall_backend(tiny_checkpoint, device="auto", precision="float32") is None
