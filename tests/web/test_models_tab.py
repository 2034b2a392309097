"""What stands behind the Models tab."""

import shutil

import pytest

from segnet_res.errors import CheckpointError
from segnet_res.web import speed
from segnet_res.web.backend import Backend
from segnet_res.web.checkpoints import Library
from segnet_res.web.models_tab import Upload, add, listing
from segnet_res.web.speed import Speeds


@pytest.fixture
def folder(tmp_path, tiny_checkpoint):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    shutil.copy(tiny_checkpoint, folder / "tiny.safetensors")
    return folder


@pytest.fixture
def private(tmp_path):
    private = tmp_path / "private"
    private.mkdir()
    return private


@pytest.fixture
def backend(folder, private):
    return Backend.make(folder, private, accept_checkpoints=True)


@pytest.fixture
def small_pictures(monkeypatch):
    monkeypatch.setattr(speed, "WIDTH", 48)
    monkeypatch.setattr(speed, "HEIGHT", 40)


def send(backend, private, name="new.safetensors", content=None):
    upload = private / "upload" / name
    upload.parent.mkdir(exist_ok=True)
    upload.write_bytes(content or (backend.checkpoints.folder / "tiny.safetensors").read_bytes())
    return add(backend, Upload.from_untrusted({"request": 4, "path": str(upload), "name": name}))


def test_an_upload_becomes_a_card(backend, private):
    assert send(backend, private) == {"request": 4, "added": "new", "error": None}
    assert [card["name"] for card in listing(backend)["models"]] == ["new", "tiny"]
    assert listing(backend)["accepts"] is True


def test_a_refusal_is_one_sentence(backend, private):
    reply = send(backend, private, content=b"nonsense")
    assert reply["added"] is None
    assert reply["error"].startswith("new.safetensors: not a checkpoint; give a .safetensors file")
    assert [card["name"] for card in listing(backend)["models"]] == ["tiny"]


def test_a_page_that_takes_none_takes_none(folder, private):
    backend = Backend.make(folder, private)
    assert listing(backend)["accepts"] is False
    reply = send(backend, private)
    assert reply["error"] == "this page takes no checkpoints; put the file into its folder"
    assert [path.name for path in folder.iterdir()] == ["tiny.safetensors"]


@pytest.mark.parametrize(
    "content",
    [
        None, [], "x", {"path": "/etc/passwd", "name": "new.safetensors"}, {"path": ["x"]},
        {"path": "../tiny.safetensors", "name": "new.safetensors"}, {"path": "x" * 5000},
        {"request": {}, "path": "\0", "name": 5},
    ],
)  # fmt: skip
def test_forged_requests_reach_nothing(backend, content):
    reply = add(backend, Upload.from_untrusted(content))
    assert reply["error"] == "the upload has expired; choose the file again"


def test_a_file_outside_the_uploads_is_not_taken(backend, folder):
    path = str(folder / "tiny.safetensors")
    reply = add(backend, Upload.from_untrusted({"path": path, "name": "copy.safetensors"}))
    assert reply["error"] == "the upload has expired; choose the file again"
    assert len(list(folder.iterdir())) == 1


def test_a_bug_is_logged_and_told(backend, private, monkeypatch, caplog):
    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("segnet_res.web.models_tab.accept", broken)
    assert "something unexpected went wrong" in send(backend, private)["error"]
    assert "ZeroDivisionError" in caplog.text


def test_speed_is_measured_once_and_stands_on_the_card(backend, small_pictures):
    assert listing(backend)["models"][0]["speed"] is None
    measured = backend.speeds.measure("tiny")
    assert backend.speeds.measure("tiny") is measured
    card = listing(backend)["models"][0]["speed"]
    assert card["seconds"] == measured.seconds > 0
    assert card["error"] is None


def test_speed_says_what_was_measured(backend, monkeypatch):
    seen = []
    clock = iter([0.0, 9.0, 10.0, 10.5, 20.0, 20.1, 30.0, 30.2])
    monkeypatch.setattr(speed.time, "perf_counter", lambda: next(clock))

    class Still:
        device = "CPU (of a test)"

        def predict(self, picture):
            seen.append(picture.shape)

    monkeypatch.setattr(backend.checkpoints, "load_apart", lambda _: Still())
    measured = backend.speeds.measure("tiny")
    # The first run warms up: 9 s; the median of 0.5, 0.1 and 0.2 is 0.2.
    assert measured.seconds == pytest.approx(0.2)
    assert seen == [(480, 640, 3)] * 4
    assert (measured.width, measured.height) == (640, 480)
    assert measured.device == "CPU (of a test)"


def test_a_changed_file_is_measured_anew_and_a_vanished_one_forgotten(folder, small_pictures):
    speeds = Speeds(Library(folder, device="cpu"))
    first = speeds.measure("tiny")
    shutil.copy(folder / "tiny.safetensors", folder / "other.safetensors")
    (folder / "tiny.safetensors").write_bytes(b"broken now")
    assert speeds.fields() == {}
    broken = speeds.measure("tiny")
    assert broken.seconds is None
    assert broken.error.startswith("tiny.safetensors: not a checkpoint")
    assert first.seconds is not None
    (folder / "tiny.safetensors").unlink()
    speeds.measure("other")
    assert list(speeds.fields()) == ["other"]
    with pytest.raises(CheckpointError, match="no checkpoint is called 'tiny'"):
        speeds.measure("tiny")


def test_measuring_waits_for_turns_and_lets_others_in_between(folder, small_pictures):
    library = Library(folder, device="cpu")
    entered = []
    enter = library.turns.enter

    def counted():
        entered.append(len(library._loaded))
        return enter()

    library.turns.enter = counted
    Speeds(library).measure("tiny")
    # One turn to load, one for each of the four runs; and nothing stays loaded.
    assert entered == [0] * 5
    assert library._loaded == {}


def test_a_model_that_is_loaded_anyway_is_not_loaded_twice(folder):
    library = Library(folder, device="cpu")
    with library.borrow("tiny") as segmenter:
        assert library.load_apart("tiny") is segmenter
