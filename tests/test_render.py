"""What is painted where, with pixels worked out by hand."""

import numpy as np
import pytest

from segnet_res.classes import ClassMap
from segnet_res.errors import ImageError
from segnet_res.render import (
    FALSE_ALARM,
    MISSED,
    UNLABELLED,
    WRONG_CLASS,
    class_pixels,
    class_shares,
    confidence_image,
    error_map,
    outline,
    overlay,
)

CLASSES = ClassMap(("background", "crack"), ((10, 20, 30), (200, 100, 0)))
SCENE = ClassMap(("Sky", "Road"), ((0, 0, 200), (100, 100, 100)))


def test_overlay_blends_defects_and_leaves_background_and_unlabelled():
    image = np.full((1, 3), 100, np.uint8)
    result = overlay(image, np.array([[0, 1, 255]], np.uint8), CLASSES, opacity=0.5)
    assert result.dtype == np.uint8
    assert result.tolist() == [[[100, 100, 100], [150, 100, 50], [100, 100, 100]]]


def test_overlay_paints_every_class_where_none_is_background():
    image = np.zeros((1, 2, 3), np.uint8)
    result = overlay(image, np.array([[0, 1]], np.uint8), SCENE, opacity=1)
    assert result.tolist() == [[[0, 0, 200], [100, 100, 100]]]


def test_outline_draws_the_inner_border_only():
    labels = np.zeros((7, 7), np.uint8)
    labels[1:6, 1:6] = 1
    result = outline(np.zeros((7, 7), np.uint8), labels, CLASSES, width=1)
    drawn = result.any(axis=2)
    expected = np.zeros((7, 7), bool)
    expected[1:6, 1:6] = True
    expected[2:5, 2:5] = False
    assert (drawn == expected).all()
    assert result[1, 1].tolist() == [200, 100, 0]


def test_outline_leaves_the_picture_given_to_it_alone():
    image = np.zeros((3, 3, 3), np.uint8)
    outline(image, np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]], np.uint8), CLASSES)
    assert not image.any()


def test_every_difference_is_a_wrong_class_where_none_is_background():
    labels, truth = np.array([[0, 1, 0]], np.uint8), np.array([[1, 1, 255]], np.uint8)
    assert error_map(labels, truth, SCENE).tolist() == [[WRONG_CLASS, 1, UNLABELLED]]
    assert error_map(labels, truth, CLASSES).tolist() == [[MISSED, 1, UNLABELLED]]
    assert error_map(truth[:, :2], labels[:, :2], CLASSES).tolist() == [[FALSE_ALARM, 1]]


def test_shares_leave_unlabelled_pixels_out():
    labels = np.array([[0, 1, 1, 255]], np.uint8)
    assert class_pixels(labels, CLASSES).tolist() == [1, 2]
    assert class_shares(labels, CLASSES).round(4).tolist() == [0.3333, 0.6667]
    assert class_shares(np.full((2, 2), 255, np.uint8), CLASSES).tolist() == [0, 0]


def test_confidence_as_grey_is_rounded_down():
    # At every step of grey, and at the float just below it.
    steps = (np.arange(256) / 255).astype(np.float32)
    exact = np.array([int(step.as_integer_ratio()[0] * 255 // step.as_integer_ratio()[1])
                      for step in steps])  # fmt: skip
    assert (confidence_image(steps[None]) == exact).all()
    below = np.nextafter(np.float32(1), np.float32(0))
    assert confidence_image(np.array([[0, below, 1]], np.float32)).tolist() == [[0, 254, 255]]


def test_what_does_not_fit_is_refused():
    image, labels = np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8)
    with pytest.raises(ValueError, match=r"the picture is \(2, 2\), its labels are \(2, 3\)"):
        overlay(image, labels, CLASSES)
    with pytest.raises(ValueError, match="opacity is 2, give 0 to 1"):
        overlay(image, image, CLASSES, opacity=2)
    with pytest.raises(ValueError, match="width is 0, give at least 1"):
        outline(image, image, CLASSES, width=0)
    with pytest.raises(ValueError, match="labels have shape"):
        error_map(image, labels, CLASSES)
    with pytest.raises(ImageError, match=r"give .* of uint8"):
        overlay(np.zeros((2, 2, 3), np.float32), image, CLASSES)


def test_pixels_are_counted_part_by_part(monkeypatch):
    monkeypatch.setattr("segnet_res.render._COUNTED", 7)
    labels = np.array([[0, 1, 1, 255, 2], [2, 2, 0, 0, 0], [1, 1, 1, 1, 9]], np.uint8)
    classes = ClassMap.from_names(["a", "b", "c", "d"])
    assert class_pixels(labels, classes).tolist() == [4, 6, 3, 0]
    # Columns of a larger mask, which do not lie together in memory.
    assert class_pixels(labels[:, 1:3], classes).tolist() == [1, 4, 1, 0]
