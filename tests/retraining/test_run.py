"""Retrainings in processes of their own, killed, waiting, stopped and resumed."""

import os
import signal
import time
from dataclasses import replace

import pytest
import torch

from segnet_res import Checkpoint
from segnet_res.cli import app
from segnet_res.errors import CheckpointError, DataError, TrainingError, UsageError
from segnet_res.retraining import run as runs
from segnet_res.retraining.folder import RetrainFolder
from segnet_res.retraining.golden_making import make_golden
from segnet_res.retraining.state import Request
from segnet_res.retraining.work import work

QUICK = {"epochs": 3, "steps": 20, "batch": 2, "crop": 32, "workers": 0, "device": "cpu"}

pytestmark = pytest.mark.usefixtures("no_curves")


@pytest.fixture
def request_new(tiny_checkpoint, new_dataset):
    return Request(tiny_checkpoint, new_dataset, options=QUICK)


@pytest.fixture
def request_old(tiny_checkpoint, tiny_dataset):
    """More of the old classes: no new one needs a lesson, so that it starts sooner."""
    return Request(tiny_checkpoint, tiny_dataset, options=QUICK)


def wait_until(happened, seconds=300):
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_killed_it_is_resumed_to_the_same_weights_and_others_wait(tmp_path, runner, request_old):
    root = tmp_path / "runs"
    killed, waiting = root / "killed", root / "waiting"
    options = [f"--{name}={value}" for name, value in QUICK.items()]
    given = [str(request_old.checkpoint), str(request_old.dataset), "--out", str(killed)]
    started = runner.invoke(app, ["retrain", *given, *options, "--background"])
    assert started.exit_code == 0
    assert f"look at it with: segnet-res retrain --out {killed} --status" in started.stderr
    assert runs.status(killed).process != os.getpid()
    wait_until(lambda: runs.status(killed).state != "waiting")
    assert runs.start(waiting, request_old).active
    wait_until(lambda: runs.status(waiting).doing == "waiting for killed")
    assert list(runs.runs(root)) == ["killed", "waiting"]
    assert runs.stop(waiting, wait=60).state == "stopped"

    wait_until((killed / "state.pt").exists)
    os.kill(runs.status(killed).process, signal.SIGKILL)
    wait_until(lambda: not runs.status(killed).active)
    assert runs.status(killed).state == "interrupted"
    assert runs.status(killed).step < 60

    # The one that waited is resumed in a process of its own, and the killed one in this.
    assert runs.resume(waiting).active
    with pytest.raises(TrainingError, match="already; stop it first: segnet-res retrain --out"):
        runs.resume(waiting)
    assert runs.stop(waiting, wait=60).state == "stopped"
    list(work(RetrainFolder(killed), 2))
    whole = RetrainFolder(tmp_path / "elsewhere" / "whole")
    whole.ask(request_old)
    list(work(whole, 1))
    last = runs.status(killed)
    assert (last.state, last.step, len(last.metrics)) == ("finished", 60, 3)
    one, other = (
        Checkpoint.load(path / "last.safetensors").tensors for path in (killed, whole.path)
    )
    assert [key for key in one if not torch.equal(one[key], other[key])] == []
    assert (killed / "log.txt").read_text() == ""


def test_what_is_wrong_is_said_before_anything_starts(tmp_path, request_new, tiny_dataset):
    def refused(error, message, **changes):
        with pytest.raises(error, match=message):
            runs.start(tmp_path / "run", replace(request_new, **changes))
        assert not (tmp_path / "run").exists()

    refused(UsageError, r"--new-share is 0; give a share above 0", new_share=0.0)
    refused(
        UsageError,
        "--new-share is 1, so that nothing of --base",
        new_share=1,
        bases=(tiny_dataset,),
    )
    for minutes in (-1, float("inf"), float("nan")):
        message = f"--minutes is {minutes:g}; give a number above 0"
        refused(UsageError, message, minutes=minutes)
    refused(UsageError, "--minutes and --steps exclude each other", minutes=1)
    refused(UsageError, "crop is 33, give a multiple of 32", options={"crop": 33})
    refused(UsageError, "no class of the parent is called 'dent'", renamed={"dent": "x"})
    refused(UsageError, "is given more than once", bases=(request_new.dataset,))
    refused(DataError, "no such folder; give the folder that holds", dataset=tmp_path / "none")
    refused(DataError, "no golden set", goldens=(request_new.dataset / "dataset.yaml",))
    refused(CheckpointError, "cannot be read", checkpoint=tmp_path / "none.safetensors")


OPTIONS = [
    *("--crop=32", "--batch=2", "--steps=2", "--epochs=2", "--workers=0", "--device=cpu"),
]


def test_the_command_from_beginning_to_end(
    tmp_path, runner, tiny_checkpoint, new_dataset, tiny_dataset
):
    out = tmp_path / "run"
    given = [str(tiny_checkpoint), str(new_dataset), "--out", str(out), *OPTIONS]
    options = ["--rename=scratch=groove", "--drop=groove"]
    refused = runner.invoke(app, ["retrain", *given, *options])
    assert refused.exit_code == 2
    assert "no class of the parent is called 'groove'" in refused.stderr

    golden, _ = make_golden(tiny_dataset, "val", tmp_path / "golden.json")
    options = [f"--base={tiny_dataset}", "--rename=scratch=groove", f"--golden={golden.path}"]
    done = runner.invoke(
        app, ["retrain", *given, *options, "--new-share=0.7", "--seed=4", "--by=Ada"]
    )
    assert done.exit_code == 0, done.output
    assert "4 steps in 2 epochs, " in done.output
    assert "epoch 2/2  loss " in done.output
    assert "best.safetensors" in done.output
    meta = Checkpoint.load(out / "best.safetensors").metadata
    # The new dataset still has the old name, which means the same.
    assert meta.class_map.names == ("sound", "dent", "groove")
    assert meta.recipe["retrained"]["renamed"] == {"scratch": "groove"}
    assert meta.recipe["retrained"]["new_share"] == 0.7
    assert meta.recipe["seed"] == 4
    assert RetrainFolder(out).read_request().by == "Ada"

    shown = runner.invoke(app, ["checkpoints", "show", str(out / "best.safetensors")]).output
    assert "learnt from      dents (new, 2 pictures), tiny (base, 2 pictures)\n" in shown
    assert "classes added    dent\nclasses renamed  scratch=groove\n" in shown

    looked = runner.invoke(app, ["retrain", "--out", str(out), "--status"])
    assert looked.exit_code == 0
    assert "finished, the candidate is best.safetensors; step 4 of 4; best mIoU" in looked.output
    assert runner.invoke(app, ["retrain", "--out", str(out), "--stop"]).stdout == looked.stdout
    again = runner.invoke(app, ["retrain", "--out", str(out), "--resume"])
    assert again.exit_code == 2
    assert "is finished; its candidate is best.safetensors" in again.stderr


def test_a_golden_set_is_not_trained_on(tmp_path, runner, tiny_checkpoint, tiny_dataset):
    golden, _ = make_golden(tiny_dataset, "val", tmp_path / "golden.json")
    # Somebody moves its picture into the training split.
    (tiny_dataset / "splits" / "train.txt").write_text("a\nd\n")
    (tiny_dataset / "splits" / "val.txt").write_text("nested/c\n")
    given = [str(tiny_checkpoint), str(tiny_dataset), "--out", str(tmp_path / "run"), *OPTIONS]
    done = runner.invoke(app, ["retrain", *given, "--golden", str(golden.path)])
    assert done.exit_code == 2
    assert "tiny train: d is tiny val: d" in done.stderr
    looked = runner.invoke(app, ["retrain", "--out", str(tmp_path / "run"), "--status"])
    assert looked.exit_code == 2
    assert "failed, pictures that are there to measure by" in looked.output
    # What the sentence offers can be had without asking for everything again.
    resumed = ["retrain", "--out", str(tmp_path / "run"), "--resume", "--leave-out"]
    done = runner.invoke(app, resumed)
    assert done.exit_code == 0, done.output
    assert "left out of the training: tiny train: d is tiny val: d" in done.output
    assert "is finished; its candidate" in runner.invoke(app, resumed).stderr


def test_what_is_frozen_cannot_be_left_out_any_more(tmp_path, request_old):
    run = RetrainFolder(tmp_path / "run")
    with pytest.raises(TrainingError, match="no retraining is here"):
        run.leave_out()
    run = RetrainFolder(tmp_path / "another")
    run.ask(request_old)
    run.write_plan({"notes": []})
    with pytest.raises(TrainingError, match="its data are frozen, nothing can be left out"):
        runs.resume(run.path, leave_out=True)
    assert run.read_request().leave_out is False


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--status --stop", "--status and --stop exclude each other; choose one"),
        ("a.safetensors b --resume", "give --out alone, without "),
        ("--resume --golden g.json", "give --out alone, without golden"),
        ("--resume --epochs 3 --background", "give --out alone, without epochs"),
        ("--status --leave-out", "give --out alone, without leave-out"),
        ("--stop --minutes 3", "--stop knows its checkpoint and dataset and all options; give"),
        ("a.safetensors", "checkpoint or dataset is missing; give both"),
        ("a.safetensors b --rename crack", "--rename is 'crack'; write OLD=NEW"),
        ("--status", "no retraining is here"),
    ],
)
def test_wrong_usage_of_the_command(tmp_path, runner, arguments, message):
    done = runner.invoke(app, ["retrain", "--out", str(tmp_path / "run"), *arguments.split()])
    assert done.exit_code == 2
    assert message in done.stderr
