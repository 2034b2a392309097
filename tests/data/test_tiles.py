from collections import defaultdict

import numpy as np

from segnet_res.data.dataset import read_split
from segnet_res.data.importers import import_dataset
from segnet_res.data.lookalike import look, lookalikes
from segnet_res.data.splits import join_groups
from segnet_res.data.tiles import is_photograph, tile_groups
from segnet_res.images import read_image


def grouped(*names):
    groups = tile_groups([f"exp{name}" for name in names])
    found = defaultdict(list)
    for stem, group in groups.items():
        found[group].append(stem.removeprefix("exp"))
    return sorted(found.values())


def test_rising_exposures_are_one_tile():
    names = ["1_num_3191", "2_num_3211", "3_num_3223", "6_num_3279"]
    assert grouped(*names) == [names]


def test_an_exposure_that_does_not_rise_starts_another_tile():
    assert grouped("6_num_3279", "1_num_3300", "2_num_3320") == [
        ["1_num_3300", "2_num_3320"], ["6_num_3279"]
    ]  # fmt: skip


def test_a_pause_within_a_tile_and_a_step_to_another():
    assert len(grouped("1_num_124236", "2_num_124592")) == 1
    assert len(grouped("1_num_320895", "2_num_321452")) == 2


def test_tiles_recorded_at_once_are_one_group():
    names = ["1_num_100", "1_num_103", "2_num_115", "2_num_118", "3_num_130"]
    assert grouped(*names) == [names]


def test_folders_do_not_part_a_tile():
    groups = tile_groups(["MT_Fray/exp2_num_77559", "MT_Break/exp3_num_77583"])
    assert len(set(groups.values())) == 1


def test_other_names_are_groups_of_their_own():
    assert tile_groups(["a", "b"]) == {"a": "a", "b": "b"}
    assert is_photograph("MT_Free/exp1_num_1")
    assert not is_photograph("exp1_num_1b")


def test_real_tiles_stay_whole(shared_data, tmp_path):
    source = shared_data / "magnetic-tile"
    target = tmp_path / "tiles"
    report = import_dataset("magnetic-tile", source, target)
    assert sum(report.images.values()) == len(list(source.glob("*/Imgs/*.jpg")))
    where = {stem: split for split in ("train", "val") for stem in read_split(target, split)}
    # Each line is one tile, recognised by eye; the first two were recorded twice.
    for tile in (
        ("MT_Crack/exp4_num_85602", "MT_Crack/exp1_num_86828", "MT_Crack/exp4_num_88149"),
        ("MT_Free/exp1_num_53011", "MT_Free/exp1_num_65001"),
        ("MT_Fray/exp2_num_77559", "MT_Break/exp3_num_77583", "MT_Fray/exp4_num_77613"),
        ("MT_Uneven/exp1_num_124236", "MT_Uneven/exp2_num_124592"),
        ("MT_Crack/exp1_num_276355", "MT_Break/exp2_num_276373"),
    ):
        assert len({where[stem] for stem in tile}) == 1, tile
    for pixels in report.pixels.values():
        assert (pixels > 0).all()


def test_lookalikes_join_real_recordings(shared_data):
    folder = shared_data / "magnetic-tile" / "MT_Free" / "Imgs"
    frames = ("exp1_num_53011", "exp1_num_65001", "exp1_num_1810", "exp1_num_2038")
    looks = {name: look(read_image(folder / f"{name}.jpg", 1)) for name in frames}
    groups = join_groups({name: name for name in frames}, looks)
    assert groups["exp1_num_53011"] == groups["exp1_num_65001"]
    assert len(set(groups.values())) == 3


def test_flat_pictures_do_not_look_alike():
    flat = look(np.full((50, 60, 1), 90, np.uint8))
    assert lookalikes([flat, flat], [0, 1]) == []
    assert lookalikes([flat], [0]) == []
