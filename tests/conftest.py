"""Fixtures that several tests share."""

import os
import signal
from pathlib import Path

# The models here are tiny: a second thread costs more than it computes. Set before torch starts,
# and inherited by the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

from segnet_res.classes import ClassMap

ROOT = Path(__file__).resolve().parents[1]

# Class 1 is brighter than class 0, so that tiny models have something to find.
TINY_CLASSES = ClassMap.from_names(["sound", "scratch"])
TINY_SIZES = {"a": (32, 32), "b": (37, 45), "nested/c": (64, 48), "d": (33, 32)}
TINY_SPLITS = {"train": ["a", "b"], "val": ["nested/c", "d"]}


def pytest_configure() -> None:
    """Let Ctrl-C reach the processes that tests start.

    A shell starts what it puts into the background with Ctrl-C ignored, which is inherited.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)  # pytest runs without its extension as well
def pytest_xdist_auto_num_workers() -> int:
    """One process more than cores for ``-n auto``: a third of the time is waiting."""
    return min(4, len(os.sched_getaffinity(0)) + 1)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real photographs; tests that need them are skipped where they are missing."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}")
    return folder


@pytest.fixture
def runner() -> CliRunner:
    """Runs commands in this process: ``runner.invoke(segnet_res.cli.app, [...])``."""
    return CliRunner()


@pytest.fixture
def tiny_dataset(tmp_path: Path) -> Path:
    """A grey dataset of four small pictures in train and val, odd sizes and a subfolder."""
    root = tmp_path / "tiny-dataset"
    rng = np.random.default_rng(7)
    for stem, (height, width) in TINY_SIZES.items():
        labels = np.zeros((height, width), np.uint8)
        labels[height // 4 : height // 2, width // 4 : width // 2] = 1
        labels[-1, :] = TINY_CLASSES.ignore_index
        picture = rng.integers(0, 60, (height, width)) + 150 * (labels == 1)
        for folder, pixels in (("images", picture.astype(np.uint8)), ("masks", labels)):
            path = root / folder / f"{stem}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    (root / "splits").mkdir()
    for split, stems in TINY_SPLITS.items():
        (root / "splits" / f"{split}.txt").write_text("".join(f"{stem}\n" for stem in stems))
    content = {"name": "tiny", **TINY_CLASSES.to_dict(), "channels": 1}
    (root / "dataset.yaml").write_text(yaml.safe_dump(content))
    return root


@pytest.fixture
def tiny_checkpoint(tmp_path: Path) -> Path:
    """A checkpoint of an untrained ressegnet-tiny for the classes of `tiny_dataset`."""
    return write_tiny_checkpoint(tmp_path / "tiny.safetensors")


@pytest.fixture(scope="session")
def tiny_exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``tiny.safetensors``, the same as `tiny_checkpoint`, and its exports.

    They are read only; tests are skipped where a package that exports is missing.
    """
    for name in ("onnx", "onnxscript", "onnxruntime", "openvino"):
        pytest.importorskip(name, reason=f"exports need {name}")
    from segnet_res.checkpoint import Checkpoint
    from segnet_res.exported import Form
    from segnet_res.inference.export_graph import write_graph

    folder = tmp_path_factory.mktemp("exports")
    checkpoint = Checkpoint.load(write_tiny_checkpoint(folder / "tiny.safetensors"))
    write_graph(checkpoint, Form("tiny"), folder / "tiny.onnx")
    write_graph(checkpoint, Form("tiny"), folder / "tiny.xml")
    return folder


def write_tiny_checkpoint(path: Path) -> Path:
    """Write the checkpoint of `tiny_checkpoint`."""
    import torch

    from segnet_res.checkpoint import Checkpoint, Metadata
    from segnet_res.models import build_model
    from segnet_res.models.names import RESIDUALS

    torch.manual_seed(0)
    mean, std = (60.0,), (50.0,)
    # As `segnet-res train` makes them; tests/golden is a file of before.
    switches = dict.fromkeys(RESIDUALS, True)
    model = build_model(
        "ressegnet-tiny", num_classes=len(TINY_CLASSES), channels=1, mean=mean, std=std, **switches
    )
    metadata = Metadata(
        architecture="ressegnet-tiny",
        arguments=switches,
        class_map=TINY_CLASSES,
        channels=1,
        mean=mean,
        std=std,
        data={"name": "tiny", "fingerprint": "0" * 64, "images": 2},
        created="2024-01-01T00:00:00+00:00",
    )
    Checkpoint(metadata, model.state_dict()).save(path)
    return path
