"""``segnet-res queue``: ranks, names what it leaves out, and goes on where it was stopped."""

import json

import numpy as np
import pytest
from PIL import Image

from segnet_res.cli import app
from segnet_res.retraining import queue as queue_module


@pytest.fixture
def words(tmp_path, tiny_checkpoint, monkeypatch):
    """Two pictures, one of them twice, and the words that rank them."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / "photos/line").mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 255, (40, 60), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos/line" / f"{name}.png")
    (tmp_path / "photos/c.png").write_bytes((tmp_path / "photos/line/a.png").read_bytes())
    words = ["queue", str(tiny_checkpoint), str(tmp_path / "photos")]
    return [*words, "--device", "cpu", "--backend", "torch"]


def test_a_ranking(runner, words, tmp_path, tiny_dataset):
    result = runner.invoke(
        app, [*words, "--dataset", str(tiny_dataset), "--json", str(tmp_path / "q.json")]
    )
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.endswith("2 pictures ranked; 1 near-copy skipped\n")
    assert "score = 0.4 entropy + 0.4 disagreement + 0.2 newness" in result.stdout
    assert "unsure between sound and scratch" in " ".join(result.stdout.split())
    content = json.loads((tmp_path / "q.json").read_text())
    assert [one["rank"] for one in content["pictures"]] == [1, 2]
    assert len(content["skipped"]) == 1
    scores = [one["score"] for one in content["pictures"]]
    assert scores == sorted(scores, reverse=True)
    assert (tmp_path / "cache/segnet-res/queue.sqlite").is_file()


def test_in_a_pipe_no_name_is_broken(runner, words, tmp_path):
    long = "press-12-" * 12 + "night.png"
    (tmp_path / "photos/line/b.png").rename(tmp_path / "photos/line" / long)
    result = runner.invoke(app, words)
    assert result.exit_code == 0
    assert f"line/{long}" in result.stdout


def test_the_first_only_and_json_on_stdout(runner, words):
    result = runner.invoke(app, [*words, "--top", "1"])
    assert "2 pictures ranked, 1 more below (--top, --json); 1 near-copy" in result.stdout
    result = runner.invoke(app, [*words, "--json", "-"])
    assert len(json.loads(result.stdout)["pictures"]) == 2


def test_after_ctrl_c_it_goes_on(runner, words, monkeypatch):
    doubt_about, done = queue_module.doubt_about, []

    def interrupted(*arguments):
        if len(done) == 1:
            raise KeyboardInterrupt
        done.append(arguments)
        return doubt_about(*arguments)

    monkeypatch.setattr(queue_module, "doubt_about", interrupted)
    result = runner.invoke(app, words)
    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr.startswith("stopped by Ctrl-C")
    monkeypatch.setattr(queue_module, "doubt_about", lambda *a: done.append(a) or doubt_about(*a))
    assert runner.invoke(app, words).exit_code == 0
    # Two different pictures, each once.
    assert len(done) == 2


def test_what_cannot_be_ranked_is_named(runner, words, tmp_path):
    (tmp_path / "photos/d.png").write_bytes(b"nothing")
    result = runner.invoke(app, words)
    assert result.exit_code == 1
    assert "warning: d.png: cannot be ranked: d.png: not a picture" in result.stderr
    words[2] = str(tmp_path / "cache")
    (tmp_path / "cache").mkdir(exist_ok=True)
    result = runner.invoke(app, words)
    assert (result.exit_code, "no pictures in this folder" in result.stderr) == (2, True)
