"""Conditions of pictures: measures against a known truth, and what is said of changed ones."""

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from segnet_res.checkpoint import read_metadata
from segnet_res.conditions import (
    Conditions,
    FolderConditions,
    KnownConditions,
    judge_conditions,
    measure,
)
from segnet_res.data.synth import draw_part
from segnet_res.errors import DataError, ImageError
from segnet_res.images import find_images, read_image

BUNDLED = Path(__file__).resolve().parents[1] / "checkpoints" / "magnetic-tile.safetensors"
USUAL = Conditions(100.0, 30.0, 0.8, 2.0, 640, 480)


def blurred(image):
    return cv2.GaussianBlur(image, (0, 0), 1.5).reshape(image.shape)


def moved(image):
    return cv2.blur(image, (7, 1)).reshape(image.shape)


def darkened(image):
    return (0.4 * image).astype(np.uint8)


def noisy(image):
    noise = np.random.default_rng(1).normal(0, 12, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def known_and_parts():
    """What synthetic parts are like, and others of the same kind."""
    rng = np.random.default_rng(0)
    parts = [draw_part(rng, size=(160, 120)).image for _ in range(90)]
    return KnownConditions.of(map(measure, parts[:60])), parts[60:]


def test_brightness_and_contrast_by_hand():
    image = np.array([[0, 100], [100, 200]], np.uint8)
    found = measure(image)
    assert (found.brightness, found.width, found.height) == (100, 2, 2)
    # The mean square of -100, 0, 0 and 100 is 5000.
    assert found.contrast == pytest.approx(5000**0.5, abs=1e-3)


def test_colours_count_by_their_luma():
    grey = np.random.default_rng(0).integers(0, 256, (40, 50, 1)).astype(np.uint8)
    assert measure(np.repeat(grey, 3, 2)) == measure(grey) == measure(grey[..., 0])
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 200
    assert measure(red).brightness == pytest.approx(0.299 * 200, abs=0.5)


@pytest.mark.parametrize("sigma", [1, 4, 15])
def test_noise_is_found_as_it_was_made(sigma):
    rows, columns = np.mgrid[:200, :300]
    slope = 60 + 0.2 * rows + 0.3 * columns
    image = slope + np.random.default_rng(0).normal(0, sigma, slope.shape)
    # An edge and a bright spot are no noise.
    image[80:, :] += 40
    image[20:30, 20:30] += 60
    found = measure(np.clip(np.rint(image), 0, 255).astype(np.uint8)).noise
    assert found == pytest.approx(sigma, rel=0.08)


def test_sharpness_falls_with_blur_in_any_direction_and_not_with_light():
    image = draw_part(np.random.default_rng(2), size=(200, 200), defects=()).image
    sharp = measure(image).sharpness
    assert measure(blurred(image)).sharpness < 0.8 * sharp
    assert measure(moved(image)).sharpness < 0.9 * sharp
    turned = np.ascontiguousarray(moved(image).transpose(1, 0, 2))
    assert measure(turned).sharpness == measure(moved(image)).sharpness
    assert measure(darkened(image)).sharpness == pytest.approx(sharp, abs=0.03)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 2, 3), (2, 300, 4)])
def test_pictures_of_any_size_are_measured(shape):
    flat = measure(np.full(shape, 7, np.uint8))
    assert (flat.contrast, flat.sharpness, flat.noise) == (0, 0, 0)
    busy = measure(np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8))
    assert 0 <= busy.sharpness <= 1
    assert (busy.width, busy.height) == (shape[1], shape[0])


def test_other_arrays_are_refused():
    with pytest.raises(ImageError, match=r"^a picture is an array \(4, 4, 1\) of float64; give "):
        measure(np.zeros((4, 4)))


def test_a_large_picture_is_measured_in_windows(monkeypatch):
    image = np.random.default_rng(0).normal(100, 10, (700, 900)).astype(np.uint8)
    whole = measure(image)
    monkeypatch.setattr("segnet_res.conditions.measuring._MOST_PIXELS", 100_000)
    monkeypatch.setattr("segnet_res.conditions.measuring._WINDOW", 64)
    windows = measure(image)
    assert (windows.width, windows.height) == (900, 700)
    for name in ("brightness", "contrast", "sharpness", "noise"):
        assert getattr(windows, name) == pytest.approx(getattr(whole, name), rel=0.03)


def test_quantiles_of_what_was_measured():
    known = KnownConditions.of(dataclasses.replace(USUAL, noise=i / 100) for i in range(101))
    assert known.pictures == 101
    assert known.quantiles["noise"] == (0, 0.01, 0.05, 0.5, 0.95, 0.99, 1)
    assert KnownConditions.from_dict(json.loads(json.dumps(known.to_dict()))) == known
    with pytest.raises(ValueError, match="measure at least one picture"):
        KnownConditions.of([])


def test_damaged_conditions_and_those_of_another_version():
    content = KnownConditions.of([USUAL]).to_dict()
    assert KnownConditions.from_dict(content | {"probabilities": [0.5]}) is None
    fewer = {name: values for name, values in content["quantiles"].items() if name != "noise"}
    assert KnownConditions.from_dict(content | {"quantiles": fewer}) is None
    for damage in ({"quantiles": 5}, {"pictures": "many"}, {"quantiles": {}}):
        broken = content | damage
        if damage == {"quantiles": {}}:
            broken = content | {"quantiles": content["quantiles"] | {"noise": [1]}}
        with pytest.raises(DataError, match="are damaged; copy the checkpoint again"):
            KnownConditions.from_dict(broken)


def test_a_row_gives_its_conditions_back():
    assert Conditions.from_dict(json.loads(json.dumps(USUAL.to_dict()))) == USUAL
    with pytest.raises(DataError) as caught:
        Conditions.from_dict({"brightness": "high"})
    assert str(caught.value) == (
        "conditions are {'brightness': 'high'}; give numbers for brightness, contrast, sharpness, "
        "noise, width, height"
    )


# 101 pictures whose noise is 0, 0.1 ... 10.
RISING = KnownConditions.of(dataclasses.replace(USUAL, noise=i / 10) for i in range(101))


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"noise": 10.0}, None),  # the most, but no more than 0.25 * (9.9 - 5) over 9.9
        ({"noise": 11.0}, None),
        (
            {"noise": 11.2},
            "noise 11.2 is higher than in all 101 training pictures (0 to 10): "
            "gain or exposure time?",
        ),
        ({"brightness": 98.0, "contrast": 31.0, "sharpness": 0.79}, None),  # changes too small
        (
            {"brightness": 97.5},
            "brightness 97.5 is lower than in all 101 training pictures (100): light or exposure?",
        ),
        (
            {"contrast": 31.5},
            "contrast 31.5 is higher than in all 101 training pictures (30): "
            "light, or another surface?",
        ),
        (
            {"sharpness": 0.5},
            "sharpness 0.5 is lower than in all 101 training pictures (0.8): lens or focus?",
        ),
        ({"width": 960, "height": 320}, None),
        (
            {"width": 961},
            "the size 961x480 is larger than that of all 101 training pictures "
            "(sides of 480 to 640 pixels): another camera or distance?",
        ),
        (
            {"width": 319},
            "the size 319x480 is smaller than that of all 101 training pictures "
            "(sides of 480 to 640 pixels): another camera or distance?",
        ),
    ],
)
def test_what_is_said_of_one_picture(changed, sentence):
    found = judge_conditions(dataclasses.replace(USUAL, **changed), RISING)
    assert found == ([] if sentence is None else [sentence])


def test_all_is_not_said_where_a_few_were_like_it():
    pictures = [USUAL] * 995 + [dataclasses.replace(USUAL, sharpness=0.1)] * 5
    known = KnownConditions.of(pictures)
    assert judge_conditions(dataclasses.replace(USUAL, sharpness=0.5), known) == [
        "sharpness 0.5 is lower than in 99 % of the training pictures (0.8): lens or focus?"
    ]


def test_noise_is_told_once():
    changed = dataclasses.replace(USUAL, noise=20.0, sharpness=0.9)
    assert [sentence.split()[0] for sentence in judge_conditions(changed, RISING)] == ["noise"]


def test_sound_parts_are_not_told_of(known_and_parts):
    known, parts = known_and_parts
    run = FolderConditions()
    told = 0
    for part in parts:
        run.add(measure(part))
        told += bool(judge_conditions(measure(part), known))
    assert len(run) == 30
    assert told <= 2
    assert run.judge(known) == []


@pytest.mark.parametrize(
    ("change", "start"),
    [
        (blurred, "sharpness is 0."),
        (moved, "sharpness is 0."),
        (darkened, "brightness is "),
        (noisy, "noise is 1"),
    ],
)
def test_changed_parts_raise_an_alarm(known_and_parts, change, start):
    known, parts = known_and_parts
    run = FolderConditions()
    for part in parts:
        run.add(measure(change(part)))
    sentences = [sentence for sentence in run.judge(known) if sentence.startswith(start)]
    (sentence,) = sentences
    word = "higher" if change is noisy else "lower"
    assert f" in the middle of the run, {word} than in 95 % of the training pictures" in sentence


def test_few_pictures_are_told_of_one_by_one_only():
    run = FolderConditions()
    for count in range(1, 11):
        run.add(dataclasses.replace(USUAL, sharpness=0.1))
        assert bool(run.judge(RISING)) == (count == 10)


def test_a_part_of_the_run_is_told_of():
    run = FolderConditions()
    for i in range(100):
        run.add(dataclasses.replace(USUAL, sharpness=0.2 if i < 6 else 0.8))
    assert run.judge(RISING) == [
        "sharpness of 6 % of the pictures is lower than in 99 % of the training pictures (0.8): "
        "lens or focus?"
    ]


def test_a_long_run_keeps_a_bounded_number_evenly_spread():
    run = FolderConditions()
    for i in range(20_000):
        run.add(dataclasses.replace(USUAL, brightness=i / 100))
    assert len(run) == 20_000
    assert len(run._kept) <= 4096
    assert np.median([values[0] for values in run._kept]) == pytest.approx(100, abs=0.5)
    assert run.judge(RISING)[0].startswith("brightness of 49 % of the pictures is lower ")


def test_the_bundled_checkpoint_knows_its_pictures(shared_data):
    known = read_metadata(BUNDLED).conditions
    assert known.pictures == 1000
    pictures = find_images(shared_data / "magnetic-tile")
    images = [
        read_image(path, 1) for path in pictures[::21] if path.suffix.lower() in (".jpg", ".jpeg")
    ]
    sound, soft = FolderConditions(), FolderConditions()
    told = 0
    for image in images:
        sound.add(measure(image))
        soft.add(measure(blurred(image)))
        told += bool(judge_conditions(measure(image), known))
    assert len(sound) >= 30
    assert told <= 0.06 * len(sound)
    assert sound.judge(known) == []
    assert soft.judge(known)[0].startswith("sharpness is 0.5")
