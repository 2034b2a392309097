"""Imports of what annotation tools write; ``formats/`` holds files that Datumaro wrote."""

import base64
import io
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segnet_res.data import SegmentationDataset, check_dataset, import_dataset
from segnet_res.data.importers import MaskOptions
from segnet_res.data.importers._shapes import (
    coco_counts,
    ellipse,
    fill,
    rectangle,
    runs_to_mask,
    unpack_brush,
)
from segnet_res.errors import DataError, UsageError

FORMATS = Path(__file__).parent / "formats"
NAMES = ("background", "dent", "scratch")


def sample_truth(*, polygons):
    """What make_formats.py draws; forms of masks alone came without the polygon."""
    labels = np.zeros((12, 16), np.uint8)
    labels[2:7, 3:9] = 1
    labels[4, 5] = 0
    labels[8:10, 10:15] = 2
    if polygons:
        labels[5:11, 1:5] = 2
    return labels


def imported(kind, source, target, **options):
    """Return the labels of every picture by stem, in whichever split."""
    report = import_dataset(kind, source, target, **options)
    found = {}
    for split in report.images:
        dataset = SegmentationDataset(target, split)
        found |= {stem: dataset[i].labels for i, stem in enumerate(dataset.stems)}
    return report, found


@pytest.mark.parametrize("kind", ["coco", "cvat", "voc", "cityscapes"])
def test_files_of_datumaro(kind, tmp_path):
    report, found = imported(kind, FORMATS / kind, tmp_path / "new")
    assert report.info.class_map.names == NAMES
    assert report.images == {"train": 2, "val": 1}
    assert len(found) == 3
    for stem, labels in found.items():
        assert stem.endswith(("line1/cap0", "line1/cap1", "line1/cap2"))
        expected = sample_truth(polygons=kind in ("coco", "cvat"))
        np.testing.assert_array_equal(labels, expected)
    if kind in ("voc", "cityscapes"):
        assert report.info.class_map.colors[1] == (250, 50, 83)
    serious = [problem.kind for problem in check_dataset(tmp_path / "new") if problem.serious]
    assert serious == []


@pytest.fixture
def source(tmp_path):
    """A folder with one grey picture of 16x12."""
    root = tmp_path / "export"
    (root / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (12, 16), np.uint8)).save(root / "images" / "a.png")
    return root


def coco(root, *annotations, image=None, **more):
    content = {
        "images": [{"id": 1, "file_name": "a.png", "height": 12, "width": 16, **(image or {})}],
        "categories": [{"id": 7, "name": "rust"}, {"id": 3, "name": "dent"}],
        "annotations": [
            {"id": i, "image_id": 1, "category_id": 3, **annotation}
            for i, annotation in enumerate(annotations, start=1)
        ],
        **more,
    }
    (root / "result.json").write_text(json.dumps(content))


SQUARE = [2, 2, 8, 2, 8, 6, 2, 6]


def test_coco_of_any_tool(source, tmp_path):
    coco(
        source,
        # Two polygons of one object are both of it, even where they overlap.
        {"segmentation": [SQUARE, [6, 4, 12, 4, 12, 8, 6, 8]]},
        {"segmentation": [[3, 3, 5, 3, 5, 5, 3, 5]], "category_id": 7},
        {"segmentation": [], "bbox": [0, 0, 3, 3]},
        {"segmentation": [[14, 10, 16, 10, 16, 12, 14, 12]], "ignore": 1},
    )
    report, found = imported("coco", source, tmp_path / "new", split="train")
    assert report.info.class_map.names == ("background", "dent", "rust")
    assert report.info.channels == 1
    assert "left out annotations that are boxes without an outline: 1" in report.notes
    expected = np.zeros((12, 16), np.uint8)
    expected[2:6, 2:8] = expected[4:8, 6:12] = 1
    expected[3:5, 3:5] = 2
    expected[10:, 14:] = 255
    np.testing.assert_array_equal(found["a"], expected)


def test_the_name_of_the_source_is_no_split(source, tmp_path):
    coco(source, {"segmentation": [SQUARE]})
    for i in range(3):
        labels = np.random.default_rng(i).integers(0, 255, (12, 16), np.uint8)
        Image.fromarray(labels).save(source / f"images/{i}.png")
    images = [{"id": i, "file_name": f"{i}.png", "height": 12, "width": 16} for i in range(3)]
    coco(source, images=images)
    whole = source.rename(source.parent / "train-wheels")
    report = import_dataset("coco", whole, tmp_path / "new")
    assert set(report.images) == {"train", "val"}
    # What was read is not what was left out.
    assert not any("result.json" in note for note in report.notes)


def test_a_picture_of_another_folder_is_told(source, tmp_path):
    line = source / "line1"
    (source / "images").rename(line)
    coco(source, {"segmentation": [SQUARE]}, image={"file_name": "line2/a.png"})
    report, _ = imported("coco", source, tmp_path / "new", split="train")
    assert report.notes == (
        "pictures found by their file's name alone, in a folder that the annotations do not name: "
        "1 (such as line1/a.png for 'line2/a.png'); see that they are the right ones",
    )
    listed = [{"id": i, "file_name": f"line{i}/a.png", "height": 12, "width": 16} for i in (1, 2)]
    coco(source, images=listed)
    assert refusal("coco", source, tmp_path / "two").endswith(
        "a picture is annotated twice; result.json names line1/a.png twice, or one of them in "
        "another folder, where it is missing; put that there, or take one out"
    )


def test_classes_of_almost_one_name(source, tmp_path):
    def rectangle(label, left):
        points = [[left, 2], [left + 2, 4]]
        return {"label": label, "shape_type": "rectangle", "points": points}

    labelme(source, rectangle("E1_1", 2), rectangle("E11", 6), rectangle("Dent", 10),
            rectangle("dent", 13))  # fmt: skip
    report, found = imported("labelme", source, tmp_path / "new", split="train")
    assert report.info.class_map.names == ("background", "Dent", "E11", "E1_1")
    assert report.notes == ("'Dent' and 'dent' count as one class, 'Dent'",)
    assert found["a"][2, [2, 6, 10, 13]].tolist() == [3, 2, 1, 1]


def test_coco_run_lengths(source, tmp_path):
    expected = np.zeros((12, 16), np.uint8)
    expected[2:9, 4:12], expected[4:6, 6:9] = 1, 0
    # As pycocotools 2.0.11 compresses it, and plain.
    compressed = "b17500KM13OM13OM1340000^1"
    plain = [50, 7, 5, 7, 5, 2, 2, 3, 5, 2, 2, 3, 5, 2, 2, 3, 5, 7, 5, 7, 5, 7, 51]
    for name, counts in (("one", compressed), ("two", plain)):
        coco(source, {"segmentation": {"size": [12, 16], "counts": counts}, "iscrowd": 1})
        _, found = imported("coco", source, tmp_path / name, split="train")
        np.testing.assert_array_equal(found["a"], expected)


def test_polygons_that_predict_writes_come_back_to_the_pixel(source, tmp_path):
    from segnet_res.classes import ClassMap
    from segnet_res.inference.coco import write_polygons

    classes = ClassMap.from_names(["background", "dent", "rust"])
    labels = np.random.default_rng(1).integers(0, 3, (12, 16)).astype(np.uint8)
    write_polygons(source / "a.json", labels, classes, name="a.png")
    report, found = imported("coco", source, tmp_path / "new", split="val")
    assert report.info.class_map.names == classes.names
    np.testing.assert_array_equal(found["a"], labels)


def refusal(kind, root, target, **options):
    with pytest.raises((DataError, UsageError)) as error:
        import_dataset(kind, root, target, split="train", **options)
    assert not target.exists()
    return str(error.value)


def test_coco_errors(source, tmp_path):
    new = tmp_path / "new"
    assert refusal("coco", source, new) == (
        f"{source}: no JSON with the lists images, annotations and categories is in it; export as "
        "COCO and unpack it there, beside the pictures"
    )
    coco(source, {"segmentation": [SQUARE], "category_id": 9})
    assert refusal("coco", source, new) == (
        "result.json: annotation 1 has category_id 9, which the file does not list; export it again"
    )
    coco(source, {"segmentation": [[1, 1, 2, 2]]})
    assert refusal("coco", source, new) == (
        "result.json: annotation 1: an outline has 2 corners that are numbers, not three or more; "
        "draw it again or take it out"
    )
    coco(source, {"segmentation": [SQUARE]}, image={"file_name": "img/b.png"})
    assert refusal("coco", source, new) == (
        "result.json: picture 'img/b.png' is not below export/; put the pictures there, or take "
        "it out of the annotations"
    )
    coco(source, {"segmentation": [SQUARE]}, image={"height": 24, "width": 32})
    assert refusal("coco", source, new) == (
        "a.png: is 16x12, but was annotated at 32x24 (result.json); put the picture there that was "
        "annotated"
    )
    coco(source, {"segmentation": {"size": [12, 16], "counts": [5, 5]}})
    assert refusal("coco", source, new) == (
        "result.json: the mask of 'dent' on a.png cannot be read (runs add up to 10 pixels of "
        "192); export it again"
    )
    coco(source, {"segmentation": [SQUARE]})
    names = MaskOptions(names=("sound", "scratch"))
    assert refusal("coco", source, new, masks=names) == (
        "result.json: class 'dent' is none of sound, scratch; add it to --names (or --classes), or "
        "rename it in the annotations"
    )
    shutil.copytree(source / "images", source / "more")
    assert refusal("coco", source, new) == (
        "result.json: picture 'a.png' may be images/a.png or more/a.png; keep one of them, or "
        "write the folder into the annotations"
    )
    (source / "result.json").write_text("{")
    assert refusal("coco", source, new).startswith("result.json: not valid JSON (")


def test_names_give_the_order_of_the_classes(source, tmp_path):
    coco(source, {"segmentation": [SQUARE]})
    options = MaskOptions(names=("sound", "scratch", "Dent"), channels=3)
    report, found = imported("coco", source, tmp_path / "new", split="train", masks=options)
    assert report.info.class_map.names == ("sound", "scratch", "Dent")
    assert report.info.channels == 3
    assert found["a"].max() == 2
    assert refusal("coco", source, tmp_path / "b", masks=MaskOptions(binary=True)) == (
        "--binary is for the format folder; leave it out"
    )


def test_cvat_shapes(source, tmp_path):
    (source / "annotations.xml").write_text(
        """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><job><id>1</id><labels>
<label><name>dent</name><color>#fa3253</color><type>any</type><attributes></attributes></label>
<label><name>ignore</name><attributes></attributes></label>
<label><name>rust</name><attributes></attributes></label></labels></job></meta>
<image id="0" name="a.png" width="16" height="12">
<polygon label="dent" source="manual" occluded="0" points="2.00,2.00;8.00,2.00;8.00,6.00;2.00,6.00"
 z_order="1"></polygon>
<box label="rust" source="manual" occluded="0" xtl="0.00" ytl="0.00" xbr="4.00" ybr="4.00"
 z_order="0"></box>
<mask label="rust" source="manual" occluded="0" rle="3, 5, 2" left="9" top="2" width="5" height="2"
 z_order="0"></mask>
<ellipse label="dent" source="manual" occluded="0" cx="10.00" cy="9.00" rx="2.00" ry="1.00"
 rotation="90.0" z_order="0"></ellipse>
<box label="ignore" source="manual" occluded="0" xtl="14.00" ytl="0.00" xbr="16.00" ybr="1.00"
 z_order="0"></box>
<polyline label="dent" source="manual" occluded="0" points="0.00,0.00;9.00,9.00" z_order="0">
</polyline>
</image></annotations>"""
    )
    report, found = imported("cvat", source, tmp_path / "new", split="train")
    assert report.info.class_map.names == ("background", "dent", "rust")
    assert "left out shapes of kind polyline, which have no area: 1" in report.notes
    expected = np.zeros((12, 16), np.uint8)
    expected[:4, :4] = 2
    expected[2, 12:14] = expected[3, 9:12] = 2
    # Turned by a quarter: two pixels across, four down.
    expected[7:11, 9:11] = 1
    expected[2:6, 2:8] = 1
    expected[0, 14:] = 255
    np.testing.assert_array_equal(found["a"], expected)


def test_cvat_errors(source, tmp_path):
    path, new = source / "annotations.xml", tmp_path / "new"
    assert refusal("cvat", source, new) == (
        f"{source}: no annotations.xml of CVAT is in it; export as 'CVAT for images 1.1' and "
        "unpack it there, beside the pictures"
    )
    path.write_text("<annotations><track id='0'/></annotations>")
    assert refusal("cvat", source, new) == (
        "annotations.xml: holds tracks of a video; export as 'CVAT for images 1.1' with its "
        "pictures"
    )
    path.write_text("<annotations><image name='a.png' width='16' height='12'><box label='x'/>")
    assert refusal("cvat", source, new).startswith("annotations.xml: not valid XML (no element")
    path.write_text(
        "<annotations><image name='a.png' width='16' height='12'><box label='x' xtl='a'/></image>"
        "</annotations>"
    )
    assert refusal("cvat", source, new) == (
        "annotations.xml: box 'x' on a.png lacks something or holds what it should not "
        "(ValueError: could not convert string to float: 'a'); export it again"
    )


def labelme(root, *shapes, name="a", **more):
    content = {
        "version": "5.5.0", "flags": {}, "imagePath": "..\\images\\a.png", "imageData": None,
        "imageHeight": 12, "imageWidth": 16, **more,
        "shapes": [{"group_id": None, "flags": {}, **shape} for shape in shapes],
    }  # fmt: skip
    (root / f"{name}.json").write_text(json.dumps(content))


def test_labelme_shapes(source, tmp_path):
    stroke = io.BytesIO()
    Image.fromarray(np.array([[True, False, True]])).save(stroke, format="PNG")
    mask = base64.b64encode(stroke.getvalue()).decode()
    labelme(
        source,
        {"label": "dent", "shape_type": "polygon", "points": [[2, 2], [8, 2], [8, 6], [2, 6]]},
        {"label": "rust", "shape_type": "rectangle", "points": [[5, 5], [3, 3]]},
        {"label": "_background_", "shape_type": "rectangle", "points": [[7, 2], [8, 3]]},
        {"label": "__ignore__", "shape_type": "rectangle", "points": [[0, 0], [1, 1]]},
        {"label": "rust", "shape_type": "circle", "points": [[12, 8], [12, 10]]},
        {"label": "dent", "shape_type": "mask", "points": [[4, 10], [6, 10]], "mask": mask},
        {"label": "dent", "shape_type": "linestrip", "points": [[0, 0], [9, 9]]},
    )
    report, found = imported("labelme", source, tmp_path / "new", split="train")
    assert report.info.class_map.names == ("_background_", "dent", "rust")
    assert report.notes == ("left out shapes of kind linestrip, which have no area: 1",)
    expected = np.zeros((12, 16), np.uint8)
    expected[2:6, 2:8] = 1
    expected[3:5, 3:5] = 2
    expected[2, 7] = 0
    expected[0, 0] = 255
    # Centres within 2 of (12, 8).
    expected[6:10, 11:13] = expected[7:9, 10:14] = 2
    expected[10, [4, 6]] = 1
    np.testing.assert_array_equal(found["a"], expected)


def test_labelme_errors(source, tmp_path):
    new = tmp_path / "new"
    assert "no JSON of LabelMe is in it; give the folder with" in refusal("labelme", source, new)
    labelme(source, {"label": "dent", "points": [[0, 0], [1, 1]]})
    assert refusal("labelme", source, new) == (
        "a.json: shape 1: an outline has 2 corners that are numbers, not three or more; draw it "
        "again or take it out"
    )
    labelme(source, {"shape_type": "circle", "points": [[0, 0], [1, 1]]})
    assert refusal("labelme", source, new) == (
        "a.json: shape 1 lacks something or holds what it should not (KeyError: 'label'); save it "
        "again with LabelMe"
    )
    labelme(source, imagePath="b.png")
    assert refusal("labelme", source, new).startswith("a.json: picture 'b.png' is not below export")
    labelme(source, {"label": "d", "shape_type": "mask", "points": [[0, 0], [1, 1]], "mask": "?"})
    assert refusal("labelme", source, new).startswith(
        "a.json: the mask of 'd' on a.png cannot be read ("
    )
    labelme(source)
    labelme(source, name="b")
    assert refusal("labelme", source, new) == (
        f"{source}: a picture is annotated twice; a.png in a.json and b.json; keep one of them, or "
        "rename a picture"
    )


# Columns 3 to 6 of row 9 of 16x12 pixels, as Label Studio's own converter packs a stroke.
BRUSH = [0, 0, 3, 0, 57, 27, 255, 2, 75, 0, 191, 255, 168, 192, 0]


def studio(root, *regions, **task):
    results = [
        {"original_width": 16, "original_height": 12, "image_rotation": 0, **region}
        for region in regions
    ]
    content = {
        "id": 5,
        "file_upload": "1a2b3c4d-a.png",
        "data": {"image": "/data/upload/1/1a2b3c4d-a.png"},
        "annotations": [
            {"id": 1, "was_cancelled": False, "result": []},
            {"id": 2, "was_cancelled": False, "result": results},
            {"id": 3, "was_cancelled": True, "result": []},
        ],
        "predictions": [],
        **task,
    }
    unseen = {"id": 6, "data": {"image": "/data/upload/1/b.png"}, "annotations": []}
    (root / "project-1.json").write_text(json.dumps([content, unseen]))


def region(kind, name, **value):
    return {"type": f"{kind}labels", "value": {f"{kind}labels": [name], **value}}


def test_label_studio_regions(source, tmp_path):
    studio(
        source,
        region("polygon", "dent", points=[[12.5, 25], [50, 25], [50, 50], [12.5, 50]], closed=True),
        # Turned by a quarter around its upper left corner: from there to the left and down.
        region("rectangle", "rust", x=100, y=0, width=25, height=16.6667, rotation=90),
        region("ellipse", "rust", x=75, y=75, radiusX=6.25, radiusY=8.3334, rotation=0),
        region("brush", "dent", format="rle", rle=BRUSH),
        {"type": "labels", "value": {"labels": ["rust"], "x": 0, "y": 0, "width": 6.25,
                                     "height": 8.3334}},
        {"type": "choices", "value": {"choices": ["bad"]}},
    )  # fmt: skip
    report, found = imported("labelstudio", source, tmp_path / "new", split="train")
    assert report.info.class_map.names == ("background", "dent", "rust")
    assert report.notes == (
        "left out pictures that nobody annotated: 1",
        "left out regions of kind choices, which have no area: 1",
    )
    expected = np.zeros((12, 16), np.uint8)
    expected[3:6, 2:8] = 1
    expected[:4, 14:] = 2
    expected[8:10, 11:13] = 2
    expected[9, 3:7] = 1
    expected[0, 0] = 2
    np.testing.assert_array_equal(found["a"], expected)


def test_label_studio_with_classes_apart_from_tools(source, tmp_path):
    points = {"points": [[12.5, 25], [50, 25], [50, 50], [12.5, 50]], "closed": True}
    studio(
        source,
        {"id": "r1", "type": "polygon", "value": points},
        {"id": "r1", "type": "labels", "value": {**points, "labels": ["dent"]}},
    )
    report, found = imported("labelstudio", source, tmp_path / "new", split="train")
    assert report.notes == ("left out pictures that nobody annotated: 1",)
    assert int(found["a"].sum()) == 18


def test_label_studio_errors(source, tmp_path):
    new = tmp_path / "new"
    message = refusal("labelstudio", source, new)
    assert "export as JSON (not JSON-MIN) and put the file there, beside the pictures" in message
    studio(source, {**region("rectangle", "d", x=0, y=0, width=1, height=1), "image_rotation": 90})
    assert refusal("labelstudio", source, new) == (
        "project-1.json: task 5: its picture was turned by 90 degrees; turn the picture's file and "
        "annotate that"
    )
    studio(source, region("rectangle", "d", x=0, y=0, width=1))
    assert refusal("labelstudio", source, new) == (
        "project-1.json: task 5 lacks something or holds what it should not (KeyError: 'height'); "
        "export it again"
    )
    studio(source, region("brush", "d", format="rle", rle=[0, 0, 0, 9]))
    assert refusal("labelstudio", source, new) == (
        "project-1.json: the mask of 'd' on a.png cannot be read (is cut off); export it again"
    )
    studio(source, file_upload="x.png", data={"image": "/data/local-files/?d=photos/c.png"})
    assert refusal("labelstudio", source, new).startswith(
        "project-1.json: picture 'c.png' is not below export/"
    )


@pytest.fixture
def voc(tmp_path):
    root = tmp_path / "voc"
    shutil.copytree(FORMATS / "voc", root)
    return root


def test_voc_without_a_map_of_labels(voc, tmp_path):
    (voc / "labelmap.txt").unlink()
    labels = np.zeros((12, 16), np.uint8)
    labels[:2], labels[2:4], labels[4] = 1, 20, 255
    palette = Image.fromarray(labels)
    # VOC's own palette, as far as it matters here.
    colors = np.zeros((256, 3), np.uint8)
    colors[1], colors[20], colors[255] = (128, 0, 0), (0, 64, 128), (224, 224, 192)
    palette.putpalette(colors.ravel().tolist())
    for path in (voc / "SegmentationClass").rglob("*.png"):
        palette.save(path)
    report, found = imported("voc", voc, tmp_path / "new")
    assert len(report.info.class_map) == 21
    assert report.info.class_map.names[20] == "tvmonitor"
    np.testing.assert_array_equal(found["line1/cap1"], labels)


def test_voc_with_grey_masks(voc, tmp_path):
    labels = np.zeros((12, 16), np.uint8)
    labels[:2], labels[4] = 1, 255
    for path in (voc / "SegmentationClass").rglob("*.png"):
        Image.fromarray(labels).save(path)
    _, found = imported("voc", voc, tmp_path / "new")
    np.testing.assert_array_equal(found["line1/cap1"], labels)
    for path in (voc / "SegmentationClass").rglob("*.png"):
        Image.fromarray(labels.astype(np.uint16) * 256).save(path)
    assert refusal("voc", voc, tmp_path / "wide").endswith(
        "holds grey values up to 65280, which are neither labels nor colours; save the mask as "
        "8-bit PNG"
    )
    (voc / "labelmap.txt").write_bytes(b"t\xfcr:0,0,0::\n")
    assert "labelmap.txt: is not UTF-8" in refusal("voc", voc, tmp_path / "latin")


def test_voc_errors(voc, tmp_path):
    new = tmp_path / "new"
    shutil.copy(voc / "JPEGImages/line1/cap0.jpg", voc / "JPEGImages/extra.jpg")
    report, _ = imported("voc", voc, tmp_path / "fine")
    assert report.notes[0] == "left out pictures without a mask in SegmentationClass/: 1"
    (voc / "labelmap.txt").write_text("background:0,0,0::\ndent:250,50::\n")
    assert refusal("voc", voc, new) == (
        "labelmap.txt: 'dent:250,50::' has no colour of three numbers up to 255; write "
        "name:red,green,blue::"
    )
    (voc / "labelmap.txt").write_text("background:0,0,0::\ndent:250,50,83::\n")
    assert refusal("voc", voc, new).startswith("cap0.png: 1 colours belong to no class (first #2a")
    (voc / "SegmentationClass/line1/cap2.png").unlink()
    assert refusal("voc", voc, new) == (
        "val.txt: 'line1/cap2' has no mask SegmentationClass/line1/cap2.png; add it or take the "
        "line out"
    )
    (voc / "JPEGImages/line1/cap0.jpg").unlink()
    (voc / "ImageSets/Segmentation/val.txt").unlink()
    assert refusal("voc", voc, new) == (
        "SegmentationClass/line1/cap0.png: no picture JPEGImages/line1/cap0.*; add it or take the "
        "mask away"
    )
    assert refusal("voc", voc, new, masks=MaskOptions(names=("a",))) == (
        "voc names its own classes; leave --classes, --names and --binary out"
    )
    shutil.rmtree(voc / "JPEGImages")
    assert "JPEGImages/ and SegmentationClass/ are not both here" in refusal("voc", voc, new)


def test_cityscapes_without_a_list_of_classes(tmp_path):
    root = tmp_path / "cityscapes"
    shutil.copytree(FORMATS / "cityscapes", root)
    (root / "label_colors.txt").unlink()
    labels = np.full((12, 16), 4, np.uint8)
    labels[:2], labels[2:4], labels[4] = 7, 33, 255
    for path in root.rglob("*_labelIds.png"):
        Image.fromarray(labels).save(path)
    report, found = imported("cityscapes", root, tmp_path / "new")
    assert len(report.info.class_map) == 19
    expected = np.full((12, 16), 255, np.uint8)
    expected[:2], expected[2:4] = 0, 18
    np.testing.assert_array_equal(found["line1/cap2"], expected)
    labels[0, 0] = 40
    Image.fromarray(labels).save(next(root.rglob("cap0*_labelIds.png")))
    assert refusal("cityscapes", root, tmp_path / "b") == (
        "cap0_gtFine_labelIds.png: holds the id 40, which no class has; add the class to "
        "label_colors.txt or export again"
    )
    next(root.rglob("cap0_leftImg8bit.png")).unlink()
    assert refusal("cityscapes", root, tmp_path / "b") == (
        "gtFine/train/line1/cap0_gtFine_labelIds.png: no picture "
        "leftImg8bit/train/line1/cap0_leftImg8bit.*; add it or take the mask away"
    )
    shutil.rmtree(root / "gtFine")
    assert "leftImg8bit/ and gtFine/ are not both here" in refusal(
        "cityscapes", root, tmp_path / "b"
    )


def test_filling_counts_centres():
    triangle = np.array([(0, 0), (4, 0), (0, 4)], float)
    # Centres on the hypotenuse do not count.
    assert fill([triangle], (4, 4)).sum(axis=1).tolist() == [3, 2, 1, 0]
    hole = rectangle(1, 1, 2, 2)
    assert fill([rectangle(-5, -5, 3, 3), hole], (4, 4)).astype(int).tolist() == [
        [1, 1, 1, 0],
        [1, 0, 1, 0],
        [1, 1, 1, 0],
        [0, 0, 0, 0],
    ]
    assert fill([ellipse(2, 2, 2, 2)], (4, 4)).sum() == 12
    np.testing.assert_allclose(rectangle(0, 0, 4, 2, turn=90)[0], (3, -1))


def test_neighbours_with_slanted_sides_leave_no_gap(source, tmp_path):
    # A centre lies on each of these sides as decimals say it, and beside it as floats round.
    for x0, x1 in ((31.5, 37.1), (0.3, 41.7), (5.9, 5.5), (12.34, 40.1)):
        size = 42
        left = np.array([(0, 0), (x0, 0), (x1, size), (0, size)])
        right = np.array([(x0, 0), (size, 0), (size, size), (x1, size)])
        Image.fromarray(np.zeros((size, size), np.uint8)).save(source / "images" / "a.png")
        coco(
            source,
            {"segmentation": [left.ravel().tolist()]},
            {"segmentation": [right.ravel().tolist()], "category_id": 7},
            image={"height": size, "width": size},
        )
        _, found = imported("coco", source, tmp_path / f"{x0}", split="train")
        assert set(np.unique(found["a"])) == {1, 2}
        window = fill([right], (size, 20), (0, 22))
        assert np.array_equal(window, found["a"][:, 22:] == 2)


def test_coco_may_be_called_labels(source, tmp_path):
    # As FiftyOne calls it; what Datumaro calls labels_train.json has no areas.
    coco(source, {"segmentation": [SQUARE]})
    (source / "result.json").rename(source / "labels.json")
    (source / "labels_train.json").write_text((source / "labels.json").read_text())
    report, found = imported("coco", source, tmp_path / "new", split="train")
    assert list(found) == ["a"]
    assert report.info.class_map.names == ("background", "dent", "rust")


@pytest.mark.parametrize("value", [None, "x", float("nan"), 1e308, 10**30, {}])
def test_coordinates_that_are_none(source, tmp_path, value):
    new = tmp_path / "new"
    coco(source, {"segmentation": [[1, 1, 5, 1, 5, value]]})
    assert "an outline has 0 corners that are numbers, not three" in refusal("coco", source, new)
    coco(source, {"segmentation": {"size": [12, 16], "counts": [192, value]}})
    assert "the mask of 'dent' on a.png cannot be read (" in refusal("coco", source, new)
    (source / "result.json").unlink()
    labelme(source, {"label": "d", "shape_type": "rectangle", "points": [[0, 0], [1, value]]})
    assert "a.json: shape 1 lacks something or holds" in refusal("labelme", source, new)
    (source / "a.json").unlink()
    studio(source, region("ellipse", "d", x=5, y=value, radiusX=1, radiusY=1))
    assert "task 5 lacks something or holds what it" in refusal("labelstudio", source, new)
    studio(source, region("brush", "d", format="rle", rle=[value]))
    assert "the mask of 'd' on a.png cannot be read (" in refusal("labelstudio", source, new)


def test_run_lengths():
    # Written by pycocotools 2.0.11 for columns 1 and 2 of the second row of 4x3 pixels.
    assert coco_counts("41202") == [4, 1, 2, 1, 4]
    assert runs_to_mask([4, 1, 2, 1, 4], (3, 4), by_column=True).astype(int).tolist() == [
        [0, 0, 0, 0],
        [0, 1, 1, 0],
        [0, 0, 0, 0],
    ]
    with pytest.raises(ValueError, match="runs add up to 3 pixels of 4"):
        runs_to_mask([1, 2], (2, 2), by_column=False)
    with pytest.raises(ValueError, match="is cut off"):
        coco_counts("P")
    with pytest.raises(ValueError, match="holds '!'"):
        coco_counts("!")
    with pytest.raises(ValueError, match="holds no bytes"):
        unpack_brush([300])


# Of pycocotools, which Datumaro paints polygons with.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_formats_of_datumaro(tmp_path):
    pytest.importorskip("datumaro", reason="the extra formats is not installed")
    report, found = imported("datumaro:cvat", FORMATS / "cvat", tmp_path / "new")
    assert report.info.class_map.names == NAMES
    assert report.images == {"train": 2, "val": 1}
    for labels in found.values():
        np.testing.assert_array_equal(labels, sample_truth(polygons=True))
    assert refusal("datumaro:nothing", FORMATS / "cvat", tmp_path / "b").startswith(
        "format is 'datumaro:nothing', which Datumaro does not know; known to it are "
    )
    message = refusal("datumaro:cityscapes", FORMATS / "coco", tmp_path / "b")
    assert "Datumaro cannot read it as cityscapes (" in message


def test_formats_of_datumaro_without_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datumaro", None)
    assert refusal("datumaro:kitti_segmentation", FORMATS / "coco", tmp_path / "b") == (
        "format is 'datumaro:kitti_segmentation' and Datumaro is not installed; install it with "
        "`pip install 'segnet-res[formats]'`"
    )
