"""Runs over folders: every picture named, none lost, nothing of the user's touched."""

import csv
import errno
import json
import os
import struct
import weakref
import zlib

import numpy as np
import pytest
from PIL import Image

from segnet_res.errors import DeviceError, StorageError, UsageError
from segnet_res.inference import FolderRun, predict_folder
from segnet_res.inference.outputs import Kind
from segnet_res.inference.report import write_report
from tests.inference.conftest import make_segmenter, mask, names, run, save


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
    assert names(tmp_path / "out") == [
        "manifest.jsonl",
        "masks/a.png",
        "masks/b.png",
        "masks/sub/c.png",
    ]
    with Image.open(source / "a.png") as image:
        picture = np.array(image)
    np.testing.assert_array_equal(mask(tmp_path / "out/masks/a.png"), picture > 100)
    assert results[0].shares["scratch"] == pytest.approx((picture > 100).mean(), abs=1e-6)
    assert sum(results[0].shares.values()) == pytest.approx(1)


def test_all_kinds(segmenter, source, tmp_path):
    kinds = ("masks", "overlays", "confidence")
    list(predict_folder(segmenter, source / "a.png", tmp_path / "out", save=kinds))
    assert names(tmp_path / "out") == [
        "confidence/a.png", "manifest.jsonl", "masks/a.png", "overlays/a.jpg",
    ]  # fmt: skip
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
    assert len(names(tmp_path / "out/masks")) == 5


def test_of_several_pages_the_first_is_taken_and_that_is_said(segmenter, tmp_path):
    pages = [Image.fromarray(np.full((3, 4), value, np.uint8)) for value in (200, 0, 0)]
    (tmp_path / "in").mkdir()
    pages[0].save(tmp_path / "in/a.tif", save_all=True, append_images=pages[1:])
    report = tmp_path / "r.csv"
    results = run(segmenter, tmp_path / "in", tmp_path / "out", report=report)
    assert results["a.tif"].record.notes == ("first of 3 pages",)
    assert read_rows(report)[0]["notes"] == "first of 3 pages"
    assert mask(tmp_path / "out/masks/a.png").min() == 1


def test_notes_of_a_picture_are_told_apart_in_the_table(tmp_path):
    path = tmp_path / "r.csv"
    reasons = ["dent: 2 regions, none is allowed.", "dent: the largest region is 9 px."]
    row = {"path": "a.tif", "notes": ["first of 3 pages", "noise 9 is high"], "reasons": reasons}
    write_report(path, [row, {"path": "b.png"}], ["sound"])
    first, second = read_rows(path)
    assert first["notes"] == "first of 3 pages; noise 9 is high"
    assert first["reasons"] == " ".join(reasons)
    assert (second["notes"], second["reasons"]) == ("", "")


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
def test_the_report_of_a_run_that_was_stopped_and_completed(segmenter, source, tmp_path, suffix):
    (source / "bad.png").write_bytes(b"")
    path = tmp_path / "out" / f"report{suffix}"
    stopped = predict_folder(segmenter, source, tmp_path / "out", report=path)
    first = next(stopped)
    stopped.close()
    assert "a.png" in {row["path"] for row in read_rows(path)}
    save(source / "bad.png", np.zeros((3, 3), np.uint8))
    list(predict_folder(segmenter, source, tmp_path / "out", report=path))
    rows = {row["path"]: row for row in read_rows(path)}
    assert list(rows) == ["a.png", "b.jpg", "bad.png", "sub/c.png"]
    assert len(read_rows(path)) == 4
    assert not rows["bad.png"]["error"]
    assert float(rows["a.png"]["confidence"]) == first.record.confidence
    assert all(row["width"] for row in rows.values())


def test_rows_of_other_sources_stay_and_those_of_bad_pictures_that_are_gone_go(
    segmenter, source, tmp_path
):
    path = tmp_path / "report.csv"
    (source / "bad.png").write_bytes(b"")
    save(tmp_path / "other" / "z.png", np.zeros((2, 2), np.uint8))
    run(segmenter, source, tmp_path / "out", report=path)
    (source / "bad.png").unlink()
    run(segmenter, tmp_path / "other", tmp_path / "out", report=path)
    assert [row["path"] for row in read_rows(path)] == ["a.png", "b.jpg", "sub/c.png", "z.png"]


@pytest.mark.parametrize("name", ["r.csv", "r.jsonl", "out/manifest.jsonl"])
def test_a_report_that_is_something_else_stays(segmenter, source, tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("my,own,table\n1,2,3\n")
    with pytest.raises(StorageError, match="exists and is no report of a run; give the report"):
        run(segmenter, source, tmp_path / "out", report=path)
    assert path.read_text() == "my,own,table\n1,2,3\n"


def test_reports_that_cannot_be(source, tmp_path):
    target = tmp_path / "out"
    with pytest.raises(UsageError, match=r"r\.xlsx: a report ends in \.csv or \.jsonl; choose"):
        FolderRun(source, target, report=tmp_path / "r.xlsx")
    with pytest.raises(UsageError, match=r"lies among the pictures of .*; put the report into"):
        FolderRun(source, target, report=source / "sub" / "r.csv")
    (tmp_path / "r.csv").mkdir()
    with pytest.raises(StorageError, match="is a folder; give the report another name"):
        FolderRun(source, target, report=tmp_path / "r.csv")
    assert not target.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 1.5}, "threshold is 1.5; give a confidence from 0 to 1"),
        ({"min_region": -1}, "min-region is -1; give 0 or more pixels"),
        ({"batch": 0}, "batch is 0; give 1 or more pictures"),
        ({"workers": 0}, "workers is 0; give 1 or more threads"),
        ({"save": ()}, "save is empty; choose from masks, colors"),
    ],
)
def test_numbers_that_make_no_sense(source, tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        FolderRun(source, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_threshold_and_smallest_region(segmenter, tmp_path):
    # By 10 and 1 grey above the limit: sure, and hardly; a single pixel, and two.
    picture = np.full((3, 6), 50, np.uint8)
    picture[0, 0:2] = 200
    picture[2, 0:2] = 101
    picture[0, 5] = 200
    save(tmp_path / "in/a.png", picture)
    options = {"threshold": 0.9, "min_region": 2}
    (result,) = run(segmenter, tmp_path / "in", tmp_path / "out", **options).values()
    expected = np.zeros((3, 6), np.uint8)
    expected[0, 0:2] = 1
    np.testing.assert_array_equal(mask(tmp_path / "out/masks/a.png"), expected)
    assert result.record.classes["scratch"] == {"pixels": 2, "regions": 1}
    assert result.shares == {"sound": round(16 / 18, 8), "scratch": round(2 / 18, 8)}


def test_pictures_of_one_size_go_through_the_model_together(segmenter, tmp_path):
    rng = np.random.default_rng(1)
    for i, size in enumerate([(4, 6), (5, 5)] * 3 + [(7, 7)]):
        save(tmp_path / f"in/{i}.png", rng.integers(0, 256, size).astype(np.uint8))
    run(segmenter, tmp_path / "in", tmp_path / "out", batch=2)
    assert sorted(segmenter.runtime.seen) == sorted(
        [(2, 4, 6, 1), (1, 4, 6, 1), (2, 5, 5, 1), (1, 5, 5, 1), (1, 7, 7, 1)]
    )
    run(make_segmenter(), tmp_path / "in", tmp_path / "single", batch=1)
    for name in names(tmp_path / "single/masks"):
        alone, together = (tmp_path / t / "masks" / name for t in ("single", "out"))
        assert alone.read_bytes() == together.read_bytes()


def test_a_batch_that_does_not_fit_into_memory_goes_one_by_one(segmenter, tmp_path, monkeypatch):
    for i in range(3):
        save(tmp_path / f"in/{i}.png", np.zeros((4, 4), np.uint8))

    held, alone = [], segmenter.predict

    def too_many(images):
        features = np.zeros(images[0].shape)
        held.append(weakref.ref(features))
        raise DeviceError("cuda: memory ran out on 4x4 pixels; use smaller tiles")

    def predict(image):
        assert held[0]() is None, "what the batch took is still held"
        return alone(image)

    monkeypatch.setattr(segmenter, "predict_batch", too_many)
    monkeypatch.setattr(segmenter, "predict", predict)
    results = run(segmenter, tmp_path / "in", tmp_path / "out", batch=3)
    assert [result.error for result in results.values()] == [None] * 3


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
    write = Kind.write

    def full_after_one(self, path, *arguments, name):
        if name != "a.png":
            cause = OSError(errno.ENOSPC, "No space left on device")
            raise StorageError(f"{path}: cannot be written (No space left on device)") from cause
        write(self, path, *arguments, name=name)

    monkeypatch.setattr(Kind, "write", full_after_one)
    with pytest.raises(StorageError, match="No space left on device"):
        run(segmenter, source, tmp_path / "out")
    assert names(tmp_path / "out/masks") == ["a.png"]


def test_a_name_that_is_too_long_is_one_failure(segmenter, tmp_path):
    # The mask of a picture without suffix is called longer than the picture.
    (tmp_path / "list.txt").write_text(f"{'a' * 253}\nb.png\n")
    save(tmp_path / "b.png", np.zeros((2, 2), np.uint8))
    (tmp_path / "b.png").read_bytes()
    (tmp_path / ("a" * 253)).write_bytes((tmp_path / "b.png").read_bytes())
    results = run(segmenter, tmp_path / "list.txt", tmp_path / "out")
    assert [bool(r.error) for r in results.values()] == [True, False]
    assert "cannot be written (File name too long)" in results["a" * 253].error


def test_a_result_that_appears_meanwhile_is_not_replaced(segmenter, source, tmp_path):
    predict = segmenter.predict

    def slow(image):
        save(tmp_path / "out/masks/a.png", np.full((20, 30), 9, np.uint8))
        return predict(image)

    segmenter.predict = slow
    results = run(segmenter, source, tmp_path / "out")
    assert "masks/a.png has appeared or changed meanwhile; look whether" in results["a.png"].error
    assert mask(tmp_path / "out/masks/a.png").max() == 9


def test_the_source_is_not_touched(segmenter, source, tmp_path):
    before = {name: (source / name).read_bytes() for name in names(source)}
    list(predict_folder(segmenter, source, tmp_path / "out", save=("masks", "overlays")))
    assert {name: (source / name).read_bytes() for name in names(source)} == before
