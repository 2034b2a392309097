"""The private folder and the files in it."""

import os
import stat
import time

import numpy as np
import pytest
from PIL import Image

from segnet_res.errors import StorageError
from segnet_res.web.storage import private_folder, write_index_png, write_preview


def test_the_folder_is_private_and_goes_at_the_end(monkeypatch):
    monkeypatch.delenv("GRADIO_TEMP_DIR", raising=False)
    with private_folder() as folder:
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


def test_old_results_and_uploads_are_swept_but_not_samples(storage):
    storage.samples()
    old = storage.new_result()
    upload = storage.folder / "upload"
    upload.mkdir()
    hours_ago = time.time() - 5 * 3600
    for folder in (old, upload, storage.samples()):
        os.utime(folder, (hours_ago, hours_ago))
    new = storage.new_result()
    assert new.is_dir()
    assert storage.samples().is_dir()
    assert not old.exists()
    assert not upload.exists()


def test_index_png_is_exact(tmp_path):
    labels = np.random.default_rng(1).integers(0, 256, (37, 51), np.uint8)
    write_index_png(tmp_path / "mask.png", labels)
    with Image.open(tmp_path / "mask.png") as image:
        assert image.mode == "L"
        assert (np.asarray(image) == labels).all()


def test_previews_are_rgb_and_bounded(tmp_path):
    picture = np.zeros((3, 4100, 3), np.uint8)
    picture[..., 0] = 200
    write_preview(tmp_path / "preview.jpg", picture)
    with Image.open(tmp_path / "preview.jpg") as image:
        assert image.size == (2048, 1)
        red, green, blue = image.getpixel((0, 0))
    assert red > 180
    assert max(green, blue) < 30
