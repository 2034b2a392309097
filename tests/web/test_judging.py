"""The verdict of the page: sliders, limits of a person, limits of a file."""

import numpy as np
import pytest

from segnet_res.classes import ClassMap
from segnet_res.errors import UsageError
from segnet_res.web.judging import Judge, Limits

CLASSES = ClassMap.from_names(["sound", "scratch", "dent"])


@pytest.fixture
def labels():
    """10 x 10: a scratch of 1 x 4, one of a single pixel, and a dent of 2 x 3."""
    mask = np.zeros((10, 10), np.uint8)
    mask[0, 0:4] = 1
    mask[9, 9] = 1
    mask[4:6, 4:7] = 2
    return mask


def verdict(labels, **fields):
    return Judge.from_untrusted(fields).verdict(labels, CLASSES)


def test_without_a_limit_there_is_no_verdict(labels):
    found = verdict(labels)
    assert (found["state"], found["error"], found["reasons"]) == ("neutral", None, [])
    assert found["share"] == pytest.approx(0.11)


def test_a_share_is_kept_when_it_is_met_exactly(labels):
    assert verdict(labels, limits={"share": 11})["state"] == "pass"
    found = verdict(labels, limits={"share": 10.99})
    assert found["state"] == "fail"
    assert found["rules"] == [[None, "max_share"]]
    assert verdict(np.zeros((3, 3), np.uint8), limits={"share": 0})["state"] == "pass"


@pytest.mark.parametrize(
    ("rule", "met", "exceeded"),
    [("count", 2, 1), ("area", 4, 3), ("length", 4, 3), ("share", 5, 4.9)],
)
def test_each_limit_of_a_class(labels, rule, met, exceeded):
    def judged(value):
        return verdict(labels, limits={"classes": {"scratch": {rule: value}}})

    assert judged(met)["state"] == "pass"
    assert judged(exceeded)["state"] == "fail"
    assert judged(exceeded)["reasons"][0].startswith("scratch: ")


def test_a_reason_tells_where_to_look(labels):
    found = verdict(labels, limits={"classes": {"scratch": {"area": 3, "count": 0}}})
    boxes = dict(zip([rule for _, rule in found["rules"]], found["boxes"], strict=True))
    assert boxes == {"max_count": None, "max_area": [0, 0, 4, 1]}


def test_limits_of_other_models_are_passed_over(labels):
    limits = {"classes": {"corrosion": {"count": 0}, "sound": {"count": 0}}}
    assert verdict(labels, limits=limits)["state"] == "neutral"
    limits["classes"]["dent"] = {"count": 0}
    assert verdict(labels, limits=limits)["reasons"] == ["dent: 1 region, none is allowed."]


def test_a_file_of_limits_is_the_only_one(labels):
    spec = "title: lid\nclasses: {dent: {max_area: 6 px}}\nothers: {}\n"
    judge = Judge.from_untrusted({"spec": spec, "spec_name": "lid.yaml", "limits": {"share": 0}})
    assert judge.verdict(labels, CLASSES)["state"] == "pass"
    told = judge.to_dict()
    assert told["limits"] is None
    assert told["spec"] == {"name": "lid.yaml", "title": "lid", "sha256": judge.spec.digest}


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("classes: {crack: {max_count: 0}}", "no class is called 'crack'"),
        ("classes: [", "not valid YAML"),
        ("", "lid.yaml: "),
        ("x" * 300_000, "lid.yaml: too long for a file of limits; choose another file"),
    ],
)
def test_a_file_that_cannot_be_used_gives_no_verdict(labels, spec, sentence):
    found = verdict(labels, spec=spec, spec_name="lid.yaml", limits={"share": 0})
    assert found["state"] == "neutral"
    assert sentence in found["error"]


def test_without_a_background_only_limits_of_classes_count(labels):
    scene = ClassMap.from_names(["Sky", "Road", "Car"])
    share = Judge.from_untrusted({"limits": {"share": 0}}).verdict(labels, scene)
    assert (share["state"], share["share"]) == ("neutral", None)
    car = Judge.from_untrusted({"limits": {"classes": {"Car": {"count": 0}}}})
    assert car.verdict(labels, scene)["state"] == "fail"


def test_sliders_take_back_what_is_unsure_or_small(labels):
    confidence = np.full(labels.shape, 0.9, np.float32)
    confidence[0, 0] = 0.5
    judge = Judge.from_untrusted({"threshold": 51})
    assert np.count_nonzero(judge.refine(labels, confidence, CLASSES) == 1) == 4
    judge = Judge.from_untrusted({"threshold": 50, "min_region": 2})
    # The pixel of 50 % counts, the region of one pixel does not.
    assert np.count_nonzero(judge.refine(labels, confidence, CLASSES) == 1) == 4
    assert Judge.from_untrusted({}).refine(labels, confidence, CLASSES) is labels


@pytest.mark.parametrize(
    "fields",
    [
        {"threshold": "50", "min_region": None, "limits": 7, "spec": 5},
        {"threshold": float("nan"), "min_region": True, "limits": {"share": "1", "classes": [1]}},
        {"limits": {"share": None, "classes": {"dent": 3, "scratch": {"count": "x"}}}},
    ],
)
def test_nonsense_is_left_out(fields):
    assert Judge.from_untrusted(fields) == Judge()


def test_numbers_out_of_range_are_brought_back():
    judge = Judge.from_untrusted({"threshold": 1e9, "min_region": -5, "limits": {"share": 1e300}})
    assert (judge.percent, judge.min_region, judge.limits) == (100, 0, Limits(share=100.0))
    spec = Limits(classes={"dent": {"area": 1e-9, "count": 0.0}}).spec(CLASSES)
    assert spec.judge(np.zeros((2, 2), np.uint8), CLASSES).passed


@pytest.mark.parametrize("threshold", [900, 101, -1, 0.5, 99.5, float("nan"), 1e999, "50", True])
def test_a_program_must_give_a_threshold_in_whole_percent(threshold):
    with pytest.raises(UsageError) as caught:
        Judge.from_program({"threshold": threshold})
    assert str(caught.value) == (
        f"threshold is {threshold!r}; give a confidence in whole percent from 0 to 100, "
        "such as 50 for the command line's 0.5"
    )


@pytest.mark.parametrize("min_region", [-3, 2.5, 10**400, 1e999, None, "x"])
def test_a_program_must_give_a_region_in_whole_pixels(min_region):
    with pytest.raises(UsageError) as caught:
        Judge.from_program({"min_region": min_region})
    assert str(caught.value) == (
        f"min_region is {min_region!r:.100}; give whole pixels from 0 to 1,000,000,000"
    )


def test_numbers_in_range_count_alike_from_page_and_program():
    assert Judge.from_program({}) == Judge()
    for threshold, min_region in ((0, 0), (50, 3), (50.0, 3.0), (100, 10**9)):
        fields = {"threshold": threshold, "min_region": min_region, "spec": "total: {max_count: 0}"}
        judge = Judge.from_program(fields)
        assert judge == Judge.from_untrusted(fields)
        assert (judge.percent, judge.min_region) == (threshold, min_region)
