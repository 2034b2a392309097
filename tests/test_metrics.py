import json
import math

import numpy as np
import pytest

from segnet_res import metrics
from segnet_res.classes import ClassMap
from segnet_res.metrics import ConfusionMatrix

TWO = ClassMap.from_names(["sound", "scratch"])
THREE = ClassMap.from_names(["sound", "scratch", "dent"])


def labels(*values: int) -> np.ndarray:
    return np.array(values, np.uint8)


def scores_of(class_map, truth, prediction):
    matrix = ConfusionMatrix(class_map)
    matrix.update(truth, prediction)
    return matrix.scores()


def test_two_classes_by_hand():
    scores = scores_of(TWO, truth=labels(0, 1, 1, 1), prediction=labels(0, 0, 1, 1))
    sound, scratch = scores.classes
    assert scores.confusion == ((1, 0), (1, 2))  # row = truth
    assert (sound.iou, scratch.iou) == (1 / 2, 2 / 3)
    assert (sound.dice, scratch.dice) == (2 / 3, 4 / 5)
    assert (sound.precision, scratch.precision) == (1 / 2, 1)
    assert (sound.recall, scratch.recall) == (1, 2 / 3)
    assert (sound.pixels, scratch.pixels) == (1, 3)
    assert scores.miou == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert scores.pixel_accuracy == 3 / 4
    assert scores.mean_accuracy == pytest.approx((1 + 2 / 3) / 2)
    assert scores.images == 1


def test_three_classes_by_hand():
    truth = np.array([[0, 0, 1], [1, 2, 2]], np.uint8)
    prediction = np.array([[0, 1, 1], [2, 2, 0]], np.uint8)
    scores = scores_of(THREE, truth, prediction)
    assert scores.confusion == ((1, 1, 0), (0, 1, 1), (1, 0, 1))
    assert [score.iou for score in scores.classes] == [1 / 3, 1 / 3, 1 / 3]
    assert scores.miou == pytest.approx(1 / 3)
    assert scores.pixel_accuracy == 1 / 2


def test_a_class_that_nobody_saw_is_none_and_outside_the_mean():
    scores = scores_of(THREE, truth=labels(0, 1, 1, 1), prediction=labels(0, 0, 1, 1))
    dent = scores.classes[2]
    assert (dent.iou, dent.dice, dent.precision, dent.recall, dent.pixels) == (None,) * 4 + (0,)
    assert scores.miou == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert scores.mean_accuracy == pytest.approx((1 + 2 / 3) / 2)


def test_a_class_that_was_only_predicted_counts_as_zero():
    scores = scores_of(THREE, truth=labels(0, 0, 1, 1), prediction=labels(0, 2, 1, 1))
    dent = scores.classes[2]
    assert (dent.iou, dent.dice, dent.precision) == (0, 0, 0)
    assert dent.recall is None
    assert scores.miou == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert scores.mean_accuracy == pytest.approx((1 / 2 + 1) / 2)


def test_a_class_that_was_only_missed_counts_as_zero():
    scores = scores_of(TWO, truth=labels(1, 1), prediction=labels(0, 0))
    assert [score.iou for score in scores.classes] == [0, 0]
    assert scores.classes[1].precision is None
    assert scores.classes[1].recall == 0
    assert scores.miou == 0


def test_ignored_pixels_count_nowhere():
    scores = scores_of(TWO, truth=labels(255, 255, 1, 1), prediction=labels(0, 1, 1, 0))
    assert scores.confusion == ((0, 0), (1, 1))
    assert scores.pixel_accuracy == 1 / 2
    # What is predicted on an ignored pixel may be anything, even no class at all.
    assert scores_of(TWO, labels(255, 1), labels(255, 1)).miou == 1


def test_another_ignore_index_is_heeded():
    class_map = ClassMap.from_names(["a", "b"], ignore_index=11)
    assert scores_of(class_map, labels(11, 0), labels(1, 0)).confusion == ((1, 0), (0, 0))


def test_nothing_labelled_gives_none_everywhere():
    scores = scores_of(TWO, labels(255, 255), labels(0, 1))
    assert (scores.miou, scores.pixel_accuracy, scores.mean_accuracy) == (None, None, None)
    assert scores.images == 1
    assert ConfusionMatrix(TWO).scores().images == 0


def test_iou_is_of_all_pictures_together_not_a_mean_over_pictures():
    matrix = ConfusionMatrix(TWO)
    matrix.update(labels(1, 1, 1, 1), labels(1, 1, 1, 1))
    matrix.update(labels(1, 1), labels(0, 0))
    scores = matrix.scores()
    # 4 of 6 pixels; the mean over the two pictures would be 1/2.
    assert scores.classes[1].iou == pytest.approx(4 / 6)
    assert scores.images == 2


def test_the_order_of_pictures_does_not_matter():
    rng = np.random.default_rng(3)
    pairs = [rng.integers(0, 3, (2, 7, 5), np.uint8) for _ in range(4)]
    one, other = ConfusionMatrix(THREE), ConfusionMatrix(THREE)
    for truth, prediction in pairs:
        one.update(truth, prediction)
    for truth, prediction in reversed(pairs):
        other.update(truth, prediction)
    assert one.scores() == other.scores()
    assert one.counts.sum() == 4 * 35


def test_counts_of_elsewhere_add_up():
    one, other = ConfusionMatrix(TWO), ConfusionMatrix(TWO)
    one.update(labels(0, 1), labels(0, 0))
    one.add(np.array([[3, 0], [1, 4]]), images=2)
    for truth, prediction in [
        (labels(0, 1), labels(0, 0)),
        (labels(0, 0, 0, 1), labels(0, 0, 0, 0)),
    ]:
        other.update(truth, prediction)
    other.update(labels(1, 1, 1, 1), labels(1, 1, 1, 1))
    assert one.scores() == other.scores()
    with pytest.raises(ValueError, match=r"counts are \(3, 3\), give \(2, 2\)"):
        one.add(np.zeros((3, 3), np.int64))


def test_counts_do_not_wrap_in_eight_bits():
    n = 300 * 300
    class_map = ClassMap.from_names([f"{i}" for i in range(255)])
    matrix = ConfusionMatrix(class_map)
    matrix.update(np.full((300, 300), 254, np.uint8), np.full((300, 300), 254, np.uint8))
    assert matrix.counts[254, 254] == n
    assert matrix.scores().miou == 1


@pytest.mark.parametrize(
    ("truth", "prediction", "message"),
    [
        (labels(0, 1), labels(0, 1, 1), r"truth has shape \(2,\), prediction \(3,\)"),
        (labels(0, 7), labels(0, 1), "truth holds labels from 0 to 7, classes are 0 to 1"),
        (labels(0, 1), labels(0, 2), "prediction holds labels from 0 to 2, classes are 0 to 1"),
        (np.array([-1, 0]), np.array([0, 0]), "truth holds labels from -1 to 0"),
        (np.array([0, 0]), np.array([-1, 0]), "prediction holds labels from -1 to 0"),
    ],
)
def test_what_cannot_be_counted_is_refused_and_leaves_the_counts(truth, prediction, message):
    matrix = ConfusionMatrix(TWO)
    with pytest.raises(ValueError, match=message):
        matrix.update(truth, prediction)
    assert matrix.images == 0
    assert not matrix.counts.any()


def test_scores_become_json():
    scores = scores_of(THREE, labels(0, 1), labels(0, 1))
    content = json.loads(json.dumps(scores.to_dict()))
    assert set(content) == {
        "miou",
        "pixel_accuracy",
        "mean_accuracy",
        "images",
        "classes",
        "confusion",
    }
    assert content["classes"][2] == {
        "name": "dent",
        "iou": None,
        "dice": None,
        "precision": None,
        "recall": None,
        "pixels": 0,
    }
    assert content["confusion"] == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert not any(isinstance(value, float) and math.isnan(value) for value in content.values())


def test_bytes_and_wide_numbers_are_counted_alike(monkeypatch):
    # In parts, as pictures are that have more pixels than float32 counts.
    monkeypatch.setattr(metrics, "_EXACT", 7)
    rng = np.random.default_rng(2)
    truth, prediction = rng.integers(0, 3, (2, 20, 30))
    truth[rng.random(truth.shape) < 0.2] = 255
    quick, plain = ConfusionMatrix(THREE), ConfusionMatrix(THREE)
    quick.update(truth.astype(np.uint8), prediction.astype(np.uint8))
    plain.update(truth, prediction)
    assert np.array_equal(quick.counts, plain.counts)
    assert quick.counts.sum() == np.count_nonzero(truth != 255)
    told = pytest.raises(
        ValueError, match="prediction holds labels from 0 to 7, classes are 0 to 2"
    )
    with told:
        quick.update(labels(0, 1), labels(0, 7))
