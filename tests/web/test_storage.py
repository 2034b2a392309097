"""The files in the private folder."""

import os
import time

import numpy as np
from PIL import Image

from segnet_res.web.storage import write_index_png, write_preview


def test_old_results_and_uploads_are_swept_but_not_samples(storage):
    storage.samples()
    old = storage.new_result()
    upload = storage.folder / "upload"
    upload.mkdir()
    broken_off = storage.folder / "tmp1234"
    broken_off.write_bytes(b"half a picture")
    lock = storage.folder / ".running"
    lock.touch()
    hours_ago = time.time() - 5 * 3600
    for entry in (old, upload, broken_off, lock, storage.samples()):
        os.utime(entry, (hours_ago, hours_ago))
    new = storage.new_result()
    assert new.is_dir()
    assert storage.samples().is_dir()
    assert not old.exists()
    assert not upload.exists()
    assert not broken_off.exists()
    assert lock.exists()


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
