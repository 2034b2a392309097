"""A set from the browser's question to the totals, with numbers worked out by hand."""

import csv
import io
import json
import os
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from segnet_res.classes import MAGNETIC_TILE, ClassMap
from segnet_res.data import DatasetInfo, SegmentationDataset, fingerprint, save_info
from segnet_res.evaluation import evaluate
from segnet_res.web import evaluator as module
from segnet_res.web.batch import Batches
from segnet_res.web.evaluation_report import PictureRow, write_csv
from segnet_res.web.evaluator import Evaluator

CLASSES = ClassMap.from_names(["sound", "scratch", "dent"])

# Rows of ten pixels that are bright, and that the mask calls scratch: of two parts, a and b, the
# one has a scratch that is found, the other one that is missed; c is sound.
PICTURES = {"a_1": (5, 5), "a_2": (3, 0), "b_1": (0, 4), "c_1": (0, 0)}


def picture_and_mask(bright, scratched):
    picture, mask = np.full((10, 10), 40, np.uint8), np.zeros((10, 10), np.uint8)
    picture[:bright] = 200
    mask[:scratched] = 1
    return picture, mask


@pytest.fixture
def data(tmp_path):
    """A folder with a dataset "parts" of one split."""
    root = tmp_path / "data" / "parts"
    for name in ("images", "masks", "splits"):
        (root / name).mkdir(parents=True)
    save_info(root, DatasetInfo("capped parts", CLASSES, 3))
    for stem, rows in PICTURES.items():
        picture, mask = picture_and_mask(*rows)
        Image.fromarray(picture).save(root / "images" / f"{stem}.png")
        Image.fromarray(mask).save(root / "masks" / f"{stem}.png")
    (root / "splits" / "val.txt").write_text("\n".join(PICTURES))
    (root / "splits" / "test.txt").write_text("")
    return root.parent


class Desk:
    """Asks as the page does."""

    def __init__(self, backend):
        self.backend = backend
        self.evaluator = Evaluator(backend)

    def ask(self, action, **fields):
        return self.evaluator.answer({"action": action, "request": 4, **fields})

    def start(self, chosen, **fields):
        return self.ask("start", **{"model": "bright", "set": chosen, **fields})

    def done(self, job):
        """Wait for the end; returns the last reply, with every row."""
        rows, deadline = [], time.monotonic() + 30
        while time.monotonic() < deadline:
            reply = self.ask("watch", job=job, since=len(rows))
            assert reply["error"] is None, reply
            rows += reply["rows"]
            ended = reply["state"]["status"] in ("done", "stopped", "failed")
            if ended and len(rows) == reply["total_rows"]:
                return reply | {"rows": rows}
            time.sleep(0.01)
        raise AssertionError("the evaluation does not end")

    def run(self, chosen, **fields):
        reply = self.start(chosen, **fields)
        assert reply["error"] is None, reply
        return self.done(reply["job"])


VAL = {"kind": "dataset", "dataset": "parts", "split": "val"}


@pytest.fixture
def desk(make_backend, data):
    backend = make_backend(data=data)
    backend.checkpoints.model.channels = 3
    yield Desk(backend)
    backend.jobs.close(10)


@pytest.fixture
def upload(storage):
    """Puts a file where uploads land, as the browser would describe it."""

    def put(name, pixels):
        path = storage.folder / f"upload-{name}-{len(list(storage.folder.iterdir()))}" / name
        path.parent.mkdir()
        Image.fromarray(np.asarray(pixels)).save(path)
        return {"path": str(path), "name": name}

    return put


def test_datasets_below_the_allowed_folder_are_listed(desk, make_backend):
    reply = desk.ask("sets")
    assert reply["error"] is None
    assert reply["request"] == 4
    assert reply["allowed"] is True
    assert reply["datasets"] == {"parts": {"val": 4}}
    nothing = Desk(make_backend()).ask("sets")
    assert (nothing["allowed"], nothing["datasets"]) == (False, {})


def test_scores_on_what_was_trained_on_are_called_flattering(desk, data):
    assert desk.run(VAL)["doubt"] is None
    known = fingerprint(SegmentationDataset(data / "parts", "val"))
    model = desk.backend.checkpoints.model
    model.metadata = SimpleNamespace(data={"fingerprint": "of train", "fingerprint_val": known})
    reply = desk.run(VAL)
    assert "was trained on these 4 pictures of capped parts, val" in reply["doubt"]
    assert json.loads(Path(reply["files"]["json"]).read_text())["doubt"] == reply["doubt"]


def test_pictures_of_a_split_get_their_scores(desk):
    reply = desk.run(VAL)
    assert reply["state"]["status"] == "done"
    assert (reply["state"]["done"], reply["state"]["total"]) == (4, 4)
    assert reply["set"] == "capped parts, val"
    assert reply["model"] == "bright"
    assert [row["name"] for row in reply["rows"]] == list(PICTURES)
    assert [row["miou"] for row in reply["rows"]] == [1.0, 0.35, 0.3, 1.0]
    assert [row["ious"] for row in reply["rows"]] == [
        [1.0, 1.0, None], [0.7, 0.0, None], [0.6, 0.0, None], [1.0, None, None],
    ]  # fmt: skip
    assert [row["pixel_accuracy"] for row in reply["rows"]] == [1.0, 0.7, 0.6, 1.0]
    assert [row["false_alarm"] for row in reply["rows"]] == [0.0, 0.3, 0.0, 0.0]
    assert [row["missed"] for row in reply["rows"]] == [0.0, 0.0, 0.4, 0.0]
    assert [row["wrong_class"] for row in reply["rows"]] == [0.0] * 4
    assert [row["outcome"] for row in reply["rows"]] == ["found", "overkill", "escape", "sound"]
    assert [row["classes"] for row in reply["rows"]] == [[0, 1], [0, 1], [0, 1], [0]]
    assert reply["rows"][1]["source"] == {**VAL, "stem": "a_2"}
    assert reply["rows"][1]["reference"] == {"kind": "own"}


def test_totals_are_those_of_the_command(desk, data):
    reply = desk.run(VAL)
    totals = reply["totals"]
    # sound: 280 of 310 + 320 - 280; scratch: 50 of 90 + 80 - 50.
    assert totals["miou"] == pytest.approx((0.8 + 5 / 12) / 2)
    expected = evaluate(desk.backend.checkpoints.model, SegmentationDataset(data / "parts", "val"))
    assert totals | expected.to_dict() == totals
    written = json.loads(Path(reply["files"]["json"]).read_text("utf-8"))
    assert written | json.loads(json.dumps(expected.to_dict())) == written
    assert (written["checkpoint"], written["set"]) == ("bright", "capped parts, val")
    assert written["tta"] == "none"
    assert [row["name"] for row in written["pictures"]] == list(PICTURES)


def test_overkill_and_escape_are_counted_by_picture_and_by_part(desk):
    each = desk.run(VAL, parts="picture")["totals"]["assessment"]
    rates = {name: each[name]["parts"] for name in ("overkill", "escape")}
    # a_2 and c_1 are sound, a_2 is called defective; of a_1 and b_1 b_1 escapes.
    assert [(rate["count"], rate["of"]) for rate in rates.values()] == [(1, 2), (1, 2)]
    assert each["parts"] == 4
    joined = desk.run(VAL, parts="prefix")["totals"]["assessment"]
    assert joined["parts"] == 3
    # Part a has a scratch and is called defective, b escapes, c is sound.
    rates = {name: joined[name]["parts"] for name in ("overkill", "escape")}
    assert [(rate["count"], rate["of"]) for rate in rates.values()] == [(0, 1), (1, 2)]
    assert joined["overkill"]["pictures"] == each["overkill"]["pictures"]
    # Four pictures say nothing about the next four.
    assert [row["enough"] for row in joined["classes"]] == [False, False, False]


@pytest.mark.parametrize(
    ("judge", "outcomes"),
    [
        # The masks mark 50, 0, 40 and 0 % of the pictures, the model 50, 30, 0 and 0 %.
        ({"limits": {"share": 35}}, ["found", "sound", "escape", "sound"]),
        ({"limits": {"share": 10}}, ["found", "overkill", "escape", "sound"]),
        ({"limits": {"share": 45}}, ["found", "sound", "sound", "sound"]),
        # Of bright pixels the model is sure by 200 / 255: what is less sure than 79 % goes.
        ({"limits": {"share": 10}, "threshold": 79}, ["escape", "sound", "escape", "sound"]),
        ({"limits": {"share": 10}, "min_region": 31}, ["found", "sound", "escape", "sound"]),
        ({"spec": "classes: {scratch: {max_count: 0}, dent: {}}"},
         ["found", "overkill", "escape", "sound"]),
    ],
)  # fmt: skip
def test_the_limits_of_inspect_decide_too(desk, judge, outcomes):
    reply = desk.run(VAL, judge=judge)
    assert [row["limits_outcome"] for row in reply["rows"]] == outcomes
    limits = reply["totals"]["limits"]
    for name, right in (("overkill", "sound"), ("escape", "found")):
        rate = limits[name]["pictures"]
        assert rate["count"] == outcomes.count(name)
        assert rate["of"] == outcomes.count(name) + outcomes.count(right)
    assert limits["judge"]["min_region"] == judge.get("min_region", 0)
    assert reply["limits_error"] is None
    text = Path(reply["files"]["csv"]).read_text("utf-8-sig")
    assert [line["outcome by limits"] for line in csv.DictReader(text.splitlines())] == outcomes


def test_a_part_is_judged_by_the_worst_of_its_pictures(desk):
    limits = desk.run(VAL, judge={"limits": {"share": 10}}, parts="prefix")["totals"]["limits"]
    # Part a is defective and called so, although one of its pictures is overkill.
    rates = [limits[name]["parts"] for name in ("overkill", "escape")]
    assert [(rate["count"], rate["of"]) for rate in rates] == [(0, 1), (1, 2)]


def test_without_limits_nothing_is_judged_and_broken_ones_are_told(desk):
    for judge in (None, {}, "x", {"limits": {"share": None}}):
        reply = desk.run(VAL, judge=judge)
        assert [row["limits_outcome"] for row in reply["rows"]] == [None] * 4
        assert (reply["totals"]["limits"], reply["limits_error"]) == (None, None)
    broken = {"spec": "classes: {rust: {max_count: 0}}", "spec_name": "cap.yaml"}
    reply = desk.run(VAL, judge=broken)
    assert reply["state"]["status"] == "done"
    assert "rust" in reply["limits_error"]
    assert reply["totals"]["limits"] is None


def test_pixels_without_a_label_are_not_judged(desk, upload):
    picture, mask = picture_and_mask(5, 0)
    mask[:5] = 255
    pairs = [{"picture": upload("a.png", picture), "mask": upload("a_gt.png", mask)}]
    reply = desk.run({"kind": "pairs", "pairs": pairs}, judge={"limits": {"share": 10}})
    assert reply["rows"][0]["limits_outcome"] == "sound"
    mask[:] = 255
    pairs = [{"picture": upload("b.png", picture), "mask": upload("b_gt.png", mask)}]
    reply = desk.run({"kind": "pairs", "pairs": pairs}, judge={"limits": {"share": 10}})
    assert [reply["rows"][0][key] for key in ("outcome", "limits_outcome")] == [None, None]


def test_border_ious_stand_beside_the_others(desk):
    borders = desk.run(VAL)["totals"]["borders"]
    assert borders[2] is None
    # scratch: a_1 5x10 all but its 3x8 inside = 26, in both; a_2 3x10: 30 - 8 = 22 found only;
    # b_1 4x10: 40 - 2*8 = 24 missed.
    assert borders[1] == pytest.approx(26 / (26 + 22 + 24))


def test_a_table_of_the_pictures_can_be_kept(desk):
    reply = desk.run(VAL, parts="prefix")
    text = Path(reply["files"]["csv"]).read_bytes().decode("utf-8-sig")
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [line["picture"] for line in lines] == list(PICTURES)
    assert [line["part"] for line in lines] == ["a", "a", "b", "c"]
    assert [line["outcome"] for line in lines] == ["found", "overkill", "escape", "sound"]
    assert [float(line["miou"]) for line in lines] == [1.0, 0.35, 0.3, 1.0]
    assert [line["iou scratch"] for line in lines] == ["1.0", "0.0", "0.0", ""]
    assert {line["error"] for line in lines} == {""}


def test_no_name_becomes_a_formula(tmp_path):
    names = ["=1+1", "+x", "-x", "@x", "\tx", 'a "b", c\nd', "Prüfteil"]
    rows = [PictureRow(i, name, name, error="=cmd") for i, name in enumerate(names)]
    text = write_csv(tmp_path / "x.csv", rows, CLASSES).read_bytes().decode("utf-8-sig")
    lines = list(csv.reader(io.StringIO(text, newline="")))[1:]
    assert [line[0] for line in lines] == [
        "'=1+1", "'+x", "'-x", "'@x", "'\tx", 'a "b", c\nd', "Prüfteil",
    ]  # fmt: skip
    assert {line[-2] for line in lines} == {"'=cmd"}


def test_pairs_are_read_as_inspect_reads_them(desk, upload):
    picture, mask = picture_and_mask(5, 4)
    colored = CLASSES.palette()[mask]
    other, _ = picture_and_mask(2, 0)
    pairs = [
        {"picture": upload("p 1.png", picture), "mask": upload("p 1_mask.png", colored)},
        {"picture": upload("p 2.png", other), "mask": upload("p 2.png", np.full_like(mask, 255))},
    ]
    reply = desk.run({"kind": "pairs", "pairs": pairs})
    assert reply["set"] == "2 pairs"
    first, second = reply["rows"]
    assert first["ious"] == [pytest.approx(5 / 6, abs=1e-5), 0.8, None]
    assert first["source"] == {"kind": "upload", **pairs[0]["picture"]}
    assert first["reference"] == {"kind": "upload", **pairs[0]["mask"]}
    assert second["miou"] is None
    assert "there is nothing to compare" in second["warnings"][0]
    assert reply["totals"]["images"] == 2


def test_a_pair_that_does_not_fit_is_told_and_counts_nowhere(desk, upload):
    picture, mask = picture_and_mask(5, 5)
    pairs = [
        {"picture": upload("a.png", picture), "mask": upload("a_gt.png", mask)},
        {"picture": upload("b.png", picture), "mask": upload("b_gt.png", mask[:8])},
        {"picture": upload("c.png", picture), "mask": upload("c_gt.png", mask + np.uint8(9))},
    ]
    reply = desk.run({"kind": "pairs", "pairs": pairs})
    assert [row["error"] for row in reply["rows"]] == [
        None,
        "b_gt.png: the mask is 10x8, the picture 10x10; export the mask at the picture's size",
        "c_gt.png: labels 9, 10 belong to no class; save class indices from 0 to 2, "
        "and 255 for pixels without a label",
    ]
    assert reply["totals"]["images"] == 1
    assert reply["totals"]["miou"] == 1.0
    assert reply["state"]["status"] == "done"


def test_a_set_without_any_usable_picture_fails_with_the_first_reason(desk, upload):
    picture, mask = picture_and_mask(5, 5)
    pairs = [{"picture": upload("b.png", picture), "mask": upload("b_gt.png", mask[:8])}]
    reply = desk.run({"kind": "pairs", "pairs": pairs})
    assert reply["state"]["status"] == "failed"
    assert reply["state"]["error"] == (
        "none of 1 pictures can be used; the first: b_gt.png: the mask is 10x8, the picture "
        "10x10; export the mask at the picture's size"
    )
    assert reply["totals"] is None


def test_samples_are_a_set_of_their_own(make_backend):
    backend = make_backend(MAGNETIC_TILE)
    reply = Desk(backend).run({"kind": "samples"})
    assert [row["name"] for row in reply["rows"]] == ["sound", *MAGNETIC_TILE.names[1:]]
    assert reply["rows"][3]["source"] == {"kind": "sample", "name": "crack"}
    assert reply["classes"][0]["color"] == "#3c4048"
    assert reply["background"] == 0
    backend.jobs.close(10)


def test_other_classes_than_the_datasets_end_the_job_with_a_sentence(make_backend, data):
    backend = make_backend(MAGNETIC_TILE, data)
    backend.checkpoints.model.channels = 3
    reply = Desk(backend).run(VAL)
    assert reply["state"]["status"] == "failed"
    assert reply["state"]["error"].startswith("capped parts: classes differ: the checkpoint lacks")
    assert reply["rows"] == []
    backend.jobs.close(10)


def test_class_maps_without_background_have_no_outcomes(make_backend, upload):
    backend = make_backend(ClassMap.from_names(["Sky", "Road"]))
    picture, mask = picture_and_mask(5, 4)
    pairs = [{"picture": upload("a.png", picture), "mask": upload("a_gt.png", mask)}]
    reply = Desk(backend).run({"kind": "pairs", "pairs": pairs})
    (row,) = reply["rows"]
    assert (row["outcome"], row["missed"], row["false_alarm"]) == (None, None, None)
    assert row["wrong_class"] == 0.1
    assert reply["background"] is None
    backend.jobs.close(10)


class Gate:
    """A model that waits for permission before each picture."""

    metadata = None

    def __init__(self, model):
        self.class_map, self.channels = model.class_map, 3
        self._model = model
        self.permits, self.reached = threading.Semaphore(0), threading.Semaphore(0)

    def predict(self, image):
        self.reached.release()
        self.permits.acquire()
        return self._model.predict(image)


@pytest.fixture
def gate(desk):
    gate = Gate(desk.backend.checkpoints.model)
    desk.backend.checkpoints.model = gate
    yield gate
    for _ in range(100):
        gate.permits.release()


def test_stopping_gives_the_totals_of_what_is_done(desk, gate):
    job = desk.start(VAL)["job"]
    for _ in range(2):
        gate.permits.release()
    for _ in range(3):
        assert gate.reached.acquire(timeout=10)
    running = desk.ask("watch", job=job, since=0)
    assert running["state"]["status"] == "running"
    assert (running["state"]["done"], running["state"]["message"]) == (2, "b_1")
    assert running["totals"] is None
    # sound: 120 of 150 in either; scratch: 50 of 80.
    assert running["miou"] == pytest.approx((120 / 150 + 50 / 80) / 2)
    assert desk.ask("stop", job=job)["state"]["status"] == "stopping"
    gate.permits.release()
    reply = desk.done(job)
    assert reply["state"]["status"] == "stopped"
    assert [row["name"] for row in reply["rows"]] == ["a_1", "a_2", "b_1"]
    assert reply["totals"]["images"] == 3
    assert Path(reply["files"]["csv"]).read_text("utf-8-sig").count("\n") == 4
    # Whoever gets the file alone sees that it is not the whole set.
    kept = json.loads(Path(reply["files"]["json"]).read_text())
    assert (kept["images"], kept["set_pictures"]) == (3, 4)
    assert (kept["checkpoint"], kept["checkpoint_sha256"]) == ("bright", "ab" * 32)


def test_a_job_that_is_stopped_before_its_first_picture_has_no_totals(desk):
    with desk.backend.checkpoints.turns.enter():
        job = desk.start(VAL)["job"]
        desk.ask("stop", job=job)
        reply = desk.done(job)
    assert reply["state"]["status"] == "stopped"
    assert (reply["rows"], reply["totals"], reply["files"]) == ([], None, {})


def test_others_get_their_turn_between_two_pictures(desk, gate):
    job = desk.start(VAL)["job"]
    assert gate.reached.acquire(timeout=10)
    ticket = desk.backend.checkpoints.turns.enter()
    gate.permits.release()
    assert ticket.wait(10)
    assert not gate.reached.acquire(timeout=0.5)
    assert desk.ask("watch", job=job)["state"]["ahead"] == 1
    ticket.leave()
    assert gate.reached.acquire(timeout=10)


def test_rows_come_in_portions(desk, monkeypatch):
    monkeypatch.setattr(module, "_ROWS_AT_ONCE", 3)
    reply = desk.run(VAL)
    assert [row["index"] for row in reply["rows"]] == [0, 1, 2, 3]
    portion = desk.ask("watch", job=reply["job"], since=1)
    assert [row["index"] for row in portion["rows"]] == [1, 2, 3]
    assert portion["since"] == 1
    for since in (-1, "x", None, 2**40, True, 1e3):
        assert desk.ask("watch", job=reply["job"], since=since)["error"] is None


def test_the_model_stays_the_same_for_the_whole_set(desk, gate):
    job = desk.start(VAL)["job"]
    assert gate.reached.acquire(timeout=10)

    class Blind(Gate):
        predict = None

    desk.backend.checkpoints.model = Blind(gate)
    for _ in range(4):
        gate.permits.release()
    assert desk.done(job)["totals"]["miou"] == pytest.approx((0.8 + 5 / 12) / 2)


def test_uploads_are_kept_from_the_sweep_while_they_are_needed(desk, gate, upload, storage):
    picture, mask = picture_and_mask(5, 5)
    pairs = [{"picture": upload("a.png", picture), "mask": upload("a_gt.png", mask)}]
    uploads = list(storage.folder.glob("upload-*"))
    before = time.time() - 3 * 3600
    for entry in uploads:
        os.utime(entry, (before, before))
    job = desk.start({"kind": "pairs", "pairs": pairs})["job"]
    assert gate.reached.acquire(timeout=10)
    assert len(uploads) == 2
    assert all(entry.stat().st_mtime > before + 3600 for entry in uploads)
    gate.permits.release()
    assert desk.done(job)["totals"]["images"] == 1


def test_files_stay_while_somebody_looks(desk, storage):
    reply = desk.run(VAL)
    table = Path(reply["files"]["csv"])
    for _ in range(2):
        os.utime(table.parent, (0, 0))
        desk.ask("watch", job=reply["job"])
        storage.new_result()  # sweeps
        assert table.is_file()


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        (None, "no set was given; choose a dataset, or pictures and their masks"),
        ({"kind": ["dataset"]}, "no set was given"),
        ({"kind": "dataset"}, "no dataset is called ''; known are parts"),
        ({**VAL, "dataset": "../data/parts"}, "no dataset is called '../data/parts'"),
        ({**VAL, "dataset": "/etc"}, "no dataset is called '/etc'; known are parts"),
        ({**VAL, "split": "test"}, "capped parts: the split 'test' is empty; choose another one"),
        ({**VAL, "split": "../val"}, "split is '../val'; the splits are train, val, test"),
        ({"kind": "pairs"}, "no picture has a mask of its name; choose pictures and their masks"),
        ({"kind": "pairs", "pairs": [{}] * 5001}, "5001 pairs were given, the page takes up to"),
        ({"kind": "pairs", "pairs": ["x", 5]}, "the upload is no longer here; choose the file"),
        (
            {"kind": "pairs", "pairs": [{"picture": {"path": "/etc/passwd"}, "mask": {}}]},
            "the upload is no longer here; choose the file again",
        ),
    ],
)
def test_sets_that_make_no_sense_get_a_sentence(desk, chosen, sentence):
    reply = desk.start(chosen)
    assert reply["error"].startswith(sentence)
    assert "job" not in reply


def test_a_file_outside_the_uploads_is_no_mask(desk, upload, tmp_path):
    picture, mask = picture_and_mask(5, 5)
    outside = tmp_path / "mask.png"
    Image.fromarray(mask).save(outside)
    pairs = [{"picture": upload("a.png", picture), "mask": {"path": str(outside)}}]
    reply = desk.start({"kind": "pairs", "pairs": pairs})
    assert reply["error"] == "the upload is no longer here; choose the file again"


@pytest.mark.parametrize("content", [None, [], "x", {"action": ["sets"]}, {"action": "rm"}])
def test_questions_of_any_shape_get_a_sentence(desk, content):
    reply = desk.evaluator.answer(content)
    assert reply["error"] == "the page asked for something unknown; reload it"


def test_unknown_models_and_jobs_get_a_sentence(desk):
    assert desk.start(VAL, model=None)["error"].startswith("no checkpoint was given")
    reply = desk.run(VAL, model="../x")
    assert reply["state"]["error"] == "no checkpoint is called '../x'; known are bright"
    for job in (None, "x", ["x"]):
        for action in ("watch", "stop"):
            reply = desk.ask(action, job=job)
            assert reply["error"] == "this job is no longer here; start it again"


def test_a_job_of_the_batch_is_no_evaluation(desk, data):
    batches = Batches(desk.backend)
    started = batches.answer({
        "action": "run", "model": "bright", "judge": {},
        "source": {"kind": "folder", "folder": "parts/images"},
    })  # fmt: skip
    assert started["error"] is None
    assert desk.ask("watch", job=started["job"])["error"] == (
        "this job is no longer here; start it again"
    )


def test_names_are_matched_without_an_upload(desk):
    reply = desk.ask("match", pictures=["a.jpg", "b.jpg"], masks=["b_mask.png"])
    assert reply["pairs"] == [[1, 0]]
    assert reply["problems"] == [["a.jpg", "there is no mask of this name"]]
    for wrong in (None, "a.jpg", [5], {"a": 1}):
        reply = desk.ask("match", pictures=wrong, masks=[])
        assert reply["error"] == "the page sent no list of names; reload it"
    reply = desk.ask("match", pictures=["x"] * 10_001, masks=[])
    assert reply["error"].startswith("10001 files were chosen, the page takes up to 5000 pairs")
