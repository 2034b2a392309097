"""The programs of docs/export.md run as they stand, on exports of a tiny model."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "export.md"


@pytest.fixture
def programs(tiny_exports, tmp_path, monkeypatch):
    shutil.copy(tiny_exports / "tiny.onnx", tmp_path / "tiles.onnx")
    shutil.copy(tiny_exports / "tiny.xml", tmp_path / "tiles.xml")
    shutil.copy(tiny_exports / "tiny.bin", tmp_path / "tiles.bin")
    monkeypatch.chdir(tmp_path)
    text = GUIDE.read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, re.S | re.M)


def test_programs_of_others(programs, capsys):
    by_onnx, by_openvino = programs
    names: dict = {}
    exec(compile(by_onnx, "export.md", "exec"), names)
    printed = capsys.readouterr().out
    assert re.fullmatch(r"\{'sound': \d+(, 'scratch': \d+)?\}\n", printed)
    assert sum(map(int, re.findall(r"\d+", printed))) == 480 * 640
    labels = names["labels"]
    exec(compile(by_openvino, "export.md", "exec"), names)
    assert capsys.readouterr().out == "(480, 640)\n"
    # On a picture of one grey, rounding may move what is equal.
    assert np.mean(names["labels"] == labels) > 0.9
