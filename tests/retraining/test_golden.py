"""Golden sets: what is frozen stays so, or the set is refused by name."""

import json

import numpy as np
import pytest

from segnet_res.data.splits import write_splits
from segnet_res.errors import DataError, StorageError, UsageError
from segnet_res.images import write_mask
from segnet_res.retraining.golden import load_golden
from segnet_res.retraining.golden_making import Holding, make_golden


@pytest.fixture
def golden_file(tmp_path, tiny_dataset):
    make_golden(tiny_dataset, "val", tmp_path / "golden.json")
    return tmp_path / "golden.json"


def test_a_set_is_what_the_split_was(golden_file, tiny_dataset):
    golden = load_golden(golden_file)
    write_splits(tiny_dataset, {"train": ["a", "b"], "val": ["d"]})
    dataset = golden.open()
    assert dataset.stems == ("nested/c", "d")
    assert dataset[0].labels.shape == (64, 48)
    assert golden.parts == ("nested/c", "d")
    assert golden.pictures[0].image == "nested/c.png"


def test_what_the_classes_rest_on_is_told(tmp_path, tiny_dataset):
    write_mask(tiny_dataset / "masks" / "d.png", np.zeros((33, 32), np.uint8))
    _, holdings = make_golden(tiny_dataset, "val", tmp_path / "golden.json")
    assert holdings == (Holding("sound", 2, 2), Holding("scratch", 1, 1))


def test_file_and_dataset_can_be_moved_together(tmp_path, golden_file, tiny_dataset):
    (tmp_path / "elsewhere").mkdir()
    for path in (golden_file, tiny_dataset):
        path.rename(tmp_path / "elsewhere" / path.name)
    assert len(load_golden(tmp_path / "elsewhere" / "golden.json").open()) == 2


def test_a_set_without_its_dataset(golden_file, tiny_dataset):
    tiny_dataset.rename(tiny_dataset.with_name("gone"))
    with pytest.raises(DataError, match=r"tiny-dataset is not there; put the folder back, or corr"):
        load_golden(golden_file).open()


def test_changed_and_missing_files_are_named(golden_file, tiny_dataset):
    (tiny_dataset / "images" / "d.png").unlink()
    write_mask(tiny_dataset / "masks" / "nested/c.png", np.zeros((64, 48), np.uint8))
    with pytest.raises(DataError) as caught:
        load_golden(golden_file).open()
    assert str(caught.value) == (
        f"{golden_file}: 2 of its 2 pictures are not what they were ('nested/c': its mask has "
        "changed; 'd': its picture is missing); put the files back, or make a new golden set"
    )


def test_changed_classes_are_told(golden_file, tiny_dataset):
    path = tiny_dataset / "dataset.yaml"
    path.write_text(path.read_text().replace("scratch", "dent"))
    with pytest.raises(DataError, match=r"\(sound, scratch; 255; 1, now sound, dent; 255; 1\)"):
        load_golden(golden_file).open()


def test_a_shortened_list_is_no_golden_set_any_more(golden_file):
    content = json.loads(golden_file.read_text())
    del content["pictures"][0]
    golden_file.write_text(json.dumps(content))
    with pytest.raises(DataError, match="its fingerprint does not fit"):
        load_golden(golden_file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "no golden set (it does not parse); give a file that"),
        ("[]", 'no golden set (it does not say "golden")'),
        ('{"golden": 9}', "version 9 of a golden set is newer than 1"),
        ('{"golden": 1}', "no golden set ('pictures'); give a file that"),
        ('{"golden": 1, "pictures": []}', "no golden set (it names no picture)"),
    ],
)
def test_files_that_are_none(tmp_path, text, message):
    path = tmp_path / "some.json"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        load_golden(path)
    assert message in str(caught.value)


def test_channels_that_are_none(golden_file):
    content = json.loads(golden_file.read_text())
    golden_file.write_text(json.dumps(content | {"channels": "x"}))
    with pytest.raises(DataError, match="no golden set"):
        load_golden(golden_file)


def test_paths_do_not_lead_outside(golden_file):
    content = json.loads(golden_file.read_text())
    content["pictures"][0]["image"] = "../../secret.png"
    golden_file.write_text(json.dumps(content))
    with pytest.raises(DataError, match="points outside the dataset"):
        load_golden(golden_file)


def test_what_cannot_be_frozen(tmp_path, tiny_dataset, golden_file):
    with pytest.raises(UsageError, match="the split 'train' is trained on"):
        make_golden(tiny_dataset, "train", tmp_path / "new.json")
    with pytest.raises(DataError, match="tiny: the split 'test' is empty"):
        make_golden(tiny_dataset, "test", tmp_path / "new.json")
    before = golden_file.read_bytes()
    with pytest.raises(StorageError, match="is there already and stays as it is"):
        make_golden(tiny_dataset, "val", golden_file)
    assert golden_file.read_bytes() == before
    write_mask(tiny_dataset / "masks" / "d.png", np.full((33, 32), 9, np.uint8))
    with pytest.raises(DataError, match=r"d\.png: label 9 belongs to no class"):
        make_golden(tiny_dataset, "val", tmp_path / "new.json")
    assert not (tmp_path / "new.json").exists()


def test_pictures_that_are_trained_on_since(golden_file, tiny_dataset):
    load_golden(golden_file).check_held_out()
    write_splits(tiny_dataset, {"train": ["a", "d"], "val": []})
    with pytest.raises(DataError, match=r"1 of its pictures are in splits/train.txt of .* \(d\)"):
        load_golden(golden_file).check_held_out()
