"""``segnet-res checkpoints``: what is there, what is in it, and files that are damaged."""

import json
from pathlib import Path

from segnet_res.cli import app


def test_list(runner, tiny_checkpoint):
    (tiny_checkpoint.parent / "broken.safetensors").write_bytes(b"")
    (tiny_checkpoint.parent / "text.safetensors").write_text("not a checkpoint at all " * 9)
    result = runner.invoke(app, ["checkpoints", "list", str(tiny_checkpoint.parent)])
    assert result.exit_code == 0
    lines = {line.split()[0]: line for line in result.stdout.splitlines() if line.split()}
    assert "ressegnet-tiny" in lines["tiny"]
    assert "not measured" in lines["tiny"]
    assert "damaged" in lines["broken"]
    assert "damaged" in lines["text"]
    assert "damaged: broken.safetensors: not a checkpoint" in result.stderr


def test_in_a_pipe_no_name_is_broken(runner, tiny_checkpoint):
    long = "press-12-" * 12 + "night"
    tiny_checkpoint.rename(tiny_checkpoint.parent / f"{long}.safetensors")
    result = runner.invoke(app, ["checkpoints", "list", str(tiny_checkpoint.parent)])
    (line,) = (line for line in result.stdout.splitlines() if long in line)
    assert "ressegnet-tiny" in line
    assert "not measured" in line
    assert "2024-01-01" in line


def test_list_of_an_empty_folder(runner, tmp_path):
    result = runner.invoke(app, ["checkpoints", "list", str(tmp_path)])
    assert (result.exit_code, result.stdout) == (0, "")
    assert "no checkpoints here; `segnet-res train` makes one" in result.stderr


def test_list_of_no_folder(runner, tmp_path):
    result = runner.invoke(app, ["checkpoints", "list", str(tmp_path / "none")])
    assert result.exit_code == 2
    assert "none: no such folder; give the folder that holds checkpoints" in result.stderr


def test_show(runner, tiny_checkpoint):
    result = runner.invoke(app, ["checkpoints", "show", str(tiny_checkpoint)])
    assert result.exit_code == 0
    for text in (
        "architecture  ressegnet-tiny",
        "channels      1 (grey)",
        "pixel mean    60.00",
        "data          name=tiny, fingerprint=000",
        "val mIoU      not measured",
        "conditions    not known",
    ):
        assert text in result.stdout
    assert result.stdout.split().count("scratch") == 1


def test_show_the_conditions_of_the_training_pictures(runner):
    bundled = Path(__file__).resolve().parents[2] / "checkpoints" / "magnetic-tile.safetensors"
    result = runner.invoke(app, ["checkpoints", "show", str(bundled)])
    told = " ".join(result.stdout.split())
    assert "conditions brightness 53.6 to 191, contrast 12.2 to 54.7, sharpness 0.753 to" in told


def test_show_as_json(runner, tiny_checkpoint):
    result = runner.invoke(app, ["checkpoints", "show", str(tiny_checkpoint), "--json"])
    content = json.loads(result.stdout)
    assert content["architecture"] == "ressegnet-tiny"
    assert content["class_map"]["classes"][1]["name"] == "scratch"


def test_show_a_damaged_file(runner, tmp_path):
    path = tmp_path / "broken.safetensors"
    path.write_bytes(b"\0" * 100)
    result = runner.invoke(app, ["checkpoints", "show", str(path)])
    assert result.exit_code == 2
    assert result.stderr.startswith("error: broken.safetensors: not a checkpoint")


def test_a_half_copied_file_is_told(runner, tiny_checkpoint):
    path = tiny_checkpoint.with_name("cut.safetensors")
    path.write_bytes(tiny_checkpoint.read_bytes()[:-1])
    result = runner.invoke(app, ["checkpoints", "show", str(path)])
    assert result.exit_code == 2
    assert result.stderr.startswith("error: cut.safetensors: is cut off: ")
    result = runner.invoke(app, ["checkpoints", "list", str(path.parent)])
    assert "damaged: cut.safetensors: is cut off: " in result.stderr


def test_exports_are_listed_and_shown(runner, tiny_exports):
    result = runner.invoke(app, ["checkpoints", "list", str(tiny_exports)])
    assert result.exit_code == 0
    names = [line.split()[0] for line in result.stdout.splitlines() if "ressegnet-tiny" in line]
    assert names == ["tiny", "tiny.onnx", "tiny.xml"]
    result = runner.invoke(app, ["checkpoints", "show", str(tiny_exports / "tiny.xml")])
    assert result.exit_code == 0
    told = " ".join(result.stdout.split())
    assert f"file {tiny_exports / 'tiny.xml'} and {tiny_exports / 'tiny.bin'} (1.0 MB)" in told
    assert "export of tiny; float32, pixels of 0 to 255 in, logits out" in told
    assert "architecture ressegnet-tiny" in told
