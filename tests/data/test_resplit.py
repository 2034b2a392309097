import pytest

from segnet_res.data.annotations import (
    DONE,
    REJECTED,
    TO_REVIEW,
    Annotation,
    append_annotation,
)
from segnet_res.data.dataset import read_split
from segnet_res.data.importers import import_dataset
from segnet_res.data.resplit import split_dataset
from segnet_res.errors import DataError, UsageError


@pytest.fixture
def imported(tiles, tmp_path):
    import_dataset("magnetic-tile", tiles, tmp_path / "data", split="test")
    return tmp_path / "data"


def test_old_lists_are_kept(imported):
    before = (imported / "splits" / "test.txt").read_bytes()
    with pytest.raises(UsageError) as error:
        split_dataset(imported)
    assert str(error.value).endswith(
        "data: is divided already (splits/test.txt); "
        "add --force to divide it anew and keep the old lists in splits/old-1/"
    )
    splits = split_dataset(imported, force=True)
    assert (imported / "splits" / "old-1" / "test.txt").read_bytes() == before
    assert not (imported / "splits" / "test.txt").exists()
    assert sorted(splits) == ["train", "val"]
    assert len(splits["train"]) + len(splits["val"]) == 9
    assert read_split(imported, "val") == tuple(splits["val"])
    split_dataset(imported, seed=1, force=True)
    assert sorted(path.name for path in (imported / "splits" / "old-2").iterdir()) == [
        "train.txt", "val.txt"
    ]  # fmt: skip


def test_only_what_is_done_is_in_a_split(tiny_dataset):
    def annotate(stem, state):
        append_annotation(
            tiny_dataset,
            Annotation(stem, state, "Ada", "2026-01-01T00:00:00+00:00", None, "0" * 64, "0" * 64, 1,
                       None, stem),
        )  # fmt: skip

    annotate("a", REJECTED)
    annotate("b", DONE)
    annotate("d", DONE)
    annotate("d", TO_REVIEW)
    splits = split_dataset(tiny_dataset, force=True)
    assert sorted(stem for stems in splits.values() for stem in stems) == ["b", "nested/c"]
    for stem in ("b", "nested/c"):
        annotate(stem, REJECTED)
    with pytest.raises(DataError, match="none of its 4 pictures is done; add pictures"):
        split_dataset(tiny_dataset, force=True)


def test_tiles_stay_whole(imported, tiles, tmp_path):
    splits = split_dataset(imported, force=True)
    fresh = import_dataset("magnetic-tile", tiles, tmp_path / "fresh")
    for name in fresh.images:
        assert tuple(splits[name]) == read_split(tmp_path / "fresh", name)


def test_groups_of_the_user(imported):
    splits = split_dataset(imported, fractions=(0.5, 0.5), group=r"MT_(\w+)/", force=True)
    homes = {}
    for name, stems in splits.items():
        for stem in stems:
            assert homes.setdefault(stem.split("/")[0], name) == name


def test_masks_must_be_there_and_known(imported):
    path = imported / "masks" / "MT_Fray" / "exp2_num_20000.png"
    path.unlink()
    with pytest.raises(DataError, match=r"exp2_num_20000\.jpg: no mask masks/MT_Fray/exp2_num"):
        split_dataset(imported, force=True)
    assert not (imported / "splits" / "old-1").exists()


def test_pictures_of_other_data_sets_are_parts_of_their_own(tiny_dataset):
    splits = split_dataset(tiny_dataset, force=True, fractions=(0.5, 0.25, 0.25))
    assert {name: len(stems) for name, stems in splits.items()} == {
        "train": 2, "val": 1, "test": 1
    }  # fmt: skip
