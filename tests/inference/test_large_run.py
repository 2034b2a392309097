"""A folder with small and large pictures: the same results, and the same manifest."""

import json

import numpy as np
import pytest
from PIL import Image

from segnet_res.inference import FolderRun, large
from segnet_res.inference.outputs import KINDS
from tests.inference.conftest import make_segmenter

# More pixels than this are large in these tests.
LIMIT = 1000
SIZES = {
    "a.png": (20, 30),
    "b.png": (60, 70),
    "c.png": (90, 40),
    "d.jpg": (31, 31),
    "e.png": (9, 9),
}
# Differ from run to run.
TIMES = {"seconds", "time"}


@pytest.fixture
def source(tmp_path):
    rng = np.random.default_rng(3)
    for name, (height, width) in SIZES.items():
        blotches = rng.integers(0, 256, (height // 5 + 1, width // 5 + 1, 3), np.uint8)
        grown = blotches.repeat(5, axis=0).repeat(5, axis=1)[:height, :width]
        (tmp_path / "in").mkdir(exist_ok=True)
        Image.fromarray(grown).save(tmp_path / "in" / name)
    return tmp_path / "in"


def rows(target):
    lines = [json.loads(line) for line in (target / "manifest.jsonl").read_text().splitlines()]
    return {
        line["path"]: {key: value for key, value in line.items() if key not in TIMES}
        for line in lines
        if "run" not in line
    }


def results(source, target, **options):
    run = FolderRun(source, target, save=tuple(KINDS), threshold=0.6, min_region=3, **options)
    return list(run.results(make_segmenter()))


def test_large_pictures_of_a_run_end_like_all_others(source, tmp_path, monkeypatch):
    results(source, tmp_path / "ordinary")
    called = []
    ours = large.predict_large
    monkeypatch.setattr(large, "_MOST_PIXELS", LIMIT)
    monkeypatch.setattr(
        "segnet_res.inference.stages.predict_large",
        lambda *args, **options: called.append(options["name"]) or ours(*args, **options),
    )
    found = results(source, tmp_path / "large")
    assert called == ["b.png", "c.png"]
    assert sorted(result.name for result in found) == sorted(SIZES)
    assert all(result.error is None for result in found)
    # Sizes, pixels, regions, conditions, and the hash of every output.
    assert rows(tmp_path / "large") == rows(tmp_path / "ordinary")


def test_a_rerun_keeps_large_pictures_and_repairs_their_results(source, tmp_path, monkeypatch):
    monkeypatch.setattr(large, "_MOST_PIXELS", LIMIT)
    target = tmp_path / "out"
    results(source, target)
    before = rows(target)
    assert all(result.kept for result in results(source, target))
    (target / "masks" / "b.png").unlink()
    (target / "overlays" / "c.jpg").unlink()
    again = {result.name: result.kept for result in results(source, target)}
    assert again == {name: name not in ("b.png", "c.png") for name in SIZES}
    assert rows(target) == before


def test_a_damaged_large_picture_is_named_and_the_rest_goes_on(source, tmp_path, monkeypatch):
    monkeypatch.setattr(large, "_MOST_PIXELS", LIMIT)
    path = source / "b.png"
    path.write_bytes(path.read_bytes()[:150])
    target = tmp_path / "out"
    found = {result.name: result for result in results(source, target)}
    assert found["b.png"].error.startswith("the file is damaged (")
    assert [name for name, result in found.items() if result.error] == ["b.png"]
    left = sorted(file.name for file in target.rglob("*b.*"))
    assert not left
