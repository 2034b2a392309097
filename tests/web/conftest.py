"""A model that needs no torch, and the folders that the page works in."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from segnet_res.classes import MAGNETIC_TILE, ClassMap
from segnet_res.errors import CheckpointError
from segnet_res.images import UInt8Array
from segnet_res.web.inspection import Inspector
from segnet_res.web.samples import Samples
from segnet_res.web.storage import Storage
from segnet_res.web.turns import Turnstile

CLASSES = ClassMap.from_names(["sound", "scratch", "dent"])


@dataclass
class Brightness:
    """Calls bright pixels scratch."""

    class_map: ClassMap

    def predict(self, image: UInt8Array) -> "Brightness":
        self.labels = (image[..., 0] > 127).astype(np.uint8)
        return self


class OneModel:
    """A library with one model, called "bright"."""

    def __init__(self, class_map: ClassMap = CLASSES) -> None:
        self.model = Brightness(class_map)
        self.turns = Turnstile()

    @contextmanager
    def borrow(self, name: str) -> Iterator[Brightness]:
        if name != "bright":
            raise CheckpointError(f"no checkpoint is called {name!r}; known are bright")
        yield self.model


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    folder = tmp_path / "page"
    folder.mkdir()
    return Storage(folder)


@pytest.fixture
def inspector(storage: Storage) -> Inspector:
    return Inspector(OneModel(), storage, Samples(storage.samples()))


@pytest.fixture
def tile_inspector(storage: Storage) -> Inspector:
    """The same with the classes of the samples."""
    return Inspector(OneModel(MAGNETIC_TILE), storage, Samples(storage.samples()))
