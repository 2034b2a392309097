"""Reference masks in the forms that people save them in."""

import numpy as np
import pytest
from PIL import Image

from segnet_res.classes import ClassMap
from segnet_res.errors import DataError, ImageError
from segnet_res.web.reference import names_match, read_reference

ONE = ClassMap.from_names(["sound", "scratch"])
TWO = ClassMap.from_names(["sound", "scratch", "dent"])


@pytest.fixture
def save(tmp_path):
    """Saves an array, or a picture of Pillow, and returns the path."""

    def save(pixels, name="mask.png"):
        image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(np.asarray(pixels))
        image.save(tmp_path / name)
        return tmp_path / name

    return save


@pytest.fixture
def truth():
    mask = np.zeros((20, 30), np.uint8)
    mask[5:9, 3:20] = 1
    return mask


def read(path, class_map=TWO, **options):
    return read_reference(path, (20, 30), class_map, **options)


def test_indices_are_read_as_they_are(save, truth):
    truth[0, 0], truth[1, 1] = 2, 255
    found = read(save(truth))
    assert np.array_equal(found.labels, truth)
    assert found.warnings == ()


def test_colours_of_the_classes_are_read(save, truth):
    assert np.array_equal(read(save(TWO.palette()[truth])).labels, truth)


def test_indices_that_were_saved_as_rgb_are_read(save, truth):
    found = read(save(np.repeat(truth[..., None], 3, axis=2)))
    assert np.array_equal(found.labels, truth)


def test_a_palette_for_the_eye_leaves_the_indices(save, truth):
    image = Image.fromarray(truth, mode="P")
    image.putpalette([0, 0, 0, 255, 0, 255])
    found = read(save(image))
    assert np.array_equal(found.labels, truth)
    assert found.warnings == ()


def test_a_palette_of_the_classes_colours_in_another_order_is_read_by_colour(save, truth):
    # A drawing program puts the colours into the order in which it met them.
    image = Image.fromarray(1 - truth, mode="P")
    image.putpalette([*TWO.colors[1], *TWO.colors[0]])
    found = read(save(image))
    assert np.array_equal(found.labels, truth)
    assert "the colours were read" in found.warnings[0]


def test_black_and_white_is_the_one_class_where_there_is_one(save, truth):
    found = read(save(truth * np.uint8(255)), ONE)
    assert np.array_equal(found.labels, truth)
    assert found.warnings == ("mask.png is black and white: white was read as scratch.",)
    blurred = truth * np.uint8(250)
    blurred[5, 3] = 120
    assert np.count_nonzero(read(save(blurred), ONE).labels) == np.count_nonzero(truth) - 1


def test_black_and_white_is_refused_where_white_could_mean_several_classes(save, truth):
    noisy = truth * np.uint8(253)
    told = pytest.raises(DataError, match="is black and white, and there are 3 classes that white")
    with told:
        read(save(noisy))
    # Exact 255 means "not labelled" and may be meant: it is read, with a doubt.
    doubt = read(save(truth * np.uint8(255)))
    assert "holds 0 and 255 only, and 255 means 'not labelled'" in doubt.warnings[0]


def test_one_class_with_unlabelled_pixels_is_no_black_and_white(save, truth):
    truth[10:, :] = 255
    found = read(save(truth), ONE)
    assert np.array_equal(found.labels, truth)
    assert found.warnings == ()


def test_a_jpeg_is_told_to_blur_labels(save, truth):
    noise = np.random.default_rng(0).integers(0, 60, truth.shape, np.uint8)
    told = pytest.raises(DataError, match=r"belong to no class; .* \(JPEG blurs labels: export")
    with told:
        read(save(noise, "mask.jpg"))


def test_colours_of_no_class_are_told(save):
    with pytest.raises(ImageError, match=r"1 colours belong to no class \(first #010203\)"):
        read(save(np.full((20, 30, 3), (1, 2, 3), np.uint8)))


def test_labels_of_another_order_are_translated(save, truth):
    truth[0, 0], truth[1, 1] = 2, 255
    found = read(save(truth), classes=("sound", "dent", "scratch"))
    swapped = np.array([0, 2, 1], np.uint8)
    known = truth != 255
    assert np.array_equal(found.labels[known], swapped[truth[known]])
    assert found.labels[1, 1] == 255
    with pytest.raises(DataError, match=r"\(it does not know crack\), so there is no score"):
        read(save(truth), classes=("sound", "crack"))


def test_another_name_or_size_is_told(save, truth):
    path = save(truth, "part8.png")
    assert read(path, picture="part8.jpg").warnings == ()
    assert (
        "part8.png and the picture part7.jpg have different names"
        in (read(path, picture="part7.jpg").warnings[0])
    )
    with pytest.raises(DataError, match="the mask is 30x20, the picture 31x20"):
        read_reference(path, (20, 31), TWO)


@pytest.mark.parametrize(
    ("picture", "mask", "match"),
    [
        ("a.jpg", "a.png", True),
        ("Part 1.JPG", "part 1_mask.png", True),
        ("a.jpg", "a-gt.png", True),
        ("a.jpg", "a_ground_truth.png", True),
        ("a_mask.jpg", "a.png", True),
        ("mask.png", "mask.png", True),
        ("exp1_num_1.jpg", "exp1_num_10.png", False),
    ],
)
def test_names_of_a_pair(picture, mask, match):
    assert names_match(picture, mask) is match
