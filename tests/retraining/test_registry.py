"""Which checkpoint serves: lines that only grow, rollbacks, half lines, two at once."""

import json
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import pytest

from segnet_res.checkpoint import digest
from segnet_res.data.locks import take
from segnet_res.errors import CheckpointError, StorageError
from segnet_res.retraining import registry as registry_module
from segnet_res.retraining.registry import (
    LOCK_NAME,
    PROMOTE,
    ROLLBACK,
    Entry,
    Registry,
    registry_folder,
    roll_back,
    serving,
)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for name in "abc":
        (folder / f"{name}.safetensors").write_bytes(name.encode() * 9)
    return folder


def entry(folder, name, before=None):
    file = f"{name}.safetensors"
    return Entry(PROMOTE, name, file, digest(folder / file), before, "Ada", "better")


def promote(folder, *names):
    registry = Registry(folder)
    for name in names:
        with registry.writing():
            registry.append(entry(folder, name, serving(folder)))


def test_the_last_promotion_serves(folder):
    assert serving(folder) is None
    promote(folder, "a", "b")
    assert serving(folder) == "b"
    first, second = Registry(folder).entries()
    assert (first.before, second.before) == (None, "a")
    assert Registry(folder).serving() == second


def test_rollbacks_go_back_one_by_one(folder):
    promote(folder, "a", "b", "c")
    line = roll_back(folder, by="Eve", why="overkill")
    assert (line.action, line.checkpoint, line.before) == (ROLLBACK, "b", "c")
    assert (line.by, line.why) == ("Eve", "overkill")
    assert roll_back(folder, by="Eve", why="overkill").checkpoint == serving(folder) == "a"
    promote(folder, "c")
    assert serving(folder) == "c"
    assert roll_back(folder, by="Eve", why="overkill").checkpoint == "a"
    assert len(Registry(folder).entries()) == 7
    with pytest.raises(CheckpointError, match="nothing served before a, so that there is nothing"):
        roll_back(folder, by="Eve", why="overkill")


def test_nothing_to_roll_back(folder):
    with pytest.raises(CheckpointError, match=r"registry\.jsonl: nothing served yet"):
        roll_back(folder, by="Eve", why="overkill")
    assert not (folder / "registry.jsonl").exists()


@pytest.mark.parametrize("keep", [1, -2])
def test_half_a_line_is_no_line(folder, keep):
    promote(folder, "a", "b")
    path = folder / "registry.jsonl"
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + second[:keep])
    assert serving(folder) == "a"
    promote(folder, "c")
    assert path.read_bytes().startswith(first + b'{"registry":1,')
    assert [one.checkpoint for one in Registry(folder).entries()] == ["a", "c"]


def test_a_line_whose_break_is_missing_is_one(folder):
    promote(folder, "a", "b")
    path = folder / "registry.jsonl"
    path.write_bytes(path.read_bytes()[:-1])
    assert serving(folder) == "b"
    promote(folder, "c")
    assert [one.checkpoint for one in Registry(folder).entries()] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nonsense", "line 2 is damaged (it does not parse); restore the file from a backup"),
        ('{"registry":9}', "line 2 is of version 9, known here is 1; upgrade segnet_res"),
        ('{"registry":1}', "line 2 is damaged (Entry.__init__() missing"),
    ],
)
def test_damaged_lines(folder, line, message):
    promote(folder, "a")
    with (folder / "registry.jsonl").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(CheckpointError) as caught:
        serving(folder)
    assert message in str(caught.value)


def test_lines_that_lead_out_of_the_folder_or_to_nothing(folder):
    promote(folder, "a")
    path = folder / "registry.jsonl"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"file": "../secret"}) + "\n")
    with pytest.raises(CheckpointError, match=r"line 1 is damaged \(promote of \.\./secret\)"):
        serving(folder)
    path.write_text(json.dumps(content | {"action": "rollback"}) + "\n")
    with pytest.raises(CheckpointError, match="its rollback leads to no promotion before it"):
        serving(folder)


def test_what_serves_must_be_what_was_promoted(folder):
    promote(folder, "a", "b")
    registry = Registry(folder)
    assert registry.file_of(registry.serving()) == folder / "b.safetensors"
    (folder / "a.safetensors").write_bytes(b"another")
    with pytest.raises(CheckpointError, match=r"a\.safetensors: is not the file that Ada promoted"):
        roll_back(folder, by="Eve", why="overkill")
    (folder / "a.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"a\.safetensors: is gone, but registry\.jsonl says"):
        roll_back(folder, by="Eve", why="overkill")
    assert serving(folder) == "b"


def test_one_writes_at_a_time(folder, monkeypatch):
    monkeypatch.setattr(registry_module, "_PATIENCE", 0.05)
    with take(folder / LOCK_NAME), pytest.raises(StorageError, match="somebody else is promoting"):
        roll_back(folder, by="Eve", why="overkill")


WRITER = """
import sys
from pathlib import Path
from segnet_res.retraining.registry import PROMOTE, Entry, Registry
registry = Registry(Path(sys.argv[1]))
for _ in range(20):
    with registry.writing():
        now = registry.serving()
        before = None if now is None else now.checkpoint
        registry.append(Entry(PROMOTE, sys.argv[2], "a.safetensors", "0", before, "Ada", "better"))
"""


def test_many_at_once_lose_no_line(folder):
    words = [sys.executable, "-c", WRITER, str(folder)]
    writers = [subprocess.Popen([*words, name]) for name in "abc"]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    entries = Registry(folder).entries()
    assert len(entries) == 60
    # Each saw the line before its own.
    assert all(after.before == before.checkpoint for before, after in pairwise(entries))


def test_without_room_nothing_of_a_line_stays(folder, monkeypatch):
    promote(folder, "a")
    before = (folder / "registry.jsonl").read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(registry_module.os, "fsync", full)
    with pytest.raises(StorageError, match=r"registry\.jsonl: cannot be written \(No space left"):
        promote(folder, "b")
    assert (folder / "registry.jsonl").read_bytes() == before


def test_the_folder_from_either_path(folder, tmp_path):
    assert registry_folder(folder) == registry_folder(folder / "registry.jsonl") == folder
    with pytest.raises(CheckpointError, match="none: no such folder; give the folder that holds"):
        registry_folder(tmp_path / "none")


def test_other_letters_come_back(folder):
    registry = Registry(folder)
    with registry.writing():
        registry.append(replace(entry(folder, "a"), by="Jörg", why="für\u2028Linie 3\n"))
    assert registry.serving().why == "für\u2028Linie 3\n"
    assert registry.serving().by == "Jörg"
