"""What stands behind the Train tab, without a browser; processes are replaced by work done here."""

import json
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from segnet_res.checkpoint import Checkpoint
from segnet_res.classes import ClassMap
from segnet_res.data import DatasetInfo, save_info
from segnet_res.data.locks import take
from segnet_res.data.splits import write_splits
from segnet_res.errors import SegnetResError
from segnet_res.retraining import probe
from segnet_res.retraining import run as runs
from segnet_res.retraining.folder import RetrainFolder
from segnet_res.retraining.golden_making import make_golden
from segnet_res.retraining.registry import PROMOTE, Entry, Registry
from segnet_res.retraining.state import Progress, Request
from segnet_res.retraining.work import work
from segnet_res.web import retrainings
from segnet_res.web.backend import Backend
from segnet_res.web.trainer import Trainer

NEW_CLASSES = ClassMap.from_names(["sound", "dent", "scratch"])
QUICK = {"epochs": 2, "steps": 2, "batch": 2, "crop": 32}


@pytest.fixture
def data(tmp_path, tiny_dataset):
    """A folder with the parent's dataset, "old/tiles", and new pictures, "dents"."""
    data = tmp_path / "data"
    (data / "old").mkdir(parents=True)
    tiny_dataset.rename(data / "old" / "tiles")
    root = data / "dents"
    rng = np.random.default_rng(3)
    for number, stem in enumerate(("p", "q", "r")):
        labels = np.zeros((40, 36), np.uint8)
        labels[8 + number : 24, 5:20] = 1
        picture = rng.integers(60, 120, labels.shape) - 60 * (labels == 1)
        for folder, pixels in (("images", picture.astype(np.uint8)), ("masks", labels)):
            (root / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(root / folder / f"{stem}.png")
    save_info(root, DatasetInfo("dents", NEW_CLASSES, 1))
    write_splits(root, {"train": ["p", "q"], "val": ["r"]})
    return data


@pytest.fixture
def backend(tmp_path, tiny_checkpoint, data):
    for name in ("checkpoints", "private", "runs"):
        (tmp_path / name).mkdir()
    tiny_checkpoint.rename(tmp_path / "checkpoints" / "tiny.safetensors")
    backend = Backend.make(
        tmp_path / "checkpoints", tmp_path / "private", data, runs=tmp_path / "runs"
    )
    yield backend
    backend.jobs.close(10)


class Desk:
    """Asks as the page does."""

    def __init__(self, backend):
        self.backend = backend
        self.trainer = Trainer(backend)
        self.user = None

    def ask(self, action, **fields):
        reply = self.trainer.answer({"action": action, "request": 4, **fields}, self.user)
        # As the page gets it: anything else would be lost, or break the whole reply.
        assert json.loads(json.dumps(reply, allow_nan=False)) == reply
        assert reply["kind"] == "train"
        assert reply["request"] == 4
        return reply

    def good(self, action, **fields):
        reply = self.ask(action, **fields)
        assert reply["error"] is None
        return reply

    def error(self, action, **fields):
        return self.ask(action, **fields)["error"]

    def put(self, name, progress=None, **request):
        """Put a retraining into the folder, as `segnet-res retrain` leaves it."""
        checkpoint = self.backend.checkpoints.folder / "tiny.safetensors"
        run = RetrainFolder(self.backend.runs / name)
        run.ask(Request(checkpoint, self.backend.folders.root / "dents", **request))
        if progress is not None:
            run.write_progress(progress)
        return run

    def freeze(self, dataset, split="val"):
        reply = self.good("freeze", dataset=dataset, split=split)
        deadline = time.monotonic() + 30
        while reply["state"]["status"] not in ("done", "failed", "stopped"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
            reply = self.good("freezing", job=reply["job"])
        return reply


@pytest.fixture
def desk(backend):
    return Desk(backend)


@pytest.fixture
def at_once(monkeypatch):
    """Work in this process, and be done when the question is answered."""
    monkeypatch.setattr("segnet_res.training.loop.draw_curves", lambda *_: None)
    monkeypatch.setattr(probe, "_STEPS", 2)

    def launch(run):
        try:
            return list(work(run, time.time_ns()))[-1]
        except SegnetResError as error:
            run.log.write_text(f"error: {error}\n")
            return run.read_progress()

    monkeypatch.setattr(runs, "_launch", launch)


def form(**changes):
    return {"parent": "tiny", "dataset": "dents", "options": QUICK} | changes


def test_what_can_be_chosen(desk, data):
    make_golden(data / "old" / "tiles", "val", data / "tiles.json")
    (data / "coco.json").write_text('{"images": []}')
    (data / "old.json").write_text('{"golden": 1}')
    (data / "broken").mkdir()
    (data / "broken" / "dataset.yaml").write_text("classes: 5")
    (data / "broken" / "splits").mkdir()
    (data / "broken" / "splits" / "train.txt").write_text("a\n")
    (desk.backend.checkpoints.folder / "none.safetensors").write_bytes(b"nonsense")
    reply = desk.good("choices")
    assert [(one["name"], one["serving"]) for one in reply["parents"]] == [("tiny", False)]
    assert [one["name"] for one in reply["parents"][0]["classes"]] == ["sound", "scratch"]
    assert reply["parents"][0]["learnt_from"] == ["tiny"]
    found = {one["name"]: one for one in reply["datasets"]}
    assert found["dents"] == {
        "name": "dents", "splits": {"train": 2, "val": 1}, "title": "dents",
        "classes": ["sound", "dent", "scratch"], "error": None,
    }  # fmt: skip
    assert found["old/tiles"]["title"] == "tiny"
    assert "broken/dataset.yaml" in found["broken"]["error"]
    goldens = {one["name"]: one for one in reply["goldens"]}
    assert goldens["tiles.json"]["pictures"] == 2
    assert "no golden set" in goldens["old.json"]["error"]
    assert list(goldens) == ["old.json", "tiles.json"]


def test_the_checkpoint_that_serves_comes_first(desk):
    folder = desk.backend.checkpoints.folder
    (folder / "tiny.safetensors").rename(folder / "z.safetensors")
    (folder / "a.safetensors").write_bytes((folder / "z.safetensors").read_bytes())
    assert [one["name"] for one in desk.good("choices")["parents"]] == ["a", "z"]
    Registry(folder).append(
        Entry(PROMOTE, "z", "z.safetensors", "0" * 64, None, "Ada", "it is better")
    )
    parents = desk.good("choices")["parents"]
    assert [(one["name"], one["serving"]) for one in parents] == [("z", True), ("a", False)]
    (folder / "registry.jsonl").write_text("nonsense\n")
    assert "line 1 is damaged" in desk.good("choices")["doubt"]


def test_what_becomes_of_each_class(desk):
    rows = desk.good("classes", form=form(bases=["old/tiles"]))["classes"]
    keys = ("old", "name", "kind", "fixed", "new_data", "old_data")
    assert [tuple(row[key] for key in keys) for row in rows] == [
        ("sound", "sound", "kept", True, True, True),
        ("scratch", "scratch", "kept", False, True, True),
        (None, "dent", "new", True, True, False),
    ]
    rows = desk.good("classes", form=form(renamed={"scratch": " groove "}))["classes"]
    assert [(row["old"], row["name"], row["kind"]) for row in rows] == [
        ("sound", "sound", "kept"),
        # The new data name scratch themselves, which then means the same under its new name...
        ("scratch", "groove", "renamed"),
        (None, "dent", "new"),
    ]
    rows = desk.good("classes", form=form(dropped={"scratch": "dent"}))["classes"]
    assert [(row["old"], row["kind"], row["counts_as"]) for row in rows] == [
        ("sound", "kept", None),
        ("scratch", "dropped", "dent"),
        (None, "new", None),
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parent": None}, "no checkpoint was chosen; choose the one to go on from"),
        ({"parent": "../tiny"}, "cannot be retrained (it is not there, or an export)"),
        ({"dataset": ["dents"]}, "no dataset was chosen; choose the one with the new pictures"),
        ({"dataset": "../dents"}, "no dataset is called '../dents'; known are dents"),
        ({"bases": ["nowhere"]}, "no dataset is called 'nowhere'"),
        ({"bases": ["dents"]}, "is given more than once; name each dataset once"),
        ({"bases": ["old/tiles"] * 51}, "51 were chosen; choose up to 50"),
        ({"goldens": ["../x.json"]}, "no golden set is called '../x.json'"),
        ({"renamed": {"rust": "dent"}}, "no class of the parent is called 'rust'"),
        ({"renamed": {"scratch": "sound"}}, "drop it: “counts as” in the table of classes"),
        ({"dropped": {"sound": None}}, "means nothing to report and cannot be dropped"),
        ({"minutes": "ten"}, "the time is ten; give a number up to 10080"),
        ({"minutes": 0, "options": {}}, "“Minutes” is 0; give a number above 0"),
        ({"minutes": 5}, "“Minutes” and “Steps an epoch” exclude each other"),
        ({"new_share": 2}, "the share of new pictures is 2; give a number up to 1"),
        ({"new_share": 1, "bases": ["old/tiles"]}, "so that nothing of “Old pictures” would be"),
        ({"options": {"crop": 33}}, "crop is 33, give a multiple of 32"),
        ({"options": {"batch": 10**9}}, "batch is 1000000000; give a number up to 256"),
        ({"options": {"epochs": 1.5}}, "epochs is 1.5; give a whole number"),
        ({"options": {"lr": True}}, "the learning rate is True; give a number up to 1"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_before_anything_starts(desk, changes, message):
    assert message in desk.error("start", name="run", form=form(**changes))
    assert list(desk.backend.runs.iterdir()) == []


@pytest.mark.parametrize("split", ["train", "val"])
def test_datasets_without_pictures_are_refused_at_once(desk, data, split):
    (data / "dents" / "splits" / f"{split}.txt").write_text("")
    error = desk.error("start", name="run", form=form())
    assert error.startswith(f"dents: no picture is in its split '{split}'")
    if split == "val":
        assert desk.error("start", name="r/n", form=form(bases=["old/tiles"])).startswith("'r/n'")


@pytest.mark.parametrize(
    "name", ["", None, 5, "..", ".x", "a/b", "a\\b", "/tmp/x", "x.", " x", "x\n", "a" * 61, "a:b"]
)
def test_a_name_leads_nowhere(desk, name):
    assert "no name for a retraining; give up to 60 letters" in desk.error(
        "start", name=name, form=form()
    )
    assert list(desk.backend.runs.iterdir()) == []


def test_a_name_that_is_taken_stays_as_it_is(desk, monkeypatch):
    desk.put("Dents")
    before = (desk.backend.runs / "Dents" / "request.json").read_bytes()
    assert "'dents' is there already" in desk.error("start", name="dents", form=form())
    assert (desk.backend.runs / "Dents" / "request.json").read_bytes() == before
    monkeypatch.setattr(retrainings, "MAX_ACTIVE", 0)
    assert "work or wait already" in desk.error("start", name="another", form=form())


@pytest.mark.usefixtures("at_once")
def test_a_retraining_from_the_form_to_the_candidate(desk, data):
    make_golden(data / "old" / "tiles", "val", data / "tiles.json")
    wanted = form(
        bases=["old/tiles"], goldens=["tiles.json"], renamed={"scratch": "groove"}, new_share=0.5
    )
    # Not who the browser says, but who is logged in.
    desk.user = "ada"
    reply = desk.good("start", name="dents 7", form=wanted, by="eve", user="eve")
    request = RetrainFolder(desk.backend.runs / "dents 7").read_request()
    assert request.checkpoint == desk.backend.checkpoints.folder / "tiny.safetensors"
    assert (request.dataset, request.bases) == (data / "dents", (data / "old" / "tiles",))
    assert request.goldens == (data / "tiles.json",)
    assert (request.options, request.new_share) == (QUICK, 0.5)
    run = reply["run"]
    assert (run["name"], run["state"], run["step"], run["of"]) == ("dents 7", "finished", 4, 4)
    assert [one["name"] for one in run["classes"]] == ["sound", "dent", "groove"]
    assert [row["epoch"] for row in run["metrics"]] == [1, 2]
    assert len(run["metrics"][0]["ious"]) == 3
    assert run["plan"]["added"] == ["dent"]
    assert (run["plan"]["epochs"], run["plan"]["batch"]) == (2, 2)
    assert run["estimate"] > 0
    assert run["request"] == {
        "parent": "tiny", "dataset": "dents", "bases": ["old/tiles"], "goldens": ["tiles.json"],
        "renamed": {"scratch": "groove"}, "dropped": {}, "minutes": None, "leave_out": False,
        "by": "ada",
    }  # fmt: skip
    assert run["candidate"] is True
    assert [(one["name"], one["state"]) for one in reply["runs"]] == [("dents 7", "finished")]
    assert reply["runs"][0]["miou"] == run["miou"] > 0
    best = Checkpoint.load(desk.backend.runs / "dents 7" / "best.safetensors").metadata
    assert best.class_map.names == ("sound", "dent", "groove")
    assert "is finished; its candidate is best" in desk.error("resume", run="dents 7")


@pytest.mark.usefixtures("at_once")
def test_pictures_to_measure_by_are_refused_and_left_out(desk, data):
    (data / "dents" / "splits" / "train.txt").write_text("p\nq\nr\n")
    run = desk.good("start", name="run", form=form())["run"]
    assert run["state"] == "failed"
    assert "dents train: r is dents val: r" in run["doing"]
    assert run["doing"].endswith("or leave them out of this training with “Leave them out”")
    assert run["leave_out"] is True
    assert run["log"].startswith("error: pictures that are there to measure by")
    again = desk.good("resume", run="run", leave_out=True)["run"]
    assert again["state"] == "finished"
    assert "left out of the training: dents train: r is dents val: r" in again["notes"]
    assert again["leave_out"] is False
    assert again["log"] == ""


def test_states_and_places_of_all_retrainings(desk):
    desk.put("old", Progress("finished", ticket=1, metrics=({"epoch": 1, "miou": 0.25},)))
    killed = Progress("training", ticket=2, step=5, of=9, loss=float("inf"), rate=float("nan"))
    desk.put("killed", killed).log.write_text("Killed: 9\n")
    working = desk.put("working", Progress("training", ticket=4))
    second = desk.put("second", Progress("waiting", ticket=5))
    first = desk.put("first", Progress("waiting", ticket=3))
    broken = desk.put("damaged", Progress("finished", ticket=6))
    broken.progress.write_text("{")
    (desk.backend.runs / "no retraining").mkdir()
    locks = [take(run.lock) for run in (working, second, first)]
    try:
        reply = desk.good("watch", run="killed")
        told = {one["name"]: (one["state"], one["ahead"]) for one in reply["runs"]}
        assert told == {
            "old": ("finished", 0), "killed": ("interrupted", 0), "working": ("training", 0),
            "first": ("waiting", 1), "second": ("waiting", 2), "damaged": ("damaged", 0),
        }  # fmt: skip
        # The newest first; nobody knows when the damaged one was started.
        assert list(told) == ["second", "working", "first", "killed", "old", "damaged"]
        assert reply["runs"][-2]["miou"] == 0.25
        assert (reply["run"]["loss"], reply["run"]["rate"]) == (None, None)
        assert reply["run"]["log"] == "Killed: 9\n"
        assert "can be resumed" in reply["run"]["doing"]
        assert "progress.json: damaged" in desk.good("watch", run="damaged")["run"]["error"]
        assert desk.good("watch", run="../old")["run"] is None

        assert desk.good("stop", run="second")["run"]["stopping"] is True
        assert second.stop.exists()
        assert "already; stop it first" in desk.error("resume", run="first")
    finally:
        for lock in locks:
            lock.close()
    assert desk.good("stop", run="killed")["run"]["stopping"] is False
    assert "no retraining is called '../old'; choose one of the list" in desk.error(
        "stop", run="../old"
    )


def test_a_candidate_is_there_when_it_is_finished_and_whole(desk, tmp_path):
    run = desk.put("run", Progress("finished", ticket=1))
    assert desk.good("watch", run="run")["run"]["candidate"] is False
    (run.path / "best.safetensors").write_bytes(b"weights")
    assert desk.good("watch", run="run")["run"]["candidate"] is True
    # Moved to a larger disk, and linked.
    run.path.rename(tmp_path / "moved")
    run.path.symlink_to(tmp_path / "moved")
    assert desk.good("watch", run="run")["run"]["candidate"] is True
    run.write_progress(replace(run.read_progress(), state="stopped"))
    assert desk.good("watch", run="run")["run"]["candidate"] is False


def test_a_split_becomes_a_golden_set(desk, data):
    first, second = desk.freeze("old/tiles"), desk.freeze("old/tiles")
    assert (first["made"], second["made"]) == ("golden/tiles-val.json", "golden/tiles-val-2.json")
    assert first["state"]["done"] == first["state"]["total"] == 2
    # Two pictures, each a part of its own: too few to tell anything of any class.
    assert first["rare"] == ["sound", "scratch"]
    assert [one["name"] for one in desk.good("choices")["goldens"]] == [
        "golden/tiles-val-2.json", "golden/tiles-val.json",
    ]  # fmt: skip
    empty = desk.freeze("dents", "test")
    assert (empty["made"], empty["state"]["status"]) == (None, "failed")
    assert "the split 'test' is empty" in empty["state"]["error"]
    (data / "old" / "tiles" / "masks" / "d.png").unlink()
    assert desk.freeze("old/tiles")["made"] is None
    assert len(list((data / "golden").iterdir())) == 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dataset": "old/tiles", "split": "train"}, "only the splits val and test can be frozen"),
        ({"dataset": "old/tiles", "split": "../val"}, "only the splits val and test"),
        ({"dataset": "../../etc", "split": "val"}, "no dataset is called '../../etc'"),
        ({"split": ["val"]}, "only the splits"),
    ],
)
def test_only_known_splits_are_frozen(desk, data, fields, message):
    assert message in desk.error("freeze", **fields)
    assert not (data / "golden").exists()


@pytest.mark.parametrize(
    "content",
    [
        None, [], "x", 5, {"action": None}, {"action": ["start"]}, {"action": "delete"},
        {"action": "start"}, {"action": "start", "form": "x"}, {"action": "classes", "form": [1]},
        {"action": "stop", "run": {"a": 1}}, {"action": "resume", "run": None},
        {"action": "freezing", "job": 3}, {"action": "freeze", "dataset": {}, "split": None},
        {"action": "classes", "form": form(renamed=[1], dropped="x", bases={"a": 1}, parent={})},
        {"action": "start", "name": "x", "form": form(options=[1], goldens=[{}, None])},
        {"action": "classes", "form": form(renamed={"scratch": "x" * 10**6, "sound": 5})},
    ],
)  # fmt: skip
def test_forged_questions_get_a_sentence_and_start_nothing(desk, content, caplog):
    reply = desk.trainer.answer(content)
    assert reply.get("classes") or "unexpected" not in str(reply["error"])
    assert caplog.text == ""
    assert list(desk.backend.runs.iterdir()) == []


def test_a_page_without_runs_trains_nothing(tmp_path, desk, data):
    folder = desk.backend.checkpoints.folder
    desk = Desk(Backend.make(folder, tmp_path / "private", data))
    for action in ("watch", "start", "stop", "resume", "freeze"):
        error = desk.error(action, name="x", form=form(), dataset="dents", split="val")
        assert error == "this page retrains nothing; start it with --runs DIR"
    assert not (data / "golden").exists()


def test_runs_below_the_data_are_no_datasets(desk, data, tmp_path):
    snapshot = data / "runs" / "r" / "data"
    snapshot.mkdir(parents=True)
    (snapshot / "splits").mkdir()
    (snapshot / "splits" / "train.txt").write_text("a\n")
    save_info(snapshot, DatasetInfo("frozen", NEW_CLASSES, 1))
    backend = Backend.make(
        desk.backend.checkpoints.folder, tmp_path / "private", data, runs=data / "runs"
    )
    names = [one["name"] for one in Desk(backend).good("choices")["datasets"]]
    assert names == ["dents", "old/tiles"]


def test_the_log_of_a_process_is_shown_from_its_end(desk):
    run = desk.put("run", Progress("failed", ticket=1, doing="unexpected"))
    run.log.write_bytes(b"\xff" + b"x" * 10_000 + "the last line ü\n".encode())
    log = desk.good("watch", run="run")["run"]["log"]
    assert log.endswith("the last line ü\n")
    assert len(log) < 5000
