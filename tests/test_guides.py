"""The Python examples of the guides run as they stand."""

import os
import re
from pathlib import Path

import pytest

GUIDES = Path(__file__).resolve().parents[1] / "docs"


def example(guide: str) -> str:
    (block,) = re.findall(
        r"^```python\n(.*?)^```", (GUIDES / guide).read_text(encoding="utf-8"), re.S | re.M
    )
    return block


@pytest.fixture
def workplace(tmp_path, monkeypatch, tiny_dataset, tiny_checkpoint):
    """A folder in which the paths of the examples lead to something small."""
    (tmp_path / "checkpoints").mkdir()
    tiny_checkpoint.rename(tmp_path / "checkpoints" / "magnetic-tile.safetensors")
    (tmp_path / "data").mkdir()
    tiny_dataset.rename(tmp_path / "data" / "tiles")
    os.link(tmp_path / "data/tiles/images/d.png", tmp_path / "part.jpg")
    (tmp_path / "limits.yaml").write_text("classes: {scratch: {max_area: 3 px}}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_limits_from_python(workplace, capsys):
    exec(compile(example("limits.md"), "limits.md", "exec"), {})
    *verdict, digest = capsys.readouterr().out.splitlines()
    assert re.fullmatch("[0-9a-f]{64}", digest)
    # The untrained model calls something a scratch, or nothing.
    assert verdict == ["passed"] or verdict[0].startswith("scratch: the largest region is ")


def test_scores_from_python(workplace, capsys):
    exec(compile(example("scores.md"), "scores.md", "exec"), {})
    scores, borders = capsys.readouterr().out.splitlines()
    miou = float(scores.split()[0])
    assert 0 < miou < 1
    assert scores.endswith((" 0.0", " 0.5", " 1.0"))  # of two defective parts
    assert len(borders.strip("()").split(",")) == 2
