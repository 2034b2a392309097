"""A model whose answers are known beforehand, and folders to run over; no torch."""

import time

import numpy as np
import pytest
from PIL import Image

from segnet_res.classes import ClassMap
from segnet_res.inference import FolderRun, Segmenter
from segnet_res.inference.runtime import NumpyRuntime

CLASSES = ClassMap.from_names(["sound", "scratch"])


class Threshold(NumpyRuntime):
    """Calls a pixel class 1 where it is above a limit; counts what it sees."""

    backend = "torch"
    device = "CPU"
    precision = "float32"

    def __init__(self, limit=100, pause=0.0):
        self.limit = limit
        self.pause = pause
        self.seen = []

    def logits(self, images, mirror=()):  # noqa: ARG002
        self.seen.append(images.shape)
        time.sleep(self.pause)
        bright = (images[..., 0].astype(np.float32) - self.limit) / 10
        return np.stack([-bright, bright], axis=1)

    def state_dict(self):
        """So that another limit is another model."""
        return {"limit": FakeTensor(self.limit)}


class FakeTensor:
    def __init__(self, value):
        self.value = value

    def detach(self):
        return self

    cpu = float = detach

    def numpy(self):
        return np.float32(self.value)


def make_segmenter(limit=100, pause=0.0, metadata=None):
    return Segmenter(Threshold(limit, pause), CLASSES, channels=1, metadata=metadata)


@pytest.fixture
def segmenter():
    return make_segmenter()


@pytest.fixture
def source(tmp_path):
    root = tmp_path / "in"
    rng = np.random.default_rng(0)
    for name, size in {"a.png": (20, 30), "b.jpg": (16, 16), "sub/c.png": (1, 1)}.items():
        save(root / name, rng.integers(0, 256, size).astype(np.uint8))
    return root


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def mask(path):
    with Image.open(path) as image:
        assert image.mode == "L"
        return np.array(image)


def names(folder):
    """Return all files of a folder, below it, in order."""
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def run(segmenter, source, target, **options):
    """Do a whole run and return its results by name."""
    return {r.name: r for r in FolderRun(source, target, **options).results(segmenter)}


def contents(target):
    """Return the bytes of every result, by its path below the target."""
    return {
        path.relative_to(target).as_posix(): path.read_bytes()
        for path in target.glob("*/**/*")
        if path.is_file()
    }


def until(condition, seconds=20.0):
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)
