"""Paired differences: by hand, and against a plain bootstrap of parts."""

import numpy as np
import pytest

from segnet_res.retraining.changes import Change, score_changes

BOTH = (np.array([True, True]), np.array([True, True]))


def picture(*rows):
    return np.array(rows, np.int64)


FOUND = picture([60, 0], [10, 30])
MISSED = picture([60, 0], [40, 0])


def test_differences_by_hand():
    before, after = np.stack([MISSED, FOUND]), np.stack([FOUND, FOUND])
    result = score_changes(before, after, list("ab"), BOTH)
    sound, crack = result.classes
    assert (crack.before, crack.after) == (30 / 80, 60 / 80)
    assert sound.difference == pytest.approx(120 / 140 - 120 / 170)
    # A draw holds the first picture not at all, once or twice: 0, 3/8 or 3/4 more.
    assert crack.interval == (0, 0.75)
    assert (crack.enough, crack.verdict) == (False, "too few")
    assert result.miou.difference == pytest.approx((sound.difference + crack.difference) / 2)
    assert (result.counted, result.parts, result.miou.enough) == (2, (2, 2), False)


def test_the_same_answers_differ_by_nothing():
    counts = np.stack([FOUND, MISSED, FOUND])
    result = score_changes(counts, counts, list("abc"), BOTH)
    assert [one.interval for one in result.classes] == [(0, 0), (0, 0)]
    assert result.miou.verdict == "equal"


def test_what_is_hard_for_both_cancels_out():
    # Parts are found by half or not at all; the candidate finds 10 pixels of 40 more on each.
    more = np.array([[0, 0], [-10, 10]])
    before = np.stack([FOUND - more, MISSED] * 10)
    result = score_changes(before, before + more, [str(i) for i in range(20)], BOTH)
    crack = result.classes[1]
    assert crack.verdict == "better"
    assert (crack.before, crack.after) == (0.25, 0.5)
    assert crack.interval == pytest.approx((0.25, 0.25))
    assert result.miou.verdict == "better"


def test_intervals_are_those_of_a_plain_bootstrap_of_parts():
    rng = np.random.default_rng(3)
    truth = rng.integers(1, 50, (9, 2))
    counts = []
    for _ in range(2):
        hits = rng.integers(0, truth + 1)
        wrong = truth - hits
        rows = [[[h[0], w[0]], [w[1], h[1]]] for h, w in zip(hits, wrong, strict=True)]
        counts.append(np.array(rows, np.int64))
    groups = list("aabbbcdef")
    result = score_changes(*counts, groups, BOTH, resamples=100, seed=5)

    parts = sorted(set(groups))
    drawn = np.random.default_rng(5).integers(0, len(parts), (100, len(parts)))
    differences = []
    for chosen in drawn:
        ious = []
        for one in counts:
            members = [i for k in chosen for i, part in enumerate(groups) if part == parts[k]]
            total = one[members].sum(axis=0)
            hits = np.diag(total)
            ious.append(hits / (total.sum(0) + total.sum(1) - hits))
        differences.append(ious[1] - ious[0])
    expected = np.percentile(np.array(differences), [2.5, 97.5], axis=0)
    for i, change in enumerate(result.classes):
        assert change.interval == pytest.approx(tuple(expected[:, i]))
    expected = np.percentile(np.mean(differences, axis=1), [2.5, 97.5])
    assert result.miou.interval == pytest.approx(tuple(expected))


def test_a_class_that_one_does_not_know_has_no_difference():
    knows = (np.array([True, False]), np.array([True, True]))
    result = score_changes(MISSED[None], FOUND[None], ["a"], knows)
    assert result.classes[1] == Change(None, 0.75)
    assert result.miou == result.classes[0]
    assert result.counted == 1


def test_a_class_that_the_masks_do_not_show_counts_nowhere():
    alarm = picture([60, 40], [0, 0])
    sound = picture([100, 0], [0, 0])
    result = score_changes(np.stack([sound]), np.stack([alarm]), ["a"], BOTH)
    assert result.classes[1] == Change(None, None)
    assert result.classes[1].verdict == "too few"
    assert (result.miou.before, result.miou.after, result.counted) == (1, 0.6, 1)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"\(1, 2, 2\) and \(1, 2, 2\) for 2 pictures"):
        score_changes(FOUND[None], FOUND[None], list("ab"), BOTH)
    with pytest.raises(ValueError, match="masks of parent and candidate differ"):
        score_changes(FOUND[None], FOUND[None] + 1, ["a"], BOTH)


@pytest.mark.parametrize(
    ("interval", "enough", "verdict"),
    [
        ((0.01, 0.2), True, "better"),
        ((-0.2, -0.01), True, "worse"),
        ((-0.1, 0.2), True, "unclear"),
        ((0.01, 0.2), False, "too few"),
        ((0.0, 0.0), False, "equal"),
        (None, True, "too few"),
    ],
)
def test_verdicts(interval, enough, verdict):
    assert Change(0.5, 0.6, 0.1, interval, enough).verdict == verdict
