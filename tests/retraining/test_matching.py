"""Classes of masks, parent and candidate are matched by name."""

import pytest

from segnet_res.checkpoint import Metadata
from segnet_res.classes import ClassMap
from segnet_res.errors import DataError
from segnet_res.retraining.matching import match_classes, renamings


def classes(*names, ignore_index=255):
    return ClassMap.from_names(names, ignore_index=ignore_index)


def test_order_and_names_of_the_background_do_not_matter():
    matched = match_classes(
        classes("sound", "crack", "dent", ignore_index=9),
        classes("background", "dent", "crack"),
        classes("good", "crack", "pore", "dent"),
    )
    assert matched.class_map.names == ("sound", "crack", "dent", "pore")
    assert matched.truth[[0, 1, 2, 9, 77]].tolist() == [0, 1, 2, 255, 255]
    assert matched.parent[:3].tolist() == [0, 2, 1]
    assert matched.candidate[:4].tolist() == [0, 1, 3, 2]
    assert (matched.parent_knows & matched.candidate_knows).tolist() == [True, True, True, False]


def test_a_new_name_counts_for_older_masks_and_parents():
    old, new = classes("sound", "crack"), classes("sound", "fissure")
    matched = match_classes(old, old, new, {"crack": "fissure"})
    assert matched.class_map.names == ("sound", "fissure")
    assert matched.parent_knows.all()
    assert matched.candidate_knows.all()
    # Masks that know both names mean two classes.
    matched = match_classes(classes("sound", "crack", "fissure"), old, new, {"crack": "fissure"})
    assert matched.class_map.names == ("sound", "crack", "fissure")
    assert matched.truth[:3].tolist() == [0, 1, 2]


def test_a_renamed_background_stays_the_background():
    matched = match_classes(
        classes("sound", "crack"),
        classes("sound", "crack"),
        classes("plain", "crack"),
        {"sound": "plain"},
    )
    assert matched.class_map.names == ("sound", "crack")
    assert matched.candidate[:2].tolist() == [0, 1]


def test_a_class_that_counts_as_another_counts_so_in_the_masks():
    old, new = classes("sound", "crack", "dent"), classes("sound", "dent")
    matched = match_classes(old, old, new, merged={"crack": "dent"})
    assert matched.class_map.names == ("sound", "dent")
    assert matched.truth[:3].tolist() == matched.parent[:3].tolist() == [0, 1, 1]


def test_defects_do_not_vanish_because_they_are_not_to_be_reported():
    old, new = classes("sound", "crack", "dent"), classes("sound", "dent")
    matched = match_classes(old, old, new, merged={"crack": "sound"})
    assert matched.truth[:3].tolist() == [0, 1, 2]
    assert matched.candidate_knows.tolist() == [True, False, True]


def test_where_no_class_is_the_background_none_is_special():
    road = classes("Road", "Sky")
    matched = match_classes(road, classes("Sky", "Road"), road)
    assert matched.parent[:2].tolist() == [1, 0]


def test_nothing_in_common():
    with pytest.raises(DataError) as caught:
        match_classes(classes("sound", "crack"), classes("ok", "crack"), classes("ok", "dent"))
    assert str(caught.value) == (
        "the candidate knows no class of the masks (sound, crack); compare on masks of its classes"
    )


def test_what_a_retraining_says_of_its_classes():
    told = {"renamed": {"a": "b"}, "dropped": {"c": "b", "d": None}}
    metadata = Metadata("ressegnet", classes("b"), 1, (0.0,), (1.0,), recipe={"retrained": told})
    assert renamings(metadata) == ({"a": "b"}, {"c": "b"})
    # Those of an earlier retraining count, too.
    told["earlier"] = {"renamed": {"e": "b"}, "dropped": {"f": "b"}}
    assert renamings(metadata) == ({"a": "b", "e": "b"}, {"c": "b", "f": "b"})
    assert renamings(Metadata("ressegnet", classes("b"), 1, (0.0,), (1.0,))) == ({}, {})
    assert renamings(None) == ({}, {})
