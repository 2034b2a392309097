"""Runs over folders: every picture named, none lost, nothing of the user's touched."""

import csv
import errno
import json
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from segnet_res.classes import ClassMap
from segnet_res.errors import DeviceError, StorageError, UsageError
from segnet_res.inference import FolderRun, Segmenter, folder, predict_folder

CLASSES = ClassMap.from_names(["sound", "scratch"])


class Threshold(nn.Module):
    """Calls a pixel class 1 where it is above 100; counts its calls."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, images):
        self.calls += 1
        bright = (images[:, :1].float() - 100) / 10
        return torch.cat([-bright, bright], dim=1)


@pytest.fixture
def segmenter():
    return Segmenter.of_model(Threshold(), CLASSES, channels=1, device=torch.device("cpu"))


@pytest.fixture
def source(tmp_path):
    root = tmp_path / "in"
    rng = np.random.default_rng(0)
    for name, size in {"a.png": (20, 30), "b.jpg": (16, 16), "sub/c.png": (1, 1)}.items():
        save(root / name, rng.integers(0, 256, size).astype(np.uint8))
    return root


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def mask(path):
    with Image.open(path) as image:
        assert image.mode == "L"
        return np.array(image)


def names(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def huge_header():
    """A PNG whose header claims 100000 by 100000 pixels and that holds next to nothing."""

    def chunk(kind, content):
        return (
            struct.pack(">I", len(content))
            + kind
            + content
            + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0"))
        + chunk(b"IEND", b"")
    )


def test_masks_of_a_folder(segmenter, source, tmp_path):
    results = list(predict_folder(segmenter, source, tmp_path / "out"))
    assert [result.name for result in results] == ["a.png", "b.jpg", "sub/c.png"]
    assert names(tmp_path / "out") == ["masks/a.png", "masks/b.png", "masks/sub/c.png"]
    with Image.open(source / "a.png") as image:
        picture = np.array(image)
    np.testing.assert_array_equal(mask(tmp_path / "out/masks/a.png"), picture > 100)
    assert results[0].shares["scratch"] == pytest.approx((picture > 100).mean(), abs=1e-6)
    assert sum(results[0].shares.values()) == pytest.approx(1)


def test_all_kinds(segmenter, source, tmp_path):
    kinds = ("masks", "overlays", "confidence")
    list(predict_folder(segmenter, source / "a.png", tmp_path / "out", save=kinds))
    assert names(tmp_path / "out") == ["confidence/a.png", "masks/a.png", "overlays/a.jpg"]
    assert mask(tmp_path / "out/confidence/a.png").min() >= 127
    with Image.open(tmp_path / "out/overlays/a.jpg") as image:
        assert (image.mode, image.size) == ("RGB", (30, 20))


def test_pictures_that_differ_by_suffix_both_keep_it(segmenter, tmp_path):
    for name in ("a.png", "a.bmp", "a.bmp.png"):
        save(tmp_path / "in" / name, np.zeros((2, 2), np.uint8))
    list(predict_folder(segmenter, tmp_path / "in", tmp_path / "out"))
    assert names(tmp_path / "out/masks") == ["a.bmp.png", "a.bmp.png.png", "a.png.png"]


def test_bad_pictures_are_named_and_skipped(segmenter, source, tmp_path):
    data = (source / "a.png").read_bytes()
    (source / "cut.png").write_bytes(data[: len(data) // 2])
    (source / "empty.jpg").write_bytes(b"")
    (source / "huge.png").write_bytes(huge_header())
    (source / "text.png").write_text("not a picture")
    (source / "really-png.jpg").write_bytes(data)
    save(source / "deep.png", np.full((5, 4), 60_000, np.uint16))
    results = {r.name: r for r in predict_folder(segmenter, source, tmp_path / "out")}
    failed = {name: r.error for name, r in results.items() if r.error}
    assert sorted(failed) == ["cut.png", "empty.jpg", "huge.png", "text.png"]
    assert "the file is damaged" in failed["cut.png"]
    assert failed["empty.jpg"].startswith("the file is empty (0 bytes); ")
    assert failed["huge.png"].startswith("the picture is 100000x100000, more than 400 million")
    assert failed["text.png"].startswith("not a picture that can be read; ")
    assert mask(tmp_path / "out/masks/deep.png").tolist() == [[1] * 4] * 5
    assert len(names(tmp_path / "out")) == 5


def test_memory_that_runs_out_skips_one_picture(segmenter, source, tmp_path, monkeypatch):
    predict = segmenter.predict

    def small_only(image):
        if image.size > 300:
            raise DeviceError("cuda: memory ran out on 30x20 pixels; use smaller tiles")
        return predict(image)

    monkeypatch.setattr(segmenter, "predict", small_only)
    results = list(predict_folder(segmenter, source, tmp_path / "out"))
    assert [bool(r.error) for r in results] == [True, False, False]
    assert "use smaller tiles" in results[0].error


def test_a_second_run_keeps_what_is_there(segmenter, source, tmp_path):
    list(predict_folder(segmenter, source, tmp_path / "out"))
    corrected = np.ones((20, 30), np.uint8)
    save(tmp_path / "out/masks/a.png", corrected)
    (tmp_path / "out/masks/b.png").unlink()
    segmenter.runtime.model.calls = 0
    results = list(predict_folder(segmenter, source, tmp_path / "out"))
    assert {r.name: r.kept for r in results} == {"a.png": True, "b.jpg": False, "sub/c.png": True}
    assert segmenter.runtime.model.calls == 1
    np.testing.assert_array_equal(mask(tmp_path / "out/masks/a.png"), corrected)


def test_a_missing_overlay_is_added_and_the_mask_stays(segmenter, source, tmp_path):
    list(predict_folder(segmenter, source, tmp_path / "out"))
    corrected = np.ones((20, 30), np.uint8)
    save(tmp_path / "out/masks/a.png", corrected)
    list(predict_folder(segmenter, source, tmp_path / "out", save=("masks", "overlays")))
    np.testing.assert_array_equal(mask(tmp_path / "out/masks/a.png"), corrected)
    assert (tmp_path / "out/overlays/a.jpg").exists()


def test_overwrite(segmenter, source, tmp_path):
    save(tmp_path / "out/masks/a.png", np.full((20, 30), 7, np.uint8))
    results = list(predict_folder(segmenter, source, tmp_path / "out", overwrite=True))
    assert not any(r.kept for r in results)
    assert mask(tmp_path / "out/masks/a.png").max() <= 1


def read_rows(path):
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_the_report(segmenter, source, tmp_path, suffix):
    (source / "bad.png").write_bytes(b"")
    path = tmp_path / f"report{suffix}"
    list(predict_folder(segmenter, source, tmp_path / "out", report=path))
    rows = {row["path"]: row for row in read_rows(path)}
    assert list(rows) == ["a.png", "b.jpg", "bad.png", "sub/c.png"]
    assert (int(rows["a.png"]["width"]), int(rows["a.png"]["height"])) == (30, 20)
    assert 0.5 <= float(rows["a.png"]["confidence"]) <= 1
    assert float(rows["a.png"]["seconds"]) >= 0
    assert rows["bad.png"]["error"].startswith("the file is empty")
    assert not rows["a.png"]["error"]
    share = rows["a.png"].get("share scratch") or rows["a.png"]["shares"]["scratch"]
    assert float(share) == pytest.approx(mask(tmp_path / "out/masks/a.png").mean(), abs=1e-6)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_an_interrupted_run_is_completed(segmenter, source, tmp_path, suffix):
    (source / "bad.png").write_bytes(b"")
    path = tmp_path / "out" / f"report{suffix}"
    run = predict_folder(segmenter, source, tmp_path / "out", report=path)
    first = next(run)
    run.close()
    # A killed process may leave half a row behind.
    with path.open("a") as file:
        file.write("b.jp")
    save(source / "bad.png", np.zeros((3, 3), np.uint8))
    list(predict_folder(segmenter, source, tmp_path / "out", report=path))
    rows = {row["path"]: row for row in read_rows(path)}
    assert sorted(rows) == ["a.png", "b.jpg", "bad.png", "sub/c.png"]
    assert len(read_rows(path)) == 4
    assert not rows["bad.png"]["error"]
    assert float(rows["a.png"]["confidence"]) == first.confidence
    assert all(row["width"] for row in rows.values())


def test_rows_of_other_sources_stay(segmenter, source, tmp_path):
    path = tmp_path / "report.csv"
    save(tmp_path / "other" / "z.png", np.zeros((2, 2), np.uint8))
    list(predict_folder(segmenter, source, tmp_path / "out", report=path))
    list(predict_folder(segmenter, tmp_path / "other", tmp_path / "out", report=path))
    assert [row["path"] for row in read_rows(path)] == ["a.png", "b.jpg", "sub/c.png", "z.png"]


@pytest.mark.parametrize("name", ["r.csv", "r.jsonl"])
def test_a_report_that_is_something_else_stays(segmenter, source, tmp_path, name):
    path = tmp_path / name
    path.write_text("my,own,table\n1,2,3\n")
    with pytest.raises(StorageError, match="exists and is no report on these classes; give"):
        list(predict_folder(segmenter, source, tmp_path / "out", report=path))
    assert path.read_text() == "my,own,table\n1,2,3\n"


def test_reports_that_cannot_be(segmenter, source, tmp_path):
    target = tmp_path / "out"
    with pytest.raises(UsageError, match=r"r\.xlsx: a report ends in \.csv or \.jsonl; choose"):
        FolderRun(source, target, report=tmp_path / "r.xlsx")
    with pytest.raises(UsageError, match=r"lies among the pictures of .*; put the report into"):
        FolderRun(source, target, report=source / "sub" / "r.csv")
    (tmp_path / "r.csv").mkdir()
    with pytest.raises(StorageError, match="is a folder; give the report another name"):
        FolderRun(source, target, report=tmp_path / "r.csv")
    assert not target.exists()


def test_names_with_brackets_commas_and_other_bytes(segmenter, tmp_path):
    odd = ["part [1], left.png", 'x"y.png', os.fsdecode(b"\xe9.png")]
    for name in odd:
        try:
            save(tmp_path / "in" / name, np.zeros((2, 2), np.uint8))
        except OSError:
            pytest.skip("this file system refuses names that are not UTF-8")
    path = tmp_path / "r.csv"
    list(predict_folder(segmenter, tmp_path / "in", tmp_path / "out", report=path))
    kept = list(predict_folder(segmenter, tmp_path / "in", tmp_path / "out", report=path))
    assert all(result.kept for result in kept)
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        assert sorted(row["path"] for row in csv.DictReader(file)) == sorted(odd)


def test_a_full_disk_ends_the_run_and_keeps_what_is_finished(
    segmenter, source, tmp_path, monkeypatch
):
    write = folder.write_mask

    def full_after_one(path, labels):
        if path.name != "a.png":
            cause = OSError(errno.ENOSPC, "No space left on device")
            raise StorageError(f"{path}: cannot be written (No space left on device)") from cause
        write(path, labels)

    monkeypatch.setattr(folder, "write_mask", full_after_one)
    with pytest.raises(StorageError, match="No space left on device"):
        list(predict_folder(segmenter, source, tmp_path / "out"))
    assert names(tmp_path / "out") == ["masks/a.png"]


def test_a_name_that_is_too_long_is_one_failure(segmenter, source, tmp_path, monkeypatch):
    write = folder.write_mask

    def too_long(path, labels):
        if path.name == "a.png":
            cause = OSError(errno.ENAMETOOLONG, "File name too long")
            raise StorageError(f"{path}: cannot be written (File name too long)") from cause
        write(path, labels)

    monkeypatch.setattr(folder, "write_mask", too_long)
    results = list(predict_folder(segmenter, source, tmp_path / "out"))
    assert [bool(r.error) for r in results] == [True, False, False]


def test_a_result_that_appears_meanwhile_is_not_replaced(segmenter, source, tmp_path):
    run = FolderRun(source, tmp_path / "out")
    predict = segmenter.predict

    def slow(image):
        save(tmp_path / "out/masks/a.png", np.full((20, 30), 9, np.uint8))
        return predict(image)

    segmenter.predict = slow
    results = list(run.results(segmenter))
    assert "has appeared meanwhile; another run, or a name" in results[0].error
    assert mask(tmp_path / "out/masks/a.png").max() == 9


def test_the_source_is_not_touched(segmenter, source, tmp_path):
    before = {name: (source / name).read_bytes() for name in names(source)}
    list(predict_folder(segmenter, source, tmp_path / "out", save=("masks", "overlays")))
    assert {name: (source / name).read_bytes() for name in names(source)} == before


def test_an_earlier_mask_that_is_damaged_is_named(segmenter, source, tmp_path):
    list(predict_folder(segmenter, source, tmp_path / "out"))
    Path(tmp_path / "out/masks/a.png").write_bytes(b"")
    path = tmp_path / "r.csv"
    first = next(predict_folder(segmenter, source, tmp_path / "out", report=path))
    assert first.error.startswith("its earlier mask cannot be read (a.png: the file is empty")
