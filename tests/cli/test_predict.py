"""``segnet-res predict``: the same labels as Python, exit codes, and the summary."""

import csv
import shutil

import numpy as np
import pytest
from PIL import Image

from segnet_res.cli import app
from segnet_res.images import read_image
from segnet_res.inference import Segmenter


def labels(path):
    with Image.open(path) as image:
        assert image.mode == "L"
        return np.array(image)


def test_command_and_python_agree(runner, tiny_checkpoint, tiny_dataset, tmp_path):
    source, target = tiny_dataset / "images", tmp_path / "out"
    result = runner.invoke(app, ["predict", str(tiny_checkpoint), str(source), str(target)])
    assert result.exit_code == 0
    assert result.stdout == f"4 pictures: 4 segmented; results are in {target}\n"
    segmenter = Segmenter.from_checkpoint(tiny_checkpoint)
    for path in source.rglob("*.png"):
        mask = labels(target / "masks" / path.relative_to(source))
        expected = segmenter.predict(read_image(path, 3)).labels
        np.testing.assert_array_equal(mask, expected)


def test_overlays_confidence_and_report(runner, tiny_checkpoint, tiny_dataset, tmp_path):
    source, target = tiny_dataset / "images", tmp_path / "out"
    report = target / "report.csv"
    words = ["predict", str(tiny_checkpoint), str(source), str(target), "--report", str(report)]
    result = runner.invoke(app, [*words, "--save", "masks, overlays,confidence"])
    assert result.exit_code == 0
    assert (target / "overlays/nested/c.jpg").exists()
    assert (target / "confidence/nested/c.png").exists()
    with report.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == ["a.png", "b.png", "d.png", "nested/c.png"]
    assert float(rows[0]["share sound"]) + float(rows[0]["share scratch"]) == pytest.approx(1)


def test_the_mask_does_not_depend_on_what_else_is_saved(runner, tiny_checkpoint, tmp_path):
    rng = np.random.default_rng(3)
    path = tmp_path / "colour.png"
    Image.fromarray(rng.integers(0, 256, (40, 50, 3)).astype(np.uint8)).save(path)
    masks = []
    for kinds in ("masks", "masks,overlays"):
        target = tmp_path / kinds
        words = ["predict", str(tiny_checkpoint), str(path), str(target), "--save", kinds]
        assert runner.invoke(app, words).exit_code == 0
        masks.append(labels(target / "masks/colour.png"))
    np.testing.assert_array_equal(*masks)


def test_a_bad_picture_is_named_and_the_exit_code_is_1(
    runner, tiny_checkpoint, tiny_dataset, tmp_path
):
    (tiny_dataset / "images/nested/bad[1].png").write_bytes(b"")
    target = tmp_path / "out"
    words = ["predict", str(tiny_checkpoint), str(tiny_dataset / "images"), str(target)]
    result = runner.invoke(app, words)
    assert result.exit_code == 1
    assert result.stderr == (
        "skipped nested/bad[1].png: the file is empty (0 bytes); copy it again\n"
    )
    assert result.stdout == f"5 pictures: 4 segmented, 1 failed; results are in {target}\n"
    again = runner.invoke(app, words)
    assert again.exit_code == 1
    assert again.stdout == (
        "5 pictures: 0 segmented, 4 were there already (--overwrite makes them again), "
        f"1 failed; results are in {target}\n"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere", "out"], "error: nowhere: no such file or folder; give a picture"),
        (["empty", "out"], "error: empty: no pictures in this folder; give a folder with"),
        (["in", "in"], "error: in: source and target are the same folder; give another"),
        (["in", "out", "--report", "r.txt"], "error: r.txt: a report ends in .csv or .jsonl; "),
        (["in", "out", "--save", "mask"], "error: save is mask; choose from masks, colors"),
        (["in", "out", "--tile", "100"], "error: tile is 100; give a multiple of 32"),
        (["in", "out", "--backend", "x"], "error: backend 'x' is unknown; choose auto, torch"),
        (["in", "out", "--device", "tpu"], "error: device 'tpu' is unknown; choose auto, cpu,"),
    ],
)
def test_unusable_input(
    runner, tiny_checkpoint, tiny_dataset, tmp_path, monkeypatch, words, message
):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_dataset / "images", tmp_path / "in")
    (tmp_path / "empty").mkdir()
    result = runner.invoke(app, ["predict", str(tiny_checkpoint), *words])
    assert result.exit_code == 2
    assert result.stderr.startswith(message)
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_no_checkpoint(runner, tiny_dataset, tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"nothing of the kind")
    words = ["predict", str(path), str(tiny_dataset / "images"), str(tmp_path / "out")]
    result = runner.invoke(app, words)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: x.safetensors: not a checkpoint")


def test_ctrl_c_keeps_what_is_finished(
    runner, tiny_checkpoint, tiny_dataset, tmp_path, monkeypatch
):
    predict = Segmenter.predict
    seen = []

    def interrupted(self, image):
        seen.append(image)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return predict(self, image)

    monkeypatch.setattr(Segmenter, "predict", interrupted)
    words = ["predict", str(tiny_checkpoint), str(tiny_dataset / "images"), str(tmp_path / "out")]
    result = runner.invoke(app, words)
    assert (result.exit_code, result.stderr) == (130, "stopped by Ctrl-C\n")
    assert sorted(p.name for p in (tmp_path / "out/masks").rglob("*")) == ["a.png", "b.png"]
