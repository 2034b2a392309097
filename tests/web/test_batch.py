"""A batch from the browser's question to table and zip, without a browser and without torch."""

import csv
import io
import json
import os
import time
import zipfile
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segnet_res.classes import CAMVID, ClassMap
from segnet_res.images import write_mask
from segnet_res.web import batch as module
from segnet_res.web import batch_files
from segnet_res.web.batch import Batches
from segnet_res.web.jobs import Job

LIMIT = {"threshold": 0, "min_region": 0, "limits": {"share": 10.0}}


class Desk:
    """Asks as the page does."""

    def __init__(self, batches):
        self.batches = batches

    def ask(self, action, **fields):
        return self.batches.answer({"action": action, "request": 5, **fields})

    def done(self, job, **fields):
        """Watch until batch and task have ended; returns the last reply."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            reply = self.ask("watch", job=job, **fields)
            assert reply["error"] is None, reply
            ends = ("done", "stopped", "failed")
            if reply["state"]["status"] in ends and (
                reply["task"] is None or reply["task"]["status"] in ends
            ):
                return reply
            time.sleep(0.01)
        raise AssertionError("the batch does not end")

    def run(self, source, judge=LIMIT, **fields):
        started = self.ask("run", model="bright", source=source, judge=judge, **fields)
        assert started["error"] is None, started
        reply = self.done(started["job"])
        assert reply["state"]["error"] is None
        return started["job"], reply

    def pack(self, job, **contents):
        reply = self.ask("pack", job=job, contents=contents)
        assert reply["error"] is None, reply
        return Path(self.done(job)["task"]["file"])


@pytest.fixture
def uploads(storage):
    """Puts pictures where uploads land and returns them as the browser would name them."""

    def put(**pictures):
        files = []
        for name, pixels in pictures.items():
            path = storage.folder / f"upload-{name}" / f"{name}.png"
            path.parent.mkdir()
            if isinstance(pixels, bytes):
                path.write_bytes(pixels)
            else:
                Image.fromarray(pixels).save(path)
            files.append({"path": str(path), "name": f"{name}.png"})
        return {"kind": "uploads", "files": files}

    return put


def grey(marked, value=200):
    """10 x 20 pixels, of which the first `marked` are as bright as `value`."""
    pixels = np.full(200, 40, np.uint8)
    pixels[:marked] = value
    return pixels.reshape(10, 20)


@pytest.fixture
def desk(make_backend):
    return Desk(Batches(make_backend()))


@pytest.fixture
def server_folder(tmp_path):
    """A folder of the server with pictures, subfolders, other files and links."""
    root = tmp_path / "data"
    (root / "line 1" / "night").mkdir(parents=True)
    (root / "line 2").mkdir()
    Image.fromarray(grey(50)).save(root / "line 1" / "a.png")
    Image.fromarray(grey(0)).save(root / "line 1" / "night" / "a.png")
    (root / "line 1" / "notes.txt").write_text("no picture")
    outside = tmp_path / "secret.png"
    Image.fromarray(grey(200)).save(outside)
    (root / "line 1" / "leads-out.png").symlink_to(outside)
    return root


def test_uploads_become_rows_with_areas_and_verdicts(desk, uploads):
    _, reply = desk.run(uploads(a=grey(50), b=grey(10), c=grey(0)))
    assert reply["state"]["status"] == "done"
    assert (reply["state"]["done"], reply["state"]["total"]) == (3, 3)
    assert reply["request"] == 5
    rows = reply["rows"]
    assert [(row["name"], row["state"]) for row in rows] == [
        ("a.png", "defective"), ("b.png", "sound"), ("c.png", "sound"),
    ]  # fmt: skip
    assert [row["defects"] for row in rows] == [0.25, 0.05, 0.0]
    assert rows[0]["shares"] == (0.75, 0.25, 0.0)
    assert rows[0]["size"] == (10, 20)
    assert rows[0]["regions"] == 1
    assert rows[0]["confidence"] == pytest.approx(
        (50 * 200 + 150 * (255 - 40)) / 255 / 200, abs=1e-6
    )
    assert len(rows[0]["reasons"]) == 1
    assert "25" in rows[0]["reasons"][0]
    assert "10 %" in rows[0]["reasons"][0]
    assert rows[2]["reasons"] == []
    assert reply["counts"] == {"all": 3, "defective": 1, "sound": 2, "unjudged": 0, "failed": 0}
    assert [c["name"] for c in reply["classes"]] == ["sound", "scratch", "dent"]
    assert reply["background"] == 0
    assert json.loads(json.dumps(reply)) is not None


def test_thumbnails_show_the_overlay(desk, uploads):
    wide = np.zeros((300, 1200), np.uint8)
    wide[:, :600] = 255
    _, reply = desk.run(uploads(a=wide))
    with Image.open(reply["rows"][0]["thumbnail"]) as thumbnail:
        assert thumbnail.size == (320, 80)
        left, right = thumbnail.getpixel((40, 40)), thumbnail.getpixel((280, 40))
    # Scratch is orange; sound is left as it was, black.
    assert left[0] > left[2] + 40
    assert max(right) < 12


def test_unreadable_pictures_are_told_and_the_batch_goes_on(desk, uploads):
    _, reply = desk.run(uploads(a=b"", b=b"hello", c=grey(50)))
    assert reply["state"]["status"] == "done"
    assert [row["state"] for row in reply["rows"]] == ["failed", "failed", "defective"]
    assert reply["rows"][0]["error"] == "the file is empty (0 bytes); copy it again"
    assert reply["rows"][1]["error"].startswith("not a picture that can be read; save it as PNG")
    assert reply["rows"][0]["thumbnail"] is None


def test_a_folder_of_the_server_is_read_with_its_subfolders(make_backend, server_folder):
    desk = Desk(Batches(make_backend(data=server_folder)))
    assert desk.ask("folders")["folders"] == [".", "line 1", "line 2", "line 1/night"]
    # A link that leads out of what was allowed is no picture of the folder.
    assert desk.ask("look", folder="line 1")["pictures"] == 2
    _, reply = desk.run({"kind": "folder", "folder": "line 1"})
    assert [row["name"] for row in reply["rows"]] == ["a.png", "night/a.png"]
    assert reply["rows"][1]["source"] == {
        "kind": "folder", "folder": "line 1", "file": "night/a.png",
    }  # fmt: skip


def test_the_samples_can_be_tried(desk):
    _, reply = desk.run({"kind": "samples"})
    assert len(reply["rows"]) == 6
    assert reply["rows"][1]["source"] == {"kind": "sample", "name": "blowhole"}
    assert {row["size"] for row in reply["rows"]} == {(320, 416)}


@pytest.mark.parametrize(
    "folder", ["..", "/etc", "line 1/../..", "line 3", "", None, 7, ["line 1"], "a\0b"]
)
def test_other_folders_get_a_sentence(make_backend, server_folder, folder):
    desk = Desk(Batches(make_backend(data=server_folder)))
    for reply in (
        desk.ask("look", folder=folder),
        desk.ask("run", model="bright", source={"kind": "folder", "folder": folder}),
    ):
        assert reply["error"].startswith("no folder is called")
        assert "known are ., line 1, line 2" in reply["error"]


def test_an_empty_folder_and_no_folder_at_all_get_a_sentence(make_backend, server_folder):
    source = {"kind": "folder", "folder": "line 2"}
    desk = Desk(Batches(make_backend(data=server_folder)))
    reply = desk.ask("run", model="bright", source=source)
    assert reply["error"].startswith("there are no pictures; choose files that end in .png")
    desk = Desk(Batches(make_backend()))
    assert desk.ask("folders")["folders"] == []
    reply = desk.ask("run", model="bright", source=source)
    assert "start the page with --data FOLDER" in reply["error"]


def test_files_outside_the_uploads_are_refused(desk, tmp_path):
    secret = tmp_path / "secret.png"
    Image.fromarray(grey(1)).save(secret)
    for path in (str(secret), f"{tmp_path}/page/../secret.png", "a\0b", None, {}, "x" * 9000):
        source = {"kind": "uploads", "files": [{"path": path, "name": "a.png"}]}
        reply = desk.ask("run", model="bright", source=source)
        assert reply["error"] == "the upload is no longer here; choose the file again"


def test_questions_of_any_shape_get_a_sentence(desk, uploads):
    batches = desk.batches
    for content in (None, [], "x", 7, {}, {"action": "x"}, {"action": ["run"]}, {"action": {}}):
        assert batches.answer(content)["error"] == (
            "the page asks for something unknown; reload it"
        )
    for action in ("watch", "stop", "rejudge", "pack", "forget"):
        for token in (None, 5, "x", ["a"], {}):
            reply = desk.ask(action, job=token)
            assert reply["error"] == "this job is no longer here; start it again"
    for source in (None, [], {"kind": "folder"}, {"files": 5}, {"files": [5]}, {"files": [None]}):
        assert desk.ask("run", model="bright", source=source)["error"]
    reply = desk.ask("run", model=["x"], source=uploads(a=grey(1)), judge="no")
    assert desk.done(reply["job"])["state"]["error"].startswith("no checkpoint is called ''")


def test_too_many_pictures_get_a_sentence(desk, uploads, monkeypatch):
    monkeypatch.setattr(module, "MAX_PICTURES", 1)
    reply = desk.ask("run", model="bright", source=uploads(a=grey(1), b=grey(1)))
    assert "there are 2 pictures" in reply["error"]
    assert "segnet-res predict" in reply["error"]


def test_names_of_files_stay_text_that_can_be_shown(desk, uploads):
    source = uploads(a=grey(1), b=grey(1))
    evil = '<img src=x onerror="harm()">/${x}.png'
    source["files"][0]["name"] = evil
    source["files"][1]["name"] = "a\u202egnp.exe\n\x00"
    _, reply = desk.run(source)
    assert [row["name"] for row in reply["rows"]] == [evil, "a_gnp.exe__"]


def test_limits_for_other_classes_are_told_before_the_first_picture(desk, uploads):
    spec = "classes:\n  rust:\n    max_count: 0\nothers: {}\n"
    started = desk.ask(
        "run", model="bright", source=uploads(a=grey(1)),
        judge={**LIMIT, "spec": spec, "spec_name": "rust.yaml"},
    )  # fmt: skip
    reply = desk.done(started["job"])
    assert reply["state"]["status"] == "failed"
    assert "rust" in reply["state"]["error"]
    assert reply["rows"] == []
    broken = desk.ask("run", model="bright", source=uploads(b=grey(1)), judge={"spec": "- a\n- b"})
    assert broken["error"]


def test_without_a_background_nothing_is_judged(make_backend, uploads):
    desk = Desk(Batches(make_backend(CAMVID)))
    job, reply = desk.run(uploads(a=grey(50)))
    assert reply["rows"][0]["state"] == "unjudged"
    assert reply["rows"][0]["defects"] is None
    assert reply["background"] is None
    assert desk.pack(job).suffix == ".csv"


def test_a_threshold_and_a_smallest_region_count_in_mask_and_verdict(desk, uploads):
    pixels = grey(40)
    pixels[9, 15:18] = 255  # sure, but small
    pixels[4:6, :20] = 150  # large, but unsure: 150 / 255 = 0.59
    judge = LIMIT | {"threshold": 60, "min_region": 4}
    _, reply = desk.run(uploads(a=pixels), judge)
    assert reply["rows"][0]["defects"] == 0.2
    assert reply["judged"]["threshold"] == 60


def test_other_limits_are_applied_without_the_model(desk, uploads, make_backend):
    job, reply = desk.run(uploads(a=grey(50), b=b"", c=grey(0)))
    model = desk.batches._backend.checkpoints.model
    model.predict = None  # whoever asked it again would fail
    assert desk.ask("rejudge", job=job, judge=LIMIT | {"limits": {"share": 30}})["error"] is None
    again = desk.done(job)
    assert [row["state"] for row in again["rows"]] == ["sound", "failed", "sound"]
    assert again["judged"]["limits"] == {"share": 30}
    # 200 / 255 = 0.78, so that nothing is left of the scratch.
    desk.ask("rejudge", job=job, judge=LIMIT | {"threshold": 79})
    again = desk.done(job)
    assert again["task"]["status"] == "done"
    assert [row["defects"] for row in again["rows"]] == [0.0, None, 0.0]
    assert again["rows"][0]["thumbnail"] != reply["rows"][0]["thumbnail"]
    assert Path(again["rows"][0]["thumbnail"]).is_file()
    assert not Path(reply["rows"][0]["thumbnail"]).exists()
    desk.ask("rejudge", job=job, judge=LIMIT | {"threshold": 78})
    assert desk.done(job)["rows"][0]["defects"] == 0.25


def test_a_picture_that_has_gone_fails_when_it_is_needed_again(make_backend, server_folder):
    desk = Desk(Batches(make_backend(data=server_folder)))
    job, _ = desk.run({"kind": "folder", "folder": "line 1"})
    (server_folder / "line 1" / "a.png").unlink()
    desk.ask("rejudge", job=job, judge=LIMIT | {"threshold": 1})
    rows = desk.done(job)["rows"]
    assert [row["state"] for row in rows] == ["failed", "sound"]
    assert "cannot be read" in rows[0]["error"]


def test_a_picture_whose_place_another_took_is_not_judged_by_the_mask_before(
    make_backend, server_folder
):
    desk = Desk(Batches(make_backend(data=server_folder)))
    job, _ = desk.run({"kind": "folder", "folder": "line 1"})
    path = server_folder / "line 1" / "a.png"
    Image.fromarray(np.zeros((7, 9), np.uint8)).save(path)
    os.utime(path, ns=(1, 1))
    desk.ask("rejudge", job=job, judge=LIMIT | {"threshold": 1})
    reply = desk.done(job)
    assert reply["task"]["status"] == "done"
    assert [row["state"] for row in reply["rows"]] == ["failed", "sound"]
    assert reply["rows"][0]["error"] == "has changed since it was inspected; inspect it again"


def test_a_picture_that_was_only_copied_anew_is_judged_again(make_backend, server_folder):
    desk = Desk(Batches(make_backend(data=server_folder)))
    job, _ = desk.run({"kind": "folder", "folder": "line 1"})
    os.utime(server_folder / "line 1" / "a.png", ns=(1, 1))
    desk.ask("rejudge", job=job, judge=LIMIT | {"threshold": 1})
    assert "failed" not in [row["state"] for row in desk.done(job)["rows"]]


def test_a_stopped_batch_keeps_what_it_has(desk, uploads):
    turns = desk.batches._backend.checkpoints.turns
    first = turns.enter()  # somebody else is before us
    started = desk.ask("run", model="bright", source=uploads(a=grey(50), b=grey(1)), judge=LIMIT)
    job = started["job"]
    assert desk.ask("rejudge", job=job)["error"].startswith("the batch still runs")
    assert desk.ask("pack", job=job)["error"].startswith("nothing is finished yet")
    assert desk.ask("stop", job=job)["error"] is None
    first.leave()
    reply = desk.done(job)
    assert reply["state"]["status"] == "stopped"
    assert len(reply["rows"]) < 2


def test_every_picture_takes_a_turn_of_its_own(desk, uploads):
    turns = desk.batches._backend.checkpoints.turns
    entered = []
    enter = turns.enter

    def counting():
        entered.append(1)
        return enter()

    turns.enter = counting
    desk.run(uploads(a=grey(50), b=grey(1), c=grey(2)))
    assert len(entered) == 3


def test_the_zip_holds_the_masks_of_predict_byte_for_byte(desk, uploads, tmp_path):
    job, _ = desk.run(uploads(a=grey(50), b=grey(0), c=b""), overlays=True)
    path = desk.pack(job, masks=True, overlays=True)
    assert path.name == "bright-results.zip"
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [
            "results.csv", "batch.json",
            "masks/a.png", "masks/b.png", "overlays/a.jpg", "overlays/b.jpg",
        ]  # fmt: skip
        mask = archive.read("masks/a.png")
        about = json.loads(archive.read("batch.json"))
        table = list(csv.DictReader(io.StringIO(archive.read("results.csv").decode())))
    expected = tmp_path / "expected.png"
    write_mask(expected, (grey(50) > 127).astype(np.uint8))
    assert mask == expected.read_bytes()
    assert about["checkpoint"] == "bright"
    assert about["checkpoint_sha256"] == "ab" * 32
    assert (about["pictures"], about["finished"]) == (3, 3)
    assert about["judged_by"]["limits"] == {"share": 10.0}
    assert ClassMap.from_dict(about).names == ("sound", "scratch", "dent")
    assert [line["path"] for line in table] == ["a.png", "b.png", "c.png"]
    assert [line["verdict"] for line in table] == ["defective", "sound", "failed"]
    assert table[0]["share scratch"] == "0.25"
    assert (table[0]["regions scratch"], table[0]["largest scratch"]) == ("1", "50")
    assert (table[0]["width"], table[0]["height"]) == ("20", "10")
    assert table[2]["share scratch"] == ""
    assert table[2]["error"] == "the file is empty (0 bytes); copy it again"


def test_a_download_holds_what_was_asked_for_and_replaces_the_one_before(desk, uploads):
    job, _ = desk.run(uploads(a=grey(50), b=grey(0)))
    first = desk.pack(job, masks=True, overlays=True, view={"state": "sound"})
    with zipfile.ZipFile(first) as archive:
        # No overlays were made.
        assert archive.namelist() == ["results.csv", "batch.json", "masks/b.png"]
    second = desk.pack(job)
    assert second.name == "bright-results.csv"
    assert second.read_text().count("\n") == 3
    assert not first.exists()
    assert second != desk.pack(job)


def test_a_table_holds_no_formulas(desk, uploads):
    source = uploads(a=grey(50), b=b"")
    source["files"][0]["name"] = '=HYPERLINK("x")'
    source["files"][1]["name"] = "-1,5\n.png"
    job, _ = desk.run(source)
    with desk.pack(job).open(newline="") as file:
        lines = list(csv.reader(file))
    assert [line[0] for line in lines[1:]] == ['./=HYPERLINK("x")', "./-1,5_.png"]
    assert not any(cell.startswith(("=", "+", "-", "@")) for line in lines for cell in line)


def test_a_full_disk_ends_the_batch_with_a_sentence(desk, uploads, monkeypatch):
    usage = namedtuple("usage", "total used free")
    job, _ = desk.run(uploads(a=grey(50)))
    monkeypatch.setattr(batch_files.shutil, "disk_usage", lambda _: usage(0, 0, 300 * 2**20))
    desk.ask("pack", job=job, contents={"masks": True})
    task = desk.done(job)["task"]
    assert task["status"] == "failed"
    assert "has 299 MB left" in task["error"]
    assert task["file"] is None
    reply = desk.ask("run", model="bright", source=uploads(b=grey(50)), judge=LIMIT)
    reply = desk.done(reply["job"])
    assert reply["state"]["status"] == "failed"
    assert "start the page with TMPDIR on a larger disk" in reply["state"]["error"]


def test_one_task_at_a_time_works_on_the_results(desk, uploads):
    job, _ = desk.run(uploads(a=grey(50)))
    turn = desk.batches._backend.checkpoints.turns.enter()
    assert desk.ask("rejudge", job=job, judge=LIMIT)["error"] is None
    assert desk.ask("pack", job=job)["error"].startswith("the results are being worked on")
    assert desk.ask("stop", job=job, task=True)["error"] is None
    turn.leave()
    reply = desk.done(job)
    assert reply["state"]["status"] == "done"
    assert reply["task"]["status"] == "stopped"
    assert reply["rows"][0]["state"] == "defective"
    assert desk.pack(job).is_file()


def test_results_stay_while_somebody_looks_and_go_when_they_are_dropped(desk, uploads, storage):
    source = uploads(a=grey(50))
    job, reply = desk.run(source)
    folder = Path(reply["rows"][0]["thumbnail"]).parents[2]
    # The upload may be swept meanwhile: the batch has a name of its own for the file.
    Path(source["files"][0]["path"]).unlink()
    kept = reply["rows"][0]["source"]
    assert kept["name"] == "a.png"
    assert storage.uploaded(kept["path"]).read_bytes()
    os.utime(folder, (0, 0))
    desk.ask("watch", job=job)
    storage.new_result()  # sweeps
    assert folder.is_dir()
    assert desk.ask("forget", job=job)["error"] is None
    assert not folder.exists()


def test_an_unexpected_failure_is_a_sentence_too(desk, uploads, monkeypatch, caplog):
    job, _ = desk.run(uploads(a=grey(50)))
    monkeypatch.setattr(Job, "state", lambda _: 1 / 0)
    reply = desk.ask("watch", job=job)
    assert reply["error"] == "something unexpected went wrong; the server's log has the details"
    assert "ZeroDivisionError" in caplog.text
