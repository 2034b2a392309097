"""Which pictures show one part: by the dataset's own expression, by tile, or each for itself."""

import pytest
import yaml

from segnet_res.data import (
    SegmentationDataset,
    check_dataset,
    import_dataset,
    load_info,
    part_groups,
)
from segnet_res.data.resplit import split_dataset
from segnet_res.errors import DataError


def with_group(root, pattern):
    path = root / "dataset.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"group": pattern}))
    return root


def test_tiles_are_told_by_their_names(tiles, tmp_path):
    import_dataset("magnetic-tile", tiles, tmp_path / "out", split="val")
    groups = part_groups(SegmentationDataset(tmp_path / "out", "val"))
    assert groups["MT_Crack/exp1_num_1000"] == groups["MT_Crack/exp2_num_1020"] == "tile-1000"
    assert len(groups) == 9
    assert len(set(groups.values())) == 6


def test_without_more_each_picture_is_a_part(tiny_dataset):
    assert part_groups(SegmentationDataset(tiny_dataset, "val")) == {
        "nested/c": "nested/c",
        "d": "d",
    }
    assert part_groups(SegmentationDataset(tiny_dataset, "test")) == {}


def test_the_expression_of_the_dataset_counts(tiny_dataset):
    dataset = SegmentationDataset(with_group(tiny_dataset, "[a-z]$"), "train")
    assert part_groups(dataset) == {"a": "a", "b": "b"}
    dataset = SegmentationDataset(with_group(tiny_dataset, "[abcd]|nested"), "val")
    assert part_groups(dataset) == {"nested/c": "nested", "d": "d"}


def test_an_expression_that_misses_a_picture(tiny_dataset):
    dataset = SegmentationDataset(with_group(tiny_dataset, "nested"), "val")
    with pytest.raises(DataError, match="d: the group expression 'nested' does not match; write"):
        part_groups(dataset)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [("cap(", r"not a regular expression \(missing \), .*\); write one in"), (7, r"\(no text\)")],
)
def test_an_expression_that_is_none(tiny_dataset, pattern, message):
    with pytest.raises(DataError, match=message):
        load_info(with_group(tiny_dataset, pattern))


def test_an_import_keeps_the_expression_and_a_new_division_heeds_it(picture, mask, tmp_path):
    source = tmp_path / "source"
    for i in range(8):
        stem = f"cap{i // 2}_{'left' if i % 2 else 'right'}"
        picture(source / "images" / f"{stem}.png", seed=i)
        mask(source / "masks" / f"{stem}.png", 1)
    target = tmp_path / "caps"
    report = import_dataset("folder", source, target, group=r"cap\d+", fractions=(0.5, 0.5))
    assert report.info.group == load_info(target).group == r"cap\d+"
    assert len(set(part_groups(SegmentationDataset(target, "val")).values())) == 2
    for seed in range(3):
        splits = split_dataset(target, fractions=(0.5, 0.5), seed=seed, force=True)
        assert not {s[:4] for s in splits["train"]} & {s[:4] for s in splits["val"]}
    # Importing the dataset again without its lists still keeps parts together.
    for path in (target / "splits").glob("*.txt"):
        path.unlink()
    again = import_dataset("folder", target, tmp_path / "again", fractions=(0.5, 0.5))
    assert again.info.group == r"cap\d+"
    splits = [SegmentationDataset(tmp_path / "again", split).stems for split in ("train", "val")]
    assert not {s[:4] for s in splits[0]} & {s[:4] for s in splits[1]}


def torn(root):
    return [problem.message for problem in check_dataset(root) if problem.serious]


def test_a_part_in_two_splits_is_found(tiny_dataset):
    assert torn(with_group(tiny_dataset, "[a-d]$")) == []
    # Whatever the stem is: one part in train and val.
    assert torn(with_group(tiny_dataset, "$")) == [
        "splits/: part '' lies in several, 'a' in train and 'nested/c' in val, so scores flatter; "
        "divide anew with `segnet-res data split --force`"
    ]


def test_a_tile_in_two_splits_is_found(tiles, tmp_path):
    import_dataset("magnetic-tile", tiles, tmp_path / "out", fractions=(0.5, 0.5))
    root = tmp_path / "out"
    assert torn(root) == []
    train = (root / "splits" / "train.txt").read_text().splitlines()
    val = (root / "splits" / "val.txt").read_text().splitlines()
    pair = ["MT_Crack/exp1_num_1000", "MT_Crack/exp2_num_1020"]
    others = [stem for stem in train + val if stem not in pair]
    (root / "splits" / "train.txt").write_text("\n".join([pair[0], *others]))
    (root / "splits" / "val.txt").write_text(pair[1])
    assert "part 'tile-1000' lies in several, 'MT_Crack/exp1_num_1000' in train" in torn(root)[0]


def test_a_check_tells_of_an_expression_that_misses_a_picture(tiny_dataset):
    (message,) = torn(with_group(tiny_dataset, "[abc]$"))
    assert message.startswith("dataset.yaml: d: the group expression '[abc]$' does not match;")
