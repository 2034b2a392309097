"""Corrected masks: kept once, with who and when, in the split of their part; nothing is lost."""

import json
import subprocess
import sys
import threading

import numpy as np
import pytest
from PIL import Image

from segnet_res.classes import ClassMap
from segnet_res.data import SegmentationDataset, check_dataset, load_info, locks, part_groups
from segnet_res.data.dataset import read_split
from segnet_res.data.resplit import split_dataset
from segnet_res.errors import DataError, ImageError, StorageError, UsageError
from segnet_res.images import read_mask, write_mask
from segnet_res.inference.manifest import digest_of_file
from segnet_res.retraining.corrections import (
    ConflictError,
    add_class,
    annotations,
    current_mask,
    find_picture,
    make_dataset,
    picture_path,
    save_correction,
)

CLASSES = ClassMap.from_names(["sound", "dent"])


@pytest.fixture
def root(tmp_path):
    """A dataset without pictures."""
    make_dataset(tmp_path / "dents", "dents", CLASSES, 1)
    return tmp_path / "dents"


def picture(folder, name, seed=0, size=(20, 30)):
    """Write a picture of noise."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, size, np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def mask(value=1, size=(20, 30)):
    labels = np.zeros(size, np.uint8)
    labels[4:9, 5:12] = value
    return labels


def save(root, path, labels=None, **options):
    options = {"name": path.name, "who": "Ada"} | options
    return save_correction(root, path, mask() if labels is None else labels, **options)


def splits(root):
    return {split: list(read_split(root, split)) for split in ("train", "val", "test")}


def test_a_new_dataset_is_one(root):
    assert load_info(root).class_map == CLASSES
    assert (load_info(root).name, load_info(root).channels) == ("dents", 1)
    assert annotations(root) == {}
    with pytest.raises(StorageError, match="is there already and not empty"):
        make_dataset(root, "other", CLASSES, 3)
    with pytest.raises(UsageError, match=r"group is 'cap\('"):
        make_dataset(root.parent / "new", "new", CLASSES, 3, group="cap(")
    with pytest.raises(UsageError, match="name is empty"):
        make_dataset(root.parent / "new", " ", CLASSES, 3)
    assert not (root.parent / "new").exists()


def test_a_picture_is_kept_bit_by_bit_and_its_mask_exactly(root, tmp_path):
    path = tmp_path / "part 7.jpg"
    Image.fromarray(np.full((20, 30), 99, np.uint8)).save(path, quality=60)
    labels = mask()
    labels[0] = 255
    line = save(root, path, labels, proposed_by="tiles 0123456789ab")
    assert (root / "images/part 7.jpg").read_bytes() == path.read_bytes()
    assert (read_mask(root / "masks/part 7.png", CLASSES) == labels).all()
    assert (line.stem, line.state, line.who, line.revision, line.split, line.part) == (
        "part 7", "done", "Ada", 1, "train", "part 7",
    )  # fmt: skip
    assert line.picture_sha256 == digest_of_file(path)
    assert line.mask_sha256 == digest_of_file(root / "masks/part 7.png")
    assert line.when.endswith("+00:00")
    assert annotations(root) == {"part 7": line}
    assert len(SegmentationDataset(root, "train")) == 1
    assert find_picture(root, path) == "part 7"
    assert picture_path(root, "part 7") == root / "images/part 7.jpg"
    found = current_mask(root, "part 7")
    assert (found[0] == labels).all()
    assert found[1] == line.mask_sha256


def test_saving_twice_does_not_duplicate(root, tmp_path):
    path = picture(tmp_path, "a.png")
    first = save(root, path)
    log = (root / "annotations.jsonl").read_bytes()
    assert save(root, path) == first
    assert save(root, path, name="other name.png") == first
    assert (root / "annotations.jsonl").read_bytes() == log
    assert save(root, path, who="Bob").revision == 1
    assert (root / "annotations.jsonl").read_bytes().count(b"\n") == 2
    assert len(list((root / "images").iterdir())) == 1
    assert not (root / "history").exists()


def test_another_mask_is_a_revision_and_the_one_before_is_kept(root, tmp_path):
    path = picture(tmp_path, "a.png")
    first = save(root, path)
    old = (root / "masks/a.png").read_bytes()
    second = save(root, path, mask(0), opened=first.mask_sha256)
    third = save(root, path, mask(255), opened=second.mask_sha256)
    assert (second.revision, third.revision) == (2, 3)
    assert (root / "history/a/1.png").read_bytes() == old
    assert sorted(path.name for path in (root / "history/a").iterdir()) == ["1.png", "2.png"]
    assert annotations(root)["a"] == third


def test_a_mask_from_before_any_annotation_is_kept_too(tiny_dataset):
    path = tiny_dataset / "images/nested/c.png"
    before = (tiny_dataset / "masks/nested/c.png").read_bytes()
    labels, opened = current_mask(tiny_dataset, "nested/c")
    line = save(tiny_dataset, path, 1 - labels.clip(0, 1), opened=opened)
    assert (line.stem, line.revision, line.split) == ("nested/c", 1, "val")
    assert (tiny_dataset / "history/nested/c/0.png").read_bytes() == before
    assert splits(tiny_dataset)["val"] == ["nested/c", "d"]


def test_a_mask_that_was_right_already(tiny_dataset):
    labels, _ = current_mask(tiny_dataset, "a")
    before = (tiny_dataset / "masks/a.png").read_bytes()
    assert save(tiny_dataset, tiny_dataset / "images/a.png", labels).revision == 1
    assert (tiny_dataset / "masks/a.png").read_bytes() == before
    assert not (tiny_dataset / "history").exists()


def test_what_was_saved_meanwhile_is_not_replaced(root, tmp_path):
    path = picture(tmp_path, "a.png")
    first = save(root, path)
    save(root, path, mask(255), who="Bob", opened=first.mask_sha256)
    with pytest.raises(ConflictError) as caught:
        save(root, path, mask(0), opened=first.mask_sha256)
    assert caught.value.annotation.who == "Bob"
    assert str(caught.value).startswith("a: Bob saved a mask of it at 20")
    assert "look at that one, then save again and replace it" in str(caught.value)
    assert (current_mask(root, "a")[0] == mask(255)).all()
    # None: there was no mask when it was opened.
    with pytest.raises(ConflictError):
        save(root, path, mask(0))
    # Whoever says the same as what is there is in nobody's way.
    save(root, path, mask(255), who="Cy", opened=first.mask_sha256)
    line = save(root, path, mask(0), opened=first.mask_sha256, overwrite=True)
    assert line.revision == 3
    assert (read_mask(root / "history/a/2.png", CLASSES) == mask(255)).all()


def test_a_mask_that_nobody_signed(root, tmp_path):
    path = picture(tmp_path, "a.png")
    opened = save(root, path).mask_sha256
    write_mask(root / "masks/a.png", mask(255))
    with pytest.raises(ConflictError, match="a mask by now that nobody signed") as caught:
        save(root, path, mask(0), opened=opened)
    assert caught.value.annotation is None
    assert save(root, path, mask(0), overwrite=True).revision == 3
    assert (read_mask(root / "history/a/2.png", CLASSES) == mask(255)).all()


def test_a_mask_that_cannot_be_read_is_kept(root, tmp_path):
    path = picture(tmp_path, "a.png")
    opened = save(root, path).mask_sha256
    (root / "masks/a.png").write_bytes(b"damaged")
    save(root, path, overwrite=True, opened=opened)
    assert (root / "history/a/2.png").read_bytes() == b"damaged"


def test_two_at_once(root, tmp_path):
    """All of them wait for each other; whoever comes second is told, and nothing is mixed."""
    path = picture(tmp_path, "a.png")
    told = []

    def work(value):
        try:
            told.append(save(root, path, mask(value), who=f"person {value}").who)
        except ConflictError as error:
            told.append(error.annotation.who)

    threads = [threading.Thread(target=work, args=(value,)) for value in (0, 1, 255)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 3
    assert set(told) == {annotations(root)["a"].who}
    assert len((root / "annotations.jsonl").read_bytes().splitlines()) == 1


def test_a_dataset_that_somebody_holds(root, tmp_path, monkeypatch):
    path = picture(tmp_path, "a.png")
    monkeypatch.setattr(locks, "_PATIENCE", 0.0)
    with (
        locks.holding(root),
        pytest.raises(StorageError, match="somebody else has been saving there"),
    ):
        save(root, path)
    assert save(root, path).revision == 1


def test_names_do_not_collide_and_lead_nowhere(root, tmp_path):
    names = [
        "a.png",
        "A.PNG",
        "../../a.png",
        "C:\\x\\a.png",
        "\u2028.png",
        "con.png",
        "b",
        ".x.jpg",
    ]
    for seed, name in enumerate(names):
        save(root, picture(tmp_path, f"{seed}.png", seed), name=name)
    assert sorted(annotations(root)) == ["A-2", "_con", "a", "a-3", "a-4", "b", "picture", "x"]
    assert (root / "images/x.jpg").is_file()
    assert (root / "images/b.png").is_file()
    assert sum(map(len, splits(root).values())) == len(names)
    # Whatever was there before is left alone, also a mask that lost its picture.
    write_mask(root / "masks/lost.png", mask())
    assert save(root, picture(tmp_path, "9.png", 9), name="lost.png").stem == "lost-2"


def test_of_equal_pictures_the_one_of_this_name_is_meant(root, tmp_path):
    path = picture(tmp_path, "a.png")
    for stem in ("a", "b"):
        (root / "images" / f"{stem}.png").write_bytes(path.read_bytes())
    assert find_picture(root, path) == "a"
    assert find_picture(root, path, "b.png") == "b"
    assert find_picture(root, root / "images/b.png", "a.png") == "b"
    assert find_picture(root, picture(tmp_path, "c.png", 5)) is None


def test_splits_fill_up_by_their_shares(root, tmp_path):
    chosen = [save(root, picture(tmp_path, f"{i}.png", i)).split for i in range(8)]
    assert chosen == ["train", "val", "train", "train", "train", "val", "train", "train"]
    assert not [one for one in check_dataset(root) if one.kind != "note"]


def test_pictures_of_one_part_stay_together(root, tmp_path):
    lines = [
        save(root, picture(tmp_path, f"{i}.png", i), part=part)
        for i, part in enumerate(["p", "q", "p", "q", "q", "r"])
    ]
    assert [line.split for line in lines] == ["train", "val", "train", "val", "val", "train"]
    assert [line.part for line in lines] == ["p", "q", "p", "q", "q", "r"]
    assert set(part_groups(SegmentationDataset(root, "val")).values()) == {"q"}
    with pytest.raises(UsageError, match="'0' shows the same part and is in train"):
        save(root, picture(tmp_path, "9.png", 9), part="p", split="test")
    assert "9" not in annotations(root)
    # Named once, a part is known; and dividing anew keeps it together.
    assert save(root, picture(tmp_path, "3.png", 3), who="Bob").part == "q"
    for seed in range(4):
        divided = split_dataset(root, seed=seed, force=True)
        assert {"1", "3", "4"} <= set(divided["val"]) or {"1", "3", "4"} <= set(divided["train"])


def test_a_named_part_in_two_splits_is_a_problem(root, tmp_path):
    for i in range(2):
        save(root, picture(tmp_path, f"{i}.png", i), part="lid", split="train")
    assert not [one for one in check_dataset(root) if one.kind == "split"]
    (root / "splits/train.txt").write_text("0\n")
    (root / "splits/val.txt").write_text("1\n")
    (problem,) = [one for one in check_dataset(root) if one.kind == "split"]
    assert "part 'lid' lies in several, '0' in train and '1' in val" in str(problem)
    log = root / "annotations.jsonl"
    log.write_bytes(b"nothing\n" + log.read_bytes())
    (problem,) = [one for one in check_dataset(root) if one.serious]
    assert problem.message.startswith("annotations.jsonl: line 1 is damaged (it does not parse);")


def test_the_expression_of_the_dataset_tells_parts(tmp_path):
    root = tmp_path / "caps"
    make_dataset(root, "caps", CLASSES, 1, group=r"cap(\d+)")
    names = ["cap1_left", "cap2_left", "cap2_right", "cap1_right"]
    lines = [save(root, picture(tmp_path, f"{name}.png", i)) for i, name in enumerate(names)]
    assert [line.split for line in lines] == ["train", "val", "val", "train"]
    assert [line.part for line in lines] == ["1", "2", "2", "1"]
    path = picture(tmp_path, "lid.png", 9)
    with pytest.raises(DataError, match=r"lid: the group expression 'cap\(\\\\d\+\)' .* does not"):
        save(root, path)
    line = save(root, path, part="2")
    assert (line.split, line.part) == ("val", "2")
    assert part_groups(SegmentationDataset(root, "val"))["lid"] == "2"
    assert not [one for one in check_dataset(root) if one.kind == "split"]
    assert {"cap2_left", "cap2_right", "lid"} in map(set, split_dataset(root, force=True).values())
    # What it was told is kept, also where nobody tells it again.
    assert save(root, path, mask(0), opened=line.mask_sha256).part == "2"
    other = picture(tmp_path, "rim.png", 10)
    assert save(root, other, name="cap2_rim.png").split == "val"


def test_tiles_stay_together_beside_other_names(root, tmp_path):
    names = ["exp1_num_1000", "other", "exp2_num_1020"]
    lines = [save(root, picture(tmp_path, f"{name}.png", i)) for i, name in enumerate(names)]
    assert [line.split for line in lines] == ["train", "val", "train"]
    assert [line.part for line in lines] == ["tile-1000", "other", "tile-1000"]


def test_only_what_is_done_is_in_a_split(tiny_dataset):
    path = tiny_dataset / "images/d.png"
    labels, _ = current_mask(tiny_dataset, "d")
    listed = tiny_dataset / "splits/val.txt"
    listed.write_bytes(b"\xef\xbb\xbfnested/c\r\n\r\nd\r\n")
    line = save(tiny_dataset, path, labels, state="to review")
    assert (line.split, line.home) == (None, "val")
    assert listed.read_bytes() == b"\xef\xbb\xbfnested/c\r\n\r\n"
    assert save(tiny_dataset, path, labels, state="rejected", who="Bob").split is None
    # It was there to measure by, and must not be trained on now.
    assert save(tiny_dataset, path, labels, state="done").split == "val"
    assert listed.read_bytes() == b"\xef\xbb\xbfnested/c\r\n\r\nd\n"
    assert [one.state for one in annotations(tiny_dataset).values()] == ["done"]
    assert save(tiny_dataset, path, labels, split="test").split == "test"
    assert splits(tiny_dataset) == {"train": ["a", "b"], "val": ["nested/c"], "test": ["d"]}


def test_what_was_taken_out_keeps_its_part_from_training(root, tmp_path):
    path = picture(tmp_path, "a.png", 1)
    save(root, path, part="lid", split="val")
    save(root, path, state="to review")
    assert splits(root)["val"] == []
    # Train lacks most, but the first picture of the lid will go back to val.
    assert save(root, picture(tmp_path, "b.png", 2), part="lid").split == "val"
    assert save(root, path).split == "val"


def test_a_list_without_a_last_line_break(root, tmp_path):
    save(root, picture(tmp_path, "a.png", 1), split="train")
    (root / "splits/train.txt").write_bytes(b"a")
    save(root, picture(tmp_path, "b.png", 2), split="train")
    assert (root / "splits/train.txt").read_bytes() == b"a\nb\n"


@pytest.mark.parametrize(
    ("labels", "options", "error", "message"),
    [
        (mask(7), {}, DataError, "a: label 7 belongs to no class"),
        (mask(size=(30, 20)), {}, DataError, "a: the mask is 20x30, its picture 30x20"),
        (mask().astype(np.int64), {}, DataError, r"a: the mask is \(20, 30\) of int64; give"),
        (mask(), {"who": " \n"}, UsageError, "who is empty; give a name"),
        (mask(), {"who": "x" * 201}, UsageError, "who is 201 characters long; give"),
        (mask(), {"part": ""}, UsageError, "part is empty; give a name"),
        (mask(), {"state": "fine"}, UsageError, "state is 'fine'; choose one of to review, done"),
        (mask(), {"split": "all"}, UsageError, "split is 'all'; the splits are train, val, test"),
    ],
)
def test_what_is_refused_leaves_nothing(root, tmp_path, labels, options, error, message):
    with pytest.raises(error, match=message):
        save(root, picture(tmp_path, "a.png"), labels, **options)
    assert not list((root / "images").iterdir())
    assert not list((root / "masks").iterdir())
    assert not (root / "annotations.jsonl").exists()


@pytest.mark.parametrize("content", [b"", b"nothing", b"\x89PNG\r\n\x1a\n"])
def test_only_pictures_come_in(root, tmp_path, content):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r"a\.png: "):
        save(root, path)
    path.write_bytes(picture(tmp_path, "b.png", size=(99, 99)).read_bytes()[:-200])
    with pytest.raises(ImageError, match=r"a\.png: the file is damaged"):
        save(root, path, mask(size=(99, 99)))
    assert not list((root / "images").iterdir())


def test_stems_from_outside_lead_nowhere(root):
    for stem in ("../x", "/etc/passwd", "a\\b"):
        with pytest.raises(DataError, match="points outside the dataset"):
            current_mask(root, stem)
        with pytest.raises(DataError, match="points outside the dataset"):
            picture_path(root, stem)
    with pytest.raises(DataError, match="no picture is called 'x'"):
        picture_path(root, "x")
    assert current_mask(root, "x") is None


def test_a_mask_that_does_not_fit_is_told(root, tmp_path):
    save(root, picture(tmp_path, "a.png"))
    write_mask(root / "masks/a.png", mask(7))
    with pytest.raises(DataError, match=r"a\.png: label 7 belongs to no class"):
        current_mask(root, "a")
    write_mask(root / "masks/a.png", mask(size=(20, 31)))
    with pytest.raises(DataError, match=r"a\.png: the mask is 31x20, its picture 30x20"):
        current_mask(root, "a")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_no_list_can_hold(root, tmp_path):
    path = picture(tmp_path, "a.png")
    (root / "images/\udce9.png").write_bytes(path.read_bytes())
    with pytest.raises(DataError, match="the name is no UTF-8, so that no split can list it"):
        save(root, path)
    # Brought by a browser such a name is cleaned.
    line = save(root, picture(tmp_path, "b.png", 2), name="\udce9.png", proposed_by="x\udce9 12")
    assert (line.stem, line.proposed_by) == ("_", "x 12")


def test_a_half_line_counts_as_not_written(root, tmp_path):
    first = save(root, picture(tmp_path, "a.png"))
    with (root / "annotations.jsonl").open("ab") as file:
        file.write(first.to_line()[:50])
    assert annotations(root) == {"a": first}
    second = save(root, picture(tmp_path, "b.png", 2))
    assert annotations(root) == {"a": first, "b": second}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"annotation": 2}, "line 1 is of version 2, known here is 1; upgrade"),
        ({"state": "good"}, "line 1 is damaged .state is 'good'.; correct the line"),
        ({"revision": "1"}, "line 1 is damaged .revision is '1'."),
        ({"split": "all"}, "line 1 is damaged .split is 'all'"),
        ({"stem": "../x"}, "'../x' points outside the dataset"),
        ({"who": None}, "line 1 is damaged .who is None."),
    ],
)
def test_damaged_lines_are_told(root, tmp_path, change, message):
    line = json.loads(save(root, picture(tmp_path, "a.png")).to_line())
    (root / "annotations.jsonl").write_text(json.dumps(line | change) + "\n")
    with pytest.raises(DataError, match=message):
        annotations(root)
    del line["when"]
    (root / "annotations.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(DataError, match="something is missing"):
        annotations(root)


def test_a_class_is_added_behind_the_others(tiny_dataset):
    path = tiny_dataset / "dataset.yaml"
    path.write_text(
        "# ours\nname: tiny\nclasses:\n  - {name: sound, color: '#000001'}  # nothing\n"
        "  - name: scratch\n    color: '#000002'\n\n# until here\nignore_index: 9\nchannels: 1\n"
        "made: by hand\n"
    )
    classes = add_class(tiny_dataset, "deep: dent", (1, 2, 3))
    assert classes.names == ("sound", "scratch", "deep: dent")
    assert (classes.colors[2], classes.ignore_index) == ((1, 2, 3), 9)
    assert load_info(tiny_dataset).class_map == classes
    text = path.read_text()
    assert "# nothing" in text
    assert text.endswith("ignore_index: 9\nchannels: 1\nmade: by hand\n")
    assert add_class(tiny_dataset, "chip").names[-1] == "chip"
    assert len(set(load_info(tiny_dataset).class_map.colors)) == 4
    with pytest.raises(DataError, match="the class 'deep: dent' is there already, as label 2"):
        add_class(tiny_dataset, "Deep:_Dent")
    with pytest.raises(UsageError, match="the class's name is ''"):
        add_class(tiny_dataset, " ")


def test_a_class_in_other_forms_of_the_file(root):
    path = root / "dataset.yaml"
    for text in (
        "classes: [{name: sound}, {name: dent}]\nname: dents",
        "classes:\n- name: sound\n- name: dent",
        '{"classes": [\n {"name": "sound"},\n {"name": "dent"}\n]}',
    ):
        path.write_text(text)
        assert add_class(root, "chip").names == ("sound", "dent", "chip")
        assert load_info(root).class_map.names == ("sound", "dent", "chip")


def test_no_label_is_left(root):
    (root / "dataset.yaml").write_text("classes: [{name: sound}, {name: dent}]\nignore_index: 2")
    with pytest.raises(DataError, match="all labels below 2, which means ignored, are classes"):
        add_class(root, "chip")


KILLED = """
import os, shutil, signal, sys
from pathlib import Path
import numpy as np
from segnet_res.retraining.corrections import annotations, current_mask, save_correction

place = Path(sys.argv[1])
labels = np.load(place / "labels.npy")
opened = current_mask(place / "before", "d")[1]

def save(root, name, **options):
    save_correction(root, place / name, labels[name], name=name, who="Ada", state=states[name])

def patch(step, left):
    def patched(*words):
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(*words)
    return patched

for number in range(1, 100):
    root = place / f"after-{number}"
    shutil.copytree(place / "before", root)
    child = os.fork()
    if not child:
        left = [number]
        # Before and after each file gets its name, or its content reaches the disk.
        for owner, name in ((Path, "replace"), (os, "fsync"), (os, "truncate")):
            setattr(owner, name, patch(getattr(owner, name), left))
        save_correction(root, place / "d.png", labels, name="d.png", who="Ada", split="train",
                        opened=opened)
        save_correction(root, place / "new.png", labels, name="new.png", who="Ada", split="val")
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if os.WIFEXITED(status):
        sys.exit(0 if os.WEXITSTATUS(status) == 0 and number > 10 else f"{number}: {status}")
sys.exit("never came to its end")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kills a process by SIGKILL")
def test_killed_at_any_moment(tiny_dataset, tmp_path):
    """Whole files in every folder, and saving again makes each of them equal to the last one."""
    place = tmp_path / "place"
    place.mkdir()
    tiny_dataset.rename(place / "before")
    path = place / "d.png"
    path.write_bytes((place / "before/images/d.png").read_bytes())
    new = picture(place, "new.png", 3, (33, 32))
    labels, opened = current_mask(place / "before", "d")
    before = (place / "before/masks/d.png").read_bytes()
    labels = 1 - labels.clip(0, 1)
    np.save(place / "labels.npy", labels)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(place)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    roots = sorted(place.glob("after-*"), key=lambda root: int(root.name.split("-")[1]))
    for root in roots:
        # What is in a split can be read whole at any moment, and nothing is in two.
        stems = [stem for stems in splits(root).values() for stem in stems]
        assert len(set(stems)) == len(stems)
        for split in ("train", "val"):
            for sample in SegmentationDataset(root, split):
                assert sample.labels.shape == sample.image.shape[:2]
        masks = {(root / "masks/d.png").read_bytes()}
        masks |= {one.read_bytes() for one in root.glob("history/d/*.png")}
        assert before in masks
        lines = [
            save(root, path, labels, split="train", opened=opened),
            save(root, new, labels, split="val"),
        ]
        assert [(line.stem, line.revision, line.split) for line in lines] == [
            ("d", 1, "train"),
            ("new", 1, "val"),
        ]
        assert (root / "history/d/0.png").read_bytes() == before
        assert splits(root)["val"] == ["nested/c", "new"]
        assert len(annotations(root)) == 2
        assert not [one for one in check_dataset(root) if one.kind == "orphan"]
