import json
import re

import pytest
import yaml

from segnet_res.data import load_info, locks
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
from segnet_res.errors import DataError, StorageError, UsageError


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


def test_parts_that_were_told_once_stay_together(imported):
    path = imported / "dataset.yaml"
    # Whatever else people wrote there stays.
    path.write_text("# ours\n" + path.read_text() + "# the end\n")
    split_dataset(imported, group=r"exp\d", force=True)
    assert load_info(imported).group == r"exp\d"
    first = path.read_text()
    assert first.startswith("# ours\n")
    assert "# the end\n" in first
    for seed in range(3):
        splits = split_dataset(imported, seed=seed, force=True)
        parts = [{re.search(r"exp\d", stem)[0] for stem in stems} for stems in splits.values()]
        assert not set.intersection(*parts)
    assert path.read_text() == first
    split_dataset(imported, group=r"num_\d+", force=True)
    assert path.read_text() == first.replace(r"exp\d", r"num_\d+")


def test_a_group_that_has_no_place_in_the_file_changes_nothing(imported):
    path = imported / "dataset.yaml"
    path.write_text(json.dumps(yaml.safe_load(path.read_text())))
    before = contents(imported)
    with pytest.raises(DataError) as error:
        split_dataset(imported, group=r"exp\d", force=True)
    assert str(error.value) == (
        f"{path}: is written in a way that leaves no place for the line `group: exp\\d`; add it "
        "there by hand, and divide again without --group"
    )
    assert {**contents(imported), ".corrections.lock": b""} == {**before, ".corrections.lock": b""}


def test_nobody_else_changes_the_dataset_meanwhile(imported, monkeypatch):
    monkeypatch.setattr(locks, "_PATIENCE", 0.0)
    with locks.holding(imported), pytest.raises(StorageError, match="somebody else has been"):
        split_dataset(imported, force=True)
    split_dataset(imported, force=True)


def contents(root):
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in files}
