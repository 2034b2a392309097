"""From a request of the Compare tab to its reply, without a browser and without torch."""

from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace

import numpy as np
import pytest
from PIL import Image

from segnet_res.classes import MAGNETIC_TILE, ClassMap
from segnet_res.errors import CheckpointError
from segnet_res.web.comparer import Comparer, Request
from segnet_res.web.turns import Turnstile

CLASSES = ClassMap.from_names(["sound", "scratch", "dent"])


@dataclass
class Threshold:
    """Calls pixels brighter than a limit the class 1, with the confidence 0.75."""

    limit: int
    class_map: ClassMap

    def predict(self, image):
        self.labels = (image[..., 0] > self.limit).astype(np.uint8)
        self.confidence = np.full(self.labels.shape, 0.75, np.float32)
        return self


class TwoModels:
    """A library of models, each by its name."""

    def __init__(self, **models):
        self.models = models
        self.turns = Turnstile()

    @contextmanager
    def borrow(self, name):
        self.weights(name)
        yield self.models[name]

    def weights(self, name):
        if name not in self.models:
            raise CheckpointError(f"no checkpoint is called {name!r}; known are a, b")
        return "ab" * 32

    def entries(self):
        return []


@pytest.fixture
def make_comparer(make_backend):
    def make(second=CLASSES, data=None):
        models = TwoModels(
            a=Threshold(100, CLASSES), b=Threshold(200, second), tile=Threshold(100, MAGNETIC_TILE)
        )
        return Comparer(replace(make_backend(data=data), checkpoints=models))

    return make


@pytest.fixture
def picture(storage):
    """10 x 20: 20 pixels of 150 and 30 of 250 on 40, as an upload."""
    pixels = np.full((10, 20), 40, np.uint8)
    pixels[:1] = 150
    pixels[5:8, :10] = 250
    path = storage.folder / "upload" / "part.png"
    path.parent.mkdir()
    Image.fromarray(pixels).save(path)
    return {"kind": "upload", "path": str(path), "name": "part.png"}


def compare(comparer, source, **fields):
    asked = {"action": "compare", "request": 4, "first": "a", "second": "b", "source": source}
    *_, reply = comparer.answer(asked | fields)
    return reply


def pixels_of(reply):
    return [code["pixels"] for code in reply["codes"]]


def labels_of(path):
    return np.asarray(Image.open(path))


def test_two_models_on_one_picture(make_comparer, picture):
    reply = compare(make_comparer(), picture)
    assert reply["error"] is None
    assert (reply["kind"], reply["request"]) == ("comparison", 4)
    assert reply["image"] == {"name": "part.png", "width": 20, "height": 10}
    assert reply["models"] == ["a", "b"]
    assert reply["weights"] == ["ab" * 32, "ab" * 32]
    scratch = reply["classes"][1]
    assert [side["pixels"] for side in scratch["sides"]] == [50, 30]
    assert [side["regions"] for side in scratch["sides"]] == [2, 1]
    assert scratch["both"] == 30
    assert pixels_of(reply) == [180, 20, 0, 0, 0, 0, 0, 0]
    assert reply["scores"] is None
    assert reply["warnings"] == []
    files = reply["files"]
    first, second = labels_of(files["first"]), labels_of(files["second"])
    assert first.sum() == 50
    assert second.sum() == 30
    assert np.array_equal(labels_of(files["differences"]) == 1, first != second)
    # floor(255 * 0.75)
    assert set(np.unique(labels_of(files["confidence"]))) == {191}
    assert set(np.unique(labels_of(files["second_confidence"]))) == {191}


@pytest.mark.parametrize("replaced", ["a", "b"])
def test_a_checkpoint_that_is_replaced_meanwhile_is_named(
    make_comparer, picture, monkeypatch, replaced
):
    comparer, asked = make_comparer(), []

    def weights(_, name):
        asked.append(name)
        return f"{name} {asked.count(name) if name == replaced else 0}"

    # Other weights each time it is asked for.
    monkeypatch.setattr(TwoModels, "weights", weights)
    monkeypatch.setattr(TwoModels, "borrow", lambda self, name: nullcontext(self.models[name]))
    error = compare(comparer, picture)["error"]
    assert error.startswith(f"the checkpoint {replaced} has changed since")


def test_classes_of_the_second_are_brought_into_those_of_the_first(make_comparer, picture):
    other = ClassMap.from_names(["good", "rust", "scratch"])
    reply = compare(make_comparer(other), picture)
    assert [row["name"] for row in reply["classes"]] == ["sound", "scratch", "dent", "rust"]
    # What the second calls 1 is its "rust", the common map's 3; the download keeps its own index.
    assert set(np.unique(labels_of(reply["files"]["second"]))) == {0, 3}
    assert set(np.unique(labels_of(reply["files"]["masks"][1]))) == {0, 1}
    assert reply["classes"][3]["sides"][0] is None
    assert reply["warnings"] == [
        "a does not know rust: it can only miss that.",
        "b does not know dent: it can only miss that.",
    ]


def test_models_for_other_things_get_a_sentence(make_comparer, picture):
    reply = compare(make_comparer(ClassMap.from_names(["sky", "tree"])), picture)
    assert "the two checkpoints have no class in common" in reply["error"]


def test_a_reference_tells_who_is_right(make_comparer, picture, storage):
    truth = np.zeros((10, 20), np.uint8)
    truth[5:8, :10] = 1
    path = storage.folder / "upload" / "part_mask.png"
    Image.fromarray(truth).save(path)
    reply = compare(make_comparer(), picture, reference={"kind": "upload", "path": str(path)})
    assert reply["reference_error"] is None
    # The second finds exactly the truth, the first 20 pixels too many.
    assert pixels_of(reply) == [180, 0, 0, 0, 0, 20, 0, 0]
    first, second = reply["scores"]
    assert first["classes"][1]["iou"] == pytest.approx(30 / 50)
    assert second["classes"][1]["iou"] == 1.0
    assert second["miou"] == 1.0
    assert np.array_equal(labels_of(reply["files"]["reference"]), truth)


def test_an_unusable_reference_leaves_the_comparison(make_comparer, picture, storage):
    path = storage.folder / "upload" / "small.png"
    Image.fromarray(np.zeros((3, 3), np.uint8)).save(path)
    comparer = make_comparer()
    reply = compare(comparer, picture, reference={"kind": "upload", "path": str(path)})
    assert reply["error"] is None
    assert "the mask is 3x3, the picture 20x10" in reply["reference_error"]
    assert pixels_of(reply)[1] == 20
    reply = compare(comparer, picture, reference={"kind": "own"})
    assert reply["reference_error"] == "part.png: no mask belongs to this picture; choose one"


def test_a_samples_own_mask_is_the_reference(make_comparer):
    source = {"kind": "sample", "name": "crack"}
    reply = compare(make_comparer(), source, first="tile", second="tile", reference={"kind": "own"})
    assert reply["reference_error"] is None
    assert sum(reply["scores"][0]["confusion"][3]) > 0
    assert reply["warnings"] == ["A and B are the same checkpoint, tile: they cannot differ."]


def test_numbers_alone_leave_no_files(make_comparer, picture, storage):
    comparer = make_comparer()
    before = set(storage.folder.iterdir())
    reply = compare(comparer, picture, numbers=True)
    assert pixels_of(reply)[1] == 20
    assert "files" not in reply
    assert set(storage.folder.iterdir()) == before


def test_what_is_missing_or_forged_gets_a_sentence(make_comparer, picture):
    comparer = make_comparer()
    missing = compare(comparer, picture, second="")
    assert missing["error"] == "two checkpoints are needed; choose one for A and one for B"
    assert "no picture was given" in compare(comparer, {"kind": "upload"} | {"kind": 7})["error"]
    forged = {"kind": "upload", "path": "/etc/passwd", "name": "x.png"}
    assert "the upload is no longer here" in compare(comparer, forged)["error"]
    assert "no checkpoint is called '../x'" in compare(comparer, picture, first="../x")["error"]
    for content in (None, [], {"action": ["compare"], "first": {}, "second": 5, "source": "x"}):
        assert Request.from_untrusted(content) == Request()
        *_, reply = comparer.answer(content)
        assert reply["error"]


def test_choices_and_pictures_of_a_dataset(make_comparer, tmp_path):
    folder = tmp_path / "data" / "tiles"
    for name in ("images", "masks", "splits"):
        (folder / name).mkdir(parents=True)
    (folder / "dataset.yaml").write_text(
        "name: tiles\nclasses: [{name: sound}, {name: scratch}, {name: dent}]\nchannels: 1\n"
    )
    pixels = np.full((4, 5), 150, np.uint8)
    for stem in ("p1", "p2"):
        Image.fromarray(pixels).save(folder / "images" / f"{stem}.png")
        Image.fromarray(np.ones_like(pixels)).save(folder / "masks" / f"{stem}.png")
    (folder / "splits" / "val.txt").write_text("p1\np2\n")
    comparer = make_comparer(data=tmp_path / "data")
    (choices,) = comparer.answer({"action": "choices", "request": 1})
    assert choices["datasets"] == {"tiles": {"val": 2}}
    assert [sample["name"] for sample in choices["samples"]][:2] == ["sound", "blowhole"]
    asked = {"action": "pictures", "request": 2, "dataset": "tiles", "split": "val"}
    (listed,) = comparer.answer(asked)
    assert (listed["stems"], listed["total"]) == (["p1", "p2"], 2)
    (refused,) = comparer.answer(asked | {"dataset": "../.."})
    assert "no dataset is called '../..'" in refused["error"]
    source = {"kind": "dataset", "dataset": "tiles", "split": "val", "stem": "p2"}
    reply = compare(comparer, source, reference={"kind": "own"})
    # All 20 pixels are scratches; only the first model finds them.
    assert pixels_of(reply) == [0, 0, 0, 0, 20, 0, 0, 0]
    assert reply["image"]["name"] == "p2"
