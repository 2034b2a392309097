"""Verdicts worked out by hand: every rule, its unit, and what is exactly at the limit."""

import json

import numpy as np
import pytest

from segnet_res.classes import CAMVID, ClassMap
from segnet_res.errors import DataError, SpecError
from segnet_res.spec import Spec

CLASSES = ClassMap.from_names(["background", "crack", "fray"])

# One crack of 1 pixel, one of 4 in a row, a fray of 6 pixels; 40 pixels in all.
PART = np.array(
    [
        [1, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 1, 1, 1, 1, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0],
        [2, 2, 2, 0, 0, 0, 0, 0],
        [2, 2, 2, 0, 0, 0, 0, 0],
    ],
    np.uint8,
)

FULL = """
title: Lagerring 608, Fläche A
mm_per_pixel: 0.02
picture: {width: 8, height: 5}
classes:
  crack: {max_count: 1, max_area: 0.8 mm2, max_length: 1.5 mm}
  fray:
    max_total_area: 40 px
    max_share: 0.5 %
others: {max_count: 0}
total: {max_share: 1 %, max_count: 3}
ignore:
  - {name: clamp, rectangle: {left: 0, top: 0, width: 2, height: 5}}
  - polygon: [[10, 10], [200, 10], [10, 300]]
"""


def judge(text, labels=PART, class_map=CLASSES):
    return Spec.parse(f"{text}\nothers: {{}}").judge(labels, class_map)


def sentences(text, labels=PART):
    return [reason.sentence for reason in judge(text, labels).reasons]


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        ("crack: {max_count: 1}", "crack: 2 regions, at most 1 allowed."),
        ("crack: {max_count: 0}", "crack: 2 regions, none is allowed."),
        ("fray: {max_count: 0}", "fray: 1 region, none is allowed."),
        ("crack: {max_area: 3 px}", "crack: the largest region is 4 px, allowed is 3 px."),
        ("crack: {max_length: 3.5 px}", "crack: the longest region is 4 px, allowed is 3.5 px."),
        ("crack: {max_total_area: 4 px}", "crack: the regions together are 5 px, allowed is 4 px."),
        (
            "crack: {max_share: 12 %}",
            "crack: the share of the inspected area is 12.5 %, allowed is 12 %.",
        ),
    ],
)
def test_each_rule_by_hand(limits, sentence):
    assert sentences(f"classes: {{{limits}}}") == [sentence]


@pytest.mark.parametrize(
    "limits",
    [
        "crack: {max_count: 2}",
        "crack: {max_area: 4 px}",
        "crack: {max_length: 4 px}",
        "crack: {max_total_area: 5 px}",
        "crack: {max_share: 12.5 %}",
        "crack: {max_area: 0.0016 mm2, max_length: 0.08 mm, max_total_area: 0.002 mm2}",
    ],
)
def test_what_meets_its_limit_exactly_passes(limits):
    verdict = judge(f"mm_per_pixel: 0.02\nclasses: {{{limits}}}")
    assert (verdict.passed, verdict.reasons) == (True, ())


def test_millimetres():
    limits = "crack: {max_area: 0.0015 mm2, max_length: 0.07 mm, max_total_area: 0.0019 mm²}"
    verdict = judge(f"mm_per_pixel: 0.02\nclasses: {{{limits}}}")
    assert not verdict.passed
    assert [(r.rule, r.found, r.limit, r.unit) for r in verdict.reasons] == [
        ("max_area", 0.0016, 0.0015, "mm²"),
        ("max_length", 0.08, 0.07, "mm"),
        ("max_total_area", 0.002, 0.0019, "mm²"),
    ]
    assert verdict.reasons[1].sentence == (
        "crack: the longest region is 0.08 mm, allowed is 0.07 mm."
    )


def test_every_exceeded_limit_is_a_reason_and_all_defects_come_last():
    verdict = judge(
        "classes: {fray: {max_count: 0}, crack: {max_area: 3 px}}\ntotal: {max_count: 2}"
    )
    assert [(r.class_name, r.rule, r.box) for r in verdict.reasons] == [
        ("crack", "max_area", (2, 1, 4, 1)),
        ("fray", "max_count", None),
        (None, "max_count", None),
    ]
    assert verdict.reasons[2].sentence == "All defects: 3 regions, at most 2 allowed."


def test_the_longest_region_need_not_be_the_largest():
    labels = np.zeros((6, 9), np.uint8)
    labels[0, :7] = 1
    labels[2:5, :3] = 1
    (reason,) = judge("classes: {crack: {max_length: 6 px}}", labels).reasons
    assert (reason.found, reason.box) == (7, (0, 0, 7, 1))


def test_all_defects_together():
    assert sentences("total: {max_share: 27 %}") == [
        "All defects: the share of the inspected area is 27.5 %, allowed is 27 %."
    ]
    assert sentences("total: {max_share: 27.5 %, max_total_area: 11 px}") == []


def test_others_are_the_classes_that_are_not_named():
    spec = Spec.parse("classes: {crack: {}}\nothers: {max_count: 0}")
    assert [r.class_name for r in spec.judge(PART, CLASSES).reasons] == ["fray"]


def test_zones_are_not_inspected():
    text = """
classes: {crack: {max_area: 2 px}, fray: {max_count: 0}}
ignore:
  - rectangle: {left: 0, top: 3, width: 3, height: 2}
"""
    verdict = judge(text)
    assert verdict.inspected == 40 - 6
    assert [r.class_name for r in verdict.reasons] == ["crack"]
    # Of a region that reaches into a zone only the rest counts, and it may fall into two.
    cut = "  - {name: clamp, rectangle: {left: 4, top: 0, width: 1, height: 5}}"
    verdict = judge(f"{text}{cut}")
    assert (verdict.passed, verdict.inspected) == (True, 40 - 6 - 5)


def test_a_polygon_holds_its_outline():
    text = "classes: {crack: {max_count: 0}}\nignore: [{polygon: [[0, 0], [4, 0], [0, 4]]}]"
    labels = np.ones((6, 6), np.uint8)
    # 5 + 4 + 3 + 2 + 1 pixels of the triangle.
    assert judge(text, labels).inspected == 36 - 15


def test_zones_beyond_the_picture_are_cut():
    text = (
        "classes: {crack: {max_count: 0}}\nignore:\n"
        "  - rectangle: {left: 6, top: 4, width: 999, height: 999}\n"
        "  - polygon: [[100, 0], [100, 900], [900, 900]]"
    )
    assert judge(text).inspected == 40 - 2


def test_shares_are_of_the_labelled_area_outside_the_zones():
    labels = np.array([[1, 0, 0, 0, 255, 255, 2, 0, 0, 0]], np.uint8)
    zone = "ignore: [{rectangle: {left: 6, top: 0, width: 4, height: 1}}]"
    (reason,) = judge(f"classes: {{crack: {{max_share: 24 %}}}}\n{zone}", labels).reasons
    assert reason.found == 25


def test_judging_leaves_the_labels_alone():
    labels = PART.copy()
    labels.flags.writeable = False
    judge("classes: {crack: {max_count: 0}}\nignore: [{polygon: [[0, 0], [4, 0], [0, 4]]}]", labels)
    assert (labels == PART).all()


def test_a_picture_of_another_size():
    spec = Spec.parse("picture: {width: 5, height: 8}\ntotal: {max_count: 0}", name="ring.yaml")
    message = "ring.yaml: the picture is 8x5, the limits are for 5x8; give pictures of that size"
    with pytest.raises(SpecError, match=message):
        spec.judge(PART, CLASSES)


@pytest.mark.parametrize(
    ("labels", "zone"),
    [(PART, "ignore: [{rectangle: {left: 0, top: 0, width: 8, height: 5}}]"), (PART * 0 + 255, "")],
)
def test_nothing_left_to_inspect_is_no_pass(labels, zone):
    with pytest.raises(SpecError, match=r"nothing of the picture \(8x5\) is left to inspect"):
        judge(f"total: {{max_count: 0}}\n{zone}", labels)


def test_classes_that_do_not_fit_are_told_at_once():
    spec = Spec.parse("classes: {crakc: {max_count: 0}, background: {max_count: 0}}", name="a.yaml")
    with pytest.raises(SpecError) as caught:
        spec.check_classes(CLASSES)
    assert caught.value.problems == (
        "no class is called 'crakc' (did you mean 'crack'?); known are background, crack, fray",
        "'background' means that there is no defect, so it cannot be limited; take it out",
        "nothing is said of crack, fray; add limits, or `others: {}` to allow them",
    )
    assert str(caught.value).startswith("a.yaml: 3 things to correct: (1) no class is called 'crak")
    assert isinstance(caught.value, DataError)


def test_a_class_that_a_new_checkpoint_brings_does_not_pass_unseen():
    spec = Spec.parse("classes: {crack: {max_count: 0}, fray: {}}")
    spec.check_classes(CLASSES)
    more = ClassMap.from_names([*CLASSES.names, "dent"])
    with pytest.raises(SpecError, match="limits: nothing is said of dent; add limits, or `others"):
        spec.judge(PART, more)


def test_classes_without_a_background():
    road = np.full((2, 2), CAMVID.index("Road"), np.uint8)
    (reason,) = (
        Spec.parse("classes: {Road: {max_share: 50 %}}\nothers: {}").judge(road, CAMVID).reasons
    )
    assert reason.found == 100
    with pytest.raises(
        SpecError, match="total counts all defects, but none of these classes means"
    ):
        Spec.parse("total: {max_count: 1}").check_classes(CAMVID)


def test_a_verdict_becomes_json():
    content = judge("classes: {crack: {max_area: 3 px}}").to_dict()
    assert json.loads(json.dumps(content)) == {
        "passed": False,
        "inspected": 40,
        "reasons": [
            {
                "class_name": "crack",
                "rule": "max_area",
                "found": 4.0,
                "limit": 3.0,
                "unit": "px",
                "sentence": "crack: the largest region is 4 px, allowed is 3 px.",
                "box": [2, 1, 4, 1],
            }
        ],
    }


def test_the_file_as_a_whole():
    spec = Spec.parse(FULL)
    assert spec.title == "Lagerring 608, Fläche A"
    verdict = spec.judge(PART, CLASSES)
    assert verdict.inspected == 30 - 0  # the triangle lies outside
    assert [(r.class_name, r.rule) for r in verdict.reasons] == [
        ("fray", "max_share"),
        (None, "max_share"),
    ]


def test_what_is_written_reads_the_same():
    spec = Spec.parse(FULL, name="ring")
    assert Spec.parse(spec.to_yaml(), name="ring") == spec
    assert Spec.from_dict(json.loads(json.dumps(spec.to_dict())), name="ring") == spec


def test_the_digest_is_of_the_content_alone():
    spec = Spec.parse(FULL)
    other = Spec.parse(
        """
# the same, written in another way
ignore:
  - {rectangle: {height: 5, width: 2, top: 0, left: 0}, name: clamp}
  - polygon:
    - [10, 10]
    - [200, 10]
    - [10, 300]
total: {max_count: 3, max_share: 1.0%}
others: {max_count: 0}
classes:
  fray: {max_share: 0.50 %, max_total_area: "40px2"}
  crack: {max_length: 1.5mm, max_area: 0.80 mm², max_count: 1}
picture: {height: 5, width: 8}
mm_per_pixel: 0.020
title: "Lagerring 608, Fläche A"
""",
        name="renamed.yaml",
    )
    assert other.digest == spec.digest
    assert len(spec.digest) == 64
    for old, new in [("0.02", "0.021"), ("max_count: 1", "max_count: 2"), ("clamp", "chuck")]:
        assert Spec.parse(FULL.replace(old, new, 1)).digest != spec.digest


def test_loading_a_file(tmp_path):
    path = tmp_path / "ring.yaml"
    path.write_text(FULL, encoding="utf-8-sig")
    assert Spec.load(path).name == "ring.yaml"
    assert Spec.load(path).digest == Spec.parse(FULL).digest


@pytest.mark.parametrize(
    ("content", "found"),
    [(None, "No such file or directory"), (b"\xff\xfe\x00", "no UTF-8 text")],
)
def test_a_file_that_cannot_be_read(tmp_path, content, found):
    path = tmp_path / "ring.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SpecError, match=rf"^ring.yaml: cannot be read \({found}\); give a YAML"):
        Spec.load(path)
