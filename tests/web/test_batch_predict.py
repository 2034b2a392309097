"""The page's batch and the command: the same files, byte for byte."""

import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from segnet_res.inference import Segmenter, predict_folder
from segnet_res.web.backend import Backend
from segnet_res.web.batch import Batches


def watch(batches, job):
    while True:
        reply = batches.answer({"action": "watch", "job": job})
        assert reply["error"] is None
        if reply["state"]["status"] in ("done", "failed") and (
            reply["task"] is None or reply["task"]["status"] in ("done", "failed")
        ):
            return reply


def test_masks_and_overlays_are_those_of_predict(tiny_checkpoint, tmp_path):
    rng = np.random.default_rng(2)
    source = tmp_path / "data" / "shift"
    (source / "night").mkdir(parents=True)
    turned = Image.Exif()
    turned[0x0112] = 6  # a camera held upright
    Image.fromarray(rng.integers(0, 256, (40, 61), np.uint8)).save(source / "grey.png")
    Image.fromarray(rng.integers(0, 256, (33, 32, 3), np.uint8)).save(
        source / "night" / "colour.jpg", exif=turned
    )
    Image.fromarray(rng.integers(0, 256, (32, 48, 4), np.uint8)).save(
        source / "night" / "colour.png"
    )
    Image.fromarray(rng.integers(0, 65536, (20, 20), np.uint16)).save(source / "deep.tif")
    private = tmp_path / "private"
    private.mkdir()
    target = tmp_path / "predicted"
    segmenter = Segmenter.from_checkpoint(tiny_checkpoint, device="cpu")
    results = list(predict_folder(segmenter, source, target, save=("masks", "overlays")))
    assert not any(result.error for result in results)

    backend = Backend.make(tiny_checkpoint.parent, private, tmp_path / "data")
    batches = Batches(backend)
    started = batches.answer(
        {
            "action": "run", "model": "tiny", "overlays": True,
            "source": {"kind": "folder", "folder": "shift"},
        }
    )  # fmt: skip
    job = started["job"]
    assert watch(batches, job)["state"]["status"] == "done"
    batches.answer({"action": "pack", "job": job, "contents": {"masks": True, "overlays": True}})
    path = watch(batches, job)["task"]["file"]
    with zipfile.ZipFile(path) as archive:
        packed = {
            name: archive.read(name)
            for name in archive.namelist()
            if name.startswith(("masks/", "overlays/"))
        }
    predicted = {
        file.relative_to(target).as_posix(): file.read_bytes()
        for file in target.glob("*/**/*")
        if file.is_file()
    }
    assert sorted(packed) == sorted(predicted)
    assert packed == predicted
    assert Path(path).stat().st_size > sum(map(len, packed.values()))
    backend.jobs.close()
