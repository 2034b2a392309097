"""Regions counted and measured by hand, and against a plain flood fill on random masks."""

import math

import cv2
import numpy as np
import pytest

from segnet_res.classes import ClassMap
from segnet_res.regions import (
    Region,
    RegionSummary,
    find_regions,
    refine,
    region_summary,
    regions_by_class,
)

CLASSES = ClassMap.from_names(["background", "crack", "fray"])
SCENE = ClassMap.from_names(["Sky", "Road"])
SURE = np.float32(1)


def mask(*rows: str) -> np.ndarray:
    """Read a mask drawn with digits; a dot is background, # unlabelled."""
    text = [row.replace(".", "0") for row in rows]
    return np.array([[255 if c == "#" else int(c) for c in row] for row in text], np.uint8)


def flood_fill(labels, class_map, skipped=(0,)):
    """Return (label, pixels, box) of all regions by walking from neighbour to neighbour."""
    seen, found = np.zeros(labels.shape, bool), []
    for start in np.ndindex(labels.shape):
        label = labels[start]
        if seen[start] or label in skipped or label == class_map.ignore_index:
            continue
        seen[start] = True
        stack, members = [start], []
        while stack:
            y, x = stack.pop()
            members.append((y, x))
            for other in ((y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)):
                inside = all(0 <= o < size for o, size in zip(other, labels.shape, strict=True))
                if inside and labels[other] == label and not seen[other]:
                    seen[other] = True
                    stack.append(other)
        rows, columns = np.array(members).T
        left, top = columns.min(), rows.min()
        box = (left, top, columns.max() - left + 1, rows.max() - top + 1)
        found.append((int(label), len(members), tuple(map(int, box))))
    return found


def test_regions_by_hand():
    labels = mask(
        "1..22",
        ".1.22",
        "..#1.",
        "2...1",
    )
    assert find_regions(labels, CLASSES) == [
        Region(2, 4, (3, 0, 2, 2)),
        Region(1, 2, (0, 0, 2, 2)),  # corners touch
        Region(1, 2, (3, 2, 2, 2)),  # the unlabelled pixel joins nothing
        Region(2, 1, (0, 3, 1, 1)),
    ]
    assert region_summary(labels, CLASSES) == [
        RegionSummary(0, 0),
        RegionSummary(2, 2),
        RegionSummary(2, 4),
    ]


def test_a_region_in_the_hole_of_another_is_one_of_its_own():
    labels = mask(
        "11111",
        "1...1",
        "1.1.1",
        "1...1",
        "11111",
    )
    outer, inner = find_regions(labels, CLASSES, lengths=True)
    assert (outer.pixels, outer.box, outer.length) == (16, (0, 0, 5, 5), 5)
    assert (inner.pixels, inner.box, inner.length) == (1, (2, 2, 1, 1), 1)


def test_without_a_background_every_class_has_regions():
    labels = mask("00", "11")
    assert [region.label for region in find_regions(labels, SCENE)] == [0, 1]
    assert region_summary(labels, SCENE) == [RegionSummary(1, 2), RegionSummary(1, 2)]


@pytest.mark.parametrize("labels", [mask("...", "###"), np.zeros((0, 4), np.uint8)])
def test_nothing_to_find(labels):
    assert find_regions(labels, CLASSES, lengths=True) == []
    assert region_summary(labels, CLASSES) == [RegionSummary(0, 0)] * 3


@pytest.mark.parametrize(
    ("rows", "length"),
    [
        (["1"], 1),
        (["1111"], 4),
        (["1", "1", "1"], 3),
        (["11", "11"], 2),
        # From the outer corner of the first pixel to that of the last: 3 diagonals of a pixel.
        (["1..", ".1.", "..1"], 3 * math.sqrt(2)),
        # Upright 5 by 2; slanting it would take more area.
        (["11...", "11111"], 5),
    ],
)
@pytest.mark.parametrize("turns", range(4))
def test_lengths_by_hand(rows, length, turns):
    labels = np.pad(np.rot90(mask(*rows), turns), 2)
    (region,) = find_regions(labels, CLASSES, lengths=True)
    assert region.length == pytest.approx(length, abs=1e-3)


def test_a_slanting_scratch_is_measured_along_itself():
    labels = np.zeros((400, 400), np.uint8)
    for step in range(300):
        labels[50 + step * 4 // 10, 30 + step] = 1
    (region,) = find_regions(labels, CLASSES, lengths=True)
    assert region.box == (30, 50, 300, 120)
    # Of the rectangle along the line, between the ends' centres and their far corners.
    along = math.hypot(299, 119)
    assert along < region.length < along + math.sqrt(2)


@pytest.mark.parametrize("seed", range(20))
def test_the_longest_and_the_largest_are_those_of_all(seed):
    rng = np.random.default_rng(seed)
    labels = np.zeros((60, 80), np.uint8)
    for _ in range(12):
        ends = rng.integers(0, [80, 60], (2, 2)).tolist()
        cv2.line(labels, *map(tuple, ends), 1, int(rng.integers(1, 5)))
        cv2.line(labels, *map(tuple, rng.integers(0, [80, 60], (2, 2)).tolist()), 0, 3)
    every = find_regions(labels, CLASSES, lengths=True)
    (plain,) = regions_by_class(labels, CLASSES)
    (boxed,) = regions_by_class(labels, CLASSES, boxes=True)
    assert boxed.longest().length == max(region.length for region in every)
    assert boxed.longest() in every
    assert plain.largest().pixels == every[0].pixels
    assert plain.largest().box == boxed.largest().box
    assert sorted(plain.pixels.tolist()) == sorted(boxed.pixels.tolist())


def test_lengths_are_asked_for():
    labels = mask("1")
    assert find_regions(labels, CLASSES)[0].length is None


@pytest.mark.parametrize("seed", range(20))
def test_as_a_flood_fill_finds_them(seed):
    rng = np.random.default_rng(seed)
    density = rng.uniform(0.1, 0.9)
    shape = rng.integers(1, 40, 2)
    labels = np.where(rng.random(shape) < density, rng.integers(1, 3, shape), 0).astype(np.uint8)
    labels[rng.random(shape) < 0.05] = 255
    expected = flood_fill(labels, CLASSES)
    found = find_regions(labels, CLASSES, lengths=True)
    assert sorted((r.label, r.pixels, r.box) for r in found) == sorted(expected)
    assert [r.pixels for r in found] == sorted((r.pixels for r in found), reverse=True)
    for region in found:
        long, short = max(region.box[2:]), min(region.box[2:])
        # At least what holds the area in a rectangle no larger than the box; at most the diagonal.
        assert region.length >= math.sqrt(region.pixels) - 1e-3
        assert region.length <= math.hypot(long, short) + 1e-3
    for label, summary in enumerate(region_summary(labels, CLASSES)):
        sizes = [pixels for other, pixels, _ in expected if other == label]
        assert summary == RegionSummary(len(sizes), max(sizes, default=0))


@pytest.mark.parametrize("seed", range(10))
def test_small_regions_go_and_the_others_stay_as_they_are(seed):
    rng = np.random.default_rng(seed)
    labels = (rng.random((30, 50)) < 0.35).astype(np.uint8) * rng.integers(1, 3, (30, 50), np.uint8)
    labels[3, :] = 255
    kept = [r for r in find_regions(labels, CLASSES, lengths=True) if r.pixels >= 4]
    refined = refine(labels, np.full(labels.shape, SURE), CLASSES, min_region=4)
    assert find_regions(refined, CLASSES, lengths=True) == kept
    changed = refined != labels
    assert (refined[changed] == 0).all()
    assert (refined[3] == 255).all()
    # Doing it twice changes nothing more.
    again = refine(refined, np.full(labels.shape, SURE), CLASSES, min_region=4)
    assert (again == refined).all()


def test_unsure_pixels_go_before_small_regions():
    labels = mask("111.2#")
    confidence = np.array([[0.9, 0.4, 0.9, 0.1, 0.5, 0.0]], np.float32)
    # Without its middle the region of three falls into two of one pixel.
    assert refine(labels, confidence, CLASSES, threshold=0.5).tolist() == mask("1.1.2#").tolist()
    refined = refine(labels, confidence, CLASSES, threshold=0.5, min_region=2)
    assert refined.tolist() == mask(".....#").tolist()
    assert refine(labels, confidence, CLASSES, min_region=2).tolist() == mask("111..#").tolist()


def test_refining_makes_a_new_array():
    labels = mask("1.2")
    for options in ({}, {"threshold": 0.5}, {"min_region": 2}):
        refined = refine(labels, np.zeros((1, 3), np.float32), CLASSES, **options)
        assert refined is not labels
        assert not np.shares_memory(refined, labels)
    assert labels.tolist() == mask("1.2").tolist()


def test_without_a_background_nothing_is_taken_back():
    labels = mask("0110")
    refined = refine(labels, np.zeros((1, 4), np.float32), SCENE, threshold=1, min_region=9)
    assert refined.tolist() == labels.tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 1.5}, "threshold is 1.5, give 0 to 1"),
        ({"threshold": float("nan")}, "threshold is nan, give 0 to 1"),
        ({"min_region": -1}, "min_region is -1, give 0 or more pixels"),
    ],
)
def test_limits_that_make_no_sense(options, message):
    with pytest.raises(ValueError, match=message):
        refine(mask("1"), np.ones((1, 1), np.float32), CLASSES, **options)


def test_what_are_no_labels():
    with pytest.raises(ValueError, match=r"labels are \(2, 2, 1\) of uint8, give \(H, W\)"):
        find_regions(np.zeros((2, 2, 1), np.uint8), CLASSES)
    with pytest.raises(ValueError, match=r"labels are \(2, 2\) of int64, give \(H, W\) of uint8"):
        region_summary(np.zeros((2, 2), np.int64), CLASSES)
    with pytest.raises(ValueError, match=r"labels have shape \(1, 1\), confidence \(1, 2\)"):
        refine(mask("1"), np.ones((1, 2), np.float32), CLASSES)


def test_of_rectangles_of_one_area_the_longest_counts():
    labels = mask("...1", "..11", "11..", "..1.")
    for turned in (labels, labels[::-1], labels[:, ::-1], labels.T, np.rot90(labels)):
        (region,) = find_regions(np.ascontiguousarray(turned), CLASSES, lengths=True)
        assert region.length == pytest.approx(math.hypot(2, 4), abs=1e-3)
