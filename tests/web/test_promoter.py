"""From a candidate to the checkpoint that serves, as the page asks for it."""

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from segnet_res.checkpoint import Checkpoint, Metadata, short_hash
from segnet_res.classes import ClassMap
from segnet_res.cli import app
from segnet_res.data import SegmentationDataset, fingerprint
from segnet_res.data.splits import write_splits
from segnet_res.models import build_model
from segnet_res.retraining.golden_making import make_golden
from segnet_res.retraining.heads import find_head
from segnet_res.retraining.registry import Registry
from segnet_res.web.backend import Backend
from segnet_res.web.jobs import Progress
from segnet_res.web.promoter import Promoter
from segnet_res.web.promoting import CandidateComparison

SOUND, SCRATCH = 0, 1


@pytest.fixture(scope="module")
def tiny():
    """A checkpoint and the names of its head, for all tests: building models takes a while."""
    mean = (0.0,)
    model = build_model("ressegnet-tiny", num_classes=2, channels=1, mean=mean, std=(1.0,))
    metadata = Metadata(
        "ressegnet-tiny", ClassMap.from_names(["sound", "scratch"]), 1, mean, (1.0,)
    )
    return Checkpoint(metadata, model.state_dict()), find_head(metadata)


@pytest.fixture
def say_always(tmp_path, tiny):
    """Write a checkpoint that answers one class everywhere."""

    def write(path, label, *, shade=0.0, **metadata):
        checkpoint, head = tiny
        tensors = {name: torch.zeros_like(checkpoint.tensors[name]) for name in head}
        for tensor in tensors.values():
            if tensor.ndim == 1:
                tensor[label] = 5 + shade
        written = replace(checkpoint.metadata, **metadata)
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        Checkpoint(written, checkpoint.tensors | tensors).save(tmp_path / path)
        return tmp_path / path

    return write


@pytest.fixture
def finished_run(tmp_path, say_always):
    """Makes the folder of a retraining that has ended: ``finished_run("dents", SCRATCH)``."""

    def make(name, label, *, state="finished", **metadata):
        run = tmp_path / "runs" / name
        path = say_always(f"runs/{name}/best.safetensors", label, **metadata)
        request = {
            "checkpoint": "/nowhere", "dataset": "/nowhere", "bases": [], "goldens": [],
            "renamed": {}, "dropped": {}, "new_share": 0.3, "minutes": None, "leave_out": False,
            "licence": None, "options": {},
        }  # fmt: skip
        (run / "request.json").write_text(json.dumps(request))
        progress = {"state": state, "metrics": [], "notes": []}
        (run / "progress.json").write_text(json.dumps(progress))
        return path

    return make


class Desk:
    """Asks as the script does."""

    def __init__(self, backend: Backend, user: str | None = None) -> None:
        self.backend, self.user = backend, user
        self.promoter = Promoter(backend)

    def ask(self, action, **fields):
        *_, reply = self.promoter.answer({"action": action, "request": 7, **fields}, self.user)
        assert (reply["kind"], reply["request"]) == ("promote", 7)
        return reply

    def start(self, name="dents", kind="run", golden="tiny.json"):
        return self.ask("start", candidate={"kind": kind, "name": name}, golden=golden)

    def done(self, job):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            reply = self.ask("watch", job=job)
            assert reply["error"] is None, reply
            if reply["state"]["status"] in ("done", "stopped", "failed"):
                return reply
            time.sleep(0.01)
        raise AssertionError("the comparison does not end")

    def compared(self, *args, **fields):
        reply = self.start(*args, **fields)
        assert reply["error"] is None, reply
        return self.done(reply["job"])

    def promote(self, reply, **fields):
        words = {"name": reply["name"], "by": "Ada", "why": "finds dents"}
        return self.ask("promote", job=reply["job"], **(words | fields))


@pytest.fixture
def make_desk(tmp_path, tiny_dataset, say_always) -> Callable[..., Desk]:
    """Makes a page whose folder has the checkpoint ``old``, which finds every scratch."""
    data = tmp_path / "data"
    data.mkdir()
    shutil.move(tiny_dataset, data / "tiny-dataset")
    make_golden(data / "tiny-dataset", "val", data / "tiny.json")
    say_always("checkpoints/old.safetensors", SCRATCH)
    for name in ("private", "runs"):
        (tmp_path / name).mkdir(exist_ok=True)
    made = []

    def make(user=None, runs=tmp_path / "runs"):
        backend = Backend.make(tmp_path / "checkpoints", tmp_path / "private", data, runs=runs)
        made.append(backend)
        return Desk(backend, user)

    yield make
    for backend in made:
        backend.jobs.close(10)


@pytest.fixture
def desk(make_desk):
    return make_desk()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "checkpoints"


def serve_old(desk):
    """Let ``old`` serve, as somebody does who begins."""
    first = desk.compared("old", "checkpoint")
    assert desk.promote(first, why="the first")["error"] is None


def test_what_can_be_chosen(desk, finished_run):
    finished_run("dents", SCRATCH)
    finished_run("later", SCRATCH, state="training")
    reply = desk.ask("choices")
    assert (reply["runs"], reply["checkpoints"]) == (["dents"], ["old"])
    assert (reply["serving"], reply["user"]) == (None, None)
    assert reply["goldens"] == [
        {"name": "tiny.json", "dataset": "tiny", "split": "val", "pictures": 2, "error": None}
    ]
    serve_old(desk)
    reply = desk.ask("choices")
    assert (reply["checkpoints"], reply["serving"]) == ([], "old")


def test_the_first_that_serves_is_compared_with_nothing(desk, folder):
    reply = desk.compared("old", "checkpoint")
    assert (reply["parent"], reply["comparison"], reply["finished"]) == (None, None, True)
    assert (reply["name"], reply["fixed_name"]) == ("old", True)
    assert reply["notes"] == [
        "old: no pictures of its training lie beside it, so that nobody can tell here whether the "
        "golden set was trained on"
    ]
    assert desk.promote(reply)["promoted"] == "old"
    entry = Registry(folder).serving()
    assert (entry.checkpoint, entry.by, entry.why) == ("old", "Ada", "finds dents")
    assert entry.exam["golden"] is True
    assert desk.backend.checkpoints.first() == "old"


def test_what_lies_in_the_folder_keeps_its_name(desk, folder):
    # No name that the page would give, but the file is there.
    (folder / "old.safetensors").rename(folder / "№ 1 {old}.safetensors")
    reply = desk.compared("№ 1 {old}", "checkpoint")
    assert desk.promote(reply, name="another")["promoted"] == "№ 1 {old}"
    assert [path.name for path in folder.glob("*.safetensors")] == ["№ 1 {old}.safetensors"]


def test_the_comparison_is_that_of_the_command(desk, finished_run, runner, folder, tmp_path):
    serve_old(desk)
    known = fingerprint(SegmentationDataset(tmp_path / "data" / "tiny-dataset", "val"))
    candidate = finished_run(
        "dents",
        SOUND,
        parent=f"old {short_hash(folder / 'old.safetensors')}",
        data={"fingerprint_val": known},
    )
    reply = desk.compared()
    assert "the candidate was trained on these 2 pictures of tiny, val" in reply["notes"][-1]
    assert (reply["parent"], reply["serving"], reply["title"]) == ("old", "old", "dents")
    assert reply["state"]["done"] == reply["state"]["total"] == 2
    target = tmp_path / "compared.json"
    words = [folder / "old.safetensors", candidate, tmp_path / "data" / "tiny.json"]
    result = runner.invoke(app, ["compare", *map(str, words), "--json", str(target)])
    assert result.exit_code == 1
    assert f"warning: {reply['notes'][-1]}\n" in result.stderr
    told = json.loads(target.read_text())
    kept = json.loads(Path(reply["files"]["json"]).read_text())
    # The command calls a file of a run by its name.
    assert kept | {"candidate": None} == told | {"candidate": None}
    shown = reply["comparison"]
    assert [row["name"] for row in shown["classes"]] == ["sound", "scratch"]
    assert all(row["color"].startswith("#") for row in shown["classes"])
    missed = shown["flips"]["newly_missed"]
    assert missed["total"] == 2
    assert [row["stem"] for row in missed["rows"]] == ["nested/c", "d"]
    assert missed["rows"][0]["box"] == [12, 16, 12, 16]
    assert shown["escape"]["pictures"]["after"]["count"] == 2
    # Both show a scratch, and the old one finds something everywhere.
    assert shown["flips"]["ended_alarms"] == {"total": 0, "rows": []}


def test_a_picture_with_its_mask_and_both_answers(desk, finished_run, tmp_path):
    serve_old(desk)
    finished_run("dents", SOUND)
    job = desk.compared()["job"]
    reply = desk.ask("picture", job=job, stem="nested/c")
    assert reply["error"] is None
    assert reply["image"] == {"name": "nested/c", "width": 48, "height": 64}
    labels = {
        layer: np.asarray(Image.open(reply["files"][layer]))
        for layer in ("truth", "before", "after")
    }
    mask = np.asarray(Image.open(tmp_path / "data/tiny-dataset/masks/nested/c.png"))
    assert np.array_equal(labels["truth"], mask)
    assert (labels["before"] == SCRATCH).all()
    assert (labels["after"] == SOUND).all()
    assert reply["ignore"] == 255
    assert reply["background"] == 0
    full = np.asarray(Image.open(reply["files"]["full"]))
    assert np.array_equal(full, Image.open(tmp_path / "data/tiny-dataset/images/nested/c.png"))
    for path in reply["files"].values():
        assert Path(path).is_relative_to(tmp_path / "private")
    Path(reply["files"]["after"]).unlink()
    again = desk.ask("picture", job=job, stem="nested/c")
    assert again["error"] == "the answers are no longer here; compare again"
    # Names are compared with what the lists hold.
    for stem in ("a", "../d", "", None, 3, "x" * 9999):
        assert "no answers to" in desk.ask("picture", job=job, stem=stem)["error"]


def test_newly_missed_defects_need_a_reason(desk, finished_run, folder):
    serve_old(desk)
    finished_run("dents", SOUND)
    reply = desk.compared()
    assert desk.promote(reply)["error"] == (
        "dents: 2 defects are newly missed; look at them, correct and retrain, or accept that with "
        "a reason"
    )
    assert desk.promote(reply, accept=" \n")["error"] == (
        "the reason to accept misses is empty; say it in a few words, others will read it"
    )
    assert Registry(folder).serving().checkpoint == "old"
    assert desk.promote(reply, accept="hairlines are allowed now")["promoted"] == "dents"
    entry = Registry(folder).serving()
    assert (entry.accepted, entry.before) == ("hairlines are allowed now", "old")
    assert len(entry.comparison["flips"]["newly_missed"]) == 2
    # The page opens with it.
    assert [entry.name for entry in desk.backend.checkpoints.entries()] == ["dents", "old"]


def test_who_is_logged_in_counts(make_desk, folder):
    desk = make_desk(user="anna")
    reply = desk.compared("old", "checkpoint")
    assert reply["user"] == "anna"
    desk.promote(reply, by="somebody else")
    assert Registry(folder).serving().by == "anna"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"by": ""}, "the name is empty; say it in a few words, others will read it"),
        ({"by": "x" * 101}, "the name has 101 letters; say it in 100 or fewer"),
        ({"by": ["Ada"]}, "the name is empty"),
        ({"why": "  "}, "the reason is empty"),
        ({"why": "\u202e"}, "the reason is empty"),
        ({"why": "x" * 2001}, "the reason has 2,001 letters"),
        ({"name": "../x"}, "'../x': no name for a checkpoint; give up to 100 letters"),
        ({"name": ".hidden"}, "'.hidden': no name for a checkpoint"),
        ({"name": ""}, "'': no name for a checkpoint"),
        ({"name": {}}, "'': no name for a checkpoint"),
        ({"name": "OLD"}, "OLD: is there already and another checkpoint; nothing is overwritten"),
    ],
)
def test_forged_words_are_refused(desk, finished_run, folder, fields, sentence):
    finished_run("dents", SCRATCH, shade=1)
    reply = desk.compared()
    assert desk.promote(reply, **fields)["error"].startswith(sentence)
    assert [path.name for path in folder.iterdir()] == ["old.safetensors"]


def test_a_name_that_is_taken_gets_a_number(desk, finished_run, folder):
    finished_run("Old", SCRATCH, shade=1)
    reply = desk.compared("Old")
    assert (reply["name"], reply["fixed_name"]) == ("Old-2", False)
    before = (folder / "old.safetensors").read_bytes()
    assert desk.promote(reply)["promoted"] == "Old-2"
    assert (folder / "old.safetensors").read_bytes() == before


def test_of_two_people_the_second_is_told(desk, finished_run, folder):
    serve_old(desk)
    for shade, name in enumerate(("one", "two"), start=1):
        finished_run(name, SCRATCH, shade=shade)
    first, second = desk.compared("one"), desk.compared("two")
    assert desk.promote(first, by="Eve")["error"] is None
    assert (
        "Eve has made one serve meanwhile; compare the candidate" in desk.promote(second)["error"]
    )
    assert Registry(folder).serving().checkpoint == "one"
    assert desk.promote(desk.compared("two"))["before"] == "one"


def test_a_candidate_that_was_trained_on_the_golden_set(desk, finished_run, tmp_path):
    serve_old(desk)
    finished_run("dents", SCRATCH, shade=1)
    data = tmp_path / "runs/dents/data"
    shutil.copytree(tmp_path / "data/tiny-dataset", data)
    write_splits(data, {"train": ["a", "d"], "val": ["b"]})
    reply = desk.compared()
    assert reply["state"]["status"] == "failed"
    assert reply["state"]["error"].startswith(
        "dents: was trained on pictures of the golden set (tiny train: d is tiny val: d)"
    )
    assert reply["state"]["error"].endswith(
        "retrain it, and choose this golden set in the form above"
    )
    assert desk.promote(reply, name="dents")["error"].startswith("the comparison has not come to")
    write_splits(data, {"train": ["a"], "val": ["d"]})
    notes = desk.compared()["notes"]
    assert "its best epoch was chosen by pictures of the golden set" in notes[-1]


def test_a_golden_set_that_changed_is_refused(desk, tmp_path):
    (tmp_path / "data/tiny-dataset/masks/d.png").write_bytes(b"x")
    reply = desk.compared("old", "checkpoint")
    assert reply["state"]["status"] == "failed"
    assert "'d': its mask has changed" in reply["state"]["error"]
    assert "not come to its end" in desk.promote(reply, name="old")["error"]


def test_others_get_their_turn_and_it_can_be_stopped(desk, finished_run):
    serve_old(desk)
    finished_run("dents", SOUND)
    with desk.backend.checkpoints.turns.enter() as ticket:
        assert ticket.wait(10)
        job = desk.start()["job"]
        desk.ask("stop", job=job)
        reply = desk.done(job)
    assert reply["state"]["status"] == "stopped"
    assert (reply["finished"], reply["comparison"]) == (False, None)
    assert "not come to its end" in desk.promote(reply, name="dents")["error"]
    assert "not come to its end" in desk.ask("picture", job=job, stem="d")["error"]


def test_it_stops_between_two_pictures(desk, finished_run):
    serve_old(desk)
    finished_run("dents", SOUND)
    steps = CandidateComparison(
        desk.backend.checkpoints,
        desk.backend.runs / "dents" / "best.safetensors",
        "dents",
        desk.backend.folders.root / "tiny.json",
        golden_name="tiny.json",
        title="dents",
        folder=desk.backend.storage.new_result(),
    ).run()
    told = [next(steps)]
    while told[-1].done < 1:
        told.append(steps.send(False))
    assert told[-1] == Progress(1, 2, "nested/c")
    with pytest.raises(StopIteration):
        steps.send(True)
    assert not desk.backend.checkpoints.turns.busy


@pytest.mark.parametrize(
    ("candidate", "golden", "sentence"),
    [
        (None, "tiny.json", "no candidate was chosen"),
        ({"kind": "run", "name": "../private"}, "tiny.json", "no retraining is called"),
        ({"kind": "run", "name": ["x"]}, "tiny.json", "no retraining is called"),
        ({"kind": "checkpoint", "name": "../x"}, "tiny.json", "no checkpoint is called '../x'"),
        ({"kind": "checkpoint", "name": 3}, "tiny.json", "no candidate was chosen"),
        ({"kind": "checkpoint", "name": "old"}, "../tiny.json", "no golden set is called"),
        ({"kind": "checkpoint", "name": "old"}, None, "no golden set is called 'None'; known are"),
        ({"kind": "checkpoint", "name": "old"}, {}, "no golden set is called '{}'"),
    ],
)
def test_forged_requests_reach_nothing(desk, candidate, golden, sentence):
    assert sentence in desk.ask("start", candidate=candidate, golden=golden)["error"]


def test_a_retraining_that_is_not_finished_has_no_candidate(desk, finished_run):
    finished_run("dents", SCRATCH, state="stopped")
    assert desk.start()["error"] == (
        "dents: is stopped, and only what is finished has a candidate; wait for its end, or "
        "resume it"
    )


@pytest.mark.parametrize("action", ["choices", "start", "watch", "stop", "picture", "promote"])
def test_a_page_that_promotes_nothing_refuses_all(make_desk, action):
    reply = make_desk(runs=None).ask(action, candidate={"kind": "checkpoint", "name": "old"})
    assert reply["error"] == "this page promotes nothing; start it with --runs DIR"


@pytest.mark.parametrize("content", [None, [], "x", {"action": []}, {"action": "rm"}, {"job": {}}])
def test_forged_questions_are_refused(desk, content):
    *_, reply = desk.promoter.answer(content)
    assert reply["error"] == "the page asked for something unknown; reload it"
    assert desk.ask("watch", job={})["error"].startswith("this job is no longer here")


def test_golden_sets_are_found_below_the_data_alone(desk, tmp_path):
    data = tmp_path / "data"
    (data / "other.json").write_text('{"images": []}')
    (data / "broken.json").write_text('{"golden": 1, "pictures"')
    (data / ".hidden.json").symlink_to(data / "tiny.json")
    (data / "link.json").symlink_to(tmp_path / "private")
    listed = {one["name"]: one["error"] for one in desk.ask("choices")["goldens"]}
    assert listed.keys() == {"tiny.json", "broken.json"}
    assert "no golden set (it does not parse)" in listed["broken.json"]
