"""A new dataset beside the tiny one: another class, in colour."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segnet_res.classes import ClassMap
from segnet_res.data import DatasetInfo, save_info
from segnet_res.data.splits import write_splits

NEW_CLASSES = ClassMap.from_names(["sound", "dent", "scratch"])


def add_picture(root: Path, stem: str, labels: np.ndarray, seed: int) -> None:
    """Write a colour picture in which dents (label 1) are dark, and its mask."""
    rng = np.random.default_rng(seed)
    picture = rng.integers(60, 120, (*labels.shape, 3)) - 60 * (labels == 1)[..., None]
    for folder, pixels in (("images", picture.astype(np.uint8)), ("masks", labels)):
        path = root / folder / f"{stem}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)


@pytest.fixture
def new_dataset(tmp_path: Path) -> Path:
    """Two pictures with a dent to train on, and one to validate on."""
    root = tmp_path / "new-dataset"
    for number, stem in enumerate(("p", "q", "r")):
        labels = np.zeros((40, 36), np.uint8)
        labels[8 + number : 24, 5:20] = 1
        add_picture(root, stem, labels, 100 + number)
    save_info(root, DatasetInfo("dents", NEW_CLASSES, 3))
    write_splits(root, {"train": ["p", "q"], "val": ["r"]})
    return root


@pytest.fixture
def no_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw no curves in this process: they take longer than the training, and others test them."""
    monkeypatch.setattr("segnet_res.training.loop.draw_curves", lambda *_: None)
