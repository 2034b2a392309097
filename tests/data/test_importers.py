import os
import shutil

import numpy as np
import pytest
import yaml
from PIL import Image

from segnet_res.data import SegmentationDataset, import_dataset, load_info
from segnet_res.data.dataset import read_split
from segnet_res.data.importers import MaskOptions, import_steps
from segnet_res.data.resplit import split_dataset
from segnet_res.errors import DataError, StorageError, UsageError


@pytest.fixture
def camvid(tmp_path, picture, mask):
    root = tmp_path / "CamVid"
    for i, split in enumerate(("train", "val")):
        for j in range(2):
            picture(root / split / f"000{i}TP_{j}.png", seed=10 * i + j)
            mask(root / f"{split}annot" / f"000{i}TP_{j}.png", 3, 10, 11)
    return root


@pytest.fixture
def folder(tmp_path, picture, mask):
    root = tmp_path / "export"
    for i in range(4):
        picture(root / "images" / "line1" / f"cap{i}.png", seed=i)
        mask(root / "masks" / "line1" / f"cap{i}.png", 1, 2)
    return root


def test_camvid(camvid, tmp_path):
    report = import_dataset("camvid", camvid, tmp_path / "out")
    assert report.images == {"train": 2, "val": 2}
    assert not (tmp_path / "out" / "splits" / "test.txt").exists()
    dataset = SegmentationDataset(tmp_path / "out", "val")
    assert dataset.stems == ("0001TP_0", "0001TP_1")
    assert dataset.channels == 3
    assert dataset[0].labels.flat[:4].tolist() == [3, 10, 255, 0]
    assert report.pixels["train"].sum() == 2 * (40 * 48 - 1)
    assert (tmp_path / "out/images/0000TP_0.png").read_bytes() == (
        camvid / "train/0000TP_0.png"
    ).read_bytes()


def test_camvid_with_the_test_split_alone(camvid, tmp_path):
    (camvid / "train").rename(camvid / "test")
    (camvid / "trainannot").rename(camvid / "testannot")
    shutil.rmtree(camvid / "val")
    report = import_dataset("camvid", camvid, tmp_path / "out")
    assert report.images == {"test": 2}


def test_camvid_into_one_split(camvid, tmp_path):
    report = import_dataset("camvid", camvid, tmp_path / "out", split="test")
    assert report.images == {"test": 4}
    assert len(read_split(tmp_path / "out", "test")) == 4


def test_camvid_errors(camvid, tmp_path, mask):
    out = tmp_path / "out"
    with pytest.raises(UsageError, match="brings its own splits, which a group expression"):
        import_dataset("camvid", camvid, out, fractions=(0.5, 0.5))
    mask(camvid / "valannot" / "0001TP_1.png", 44)
    with pytest.raises(DataError, match=r"valannot/0001TP_1\.png: holds label 44; CamVid's masks"):
        import_dataset("camvid", camvid, out)
    (camvid / "valannot" / "0001TP_1.png").unlink()
    with pytest.raises(DataError, match=r"val/0001TP_1\.png: no mask valannot/0001TP_1\.png"):
        import_dataset("camvid", camvid, out)
    (camvid / "val" / "0001TP_0.png").unlink()
    (camvid / "val" / "0001TP_1.png").unlink()
    with pytest.raises(DataError, match=r"valannot/0001TP_0\.png: no picture of this name in val/"):
        import_dataset("camvid", camvid, out)
    shutil.rmtree(camvid / "valannot")
    with pytest.raises(DataError, match="val/ is here without valannot/; add its masks"):
        import_dataset("camvid", camvid, out)
    with pytest.raises(DataError, match="none of the folders train, val, test is here"):
        import_dataset("camvid", tmp_path / "CamVid" / "train", out)
    assert not out.exists()
    assert not list(tmp_path.glob(".*.part"))


def test_camvid_picture_in_two_splits(camvid, tmp_path):
    shutil.copy(camvid / "train/0000TP_0.png", camvid / "val/0000TP_0.png")
    shutil.copy(camvid / "trainannot/0000TP_0.png", camvid / "valannot/0000TP_0.png")
    with pytest.raises(DataError, match=r"train/0000TP_0\.png and val/0000TP_0\.png have one name"):
        import_dataset("camvid", camvid, tmp_path / "out")


def test_tiles(tiles, tmp_path):
    report = import_dataset("magnetic-tile", tiles, tmp_path / "out")
    assert sum(report.images.values()) == 9
    assert report.notes == ()
    homes = {}
    for split in ("train", "val"):
        dataset = SegmentationDataset(tmp_path / "out", split)
        for index, stem in enumerate(dataset.stems):
            homes[stem] = split
            sample = dataset[index]
            assert sample.image.shape == (40, 48, 1)
            label = {"MT_Crack": 3, "MT_Fray": 4, "MT_Free": 0}[stem.split("/")[0]]
            # 200 and 128 are defect, 127 and 20 are not.
            assert sample.labels.flat[:4].tolist() == [label, label, 0, 0]
            original = tiles / stem.replace("/", "/Imgs/")
            copied = dataset.image_path(index).read_bytes()
            assert copied == original.with_suffix(".jpg").read_bytes()
            with Image.open(dataset.mask_path(index)) as image:
                assert image.mode == "L"
    assert homes["MT_Crack/exp1_num_1000"] == homes["MT_Crack/exp2_num_1020"]
    assert homes["MT_Crack/exp1_num_9000"] == homes["MT_Crack/exp3_num_9050"]
    # Two crack tiles: one to learn from, one to measure.
    assert homes["MT_Crack/exp1_num_1000"] != homes["MT_Crack/exp1_num_9000"]
    assert homes["MT_Fray/exp2_num_20000"] == "train"


def test_tiles_divide_the_same_way_each_time(tiles, tmp_path):
    for name in ("one", "two"):
        import_dataset("magnetic-tile", tiles, tmp_path / name, seed=5)
    for split in ("train", "val"):
        assert read_split(tmp_path / "one", split) == read_split(tmp_path / "two", split)


def test_tiles_in_one_split_and_odd_but_legal_files(tiles, tmp_path):
    crack = tiles / "MT_Crack" / "Imgs"
    (crack / "exp1_num_1000.jpg").rename(crack / "exp1_num_1000.JPG")
    (crack / "Thumbs.db").write_bytes(b"x")
    (tiles / "MT_Free" / "Imgs" / "exp1_num_40000.png").unlink()
    shutil.rmtree(tiles / "MT_Fray")
    report = import_dataset("magnetic-tile", tiles, tmp_path / "out", split="test")
    assert report.images == {"test": 8}
    assert report.notes == ("left out, as not pictures of the data set: Thumbs.db",)
    dataset = SegmentationDataset(tmp_path / "out", "test")
    assert dataset.image_path(0).suffix == ".JPG"
    free = dataset.stems.index("MT_Free/exp1_num_40000")
    assert not dataset[free].labels.any()


def test_tile_errors(tiles, tmp_path, mask):
    out, crack = tmp_path / "out", tiles / "MT_Crack" / "Imgs"
    mask(crack / "exp1_num_1000.png", 255, size=(20, 24))
    with pytest.raises(DataError) as error:
        import_dataset("magnetic-tile", tiles, out)
    assert str(error.value) == (
        "exp1_num_1000.png: the mask is 24x20, its picture 48x40; "
        "export the mask at the picture's size"
    )
    (crack / "exp1_num_1000.png").unlink()
    with pytest.raises(DataError) as error:
        import_dataset("magnetic-tile", tiles, out)
    assert str(error.value) == (
        "MT_Crack/Imgs/exp1_num_1000.jpg: no mask exp1_num_1000.png beside it; "
        "add it or take the photograph away"
    )
    (crack / "exp1_num_1000.jpg").unlink()
    mask(crack / "exp9_num_1.png", 255)
    with pytest.raises(DataError, match=r"MT_Crack/Imgs/exp9_num_1\.png: no photograph of this"):
        import_dataset("magnetic-tile", tiles, out)
    (tiles / "MT_Crack").rename(tiles / "MT_Scratch")
    with pytest.raises(DataError, match="MT_Scratch: no such defect in this data set; known are"):
        import_dataset("magnetic-tile", tiles, out)
    with pytest.raises(DataError, match=r"no folder MT_\* is here; give the folder that holds"):
        import_dataset("magnetic-tile", crack.parents[1] / "MT_Free", out)
    assert not out.exists()


def test_damaged_photograph_is_named(tiles, tmp_path):
    path = tiles / "MT_Fray" / "Imgs" / "exp2_num_20000.jpg"
    path.write_bytes(b"")
    with pytest.raises(DataError, match=r"exp2_num_20000\.jpg: the file is empty"):
        import_dataset("magnetic-tile", tiles, tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["tiles-source"]


def test_names_that_cannot_be_told_apart_or_listed(tiles, tmp_path, folder, picture, mask):
    crack = tiles / "MT_Crack" / "Imgs"
    shutil.copytree(crack, tiles / "MT_Crack" / "more")
    with pytest.raises(DataError, match="would both become 'MT_Crack/exp1_num_1000'; rename one"):
        import_dataset("magnetic-tile", tiles, tmp_path / "out")
    picture(folder / "images" / "img:1.png")
    mask(folder / "masks" / "img:1.png", 1)
    assert import_dataset("folder", folder, tmp_path / "odd", split="val").images == {"val": 5}
    assert len(SegmentationDataset(tmp_path / "odd", "val")) == 5
    picture(folder / "images" / "b .png")
    mask(folder / "masks" / "b .png", 1)
    with pytest.raises(DataError, match=r"'b \.png': a name cannot begin or end with a space"):
        import_dataset("folder", folder, tmp_path / "out")


def test_a_name_that_is_not_utf_8(folder, tmp_path, picture, mask):
    name = os.fsdecode(b"t\xfcr.png")
    try:
        picture(folder / "images" / name)
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    mask(folder / "masks" / name, 1)
    with pytest.raises(DataError, match="the name is not UTF-8; rename the picture"):
        import_dataset("folder", folder, tmp_path / "out", split="val")
    root = tmp_path / "set"
    shutil.copytree(folder, root)
    (root / "dataset.yaml").write_text("name: s\nclasses: [{name: a}, {name: b}]\nchannels: 1\n")
    with pytest.raises(DataError, match="the name is not UTF-8; rename the picture"):
        split_dataset(root)
    assert not list(root.rglob("*.txt"))


def test_stopping_leaves_nothing(tiles, tmp_path):
    steps = import_steps("magnetic-tile", tiles, tmp_path / "out")
    next(steps)
    next(steps)
    assert len(list(tmp_path.iterdir())) == 2
    steps.close()
    assert [path.name for path in tmp_path.iterdir()] == ["tiles-source"]


def test_nothing_is_overwritten(tiles, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("keep")
    with pytest.raises(StorageError, match="is there already and not empty; choose another name"):
        import_dataset("magnetic-tile", tiles, tmp_path / "out")
    (tmp_path / "out" / "mine.txt").unlink()
    assert import_dataset("magnetic-tile", tiles, tmp_path / "out").images["train"]


def test_wrong_usage(tiles, tmp_path):
    with pytest.raises(UsageError) as error:
        import_dataset("kitti", tiles, tmp_path / "out")
    assert str(error.value).startswith("format is 'kitti'; known are camvid, magnetic-tile, folder")
    with pytest.raises(UsageError, match="split is 'all'; the splits are train, val, test"):
        import_dataset("magnetic-tile", tiles, tmp_path / "out", split="all")
    with pytest.raises(DataError, match="nowhere: no such folder; give the folder to import"):
        import_dataset("magnetic-tile", tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(UsageError, match="everything goes into val, so a group expression or frac"):
        import_dataset("magnetic-tile", tiles, tmp_path / "out", split="val", fractions=(1.0,))
    with pytest.raises(UsageError, match="lies inside the source"):
        import_dataset("magnetic-tile", tiles, tiles / "out")
    with pytest.raises(UsageError, match="magnetic-tile names its own classes"):
        import_dataset("magnetic-tile", tiles, tmp_path / "out", masks=MaskOptions(binary=True))


def test_folder_names_classes_after_the_labels(folder, tmp_path):
    report = import_dataset("folder", folder, tmp_path / "out")
    assert report.info.class_map.names == ("class_0", "class_1", "class_2")
    assert report.info.channels == 1
    assert report.info.name == load_info(tmp_path / "out").name == "out"
    assert report.notes == (
        "named the classes class_0 to class_2 after the labels; --names names them",
    )
    assert report.images == {"train": 3, "val": 1}
    assert read_split(tmp_path / "out", "train")[0].startswith("line1/cap")


def test_pictures_behind_a_link_are_told_to_be_left_out(folder, tmp_path):
    (tmp_path / "line9").mkdir()
    (folder / "images" / "line9").symlink_to(tmp_path / "line9")
    report = import_dataset("folder", folder, tmp_path / "out")
    assert "left out images/line9/, a link to a folder; import a copy of it" in report.notes


def test_folder_with_names_and_groups(folder, tmp_path):
    report = import_dataset(
        "folder",
        folder,
        tmp_path / "out",
        group=r"cap[01]|cap[23]",
        fractions=(0.5, 0.5),
        masks=MaskOptions(names=("sound", "dent", "rust"), channels=3),
    )
    assert load_info(tmp_path / "out").class_map.names == ("sound", "dent", "rust")
    assert report.info.channels == 3
    assert sum(report.images.values()) == 4


def test_folder_with_colours(folder, tmp_path, picture):
    colors = np.zeros((40, 48, 3), np.uint8)
    colors[:5] = (255, 128, 0)
    for path in (folder / "masks").rglob("*.png"):
        Image.fromarray(colors).save(path)
    with pytest.raises(DataError, match=r"cap0\.png: the mask holds colours and nobody told"):
        import_dataset("folder", folder, tmp_path / "out")
    classes = tmp_path / "classes.yaml"
    entries = [{"name": "sound", "color": "#000000"}, {"name": "dent", "color": "#ff8000"}]
    classes.write_text(yaml.safe_dump({"classes": entries}))
    report = import_dataset("folder", folder, tmp_path / "out", masks=MaskOptions(classes=classes))
    assert report.pixels["val"].tolist() == [35 * 48, 5 * 48]
    with Image.open(next((tmp_path / "out/masks").rglob("*.png"))) as image:
        assert image.mode == "L"


def test_folder_with_palette_masks(folder, tmp_path):
    for path in (folder / "masks").rglob("*.png"):
        image = Image.fromarray(np.eye(40, 48, dtype=np.uint8))
        image.putpalette([0, 0, 0, 250, 0, 0])
        image.save(path)
    report = import_dataset("folder", folder, tmp_path / "out")
    assert report.pixels["val"].tolist() == [40 * 47, 40]


def test_folder_of_black_and_white_masks(folder, tmp_path, mask):
    for path in (folder / "masks").rglob("*.png"):
        mask(path, 255, 255, 0)
    with pytest.raises(DataError, match=r"hold only 0 and 255, .* give --binary"):
        import_dataset("folder", folder, tmp_path / "out")
    names = MaskOptions(names=("sound", "dent"))
    with pytest.raises(DataError, match=r"cap0\.png: holds 0 and 255 alone, .* --binary"):
        import_dataset("folder", folder, tmp_path / "out", masks=names)
    three = MaskOptions(names=("a", "b", "c"), binary=True)
    with pytest.raises(UsageError, match="--binary gives two classes, but 3 are named"):
        import_dataset("folder", folder, tmp_path / "out", masks=three)
    report = import_dataset("folder", folder, tmp_path / "out", masks=MaskOptions(binary=True))
    assert report.info.class_map.names == ("background", "defect")
    assert report.pixels["val"].tolist() == [40 * 48 - 2, 2]


def write_masks(folder, pixels):
    for path in (folder / "masks").rglob("*.png"):
        Image.fromarray(pixels).save(path)


def import_binary(folder, target):
    return import_dataset("folder", folder, target, masks=MaskOptions(binary=True))


NOT_WHITE = (
    "masks/line1/cap0.png: nothing in the mask is brighter than half, but it is not empty ({}); "
    "leave --binary out if it holds class indices, or let `segnet-res data check --fix` find out "
    "how it is encoded"
)


@pytest.mark.parametrize("color", [(255, 0, 0), (0, 0, 255), (128, 0, 0)])
def test_binary_keeps_a_defect_of_any_colour_on_black(folder, tmp_path, color):
    pixels = np.zeros((40, 48, 3), np.uint8)
    pixels[:5] = color
    write_masks(folder, pixels)
    assert import_binary(folder, tmp_path / "out").pixels["val"].tolist() == [35 * 48, 5 * 48]


def test_binary_takes_half_as_the_limit_of_soft_edges(folder, tmp_path, mask):
    for path in (folder / "masks").rglob("*.png"):
        mask(path, 20, 127, 128, 250)
    assert import_binary(folder, tmp_path / "out").pixels["val"].tolist() == [40 * 48 - 2, 2]


@pytest.mark.parametrize(
    ("value", "kind", "largest"),
    [(1, np.uint8, 1), (127, np.uint8, 127), (1, np.uint16, 1), (255, np.uint16, 255)],
)
def test_binary_refuses_masks_without_white(folder, tmp_path, value, kind, largest):
    pixels = np.zeros((40, 48), kind)
    pixels[:5] = value
    write_masks(folder, pixels)
    with pytest.raises(DataError) as error:
        import_binary(folder, tmp_path / "out")
    assert str(error.value) == NOT_WHITE.format(f"its largest value is {largest}")
    assert not (tmp_path / "out").exists()
    if value == 1:
        report = import_dataset("folder", folder, tmp_path / "out")
        assert report.pixels["val"].tolist() == [35 * 48, 5 * 48]


def test_binary_with_masks_of_one_bit_or_a_palette(folder, tmp_path):
    pixels = np.zeros((40, 48), np.uint8)
    pixels[:5] = 1
    write_masks(folder, pixels.astype(bool))
    assert import_binary(folder, tmp_path / "bits").pixels["val"].tolist() == [35 * 48, 5 * 48]
    for path in (folder / "masks").rglob("*.png"):
        image = Image.fromarray(pixels)
        image.putpalette([0, 0, 0, 250, 0, 0])
        image.save(path)
    assert import_binary(folder, tmp_path / "palette").pixels["val"].tolist() == [35 * 48, 5 * 48]


def test_binary_takes_what_is_transparent_as_background(folder, tmp_path):
    pixels = np.zeros((40, 48, 4), np.uint8)
    pixels[..., :3] = 255
    pixels[:5] = (255, 0, 0, 255)
    write_masks(folder, pixels)
    assert import_binary(folder, tmp_path / "out").pixels["val"].tolist() == [35 * 48, 5 * 48]
    # The same by one colour of a palette, and by one of all.
    indexed = Image.fromarray(np.where(pixels[..., 3] > 0, 1, 0).astype(np.uint8))
    indexed.putpalette([255, 255, 255, 255, 0, 0])
    for name, image, key in (
        ("palette", indexed, 0),
        ("colour", Image.fromarray(pixels[..., :3]), (255, 255, 255)),
    ):
        for path in (folder / "masks").rglob("*.png"):
            image.save(path, transparency=key)
        assert import_binary(folder, tmp_path / name).pixels["val"].tolist() == [35 * 48, 5 * 48]
    pixels[..., :3] = 0
    write_masks(folder, pixels)
    with pytest.raises(DataError) as error:
        import_binary(folder, tmp_path / "black")
    found = "with transparent pixels around others that are not"
    assert str(error.value) == NOT_WHITE.format(found)


def test_binary_without_any_defect_is_told(folder, tmp_path, mask):
    write_masks(folder, np.zeros((40, 48), np.uint8))
    assert import_binary(folder, tmp_path / "out").notes == (
        "all 4 masks hold no 'defect' at all; if not every part is sound, export the masks again",
    )
    write_masks(folder, np.zeros((40, 48, 4), np.uint8))
    assert len(import_binary(folder, tmp_path / "transparent").notes) == 1
    mask(folder / "masks/line1/cap3.png", 255)
    assert import_binary(folder, tmp_path / "one").notes == ()


def test_folder_takes_255_as_ignored_among_other_labels(folder, tmp_path, mask):
    for path in (folder / "masks").rglob("*.png"):
        mask(path, 1, 255)
    report = import_dataset("folder", folder, tmp_path / "out")
    assert report.info.class_map.names == ("class_0", "class_1")
    assert report.notes[-1] == "label 255 was taken as ignored"


def test_folder_with_splits_of_its_own(folder, tmp_path):
    (folder / "splits").mkdir()
    (folder / "splits" / "train.txt").write_text("line1/cap0\n")
    (folder / "splits" / "test.txt").write_text("line1/cap2\n")
    report = import_dataset("folder", folder, tmp_path / "out")
    assert report.images == {"train": 1, "test": 1}
    assert "left out, as in no file of splits/: 2 pictures" in report.notes
    assert import_dataset("folder", folder, tmp_path / "all", split="val").images == {"val": 4}
    (folder / "splits" / "val.txt").write_text("line1/cap0\n")
    with pytest.raises(DataError, match=r"val\.txt: 'line1/cap0' is also in splits/train\.txt"):
        import_dataset("folder", folder, tmp_path / "again")
    (folder / "splits" / "val.txt").write_text("line1/cap9\n")
    with pytest.raises(DataError, match=r"splits/val\.txt: 'line1/cap9' has no picture in images/"):
        import_dataset("folder", folder, tmp_path / "again")


def test_folder_of_splits(tmp_path, picture, mask):
    root = tmp_path / "export"
    for i, split in enumerate(("train", "val")):
        picture(root / split / "images" / "same.png", seed=i)
        mask(root / split / "masks" / "same.png", 1)
    report = import_dataset("folder", root, tmp_path / "out")
    assert report.images == {"train": 1, "val": 1}
    assert read_split(tmp_path / "out", "val") == ("val/same",)


def test_an_imported_data_set_imports_to_itself(folder, tmp_path):
    names = MaskOptions(names=("sound", "dent", "rust"))
    first = import_dataset("folder", folder, tmp_path / "one", masks=names)
    second = import_dataset("folder", tmp_path / "one", tmp_path / "two")
    assert second.info == first.info
    assert second.images == first.images


def test_folder_errors(folder, tmp_path, picture, mask):
    out = tmp_path / "out"
    (folder / "masks/line1/cap1.png").rename(folder / "masks/line1/cap7.png")
    with pytest.raises(DataError) as error:
        import_dataset("folder", folder, out)
    assert str(error.value) == (
        "images/line1/cap1.png: no mask line1/cap1.png in masks/; add it or take the picture away"
    )
    (folder / "images/line1/cap1.png").unlink()
    with pytest.raises(
        DataError, match=r"masks/line1/cap7\.png: no picture of this name in images"
    ):
        import_dataset("folder", folder, out)
    (folder / "masks/line1/cap7.png").unlink()
    picture(folder / "images/line1/cap0.jpg")
    with pytest.raises(DataError, match=r"cap0\.jpg and cap0\.png in line1/ differ only by"):
        import_dataset("folder", folder, out)
    (folder / "images/line1/cap0.jpg").unlink()
    (folder / "masks/line1/cap0.png").rename(folder / "masks/line1/cap0.jpg")
    with pytest.raises(DataError, match=r"cap0\.jpg: a JPEG mask has blurred labels"):
        import_dataset("folder", folder, out)
    shutil.rmtree(folder / "masks")
    with pytest.raises(DataError, match="there is no folder masks/ beside it; add the masks"):
        import_dataset("folder", folder, out)
    with pytest.raises(DataError, match="no pictures in images/ or in train/images/"):
        import_dataset("folder", folder / "images", out)
    both = MaskOptions(classes=out, names=("a",))
    picture(folder / "images/x.png")
    mask(folder / "masks/x.png")
    shutil.rmtree(folder / "images/line1")
    with pytest.raises(UsageError, match="--classes and --names both name the classes"):
        import_dataset("folder", folder, out, masks=both)


def test_real_camvid(shared_data, tmp_path):
    source = tmp_path / "CamVid"
    for folder in ("val", "valannot"):
        (source / folder).mkdir(parents=True)
        for path in sorted((shared_data / "camvid" / folder).glob("*.png"))[:5]:
            shutil.copy(path, source / folder)
    report = import_dataset("camvid", source, tmp_path / "out")
    assert report.images == {"val": 5}
    assert (report.pixels["val"] > 0).sum() >= 9
