"""The private folder: entered by nobody else, and gone however the page ends."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from segnet_res.errors import StorageError
from segnet_res.web.private import private_folder, sweep

# What a page that is killed leaves behind.
HELD = """
import sys
from segnet_res.web.private import private_folder
with private_folder() as folder:
    (folder / "upload").mkdir()
    (folder / "upload" / "secret.png").write_bytes(b"a customer's part")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture
def running(temporary):
    """A page of another process, and its folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HELD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        folder = Path(process.stdout.readline().strip())
        assert (folder / "upload" / "secret.png").is_file()
        yield process, folder
        if process.poll() is None:
            process.kill()


def test_the_folder_is_private_and_goes_at_the_end(temporary, monkeypatch):
    monkeypatch.delenv("GRADIO_TEMP_DIR", raising=False)
    with private_folder() as folder:
        assert folder.parent == temporary
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert os.environ["GRADIO_TEMP_DIR"] == str(folder)
        (folder / "upload").mkdir()
    assert not folder.exists()
    assert "GRADIO_TEMP_DIR" not in os.environ


def test_no_room_for_the_folder_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    told = pytest.raises(StorageError, match=r"no temporary folder can be made .* or set TMPDIR")
    with told, private_folder():
        pass


def test_what_a_killed_page_left_goes_when_the_next_one_starts(running):
    process, folder = running
    with private_folder():
        assert folder.is_dir()  # that page still runs
    process.kill()
    process.wait()
    assert folder.is_dir()
    with private_folder() as own:
        assert not folder.exists()
        assert own.is_dir()


def test_only_folders_of_pages_are_swept(temporary, tmp_path):
    # Another program's folder, one that is just being made, and a link to somewhere else.
    (temporary / "segnet-res-notes").mkdir()
    (temporary / "segnet-res-notes" / "kept.txt").write_text("kept")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / ".running").touch()
    (temporary / "segnet-res-link").symlink_to(elsewhere)
    linked_lock = temporary / "segnet-res-locked"
    linked_lock.mkdir()
    (linked_lock / ".running").symlink_to(elsewhere / ".running")
    left = temporary / "segnet-res-left"
    left.mkdir()
    (left / ".running").touch()
    assert sweep(temporary) == [left]
    assert sorted(path.name for path in temporary.iterdir()) == [
        "segnet-res-link", "segnet-res-locked", "segnet-res-notes",
    ]  # fmt: skip
    assert (elsewhere / ".running").exists()


def test_folders_of_other_users_are_not_touched(temporary, monkeypatch):
    left = temporary / "segnet-res-left"
    left.mkdir()
    (left / ".running").touch()
    monkeypatch.setattr(os, "getuid", lambda: left.stat().st_uid + 1)
    assert sweep(temporary) == []
    assert left.is_dir()
