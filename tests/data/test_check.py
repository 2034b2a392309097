import itertools
import shutil
import tracemalloc

import cv2
import numpy as np
import pytest
from PIL import Image

from segnet_res.data import Problem, check_dataset, import_dataset, lookalike
from segnet_res.data.check import check_steps
from segnet_res.data.dataset import read_split
from segnet_res.data.lookalike import CORRELATION, Look, look, lookalikes
from segnet_res.data.splits import write_splits
from segnet_res.errors import DataError
from segnet_res.images import read_image


@pytest.fixture
def sound(tmp_path, picture, mask):
    """A data set of eight pictures without any problem."""
    root = tmp_path / "sound"
    for i in range(8):
        picture(root / "images" / f"p{i}.png", size=(120, 140), seed=i)
        mask(root / "masks" / f"p{i}.png", 1, size=(120, 140))
    write_splits(root, {"train": [f"p{i}" for i in range(6)], "val": ["p6", "p7"]})
    (root / "dataset.yaml").write_text(
        "name: s\nclasses: [{name: a}, {name: b}]\nignore_index: 255\nchannels: 1\n"
    )
    return root


def messages(root, *, serious=True):
    return [problem.message for problem in check_dataset(root) if problem.serious is serious]


def copied(image):
    """A brighter copy at another size, a little cropped and saved as JPEG."""
    height, width = image.shape[:2]
    part = image[2 : height - 2, 2 : width - 2, 0].astype(np.float32)
    part = cv2.resize(np.clip(part * 1.1 + 5, 0, 255).astype(np.uint8), None, fx=0.8, fy=0.8)
    return cv2.imdecode(cv2.imencode(".jpg", part, [cv2.IMWRITE_JPEG_QUALITY, 70])[1], 0)


def test_a_sound_data_set_has_no_problems(sound):
    assert check_dataset(sound) == []


def test_report_counts_pixels(sound):
    steps = check_steps(sound)
    assert next(steps) == (0, 8)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            report = stop.value
            break
    assert report.images == {"train": 6, "val": 2}
    assert report.pixels["val"].tolist() == [2 * 120 * 140 - 2, 2]


def test_orphans(sound, mask):
    (sound / "masks" / "p0.png").unlink()
    mask(sound / "masks" / "old.png")
    Image.new("L", (9, 9)).save(sound / "images" / "p1.jpg")
    Image.new("L", (9, 9)).save(sound / "masks" / "p2.bmp")
    assert messages(sound) == [
        "images/p0.png: no mask masks/p0.png; add it",
        "images/p1.jpg: p1.jpg and p1.png have one stem, so one mask; keep one of them",
        "masks/old.png: no picture images/old.*; add it or remove the mask",
        "masks/p2.bmp: masks are PNG files; save it as one",
        "masks/p1.png: the mask is 140x120, its picture 9x9; export the mask at the picture's size",
    ]


def test_links_to_folders_are_named(sound, tmp_path, picture):
    picture(tmp_path / "elsewhere" / "p9.png")
    (sound / "images" / "more").symlink_to(tmp_path / "elsewhere")
    assert messages(sound) == [
        "images/more: is a link to a folder, which is not followed; copy the folder here"
    ]


def test_split_lists(sound):
    write_splits(sound, {"val": ["p5", "p7", "ghost"], "test": ["../p6"]})
    (sound / "splits" / "valid.txt").write_text("p6\n")
    assert messages(sound) == [
        "splits/val.txt: 'p5' is also in splits/train.txt; keep it in one",
        "splits/val.txt: 'ghost' has no picture; add it or remove the line",
        "splits/test.txt: '../p6' points outside the dataset; "
        "write paths below images/ with / between folders",
    ]
    assert messages(sound, serious=False) == [
        "splits/valid.txt: is not read; the splits are train, val, test",
        "pictures in no split: 1 (p6)",
    ]


def test_a_line_that_is_there_twice_hides_nothing(sound):
    stems = [f"p{i}" for i in range(6)]
    write_splits(sound, {"train": ["p0", "/p", *stems, "p6"]})
    assert messages(sound) == [
        "splits/train.txt: 'p0' is there more than once; keep one line of it",
        "splits/train.txt: '/p' points outside the dataset; "
        "write paths below images/ with / between folders",
        "splits/val.txt: 'p6' is also in splits/train.txt; keep it in one",
    ]
    assert messages(sound, serious=False) == []


def test_a_list_that_cannot_be_read_makes_no_picture_homeless(sound):
    for encoding, reason in (("utf-16", "("), ("utf-16-le", "(it holds zero bytes, as UTF-16")):
        (sound / "splits" / "train.txt").write_text("p0\np1\n", encoding=encoding)
        (only,) = messages(sound)
        assert only.startswith(f"splits/train.txt: cannot be read {reason}")
        assert only.endswith("; save it as UTF-8 text")
        assert messages(sound, serious=False) == []


def test_sizes_labels_and_unreadable_files(sound, mask):
    mask(sound / "masks" / "p0.png", 1, size=(60, 70))
    mask(sound / "masks" / "p1.png", 7)
    data = (sound / "images" / "p2.png").read_bytes()
    (sound / "images" / "p2.png").write_bytes(data[: len(data) // 2])
    (sound / "masks" / "p3.png").write_bytes(b"")
    (sound / "images" / "p4.png").write_text("hello")
    found = messages(sound)
    assert found[0] == (
        "masks/p0.png: the mask is 70x60, its picture 140x120; "
        "export the mask at the picture's size"
    )
    assert found[1].startswith("masks/p1.png: label 7 belongs to no class (known are 0 to 1 and")
    assert found[2].startswith("masks/p1.png: the mask is 48x40, its picture 140x120")
    assert found[3].startswith("images/p2.png: the file is damaged")
    assert found[4].startswith("masks/p3.png: the file is empty")
    assert found[5].startswith("images/p4.png: not a picture")
    assert len(found) == 6


def test_black_and_white_masks(sound, mask):
    for path in (sound / "masks").iterdir():
        mask(path, 255, size=(120, 140))
    assert messages(sound) == [
        "masks/: hold only 0 and 255, and 255 means ignored, so no class but 'a' is there; if "
        "they are black-and-white pictures, import them with "
        "`segnet-res data import folder --binary`"
    ]


def test_class_that_nobody_can_learn(sound, mask):
    for i in range(6):
        mask(sound / "masks" / f"p{i}.png", size=(120, 140))
    assert messages(sound) == [
        "class 'b' is in val (pictures: 2, 'p6' for one) and not in train, so no model can learn "
        "it; move some to train, or divide anew with `segnet-res data split --force`"
    ]
    for i in (6, 7):
        mask(sound / "masks" / f"p{i}.png", size=(120, 140))
    assert messages(sound) == []
    assert messages(sound, serious=False) == ["class 'b' does not occur in train"]


def test_equal_pictures(sound):
    shutil.copy(sound / "images" / "p0.png", sound / "images" / "p7.png")
    shutil.copy(sound / "images" / "p1.png", sound / "images" / "p2.png")
    assert messages(sound) == [
        "images/p0.png and images/p7.png (train and val): show the very same pixels; "
        "keep one, or put both into one split"
    ]
    assert messages(sound, serious=False) == [
        "images/p1.png and images/p2.png: show the very same pixels; one of them is enough"
    ]


def test_equal_pictures_of_which_one_is_in_no_split(sound):
    for name in ("p1", "p7"):
        shutil.copy(sound / "images" / "p0.png", sound / "images" / f"{name}.png")
    write_splits(sound, {"train": [f"p{i}" for i in range(1, 6)], "val": ["p6", "p7"]})
    assert messages(sound) == [
        "images/p1.png and images/p7.png (train and val): show the very same pixels; "
        "keep one, or put both into one split"
    ]


def test_near_copy_in_another_split(sound):
    image = read_image(sound / "images" / "p3.png", 1)
    near = copied(image)
    Image.fromarray(near).save(sound / "images" / "p6.png")
    Image.fromarray(np.zeros_like(near)).save(sound / "masks" / "p6.png")
    (only,) = messages(sound)
    assert only.startswith("images/p3.png (train) and images/p6.png (val): look like one picture")
    assert only.endswith("; put both into one split")


@pytest.fixture
def alike(sound):
    """Near-copies in one split: p0 shows a dent, and so does its copy p1."""
    (sound / "dataset.yaml").write_text("classes: [{name: sound}, {name: dent}]\nchannels: 1\n")
    near = copied(read_image(sound / "images" / "p0.png", 1))
    Image.fromarray(near).save(sound / "images" / "p1.png")
    dents(sound, p0=(50, 60), p1=(42, 50), size=near.shape)
    return sound


def dents(root, size, **places):
    for stem, (top, left) in places.items():
        labels = np.zeros((120, 140) if stem == "p0" else size, np.uint8)
        labels[top : top + 16, left : left + 16] = 1
        Image.fromarray(labels).save(root / "masks" / f"{stem}.png")


def test_masks_of_near_copies_that_agree(alike):
    assert messages(alike) == messages(alike, serious=False) == []


def test_masks_of_near_copies_that_contradict(alike):
    labels = np.asarray(Image.open(alike / "masks" / "p1.png"))
    Image.fromarray(np.zeros_like(labels)).save(alike / "masks" / "p1.png")
    assert messages(alike) == []
    assert messages(alike, serious=False) == [
        "images/p0.png (dent), images/p1.png (sound): look like one part and their masks "
        "contradict each other (least agreement 0%); look at them side by side and correct the "
        "wrong masks"
    ]
    dents(alike, labels.shape, p1=(2, 2))
    assert "images/p0.png and images/p1.png (dent): look like" in messages(alike, serious=False)[0]


def test_masks_of_equal_pictures_that_contradict(sound, mask):
    shutil.copy(sound / "images" / "p0.png", sound / "images" / "p1.png")
    Image.fromarray(np.ones((120, 140), np.uint8)).save(sound / "masks" / "p1.png")
    assert messages(sound) == [
        "images/p0.png (a and b) and images/p1.png (b): show the very same pixels, and their masks "
        "agree by 0%; keep the picture whose mask is right"
    ]
    assert len(messages(sound, serious=False)) == 1
    # Two masks contradict each other, whatever a third picture lacks.
    shutil.copy(sound / "images" / "p1.png", sound / "images" / "p2.png")
    (sound / "masks" / "p0.png").write_bytes(b"no picture")
    assert "images/p2.png (a and b): show the very same pixels, and their masks" in "".join(
        message for message in messages(sound) if message.startswith("images/p1.png (b)")
    )


def test_empty_folder(tmp_path):
    with pytest.raises(DataError, match=r"no dataset\.yaml in this folder"):
        check_dataset(tmp_path)
    (tmp_path / "dataset.yaml").write_text("classes: [{name: a}]")
    expected = "images/: no picture is in it; add pictures and masks"
    assert check_dataset(tmp_path) == [Problem("orphan", "images", expected)]


def test_many_parts_that_look_alike_take_little_memory(monkeypatch):
    monkeypatch.setattr(lookalike, "_MOST_PAIRS", 100)
    monkeypatch.setattr(lookalike, "_ROWS", 16)
    # Two bits of 256 differ between any two, none between every 256th.
    bits = np.packbits(np.eye(256, dtype=np.uint8), axis=1).view(np.uint64)
    looks = [Look(bits[i % 256], np.zeros((64, 64), np.uint8)) for i in range(2000)]
    tracemalloc.start()
    pairs = lookalike._near_hashes(looks, np.arange(len(looks)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    equal = ((i, j) for i in range(2000) for j in range(i + 256, 2000, 256))
    assert pairs == list(itertools.islice(equal, 100))
    # All pairs would be 2 million of 24 bytes.
    assert peak < 10e6


def test_copies_of_real_tiles_are_found_and_other_tiles_are_not(shared_data):
    # Whole sequences apart, so no two of them show one tile.
    frames = (1810, 2610, 18129, 19695, 29469, 34078, 43817, 50387, 65001, 68359, 71177, 75090)
    folder = shared_data / "magnetic-tile" / "MT_Free" / "Imgs"
    images = [read_image(folder / f"exp1_num_{frame}.jpg", 1) for frame in frames]
    looks = [look(image) for image in images]
    assert lookalikes(looks, range(len(looks))) == []
    copies = [look(copied(image)[..., None]) for image in images]
    pairs = lookalikes(looks + copies, [0] * len(looks) + [1] * len(copies))
    assert [(pair.first, pair.second) for pair in pairs] == [
        (i, i + len(looks)) for i in range(len(looks))
    ]
    assert all(pair.correlation > CORRELATION for pair in pairs)


def test_real_tiles_divided_by_tile_raise_no_alarm(shared_data, tmp_path):
    source = tmp_path / "source"
    for name in ("MT_Crack", "MT_Fray", "MT_Break"):
        shutil.copytree(shared_data / "magnetic-tile" / name, source / name)
    target = tmp_path / "tiles"
    import_dataset("magnetic-tile", source, target)
    assert messages(target) == []
    # Divided at random, tiles leak and the check says so.
    stems = sorted(read_split(target, "train") + read_split(target, "val"))
    write_splits(target, {"train": stems[::2], "val": stems[1::2]})
    assert len(messages(target)) > 50
