"""Promotion: refused where defects are newly missed, and nothing is overwritten."""

import json
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch

from segnet_res.checkpoint import Checkpoint, Metadata, digest, short_hash
from segnet_res.classes import ClassMap
from segnet_res.cli import app
from segnet_res.data.splits import write_splits
from segnet_res.errors import CheckpointError, DataError, StorageError, UsageError
from segnet_res.images import atomic_write, write_mask
from segnet_res.inference import Segmenter
from segnet_res.models import build_model
from segnet_res.retraining import promotion as promotion_module
from segnet_res.retraining.comparison import Contender, compare, open_exam
from segnet_res.retraining.golden_making import make_golden
from segnet_res.retraining.heads import find_head
from segnet_res.retraining.promotion import PromotionError, plan_promotion, promote
from segnet_res.retraining.registry import Registry, roll_back, serving

SOUND, SCRATCH = 0, 1


@pytest.fixture(scope="module")
def tiny():
    """A checkpoint and the names of its head, for all tests: building models takes a while."""
    mean = (0.0,)
    model = build_model("ressegnet-tiny", num_classes=2, channels=1, mean=mean, std=(1.0,))
    classes = ClassMap.from_names(["sound", "scratch"])
    metadata = Metadata("ressegnet-tiny", classes, 1, mean, (1.0,))
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
        Checkpoint(written, checkpoint.tensors | tensors).save(tmp_path / path)
        return tmp_path / path

    return write


@pytest.fixture
def golden(tmp_path, tiny_dataset):
    make_golden(tiny_dataset, "val", tmp_path / "golden.json")
    return tmp_path / "golden.json"


@pytest.fixture
def folder(tmp_path, say_always):
    """A folder with a checkpoint ``old`` that finds every scratch."""
    say_always("checkpoints/old.safetensors", SCRATCH)
    return tmp_path / "checkpoints"


def compared(plan, exam):
    both = [
        Contender.of(path, Segmenter.from_checkpoint(path, "cpu"))
        for path in (plan.parent, plan.candidate)
    ]
    steps = compare(*both, exam)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value


def promoted(candidate, folder, golden, name=None, **words):
    plan, exam = plan_promotion(candidate, folder, name), open_exam(golden)
    comparison = None if plan.parent is None else compared(plan, exam)
    return promote(plan, exam, comparison, **({"by": "Ada", "why": "better"} | words))


def test_the_first_and_the_next(folder, golden, say_always):
    first = promoted(folder / "old.safetensors", folder, golden)
    assert (first.before, first.comparison, serving(folder)) == (None, None, "old")
    assert first.exam["golden"] is True
    candidate = say_always("runs/dents/best.safetensors", SCRATCH, shade=1, data={"name": "new"})
    entry = promoted(candidate, folder, golden, why="finds dents")
    assert (entry.checkpoint, entry.before, entry.accepted) == ("dents", "old", None)
    assert (folder / "dents.safetensors").read_bytes() == candidate.read_bytes()
    assert entry == Registry(folder).serving()
    assert entry.comparison["parent"]["sha256"] == first.sha256
    assert entry.comparison["flips"]["defects"] == 2
    assert (entry.data, entry.why) == ({"name": "new"}, "finds dents")


def test_newly_missed_defects_need_a_reason(folder, golden, say_always):
    promoted(folder / "old.safetensors", folder, golden)
    candidate = say_always("blind.safetensors", SOUND)
    with pytest.raises(PromotionError) as caught:
        promoted(candidate, folder, golden)
    assert str(caught.value) == (
        "blind: 2 defects are newly missed; look at them, correct and retrain, or accept that: "
        '--accept-misses "reason"'
    )
    assert serving(folder) == "old"
    assert not (folder / "blind.safetensors").exists()
    entry = promoted(candidate, folder, golden, accept_misses="hairlines are allowed now")
    assert entry.accepted == "hairlines are allowed now"
    assert len(entry.comparison["flips"]["newly_missed"]) == 2
    assert serving(folder) == "blind"


def test_a_reason_that_is_not_needed_accepts_nothing(folder, golden, say_always):
    promoted(folder / "old.safetensors", folder, golden)
    candidate = say_always("new.safetensors", SCRATCH, shade=1)
    assert promoted(candidate, folder, golden, accept_misses="whatever").accepted is None


def test_where_none_serves_it_is_compared_with_its_parent(folder, golden, say_always):
    parent = f"old {short_hash(folder / 'old.safetensors')}"
    candidate = say_always("blind.safetensors", SOUND, parent=parent)
    assert plan_promotion(candidate, folder).parent == folder / "old.safetensors"
    with pytest.raises(PromotionError):
        promoted(candidate, folder, golden)
    stranger = say_always("other.safetensors", SOUND, parent="gone 0123456789ab")
    assert plan_promotion(stranger, folder).parent is None


def test_where_what_served_is_lost_it_is_compared_with_what_served_before(
    runner, folder, golden, say_always
):
    promoted(folder / "old.safetensors", folder, golden)
    promoted(say_always("mid.safetensors", SCRATCH, shade=1), folder, golden)
    (folder / "mid.safetensors").write_bytes(b"damaged")
    blind = say_always("blind.safetensors", SOUND)
    assert plan_promotion(blind, folder).parent == folder / "old.safetensors"
    result = runner.invoke(app, words(blind, folder, golden))
    assert result.exit_code == 1
    assert "mid.safetensors: is not the file that Ada promoted" in result.stderr
    assert "the candidate is compared with old instead" in result.stderr
    assert "2 defects are newly missed" in result.stderr
    # With nothing left there is nothing to compare with, as at the first promotion.
    for name in ("old", "mid"):
        (folder / f"{name}.safetensors").unlink()
    listed = runner.invoke(app, ["checkpoints", "list", str(folder)])
    assert "mid.safetensors: is gone, but registry.jsonl says that Ada promoted it" in listed.stderr
    result = runner.invoke(app, words(blind, folder, golden))
    assert result.exit_code == 0
    assert "the candidate is compared with nothing instead" in result.stderr
    last = Registry(folder).serving()
    assert (last.checkpoint, last.before, last.comparison) == ("blind", "mid", None)


def test_nothing_is_overwritten(folder, golden, say_always):
    candidate = say_always("runs/old/best.safetensors", SCRATCH, shade=1)
    before = (folder / "old.safetensors").read_bytes()
    with pytest.raises(CheckpointError, match=r"old\.safetensors: is there already and another"):
        plan_promotion(candidate, folder)
    assert promoted(candidate, folder, golden, name="new").file == "new.safetensors"
    assert (folder / "old.safetensors").read_bytes() == before
    # A copy that is there already is used.
    (folder / "copy.safetensors").write_bytes(before)
    assert promoted(folder / "old.safetensors", folder, golden, name="copy").checkpoint == "copy"


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a\\b"])
def test_names_that_are_none(folder, name):
    with pytest.raises(UsageError, match="give the name of a file without folders"):
        plan_promotion(folder / "old.safetensors", folder, name)


def test_what_serves_already(folder, golden):
    promoted(folder / "old.safetensors", folder, golden)
    with pytest.raises(CheckpointError, match=r"old\.safetensors: serves already, as old; nothing"):
        plan_promotion(folder / "old.safetensors", folder)


def test_somebody_else_was_quicker(folder, golden, say_always):
    promoted(folder / "old.safetensors", folder, golden)
    one = say_always("one.safetensors", SCRATCH, shade=1)
    plan, exam = plan_promotion(one, folder), open_exam(golden)
    comparison = compared(plan, exam)
    promoted(say_always("two.safetensors", SCRATCH, shade=2), folder, golden, by="Eve")
    with pytest.raises(CheckpointError, match="Eve has made two serve meanwhile; compare the cand"):
        promote(plan, exam, comparison, by="Ada", why="better")
    assert serving(folder) == "two"
    # Back to what it was compared with.
    roll_back(folder, by="Eve", why="overkill")
    promote(plan, exam, comparison, by="Ada", why="better")
    assert serving(folder) == "one"


def test_a_candidate_that_changed_since_it_was_compared(folder, golden, say_always):
    promoted(folder / "old.safetensors", folder, golden)
    candidate = say_always("new.safetensors", SCRATCH, shade=1)
    plan, exam = plan_promotion(candidate, folder), open_exam(golden)
    comparison = compared(plan, exam)
    say_always("new.safetensors", SOUND)
    with pytest.raises(CheckpointError, match=r"new\.safetensors: it or what it was compared with"):
        promote(plan, exam, comparison, by="Ada", why="better")
    assert not (folder / "new.safetensors").exists()
    assert serving(folder) == "old"


@pytest.mark.parametrize("gone", ["checkpoints/old.safetensors", "new.safetensors"])
def test_a_file_that_is_gone_since_it_was_compared(tmp_path, folder, golden, say_always, gone):
    promoted(folder / "old.safetensors", folder, golden)
    candidate = say_always("new.safetensors", SCRATCH, shade=1)
    plan, exam = plan_promotion(candidate, folder), open_exam(golden)
    comparison = compared(plan, exam)
    (tmp_path / gone).unlink()
    with pytest.raises(CheckpointError, match=r"cannot be read any more \(No such file.*put the"):
        promote(plan, exam, comparison, by="Ada", why="better")
    assert not (folder / "new.safetensors").exists()
    assert serving(folder) == "old"


def test_a_full_disk_leaves_what_was(folder, golden, say_always, monkeypatch):
    promoted(folder / "old.safetensors", folder, golden)
    candidate = say_always("new.safetensors", SCRATCH, shade=1)
    names = sorted(folder.iterdir())

    @contextmanager
    def full(path):
        with atomic_write(path) as file:
            yield file
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(promotion_module, "atomic_write", full)
    with pytest.raises(StorageError, match="No space left on device"):
        promoted(candidate, folder, golden)
    assert sorted(folder.iterdir()) == names
    assert serving(folder) == "old"


def test_exports_and_damaged_files(folder, tmp_path):
    with pytest.raises(CheckpointError, match=r"tiny\.onnx: is an export; promote the \.safetens"):
        plan_promotion(tmp_path / "tiny.onnx", folder)
    (tmp_path / "broken.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"broken\.safetensors: not a checkpoint"):
        plan_promotion(tmp_path / "broken.safetensors", folder)


def words(candidate, folder, golden, *more):
    return [
        "promote", str(candidate), "--golden", str(golden), "--registry", str(folder),
        "--by", "Ada", "--why", "better", *more,
    ]  # fmt: skip


def test_on_the_command_line(runner, folder, golden, say_always):
    result = runner.invoke(app, words(folder / "old.safetensors", folder, golden))
    assert (result.exit_code, result.stdout) == (0, f"old serves in {folder}\n")
    assert "nothing to compare with" in result.stderr
    candidate = say_always("runs/blind/best.safetensors", SOUND)
    result = runner.invoke(app, words(candidate, folder, golden))
    assert result.exit_code == 1
    assert "was not trained from old, which serves, but from no other" in result.stderr
    assert "no pictures of its training lie beside it" in result.stderr
    assert "newly missed: 2\n" in result.stdout
    assert "  nested/c: scratch of 192 px at 12, 16 (12 x 16); 100 % of it before" in result.stdout
    assert result.stderr.splitlines()[-1].startswith("error: blind: 2 defects are newly missed; ")
    result = runner.invoke(
        app, words(candidate, folder, golden, "--accept-misses", "only hairlines")
    )
    assert result.exit_code == 0
    assert f"back to old: segnet-res rollback --registry {folder} --by NAME" in result.stderr

    listed = runner.invoke(app, ["checkpoints", "list", str(folder)]).stdout
    marked = [line.split()[0] for line in listed.splitlines() if line.split()[-1:] == ["yes"]]
    assert marked == ["blind"]

    back = ["rollback", "--registry", str(folder), "--by", "Eve", "--why", "misses hairlines"]
    result = runner.invoke(app, back)
    assert result.stdout == f"old serves in {folder} again, no longer blind\n"
    result = runner.invoke(app, back)
    assert result.exit_code == 2
    assert "nothing served before old" in result.stderr

    told = runner.invoke(app, ["checkpoints", "history", str(folder), "--json"]).stdout
    lines = [(line["action"], line["checkpoint"], line["accepted"]) for line in json.loads(told)]
    assert lines == [
        ("promote", "old", None),
        ("promote", "blind", "only hairlines"),
        ("rollback", "old", None),
    ]
    told = runner.invoke(app, ["checkpoints", "history", str(folder)]).stdout.splitlines()
    assert [line[18:] for line in told] == [
        "promote   old    by Ada: better",
        "promote   blind  instead of old; by Ada: better; newly missed defects accepted: only "
        "hairlines",
        "rollback  old    instead of blind; by Eve: misses hairlines",
    ]


def test_the_list_warns_of_a_checkpoint_that_is_not_what_was_promoted(
    runner, folder, golden, say_always
):
    promoted(folder / "old.safetensors", folder, golden)
    say_always("checkpoints/old.safetensors", SOUND)
    result = runner.invoke(app, ["checkpoints", "list", str(folder)])
    assert result.exit_code == 0
    assert "warning: " in result.stderr
    assert "is not the file that Ada promoted" in result.stderr


@pytest.mark.parametrize("option", ["--by", "--why", "--accept-misses"])
def test_reasons_that_are_no_text(runner, folder, golden, option):
    result = runner.invoke(
        app, words(folder / "old.safetensors", folder, golden, option, "gr\udcf6n")
    )
    assert result.exit_code == 2
    assert f"{option} is 'gr\\udcf6n', which is no UTF-8; type it again" in result.stderr
    assert not (folder / "registry.jsonl").exists()


@pytest.mark.parametrize("option", ["--by", "--why", "--accept-misses"])
def test_empty_reasons(runner, folder, golden, option):
    result = runner.invoke(app, words(folder / "old.safetensors", folder, golden, option, " "))
    assert result.exit_code == 2
    assert (
        result.stderr == f"error: {option} is empty; say it in a few words, others will read it\n"
    )


def test_a_candidate_that_was_trained_on_the_golden_set(
    runner, folder, golden, tiny_dataset, tmp_path, say_always
):
    candidate = say_always("run/best.safetensors", SCRATCH, shade=1)
    (tmp_path / "run" / "data").symlink_to(tiny_dataset)
    result = runner.invoke(app, words(candidate, folder, golden))
    assert result.exit_code == 0
    assert (
        "its best epoch was chosen by pictures of the golden set (tiny val: nested/c is tiny"
        in (result.stderr)
    )
    candidate = say_always("run/last.safetensors", SCRATCH, shade=2)
    trained = tmp_path / "copy"
    trained.mkdir()
    for name in ("images", "masks", "dataset.yaml"):
        (trained / name).symlink_to(tiny_dataset / name)
    write_splits(trained, {"train": ["a", "d"]})
    (tmp_path / "run" / "data").unlink()
    (tmp_path / "run" / "data").symlink_to(trained)
    result = runner.invoke(app, words(candidate, folder, golden, "--name", "new"))
    assert result.exit_code == 2
    assert "was trained on pictures of the golden set (tiny train: d is tiny val: d)" in (
        result.stderr
    )


def test_compare_on_the_command_line(runner, folder, golden, tiny_dataset, tmp_path, say_always):
    old, new = folder / "old.safetensors", say_always("new.safetensors", SOUND)
    result = runner.invoke(app, ["compare", str(old), str(old), str(tiny_dataset)])
    assert result.exit_code == 0
    assert "defects   2 of 2 found before, 2 after\n" in result.stdout
    assert "equal" in result.stdout
    assert "; `segnet-res evaluate` also counts a class that is only predicted, as 0\n" in (
        result.stdout
    )
    result = runner.invoke(app, ["compare", str(old), str(old), str(tiny_dataset), "--split=train"])
    assert result.exit_code == 2
    assert result.stderr.startswith("error: the split 'train' is trained on, so that nothing can")
    path = tmp_path / "new.json"
    result = runner.invoke(app, ["compare", str(old), str(new), str(golden), "--json", str(path)])
    assert result.exit_code == 1
    content = json.loads(path.read_text())
    assert content["candidate"] == {"name": "new", "sha256": digest(new)}
    assert content["escape"]["pictures"]["after"]["value"] == 1
    again = runner.invoke(app, ["compare", str(old), str(new), str(golden), "--json", "-"])
    assert json.loads(again.stdout) == content
    result = runner.invoke(
        app, ["compare", str(old), str(new), str(golden), "--smallest-region", "0"]
    )
    assert result.stderr == "error: --smallest-region is 0; give 1 or more pixels\n"


def test_golden_on_the_command_line(runner, tiny_dataset, tmp_path):
    path = tmp_path / "golden.json"
    result = runner.invoke(app, ["golden", "make", str(tiny_dataset), str(path)])
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{path}: 2 pictures of 2 parts, fingerprint ")
    assert "on fewer than 5 parts, too few to tell whether a checkpoint is better: sound (2)" in (
        result.stderr
    )
    result = runner.invoke(app, ["golden", "check", str(path)])
    assert result.stdout.startswith(f"{path}: all 2 pictures are what they were, fingerprint ")
    mask = tiny_dataset / "masks" / "d.png"
    write_mask(mask, np.zeros((33, 32), np.uint8))
    result = runner.invoke(app, ["golden", "check", str(path)])
    assert result.exit_code == 2
    assert "1 of its 2 pictures are not what they were ('d': its mask has changed)" in result.stderr


def test_only_a_golden_set_can_be_promoted_on(folder, tiny_dataset, runner):
    result = runner.invoke(app, words(folder / "old.safetensors", folder, tiny_dataset))
    assert result.exit_code == 2
    assert "make one with `segnet-res golden make`" in result.stderr
    with pytest.raises(DataError):
        open_exam(folder / "old.safetensors")
