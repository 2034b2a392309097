"""A checkpoint of the past gives the mask of the past (tests/golden/make_golden.py)."""

from pathlib import Path

import numpy as np

from segnet_res.checkpoint import read_metadata
from segnet_res.images import read_image, read_mask
from segnet_res.inference import Segmenter

GOLDEN = Path(__file__).parents[1] / "golden"

# Processors add in different orders, which may decide a pixel between two classes: 31 of 31,650.
MAX_DIFFERENCE = 0.001


def test_the_mask_is_the_same():
    path = GOLDEN / "golden.safetensors"
    expected = read_mask(GOLDEN / "mask.png", read_metadata(path).class_map)
    found = Segmenter.from_checkpoint(path, "cpu").predict(read_image(GOLDEN / "picture.png", 1))
    assert set(np.unique(expected)) == {0, 1, 2}
    assert (found.labels != expected).mean() <= MAX_DIFFERENCE


def test_tiles_give_nearly_the_same_mask():
    path = GOLDEN / "golden.safetensors"
    image = read_image(GOLDEN / "picture.png", 1)
    whole = Segmenter.from_checkpoint(path, "cpu").predict(image)
    tiled = Segmenter.from_checkpoint(path, "cpu", tile=128, overlap=32).predict(image)
    assert (whole.labels != tiled.labels).mean() <= 0.01
