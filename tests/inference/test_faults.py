"""Power cuts, full disks, two runs at once: nothing half-written, and the rerun completes."""

import gc
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from segnet_res.errors import StorageError
from segnet_res.inference import FolderRun, folder, locks, pipeline
from segnet_res.inference.locks import LOCK_NAME, locked
from tests.conftest import ROOT
from tests.inference.conftest import contents, make_segmenter, names, run, save

# A whole run in a process of its own; the model takes its time, so that it can be interrupted.
RUN = """
import sys
from pathlib import Path
from segnet_res.inference import FolderRun
from tests.inference.conftest import make_segmenter

source, target, pause = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
run = FolderRun(source, target, save=("masks", "polygons"), report=target / "report.csv")
for result in run.results(make_segmenter(pause=pause)):
    print(result.name, flush=True)
"""

KINDS = ("masks", "polygons")


def start(source, target, pause=0.005, prefix=()):
    command = [*prefix, sys.executable, "-c", RUN, str(source), str(target), str(pause)]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture
def many(tmp_path):
    """A folder of 60 pictures."""
    rng = np.random.default_rng(4)
    for i in range(60):
        save(tmp_path / f"in/{i % 3}/{i:02}.png", rng.integers(0, 256, (8, 9)).astype(np.uint8))
    return tmp_path / "in"


def check_nothing_is_half_done(target):
    """Check what must hold at any moment: what the manifest says is there, and whole."""
    text = (target / "manifest.jsonl").read_bytes() if (target / "manifest.jsonl").exists() else b""
    rows = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith(b"\n")]
    for row in rows:
        for output in row.get("outputs", {}).values():
            content = (target / output["path"]).read_bytes()
            assert hashlib.sha256(content).hexdigest() == output["sha256"]
    for path in target.glob("masks/**/[!.]*.png"):
        assert path.read_bytes().endswith(b"IEND\xaeB`\x82")
    return {row["path"] for row in rows if "run" not in row}


def test_a_run_that_is_killed_again_and_again_is_completed(many, tmp_path):
    target, choose = tmp_path / "out", random.Random(0)
    reached = set()
    for goal in (3, 21, 40):
        process = start(many, target)
        with process:
            for _ in range(goal):
                process.stdout.readline()
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
        reached |= check_nothing_is_half_done(target)
        assert len(reached) >= goal
        # What was in the middle of being written when it happened.
        draft = target / f"masks/0/.00.{choose.randbytes(6).hex()}.part.png"
        draft.write_bytes(b"half")
    segmenter = make_segmenter()
    results = run(segmenter, many, target, save=KINDS, report=target / "report.csv")
    assert len(segmenter.runtime.seen) <= 60 - len(reached)
    assert not any(r.error or r.by_hand for r in results.values())
    run(make_segmenter(), many, tmp_path / "fresh", save=KINDS)
    assert contents(target) == contents(tmp_path / "fresh")
    assert (target / "report.csv").read_text().count("\n") == 61
    assert not [name for name in names(target) if Path(name).name.startswith(".")]


def test_a_kill_between_a_result_and_its_line_leaves_no_strangers(many, tmp_path, monkeypatch):
    target = tmp_path / "out"
    appended = []

    def killed(self, row):
        if "run" not in row and len(appended) == 5:
            raise StorageError("killed")
        appended.append(row)
        return append(self, row)

    append = folder.Manifest.append
    monkeypatch.setattr(folder.Manifest, "append", killed)
    with pytest.raises(StorageError, match="killed"):
        run(make_segmenter(), many, target, save=KINDS)
    monkeypatch.undo()
    assert (target / LOCK_NAME).exists()
    assert len(names(target / "masks")) > 4
    # With another model, so that its own results could be told from those by nothing but notes.
    results = run(make_segmenter(50), many, target, save=KINDS)
    assert not any(output.by_hand for r in results.values() for output in r.record.outputs.values())
    run(make_segmenter(50), many, tmp_path / "fresh", save=KINDS)
    assert contents(target) == contents(tmp_path / "fresh")
    assert not (target / LOCK_NAME).exists()


def test_the_second_of_two_runs_says_so_and_stops(many, tmp_path):
    target = tmp_path / "out"
    with start(many, target, pause=0.05) as first:
        first.stdout.readline()
        message = rf"out: another run is writing into it \(process {first.pid} on .*\); wait until"
        with pytest.raises(StorageError, match=message):
            run(make_segmenter(), many, target)
        first.send_signal(signal.SIGKILL)
    # The system has let go of the lock.
    assert len(run(make_segmenter(), many, target, save=KINDS)) == 60


def test_the_lock_is_gone_with_its_run(tmp_path):
    with locked(tmp_path / "out"), pytest.raises(StorageError), locked(tmp_path / "out"):
        pass
    with locked(tmp_path / "out"):
        assert (tmp_path / "out" / LOCK_NAME).exists()
    assert not list((tmp_path / "out").iterdir())


def test_the_journal_stays_small_and_keeps_what_killed_runs_left(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "_ENOUGH", 1000)
    path = tmp_path / LOCK_NAME
    path.write_text('{"output": "masks/a.png", "sha256": "1"}\n{"output": "masks/b.p')

    def work():
        with locked(tmp_path) as journal:
            for i in range(200):
                journal.begin({f"masks/{i}.png": "2"})
                journal.end()
                assert path.stat().st_size < 1500
            journal.begin({"masks/c.png": "3"})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    with locked(tmp_path) as journal:
        assert {("masks/a.png", "1"), ("masks/c.png", "3")} <= set(journal.entries())
    assert not path.exists()


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 200 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("file systems may not be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_fills(many, tiny_disk, tmp_path):
    target = tiny_disk / "out"
    ballast = tiny_disk / "ballast"
    ballast.write_bytes(bytes(100_000))
    with pytest.raises(StorageError, match=r"cannot be written \(No space left on device\)"):
        run(make_segmenter(), many, target, save=KINDS)
    done = check_nothing_is_half_done(target)
    assert 0 < len(done) < 60
    assert not [name for name in names(target) if name.endswith(".part")]
    ballast.unlink()
    shutil.move(target, tmp_path / "out")
    results = run(make_segmenter(), many, tmp_path / "out", save=KINDS)
    assert {name for name, r in results.items() if r.kept} == done
    assert not any(r.error or r.by_hand for r in results.values())
    assert len(check_nothing_is_half_done(tmp_path / "out")) == 60


def test_a_manifest_that_has_no_more_room(many, tmp_path):
    target = tmp_path / "out"
    # No file may become larger than this: of all, the manifest alone does.
    limits = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (9000, {2**40}))\n"
    ignore = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    command = [sys.executable, "-c", limits + ignore + RUN, str(many), str(target), "0"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert "manifest.jsonl: cannot be written (File too large); make room or mend" in ended.stderr
    assert (target / "manifest.jsonl").read_bytes().endswith(b"}\n")
    assert 0 < len(check_nothing_is_half_done(target)) < 60
    results = run(make_segmenter(), many, target, save=KINDS)
    assert not any(r.error or r.by_hand for r in results.values())
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 9000


def test_a_target_that_is_read_only(many, tiny_disk):
    run(make_segmenter(), many / "0", tiny_disk / "out")
    before = contents(tiny_disk / "out")
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    for target in ("out", "new"):
        message = (
            rf"{target}: cannot be written \(Read-only file system\); free some room or choose"
        )
        with pytest.raises(StorageError, match=message):
            run(make_segmenter(), many, tiny_disk / target)
    assert contents(tiny_disk / "out") == before


def test_a_target_that_cannot_be_written(many, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot be written \(Not a directory\); free some"):
        run(make_segmenter(), many, tmp_path / "file" / "out")


def test_a_file_that_vanishes_or_changes_while_the_run_lasts(many, tmp_path, monkeypatch):
    lost, grown = many / "0/00.png", many / "0/03.png"
    wanted = FolderRun(many, tmp_path / "out")
    lost.unlink()
    read = Path.read_bytes

    def growing(path):
        if path == grown:
            with path.open("ab") as file:
                file.write(b"more")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", growing)
    results = {result.name: result for result in wanted.results(make_segmenter())}
    monkeypatch.undo()
    assert {n: r.error for n, r in results.items() if r.error} == {
        "0/00.png": "no such file; it may have been moved meanwhile",
        "0/03.png": "changed while it was read; start the run again when it is complete",
    }
    assert len(names(tmp_path / "out/masks")) == 58
    results = run(make_segmenter(), many, tmp_path / "out")
    assert [n for n, r in results.items() if not r.kept] == ["0/03.png"]


def test_neither_pictures_nor_results_nor_lines_are_collected(tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "MAX_ITEMS_WAITING", 4)
    for number in range(600):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / f"picture-{number:06}.png").touch()
    ours = ("Found", "Planned", "Job", "Check", "Work", "Record", "FileResult")
    for _ in ("all are new", "all are in the manifest"):
        wanted = FolderRun(tmp_path / "in", tmp_path / "out", report=tmp_path / "r.csv")
        for i, result in enumerate(wanted.results(make_segmenter())):
            assert result.error
            if i % 100 == 99:
                alive = sum(type(thing).__name__ in ours for thing in gc.get_objects())
                # As many as wait between the stages, at the end as at the beginning.
                assert alive < 150
