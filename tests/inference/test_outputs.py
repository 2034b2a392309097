"""Kinds of result: what is in their files, and the COCO files that hold regions."""

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from segnet_res.classes import ClassMap
from segnet_res.errors import ImageError, UsageError
from segnet_res.inference import Prediction
from segnet_res.inference.coco import merge_polygons, write_polygons
from segnet_res.inference.outputs import KINDS, check_kinds

CLASSES = ClassMap(("sound", "dent", "crack"), ((0, 0, 0), (255, 0, 0), (0, 0, 255)))
LABELS = np.array([[0, 1, 1, 0], [0, 1, 1, 0], [2, 0, 0, 255]], np.uint8)
PREDICTION = Prediction(LABELS, np.full((3, 4), 0.5, np.float32))
PICTURE = np.full((3, 4, 3), 100, np.uint8)


def write(kind, folder, prediction=PREDICTION, image=PICTURE, name="a.jpg"):
    path = folder / f"a{KINDS[kind].suffix}"
    KINDS[kind].write(path, image, prediction, CLASSES, name=name)
    return path


def pixels(path):
    with Image.open(path) as image:
        return np.array(image)


def test_masks_hold_labels_and_confidence_is_grey(tmp_path):
    assert np.array_equal(pixels(write("masks", tmp_path)), LABELS)
    assert (pixels(write("confidence", tmp_path)) == 127).all()


def test_colors_are_those_of_the_classes(tmp_path):
    painted = pixels(write("colors", tmp_path, image=None))
    assert painted.shape == (3, 4, 3)
    assert painted[0].tolist() == [[0, 0, 0], [255, 0, 0], [255, 0, 0], [0, 0, 0]]
    assert painted[2].tolist() == [[0, 0, 255], [0, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_overlays_paint_over_the_picture(tmp_path):
    prediction = Prediction(np.repeat(LABELS, 32, 0).repeat(32, 1), np.ones((96, 128), np.float32))
    image = np.full((96, 128, 3), 100, np.uint8)
    painted = pixels(write("overlays", tmp_path, prediction, image)).astype(int)
    # 0.55 of the colour over 0.45 of the picture; sound pixels stay.
    assert np.abs(painted[16, 64] - [185, 45, 45]).max() < 6
    assert np.abs(painted[16, 16] - 100).max() < 6


@pytest.mark.parametrize("kind", [kind for kind in KINDS.values() if kind.pixels is not None])
def test_strips_are_the_same_as_the_whole(kind):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (9, 5, 3)).astype(np.uint8)
    labels = rng.integers(0, 3, (9, 5)).astype(np.uint8)
    confidence = rng.random((9, 5)).astype(np.float32)
    whole = kind.pixels(image, labels, confidence, CLASSES)
    strips = [
        kind.pixels(image[i : i + 4], labels[i : i + 4], confidence[i : i + 4], CLASSES)
        for i in range(0, 9, 4)
    ]
    assert np.array_equal(whole, np.concatenate(strips))


def test_too_long_for_jpeg(tmp_path):
    prediction = Prediction(np.zeros((1, 65_501), np.uint8), np.ones((1, 65_501), np.float32))
    with pytest.raises(ImageError) as caught:
        write("overlays", tmp_path, prediction, np.zeros((1, 65_501, 3), np.uint8))
    assert str(caught.value) == (
        "65501x1 is too long for a JPEG overlay; leave overlays out for this picture"
    )
    assert list(tmp_path.iterdir()) == []


def test_kinds_that_are_unknown_or_none():
    with pytest.raises(UsageError) as caught:
        check_kinds(["masks", "gifs"])
    listed = "masks, colors, overlays, confidence, polygons"
    assert str(caught.value) == f"save is gifs; choose from {listed}"
    with pytest.raises(UsageError, match=f"^save is empty; choose from {listed}$"):
        check_kinds([])


def test_polygons_of_one_picture(tmp_path):
    content = json.loads(write("polygons", tmp_path, name="left/ä.jpg").read_bytes())
    assert content["images"] == [{"id": 1, "file_name": "left/ä.jpg", "width": 4, "height": 3}]
    assert [(entry["id"], entry["name"]) for entry in content["categories"]] == [
        (1, "dent"),
        (2, "crack"),
    ]
    assert content["categories"][0]["color"] == [255, 0, 0]
    common = {"image_id": 1, "iscrowd": 0}
    assert content["annotations"] == [
        common
        | {
            **{"id": 1, "category_id": 1, "area": 4, "bbox": [1, 0, 2, 2]},
            "segmentation": [[1, 0, 3, 0, 3, 2, 1, 2]],
        },
        common
        | {
            **{"id": 2, "category_id": 2, "area": 1, "bbox": [0, 2, 1, 1]},
            "segmentation": [[0, 2, 1, 2, 1, 3, 0, 3]],
        },
    ]


def test_a_mask_without_regions_is_valid_too(tmp_path):
    prediction = Prediction(np.zeros((2, 2), np.uint8), np.ones((2, 2), np.float32))
    content = json.loads(write("polygons", tmp_path, prediction).read_bytes())
    assert content["annotations"] == []
    assert len(content["images"]) == 1


def mask_again(content, image_id, shape):
    """Paint the annotations of a picture, four times as large to miss OpenCV's thick outlines."""
    canvas = np.zeros((4 * shape[0], 4 * shape[1]), np.uint8)
    for annotation in content["annotations"]:
        if annotation["image_id"] == image_id:
            (flat,) = annotation["segmentation"]
            corners = 4 * np.array(flat, np.int32).reshape(-1, 2)
            region = np.zeros_like(canvas)
            cv2.fillPoly(region, [corners], 1)
            inside = region[2::4, 2::4].astype(bool)
            assert inside.sum() == annotation["area"]
            left, top, width, height = annotation["bbox"]
            assert inside[top : top + height, left : left + width].sum() == annotation["area"]
            canvas[2::4, 2::4][inside] = annotation["category_id"]
    return canvas[2::4, 2::4]


def random_labels(rng, size):
    """Blobs with holes, and single pixels."""
    coarse = rng.integers(0, 3, (size[0] // 3 + 1, size[1] // 3 + 1)).astype(np.uint8)
    labels = coarse.repeat(3, 0).repeat(3, 1)[: size[0], : size[1]].copy()
    spots = rng.random(size) < 0.1
    labels[spots] = rng.integers(0, 3, int(spots.sum()))
    return labels


def test_masks_come_back_from_merged_polygons(tmp_path):
    rng = np.random.default_rng(3)
    masks = [random_labels(rng, size) for size in ((40, 50), (1, 7), (33, 20))]
    rows = [{"path": "broken.png", "status": "failed", "outputs": {}}]
    for i, labels in enumerate(masks):
        path = tmp_path / "polygons" / f"{i}.json"
        prediction = Prediction(labels, np.ones(labels.shape, np.float32))
        KINDS["polygons"].write(path, None, prediction, CLASSES, name=f"{i}.png")
        output = {"path": f"polygons/{i}.json", "sha256": "0" * 64}
        rows.append({"path": f"{i}.png", "status": "ok", "outputs": {"polygons": output}})
    assert merge_polygons(tmp_path, iter(rows), CLASSES) == (3, [])
    content = json.loads((tmp_path / "polygons.json").read_bytes())
    assert [image["file_name"] for image in content["images"]] == ["0.png", "1.png", "2.png"]
    numbers = [annotation["id"] for annotation in content["annotations"]]
    assert numbers == list(range(1, len(numbers) + 1))
    for image, labels in zip(content["images"], masks, strict=True):
        assert np.array_equal(mask_again(content, image["id"], labels.shape), labels)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["polygons", "polygons.json"]


def test_merged_polygons_keep_the_classes_of_another_checkpoint(tmp_path):
    before = ClassMap.from_names(["sound", "dent", "scratch"])
    rows = []
    for name, class_map in (("old", before), ("new", CLASSES)):
        path = tmp_path / f"{name}.json"
        write_polygons(path, np.array([[1, 0, 2]], np.uint8), class_map, name=f"{name}.png")
        rows.append({"status": "ok", "outputs": {"polygons": {"path": path.name}}})
    assert merge_polygons(tmp_path, rows, CLASSES) == (2, [])
    content = json.loads((tmp_path / "polygons.json").read_bytes())
    names = {one["id"]: one["name"] for one in content["categories"]}
    found = [(one["image_id"], names[one["category_id"]]) for one in content["annotations"]]
    assert found == [(1, "dent"), (1, "scratch"), (2, CLASSES.names[1]), (2, CLASSES.names[2])]
    # A category of this checkpoint has the label in its masks as id.
    assert {label: names[label] for label in (1, 2)} == dict(enumerate(CLASSES.names[1:], 1))


def test_merging_nothing_is_a_valid_file(tmp_path):
    assert merge_polygons(tmp_path, [], CLASSES) == (0, [])
    content = json.loads((tmp_path / "polygons.json").read_bytes())
    assert content["images"] == content["annotations"] == []
    assert len(content["categories"]) == 2


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"images": 3}', b"[1]", None])
def test_a_damaged_part_is_named_and_left_out(tmp_path, damage):
    part = tmp_path / "a.json"
    if damage is not None:
        part.write_bytes(damage)
    rows = [{"status": "ok", "outputs": {"polygons": {"path": "a.json"}}}]
    found = "cannot be read (No such file or directory)"
    reason = found if damage is None else "holds no polygons of ours"
    assert merge_polygons(tmp_path, rows, CLASSES) == (0, [f"a.json {reason}"])
    assert json.loads((tmp_path / "polygons.json").read_bytes())["images"] == []


def test_no_torch_is_imported():
    code = (
        "import sys; import segnet_res.inference.outputs, segnet_res.inference.html; "
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
