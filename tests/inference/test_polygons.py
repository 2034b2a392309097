"""Outlines of regions: worked out by hand, and exact for any mask."""

import cv2
import numpy as np
import pytest

from segnet_res.inference.polygons import region_polygons


def painted(polygon, shape):
    """Paint a polygon as any program would: a pixel is inside when its centre is.

    Four times as large, so that OpenCV's painted outline misses the centres, at 4n + 2.
    """
    canvas = np.zeros((4 * shape[0], 4 * shape[1]), np.uint8)
    cv2.fillPoly(canvas, [4 * np.array(polygon, np.int32)], 1)
    return canvas[2::4, 2::4]


def components(rows):
    mask = np.array([[pixel == "#" for pixel in row] for row in rows], np.uint8)
    count, numbers = cv2.connectedComponents(mask, connectivity=8)
    return numbers, count - 1


def test_a_rectangle_has_four_corners_whatever_its_size():
    assert list(region_polygons(*components(["....", ".##.", ".##."]))) == [
        [(1, 1), (3, 1), (3, 3), (1, 3)]
    ]


def test_pixels_that_touch_at_a_corner_are_one_polygon():
    assert list(region_polygons(*components(["#.", ".#"]))) == [
        [(0, 0), (1, 0), (1, 1), (2, 1), (2, 2), (1, 2), (1, 1), (0, 1)]
    ]


def test_a_hole_hangs_on_a_seam_and_turns_the_other_way():
    (polygon,) = region_polygons(*components(["###", "#.#", "###"]))
    assert polygon == [
        *[(0, 0), (1, 0)],
        *[(1, 1), (1, 2), (2, 2), (2, 1), (1, 1)],
        *[(1, 0), (3, 0), (3, 3), (0, 3)],
    ]
    x, y = np.array(polygon).T
    # Gauss's formula: the seam encloses nothing and the hole counts negative.
    assert (x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2 == 8


def test_a_hole_below_a_hole_hangs_on_it():
    rows = ["####", "#..#", "####", "##.#", "####"]
    (polygon,) = region_polygons(*components(rows))
    assert np.array_equal(painted(polygon, (5, 4)), components(rows)[0])


@pytest.mark.parametrize("seed", range(40))
def test_painting_the_polygons_gives_the_mask_again(seed):
    rng = np.random.default_rng(seed)
    for share in (0.1, 0.4, 0.6, 0.8, 0.97):
        mask = (rng.random(rng.integers(1, 24, 2)) < share).astype(np.uint8)
        count, numbers = cv2.connectedComponents(mask, connectivity=8)
        polygons = list(region_polygons(numbers, count - 1))
        assert len(polygons) == count - 1
        for number, polygon in enumerate(polygons, start=1):
            assert np.array_equal(painted(polygon, mask.shape), numbers == number)


def test_a_noisy_mask_larger_than_a_strip_comes_back(monkeypatch):
    monkeypatch.setattr("segnet_res.inference.polygons._PIXELS_AT_ONCE", 500)
    mask = (np.random.default_rng(1).random((90, 120)) < 0.7).astype(np.uint8)
    count, numbers = cv2.connectedComponents(mask, connectivity=8)
    union = sum(painted(polygon, mask.shape) for polygon in region_polygons(numbers, count - 1))
    assert np.array_equal(union, mask)
