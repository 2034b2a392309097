import os
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image

from segnet_res.data import SegmentationDataset, check_dataset, load_info, save_info
from segnet_res.data.annotations import DONE, Annotation, append_annotation
from segnet_res.data.splits import write_splits
from segnet_res.errors import DataError, TrainingError
from segnet_res.images import read_image, write_image, write_mask
from segnet_res.retraining.apart import find_clashes, refuse, see
from segnet_res.retraining.lineup import line_up
from segnet_res.retraining.snapshot import Sourced, freeze, pools, read_sources


def frozen(tmp_path, roots, **options):
    maps = [load_info(root).class_map for root in roots]
    target = tmp_path / "data"
    line = line_up(maps[-1], maps)
    sources = [Sourced(root, place) for place, root in enumerate(roots)]
    return target, freeze(target, sources, line, channels=1, **options)


def test_datasets_become_one_with_labels_by_name(tmp_path, new_dataset, tiny_dataset):
    target, sources = frozen(tmp_path, [new_dataset, tiny_dataset])
    train, val = SegmentationDataset(target, "train"), SegmentationDataset(target, "val")
    assert train.stems == ("new/p", "new/q", "base1/a", "base1/b")
    assert val.stems == ("new/r", "base1/nested/c", "base1/d")
    assert train.class_map.names == ("sound", "dent", "scratch")
    assert train.channels == 1
    # scratch is 1 in the old dataset and 2 in the new one; ignored pixels stay ignored.
    old = SegmentationDataset(tiny_dataset, "train").read_labels(0)
    assert np.array_equal(train.read_labels(2), np.where(old == 1, 2, old))
    assert [(one.name, one.role, one.train, one.val) for one in sources] == [
        ("dents", "new", 2, 1),
        ("tiny", "base", 2, 2),
    ]
    assert read_sources(target) == sources
    assert [one for one in check_dataset(target) if one.serious] == []


def test_a_snapshot_does_not_follow_its_source(tmp_path, new_dataset, tiny_dataset):
    target, _ = frozen(tmp_path, [new_dataset, tiny_dataset])
    before = SegmentationDataset(target, "train").read_labels(0)
    mask = new_dataset / "masks" / "p.png"
    write_mask(tmp_path / "other.png", np.zeros((40, 36), np.uint8))
    mask.write_bytes((tmp_path / "other.png").read_bytes())  # into the very file, as `cp` does it
    write_splits(new_dataset, {"train": ["p"]})
    assert np.array_equal(SegmentationDataset(target, "train").read_labels(0), before)


def test_masks_in_colours_keep_their_classes_where_those_of_another_dataset_count(
    tmp_path, new_dataset
):
    # The same classes with the same labels, but two of them have each other's colour.
    info = load_info(new_dataset)
    first, second, third = info.class_map.colors
    old = tmp_path / "old-dataset"
    shutil.copytree(new_dataset, old)
    class_map = replace(info.class_map, colors=(first, third, second))
    save_info(old, replace(info, class_map=class_map))
    labels = SegmentationDataset(old, "train").read_labels(0)
    colors = np.array(class_map.colors, np.uint8)[labels]
    Image.fromarray(colors).save(old / "masks" / "p.png")
    target, _ = frozen(tmp_path, [new_dataset, old])
    train = SegmentationDataset(target, "train")
    assert train.class_map.colors == info.class_map.colors
    assert np.array_equal(train.read_labels(train.stems.index("base1/p")), labels)


def test_where_nothing_can_be_linked_files_are_copied(tmp_path, new_dataset, monkeypatch):
    def refuse_link(*_):
        raise OSError("other file system")

    monkeypatch.setattr(os, "link", refuse_link)
    target, _ = frozen(tmp_path, [new_dataset])
    picture = SegmentationDataset(target, "train").image_path(0)
    assert picture.read_bytes() == (new_dataset / "images" / "p.png").read_bytes()


def test_new_and_old_pictures_are_drawn_by_shares(tmp_path, new_dataset, tiny_dataset):
    target, _ = frozen(tmp_path, [new_dataset, tiny_dataset])
    new, old = pools(SegmentationDataset(target, "train"), 0.7)
    assert (new.share, new.indices.tolist()) == (0.7, [0, 1])
    assert (old.share, old.indices.tolist()) == (pytest.approx(0.3), [2, 3])


def test_pictures_that_are_left_out_count_as_such(tmp_path, new_dataset, tiny_dataset):
    target, sources = frozen(
        tmp_path, [new_dataset, tiny_dataset], left_out={"train": {(1, "a"), (0, "r")}}
    )
    assert SegmentationDataset(target, "train").stems == ("new/p", "new/q", "base1/b")
    assert [one.left_out for one in sources] == [0, 1]
    # What is validated on stays.
    assert "new/r" in SegmentationDataset(target, "val").stems
    (tmp_path / "other").mkdir()
    target, sources = frozen(
        tmp_path / "other", [new_dataset, tiny_dataset], left_out={"val": {(1, "d")}}
    )
    assert SegmentationDataset(target, "val").stems == ("new/r", "base1/nested/c")
    assert [(one.val, one.left_out) for one in sources] == [(1, 0), (1, 0)]


def test_nothing_to_learn_from_or_to_validate_on(tmp_path, new_dataset):
    with pytest.raises(DataError, match="dents: no picture of the split 'train' is left to learn"):
        frozen(tmp_path, [new_dataset], left_out={"train": {(0, "p"), (0, "q")}})
    (new_dataset / "splits" / "val.txt").unlink()
    with pytest.raises(DataError, match="dents: no picture to validate on; fill its split 'val'"):
        frozen(tmp_path, [new_dataset])
    assert not (tmp_path / "data").exists()


def test_a_damaged_list_of_sources(tmp_path):
    (tmp_path / "sources.json").write_text("[{}]")
    with pytest.raises(TrainingError, match=r"sources\.json: damaged .*; start again in another"):
        read_sources(tmp_path)


def surface(seed):
    """Return a picture with structure enough to be known again, (96, 128, 1) uint8."""
    rng = np.random.default_rng(seed)
    rough = cv2.GaussianBlur(rng.normal(0, 1, (96, 128)).astype(np.float32), (0, 0), 3)
    return np.clip(128 + 400 * rough, 0, 255).astype(np.uint8)[..., None]


def seen(root, split, place=0):
    steps = see(SegmentationDataset(root, split), place, 1)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value


def test_copies_and_near_copies_are_named(tiny_dataset):
    pictures = {"a": surface(1), "b": surface(2), "nested/c": surface(3), "d": surface(4)}
    pictures["a"] = pictures["d"]
    # Brighter and smaller: another photograph of the same part.
    pictures["b"] = cv2.resize(np.minimum(pictures["nested/c"], 215) + 40, (100, 80))[..., None]
    for stem, picture in pictures.items():
        write_image(tiny_dataset / "images" / f"{stem}.png", picture)
    clashes = find_clashes(seen(tiny_dataset, "train"), seen(tiny_dataset, "val"))
    assert [str(clash) for clash in clashes] == [
        "tiny train: a is tiny val: d",
        "tiny train: b looks like tiny val: nested/c",
    ]
    with pytest.raises(DataError, match=r"tiny train: a is tiny val: d; .*with --leave-out$"):
        refuse(clashes)
    write_image(tiny_dataset / "images" / "a.png", surface(5))
    write_image(tiny_dataset / "images" / "b.png", surface(6))
    assert find_clashes(seen(tiny_dataset, "train"), seen(tiny_dataset, "val")) == []


def test_pictures_of_one_part_are_named(tiny_dataset, new_dataset):
    for root, stem, other in ((tiny_dataset, "d", "cap7-left"), (new_dataset, "p", "cap7-right")):
        for folder in ("images", "masks"):
            (root / folder / f"{stem}.png").rename(root / folder / f"{other}.png")
        with (root / "dataset.yaml").open("a") as file:
            file.write("group: '^(cap[0-9]|.)'\n")
    write_splits(tiny_dataset, {"val": ["cap7-left"]})
    write_splits(new_dataset, {"train": ["cap7-right", "q"]})
    clashes = find_clashes(seen(new_dataset, "train"), seen(tiny_dataset, "val"))
    assert [str(clash) for clash in clashes] == [
        "dents train: cap7-right shows the part of tiny val: cap7-left"
    ]


def test_a_picture_that_cannot_be_read_is_named_with_its_folder(tiny_dataset):
    (tiny_dataset / "images" / "a.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"^images.a\.png: not a picture"):
        seen(tiny_dataset, "train")


def tell_part(root, stem, part):
    line = Annotation(stem, DONE, "Ada", "2026-01-01T00:00:00Z", None, "0" * 64, "0" * 64, 1, None,
                      part, part_told=True)  # fmt: skip
    append_annotation(root, line)


def test_a_part_that_people_have_named_is_one_part_in_all_datasets(tiny_dataset, new_dataset):
    tell_part(new_dataset, "p", "lid")
    tell_part(tiny_dataset, "d", "lid")
    tell_part(new_dataset, "q", "cap")
    clashes = find_clashes(seen(new_dataset, "train"), seen(tiny_dataset, "val"))
    assert [str(clash) for clash in clashes] == ["dents train: p shows the part of tiny val: d"]
    # What one dataset's expression finds and somebody's word for another one's picture.
    with (tiny_dataset / "dataset.yaml").open("a") as file:
        file.write("group: '.$'\n")
    tell_part(tiny_dataset, "a", "c")
    clashes = find_clashes(seen(tiny_dataset, "train"), seen(tiny_dataset, "val"))
    assert [str(clash) for clash in clashes] == [
        "tiny train: a shows the part of tiny val: nested/c"
    ]


def test_a_part_that_is_named_as_another_dataset_s_expression_calls_it(tiny_dataset, new_dataset):
    with (tiny_dataset / "dataset.yaml").open("a") as file:
        file.write("group: '.$'\n")
    # The page's own new datasets have no expression.
    tell_part(new_dataset, "p", "d")
    clashes = find_clashes(seen(new_dataset, "train"), seen(tiny_dataset, "val"))
    assert [str(clash) for clash in clashes] == ["dents train: p shows the part of tiny val: d"]


def test_photographs_of_one_tile_are_of_one_part_in_all_datasets(tiny_dataset, new_dataset):
    names = {"p": "MT_Fray/exp2_num_500", "q": "MT_Fray/exp2_num_9000"}
    for root, stems in ((new_dataset, names), (tiny_dataset, {"d": "MT_Free/exp3_num_520"})):
        for stem, name in stems.items():
            for folder in ("images", "masks"):
                (root / folder / name).parent.mkdir(exist_ok=True)
                (root / folder / f"{stem}.png").rename(root / folder / f"{name}.png")
    write_splits(new_dataset, {"train": sorted(names.values())})
    write_splits(tiny_dataset, {"val": ["MT_Free/exp3_num_520"]})
    clashes = find_clashes(seen(new_dataset, "train"), seen(tiny_dataset, "val"))
    assert [str(clash) for clash in clashes] == [
        "dents train: MT_Fray/exp2_num_500 shows the part of tiny val: MT_Free/exp3_num_520"
    ]


def test_a_picture_is_known_again_in_a_colour_file(tiny_dataset, new_dataset):
    grey = read_image(tiny_dataset / "images" / "d.png", 1)
    Image.fromarray(np.repeat(grey, 3, axis=2)).save(new_dataset / "images" / "p.png")
    clashes = find_clashes(seen(new_dataset, "train"), seen(tiny_dataset, "val"))
    assert [str(clash) for clash in clashes] == ["dents train: p is tiny val: d"]
