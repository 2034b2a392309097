import numpy as np
import pytest

from segnet_res.classes import (
    CAMVID,
    MAGNETIC_TILE,
    MAX_CLASSES,
    ClassMap,
    background,
    default_color,
    format_color,
    parse_color,
)
from segnet_res.errors import DataError

BLACK, WHITE = (0, 0, 0), (255, 255, 255)


def test_names_are_found_by_label_and_labels_by_name():
    classes = ClassMap(("sound", "scratch"), (BLACK, WHITE))
    assert len(classes) == 2
    assert classes.names[1] == "scratch"
    assert classes.index("scratch") == 1


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(DataError, match=r"no class is called 'dent'; known are sound, scratch"):
        ClassMap.from_names(["sound", "scratch"]).index("dent")


@pytest.mark.parametrize(
    ("names", "colors", "ignore_index", "message"),
    [
        ((), (), 255, "a class map holds 0 classes; give 1 to 255"),
        (
            tuple(map(str, range(256))),
            (BLACK,) * 256,
            255,
            "a class map holds 256 classes; give 1 to 255",
        ),
        (("a", "b"), (BLACK,), 255, "2 class names but 1 colours; give one each"),
        (("a", "a"), (BLACK, WHITE), 255, r"unique and not empty, found \['a', 'a'\]"),
        (("a", ""), (BLACK, WHITE), 255, r"unique and not empty, found \['a', ''\]"),
        (("a", "b"), (BLACK, WHITE), 1, "ignore_index is 1, with 2 classes it must be between 2"),
        (("a", "b"), (BLACK, WHITE), 256, "ignore_index is 256, .* between 2 and 255"),
    ],
)
def test_what_cannot_be_a_class_map_is_refused(names, colors, ignore_index, message):
    with pytest.raises(DataError, match=message):
        ClassMap(names, colors, ignore_index)


def test_the_ignore_index_may_follow_the_last_class():
    assert ClassMap.from_names(["a", "b"], ignore_index=2).ignore_index == 2


def test_255_classes_have_255_colours_and_leave_one_label_to_ignore():
    classes = ClassMap.from_names([f"class {i}" for i in range(MAX_CLASSES)])
    assert len(set(classes.colors)) == MAX_CLASSES
    assert classes.ignore_index == 255
    assert classes.unknown(np.arange(256, dtype=np.uint8)) == []


def test_dictionary_there_and_back():
    classes = ClassMap(("sky", "road"), ((1, 2, 3), (255, 128, 0)), 11)
    content = classes.to_dict()
    assert content == {
        "classes": [{"name": "sky", "color": "#010203"}, {"name": "road", "color": "#ff8000"}],
        "ignore_index": 11,
    }
    assert ClassMap.from_dict(content) == classes


def test_a_dictionary_needs_names_only():
    classes = ClassMap.from_dict({"classes": [{"name": "a"}, {"name": "b", "color": None}]})
    assert classes == ClassMap.from_names(["a", "b"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, r"no list of classes found; write classes: \[{name"),
        ({"classes": []}, "no list of classes found"),
        ({"classes": "sound, scratch"}, "no list of classes found"),
        ({"classes": ["sound"]}, r"class 0 is 'sound'; write it as {name: ..., color: ...}"),
        ({"classes": [{"name": "a"}, {"name": 7}]}, r"class 1 is {'name': 7}; write it as"),
        ({"classes": [{"name": "a", "color": "red"}]}, r'a colour is \'red\'; write it as "#rrgg'),
        ({"classes": [{"name": "a", "color": 7}]}, "a colour is 7"),
        ({"classes": [{"name": "a"}], "ignore_index": "no"}, "ignore_index is 'no'; give a whole"),
        ({"classes": [{"name": "a"}], "ignore_index": True}, "ignore_index is True; give a whole"),
    ],
)
def test_a_dictionary_that_is_none_of_ours_is_refused(content, message):
    with pytest.raises(DataError, match=message):
        ClassMap.from_dict(content)


def test_the_palette_has_a_row_for_every_label():
    palette = ClassMap(("a", "b"), ((1, 2, 3), (4, 5, 6))).palette()
    assert palette.shape == (256, 3)
    assert palette.dtype == np.uint8
    assert palette[:3].tolist() == [[1, 2, 3], [4, 5, 6], [0, 0, 0]]
    assert not palette[2:].any()


def test_unknown_labels_are_listed_in_rising_order():
    classes = ClassMap.from_names(["a", "b"], ignore_index=11)
    labels = np.array([[0, 1, 11], [255, 2, 12]], np.uint8)
    assert classes.unknown(labels) == [2, 12, 255]
    assert classes.unknown(np.zeros((0, 4), np.uint8)) == []


@pytest.mark.parametrize("text", ["", "ff8000", "#ff80", "#gg0000", "#ff800000", " #ff8000", None])
def test_other_texts_are_no_colours(text):
    with pytest.raises(DataError, match=r"a colour is .*; write it as"):
        parse_color(text)


def test_colours_are_written_as_they_are_read():
    assert parse_color("#FF8001") == (255, 128, 1)
    assert format_color((255, 128, 1)) == "#ff8001"
    assert default_color(0) != default_color(12)


def test_the_known_class_maps():
    assert MAGNETIC_TILE.names == ("background", "blowhole", "break", "crack", "fray", "uneven")
    assert len(CAMVID) == 11
    assert (CAMVID.index("Sky"), CAMVID.index("Bicyclist")) == (0, 10)
    for classes in (MAGNETIC_TILE, CAMVID):
        assert len(set(classes.colors)) == len(classes)


@pytest.mark.parametrize(
    ("names", "label"), [(("Sound", "scratch"), 0), (("scratch", "background"), None)]
)
def test_background_is_the_first_class_by_name(names, label):
    assert background(ClassMap.from_names(names)) == label
    assert background(CAMVID) is None
