"""Two runtimes on the same pictures: what differs is counted and named."""

import numpy as np
import pytest

from segnet_res.classes import ClassMap
from segnet_res.errors import CheckpointError, DataError, ImageError
from segnet_res.images import write_image
from segnet_res.inference.export_parity import Batch, Parity, compare, drawn_parts, given_pictures
from segnet_res.inference.runtime import NumpyRuntime

CLASSES = ClassMap.from_names(["sound", "dent", "crack"])


class Thresholds(NumpyRuntime):
    """Dents are brighter than 100, cracks brighter than another limit; as sure as ``factor``."""

    backend = "thresholds"
    device = "none"
    precision = "float32"

    def __init__(self, limit=200, factor=1.0, channels=3):
        self.limit, self.factor, self.channels = limit, factor, channels

    def logits(self, images):
        grey = images[..., 0].astype(np.float32)
        planes = [100 - grey, np.zeros_like(grey), grey - self.limit]
        planes[1] = np.where(grey > 100, 1, -1)
        planes[2] = np.where(grey > self.limit, 2, -2)
        return self.factor * np.stack(planes, axis=1)[:, : self.channels].astype(np.float32)


def batch(*greys, **place):
    return Batch("a.png", np.array(greys, np.uint8)[None, :, :, None], **place)


def test_differences_are_counted_and_the_first_is_named():
    batches = [
        batch([0, 150, 250]),
        batch([0, 150], [250, 210], top=1024, left=2048),
        batch([210, 205]),
    ]
    parity = compare(Thresholds(), Thresholds(limit=220), batches, CLASSES)
    assert (parity.pixels, parity.different) == (9, 3)
    assert parity.first == "a.png, row 1025, column 2049: dent instead of crack"


def test_equal_labels_of_other_confidence():
    parity = compare(Thresholds(), Thresholds(factor=2), [batch([150])], CLASSES)
    assert (parity.different, parity.first) == (0, "")
    # Logits -50, 1, -2 and twice as much.
    apart = 1 / (1 + np.exp(-6)) - 1 / (1 + np.exp(-3))
    assert parity.confidence == pytest.approx(apart, rel=1e-5)


@pytest.mark.parametrize(("pixels", "allowed"), [(99_999, 0), (100_000, 1), (894_522, 8)])
def test_one_in_a_hundred_thousand_may_differ(pixels, allowed):
    assert Parity(pixels, 0, 0.0, "").allowed == allowed


def test_answers_of_another_shape():
    message = r"a\.png: the answer has the shape \(1, 2, 1, 1\) instead of \(1, 3, 1, 1\); use the"
    with pytest.raises(CheckpointError, match=message):
        compare(Thresholds(), Thresholds(channels=2), [batch([0])], CLASSES)


def test_answers_that_are_no_numbers():
    with pytest.raises(CheckpointError, match=r"a\.png: the answer holds values that are not num"):
        compare(Thresholds(), Thresholds(factor=np.nan), [batch([0])], CLASSES)


@pytest.mark.parametrize("channels", [1, 3])
def test_drawn_parts_are_always_the_same(channels):
    first, second = (list(drawn_parts(channels)) for _ in range(2))
    assert all(np.array_equal(a.images, b.images) for a, b in zip(first, second, strict=True))
    assert {part.images.shape[3] for part in first} == {channels}
    shapes = [part.images.shape[:3] for part in first]
    # Multiples of 32, others, a single pixel, and two at once; enough to tell 1 in 100,000.
    assert shapes[0] == (1, 480, 640)
    assert {(1, 1, 1), (1, 33, 47), (2, 250, 190)} <= set(shapes)
    assert sum(np.prod(shape) for shape in shapes) > 800_000
    assert len({part.name for part in first}) == len(first)


def test_given_pictures_come_in_pieces(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (1030, 1100, 1), np.uint8)
    write_image(tmp_path / "b.png", image)
    write_image(tmp_path / "nested" / "a.png", image[:5, :6])
    pieces = list(given_pictures(tmp_path, 1))
    found = [(piece.name, piece.top, piece.left, *piece.images.shape) for piece in pieces]
    assert found == [
        ("b.png", 0, 0, 1, 1024, 1024, 1),
        ("b.png", 0, 1024, 1, 1024, 76, 1),
        ("b.png", 1024, 0, 1, 6, 1024, 1),
        ("b.png", 1024, 1024, 1, 6, 76, 1),
        ("a.png", 0, 0, 1, 5, 6, 1),
    ]
    assert np.array_equal(pieces[1].images[0], image[:1024, 1024:])
    (single,) = given_pictures(tmp_path / "nested" / "a.png", 3)
    assert single.images.shape == (1, 5, 6, 3)


def test_no_pictures(tmp_path):
    for source in (tmp_path, tmp_path / "missing"):
        with pytest.raises(DataError, match=r"no pictures here; give a picture, or a folder"):
            list(given_pictures(source, 1))
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(ImageError, match=r"a\.png"):
        list(given_pictures(tmp_path, 1))
