"""Regions found strip by strip are those of the whole mask."""

import numpy as np
import pytest

from segnet_res import regions, strips
from segnet_res.classes import ClassMap
from segnet_res.regions import refine, region_summary, regions_by_class
from segnet_res.strips import StripRegions

CLASSES = ClassMap.from_names(["sound", "scratch", "dent"])


def masks():
    """Yield masks of many kinds: noise dense and thin, blotches, spirals, single rows."""
    rng = np.random.default_rng(4)
    for height, width in [(1, 1), (1, 40), (40, 1), (33, 17), (64, 50), (65, 31)]:
        for share in (0.05, 0.4, 0.6, 1.0):
            yield (rng.random((height, width)) < share).astype(np.uint8)
        coarse = rng.integers(0, 3, (height // 4 + 1, width // 4 + 1), np.uint8)
        yield coarse.repeat(4, axis=0).repeat(4, axis=1)[:height, :width]
    # Two combs whose teeth meet far below: joined only by the last strip.
    comb = np.zeros((60, 31), np.uint8)
    comb[:, ::2] = 1
    yield comb
    comb[-1] = 1
    yield comb
    yield comb[::-1].copy()


@pytest.mark.parametrize("rows", [1, 2, 7, 32])
def test_strips_find_the_regions_of_the_whole(monkeypatch, rows):
    monkeypatch.setattr(strips, "_ROWS", rows)
    for mask in masks():
        whole = {found.label: found for found in regions_by_class(mask, CLASSES)}
        for label in (1, 2):
            found = StripRegions(mask, label)
            expected = sorted(whole[label].pixels.tolist()) if label in whole else []
            assert sorted(found.pixels.tolist()) == expected
            assert len(found) == len(expected)


@pytest.mark.parametrize("rows", [1, 5, 32])
@pytest.mark.parametrize("least", [2, 6, 30])
def test_painting_takes_the_same_regions(monkeypatch, rows, least):
    monkeypatch.setattr(strips, "_ROWS", rows)
    for mask in masks():
        expected = mask.copy()
        whole = {found.label: found for found in regions_by_class(mask, CLASSES)}
        if 1 in whole:
            whole[1].paint(expected, whole[1].pixels < least, 9)
        found, painted = StripRegions(mask, 1), mask.copy()
        found.paint(painted, found.pixels < least, 9)
        np.testing.assert_array_equal(painted, expected)
        # In place, as the cleaning of a mask does it.
        found.paint(mask, found.pixels < least, 9)
        np.testing.assert_array_equal(mask, expected)


def test_a_large_mask_is_counted_and_cleaned_by_strips(monkeypatch):
    mask = np.random.default_rng(0).integers(0, 3, (70, 50), np.uint8)
    sure = np.ones(mask.shape, np.float32)
    summary = region_summary(mask, CLASSES)
    cleaned = refine(mask, sure, CLASSES, min_region=4)
    monkeypatch.setattr(strips, "_ROWS", 16)
    monkeypatch.setattr(regions, "_WHOLE", 1000)
    # The whole would be numbered by these.
    monkeypatch.setattr(regions, "regions_by_class", None)
    assert region_summary(mask, CLASSES) == summary
    np.testing.assert_array_equal(refine(mask, sure, CLASSES, min_region=4), cleaned)
