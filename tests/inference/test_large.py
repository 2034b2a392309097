"""The way of large pictures gives what the ordinary way gives, and holds little meanwhile."""

import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segnet_res.classes import ClassMap
from segnet_res.conditions import measure
from segnet_res.data.synth import draw_part
from segnet_res.errors import ImageError, StorageError
from segnet_res.images import LargePicture, read_image, read_picture
from segnet_res.inference import large
from segnet_res.inference.large import is_large, predict_large
from segnet_res.inference.outputs import KINDS
from segnet_res.inference.runtime import NumpyRuntime
from segnet_res.inference.segmenter import Prediction, Segmenter
from segnet_res.inference.tiling import spans
from segnet_res.regions import refine

CLASSES = ClassMap(
    ("sound", "scratch", "dent"), ((0, 0, 0), (255, 0, 0), (0, 0, 255)), ignore_index=255
)
ORIENTATION = 0x0112


class Pointwise(NumpyRuntime):
    """A model that looks at each pixel alone, so that tiles must not show at all."""

    backend = "numpy"
    device = "cpu"
    precision = "float32"

    def logits(self, images, mirror=()):
        value = np.flip(images, mirror).mean(axis=3, dtype=np.float32) / 64
        logits = np.stack([np.full_like(value, 1.5), value, np.sin(9 * value) + 1], axis=1)
        return np.flip(logits, [axis + 1 if axis else 0 for axis in mirror]).copy()


def segmenter(channels=3, *, tile=128, overlap=32):
    return Segmenter(Pointwise(), CLASSES, channels=channels, tile=tile, overlap=overlap)


def photograph(height, width, seed=0):
    """Return (H, W, 3) uint8 with blotches of several sizes, so that there are regions."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 9 + 1, width // 9 + 1, 3), np.uint8)
    grown = coarse.repeat(9, axis=0).repeat(9, axis=1)[:height, :width]
    return (grown // 2 + rng.integers(0, 128, (height, width, 3), np.uint8)).astype(np.uint8)


def outputs(folder, kinds=tuple(KINDS)):
    return {kind: folder / kind / f"a{KINDS[kind].suffix}" for kind in kinds}


def pixels(path):
    with Image.open(path) as image:
        return np.array(image)


# ---- tiles


def test_by_any_tiles_a_pointwise_model_answers_as_for_the_whole():
    rng = np.random.default_rng(5)
    for _ in range(25):
        tile = 32 * int(rng.integers(4, 8))
        overlap = 32 * int(rng.integers(1, tile // 128 + 1))
        image = photograph(*rng.integers(1, 600, 2).tolist(), seed=int(rng.integers(99)))
        whole = segmenter(tile=1024, overlap=32).predict(image)
        found = segmenter(tile=tile, overlap=overlap).predict(image)
        sure = whole.confidence > 0.55
        np.testing.assert_array_equal(found.labels[sure], whole.labels[sure])
        np.testing.assert_allclose(found.confidence, whole.confidence, atol=1e-6)


@pytest.mark.parametrize("size", [(300, 400), (513, 70)])
def test_away_from_the_seams_tiles_change_nothing(size):
    # A model that looks 5 pixels around: zeros are taken for what lies beyond the edge of a tile.
    class Around(Pointwise):
        def logits(self, images, mirror=()):
            padded = np.pad(images.astype(np.float32), [(0, 0), (5, 5), (5, 5), (0, 0)])
            height, width = images.shape[1:3]
            mean = sum(
                padded[:, 5 + step : 5 + step + height, 5 + step : 5 + step + width]
                for step in range(-5, 6)
            )
            return super().logits(mean / 11, mirror)

    def make(tile):
        return Segmenter(Around(), CLASSES, channels=3, tile=tile, overlap=32)

    image = photograph(*size)
    whole, tiled = make(1024).predict(image), make(128).predict(image)
    # The windows end a quarter of the overlap, 8 pixels, before the tiles do: nothing is seen.
    np.testing.assert_array_equal(tiled.labels, whole.labels)
    np.testing.assert_allclose(tiled.confidence, whole.confidence, atol=1e-5)


def test_the_bundled_model_answers_the_same_away_from_the_seams():
    image = draw_part(np.random.default_rng(2), size=(544, 560), defects=["crack", "fray"]).image
    path = Path(__file__).resolve().parents[2] / "checkpoints" / "magnetic-tile.safetensors"
    whole, tiled = (
        Segmenter.from_checkpoint(path, "cpu", "torch", tile=tile).predict(image)
        for tile in (1024, 512)
    )
    differs = tiled.labels != whole.labels
    # The tiles share rows and columns 224 to 352; around them the network sees their ends.
    assert [(span.start, span.stop) for span in spans(544, 512, 128)] == [(0, 352), (224, 544)]
    away = np.ones(differs.shape, bool)
    away[224 - 64 : 352 + 64] = False
    away[:, 224 - 64 : 352 + 64] = False
    assert away.mean() > 0.2
    assert len(np.unique(whole.labels[away])) > 1
    assert not differs[away].any()
    assert differs.mean() < 0.02


# ---- the same results as the ordinary way


def save(path, image, mode):
    """Save a picture in one of Pillow's modes, and return it as it will be read."""
    options = {}
    picture = Image.fromarray(image)
    if mode == "turned":
        exif = Image.Exif()
        exif[ORIENTATION] = 6
        options = {"exif": exif}
    elif mode == "I;16":
        picture = Image.fromarray(image[..., 0].astype(np.uint16) * 257)
    else:
        picture = picture.convert(mode)
    picture.save(path, **options)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "1", "I;16", "CMYK", "turned"])
@pytest.mark.parametrize("channels", [1, 3])
def test_results_equal_those_of_the_ordinary_way(tmp_path, monkeypatch, mode, channels):
    monkeypatch.setattr("segnet_res.images.writing._STRIP", 50)
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    save(path, photograph(211, 170), mode)
    model = segmenter(channels)
    found = predict_large(
        model, path, outputs(tmp_path / "large"), name="a", threshold=0.5, min_region=4
    )
    image = read_image(path, 3)
    prediction = model.predict(image)
    labels = refine(prediction.labels, prediction.confidence, CLASSES, threshold=0.5, min_region=4)
    np.testing.assert_array_equal(found.labels, labels)
    assert 0 < np.count_nonzero(labels) < np.count_nonzero(prediction.labels)
    assert found.confidence == pytest.approx(prediction.confidence.mean(dtype=np.float64))
    assert (found.height, found.width) == labels.shape
    assert found.seconds > 0
    assert found.conditions == measure(image)
    expected = outputs(tmp_path / "ordinary")
    for kind, file in expected.items():
        KINDS[kind].write(file, image, Prediction(labels, prediction.confidence), CLASSES, name="a")
    ours = outputs(tmp_path / "large")
    for kind in ("masks", "colors", "overlays", "confidence"):
        np.testing.assert_array_equal(pixels(ours[kind]), pixels(expected[kind]), err_msg=kind)
    assert json.loads(ours["polygons"].read_text()) == json.loads(expected["polygons"].read_text())


def test_of_several_pages_the_first_is_segmented_and_told(tmp_path):
    pages = [Image.fromarray(photograph(40, 50, seed)) for seed in range(2)]
    path = tmp_path / "a.tif"
    pages[0].save(path, save_all=True, append_images=pages[1:])
    found = predict_large(segmenter(), path, outputs(tmp_path, ["masks"]), name="a")
    assert found.notes == read_picture(path).notes == ("first of 2 pages",)
    np.testing.assert_array_equal(found.labels, segmenter().predict(np.array(pages[0])).labels)


def test_only_what_is_asked_for_is_written(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(photograph(40, 50)).save(path)
    predict_large(segmenter(), path, outputs(tmp_path / "out", ["colors"]), name="a")
    files = [file for file in (tmp_path / "out").rglob("*") if file.is_file()]
    assert files == [tmp_path / "out" / "colors" / "a.png"]
    found = predict_large(segmenter(), path, {}, name="a")
    assert found.labels.shape == (40, 50)


# ---- what is refused


def test_what_is_too_long_for_jpeg_is_refused_before_it_is_segmented(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    Image.new("1", (65_501, 2)).save(path)
    monkeypatch.setattr(Segmenter, "parts", None)
    with pytest.raises(ImageError, match=r"^65501x2 is too long for a JPEG overlay; leave"):
        predict_large(segmenter(), path, outputs(tmp_path, ["masks", "overlays"]), name="a")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("color", "kinds", "needed"),
    [(0, ["masks", "confidence"], "0.4"), (0, ["overlays"], "0.8"), (2, ["masks"], "0.8")],
)
def test_what_does_not_fit_is_refused_by_its_header(tmp_path, monkeypatch, color, kinds, needed):
    path = tmp_path / "a.png"
    header = b"IHDR" + struct.pack(">IIBBBBB", 10_000, 10_000, 8, color, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + header
        + struct.pack(">I", zlib.crc32(header))
        + struct.pack(">I", 0)
        + b"IDAT"
        + bytes(4)
    )
    monkeypatch.setattr(large, "available_memory", lambda: 300_000_000)
    monkeypatch.setattr(LargePicture, "open", None)
    message = (
        rf"^a.png: the picture is 10000x10000 and takes {needed} GB, the machine has 0.3 GB of "
        "memory; cut it into parts$"
    )
    with pytest.raises(ImageError, match=message):
        predict_large(segmenter(), path, outputs(tmp_path, kinds), name="a")


def test_a_damaged_picture_leaves_nothing(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(photograph(40, 50)).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ImageError, match=r"^a.png: the file is damaged \(.+\); copy or export it"):
        predict_large(segmenter(), path, outputs(tmp_path), name="a")
    assert list(tmp_path.iterdir()) == [path]


def test_where_nothing_can_be_written_it_is_told(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(photograph(40, 50)).save(path)
    (tmp_path / "masks").write_text("in the way")
    with pytest.raises(StorageError, match=r"masks/a.png: cannot be written"):
        predict_large(segmenter(), path, outputs(tmp_path, ["masks"]), name="a")


# ---- what is large


def test_memory_decides_what_is_large(monkeypatch):
    monkeypatch.setattr(large, "available_memory", lambda: 1 << 40)
    assert is_large(8000, 4001)
    assert not is_large(8000, 4000)
    # A sixteenth of 2 GB at 32 bytes a pixel is 3.9 million pixels.
    monkeypatch.setattr(large, "available_memory", lambda: 2_000_000_000)
    assert is_large(2000, 2000)
    assert not is_large(1900, 2000)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_stays_far_below_that_of_the_ordinary_way(tmp_path):
    """Decoded, segmented and painted: a picture in colour takes 6 bytes a pixel."""
    path = tmp_path / "a.png"
    side = 3000
    Image.fromarray(np.zeros((side, side, 3), np.uint8)).save(path)
    program = f"""
import sys
sys.path[:0] = [{str(__file__).rsplit("/", 1)[0]!r}]
from pathlib import Path
from test_large import *
def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
model = segmenter(1, tile=512)
model.predict(photograph(1100, 1100))
path, target = map(Path, sys.argv[1:])
kinds = ["masks", "colors", "overlays", "confidence"]
before = peak()
predict_large(model, path, outputs(target, kinds), name="a")
print((peak() - before) / {side * side})
"""
    done = subprocess.run(
        [sys.executable, "-c", program, path, tmp_path / "out"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # 4 of the picture in colour, 1 of the labels, 1 of the confidence, and strips.
    assert 0 < float(done.stdout) < 10
