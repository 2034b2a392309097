"""What programs can ask for, and the examples of the guide as they stand."""

import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segnet_res.errors import (
    CheckpointError,
    DataError,
    ImageError,
    SegnetResError,
    UsageError,
)
from segnet_res.evaluation import evaluate
from segnet_res.inference import Segmenter
from segnet_res.web.api import Service
from segnet_res.web.backend import Backend

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "api.md"


@pytest.fixture
def backend(tmp_path, tiny_checkpoint, tiny_dataset):
    folder, private, data = (tmp_path / name for name in ("checkpoints", "private", "data"))
    for made in (folder, private, data):
        made.mkdir()
    shutil.copy(tiny_checkpoint, folder / "tiny.safetensors")
    shutil.copytree(tiny_dataset, data / "tiles")
    return Backend.make(folder, private, data)


@pytest.fixture
def service(backend):
    return Service(backend)


@pytest.fixture
def upload(backend, tiny_dataset):
    """Uploads a file of the dataset, as gradio_client describes it."""

    def upload(path, name=None):
        folder = backend.storage.folder / f"upload-{path.replace('/', '-')}"
        folder.mkdir(exist_ok=True)
        target = folder / (name or Path(path).name)
        shutil.copy(tiny_dataset / path, target)
        return {"path": str(target), "meta": {"_type": "gradio.FileData"}}

    return upload


@pytest.fixture
def segmenter(backend):
    return Segmenter.from_checkpoint(backend.checkpoints.folder / "tiny.safetensors", device="cpu")


def test_the_mask_is_that_of_python(service, upload, segmenter, tiny_dataset):
    mask, found = service.predict(upload("images/b.png"), "tiny")
    with Image.open(tiny_dataset / "images" / "b.png") as image:
        expected = segmenter.predict(np.asarray(image)).labels
    with Image.open(mask) as image:
        assert image.mode == "L"
        assert (np.asarray(image) == expected).all()
    assert mask.name == "b_mask.png"
    assert (found["width"], found["height"], found["checkpoint"]) == (45, 37, "tiny")
    assert [row["name"] for row in found["classes"]] == ["sound", "scratch"]
    assert [row["pixels"] for row in found["classes"]] == [
        int((expected == label).sum()) for label in (0, 1)
    ]


def test_sliders_and_limits_count_as_in_inspect(service, upload, segmenter, tiny_dataset):
    with Image.open(tiny_dataset / "images" / "b.png") as image:
        expected = segmenter.predict(np.asarray(image))
    unsure = round(float(np.median(expected.confidence[expected.labels == 1])) * 100)
    mask, found = service.predict(
        upload("images/b.png"),
        "tiny",
        {"threshold": unsure, "spec": "total: {max_count: 0}"},
    )
    labels = expected.labels.copy()
    labels[(labels == 1) & (expected.confidence < np.float32(unsure / 100))] = 0
    with Image.open(mask) as image:
        assert (np.asarray(image) == labels).all()
    assert 0 < (labels == 1).sum() < (expected.labels == 1).sum()
    assert found["classes"][1]["pixels"] == (labels == 1).sum()
    assert found["verdict"]["state"] == "fail"
    assert found["verdict"]["reasons"][0].startswith("All defects: ")
    assert service.predict(upload("images/b.png"), "tiny")[1]["verdict"] == {
        "state": "neutral",
        "reasons": [],
    }


def test_limits_that_cannot_be_used_are_told(service, upload):
    with pytest.raises(UsageError, match="crack"):
        service.predict(upload("images/b.png"), "tiny", {"spec": "classes: {crack: {}}"})


@pytest.mark.parametrize(
    ("judgement", "message"),
    [
        ({"threshold": 900}, r"threshold is 900; give a confidence in whole percent from 0 to 100"),
        ({"threshold": 0.5}, r"threshold is 0\.5; .*such as 50 for the command line's 0\.5$"),
        ({"min_region": -3}, r"min_region is -3; give whole pixels from 0 to 1,000,000,000$"),
    ],
)
def test_numbers_out_of_range_are_told(service, upload, judgement, message):
    with pytest.raises(UsageError, match=f"^{message}"):
        service.predict(upload("images/b.png"), "tiny", judgement)


def test_the_scores_of_a_split_are_those_of_the_command(service, backend, segmenter):
    from segnet_res.data import SegmentationDataset

    found, table = service.evaluate("", "tiles", "val", None, None)
    dataset = SegmentationDataset(backend.folders.dataset("tiles"), "val")
    expected = json.loads(json.dumps(evaluate(segmenter, dataset).to_dict()))
    assert {key: found[key] for key in expected} == expected
    assert found["assessment"]["pictures"] == 2
    assert [line.split(",")[0] for line in table.read_text("utf-8-sig").splitlines()] == [
        "picture", "nested/c", "d",
    ]  # fmt: skip


def test_uploads_find_each_other_by_name(service, upload):
    pictures = [upload("images/a.png"), upload("images/b.png")]
    masks = [upload("masks/b.png", "b_mask.png"), upload("masks/a.png", "a_mask.png")]
    found, _ = service.evaluate("tiny", "", "val", pictures, masks)
    assert found["images"] == 2
    assert [row["error"] for row in found["pictures"]] == [None, None]


def test_uploads_without_a_partner_are_told(service, upload):
    pictures = [upload("images/a.png"), upload("images/b.png")]
    with pytest.raises(
        UsageError, match=r"1 files have no partner, such as 'b.png' \(there is no mask of this"
    ):
        service.evaluate("tiny", "", "val", pictures, [upload("masks/a.png", "a_mask.png")])


@pytest.mark.parametrize(
    ("picture", "checkpoint", "error", "message"),
    [
        (None, "tiny", ImageError, "the upload is no longer here"),
        ({"path": "/etc/passwd"}, "tiny", ImageError, "the upload is no longer here"),
        ({"path": ["x"]}, "tiny", ImageError, "the upload is no longer here"),
        ("images/a.png", "../tiny", CheckpointError, "no checkpoint is called '../tiny'"),
        ("images/a.png", {"a": 1}, CheckpointError, "no checkpoint is called ''"),
        ("dataset.yaml", "tiny", ImageError, "not a picture that can be read"),
    ],
)
def test_forged_requests_to_predict_are_refused(
    service, upload, picture, checkpoint, error, message
):
    given = upload(picture) if isinstance(picture, str) else picture
    with pytest.raises(error, match=message):
        service.predict(given, checkpoint)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("", "", "val", None, None), UsageError, "nothing to evaluate on; give a dataset, or"),
        (("", "", "val", "x", {}), UsageError, "nothing to evaluate on"),
        (("", "../tiles", "val", None, None), DataError, "no dataset is called '../tiles'"),
        (("", ["tiles"], "val", None, None), DataError, "no dataset is called ''"),
        (("", "tiles", "../val", None, None), SegnetResError, "val"),
        (("none", "tiles", "val", None, None), CheckpointError, "no checkpoint is called 'none'"),
        (("", "", "val", [{"path": "/etc/passwd"}], []), ImageError, "no longer here"),
    ],
)
def test_forged_requests_to_evaluate_are_refused(service, arguments, error, message):
    with pytest.raises(error, match=message):
        service.evaluate(*arguments)


def test_an_empty_folder_is_told(tmp_path):
    (tmp_path / "private").mkdir()
    service = Service(Backend.make(tmp_path / "none", tmp_path / "private"))
    assert service.checkpoints() == []
    with pytest.raises(CheckpointError, match="the page has no checkpoint; put one into its"):
        service.predict({}, "")


def test_programs_wait_for_their_turn(service, backend, upload):
    given = upload("images/a.png")
    entered = []
    enter = backend.checkpoints.turns.enter

    def counted():
        entered.append(1)
        return enter()

    backend.checkpoints.turns.enter = counted
    service.predict(given, "tiny")
    assert len(entered) == 1
    service.evaluate("tiny", "tiles", "val", None, None)
    # One for the model, one for each of the two pictures.
    assert len(entered) == 4


@pytest.fixture
def url(backend, monkeypatch, tmp_path):
    """A page in a process of its own, in whose folder the files of the guide lie."""
    folder = backend.checkpoints.folder
    (folder / "tiny.safetensors").rename(folder / "magnetic-tile.safetensors")
    (folder / "z-broken.safetensors").write_bytes(b"nonsense")
    tiles = backend.folders.dataset("tiles")
    shutil.copy(tiles / "images" / "a.png", tmp_path / "part.png")
    shutil.copy(tiles / "masks" / "a.png", tmp_path / "part_mask.png")
    monkeypatch.chdir(tmp_path)
    command = [sys.executable, "-m", "segnet_res", "app", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--checkpoints", str(folder)], stdout=subprocess.PIPE, text=True
    )
    with process:
        yield re.search(r"http://\S+", process.stdout.readline())[0]
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_the_examples_of_the_guide_run(url, capsys):
    from gradio_client import Client

    examples = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text("utf-8"), re.S | re.M)
    printed = []
    for example in examples:
        assert "http://127.0.0.1:7860" in example
        exec(compile(example.replace("http://127.0.0.1:7860", url), "api.md", "exec"), {})
        printed.append(capsys.readouterr().out.splitlines())
    good, broken = printed[0]
    assert good == "magnetic-tile None"
    assert broken.startswith("z-broken ")
    assert "z-broken.safetensors" in broken
    *rows, verdict = printed[1]
    assert [line.split()[0] for line in rows] == ["sound", "scratch"]
    assert sum(int(line.split()[1]) for line in rows) == 32 * 32
    assert verdict == "pass []" or verdict.startswith("fail ['All defects: ")
    miou, images, table = printed[2][0].split(maxsplit=2)
    assert 0 <= float(miou) <= 1
    assert images == "1"
    assert Path(table).read_text("utf-8-sig").startswith("picture,")
    # Nothing but these three is offered to programs.
    offered = Client(url, verbose=False).view_api(return_format="dict", print_info=False)
    assert sorted(offered["named_endpoints"]) == ["/checkpoints", "/evaluate", "/predict"]
    assert offered["unnamed_endpoints"] == {}
    guide = GUIDE.read_text("utf-8")
    assert all(f"`{name}`" in guide for name in offered["named_endpoints"])
