"""Exports in place of a checkpoint: the same answers, and no torch."""

import shutil
import subprocess
import sys

import numpy as np
import pytest

from segnet_res.checkpoint import Checkpoint
from segnet_res.errors import CheckpointError, DeviceError, UsageError
from segnet_res.exported import Form
from segnet_res.inference import Segmenter
from segnet_res.inference.export_graph import write_graph
from segnet_res.inference.exported_runtime import ExportedRuntime
from segnet_res.inference.opening import open_export
from segnet_res.inference.runtime import MIRRORS, NumpyRuntime

FILES = [("tiny.onnx", "onnxruntime"), ("tiny.onnx", "openvino"), ("tiny.xml", "openvino")]


def pictures(count, height, width, channels=1):
    shape = (count, height, width, channels)
    return np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture(scope="session")
def other_forms(tiny_exports, tmp_path_factory):
    """The tiny model with its ends otherwise: labels come out, or normalised pixels go in."""
    folder = tmp_path_factory.mktemp("forms")
    checkpoint = Checkpoint.load(tiny_exports / "tiny.safetensors")
    write_graph(checkpoint, Form("tiny", labels=True), folder / "labels.xml")
    write_graph(checkpoint, Form("tiny", normalised=False), folder / "normalised.xml")
    return folder


@pytest.mark.parametrize(("name", "backend"), FILES)
def test_predictions_are_those_of_the_checkpoint(tiny_exports, name, backend):
    expected = Segmenter.from_checkpoint(tiny_exports / "tiny.safetensors", "cpu", "torch")
    found = Segmenter.from_checkpoint(tiny_exports / name, backend=backend)
    assert (found.backend, found.device) == (backend, f"CPU ({backend})")
    assert (found.class_map, found.channels) == (expected.class_map, 1)
    for height, width in ((64, 96), (45, 70), (1, 1)):
        batch = list(pictures(2, height, width))
        for mine, right in zip(
            found.predict_batch(batch), expected.predict_batch(batch), strict=True
        ):
            assert np.array_equal(mine.labels, right.labels)
            np.testing.assert_allclose(mine.confidence, right.confidence, atol=1e-4)


@pytest.mark.parametrize(("name", "backend"), FILES)
def test_tiles_and_mirror_images(tiny_exports, name, backend):
    options = {"tile": 128, "overlap": 32, "flips": True}
    image = pictures(1, 150, 210)[0]
    checkpoint = tiny_exports / "tiny.safetensors"
    expected = Segmenter.from_checkpoint(checkpoint, "cpu", "torch", **options)
    found = Segmenter.from_checkpoint(tiny_exports / name, backend=backend, **options)
    assert np.array_equal(found.predict(image).labels, expected.predict(image).labels)
    apart = np.abs(found.disagreement(image) - expected.disagreement(image))
    assert apart.max() < 1e-3


@pytest.mark.parametrize("form", ["labels", "normalised"])
def test_other_ends_give_the_same_predictions(tiny_exports, other_forms, form):
    expected = Segmenter.from_checkpoint(tiny_exports / "tiny.safetensors", "cpu", "torch")
    found = Segmenter.from_checkpoint(other_forms / f"{form}.xml")
    image = pictures(1, 75, 50)[0]
    mine, right = found.predict(image), expected.predict(image)
    assert np.array_equal(mine.labels, right.labels)
    np.testing.assert_allclose(mine.confidence, right.confidence, atol=1e-4)


def test_labels_are_not_averaged(other_forms):
    segmenter = Segmenter.from_checkpoint(other_forms / "labels.xml", flips=True)
    message = r"labels\.xml: gives labels, which cannot be averaged over mirror images; do without"
    with pytest.raises(UsageError, match=message):
        segmenter.predict(pictures(1, 32, 32)[0])


def test_openvino_decides_as_numpy_does(tiny_exports):
    runtime = open_export(tiny_exports / "tiny.xml")[0]
    rng = np.random.default_rng(0)
    # Few values, so that there are ties; a slice, as tiles are.
    logits = rng.integers(-2, 3, (3, 40, 50)).astype(np.float32)[:, 5:, :-7]
    labels, confidence = runtime.decide(logits)
    expected, sure = NumpyRuntime().decide(logits)
    assert (labels.dtype, confidence.dtype) == (np.uint8, np.float32)
    assert np.array_equal(labels, expected)
    np.testing.assert_allclose(confidence, sure, rtol=1e-5)
    # A tie, logarithms of 1, 3 and 1, and what is no number in one of the classes.
    logits = np.log(np.array([[2, 1, np.nan], [2, 3, 1], [1, 1, 1]], np.float32))[:, None]
    labels, confidence = runtime.decide(logits)
    assert labels[0, :2].tolist() == [0, 1]
    np.testing.assert_allclose(confidence, [[0.4, 0.6, np.nan]], rtol=1e-6)


class Spoken(ExportedRuntime):
    """A runtime whose network is a list of outputs, or raises."""

    backend = "spoken"

    def __init__(self, tiny_exports, outputs, **form):
        from segnet_res.checkpoint import read_metadata

        metadata = read_metadata(tiny_exports / "tiny.safetensors")
        super().__init__(tiny_exports / "tiny.onnx", metadata, Form("tiny", **form))
        self.outputs = outputs
        self.pixels = None

    def run(self, pixels):
        self.pixels = pixels
        if isinstance(self.outputs, Exception):
            raise self.outputs
        return self.outputs


@pytest.mark.parametrize("mirror", MIRRORS)
def test_mirrored_pictures_go_in_and_answers_come_back_turned(tiny_exports, mirror):
    answer = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)
    runtime = Spoken(tiny_exports, [answer])
    images = np.arange(12, dtype=np.uint8).reshape(1, 3, 4, 1)
    logits = runtime.logits(images, mirror)
    assert np.array_equal(runtime.pixels[0, 0], np.flip(images, mirror)[0, ..., 0])
    assert np.array_equal(logits, np.flip(answer, [axis + 1 for axis in mirror]))


def test_normalised_pixels(tiny_exports):
    runtime = Spoken(tiny_exports, [np.zeros((1, 2, 1, 2), np.float32)], normalised=False)
    # The mean is 60, the standard deviation 50.
    runtime.logits(np.array([[[[10], [160]]]], np.uint8))
    assert runtime.pixels.dtype == np.float32
    assert runtime.pixels.tolist() == [[[[-1, 2]]]]


def test_labels_and_confidence_come_back_as_they_are(tiny_exports):
    labels = np.array([[[0, 1, 1, 1, 0]]], np.uint8)
    sure = np.array([[[0.5, 0.5, 0.75, 1, 1]]], np.float32)
    runtime = Spoken(tiny_exports, [labels, sure], labels=True)
    logits = runtime.logits(np.zeros((1, 1, 5, 1), np.uint8))
    assert logits.shape == (1, 2, 1, 5)
    again, confidence = runtime.decide(logits[0])
    assert again.tolist() == labels[0].tolist()
    np.testing.assert_allclose(confidence, sure[0], rtol=1e-6)


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (RuntimeError("std::bad_alloc"), DeviceError, "cpu: memory ran out on 7x5 pixels; use sm"),
        (MemoryError(), DeviceError, "cpu: memory ran out on 7x5 pixels; use smaller tiles"),
        (
            RuntimeError("shapes\n differ"),
            CheckpointError,
            r"tiny\.onnx: spoken cannot run it \(shapes differ\); use the checkpoint as it is",
        ),
    ],
)
def test_what_a_library_raises(tiny_exports, error, kind, message):
    runtime = Spoken(tiny_exports, error)
    with pytest.raises(kind, match=message):
        runtime.logits(np.zeros((1, 5, 7, 1), np.uint8))


@pytest.mark.parametrize("name", ["tiny.onnx", "tiny.xml"])
def test_torch_is_not_imported(tiny_exports, name):
    code = (
        "import sys, numpy as np; from segnet_res import Segmenter\n"
        f"segmenter = Segmenter.from_checkpoint({str(tiny_exports / name)!r})\n"
        "print(segmenter.predict(np.zeros((40, 50), np.uint8)).labels.shape)\n"
        "print([name for name in ('torch', 'torchvision') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("(40, 50)\n[]\n", "")


@pytest.mark.parametrize(
    ("name", "options", "kind", "message"),
    [
        ("tiny.xml", {"backend": "onnxruntime"}, UsageError, "export, which onnxruntime does not "),
        ("tiny.onnx", {"backend": "torch"}, UsageError, "is an export, which torch does not read"),
        ("tiny.onnx", {"backend": "tflite"}, UsageError, "backend 'tflite' is unknown; choose"),
        ("tiny.onnx", {"device": "tpu"}, UsageError, "device 'tpu' is unknown; choose auto, cpu"),
        ("tiny.onnx", {"device": "cuda"}, DeviceError, "device cuda: onnxruntime runs on the CPU"),
        ("tiny.xml", {"precision": "float16"}, UsageError, "precision float16: openvino does not"),
        (
            "tiny.onnx",
            {"backend": "onnxruntime", "precision": "bfloat16"},
            UsageError,
            r"precision bfloat16: onnxruntime computes as tiny\.onnx was written; choose float32",
        ),
    ],
)
def test_what_does_not_go_together(tiny_exports, name, options, kind, message):
    with pytest.raises(kind, match=message):
        Segmenter.from_checkpoint(tiny_exports / name, **options)


@pytest.mark.parametrize(("name", "backend"), FILES)
def test_a_damaged_network(tiny_exports, tmp_path, name, backend):
    shutil.copytree(tiny_exports, tmp_path, dirs_exist_ok=True)
    path = tmp_path / name
    content = path.read_bytes()
    if name == "tiny.xml":
        path.write_bytes(content.replace(b'type="Convolution"', b'type="Convolusion"'))
    else:
        path.write_bytes(content.replace(b"\x04Conv", b"\x04Konv"))
    message = rf"{name}: {backend} cannot load it \(.+\); copy it again"
    with pytest.raises(CheckpointError, match=message):
        Segmenter.from_checkpoint(path, backend=backend)


@pytest.mark.parametrize(("name", "backend"), FILES)
def test_a_missing_package(tiny_exports, monkeypatch, name, backend):
    monkeypatch.setitem(sys.modules, backend, None)
    message = rf"the package {backend} is missing, .*; install it with: pip install 'segnet-res\["
    with pytest.raises(UsageError, match=message):
        Segmenter.from_checkpoint(tiny_exports / name, backend=backend)


def test_auto_takes_what_is_installed(tiny_exports, monkeypatch):
    from segnet_res.inference import opening

    find = opening.find_spec
    assert Segmenter.from_checkpoint(tiny_exports / "tiny.onnx").backend == "onnxruntime"
    monkeypatch.setattr(opening, "find_spec", lambda name: name != "onnxruntime" and find(name))
    assert Segmenter.from_checkpoint(tiny_exports / "tiny.onnx").backend == "openvino"


def test_signals_arrive_after_openvino_runtimes_have_gone(tiny_checkpoint, tmp_path):
    """In a process of its own, because what went wrong here ended it."""
    pytest.importorskip("openvino")
    for name in ("one.xml", "other.xml"):
        write_graph(Checkpoint.load(tiny_checkpoint), Form("tiny"), tmp_path / name)
    script = """
import gc, os, signal, sys
from segnet_res import Segmenter
signal.signal(signal.SIGUSR1, lambda *_: print("arrived", flush=True))
first = Segmenter.from_checkpoint(sys.argv[1])
second = Segmenter.from_checkpoint(sys.argv[2])
del first
gc.collect()
del second
gc.collect()
os.kill(os.getpid(), signal.SIGUSR1)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "one.xml", tmp_path / "other.xml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "arrived\n"), done.stderr
