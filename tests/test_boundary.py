"""IoU along the border by hand, and against the definition written out."""

import cv2
import numpy as np
import pytest

from segnet_res.boundary import border_counts, border_distance, border_ious
from segnet_res.classes import ClassMap

CLASSES = ClassMap.from_names(["sound", "scratch", "dent"])


def by_definition(truth, prediction, class_map, distance):
    """Erode the mask of each class pixel by pixel, the edge of the picture being outside."""
    counts = []
    labelled = truth != class_map.ignore_index
    for label in range(len(class_map)):
        bands = []
        for labels in (truth, prediction):
            mask = ((labels == label) & labelled).astype(np.uint8)
            padded = np.pad(mask, 1)
            eroded = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=distance)
            bands.append((padded - eroded).astype(bool)[1:-1, 1:-1])
        counts.append([(bands[0] & bands[1]).sum(), (bands[0] | bands[1]).sum()])
    return np.array(counts)


def test_by_hand():
    # A picture of 7 by 7: 2 % of the diagonal is less than a pixel, so the distance is 1.
    truth = np.zeros((7, 7), np.uint8)
    truth[1:6, 1:6] = 1  # its border: 16 of 25 pixels
    prediction = np.zeros((7, 7), np.uint8)
    prediction[1:6, 1:5] = 1  # one column short: 14 of 20 pixels
    counts = border_counts(truth, prediction, CLASSES)
    # Both borders share the left column (5) and two rows of three: 11 of 16 + 14 - 11.
    assert counts[1].tolist() == [11, 19]
    # Background: the rim of 24 pixels is a border on both sides and the column of 5 joins it.
    assert counts[0].tolist() == [24, 29]
    assert border_ious(counts) == (24 / 29, 11 / 19, None)


def test_the_same_mask_has_one():
    labels = np.random.default_rng(1).integers(0, 2, (40, 30), dtype=np.uint8)
    assert border_ious(border_counts(labels, labels, CLASSES)) == (1, 1, None)


def test_a_class_that_fills_the_picture_has_the_edge_as_border():
    labels = np.ones((10, 10), np.uint8)
    assert border_counts(labels, labels, CLASSES)[1].tolist() == [36, 36]
    # At a fifth of the diagonal, 3 pixels.
    assert border_counts(labels, labels, CLASSES, share=0.2)[1].tolist() == [84, 84]


def test_a_sloppy_outline_costs_more_than_in_the_plain_iou():
    truth = np.zeros((200, 200), np.uint8)
    truth[20:180, 20:180] = 1
    prediction = np.zeros_like(truth)
    prediction[22:178, 22:178] = 1
    plain = 156**2 / 160**2
    border = border_ious(border_counts(truth, prediction, CLASSES))[1]
    assert plain > 0.95
    assert border < 0.6


def test_of_narrow_regions_it_is_the_plain_iou():
    truth, prediction = np.zeros((2, 100, 100), np.uint8)
    truth[40:46, 10:90] = 1  # 3 pixels to each side of the middle, and so is the distance
    prediction[42:48, 15:95] = 1
    plain = (4 * 75) / (2 * 6 * 80 - 4 * 75)
    assert border_distance((100, 100)) == 3
    assert border_ious(border_counts(truth, prediction, CLASSES))[1] == plain


def test_unlabelled_pixels_count_nowhere():
    truth = np.zeros((8, 8), np.uint8)
    truth[:, 4:] = 255
    counts = [border_counts(truth, np.full((8, 8), label, np.uint8), CLASSES) for label in (0, 255)]
    # A block of 8 by 4 with a border of 20 pixels, right where the labels end.
    assert counts[0][0].tolist() == [20, 20]
    prediction = np.zeros((8, 8), np.uint8)
    prediction[:, 5:] = 2
    assert (border_counts(truth, prediction, CLASSES) == counts[0]).all()


def test_only_unlabelled_pixels():
    truth = np.full((4, 5), 255, np.uint8)
    assert border_ious(border_counts(truth, truth * 0, CLASSES)) == (None, None, None)


@pytest.mark.parametrize("seed", range(30))
def test_as_the_definition_says(seed):
    rng = np.random.default_rng(seed)
    shape = rng.integers(1, 60, 2)
    blobs = rng.random((2, *shape)).astype(np.float32)
    labels = [
        np.digitize(cv2.GaussianBlur(b, (0, 0), 3), [0.48, 0.52]).astype(np.uint8) for b in blobs
    ]
    truth, prediction = labels
    truth[rng.random(shape) < 0.01] = 255
    share = rng.uniform(0, 0.2)
    distance = max(1, round(share * float(np.hypot(*shape))))
    expected = by_definition(truth, prediction, CLASSES, distance)
    assert border_counts(truth, prediction, CLASSES, share=share).tolist() == expected.tolist()


def test_what_does_not_fit():
    with pytest.raises(ValueError, match=r"truth has shape \(2, 2\), prediction \(2, 3\)"):
        border_counts(np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8), CLASSES)
    with pytest.raises(ValueError, match=r"the distance is 2 of the diagonal, give 0 to 1"):
        border_distance((2, 2), 2)
