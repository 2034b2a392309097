"""Two masks of one picture against each other, with numbers worked out by hand."""

import numpy as np
import pytest
from PIL import Image

from segnet_res.classes import CAMVID, ClassMap
from segnet_res.errors import DataError
from segnet_res.web.comparison import (
    BOTH_WRONG,
    DIFFERENCE_COLORS,
    EQUAL,
    FIRST_RIGHT,
    ONLY_FIRST,
    ONLY_SECOND,
    OTHER_CLASS,
    SECOND_RIGHT,
    UNLABELLED,
    common_classes,
    comparison_fields,
    difference_codes,
    write_codes,
)

CLASSES = ClassMap.from_names(["sound", "scratch", "dent"])

#        agree  only A  only B  other class
FIRST = np.array([[0, 1, 1, 0, 0, 2]], np.uint8)
SECOND = np.array([[0, 1, 0, 2, 0, 1]], np.uint8)


def test_without_truth_the_codes_tell_who_marks_what():
    codes = difference_codes(FIRST, SECOND, CLASSES)
    assert codes.tolist() == [[EQUAL, EQUAL, ONLY_FIRST, ONLY_SECOND, EQUAL, OTHER_CLASS]]


def test_without_a_background_every_difference_is_another_class():
    codes = difference_codes(FIRST, SECOND, CAMVID)
    assert codes.tolist() == [[EQUAL, EQUAL, OTHER_CLASS, OTHER_CLASS, EQUAL, OTHER_CLASS]]


def test_with_truth_the_codes_tell_who_is_right():
    truth = np.array([[1, 1, 1, 2, 255, 255]], np.uint8)
    codes = difference_codes(FIRST, SECOND, CLASSES, truth)
    assert codes.tolist() == [[EQUAL, EQUAL, FIRST_RIGHT, SECOND_RIGHT, EQUAL, UNLABELLED]]
    truth[0, 5] = 0
    assert difference_codes(FIRST, SECOND, CLASSES, truth)[0, 5] == BOTH_WRONG


def test_the_map_as_a_file_has_the_codes_and_their_colours(tmp_path):
    codes = np.array([[0, 1, 2], [3, 4, 7]], np.uint8)
    write_codes(tmp_path / "map.png", codes)
    with Image.open(tmp_path / "map.png") as image:
        assert image.mode == "P"
        assert np.array_equal(np.asarray(image), codes)
        colors = np.asarray(image.convert("RGB"))
    # Bits a sample, in the header: the page's script reads whole bytes.
    assert (tmp_path / "map.png").read_bytes()[24] == 8
    assert np.array_equal(colors, np.array(DIFFERENCE_COLORS, np.uint8)[codes])


def test_masks_of_other_sizes_are_refused():
    with pytest.raises(ValueError, match="masks have shapes"):
        difference_codes(FIRST, SECOND[:, :3], CLASSES)


def test_numbers_of_a_comparison():
    common = common_classes(CLASSES, CLASSES)
    truth = np.array([[0, 1, 1, 0, 0, 1]], np.uint8)
    codes = difference_codes(FIRST, SECOND, CLASSES, truth)
    found = comparison_fields(FIRST, SECOND, codes, common, truth)
    sound, scratch, dent = found["classes"]
    assert sound["both"] == 2
    assert scratch["both"] == 1
    assert dent["both"] == 0
    assert scratch["sides"] == [
        {"pixels": 2, "share": pytest.approx(1 / 3), "regions": 1, "largest": 2},
        {"pixels": 2, "share": pytest.approx(1 / 3), "regions": 2, "largest": 1},
    ]
    assert [side["regions"] for side in sound["sides"]] == [0, 0]
    # At places 2 and 3 the first is right, at place 5 the second.
    assert [code["pixels"] for code in found["codes"]] == [3, 0, 0, 0, 2, 1, 0, 0]
    first, second = found["scores"]
    # scratch: 2 of 3 and nothing else; 2 of 3 (places 1 and 5) and nothing else.
    assert first["classes"][1]["iou"] == pytest.approx(2 / 3)
    assert second["classes"][1]["iou"] == pytest.approx(2 / 3)
    # sound: exact; 2 of 3, and place 2 besides.
    assert [side["classes"][0]["iou"] for side in (first, second)] == [1.0, 0.5]


def test_classes_are_matched_by_name_not_by_index():
    second = ClassMap.from_names(["good", "dent", "hole", "scratch"])
    common = common_classes(CLASSES, second)
    assert common.class_map.names == ("sound", "scratch", "dent", "hole")
    # The two backgrounds are one class, whatever they are called.
    assert common.of_second(np.array([[0, 1, 2, 3, 255]], np.uint8)).tolist() == [[0, 2, 3, 1, 255]]
    assert common.known[0].tolist() == [True, True, True, False]
    assert common.known[1].tolist() == [True, True, True, True]
    rows = comparison_fields(FIRST, SECOND, np.zeros_like(FIRST), common)["classes"]
    assert rows[3]["sides"][0] is None
    assert rows[3]["sides"][1]["pixels"] == 0


def test_every_common_class_has_a_colour_of_its_own():
    first = ClassMap(("sound", "a"), ((0, 0, 0), (9, 9, 9)))
    second = ClassMap(("sound", "a", "b"), ((0, 0, 0), (1, 1, 1), (9, 9, 9)))
    colors = common_classes(first, second).class_map.colors
    assert colors[:2] == first.colors
    assert len(set(colors)) == 3


def test_the_label_for_not_labelled_is_the_first_models_where_it_is_free():
    names = ("sound", "a")
    first = ClassMap(names, ((0, 0, 0), (1, 1, 1)), ignore_index=2)
    assert common_classes(first, first).class_map.ignore_index == 2
    second = ClassMap((*names, "b"), ((0, 0, 0), (1, 1, 1), (2, 2, 2)))
    assert common_classes(first, second).class_map.ignore_index == 255


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (
            ["sound", "rust"],
            r"no class in common \(scratch, dent against rust\); choose two that were trained",
        ),
        (["rust", "hole"], r"no class in common \(scratch, dent against rust, hole\)"),
        (["sound"], r"no class in common \(scratch, dent against none\)"),
    ],
)
def test_models_without_a_common_class_get_a_sentence(names, sentence):
    with pytest.raises(DataError, match=sentence):
        common_classes(CLASSES, ClassMap.from_names(names))


def test_more_classes_than_a_mask_holds_get_a_sentence():
    first = ClassMap.from_names(["x", *(f"a{i}" for i in range(150))])
    second = ClassMap.from_names(["x", *(f"b{i}" for i in range(150))])
    with pytest.raises(DataError, match="301 classes together, a mask holds 255"):
        common_classes(first, second)
