"""What is kept in the cache: found again as long as all of it still holds."""

import json
import os
from pathlib import Path

import pytest

from segnet_res.inference import Segmenter, conversions
from segnet_res.inference.conversions import Choice, cache_folder, facts_of, keep, recall, workplace


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "segnet-res" / "conversions"


@pytest.fixture
def made(tmp_path):
    """A conversion of two files, as OpenVINO's are."""
    (tmp_path / "model.xml").write_text("network")
    (tmp_path / "model.bin").write_text("weights")
    seconds = {"torch": 0.5, "openvino": 0.25}
    return Choice("openvino", tmp_path / "model.xml", seconds, {"onnxruntime": "other labels"})


@pytest.fixture
def facts(tiny_checkpoint):
    return facts_of(tiny_checkpoint, backend="auto", precision="float32")


def test_a_choice_is_found_again(cache, made, facts):
    assert cache_folder() == cache
    assert recall(facts) is None
    kept = keep(facts, made)
    assert kept == recall(facts)
    assert kept.file.parent.parent == cache
    assert (kept.backend, kept.seconds, kept.refused) == (
        "openvino",
        {"torch": 0.5, "openvino": 0.25},
        {"onnxruntime": "other labels"},
    )
    assert kept.file.read_text() == "network"
    assert kept.file.with_suffix(".bin").read_text() == "weights"
    # Nothing but the entry.
    assert [path.name for path in cache.iterdir()] == [kept.file.parent.name]
    # For nobody else to change.
    assert kept.file.parent.stat().st_mode & 0o077 == 0


def test_torch_needs_no_file(facts):
    assert keep(facts, Choice("torch", None, {"torch": 0.5})) == recall(facts)
    assert recall(facts).file is None


def test_facts_are_all_that_matters(tiny_checkpoint, facts, monkeypatch):
    assert facts_of(tiny_checkpoint, backend="auto", precision="float32") == facts
    others = [
        facts_of(tiny_checkpoint, backend="openvino", precision="float32"),
        facts_of(tiny_checkpoint, backend="auto", precision="bfloat16"),
    ]
    monkeypatch.setattr(conversions, "_processor", lambda: "another")
    others.append(facts_of(tiny_checkpoint, backend="auto", precision="float32"))
    monkeypatch.undo()
    monkeypatch.setattr(conversions, "version", lambda _name: "99")
    others.append(facts_of(tiny_checkpoint, backend="auto", precision="float32"))
    monkeypatch.undo()
    tiny_checkpoint.write_bytes(tiny_checkpoint.read_bytes() + b"1")
    others.append(facts_of(tiny_checkpoint, backend="auto", precision="float32"))
    texts = {json.dumps(other, sort_keys=True) for other in [facts, *others]}
    assert len(texts) == 6


@pytest.mark.parametrize(
    "damage",
    [
        lambda entry: (entry / "model.bin").write_text("other weights"),
        lambda entry: (entry / "model.xml").unlink(),
        lambda entry: (entry / "choice.json").unlink(),
        lambda entry: (entry / "choice.json").write_text("{"),
        lambda entry: (entry / "choice.json").write_text("[]"),
        lambda entry: (entry / "choice.json").write_text('{"facts": null}'),
    ],
)
def test_what_is_broken_is_made_again(made, facts, damage):
    kept = keep(facts, made)
    damage(kept.file.parent)
    assert recall(facts) is None
    assert keep(facts, made) == recall(facts) == kept


def test_an_entry_of_another_decision(made, facts, cache):
    kept = keep(facts, made)
    path = kept.file.parent / "choice.json"
    content = json.loads(path.read_text())
    content["facts"]["cores"] += 1
    path.write_text(json.dumps(content))
    assert recall(facts) is None


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="files have no owner here")
def test_an_entry_of_somebody_else(made, facts, monkeypatch):
    keep(facts, made)
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    assert recall(facts) is None


def test_two_runs_keep_the_same(made, facts, monkeypatch):
    # The other run is done first, between our look and our rename.
    kept = keep(facts, made)
    monkeypatch.setattr(conversions.Path, "rename", _refused)
    assert keep(facts, made) == kept


def _refused(*_args):
    raise FileNotFoundError


def test_a_cache_that_cannot_be_written(made, facts, cache):
    cache.parent.mkdir(parents=True)
    cache.write_text("a file where the folder should be")
    assert recall(facts) is None
    with pytest.raises(OSError, match="File exists"):
        keep(facts, made)


def test_the_oldest_entries_go(made, facts, cache, monkeypatch):
    monkeypatch.setattr(conversions, "_MOST_ENTRIES", 2)
    kept = []
    for number in range(4):
        kept.append(keep(facts | {"cores": number}, made).file.parent)
        os.utime(kept[-1], (number, number))
    assert sorted(cache.iterdir()) == sorted(kept[2:])


def test_a_workplace_goes(cache):
    with workplace() as folder:
        (folder / "x").write_text("")
        assert folder.parent == cache
    assert list(cache.iterdir()) == []


def test_a_user_without_a_home_has_no_cache(tiny_checkpoint, facts, monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert recall(facts) is None
    assert Segmenter.from_checkpoint(tiny_checkpoint, "cpu").backend == "torch"


def test_a_relative_cache_is_ignored(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "segnet-res" / "conversions"
