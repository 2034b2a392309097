from collections import defaultdict

import pytest

from segnet_res.data import assign_splits
from segnet_res.data.splits import check_fractions, group_by_pattern, parse_fractions
from segnet_res.errors import DataError, UsageError


def parts(count, size=3):
    return {f"part{i}-{j}": f"part{i}" for i in range(count) for j in range(size)}


def split_of(splits):
    return {stem: name for name, stems in splits.items() for stem in stems}


def test_groups_stay_whole_and_all_stems_are_placed():
    groups = parts(20)
    splits = assign_splits(groups, fractions=(0.6, 0.2, 0.2), seed=3)
    where = split_of(splits)
    assert sorted(where) == sorted(groups)
    homes = defaultdict(set)
    for stem, group in groups.items():
        homes[group].add(where[stem])
    assert all(len(names) == 1 for names in homes.values())
    assert {name: len(stems) for name, stems in splits.items()} == {
        "train": 36, "val": 12, "test": 12
    }  # fmt: skip


def test_the_seed_decides():
    groups = parts(12)
    first = assign_splits(groups, seed=1)
    assert assign_splits(dict(reversed(groups.items())), seed=1) == first
    assert any(assign_splits(groups, seed=seed) != first for seed in (2, 3, 4))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("count", [2, 3, 5, 7])
def test_rare_classes_reach_train_and_val(seed, count):
    groups = parts(40)
    strata = {stem: [0] for stem in groups}
    for i in range(count):
        for j in range(3):
            strata[f"part{i}-{j}"] = [0, 1]
    where = split_of(assign_splits(groups, seed=seed, strata=strata))
    homes = {where[stem] for stem, classes in strata.items() if 1 in classes}
    assert homes == {"train", "val"}


def test_a_class_of_one_group_is_learnt_rather_than_measured():
    groups = parts(10)
    strata = {"part4-0": [5]}
    for seed in range(5):
        assert "part4-0" in assign_splits(groups, seed=seed, strata=strata)["train"]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("fractions", [(0.75, 0.25), (0.5, 0.5), (0.6, 0.2, 0.2)])
def test_no_split_stays_empty_where_each_group_has_a_class_of_its_own(seed, fractions):
    groups = parts(4) | {"small-0": "small"}
    strata = {stem: [0, 1 + sorted(set(groups.values())).index(part)]
              for stem, part in groups.items()}  # fmt: skip
    splits = assign_splits(groups, fractions=fractions, seed=seed, strata=strata)
    assert len(splits) == len(fractions)
    assert all(splits.values())
    # Learnt is what most can be said of.
    assert splits["val"] == ["small-0"]
    assert len(splits["train"]) >= 9


def test_seven_groups_go_five_to_two():
    # Shares 5.25 and 1.75 of seven equal groups.
    groups = {f"p{i}": f"p{i}" for i in range(7)}
    splits = assign_splits(groups, strata={stem: [1] for stem in groups})
    assert [len(splits["train"]), len(splits["val"])] == [5, 2]


def test_nothing_to_divide():
    assert assign_splits({}) == {"train": [], "val": []}


@pytest.mark.parametrize(
    ("fractions", "expected"),
    [
        ((0.5, 0.2), "fractions sum to 0.7; make them sum to 1"),
        ((1.5, -0.5), "give shares of train, val and test between 0 and 1"),
        ((0.25, 0.25, 0.25, 0.25), "give shares of train, val and test"),
    ],
)
def test_fractions_are_checked(fractions, expected):
    with pytest.raises(UsageError, match=expected):
        check_fractions(fractions)


def test_fractions_are_numbers():
    assert parse_fractions("0.7, 0.2, 0.1") == (0.7, 0.2, 0.1)
    with pytest.raises(UsageError, match="fractions are 'half'; write shares"):
        parse_fractions("half")


def test_groups_by_pattern():
    stems = ["left/cap1_a", "right/cap1_b", "left/cap2_a"]
    assert list(group_by_pattern(stems, r"cap\d").values()) == ["cap1", "cap1", "cap2"]
    assert list(group_by_pattern(stems, r"(\w+)/cap(\d)").values()) == [
        "left/1", "right/1", "left/2"
    ]  # fmt: skip


def test_pattern_that_does_not_match():
    with pytest.raises(DataError, match=r"b7: the group expression 'cap' does not match"):
        group_by_pattern(["cap1", "b7"], "cap")
    with pytest.raises(UsageError, match=r"group is '\(', not a regular expression"):
        group_by_pattern(["a"], "(")
