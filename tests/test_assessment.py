"""Intervals, parts, overkill and escape, by hand and against a plain bootstrap."""

import json
import math

import numpy as np
import pytest

from segnet_res import bootstrap
from segnet_res.assessment import MAX_WIDTH, MIN_PARTS, Rate, assess
from segnet_res.classes import ClassMap

CLASSES = ClassMap.from_names(["background", "crack", "fray"])
SCENE = ClassMap.from_names(["Sky", "Road"])


def picture(*rows):
    return np.array(rows, np.int64)


SOUND = picture([100, 0, 0], [0, 0, 0], [0, 0, 0])
SPECK = picture([76, 24, 0], [0, 0, 0], [0, 0, 0])
ALARM = picture([75, 20, 5], [0, 0, 0], [0, 0, 0])
FOUND = picture([60, 0, 0], [10, 30, 0], [0, 0, 0])
MISSED = picture([90, 0, 0], [10, 0, 0], [0, 0, 0])


def plainly(counts, resamples, seed):
    """Draw, sum and divide one by one, as the definition says."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(counts), (resamples, len(counts)))
    ious = []
    for chosen in drawn:
        total = counts[chosen].sum(axis=0)
        hits, union = np.diag(total), total.sum(0) + total.sum(1) - np.diag(total)
        ious.append([h / u if u else math.nan for h, u in zip(hits, union, strict=True)])
    return np.array(ious)


def random_counts(seed, pictures=23, classes=3):
    rng = np.random.default_rng(seed)
    shape = (pictures, classes, classes)
    return rng.integers(0, 50, shape) * (rng.random(shape) < 0.6)


def test_scores_and_what_they_rest_on():
    result = assess(np.stack([FOUND, FOUND, MISSED, SOUND]), list("aabc"), CLASSES)
    assert (result.pictures, result.parts) == (4, 3)
    background, crack, fray = result.classes
    assert crack.iou == 60 / 90
    assert background.iou == 310 / 340
    assert (crack.pictures, crack.parts, crack.pixels) == (3, 2, 90)
    assert (background.pictures, background.parts, background.pixels) == (4, 3, 310)
    assert (fray.iou, fray.interval, fray.pictures, fray.enough) == (None, None, 0, False)
    assert result.miou == pytest.approx((60 / 90 + 310 / 340) / 2)


@pytest.mark.parametrize("drawn", [10_000, 100, 1])
@pytest.mark.parametrize("seed", range(3))
def test_intervals_are_those_of_the_plain_bootstrap(seed, drawn, monkeypatch):
    monkeypatch.setattr(bootstrap, "_DRAWN", drawn)
    counts = random_counts(seed)
    # The parts in the order of their names, two or three pictures each.
    groups = [chr(ord("a") + i % 9) for i in range(23)]
    result = assess(counts, groups, CLASSES, resamples=200, seed=seed)
    parts = np.stack([counts[i::9].sum(axis=0) for i in range(9)])
    expected = plainly(parts, 200, seed)
    for i, score in enumerate(result.classes):
        assert score.interval == tuple(np.percentile(expected[:, i], [2.5, 97.5]))
    assert result.interval == tuple(np.percentile(expected.mean(axis=1), [2.5, 97.5]))


def test_photographs_of_one_part_tell_no_more_than_one_of_them():
    once = assess(np.stack([FOUND, MISSED, SOUND]), list("abc"), CLASSES)
    often = assess(np.stack([FOUND, MISSED, SOUND] * 8), list("abc") * 8, CLASSES)
    assert often.interval == once.interval
    assert [score.interval for score in often.classes] == [score.interval for score in once.classes]
    apart = assess(np.stack([FOUND, MISSED, SOUND] * 8), [str(i) for i in range(24)], CLASSES)
    assert apart.interval[1] - apart.interval[0] < often.interval[1] - often.interval[0]


def test_a_class_that_some_draws_miss_is_left_out_of_their_mean():
    # One picture in four has cracks, found to half: a draw has IoU 1/2, or none.
    half = picture([5, 0, 0], [0, 5, 0], [0, 0, 0]) + picture([0, 5, 0], [0, 0, 0], [0, 0, 0])
    result = assess(np.stack([half, SOUND, SOUND, SOUND]), list("abcd"), CLASSES)
    assert result.classes[1].interval == (0.5, 0.5)
    assert result.interval[1] == 1  # of the draws of sound pictures alone


def test_one_part_says_nothing_about_others():
    result = assess(FOUND[None], ["a"], CLASSES)
    assert result.classes[1].interval == (0.75, 0.75)
    assert not result.classes[1].enough
    assert not result.enough


def test_enough_asks_for_parts_and_a_narrow_interval():
    many = np.stack([FOUND] * 20)
    few = [str(i % (MIN_PARTS - 1)) for i in range(20)]
    assert not assess(many, few, CLASSES).enough
    parts = [str(i % MIN_PARTS) for i in range(20)]
    result = assess(many, parts, CLASSES)
    assert [score.enough for score in result.classes] == [True, True, False]
    assert result.enough  # fray does not occur and is no part of the mean
    mixed = np.stack([FOUND, MISSED] * 10)
    parts = [str(i % (2 * MIN_PARTS)) for i in range(20)]
    crack = assess(mixed, parts, CLASSES).classes[1]
    assert crack.interval[1] - crack.interval[0] > MAX_WIDTH
    assert not crack.enough


def test_overkill_and_escape_by_picture_and_by_part():
    counts = np.stack([SOUND, SPECK, ALARM, FOUND, MISSED, MISSED, MISSED])
    #       sound: a, b;  called: b;  defective: c (found once), d (missed)
    result = assess(counts, list("aabccdd"), CLASSES)
    assert result.overkill == Rate(1, 3)  # 24 pixels are noise, 25 a call
    assert result.escape == Rate(3, 4)
    assert result.part_overkill == Rate(1, 2)
    assert result.part_escape == Rate(1, 2)


def test_the_size_of_a_speck_is_an_option():
    counts = np.stack([SOUND, SPECK, ALARM])
    assert assess(counts, list("abc"), CLASSES, smallest=24).overkill == Rate(2, 3)
    assert assess(counts, list("abc"), CLASSES, smallest=26).overkill == Rate(0, 3)


def test_a_sound_picture_of_a_defective_part_makes_no_overkill_of_the_part():
    result = assess(np.stack([FOUND, ALARM]), ["a", "a"], CLASSES)
    assert (result.overkill, result.part_overkill) == (Rate(1, 1), Rate(0, 0))


def test_a_picture_that_nobody_has_labelled_is_neither_sound_nor_defective():
    counts = np.stack([ALARM, np.zeros_like(ALARM), np.zeros_like(ALARM), FOUND])
    result = assess(counts, list("aabc"), CLASSES)
    assert (result.overkill, result.escape) == (Rate(1, 1), Rate(0, 1))
    # Part a is labelled in one of its pictures, part b in none.
    assert (result.part_overkill, result.part_escape) == (Rate(1, 1), Rate(0, 1))


def test_without_a_background_nothing_is_sound_or_defective():
    counts = np.array([[[5, 1], [2, 9]]])
    result = assess(counts, ["a"], SCENE)
    assert {result.overkill, result.escape, result.part_overkill, result.part_escape} == {
        Rate(0, 0)
    }
    assert result.classes[1].iou == 9 / 12


def test_nothing_labelled():
    result = assess(np.zeros((2, 3, 3), np.int64), ["a", "b"], CLASSES)
    assert (result.miou, result.interval, result.enough) == (None, None, False)
    assert json.loads(json.dumps(result.to_dict()))["classes"][0]["iou"] is None


@pytest.mark.parametrize(
    ("rate", "low", "high"),
    [
        # Wilson's interval, worked out with a pocket calculator.
        (Rate(0, 10), 0, 0.2775),
        (Rate(10, 10), 0.7225, 1),
        (Rate(5, 10), 0.2366, 0.7634),
        (Rate(1, 100), 0.0018, 0.0545),
    ],
)
def test_intervals_of_rates(rate, low, high):
    assert rate.interval == pytest.approx((low, high), abs=1e-4)


def test_rates_of_few_are_not_enough():
    assert (Rate(0, 0).value, Rate(0, 0).interval, Rate(0, 0).enough) == (None, None, False)
    assert not Rate(0, 15).enough
    assert Rate(0, 16).enough
    assert not Rate(45, 90).enough
    assert Rate(46, 93).enough


def test_the_same_seed_gives_the_same_intervals():
    counts = random_counts(9)
    parts = [str(i) for i in range(23)]
    first, second, other = (assess(counts, parts, CLASSES, seed=seed) for seed in (1, 1, 2))
    assert first == second
    assert first.interval != other.interval


def test_an_assessment_becomes_json():
    content = assess(np.stack([FOUND, SOUND]), ["a", "b"], CLASSES, resamples=10).to_dict()
    assert json.loads(json.dumps(content)) == content
    assert content["escape"] == {
        "pictures": {
            "count": 0, "of": 1, "value": 0.0, "interval": [0.0, pytest.approx(0.7935, abs=1e-4)],
            "enough": False,
        },
        "parts": {
            "count": 0, "of": 1, "value": 0.0, "interval": [0.0, pytest.approx(0.7935, abs=1e-4)],
            "enough": False,
        },
    }  # fmt: skip
    assert (content["smallest"], content["resamples"], content["pictures"]) == (25, 10, 2)


@pytest.mark.parametrize(
    ("shape", "groups", "options", "message"),
    [
        (
            (0, 3, 3),
            [],
            {},
            r"counts are \(0, 3, 3\), give \(pictures, 3, 3\) of a picture or more",
        ),
        ((2, 2, 2), ["a", "b"], {}, r"counts are \(2, 2, 2\), give \(pictures, 3, 3\)"),
        ((2, 3, 3), ["a"], {}, "1 groups for 2 pictures, give one each"),
        ((1, 3, 3), ["a"], {"smallest": 0}, "smallest is 0, resamples 2000; give at least 1"),
        ((1, 3, 3), ["a"], {"resamples": 0}, "smallest is 25, resamples 0; give at least 1"),
    ],
)
def test_what_does_not_fit(shape, groups, options, message):
    with pytest.raises(ValueError, match=message):
        assess(np.zeros(shape, np.int64), groups, CLASSES, **options)
