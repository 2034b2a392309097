"""The worked example of the guide comes out as the guide says."""

import re
from pathlib import Path

import numpy as np
import pytest

from segnet_res.classes import MAGNETIC_TILE
from segnet_res.spec import RULES, Spec

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "limits.md").read_text(encoding="utf-8")


def block(language):
    return re.search(rf"^```{language}\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)[1]


def regions():
    """Yield class, left, top, width, height, pixels, mm2 and the length of each row."""
    pattern = (
        r"^\| (\w+) \| (\d+), (\d+) \| (\d+) x (\d+) \| (\d+) px, ([\d.]+) mm² \| (\d+) px, "
        r"([\d.]+) mm \|$"
    )
    for name, *numbers in re.findall(pattern, GUIDE, re.MULTILINE):
        yield name, *map(float, numbers)


def test_the_worked_example():
    labels = np.zeros((300, 400), np.uint8)
    for name, left, top, width, height, pixels, area, side, length in regions():
        rows, columns = slice(int(top), int(top + height)), slice(int(left), int(left + width))
        labels[rows, columns] = MAGNETIC_TILE.index(name)
        assert pixels == width * height
        assert area == pytest.approx(pixels * 0.05**2)
        assert side == max(width, height)
        assert length == pytest.approx(side * 0.05)
    assert len(set(np.unique(labels))) == 4
    spec = Spec.parse(block("yaml"))
    verdict = spec.judge(labels, MAGNETIC_TILE)
    assert [reason.sentence for reason in verdict.reasons] == block("text").splitlines()
    assert f"{verdict.inspected:,}." in GUIDE
    # Without the zone the crack would be a reason.
    text = re.sub(r"  - name: clamp\n.*\n", "", block("yaml"))
    reasons = Spec.parse(text).judge(labels, MAGNETIC_TILE).reasons
    assert "crack" in {reason.class_name for reason in reasons}


def test_every_limit_and_key_is_told():
    for rule in RULES:
        assert f"| `{rule}` |" in GUIDE
    for key in ("title", "mm_per_pixel", "picture", "classes", "others", "total", "ignore"):
        assert f"| `{key}` |" in GUIDE
