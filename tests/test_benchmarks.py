"""What the benchmarks write stays what the cards read."""

import json
import sys
from pathlib import Path

import pytest

from segnet_res.data import SegmentationDataset
from segnet_res.inference import Segmenter

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def measure(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.delitem(sys.modules, "measure", raising=False)
    import measure

    yield measure
    del sys.modules["measure"]


def test_scores_have_the_fields_of_the_results_that_are_kept(
    measure, tiny_dataset, tiny_checkpoint
):
    dataset = SegmentationDataset(tiny_dataset, "val")
    segmenter = Segmenter.from_checkpoint(tiny_checkpoint, "cpu")
    counts = measure.confusions(segmenter, dataset)
    assert counts.shape == (2, 2, 2)
    scores = json.loads(json.dumps(measure.scores(counts, dataset)))
    kept = json.loads((FOLDER / "results" / "magnetic-tile-val.json").read_text(encoding="utf-8"))
    assert set(scores) <= set(kept)
    assert set(scores["classes"][0]) == set(kept["classes"][0])
    assert (scores["pictures"], scores["parts"]) == (2, 2)
    low, high = scores["miou_interval"]
    assert low <= scores["miou"] <= high
    # Both pictures are defective, so nothing can be overkill.
    assert scores["overkill"] is None
    assert scores["escape"] in (0, 0.5, 1)
