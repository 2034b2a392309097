import errno
import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from segnet_res import Checkpoint, SegmentationDataset, Segmenter, evaluate
from segnet_res.checkpoint import short_hash
from segnet_res.data import fingerprint, locks
from segnet_res.data.locks import take
from segnet_res.data.splits import write_splits
from segnet_res.errors import DataError, StorageError, TrainingError
from segnet_res.evaluation import trained_on, training_fingerprints
from segnet_res.images import write_mask
from segnet_res.recipe import TrainConfig
from segnet_res.retraining import prepare, probe
from segnet_res.retraining import run as runs
from segnet_res.retraining.folder import RetrainFolder
from segnet_res.retraining.golden_making import make_golden
from segnet_res.retraining.plan import Speed
from segnet_res.retraining.state import Progress, Request
from segnet_res.retraining.turns import LOCK_NAME, wait_for_turn
from segnet_res.retraining.work import work
from segnet_res.training import RunFolder, train_events

QUICK = {"epochs": 2, "steps": 2, "batch": 2, "crop": 32, "workers": 0, "device": "cpu"}

pytestmark = pytest.mark.usefixtures("no_curves", "short_lesson")


@pytest.fixture
def short_lesson(monkeypatch):
    monkeypatch.setattr(probe, "_STEPS", 2)


@pytest.fixture
def request_all(tiny_checkpoint, new_dataset, tiny_dataset):
    return Request(tiny_checkpoint, new_dataset, bases=(tiny_dataset,), options=QUICK)


def asked(path, request):
    run = RetrainFolder(path)
    run.ask(request)
    return run


def assert_equal_weights(one, other):
    first, second = (Checkpoint.load(run.path / "last.safetensors").tensors for run in (one, other))
    assert [key for key in first if not torch.equal(first[key], second[key])] == []


def test_a_candidate_knows_where_it_comes_from(tmp_path, request_all, tiny_checkpoint):
    seen = SegmentationDataset(request_all.bases[0], "val")  # as the parent of a final training has
    parent = Checkpoint.load(tiny_checkpoint)
    data = parent.metadata.data | {"fingerprint_val": fingerprint(seen)}
    replace(parent, metadata=replace(parent.metadata, data=data)).save(tiny_checkpoint)
    run = asked(tmp_path / "run", request_all)
    told = list(work(run, 7))
    states = list(dict.fromkeys(one.state for one in told))
    assert states == ["preparing", "training", "finished"]
    first = next(one for one in told if one.state == "training")
    assert first.of == 4
    assert first.estimate > 0
    steps = [one.step for one in told if one.doing == "training"]
    assert steps == sorted(steps)
    assert steps[-1] == 4

    last = runs.status(run.path)
    assert (last.state, last.step, last.ticket) == ("finished", 4, 7)
    assert [row["epoch"] for row in last.metrics] == [1, 2]
    assert any("the parent was trained on val of tiny as well" in note for note in last.notes)
    assert not any("val of dents" in note for note in last.notes)
    assert {"loss", "miou", "iou_sound", "iou_dent", "iou_scratch"} <= last.metrics[0].keys()

    meta = Checkpoint.load(run.path / "best.safetensors").metadata
    assert meta.class_map.names == ("sound", "dent", "scratch")
    assert (meta.channels, meta.mean, meta.std) == (1, (60.0,), (50.0,))
    assert meta.parent == f"tiny {short_hash(tiny_checkpoint)}"
    assert meta.recipe["retrained"]["added"] == ["dent"]
    assert meta.recipe["lr"] == TrainConfig().lr  # that of a first training: dents are new
    assert meta.data["fingerprint"] == fingerprint(SegmentationDataset(run.data, "train"))
    assert [(one["name"], one["train"]) for one in meta.data["sources"]] == [
        ("dents", 2),
        ("tiny", 2),
    ]
    old = SegmentationDataset(request_all.bases[0], "train")
    assert meta.data["sources"][1]["fingerprint"] == fingerprint(old)
    assert "path" not in meta.data["sources"][0]  # where it lay is nobody's business
    assert sum(meta.class_shares) == pytest.approx(1)
    # It can be scored on the new dataset as it is.
    segmenter = Segmenter.from_checkpoint(run.path / "best.safetensors", device="cpu")
    assert evaluate(segmenter, SegmentationDataset(request_all.dataset, "val")).miou > 0

    # Nobody takes its scores on these for more than they are.
    trained = [(request_all.dataset, "train"), (request_all.bases[0], "train")]
    for root, split in [*trained, (request_all.bases[0], "val")]:
        assert "its scores flatter" in trained_on(segmenter, SegmentationDataset(root, split))
    assert trained_on(segmenter, SegmentationDataset(request_all.dataset, "val")) is None

    # Its own candidate remembers both.
    again = asked(
        tmp_path / "again",
        replace(
            request_all, checkpoint=run.path / "best.safetensors", options=QUICK | {"epochs": 1}
        ),
    )
    list(work(again, 8))
    grandchild = Checkpoint.load(again.path / "best.safetensors").metadata
    assert grandchild.data["ancestors"] == [meta.parent]
    assert training_fingerprints(meta.data) <= training_fingerprints(grandchild.data)
    assert grandchild.recipe["retrained"]["added"] == []
    assert grandchild.recipe["lr"] == pytest.approx(1.25e-4)


def test_what_was_renamed_before_stays_so(tmp_path, request_all, tiny_checkpoint):
    parent = Checkpoint.load(tiny_checkpoint)
    renamed = {"scratch": "groove"}
    classes = replace(parent.metadata.class_map, names=("sound", "groove"))
    metadata = replace(
        parent.metadata, class_map=classes, recipe={"retrained": {"renamed": renamed}}
    )
    replace(parent, metadata=metadata).save(tiny_checkpoint)
    run = asked(tmp_path / "run", request_all)
    list(prepare.prepare(run, run.read_request()))
    # Both datasets go on to call it a scratch.
    assert SegmentationDataset(run.data, "train").class_map.names == ("sound", "dent", "groove")
    assert run.read_plan()["classes"] == {
        "added": ["dent"], "renamed": {}, "dropped": {},
        "earlier": {"renamed": renamed, "dropped": {}},
    }  # fmt: skip


def test_a_stopped_retraining_ends_as_an_uninterrupted_one(tmp_path, request_all):
    whole, broken = asked(tmp_path / "whole", request_all), asked(tmp_path / "broken", request_all)
    list(work(whole, 1))
    for now in work(broken, 2):
        if now.epoch == 2:
            broken.stop.touch()
    stopped = runs.status(broken.path)
    assert (stopped.state, stopped.doing) == ("stopped", "it can be resumed")
    assert not broken.stop.exists()
    # What the datasets have become since does not matter, nor where the folder lies.
    broken = RetrainFolder(broken.path.rename(tmp_path / "moved"))
    (request_all.dataset / "masks" / "p.png").unlink()
    list(work(broken, 3))
    assert runs.status(broken.path).state == "finished"
    assert_equal_weights(whole, broken)
    with pytest.raises(TrainingError, match="is finished; its candidate is best"):
        runs.resume(broken.path)
    # A plain training would draw new and old pictures alike.
    config = RunFolder(broken.path).read_config()
    with pytest.raises(TrainingError, match=r"is a retraining; go on with `segnet-res retrain --"):
        next(train_events(config, broken.data, broken.path, resume=True))


def test_killed_before_its_first_epoch_is_whole_it_begins_again(tmp_path, request_all):
    whole, broken = asked(tmp_path / "whole", request_all), asked(tmp_path / "broken", request_all)
    list(work(whole, 1))
    told = work(broken, 2)
    next(one for one in told if one.step)
    told.close()
    # As if it had been killed between the checkpoint and the state of the epoch.
    RunFolder(broken.path).best.write_bytes(b"half an epoch")
    list(work(broken, 3))
    assert_equal_weights(whole, broken)


def test_a_failure_is_told_and_mended(tmp_path, request_all, tiny_dataset):
    copied = tiny_dataset / "images" / "d.png"
    kept = copied.read_bytes()
    (request_all.dataset / "images" / "p.png").write_bytes(kept)
    mask = (tiny_dataset / "masks" / "d.png").read_bytes()
    (request_all.dataset / "masks" / "p.png").write_bytes(mask)
    run = asked(tmp_path / "run", request_all)
    with pytest.raises(DataError, match="dents train: p is tiny val: d"):
        list(work(run, 1))
    failed = runs.status(run.path)
    assert failed.state == "failed"
    assert "dents train: p is tiny val: d" in failed.doing
    assert not run.data.exists()

    left = asked(tmp_path / "left", replace(request_all, leave_out=True))
    told = list(work(left, 2))
    assert "left out of the training: dents train: p is tiny val: d" in told[-1].notes
    assert SegmentationDataset(left.data, "train").stems == ("new/q", "base1/a", "base1/b")


def test_a_corrected_mask_takes_the_place_of_the_old_one(tmp_path, request_all, tiny_dataset):
    # Of "d", which is validated on, nothing was corrected: scratches only have another label.
    for new, old, labels in (("p", "a", [1, 1]), ("r", "d", [0, 2])):
        picture = (tiny_dataset / "images" / f"{old}.png").read_bytes()
        (request_all.dataset / "images" / f"{new}.png").write_bytes(picture)
        with Image.open(tiny_dataset / "masks" / f"{old}.png") as image:
            mask = np.asarray(image)
        table = np.array([*labels, *range(2, 256)], np.uint8)
        write_mask(request_all.dataset / "masks" / f"{new}.png", table[mask])
    run = asked(tmp_path / "run", replace(request_all, options=QUICK | {"epochs": 1}))
    told = list(work(run, 1))
    assert SegmentationDataset(run.data, "train").stems == ("new/p", "new/q", "base1/b")
    assert SegmentationDataset(run.data, "val").stems == ("new/r", "base1/nested/c")
    assert [note for note in told[-1].notes if "replaced" in note] == [
        "replaced by its newer mask: tiny train: a is dents train: p"
    ]


def test_a_copy_with_corrections_counts_once_in_every_split(tmp_path, request_all, tiny_dataset):
    copy = shutil.copytree(tiny_dataset, tmp_path / "copy")
    with Image.open(copy / "masks" / "d.png") as image:
        corrected = np.asarray(image) * 0
    write_mask(copy / "masks" / "d.png", corrected)
    options = QUICK | {"epochs": 1}
    run = asked(tmp_path / "run", replace(request_all, dataset=copy, options=options))
    told = list(work(run, 1))
    val = SegmentationDataset(run.data, "val")
    assert SegmentationDataset(run.data, "train").stems == ("new/a", "new/b")
    assert val.stems == ("new/nested/c", "new/d")
    assert np.array_equal(val.read_labels(1), corrected)
    assert told[-1].notes == ("replaced by its newer mask: tiny val: d is tiny val: d",)
    # What counts no more in val is measured by all the same, and stays untrained.
    write_splits(copy, {"train": ["a", "b", "d"], "val": ["nested/c"]})
    again = asked(tmp_path / "again", replace(request_all, dataset=copy, options=options))
    with pytest.raises(DataError, match="tiny train: d is tiny val: d"):
        list(work(again, 2))


def test_no_copy_of_a_golden_picture_is_trained_on(tmp_path, request_all, tiny_dataset):
    make_golden(tiny_dataset, "val", tmp_path / "golden.json")
    # Another file with the same picture.
    with Image.open(tiny_dataset / "images" / "d.png") as image:
        image.convert("RGB").save(request_all.dataset / "images" / "q.png")
        labels = np.zeros((image.height, image.width), np.uint8)
    write_mask(request_all.dataset / "masks" / "q.png", labels)
    request = replace(request_all, bases=(), goldens=(tmp_path / "golden.json",))
    with pytest.raises(DataError, match=r"\(dents train: q is tiny val: d\), and the scores"):
        list(work(asked(tmp_path / "run", request), 1))
    # Also where somebody has corrected a mask of the golden set since.
    mask = tiny_dataset / "masks" / "nested" / "c.png"
    with Image.open(mask) as image:
        write_mask(mask, np.zeros_like(np.asarray(image)))
    with pytest.raises(DataError, match=r"\(dents train: q is tiny val: d\), and the scores"):
        list(work(asked(tmp_path / "again", request), 2))
    told = list(work(asked(tmp_path / "left", replace(request, leave_out=True)), 3))
    assert told[-1].state == "finished"
    assert "its mask has changed" in told[-1].notes[0]
    assert told[-1].notes[0].endswith("2 of its 2 pictures are there and kept out of the training")


def test_a_budget_of_time_sets_the_steps(tmp_path, request_all, monkeypatch):
    monkeypatch.setattr(prepare, "measure_speed", lambda *_: Speed(9.0, 0.0, 0.0))
    options = {key: value for key, value in QUICK.items() if key != "steps"}
    run = asked(tmp_path / "run", replace(request_all, minutes=0.8, options=options))
    told = work(run, 1)
    first = next(one for one in told if one.state == "training")
    told.close()
    # 43.2 of 48 seconds, for two epochs of as many steps of 9 seconds as fit.
    assert (first.of, first.estimate) == (4, 36.0)
    assert runs.status(run.path).state == "stopped"


def test_masks_without_a_label_are_named(tmp_path, request_all):
    for stem in "pq":
        write_mask(request_all.dataset / "masks" / f"{stem}.png", np.full((40, 36), 255, np.uint8))
    run = asked(tmp_path / "run", replace(request_all, bases=()))
    with pytest.raises(DataError, match="dents: no pixel of the pictures to train on is labelled"):
        list(work(run, 1))


def test_two_do_not_work_on_one(tmp_path, request_all):
    run = asked(tmp_path / "run", request_all)
    with run.holding():
        with pytest.raises(TrainingError, match="another process is working on it; look at it"):
            next(work(run, 1))
        assert run.held()
    assert not run.held()
    with pytest.raises(TrainingError, match="holds a retraining already; go on with --resume"):
        run.ask(request_all)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    with pytest.raises(StorageError, match="full: is there already and not empty; give --out a"):
        asked(tmp_path / "full", request_all)
    with pytest.raises(StorageError, match=r"thesis\.txt: is a file; give --out a folder"):
        asked(tmp_path / "full" / "thesis.txt", request_all)


def test_of_two_who_go_on_at_once_both_hear_that_it_goes_on(tmp_path, request_all, monkeypatch):
    run = asked(tmp_path / "run", request_all)
    run.write_progress(Progress("stopped", ticket=1, step=2))

    class Refused:
        """A process that has found the run held and ended."""

        def __init__(self, *_, **__):
            run.write_progress(Progress("training", ticket=2, step=2))

        def poll(self):
            return 2

    monkeypatch.setattr(runs.subprocess, "Popen", Refused)
    with run.holding():
        assert runs.resume(run.path).ticket == 2
    with pytest.raises(TrainingError, match="no process of its own could be started"):
        runs.resume(run.path)


def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch):
    def no_locks(*_, **__):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks, "lock_file", no_locks)
    with pytest.raises(StorageError, match=r"cannot be locked \(No locks available\), so that two"):
        take(tmp_path / "lock", patience=5)


def test_one_at_a_time_in_the_order_of_the_tickets(tmp_path, request_all):
    first, second, third = (asked(tmp_path / "runs" / name, request_all) for name in "cba")
    for ticket, run in enumerate((first, second, third), start=1):
        run.write_progress(Progress("waiting", ticket=ticket))
    with first.holding(), second.holding(), third.holding():
        turn = wait_for_turn(second, 2)
        assert next(turn) == "waiting for c"
        first.write_progress(Progress("training", ticket=9))
        assert next(turn) == "waiting for c"  # who works goes on, whatever his ticket
        first.write_progress(Progress("finished", ticket=1))
        with pytest.raises(StopIteration) as stop:
            next(turn)
        with stop.value.value:
            last = wait_for_turn(third, 3)
            assert next(last) == "waiting for b"
            # Not even when the other one has not said yet that it works.
            second.write_progress(Progress("stopped", ticket=2))
            assert next(last) == "waiting for another retraining"
            third.stop.touch()
            with pytest.raises(StopIteration) as stop:
                next(last)
            assert stop.value.value is None
    assert list(runs.runs(tmp_path / "runs")) == ["c", "b", "a"]
    assert take(tmp_path / "runs" / LOCK_NAME).close() is None


def test_the_retraining_of_another_user_is_seen_to_work(tmp_path, request_all, monkeypatch):
    run = asked(tmp_path / "run", request_all)
    run.write_progress(Progress("training", ticket=1))
    opened = Path.open

    def for_reading(path, mode="r", *args, **options):
        if set(mode) & set("wax+"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path, mode, *args, **options)

    with run.holding():
        monkeypatch.setattr(Path, "open", for_reading)
        assert runs.status(run.path).state == "training"


def test_a_process_that_was_killed_could_not_say_so(tmp_path, request_all):
    run = asked(tmp_path / "run", request_all)
    assert run.read_progress().state == "stopped"
    run.write_progress(Progress("training", ticket=1, step=5, of=6))
    found = runs.status(run.path)
    assert (found.state, found.step) == ("interrupted", 5)
    assert abs(found.updated - time.time()) < 60
    run.progress.write_text(json.dumps({"state": "training"}))
    with pytest.raises(TrainingError, match=r"progress\.json: damaged"):
        runs.status(run.path)
    with pytest.raises(TrainingError, match="no retraining is here"):
        runs.status(tmp_path / "nothing")
