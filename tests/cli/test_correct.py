"""``segnet-res correct``: what the page saves, from the command line."""

import numpy as np
import pytest
from PIL import Image

from segnet_res.checkpoint import short_hash
from segnet_res.cli import app
from segnet_res.retraining.corrections import annotations


@pytest.fixture
def words(tmp_path, tiny_dataset):
    """A new picture of a scratch with its mask, and the words that save it."""
    labels = np.zeros((20, 30), np.uint8)
    labels[5:9, 3:20] = 1
    Image.fromarray(labels * 99).save(tmp_path / "new.jpg")
    Image.fromarray(labels).save(tmp_path / "mask.png")
    return ["correct", tiny_dataset, tmp_path / "new.jpg", tmp_path / "mask.png", "--by", "Ada"]


def test_a_correction(runner, words, tiny_dataset, tiny_checkpoint):
    result = runner.invoke(app, [*map(str, words), "--proposed-by", str(tiny_checkpoint)])
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "new: done, revision 1, in train, part new\n"
    line = annotations(tiny_dataset)["new"]
    assert (line.who, line.state) == ("Ada", "done")
    assert line.proposed_by == f"tiny {short_hash(tiny_checkpoint)}"
    assert (tiny_dataset / "splits/train.txt").read_text() == "a\nb\nnew\n"


def test_options(runner, words, tiny_dataset):
    more = ["--state", "to-review", "--part", "lid"]
    result = runner.invoke(app, [*map(str, words), *more])
    assert result.stdout == "new: to review, revision 1, in no split, part lid\n"
    result = runner.invoke(app, [*map(str, words), "--split", "test"])
    assert result.stdout == "new: done, revision 1, in test, part lid\n"


def test_another_mask_needs_a_word(runner, words, tmp_path, tiny_dataset):
    words = [str(word) for word in words]
    runner.invoke(app, words)
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(tmp_path / "mask.png")
    result = runner.invoke(app, words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: new.jpg: Ada saved another mask of it at 20")
    assert result.stderr.endswith("replace it with --replace (it is kept in history/)\n")
    result = runner.invoke(app, [*words, "--replace"])
    assert result.stdout == "new: done, revision 2, in train, part new\n"
    words[2] = str(tiny_dataset / "images/d.png")
    Image.fromarray(np.zeros((33, 32), np.uint8)).save(tmp_path / "mask.png")
    assert "d.png: it has a mask already; look" in runner.invoke(app, words).stderr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({5: " "}, "--by is empty; say who corrected the mask"),
        ({3: "nothing.png"}, "nothing.png: cannot be read"),
        ({2: "nothing.png"}, "nothing.png: cannot be read"),
        ({1: "nothing"}, "nothing: no such folder; give the folder that holds dataset.yaml"),
    ],
)
def test_what_is_refused(runner, words, change, message):
    words = [str(change.get(place, word)) for place, word in enumerate(words)]
    result = runner.invoke(app, words)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
