import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from segnet_res.classes import ClassMap
from segnet_res.data import (
    DatasetInfo,
    SegmentationDataset,
    class_pixels,
    fingerprint,
    load_info,
    save_info,
)
from segnet_res.errors import DataError, ImageError


def message(error: pytest.ExceptionInfo[BaseException]) -> str:
    return str(error.value)


def test_samples_hold_pictures_and_labels(tiny_dataset):
    dataset = SegmentationDataset(tiny_dataset, "val")
    assert len(dataset) == 2
    assert dataset.stems == ("nested/c", "d")
    sample = dataset[0]
    assert sample.stem == "nested/c"
    assert sample.image.shape == (64, 48, 1)
    assert sample.image.dtype == np.uint8
    assert sample.labels.shape == (64, 48)
    assert set(np.unique(sample.labels)) == {0, 1, 255}
    assert dataset.image_path(0).name == "c.png"
    assert dataset.mask_path(0) == tiny_dataset / "masks" / "nested" / "c.png"
    assert dataset.channels == 1
    assert dataset.class_map.names == ("sound", "scratch")


def test_split_without_file_is_empty(tiny_dataset):
    dataset = SegmentationDataset(tiny_dataset, "test")
    assert len(dataset) == 0
    assert class_pixels(dataset).shape == (0, 2)


def test_split_name_is_checked(tiny_dataset):
    with pytest.raises(DataError, match="split is 'valid'; the splits are train, val, test"):
        SegmentationDataset(tiny_dataset, "valid")


def test_split_file_may_have_a_byte_order_mark_and_windows_line_ends(tiny_dataset):
    (tiny_dataset / "splits" / "train.txt").write_bytes(b"\xef\xbb\xbfa\r\nb\r\n\r\n")
    assert SegmentationDataset(tiny_dataset, "train").stems == ("a", "b")


def test_upper_case_suffixes_are_pictures(tiny_dataset):
    (tiny_dataset / "images" / "a.png").rename(tiny_dataset / "images" / "a.PNG")
    (tiny_dataset / "masks" / "a.png").rename(tiny_dataset / "masks" / "a.PNG")
    assert SegmentationDataset(tiny_dataset, "train")[0].image.shape == (32, 32, 1)


def test_class_pixels_leave_ignored_ones_out(tiny_dataset):
    # "a" is 32x32: scratch 8x8, last row ignored. "b" is 37x45: rows 9..17, columns 11..21.
    first = [31 * 32 - 8 * 8, 8 * 8]
    second = [36 * 45 - 9 * 11, 9 * 11]
    counted = class_pixels(SegmentationDataset(tiny_dataset, "train"))
    assert counted.tolist() == [first, second]
    assert counted.dtype == np.int64


def test_fingerprint_depends_on_content_alone(tiny_dataset, tmp_path):
    first = fingerprint(SegmentationDataset(tiny_dataset, "train"))
    assert len(first) == 64
    moved = shutil.copytree(tiny_dataset, tmp_path / "elsewhere")
    assert fingerprint(SegmentationDataset(moved, "train")) == first
    labels = np.array(Image.open(moved / "masks" / "a.png"))
    labels[0, 0] = 1
    Image.fromarray(labels).save(moved / "masks" / "a.png")
    assert fingerprint(SegmentationDataset(moved, "train")) != first


def test_info_survives_writing(tmp_path):
    names = ["sound", "a: b", "no", "{x}", "Grünspan", "#5", "a, b"]
    info = DatasetInfo("my: caps", ClassMap.from_names(names), 1)
    save_info(tmp_path, info)
    assert load_info(tmp_path) == info
    assert yaml.safe_load((tmp_path / "dataset.yaml").read_text(encoding="utf-8"))["channels"] == 1


def test_missing_folder_and_missing_yaml(tmp_path):
    with pytest.raises(DataError) as error:
        load_info(tmp_path / "nowhere")
    assert message(error).endswith(
        "nowhere: no such folder; give the folder that holds dataset.yaml"
    )
    with pytest.raises(DataError) as error:
        SegmentationDataset(tmp_path, "train")
    assert "no dataset.yaml in this folder; make a dataset with" in message(error)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("classes: [", "not valid YAML at line 1"),
        ("name: a\nclasses: {\n", "not valid YAML at line"),
        ("just a text", "holds str instead of keys"),
        ("- a\n- b\n", "holds list instead of keys"),
        ("name: a\n", "no list of classes found"),
        ("classes: [{name: a}]\nchannels: 4", "channels is 4; write 1 for grey or 3 for RGB"),
        ("classes: [{name: a}]\nchannels: true", "channels is True"),
        ("classes: [{name: a}, {name: a}]", "class names must be unique"),
        ("classes: [{name: a, color: red}]", "a colour is 'red'"),
    ],
)
def test_broken_yaml(tmp_path, text, expected):
    (tmp_path / "dataset.yaml").write_text(text)
    with pytest.raises(DataError) as error:
        load_info(tmp_path)
    assert expected in message(error)
    assert "dataset.yaml: " in message(error)
    assert "\n" not in message(error)


def test_yaml_that_is_no_text(tmp_path):
    (tmp_path / "dataset.yaml").write_bytes(b"\xff\xfe\x00name")
    with pytest.raises(DataError, match=r"cannot be read .*; save it as UTF-8 text"):
        load_info(tmp_path)


def test_stem_without_picture(tiny_dataset):
    (tiny_dataset / "images" / "a.png").unlink()
    with pytest.raises(DataError) as error:
        SegmentationDataset(tiny_dataset, "train")
    assert message(error) == (
        "splits/train.txt: 'a' has no picture images/a.*; add the picture or take the line out"
    )


def test_stem_without_mask(tiny_dataset):
    (tiny_dataset / "masks" / "a.png").unlink()
    with pytest.raises(DataError) as error:
        SegmentationDataset(tiny_dataset, "train")
    assert message(error) == (
        "images/a.png: no mask masks/a.png; add it, or take 'a' out of the split"
    )


def test_two_pictures_of_one_stem(tiny_dataset):
    Image.new("L", (32, 32)).save(tiny_dataset / "images" / "a.jpg")
    with pytest.raises(DataError) as error:
        SegmentationDataset(tiny_dataset, "train")
    assert message(error) == (
        "splits/train.txt: 'a' has several pictures (a.jpg and a.png); keep one of them"
    )


def test_mask_of_another_size(tiny_dataset):
    Image.new("L", (30, 32)).save(tiny_dataset / "masks" / "a.png")
    with pytest.raises(DataError) as error:
        SegmentationDataset(tiny_dataset, "train")[0]
    assert message(error) == (
        "masks/a.png: the mask is 30x32, its picture 32x32; export the mask at the picture's size"
    )


def test_unknown_label(tiny_dataset):
    Image.fromarray(np.full((32, 32), 7, np.uint8)).save(tiny_dataset / "masks" / "a.png")
    with pytest.raises(DataError) as error:
        SegmentationDataset(tiny_dataset, "train")[0]
    assert message(error) == (
        "masks/a.png: label 7 belongs to no class (known are 0 to 1 and 255 for ignored); "
        "save class indices, or add the classes to dataset.yaml"
    )


def test_two_value_mask_is_hinted_at(tiny_dataset):
    info = load_info(tiny_dataset)
    classes = ClassMap(info.class_map.names, info.class_map.colors, ignore_index=200)
    save_info(tiny_dataset, DatasetInfo("tiny", classes, 1))
    labels = np.zeros((32, 32), np.uint8)
    labels[3] = 255
    Image.fromarray(labels).save(tiny_dataset / "masks" / "a.png")
    with pytest.raises(DataError, match=r"black-and-white picture.*import folder --binary"):
        SegmentationDataset(tiny_dataset, "train").read_labels(0)


@pytest.mark.parametrize("stem", ["../x", "/etc/passwd", "a/../../x", "..\\x", "C:/x"])
def test_stems_cannot_leave_the_folder(tiny_dataset, stem):
    (tiny_dataset / "splits" / "train.txt").write_text(f"{stem}\n")
    with pytest.raises(DataError, match=r"train\.txt: .* points outside the dataset"):
        SegmentationDataset(tiny_dataset, "train")


def test_stem_listed_twice(tiny_dataset):
    (tiny_dataset / "splits" / "train.txt").write_text("a\nb\na\n")
    with pytest.raises(DataError, match="'a' is there more than once; keep one line of it"):
        SegmentationDataset(tiny_dataset, "train")


def test_damaged_picture_is_named(tiny_dataset):
    path = tiny_dataset / "images" / "a.png"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ImageError, match=r"^images/a\.png: the file is damaged"):
        SegmentationDataset(tiny_dataset, "train")[0]


def test_mask_that_cannot_be_read_is_named_with_its_folder(tiny_dataset):
    (tiny_dataset / "masks" / "nested" / "c.png").write_bytes(b"")
    with pytest.raises(ImageError, match=r"^masks/nested/c\.png: the file is empty"):
        SegmentationDataset(tiny_dataset, "val").read_labels(0)


def test_torch_loader_takes_it(tiny_dataset):
    from torch.utils.data import DataLoader

    loader = DataLoader(SegmentationDataset(tiny_dataset, "train"), batch_size=None)
    assert [sample.stem for sample in loader] == ["a", "b"]


@pytest.mark.skipif(os.name != "posix", reason="names differ in upper case only")
def test_hidden_files_are_no_pictures(tiny_dataset):
    shutil.copy(tiny_dataset / "images" / "a.png", tiny_dataset / "images" / "._a.png")
    assert len(SegmentationDataset(Path(tiny_dataset), "train")) == 2
