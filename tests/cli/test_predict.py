"""``segnet-res predict``: the same labels as Python, exit codes, and the summary."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time

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


def predict(runner, checkpoint, source, target, *options):
    return runner.invoke(app, ["predict", str(checkpoint), str(source), str(target), *options])


def test_parts_that_fail_the_limits(runner, tiny_checkpoint, tiny_dataset, tmp_path):
    source, target = tiny_dataset / "images", tmp_path / "out"
    strict, loose = tmp_path / "strict.yaml", tmp_path / "loose.yaml"
    strict.write_text("classes: {scratch: {max_total_area: 0 px}}")
    loose.write_text("classes: {scratch: {max_total_area: 1000000 px}}")
    result = predict(runner, tiny_checkpoint, source, target, "--spec", str(loose))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        f"4 pictures: 4 segmented, 4 pass, 0 fail the limits; results are in {target}\n"
    )
    found = [labels(path).max() > 0 for path in sorted((target / "masks").rglob("*.png"))]
    assert any(found)
    options = ["--spec", str(strict), "--report", str(target / "r.jsonl")]
    result = predict(runner, tiny_checkpoint, source, target, *options)
    assert result.exit_code == 1
    assert result.stdout == (
        f"4 pictures: 0 segmented, 4 done from their masks, {4 - sum(found)} pass, {sum(found)} "
        f"fail the limits; results are in {target}\n"
    )
    assert result.stderr.count("scratch: the regions together are") == sum(found)
    rows = [json.loads(line) for line in (target / "r.jsonl").read_text().splitlines()]
    assert [row["verdict"] for row in rows].count("fail") == sum(found)
    # Nothing was segmented for that, and what fails still fails.
    result = predict(runner, tiny_checkpoint, source, target, *options)
    assert result.exit_code == 1
    assert "0 segmented, 4 were there already" in result.stdout
    broken = tmp_path / "broken.yaml"
    broken.write_text("classes: {dent: {max_count: 0}}")
    result = predict(runner, tiny_checkpoint, source, target, "--spec", str(broken))
    assert result.exit_code == 2
    assert "no class is called 'dent'" in result.stderr


def test_quiet_tells_failures_alone(runner, tiny_checkpoint, tiny_dataset, tmp_path):
    source = tiny_dataset / "images"
    result = predict(runner, tiny_checkpoint, source, tmp_path / "out", "--quiet")
    assert (result.exit_code, result.output) == (0, "")
    (source / "bad.png").write_bytes(b"")
    result = predict(runner, tiny_checkpoint, source, tmp_path / "out", "--quiet")
    assert result.exit_code == 1
    assert result.output == "skipped bad.png: the file is empty (0 bytes); copy it again\n"


def test_a_glob_a_list_and_what_was_changed_by_hand(
    runner, tiny_checkpoint, tiny_dataset, tmp_path
):
    source, target = tiny_dataset / "images", tmp_path / "out"
    assert predict(runner, tiny_checkpoint, source / "?.png", target).exit_code == 0
    assert sorted(p.name for p in (target / "masks").iterdir()) == ["a.png", "b.png", "d.png"]
    (tmp_path / "list.txt").write_text(f"{source}/nested/c.png\n")
    assert predict(runner, tiny_checkpoint, tmp_path / "list.txt", target).exit_code == 0
    Image.fromarray(np.zeros((32, 32), np.uint8)).save(target / "masks/a.png")
    result = predict(runner, tiny_checkpoint, source / "*.png", target)
    assert result.stderr == (
        "kept masks/a.png: made or changed by hand (--overwrite makes it again)\n"
    )
    assert "1 result by hand kept" in result.stdout
    assert labels(target / "masks/a.png").max() == 0


def test_mirror_images_and_a_word_that_is_none(runner, tiny_checkpoint, tiny_dataset, tmp_path):
    source, target = tiny_dataset / "images/b.png", tmp_path / "out"
    assert predict(runner, tiny_checkpoint, source, target, "--tta", "flips").exit_code == 0
    expected = Segmenter.from_checkpoint(tiny_checkpoint, flips=True).predict(read_image(source, 1))
    np.testing.assert_array_equal(labels(target / "masks/b.png"), expected.labels)
    result = predict(runner, tiny_checkpoint, source, target, "--tta", "rotate")
    assert (result.exit_code, result.stderr) == (
        2, "error: tta is rotate; choose none or flips\n",
    )  # fmt: skip


def test_every_kind_and_the_page(runner, tiny_checkpoint, tiny_dataset, tmp_path):
    target = tmp_path / "out"
    kinds = "masks,colors,overlays,confidence,polygons"
    options = ["--save", kinds, "--html", str(target / "report.html")]
    result = predict(runner, tiny_checkpoint, tiny_dataset / "images", target, *options)
    assert result.exit_code == 0, result.output
    assert {path.parts[0] for path in map(lambda p: p.relative_to(target), target.iterdir())} == {
        *kinds.split(","), "manifest.jsonl", "polygons.json", "report.html",
    }  # fmt: skip
    assert len(json.loads((target / "polygons.json").read_text())["images"]) == 4
    assert "nested/c.png" in (target / "report.html").read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_hot_folder_until_somebody_ends_it(tiny_checkpoint, tiny_dataset, tmp_path, number):
    source, target = tiny_dataset / "images", tmp_path / "out"
    command = [sys.executable, "-m", "segnet_res", "predict", str(tiny_checkpoint), str(source)]
    options = ["--watch", "--backend", "torch", "--report", str(target / "r.csv")]
    with subprocess.Popen(
        [*command, str(target), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr.readline() == f"watching {source}; Ctrl-C ends it\n"
        wait_for(target / "masks/nested/c.png", process)
        shutil.copy(source / "a.png", source / "late.png")
        wait_for(target / "masks/late.png", process)
        # The report is written again once the picture is counted; the mask is there before.
        report = target / "r.csv"
        wait_until(lambda: report.exists() and "late.png" in report.read_text(), process)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert out == f"5 pictures: 5 segmented; results are in {target}\n"
    assert report.read_text().count("\n") == 6
    assert not [path for path in target.rglob(".*")]


def test_a_hot_folder_that_is_ended_before_it_begins(
    runner, tiny_checkpoint, tiny_dataset, tmp_path, monkeypatch
):
    def ended_meanwhile(*_, on_begin, **__):
        on_begin()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)

    monkeypatch.setattr("segnet_res.inference.automatic.prepare_backend", ended_meanwhile)
    before = signal.getsignal(signal.SIGTERM)
    result = predict(runner, tiny_checkpoint, tiny_dataset / "images", tmp_path / "out", "--watch")
    assert result.exit_code == 0, result.output
    assert result.stderr.startswith("finding the fastest backend for this checkpoint, once")
    assert result.stdout.startswith("0 pictures: 0 segmented")
    assert signal.getsignal(signal.SIGTERM) == before


def wait_for(path, process):
    wait_until(path.exists, process)


def wait_until(true, process):
    end = time.monotonic() + 60
    while not true():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
