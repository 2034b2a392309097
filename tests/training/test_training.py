import csv
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from segnet_res import Checkpoint, SegmentationDataset, Segmenter, TrainConfig, evaluate, train
from segnet_res.checkpoint import Metadata
from segnet_res.cli import app
from segnet_res.errors import (
    CheckpointError,
    DataError,
    DeviceError,
    ImageError,
    StorageError,
    TrainingError,
    UsageError,
)
from segnet_res.models import build_model
from segnet_res.training import Epoch, RunFolder, Step, Validation, train_events
from segnet_res.training.loop import _Trainer
from segnet_res.training.setup import prepare
from tests.conftest import TINY_CLASSES

QUICK = TrainConfig(
    arch="ressegnet-tiny", epochs=3, steps=4, batch=2, crop=32, workers=0, device="cpu", lr=5e-3
)


def tensors(path):
    return Checkpoint.load(path).tensors


def assert_equal_weights(one, other):
    first, second = tensors(one), tensors(other)
    assert first.keys() == second.keys()
    assert [key for key in first if not torch.equal(first[key], second[key])] == []


def test_a_run_writes_everything_and_learns(tiny_dataset, tmp_path):
    config = TrainConfig(**(QUICK.to_dict() | {"epochs": 8, "steps": 10}))
    run = RunFolder(tmp_path / "run")
    epochs = list(train(config, tiny_dataset, run.path, licence="free to use"))
    assert [epoch.number for epoch in epochs] == list(range(1, 9))
    assert epochs[-1].loss < epochs[0].loss
    best = max(epoch.scores.miou for epoch in epochs)
    assert best > 0.7  # the scratch is bright: not learning would give about 0.4

    metadata = Checkpoint.load(run.best).metadata
    assert metadata.scores["miou"] == best
    assert metadata.recipe["crop"] == 32
    assert metadata.licence == "free to use"
    assert metadata.data["name"] == "tiny"
    assert metadata.data["images"] == 2
    assert sum(metadata.class_shares) == pytest.approx(1)
    # The scores are those that the command gives.
    segmenter = Segmenter.from_checkpoint(run.best, device="cpu")
    scores = evaluate(segmenter, SegmentationDataset(tiny_dataset, "val"))
    assert scores.to_dict() == Checkpoint.load(run.best).metadata.scores | {
        "classes": scores.to_dict()["classes"],
        "confusion": scores.to_dict()["confusion"],
    }
    rows = list(csv.DictReader(run.metrics.read_text().splitlines()))
    assert [float(row["miou"]) for row in rows] == [epoch.scores.miou for epoch in epochs]
    assert {"iou_sound", "iou_scratch", "loss", "lr", "images_per_second"} <= rows[0].keys()
    with Image.open(run.curves) as picture:
        assert picture.format == "PNG"
    assert list(run.path.glob("events.out.tfevents.*"))


def test_events_count_steps_and_pictures(tiny_dataset, tmp_path):
    config = TrainConfig(**(QUICK.to_dict() | {"epochs": 1}))
    events = list(train_events(config, tiny_dataset, tmp_path / "run"))
    assert [e.step for e in events if isinstance(e, Step)] == [1, 2, 3, 4]
    assert [e.done for e in events if isinstance(e, Validation)] == [1, 2]
    assert isinstance(events[-1], Epoch)


@pytest.mark.parametrize("stop_in", ["training", "validation"])
def test_a_resumed_run_ends_with_the_same_weights(tiny_dataset, tmp_path, stop_in):
    whole, broken = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "broken")
    whole_epochs = list(train(QUICK, tiny_dataset, whole.path))

    kind = Step if stop_in == "training" else Validation
    for event in train_events(QUICK, tiny_dataset, broken.path):
        if isinstance(event, kind) and event.epoch == 2:
            break  # in the middle of the second epoch
    epochs = list(train(QUICK, tiny_dataset, broken.path, resume=True))

    assert [epoch.number for epoch in epochs] == [2, 3]
    assert [epoch.loss for epoch in epochs] == [epoch.loss for epoch in whole_epochs[1:]]
    assert_equal_weights(whole.last, broken.last)
    assert_equal_weights(whole.best, broken.best)
    rows = list(csv.DictReader(broken.metrics.read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]


def test_a_run_that_starts_coarse_is_resumed_on_either_side(tiny_dataset, tmp_path, monkeypatch):
    config = TrainConfig(**(QUICK.to_dict() | {"crop": 64, "coarse": 0.67}))
    sizes = []
    step = _Trainer._step

    def noting(self, number, batch):
        sizes.append(batch.images.shape[-1])
        return step(self, number, batch)

    monkeypatch.setattr(_Trainer, "_step", noting)
    whole = RunFolder(tmp_path / "whole")
    list(train(config, tiny_dataset, whole.path))
    assert sizes == [32] * 8 + [64] * 4  # two epochs of three
    for epoch in (2, 3):
        broken = RunFolder(tmp_path / f"broken-{epoch}")
        for event in train_events(config, tiny_dataset, broken.path):
            if isinstance(event, Step) and event.epoch == epoch:
                break
        list(train(config, tiny_dataset, broken.path, resume=True))
        assert_equal_weights(whole.last, broken.last)


def test_a_final_run_trains_on_val_too_and_claims_no_score(tiny_dataset, tmp_path, runner):
    config, whole, broken = quick(final=True), RunFolder(tmp_path / "w"), RunFolder(tmp_path / "b")
    # What is in both by mistake counts once.
    train_file = tiny_dataset / "splits" / "train.txt"
    stems = [*train_file.read_text().split(), "d"]
    train_file.write_text("\n".join(stems))
    epochs = list(train(config, tiny_dataset, whole.path))
    assert [(epoch.scores, epoch.best) for epoch in epochs] == [(None, True)] * 3
    metadata = Checkpoint.load(whole.best).metadata
    assert (metadata.scores, metadata.recipe["epoch"], metadata.data["images"]) == (None, 3, 4)
    assert_equal_weights(whole.best, whole.last)
    rows = list(csv.DictReader(whole.metrics.read_text().splitlines()))
    assert [row["miou"] for row in rows] == [""] * 3
    with Image.open(whole.curves) as curves:
        assert curves.width < curves.height * 1.5  # the loss alone

    for event in train_events(config, tiny_dataset, broken.path):
        if isinstance(event, Step) and event.epoch == 2:
            break
    done = runner.invoke(app, ["train", "--out", str(broken.path), "--resume"])
    assert done.exit_code == 0, done.output
    assert "mIoU" not in done.output
    assert f"trained on train and val, not measured, epoch 3: {broken.best}" in " ".join(
        done.output.split()
    )
    assert_equal_weights(whole.last, broken.last)

    for split, count in (("train", 3), ("val", 2)):
        result = runner.invoke(
            app, ["evaluate", str(whole.best), str(tiny_dataset), "--split", split]
        )
        said = " ".join(result.stderr.split())
        assert f"trained on these {count} pictures of tiny, {split}" in said


def test_what_dropout_draws_is_the_same_in_a_resumed_run(tiny_dataset, tmp_path):
    config = quick(arch="smp:fpn-resnet18", epochs=2, steps=2, workers=1)
    whole, broken = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "broken")
    list(train(config, tiny_dataset, whole.path))
    next(train(config, tiny_dataset, broken.path))
    list(train(config, tiny_dataset, broken.path, resume=True))
    assert_equal_weights(whole.last, broken.last)


def test_workers_do_not_change_the_result(tiny_dataset, tmp_path):
    config = TrainConfig(**(QUICK.to_dict() | {"epochs": 1}))
    with_workers = TrainConfig(**(config.to_dict() | {"workers": 2}))
    list(train(config, tiny_dataset, tmp_path / "none"))
    list(train(with_workers, tiny_dataset, tmp_path / "two"))
    assert_equal_weights(RunFolder(tmp_path / "none").last, RunFolder(tmp_path / "two").last)


def command(dataset, out, *more):
    quick = QUICK.to_dict()
    options = [
        f"--{key}={quick[key]}" for key in ("arch", "batch", "crop", "workers", "device", "lr")
    ]
    return [sys.executable, "-m", "segnet_res", "train", str(dataset), "--out", str(out), *options,
            *more]  # fmt: skip


def start_and_stop(dataset, out, kind):
    """Start the command, and send it a signal once its first epoch is on the disk."""
    process = subprocess.Popen(
        command(dataset, out, "--epochs=4", "--steps=30"), stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 300
    while not (out / "state.pt").exists() and time.monotonic() < deadline:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    process.send_signal(kind)
    _, said = process.communicate(timeout=60)
    return process.returncode, said


def test_ctrl_c_says_how_to_go_on(tiny_dataset, tmp_path):
    code, said = start_and_stop(tiny_dataset, tmp_path / "run", signal.SIGINT)
    assert code == 130
    assert f"--out {tmp_path / 'run'} --resume" in said
    assert "Traceback" not in said


def test_a_killed_process_is_resumed_to_the_same_weights(tiny_dataset, tmp_path, runner):
    out = tmp_path / "killed"
    start_and_stop(tiny_dataset, out, signal.SIGKILL)
    done = runner.invoke(app, ["train", str(tiny_dataset), "--out", str(out), "--resume"])
    assert done.exit_code == 0, done.output
    assert "epoch 4/4" in done.output
    config = TrainConfig(**(QUICK.to_dict() | {"epochs": 4, "steps": 30}))
    list(train(config, tiny_dataset, tmp_path / "whole"))
    assert_equal_weights(tmp_path / "whole" / "last.safetensors", out / "last.safetensors")


def test_an_epoch_whose_state_was_not_written_is_done_again(tiny_dataset, tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    config = TrainConfig(**(QUICK.to_dict() | {"epochs": 1}))
    out = tmp_path / "cut"
    with monkeypatch.context() as patched:
        patched.setattr(RunFolder, "save_state", interrupt)
        with pytest.raises(KeyboardInterrupt):
            list(train(config, tiny_dataset, out))
    assert RunFolder(out).best.exists()
    assert not RunFolder(out).state.exists()
    list(train(config, tiny_dataset, out, resume=True))
    list(train(config, tiny_dataset, tmp_path / "whole"))
    assert_equal_weights(RunFolder(tmp_path / "whole").last, RunFolder(out).last)


def test_a_run_is_not_overwritten(tiny_dataset, tmp_path):
    list(train(TrainConfig(**(QUICK.to_dict() | {"epochs": 1})), tiny_dataset, tmp_path / "run"))
    with pytest.raises(TrainingError, match="holds a run already; go on with --resume"):
        list(train(QUICK, tiny_dataset, tmp_path / "run"))


def test_resume_refuses_other_options_and_other_data(tiny_dataset, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(TrainingError, match="no run to resume"):
        list(train(QUICK, tiny_dataset, out, resume=True))
    next(train(QUICK, tiny_dataset, out))
    other = TrainConfig(**(QUICK.to_dict() | {"lr": 1.0}))
    with pytest.raises(TrainingError, match=r"lr was 0\.005 and is 1\.0"):
        list(train(other, tiny_dataset, out, resume=True))
    mask = tiny_dataset / "masks" / "a.png"
    Image.fromarray(np.zeros((32, 32), np.uint8)).save(mask)
    with pytest.raises(TrainingError, match="the training split has changed"):
        list(train(QUICK, tiny_dataset, out, resume=True))
    RunFolder(out).state.write_bytes(b"no state")
    with pytest.raises(TrainingError, match=r"state\.pt: damaged; start a new run with --start"):
        list(train(QUICK, tiny_dataset, out, resume=True))
    RunFolder(out).config.write_text("{")
    with pytest.raises(TrainingError, match=r"config\.json: damaged"):
        list(train(QUICK, tiny_dataset, out, resume=True))


def test_resume_refuses_other_classes_and_channels(tiny_dataset, tmp_path):
    out = tmp_path / "run"
    next(train(QUICK, tiny_dataset, out))
    info = tiny_dataset / "dataset.yaml"
    text = info.read_text()
    for old, new, said in (
        ("name: scratch", "name: dent", "classes of the run were sound, scratch, those of"),
        ("channels: 1", "channels: 3", "channels of the run were 1, those of dataset.yaml are 3"),
    ):
        assert old in text
        info.write_text(text.replace(old, new))
        with pytest.raises(TrainingError, match=said):
            list(train(QUICK, tiny_dataset, out, resume=True))


def test_a_run_whose_state_is_gone_is_not_begun_again(tiny_dataset, tmp_path):
    run = RunFolder(tmp_path / "run")
    list(train(TrainConfig(**(QUICK.to_dict() | {"epochs": 2})), tiny_dataset, run.path))
    run.state.unlink()
    before = run.last.read_bytes()
    with pytest.raises(TrainingError, match=r"state\.pt: gone, .* start a new run with --start"):
        list(train(run.read_config(), tiny_dataset, run.path, resume=True))
    assert run.last.read_bytes() == before


def test_data_that_teach_or_measure_less_than_they_seem_to_are_named(
    tiny_dataset, tmp_path, runner
):
    for path in (tiny_dataset / "masks").rglob("*.png"):
        labels = np.asarray(Image.open(path))
        Image.fromarray(np.where(labels == 1, 255, labels).astype(np.uint8)).save(path)
    train_list = tiny_dataset / "splits" / "train.txt"
    val = (tiny_dataset / "splits" / "val.txt").read_text()
    train_list.write_text(train_list.read_text() + val)
    words = ["--arch", "ressegnet-tiny", "--epochs", "1", "--steps", "1", "--batch", "2",
             "--crop", "32", "--workers", "0"]  # fmt: skip
    done = runner.invoke(app, ["train", str(tiny_dataset), "--out", str(tmp_path / "run"), *words])
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "warning: 2 of the 2 pictures of val are in train as well" in said
    assert "warning: no pixel of the split 'train' is scratch, so that cannot be learnt" in said


def test_a_checkpoint_is_the_start(tiny_dataset, tiny_checkpoint, tmp_path):
    config = TrainConfig(**(QUICK.to_dict() | {"epochs": 1, "lr": 1e-12, "arch": None, "ema": 0.0}))
    list(train(config, tiny_dataset, tmp_path / "run", start=tiny_checkpoint))
    last = Checkpoint.load(RunFolder(tmp_path / "run").last)
    assert last.metadata.parent.startswith("tiny ")
    before = tensors(tiny_checkpoint)
    for name in ("encoder.0.convs.0.0.weight", "classifier.weight", "mean", "std"):
        torch.testing.assert_close(last.tensors[name], before[name], rtol=0, atol=1e-6)


def test_a_start_without_pyramid_gets_one_that_changes_nothing_at_first(tiny_dataset, tmp_path):
    model = build_model("ressegnet-tiny", num_classes=2, channels=1)
    old = Checkpoint(
        Metadata(architecture="ressegnet-tiny", class_map=TINY_CLASSES, channels=1,
                 mean=(127.5,), std=(127.5,)),
        model.state_dict(),
    )  # fmt: skip
    path = tmp_path / "old.safetensors"
    old.save(path)
    begin_with = partial(prepare, dataset=SegmentationDataset(tiny_dataset, "train"), start=path)
    begin = begin_with(TrainConfig())
    assert begin.arguments["pyramid"] is True
    assert len(begin.model.pyramid) == 4
    picture = torch.rand(1, 1, 40, 50) * 255
    torch.testing.assert_close(begin.model(picture), model.eval()(picture), rtol=0, atol=0)
    begin.model(picture).square().sum().backward()
    assert all(scores.weight.grad.abs().sum() > 0 for scores in begin.model.pyramid)
    assert not begin_with(TrainConfig(pyramid=False)).model.pyramid


def test_a_start_that_does_not_fit(tiny_dataset, tiny_checkpoint, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(UsageError, match=r"--arch is segnet-tiny, tiny\.safetensors is ressegnet"):
        list(train(TrainConfig(arch="segnet-tiny"), tiny_dataset, out, start=tiny_checkpoint))
    less = TrainConfig(skip=False, pyramid=False)
    with pytest.raises(UsageError, match="has what --no-skip, --no-pyramid would take away"):
        list(train(less, tiny_dataset, out, start=tiny_checkpoint))
    info = tiny_dataset / "dataset.yaml"
    info.write_text(info.read_text().replace("scratch", "dent"))
    with pytest.raises(CheckpointError, match="knows the classes sound, scratch, the dataset has"):
        list(train(TrainConfig(), tiny_dataset, out, start=tiny_checkpoint))
    info.write_text(
        info.read_text().replace("dent", "scratch").replace("channels: 1", "channels: 3")
    )
    with pytest.raises(CheckpointError, match="takes 1 channels, the dataset has 3"):
        list(train(TrainConfig(), tiny_dataset, out, start=tiny_checkpoint))
    assert not out.exists()


def test_empty_splits_and_bad_switches(tiny_dataset, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(UsageError, match=r"segnet-tiny has no residual connections .*--no-skip"):
        list(train(TrainConfig(arch="segnet-tiny", skip=False), tiny_dataset, out))
    (tiny_dataset / "splits" / "val.txt").unlink()
    with pytest.raises(DataError, match="the split 'val' is empty"):
        list(train(QUICK, tiny_dataset, out))
    (tiny_dataset / "splits" / "train.txt").unlink()
    with pytest.raises(DataError, match="the split 'train' is empty"):
        list(train(QUICK, tiny_dataset, out))
    assert not out.exists()


def test_a_loss_that_is_not_finite_names_the_files(tiny_dataset, tmp_path, monkeypatch):
    import segnet_res.training.loop as loop

    monkeypatch.setattr(
        loop, "build_loss", lambda *_: lambda logits, *_: logits.sum() * float("nan")
    )
    with pytest.raises(TrainingError, match=r"the loss became nan in step 1 on [ab], [ab]; look"):
        list(train(QUICK, tiny_dataset, tmp_path / "run"))


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes"),
    ],
)
def test_out_of_memory_says_what_helps(tiny_dataset, tmp_path, monkeypatch, error):
    def run_out(*_):
        raise error

    monkeypatch.setattr(_Trainer, "_step", run_out)
    with pytest.raises(
        DeviceError, match="ran out with batches of 2 crops of 32x32; lower --batch or --crop"
    ):
        list(train(QUICK, tiny_dataset, tmp_path / "run"))


def test_a_peer_trains_and_is_served(tiny_dataset, tmp_path):
    config = TrainConfig(
        **(QUICK.to_dict() | {"epochs": 1, "steps": 1, "arch": "smp:unet-resnet18"})
    )
    list(train(config, tiny_dataset, tmp_path / "run"))
    segmenter = Segmenter.from_checkpoint(RunFolder(tmp_path / "run").last, device="cpu")
    assert segmenter.predict(np.zeros((20, 30), np.uint8)).labels.shape == (20, 30)


# The command; each process writes a digest of its own weights after the last step.
_TELLING = """
import hashlib
from pathlib import Path
from segnet_res.cli import app
from segnet_res.training import loop

class Telling(loop._Trainer):
    def epochs(self):
        yield from super().epochs()
        digest = hashlib.sha256()
        for parameter in self.model.parameters():
            digest.update(parameter.detach().numpy().tobytes())
        Path(f"weights-{self.group.rank}").write_text(digest.hexdigest())

loop._Trainer = Telling
app()
"""


def test_two_processes_train_by_torchrun(tiny_dataset, tmp_path):
    (tmp_path / "telling.py").write_text(_TELLING)
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
         tmp_path / "telling.py",
         *command(tiny_dataset, tmp_path / "run", "--epochs=1", "--steps=2")[3:]],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("epoch 1/1") == 1  # one process speaks
    assert Checkpoint.load(RunFolder(tmp_path / "run").last).metadata.recipe["batch"] == 2
    # Other crops in each, and yet the same steps.
    first, second = (tmp_path / f"weights-{rank}" for rank in range(2))
    assert first.read_text() == second.read_text()


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("compile", [False, True])
def test_cuda_trains(tiny_dataset, tmp_path, compile):
    config = TrainConfig(
        **(QUICK.to_dict() | {"device": "cuda", "epochs": 2, "workers": 1, "compile": compile})
    )
    epochs = list(train(config, tiny_dataset, tmp_path / "run"))
    assert np.isfinite(epochs[-1].loss)


def quick(**options):
    return TrainConfig(**(QUICK.to_dict() | options))


def test_a_resumed_run_needs_neither_its_start_nor_its_licence_again(
    tiny_dataset, tiny_checkpoint, tmp_path
):
    config = quick(arch=None, epochs=2)
    whole, broken = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "broken")
    for run in (whole, broken):
        epochs = train(config, tiny_dataset, run.path, start=tiny_checkpoint, licence="CC BY 4.0")
        list(epochs) if run is whole else next(epochs)
    other = tiny_checkpoint.with_name("other.safetensors")
    tiny_checkpoint.rename(other)

    with pytest.raises(TrainingError, match=r"was started from .*tiny\.safetensors and not .*othe"):
        list(train(config, tiny_dataset, broken.path, resume=True, start=other))
    list(train(config, tiny_dataset, broken.path, resume=True))

    assert_equal_weights(whole.last, broken.last)
    metadata = Checkpoint.load(broken.last).metadata
    assert metadata.architecture == "ressegnet-tiny"
    assert metadata.parent == Checkpoint.load(whole.last).metadata.parent
    assert metadata.licence == "CC BY 4.0"


def test_a_run_stopped_in_its_first_epoch_begins_again_at_its_start(
    tiny_dataset, tiny_checkpoint, tmp_path
):
    config = quick(arch=None, epochs=1)
    whole, broken = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "broken")
    list(train(config, tiny_dataset, whole.path, start=tiny_checkpoint))
    next(train_events(config, tiny_dataset, broken.path, start=tiny_checkpoint))
    assert not broken.state.exists()
    list(train(config, tiny_dataset, broken.path, resume=True))
    assert_equal_weights(whole.last, broken.last)

    again = RunFolder(tmp_path / "again")
    next(train_events(config, tiny_dataset, again.path, start=tiny_checkpoint))
    Checkpoint.load(whole.last).save(tiny_checkpoint)
    with pytest.raises(TrainingError, match=r"was tiny \w+ when the run was started and is tiny"):
        list(train(config, tiny_dataset, again.path, resume=True))


def test_a_run_without_an_epoch_may_be_started_anew(tiny_dataset, tmp_path):
    next(train_events(QUICK, tiny_dataset, tmp_path / "run"))
    list(train(quick(epochs=1, batch=3), tiny_dataset, tmp_path / "run"))
    assert RunFolder(tmp_path / "run").read_config().batch == 3
    (tmp_path / "file").write_text("here first")
    with pytest.raises(StorageError, match="file: is a file; give --out a folder"):
        list(train(QUICK, tiny_dataset, tmp_path / "file"))


def test_resume_refuses_another_validation_split_and_other_processes(tiny_dataset, tmp_path):
    run = RunFolder(tmp_path / "run")
    next(train(QUICK, tiny_dataset, run.path))
    state = run.load_state()
    run.save_state(state | {"processes": 2})
    with pytest.raises(TrainingError, match="with 2 processes and is resumed with 1; give"):
        list(train(QUICK, tiny_dataset, run.path, resume=True))
    run.save_state(state)
    (tiny_dataset / "splits" / "val.txt").write_text("d\n")
    with pytest.raises(TrainingError, match="the validation split has changed since"):
        list(train(QUICK, tiny_dataset, run.path, resume=True))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_picture_is_one_sentence(tiny_dataset, tmp_path, monkeypatch, workers):
    """Also from a worker process, whose errors torch hands on with a traceback in their text."""
    import segnet_res.training.statistics as statistics

    monkeypatch.setattr(statistics, "_MOST_PICTURES", 1)  # so that only training reads b
    picture = tiny_dataset / "images" / "b.png"
    picture.write_bytes(picture.read_bytes()[:90])
    with pytest.raises(
        ImageError, match=r"^images/b\.png: the file is damaged \([^\n]*\); copy [^\n]*$"
    ):
        list(train(quick(workers=workers), tiny_dataset, tmp_path / "run"))


def test_a_worker_that_the_system_ends(tiny_dataset, tmp_path, monkeypatch):
    import os

    from segnet_res.training.crops import Crops

    monkeypatch.setattr(Crops, "_cut", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(TrainingError, match=r"a reading process was ended .*; lower --workers"):
        list(train(quick(workers=1), tiny_dataset, tmp_path / "run"))


def test_a_gradient_that_is_not_finite_names_the_files(tiny_dataset, tmp_path, monkeypatch):
    import segnet_res.training.loop as loop

    # The square root of zero: the loss is 0 and its slope infinite.
    monkeypatch.setattr(
        loop, "build_loss", lambda *_: lambda logits, *_: (logits * 0).square().sum().sqrt()
    )
    with pytest.raises(TrainingError, match=r"the gradient became nan in step 1 on [ab], [ab]; "):
        list(train(QUICK, tiny_dataset, tmp_path / "run"))


def test_a_single_value_has_no_deviation(tiny_dataset, tmp_path):
    with pytest.raises(UsageError, match=r"of 1 crop of 32x32 leave .*; raise --batch or --crop"):
        list(train(quick(batch=1), tiny_dataset, tmp_path / "run"))


def test_a_full_disk_is_one_sentence(tiny_dataset, tmp_path, monkeypatch):
    import segnet_res.training.run_folder as run_folder

    run = RunFolder(tmp_path / "run")

    @contextmanager
    def full(path):
        raise StorageError(f"{path}: cannot be written (No space left on device)")
        yield

    epochs = train(QUICK, tiny_dataset, run.path)
    next(epochs)
    monkeypatch.setattr(run_folder, "atomic_write", full)
    with pytest.raises(StorageError, match="No space left"):
        next(epochs)
    monkeypatch.undo()
    assert [epoch.number for epoch in train(QUICK, tiny_dataset, run.path, resume=True)] == [2, 3]


def test_the_command_knows_the_dataset_and_the_best_of_its_run(tiny_dataset, tmp_path, runner):
    out = tmp_path / "run"
    next(train(quick(epochs=2), tiny_dataset, out))
    # So that no later epoch is better.
    RunFolder(out).save_state(RunFolder(out).load_state() | {"best": 1.0})
    for expected in ("epoch 2/2", "the run was finished before: best mIoU"):
        done = runner.invoke(app, ["train", "--out", str(out), "--resume"])
        assert done.exit_code == 0, done.output
        assert expected in done.output
        assert f"in epoch 1: {out / 'best.safetensors'}" in done.output
