"""A model that needs no torch, and the folders that the page works in."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from segnet_res.checkpoint import Metadata
from segnet_res.classes import MAGNETIC_TILE, ClassMap
from segnet_res.errors import CheckpointError
from segnet_res.images import UInt8Array
from segnet_res.web.backend import Backend
from segnet_res.web.folders import Folders
from segnet_res.web.inspection import Inspector
from segnet_res.web.pictures import Pictures
from segnet_res.web.samples import Samples
from segnet_res.web.speed import Speeds
from segnet_res.web.storage import Storage
from segnet_res.web.turns import Turnstile

CLASSES = ClassMap.from_names(["sound", "scratch", "dent"])


class Clock:
    """A clock that stands still until a test moves it, in seconds."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@dataclass
class Brightness:
    """Calls bright pixels scratch, the surer the brighter; of sound it is as sure as it is dark."""

    class_map: ClassMap
    metadata: Metadata | None = None

    def predict(self, image: UInt8Array) -> "Brightness":
        brightness = image[..., 0] / np.float32(255)
        self.labels = (image[..., 0] > 127).astype(np.uint8)
        self.confidence = np.where(self.labels == 1, brightness, 1 - brightness)
        return self

    def disagreement(self, image: UInt8Array) -> NDArray[np.float32]:
        """Nothing but the brightness itself, so that a test can foretell it."""
        return image[..., 0] / np.float32(255)


class OneModel:
    """A library with one model, called "bright"."""

    tta = "none"

    def __init__(self, class_map: ClassMap = CLASSES) -> None:
        self.model = Brightness(class_map)
        self.turns = Turnstile()
        self.now = "ab" * 32  # of its file

    @contextmanager
    def borrow(self, name: str) -> Iterator[Brightness]:
        self.weights(name)
        yield self.model

    def weights(self, name: str) -> str:
        if name != "bright":
            raise CheckpointError(f"no checkpoint is called {name!r}; known are bright")
        return self.now


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    folder = tmp_path / "page"
    folder.mkdir()
    return Storage(folder)


def backend_of(storage: Storage, class_map: ClassMap, data: Path | None = None) -> Backend:
    samples, folders = Samples(storage.samples()), Folders(data)
    pictures = Pictures(storage, samples, folders)
    library = OneModel(class_map)
    return Backend(library, storage, samples, folders, pictures, Speeds(library))


@pytest.fixture
def inspector(storage: Storage) -> Inspector:
    return Inspector(backend_of(storage, CLASSES))


@pytest.fixture
def tile_inspector(storage: Storage) -> Inspector:
    """The same with the classes of the samples."""
    return Inspector(backend_of(storage, MAGNETIC_TILE))


@pytest.fixture
def make_backend(storage: Storage) -> Callable[..., Backend]:
    """Makes what stands behind the tabs: ``make_backend(class_map, data_folder)``."""
    return lambda class_map=CLASSES, data=None: backend_of(storage, class_map, data)
