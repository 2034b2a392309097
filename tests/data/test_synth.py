import hashlib

import numpy as np
import pytest

from segnet_res.classes import MAGNETIC_TILE
from segnet_res.data import SegmentationDataset, check_dataset, draw_part, load_info, synthesize
from segnet_res.data.dataset import read_split
from segnet_res.data.synth import parse_size
from segnet_res.data.synth.defects import DEFECTS
from segnet_res.errors import StorageError, UsageError


def files(root):
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("defect", DEFECTS)
@pytest.mark.parametrize("size", [(96, 128), (287, 118)])
def test_each_defect_is_in_picture_and_mask(defect, size):
    index = MAGNETIC_TILE.index(defect)
    for seed in range(3):
        with_it = draw_part(np.random.default_rng(seed), size=size, defects=[defect])
        assert with_it.image.shape == (*size, 1)
        assert with_it.image.dtype == with_it.labels.dtype == np.uint8
        assert set(np.unique(with_it.labels)) == {0, index}


def test_a_blowhole_is_darker_than_what_surrounds_it():
    for seed in range(10):
        part = draw_part(np.random.default_rng(seed), size=(250, 250), defects=["blowhole"])
        inside = part.labels > 0
        rows, columns = np.nonzero(inside)
        near = part.image[
            max(rows.min() - 8, 0) : rows.max() + 8,
            max(columns.min() - 8, 0) : columns.max() + 8,
            0,
        ]
        assert part.image[..., 0][inside].mean() < near.mean()


def test_a_sound_part_has_an_empty_mask():
    assert not draw_part(np.random.default_rng(1), defects=[]).labels.any()


def test_size_of_chance_is_that_of_some_tile():
    for seed in range(10):
        height, width = draw_part(np.random.default_rng(seed)).labels.shape
        assert 200 <= height <= 400
        assert 100 <= width <= 640


def test_unknown_defect_and_size():
    rng = np.random.default_rng(0)
    with pytest.raises(UsageError, match="no defect is called 'dent'; known are uneven, fray, bre"):
        draw_part(rng, defects=["dent"])
    with pytest.raises(UsageError, match="size is 8x90; give a height and width between 32 and"):
        draw_part(rng, size=(8, 90))
    with pytest.raises(UsageError, match="size is 'big'; write height x width like 360x480"):
        parse_size("big")


def test_data_set_is_complete_and_sound(tmp_path):
    info = synthesize(tmp_path / "parts", count=18, seed=3, size=(96, 128))
    assert load_info(tmp_path / "parts") == info
    assert info.class_map == MAGNETIC_TILE
    assert info.channels == 1
    assert 12 <= len(read_split(tmp_path / "parts", "train")) <= 14
    for split in ("train", "val"):
        dataset = SegmentationDataset(tmp_path / "parts", split)
        seen = {int(label) for i in range(len(dataset)) for label in np.unique(dataset[i].labels)}
        assert seen == set(range(6))
    assert check_dataset(tmp_path / "parts") == []


def test_the_seed_decides_every_byte(tmp_path):
    for name, seed in (("one", 1), ("two", 1), ("three", 2)):
        synthesize(tmp_path / name, count=4, seed=seed, size=(64, 64))
    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert files(tmp_path / "one") != files(tmp_path / "three")


def test_more_parts_change_none(tmp_path):
    synthesize(tmp_path / "few", count=3, size=(64, 64))
    synthesize(tmp_path / "more", count=5, size=(64, 64))
    few, more = files(tmp_path / "few" / "images"), files(tmp_path / "more" / "images")
    assert few.items() <= more.items()


def test_storage_and_counts(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "y").touch()
    with pytest.raises(StorageError, match="is there already and not empty"):
        synthesize(tmp_path / "x", count=1)
    with pytest.raises(UsageError, match="count is 0 and seed 0; give at least 1 and at least 0"):
        synthesize(tmp_path / "z", count=0)
