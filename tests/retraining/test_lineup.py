import numpy as np
import pytest

from segnet_res.checkpoint import Metadata
from segnet_res.classes import ClassMap
from segnet_res.errors import UsageError
from segnet_res.retraining.lineup import changes_of, line_up

PARENT = ClassMap.from_names(["sound", "crack", "chip"])


def test_classes_are_carried_by_name_and_new_ones_stand_behind():
    line = line_up(PARENT, [ClassMap.from_names(["sound", "dent"])])
    assert line.class_map.names == ("sound", "crack", "chip", "dent")
    assert line.carried == (0, 1, 2, None)
    assert line.added == ("dent",)


def test_the_order_of_a_dataset_that_knows_all_counts():
    new = ClassMap.from_names(["sound", "dent", "chip", "crack"])
    line = line_up(PARENT, [new])
    assert line.class_map.names == new.names
    assert line.class_map.colors == new.colors
    assert line.carried == (0, None, 2, 1)


def test_no_two_classes_have_one_colour():
    # dent has the colour that crack has in the parent.
    colors = line_up(PARENT, [ClassMap.from_names(["sound", "dent"])]).class_map.colors
    assert len(set(colors)) == 4


def test_labels_are_mapped_by_name():
    line = line_up(
        PARENT,
        [ClassMap.from_names(["sound", "dent"], ignore_index=9)],
        renamed={"crack": "fissure"},
        dropped={"chip": None},
    )
    assert line.class_map.names == ("sound", "fissure", "dent")
    assert line.class_map.ignore_index == 9
    # sound, fissure under its old name, chip and the parent's ignored pixels.
    assert line.table(PARENT)[[0, 1, 2, 255]].tolist() == [0, 1, 9, 9]
    newer = ClassMap.from_names(["dent", "fissure", "sound"], ignore_index=200)
    assert line.table(newer)[[0, 1, 2, 200]].tolist() == [2, 1, 0, 9]


def test_a_dropped_class_may_count_as_another():
    line = line_up(PARENT, [PARENT], dropped={"chip": "crack"})
    assert line.class_map.names == ("sound", "crack")
    assert line.table(PARENT)[:3].tolist() == [0, 1, 1]


def test_older_masks_mean_the_same_after_a_second_retraining():
    told = {
        "renamed": {"crack": "fissure"},
        "dropped": {"chip": "fissure", "spot": None, "oil": None},
        "earlier": {"renamed": {"rift": "fissure"}},
    }
    now = ClassMap.from_names(["sound", "fissure"])
    parent = Metadata("any", now, 1, (0.0,), (1.0,), recipe={"retrained": told})
    old = ClassMap.from_names(["sound", "crack", "chip", "spot", "rift", "oil"])
    # Somebody wants oil back.
    new = ClassMap.from_names(["sound", "fissure", "oil"])
    line = line_up(now, [new, old], earlier=changes_of(parent))
    assert line.class_map.names == ("sound", "fissure", "oil")
    assert line.added == ("oil",)
    assert line.table(old)[:6].tolist() == [0, 1, 1, 255, 1, 2]
    # What is renamed or dropped now takes its old names along.
    line = line_up(now, [new, old], renamed={"fissure": "gap"}, earlier=changes_of(parent))
    assert line.table(old)[:6].tolist() == [0, 1, 1, 255, 1, 2]
    options = {"dropped": {"fissure": None, "oil": None}, "earlier": changes_of(parent)}
    line = line_up(now, [new, old], **options)
    assert line.class_map.names == ("sound",)
    assert line.table(old)[:6].tolist() == [0, 255, 255, 255, 255, 255]
    # A class that came back under its name is that class.
    again = ClassMap.from_names(["sound", "fissure", "crack"])
    line = line_up(again, [again], earlier=changes_of(parent))
    assert line.table(again)[:3].tolist() == [0, 1, 2]


def test_names_may_be_handed_on():
    line = line_up(PARENT, [PARENT], renamed={"crack": "chip", "chip": "spall"})
    assert line.class_map.names == ("sound", "chip", "spall")
    assert line.carried == (0, 1, 2)
    assert np.array_equal(line.table(PARENT)[:3], [0, 1, 2])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"renamed": {"dent": "x"}}, "no class of the parent is called 'dent'; it knows sound, cr"),
        ({"dropped": {"dent": None}}, "no class of the parent is called 'dent'"),
        ({"renamed": {"crack": "chip"}}, "two classes .* called 'chip'; .* --drop OLD=chip"),
        (
            {"renamed": {"crack": "x"}, "dropped": {"crack": None}},
            "'crack' shall be renamed and dropped; choose one",
        ),
        (
            {"renamed": {"crack": "chip"}, "dropped": {"chip": None}},
            "'crack' shall be called 'chip', which is dropped, .* --drop crack=chip",
        ),
        ({"dropped": {"sound": None}}, "'sound' means nothing to report and cannot be dropped"),
        (
            {"dropped": {"chip": "dent"}},
            "'chip' shall count as 'dent', which is no class of the candidate; choose one of sound",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(options, message):
    with pytest.raises(UsageError, match=message):
        line_up(PARENT, [PARENT], **options)
