"""A hot folder: what arrives is taken once, whole, and for as long as the run lasts."""

import itertools
import os
import threading
import time

import numpy as np
import pytest

from segnet_res.errors import UsageError
from segnet_res.inference import FolderRun, watch
from segnet_res.inference.index import Index
from segnet_res.inference.sources import Source, find_below
from tests.inference.conftest import make_segmenter, mask, names, run, save


def png(tmp_path, value=200, size=(6, 8)):
    """Return the bytes of a picture of one grey."""
    save(tmp_path / "draft.png", np.full(size, value, np.uint8))
    return (tmp_path / "draft.png").read_bytes()


@pytest.fixture
def hot(tmp_path):
    folder = tmp_path / "hot"
    folder.mkdir()
    return folder


@pytest.fixture
def watching(hot, tmp_path):
    """Results of a watching run, which ends with the test."""
    report = tmp_path / "out" / "r.csv"
    results = FolderRun(hot, tmp_path / "out", report=report, watch=True).results(make_segmenter())
    yield results
    results.close()


def later(function, *arguments):
    """Do something while the test waits for a result."""

    def work():
        time.sleep(0.15)
        function(*arguments)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_what_is_there_and_what_arrives(hot, watching, tmp_path):
    (hot / "old.png").write_bytes(png(tmp_path))
    os.utime(hot / "old.png", (1e9, 1e9))
    later((hot / "new.png").write_bytes, png(tmp_path))
    later(lambda: ((hot / "sub").mkdir(), (hot / "sub/deep.png").write_bytes(png(tmp_path))))
    found = {result.name: result.error for result in itertools.islice(watching, 3)}
    assert found == {"old.png": None, "new.png": None, "sub/deep.png": None}
    watching.close()
    assert names(tmp_path / "out") == [
        "manifest.jsonl", "masks/new.png", "masks/old.png", "masks/sub/deep.png", "r.csv",
    ]  # fmt: skip
    assert (tmp_path / "out/r.csv").read_text().count("\n") == 4


def test_a_file_that_is_copied_slowly_is_taken_when_it_is_whole(hot, watching, tmp_path):
    content = png(tmp_path, size=(40, 50))

    def copy():
        with (hot / "a.png").open("wb", buffering=0) as file:
            for part in (content[:30], content[30:50], content[50:]):
                file.write(part)
                # Longer than a file must stand still.
                time.sleep(2 * watch._SETTLED)

    later(copy)
    result = next(watching)
    assert (result.error, result.record.width) == (None, 50)
    later((hot / "b.png").write_bytes, content)
    assert next(watching).name == "b.png"


def test_a_file_that_never_becomes_whole_is_named(hot, watching, tmp_path, monkeypatch):
    monkeypatch.setattr(watch, "_PATIENCE", 0.6)
    later((hot / "cut.png").write_bytes, png(tmp_path)[:-20])
    later((hot / "empty.png").write_bytes, b"")
    found = {result.name: result.error for result in itertools.islice(watching, 2)}
    assert found["empty.png"].startswith("the file is empty")
    assert "the file is damaged" in found["cut.png"]
    # It may come once more.
    later((hot / "cut.png").write_bytes, png(tmp_path))
    result = next(watching)
    assert (result.name, result.error) == ("cut.png", None)


def test_a_picture_under_the_same_name_is_segmented_again(hot, watching, tmp_path):
    for value, label in ((200, 1), (20, 0), (201, 1)):
        later((hot / "part.png").write_bytes, png(tmp_path, value))
        assert next(watching).error is None
        assert set(mask(tmp_path / "out/masks/part.png").flat) == {label}


def test_names_that_differ_by_suffix_keep_it_from_then_on(hot, watching, tmp_path):
    later((hot / "part.png").write_bytes, png(tmp_path))
    next(watching)
    assert names(tmp_path / "out/masks") == ["part.png"]
    later((hot / "part.bmp").write_bytes, png(tmp_path))
    assert {next(watching).name, next(watching).name} == {"part.bmp", "part.png"}
    assert names(tmp_path / "out/masks") == ["part.bmp.png", "part.png.png"]


def test_of_two_that_arrive_together_none_has_the_name_of_both(hot, watching, tmp_path):
    (hot / "z.png").write_bytes(png(tmp_path))
    assert next(watching).name == "z.png"

    def both():
        for suffix in ("bmp", "png"):
            save(tmp_path / f"new.{suffix}", np.full((6, 8), 200, np.uint8))
            (tmp_path / f"new.{suffix}").rename(hot / f"a.{suffix}")

    later(both)
    assert sorted(result.name for result in itertools.islice(watching, 2)) == ["a.bmp", "a.png"]
    watching.close()
    masks = ["masks/a.bmp.png", "masks/a.png.png", "masks/z.png"]
    assert names(tmp_path / "out") == ["manifest.jsonl", *masks, "r.csv"]


def test_what_was_taken_away_keeps_its_results(hot, watching, tmp_path):
    later((hot / "part.png").write_bytes, png(tmp_path))
    next(watching)
    (hot / "part.png").unlink()
    later((hot / "part.bmp").write_bytes, png(tmp_path, 20))
    assert next(watching).name == "part.bmp"
    later((hot / "other.png").write_bytes, png(tmp_path))
    assert next(watching).name == "other.png"
    assert names(tmp_path / "out/masks") == ["other.png", "part.bmp.png", "part.png"]
    watching.close()
    assert (tmp_path / "out/r.csv").read_text().count("\n") == 4


def test_a_folder_that_is_away_for_a_while(hot, tmp_path):
    (hot / "a.png").write_bytes(png(tmp_path))
    os.utime(hot / "a.png", (1e9, 1e9))
    index = Index()
    index.add(find_below(hot, leave_out=tmp_path / "out"))
    index.name_results()
    around = watch.Watch(hot, tmp_path / "out", index)
    pictures = around.pictures()
    assert next(pictures).found.name == "a.png"
    hot.rename(tmp_path / "away")
    around._look_at_all()
    (tmp_path / "away").rename(hot)
    around._look_at_all()
    assert around._arriving == {}


def test_a_restart_takes_only_what_came_meanwhile(hot, tmp_path):
    (hot / "a.png").write_bytes(png(tmp_path))
    run(make_segmenter(), hot, tmp_path / "out")
    (hot / "b.png").write_bytes(png(tmp_path))
    segmenter = make_segmenter()
    results = FolderRun(hot, tmp_path / "out", watch=True).results(segmenter)
    found = {result.name: result.kept for result in itertools.islice(results, 2)}
    results.close()
    assert found == {"a.png": True, "b.png": False}
    assert len(segmenter.runtime.seen) == 1


def test_only_a_folder_can_be_watched(hot, tmp_path):
    (hot / "a.png").write_bytes(png(tmp_path))
    with pytest.raises(UsageError, match=r"a\.png: only a folder can be watched; give one"):
        FolderRun(hot / "a.png", tmp_path / "out", watch=True)


def test_old_files_are_not_read_again_and_again(hot, tmp_path, monkeypatch):
    for i in range(50):
        (hot / f"{i}.png").touch()
        os.utime(hot / f"{i}.png", (1e9, 1e9))
    os.utime(hot, (1e9, 1e9))
    looked = []
    look = os.scandir
    monkeypatch.setattr(watch.os, "scandir", lambda path: looked.append(path) or look(path))
    around = watch.Watch(hot, tmp_path / "out", Index())
    assert around._complete() == []
    assert len(looked) == 1
    # A look at every file is due later; until then the folder's own time tells enough.
    around._next_look = time.monotonic() + 1000
    around._complete()
    read = len(looked)
    for _ in range(20):
        around._complete()
    assert len(looked) == read


def test_what_arrives_while_the_old_ones_are_taken_is_taken_once(hot, tmp_path, monkeypatch):
    for name in ("_POLL", "_SETTLED"):
        monkeypatch.setattr(watch, name, 0.0)
    for i in range(5):
        (hot / f"a{i}.png").write_bytes(png(tmp_path))
        os.utime(hot / f"a{i}.png", (1e9, 1e9))
    index = Index()
    index.add(Source(hot).find(tmp_path / "out"))
    index.name_results()
    taken = []
    for planned in watch.Watch(hot, tmp_path / "out", index).pictures():
        if planned is None:
            break
        taken.append(planned.found.name)
        # Behind all others in their order, where the index has not been read yet.
        (hot / "z.png").write_bytes(png(tmp_path))
        os.utime(hot / "z.png", (1e9, 1e9))
    assert sorted(taken) == ["a0.png", "a1.png", "a2.png", "a3.png", "a4.png", "z.png"]
