"""``segnet-res predict`` from photographs to polygons, report and warnings."""

import dataclasses
import json

import cv2
import numpy as np
import pytest
from PIL import Image

from segnet_res.checkpoint import Checkpoint
from segnet_res.cli import app
from segnet_res.conditions import KnownConditions, measure


@pytest.fixture
def photos(tmp_path):
    """Twelve noisy pictures, one of them in a subfolder, and a file that is none."""
    rng = np.random.default_rng(5)
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    for i in range(12):
        pixels = rng.normal(100, 25, (40, 56)).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / ("sub" if i == 7 else "") / f"{i}.png")
    (folder / "z.png").write_bytes(b"no picture")
    return folder


@pytest.fixture
def knowing_checkpoint(tiny_checkpoint, photos):
    """Knows smoother pictures than those."""
    checkpoint = Checkpoint.load(tiny_checkpoint)
    smooth = [
        measure(cv2.GaussianBlur(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), (0, 0), 1.2))
        for path in photos.glob("?.png")
        if path.name != "z.png"
    ]
    metadata = dataclasses.replace(
        checkpoint.metadata, conditions=KnownConditions.of([*smooth, smooth[0]])
    )
    Checkpoint(metadata, checkpoint.tensors).save(tiny_checkpoint)
    return tiny_checkpoint


def test_polygons_report_and_warnings(runner, knowing_checkpoint, photos, tmp_path):
    target, report = tmp_path / "out", tmp_path / "out" / "report.html"
    spec = tmp_path / "limits.yaml"
    spec.write_text("title: Ring\nclasses: {scratch: {max_count: 0}}")
    options = ["--save", "masks,polygons", "--spec", str(spec), "--html", str(report)]
    options += ["--device", "cpu", "--backend", "torch"]
    result = runner.invoke(
        app, ["predict", str(knowing_checkpoint), str(photos), str(target), *options]
    )
    assert result.exit_code == 1, result.output
    assert "noise is " in result.output
    assert "higher than in 95 % of the training pictures" in result.output

    content = json.loads((target / "polygons.json").read_bytes())
    assert len(content["images"]) == 12
    found = {image["id"]: np.zeros((40, 56), np.uint8) for image in content["images"]}
    for annotation in content["annotations"]:
        canvas = np.zeros((160, 224), np.uint8)
        corners = 4 * np.array(annotation["segmentation"][0], np.int32).reshape(-1, 2)
        cv2.fillPoly(canvas, [corners], 1)
        inside = canvas[2::4, 2::4].astype(bool)
        found[annotation["image_id"]][inside] = annotation["category_id"]
    for image in content["images"]:
        mask = target / "masks" / image["file_name"]
        assert np.array_equal(np.asarray(Image.open(mask)), found[image["id"]])

    rows = [json.loads(line) for line in (target / "manifest.jsonl").read_text().splitlines()]
    notes = {row["path"]: row["notes"] for row in rows if "path" in row}
    assert any(note.startswith("noise ") for note in notes["sub/7.png"])
    text = report.read_text(encoding="utf-8")
    assert "Inspection of Ring" in text
    assert "sub/<wbr>7.png" in text
    assert "not a picture that can be read" in text
    failed = sum(row.get("verdict") == "fail" for row in rows)
    assert failed > 0
    assert text.count("data:image/jpeg;base64,") == failed
