"""The order in which to annotate: what the model does not know comes first, copies are left out."""

import sqlite3
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from segnet_res.checkpoint import digest
from segnet_res.classes import ClassMap
from segnet_res.conditions import KnownConditions, measure
from segnet_res.data.lookalike import Look, look
from segnet_res.errors import CheckpointError, DataError, StorageError
from segnet_res.inference import Segmenter
from segnet_res.inference.runtime import NumpyRuntime
from segnet_res.inference.sources import Found
from segnet_res.retraining import queue_measures
from segnet_res.retraining.corrections import make_dataset, save_correction
from segnet_res.retraining.queue import Failed, Measured, Ranking, rank
from segnet_res.retraining.queue_cache import QueueCache
from segnet_res.retraining.queue_known import Known, learn
from segnet_res.retraining.queue_measures import Doubt, doubt_about

GOLDEN = Path(__file__).parents[1] / "golden/golden.safetensors"
CLASSES = ClassMap.from_names(["sound", "dent"])


class Sided(NumpyRuntime):
    """Is sure of the class of dark and of bright pixels, less so in between; counts its work.

    Where the value is ``odd``, it calls what is left of the middle otherwise than what is right.
    """

    backend = "torch"
    device = "CPU"
    precision = "float32"

    def __init__(self, odd=200, scale=0.1):
        self.odd = odd
        self.scale = scale
        self.runs = 0

    def logits(self, images, mirror=()):
        self.runs += 1
        values = (images[..., 0].astype(np.float32) - 100) * self.scale
        left = np.arange(images.shape[2]) < images.shape[2] // 2
        flipped = left if 2 in mirror else ~left
        values[(images[..., 0] == self.odd) & flipped] = -10
        return np.stack([-values, values], axis=1)


def segmenter(**options):
    return Segmenter(Sided(**options), CLASSES, channels=1)


def ranked(steps):
    """Return the order, and all steps before it."""
    told = []
    while True:
        try:
            told.append(next(steps))
        except StopIteration as stop:
            return stop.value, told


def learned(root, cache=None, conditions=None):
    return ranked(learn(root, 1, conditions, cache))[0]


def test_doubt_by_numbers():
    image = np.full((20, 40, 1), 50, np.uint8)
    image[:, :2] = 100
    doubt = doubt_about(segmenter(), image)
    # Equal logits: the most entropy that there is, on exactly a twentieth of the pixels.
    assert (doubt.entropy, doubt.disagreement) == (1.0, 0.0)
    assert (doubt.between, doubt.place) == (("sound", "dent"), (0, 0))
    image[:] = 50
    assert doubt_about(segmenter(), image).entropy == pytest.approx(0.0007, abs=2e-4)
    # Two of four answers say "dent", two "sound", each of them sure.
    image[:, 10:14] = 200
    doubt = doubt_about(segmenter(), image)
    assert doubt.disagreement == pytest.approx(1, abs=1e-3)
    assert doubt.entropy == pytest.approx(1, abs=1e-3)


def test_a_single_class_leaves_no_doubt():
    class One(NumpyRuntime):
        backend, device, precision = "torch", "CPU", "float32"

        def logits(self, images, mirror=()):  # noqa: ARG002
            return np.zeros((len(images), 1, *images.shape[1:3]), np.float32)

    one = Segmenter(One(), ClassMap.from_names(["sound"]), channels=1)
    doubt = doubt_about(one, np.zeros((5, 5, 1), np.uint8))
    assert doubt == Doubt(0.0, 0.0, None, (0, 0))


def test_a_model_that_gives_no_numbers():
    with pytest.raises(CheckpointError, match="values that are not numbers"):
        doubt_about(segmenter(scale=np.nan), np.zeros((5, 5, 1), np.uint8))


def plate(seed, size=(96, 128)):
    """Draw a sound plate like those that the golden checkpoint knows, each unlike the others."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: size[0], : size[1]]
    turn, wide, shift = rng.uniform(0, np.pi), rng.uniform(8, 25), rng.uniform(0, 6)
    waves = np.sin((columns * np.cos(turn) + rows * np.sin(turn)) / wide + shift)
    return 110 + 15 * waves + rng.normal(0, 5, size)


def write(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(values, 0, 255).astype(np.uint8)).save(path)
    return Found(path.name, path)


def test_an_unseen_defect_comes_first_and_copies_are_left_out(tmp_path):
    """With a model that was trained, on scratches and pits; a stain is neither."""
    model = Segmenter.from_checkpoint(GOLDEN, "cpu", "torch")
    pictures = [write(tmp_path / f"sound-{i}.png", plate(i)) for i in range(5)]
    stained = plate(7)
    rows, columns = np.mgrid[:96, :128]
    spot = (rows - 50) ** 2 + (columns - 70) ** 2 < 15**2
    stained[spot] += 35 * ((rows + columns) % 8 < 4)[spot]
    pictures.append(write(tmp_path / "stain.png", stained))
    pictures.append(write(tmp_path / "stain-copy.png", stained * 0.9 + 12))
    pictures.append(write(tmp_path / "again.png", plate(3)))
    (tmp_path / "damaged.png").write_bytes(b"nothing")
    pictures.append(Found("damaged.png", tmp_path / "damaged.png"))
    result, told = ranked(rank(model, pictures, Known(), weights=digest(GOLDEN)))
    names = {"stain.png", "stain-copy.png"}
    assert result.rows[0].name in names
    assert result.rows[0].score > 1.3 * result.rows[1].score
    assert (result.rows[0].doubt.place[0] - 70) ** 2 < 20**2
    assert result.rows[0].reasons()[0].startswith("unsure between ")
    assert result.skipped[0].picture.name in names - {result.rows[0].name}
    assert len(result.rows) == 6
    assert [str(one) for one in result.skipped] == [
        f"looks like {result.rows[0].name}, which stands higher",
        "looks like again.png, which stands higher",
    ]
    assert [one.name for one in result.failed] == ["damaged.png"]
    assert [type(one) for one in told] == [Measured] * 8 + [Failed]
    content = result.to_dict()
    assert content["formula"] == "score = 0.4 entropy + 0.4 disagreement + 0.2 newness"
    first = content["pictures"][0]
    assert first["score"] == pytest.approx(
        0.4 * first["terms"]["entropy"] + 0.4 * first["terms"]["disagreement"], abs=1e-4
    )
    assert content["skipped"][1]["path"] == str(tmp_path / "sound-3.png")
    assert "damaged.png: not a picture" in content["failed"][0]["error"]


@pytest.fixture
def known_dataset(tmp_path):
    """25 plates, each a part of its own."""
    root = tmp_path / "known"
    make_dataset(root, "known", CLASSES, 1)
    for seed in range(25):
        write(root / "images" / f"{seed:02}.png", plate(seed, (64, 64)))
    return root


def test_what_is_in_the_dataset_is_skipped(tmp_path, known_dataset):
    known = learned(known_dataset)
    assert known.names[:2] == ("00", "01")
    ranking = Ranking(segmenter(), known)
    copy = tmp_path / "copy.png"
    copy.write_bytes((known_dataset / "images/03.png").read_bytes())
    ranking.add("copy.png", copy)
    write(tmp_path / "near.png", plate(4, (64, 64)) * 1.1)
    ranking.add("near.png", tmp_path / "near.png")
    write(tmp_path / "new.png", plate(99, (64, 64)))
    ranking.add("new.png", tmp_path / "new.png")
    result = ranking.result()
    assert [row.name for row in result.rows] == ["new.png"]
    assert sorted(str(one) for one in result.skipped) == [
        "looks like 03, which is in the dataset",
        "looks like 04, which is in the dataset",
    ]


def test_a_picture_of_one_tone_is_a_copy_only_of_itself(tmp_path):
    ranking = Ranking(segmenter(), Known())
    for name, value in (("a.png", 7), ("b.png", 7), ("c.png", 9)):
        write(tmp_path / name, np.full((9, 9), value))
        ranking.add(name, tmp_path / name)
    result = ranking.result()
    assert [row.name for row in result.rows] == ["a.png", "c.png"]
    assert [str(one) for one in result.skipped] == ["looks like a.png, which stands higher"]


def test_what_looks_new(known_dataset):
    """Nine of ten known pictures are as usual; what is made of other structure is not."""
    known = learned(known_dataset)
    usual = [known.newness(seen) for seen in known.looks]
    assert sum(value > 0 for value in usual) <= 2
    rng = np.random.default_rng(0)
    noise = cv2.resize(rng.integers(0, 255, (16, 16), np.uint8), (64, 64))
    assert known.newness(look(noise[..., None])) == 1.0
    few = Known(known.names[:19], known.looks[:19], known.parts[:19], known.digests[:19])
    assert few.newness(look(noise[..., None])) is None
    assert Known().newness(look(noise[..., None])) is None


def test_pictures_of_one_part_do_not_make_others_new():
    """Each known part was photographed twice; another part is not new because it was once."""
    rng = np.random.default_rng(3)
    smalls = rng.normal(128, 30, (40, 64, 64)).clip(0, 255)
    twice = [one + rng.normal(0, 2, one.shape) for one in smalls for _ in range(2)]
    looks = tuple(Look(np.zeros(4, np.uint64), one.clip(0, 255).astype(np.uint8)) for one in twice)
    names = tuple(str(i) for i in range(80))
    parts = tuple(str(i // 2) for i in range(80))
    other = Look(
        np.zeros(4, np.uint64), rng.normal(128, 30, (64, 64)).clip(0, 255).astype(np.uint8)
    )
    assert Known(names, looks, parts, names).newness(other) < 1
    assert Known(names, looks, names, names).newness(other) == 1


def test_other_conditions_are_new(tmp_path):
    usual = KnownConditions.of(
        [measure(np.clip(plate(i), 0, 255).astype(np.uint8)) for i in range(20)]
    )
    ranking = Ranking(segmenter(), Known(conditions=usual))
    as_usual = ranking.add("a", write(tmp_path / "a.png", plate(30)).path)
    dark = ranking.add("b", write(tmp_path / "b.png", plate(31) / 2).path)
    assert (as_usual.newness, as_usual.unusual) == (0, ())
    assert dark.newness >= 0.5
    assert dark.unusual[0].startswith("brightness ")
    assert dark.reasons()[-len(dark.unusual) :] == list(dark.unusual)


def test_parts_that_people_named_and_datasets_that_are_odd(known_dataset, tmp_path):
    path = known_dataset / "images/00.png"
    save_correction(
        known_dataset, path, np.zeros((64, 64), np.uint8), name="00.png", who="Ada", part="lid"
    )
    (known_dataset / "images/broken.png").write_bytes(b"nothing")
    known = learned(known_dataset)
    assert known.parts[:2] == ("lid", "01")
    assert "broken" not in known.names
    info = known_dataset / "dataset.yaml"
    info.write_text(info.read_text() + "group: nowhere\n")
    assert learned(known_dataset).parts[0] == "00"
    with pytest.raises(DataError, match="no such folder"):
        learned(tmp_path / "nothing")


def test_what_was_measured_is_not_measured_again(tmp_path, known_dataset):
    pictures = [write(tmp_path / f"{i}.png", plate(40 + i, (64, 64))) for i in range(3)]
    model = segmenter()
    with QueueCache(tmp_path / "cache/queue.sqlite") as cache:
        known = learned(known_dataset, cache)
        steps = rank(model, pictures, known, cache)
        next(steps)
        next(steps)
        steps.close()
    assert model.runtime.runs == 8
    with QueueCache(tmp_path / "cache/queue.sqlite") as cache:
        again = learned(known_dataset, cache)
        assert all(
            (a.small == b.small).all() for a, b in zip(again.looks, known.looks, strict=True)
        )
        assert again.conditions == known.conditions
        result, _ = ranked(rank(model, pictures, again, cache))
    assert model.runtime.runs == 12
    fresh, _ = ranked(rank(segmenter(), pictures, known))
    assert [row.terms for row in fresh.rows] == [row.terms for row in result.rows]
    # Under another name it is the same picture; with other settings it is not the same answer.
    pictures[0].path.rename(tmp_path / "other.png")
    with QueueCache(tmp_path / "cache/queue.sqlite") as cache:
        ranked(rank(model, [Found("other.png", tmp_path / "other.png")], again, cache))
        assert model.runtime.runs == 12
        other = Segmenter(model.runtime, CLASSES, channels=1, tile=512)
        ranked(rank(other, [Found("other.png", tmp_path / "other.png")], again, cache))
    assert model.runtime.runs == 16


def test_a_cache_that_is_damaged_is_made_again(tmp_path):
    path = tmp_path / "queue.sqlite"
    path.write_bytes(b"no database at all, but long enough to look like one" * 40)
    with QueueCache(path) as cache:
        cache.keep_doubt("a", Doubt(0.5, 0.25, ("x", "y"), (3, 4)))
        assert cache.find_doubt("a") == Doubt(0.5, 0.25, ("x", "y"), (3, 4))
        assert cache.find_doubt("b") is None
        assert cache.find_appearance("a") is None
    base = sqlite3.connect(path)
    with base:
        base.execute("UPDATE measured SET content = '{\"entropy\": 1}'")
    base.close()
    with QueueCache(path) as cache:
        assert cache.find_doubt("a") is None
    with pytest.raises(StorageError, match=r"cannot be written .* or choose another file with --"):
        QueueCache(tmp_path / "queue.sqlite" / "below")


def test_a_cache_keeps_the_newest(tmp_path, monkeypatch):
    monkeypatch.setattr("segnet_res.retraining.queue_cache.MOST", 2)
    doubt = Doubt(0.5, 0.25, None, (0, 0))
    with QueueCache(tmp_path / "q.sqlite") as cache:
        for key in "abcd":
            cache.keep_doubt(key, doubt)
    with QueueCache(tmp_path / "q.sqlite") as cache:
        assert [cache.find_doubt(key) for key in "abcd"] == [None, None, doubt, doubt]


def test_pictures_that_are_too_large_are_named(tmp_path, monkeypatch):
    found = write(tmp_path / "a.png", plate(0))
    pixels = 4 * 24 * 96 * 128
    for memory, kind in ((pixels, Measured), (pixels - 1, Failed)):
        monkeypatch.setattr(queue_measures, "available_memory", lambda memory=memory: memory)
        answer = Ranking(segmenter(), Known()).add("a.png", found.path)
        assert type(answer) is kind
    assert answer.error == (
        "a.png: 128x96 pixels take too much of this machine's memory; cut it into parts"
    )
