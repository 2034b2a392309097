"""Drafts: exact, one for each picture and person, whole or not at all, and not too many."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest

from segnet_res.errors import DataError
from segnet_res.retraining import drafts as drafts_module
from segnet_res.retraining.drafts import Drafts

SHA = "ab" * 32


def save(drafts, sha=SHA, who="Ada", value=1, **options):
    labels = np.full((5, 7), value, np.uint8)
    options = {"ignore": 255, "opened": None, "proposed_by": None} | options
    return drafts.save(sha, labels, ["sound", "dent"], who=who, **options)


def test_a_draft_is_found_again(tmp_path):
    drafts = Drafts(tmp_path / ".drafts")
    assert drafts.find(SHA, "Ada") is None
    assert drafts.list("Ada") == ()
    labels = np.random.default_rng(0).integers(0, 256, (33, 21), np.uint8)
    when = drafts.save(
        SHA, labels, ["sound", "Délle"], who="Ada", ignore=254, opened="cd" * 32,
        proposed_by="tiles 0123", name="part 7.jpg",
    )  # fmt: skip
    draft = Drafts(tmp_path / ".drafts").find(SHA, "Ada")
    assert (draft.labels == labels).all()
    assert draft.labels.dtype == np.uint8
    assert (draft.when, draft.who, draft.classes, draft.ignore, draft.opened) == (
        when, "Ada", ("sound", "Délle"), 254, "cd" * 32,
    )  # fmt: skip
    assert (draft.proposed_by, draft.name) == ("tiles 0123", "part 7.jpg")
    assert [one.picture_sha256 for one in drafts.list("Ada")] == [SHA]


def test_the_newest_counts_and_people_are_kept_apart(tmp_path):
    drafts = Drafts(tmp_path)
    save(drafts, value=1)
    save(drafts, value=0)
    save(drafts, who="Bob", value=255)
    save(drafts, "cd" * 32)
    assert drafts.find(SHA, "Ada").labels[0, 0] == 0
    assert drafts.find(SHA, "Bob").labels[0, 0] == 255
    assert [one.picture_sha256 for one in drafts.list("Ada")] == ["cd" * 32, SHA]
    assert len(list(tmp_path.iterdir())) == 3
    drafts.remove(SHA, "Ada")
    drafts.remove(SHA, "Ada")
    assert drafts.find(SHA, "Ada") is None
    assert drafts.find(SHA, "Bob") is not None


def test_a_draft_of_another_tab_stays(tmp_path):
    drafts = Drafts(tmp_path)
    first = save(drafts, value=1, tab="one")
    # The second tab was opened before there was a draft.
    with pytest.raises(DataError, match="another tab or window keeps a draft of this picture"):
        save(drafts, value=0, tab="two")
    drafts.remove(SHA, "Ada", tab="two")
    assert drafts.find(SHA, "Ada").labels[0, 0] == 1
    # The third has gone on with it, so that it is the first that knows an old one.
    second = save(drafts, value=5, tab="three", known=first)
    with pytest.raises(DataError, match="another tab or window"):
        save(drafts, value=1, tab="one", known=None)
    assert drafts.find(SHA, "Ada").labels[0, 0] == 5
    drafts.remove(SHA, "Ada", tab="one", known=second)
    assert drafts.find(SHA, "Ada") is None


def test_of_two_tabs_that_keep_a_draft_at_once_one_is_told(tmp_path, monkeypatch):
    drafts, write = Drafts(tmp_path), drafts_module.atomic_write
    writes, ended = threading.Event(), threading.Event()

    @contextmanager
    def slow(path):
        if not writes.is_set():
            writes.set()
            # Until the other has kept its own, which it must not before this one is written.
            ended.wait(1)
        with write(path) as file:
            yield file

    def other():
        writes.wait()
        try:
            save(drafts, value=0, tab="two")
        finally:
            ended.set()

    monkeypatch.setattr(drafts_module, "atomic_write", slow)
    with ThreadPoolExecutor(2) as pool:
        kept = pool.submit(save, drafts, value=1, tab="one")
        told = pool.submit(other)
        assert kept.result()
        with pytest.raises(DataError, match="another tab or window keeps a draft"):
            told.result()
    assert drafts.find(SHA, "Ada").labels[0, 0] == 1


@pytest.mark.parametrize("who", ["../../x", "a/b", "\0", "", "x" * 5000, "\udce9", "*"])
def test_names_lead_nowhere(tmp_path, who):
    save(Drafts(tmp_path / "drafts"), "../../" + SHA, who)
    assert Drafts(tmp_path / "drafts").find("../../" + SHA, who).who == who
    assert [path.name for path in tmp_path.iterdir()] == ["drafts"]


def test_damaged_drafts_are_ignored(tmp_path):
    drafts = Drafts(tmp_path)
    save(drafts)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    for content in (
        b"",
        whole[:-30],
        whole[:60],
        whole.replace(b'"ignore": 255', b'"ignorx": 255'),
    ):
        path.write_bytes(content)
        assert drafts.find(SHA, "Ada") is None
    other = tmp_path / "other.png"
    other.write_bytes(whole)
    # A draft under another name is not the one that somebody saved.
    assert drafts.list("Ada") == ()
    save(drafts)
    assert len(drafts.list("Ada")) == 1


def test_only_masks_are_drafts(tmp_path):
    with pytest.raises(DataError, match=r"a draft is \(2, 2, 3\) of uint8; give \(H, W\)"):
        Drafts(tmp_path).save(
            SHA, np.zeros((2, 2, 3), np.uint8), [], who="", ignore=255, opened=None,
            proposed_by=None,
        )  # fmt: skip
    assert not list(tmp_path.iterdir())


def test_too_many_go(tmp_path, monkeypatch):
    monkeypatch.setattr(drafts_module, "MOST_OF_ONE", 3)
    monkeypatch.setattr(drafts_module, "MOST", 5)
    drafts = Drafts(tmp_path)
    for number in range(5):
        save(drafts, f"{number:064}")
    assert [one.picture_sha256[-1] for one in drafts.list("Ada")] == ["4", "3", "2"]
    for who in ("Bob", "Cy", "Di"):
        save(drafts, who=who)
    # Whoever has most gives way, and not the last of somebody who has one.
    assert [len(drafts.list(who)) for who in ("Ada", "Bob", "Cy", "Di")] == [2, 1, 1, 1]


def test_old_ones_go(tmp_path):
    drafts = Drafts(tmp_path)
    save(drafts)
    (path,) = tmp_path.iterdir()
    long_ago = time.time() - drafts_module.KEEP_DAYS * 24 * 3600
    os.utime(path, (long_ago + 60, long_ago + 60))
    save(drafts, who="Bob")
    assert drafts.find(SHA, "Ada") is not None
    os.utime(path, (long_ago - 60, long_ago - 60))
    save(drafts, who="Bob")
    assert drafts.find(SHA, "Ada") is None
    assert drafts.find(SHA, "Bob") is not None
