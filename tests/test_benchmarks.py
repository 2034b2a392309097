"""What the benchmarks write stays what the cards and guides read."""

import importlib
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


@pytest.mark.parametrize(
    ("script", "function"),
    [
        ("batch", "told"),
        ("doctor", "told"),
        ("editor", "told"),
        ("fit", "table"),
        ("loop", "tables"),
        ("memory", "told"),
        ("speed", "tables"),
        ("start", "told"),
        ("web", "told"),
    ],
)
def test_guides_say_what_was_measured(measure, script, function):
    module = importlib.import_module(script)
    result = json.loads(module.RESULTS.read_text(encoding="utf-8"))
    assert measured_in(measure, module, module.PAGE) == getattr(module, function)(result)


def test_tables_of_accuracy_are_those_of_the_results(measure):
    accuracy = importlib.import_module("accuracy")
    guide, readme = FOLDER.parent / "docs" / "accuracy.md", FOLDER.parent / "README.md"
    assert measured_in(measure, accuracy, guide) == accuracy.full_tables()
    assert measured_in(measure, accuracy, readme) == accuracy.short_tables()


def measured_in(measure, module, page):
    """Return what a script has written into a page."""
    begin, end = measure.marks(module.__file__)
    return page.read_text(encoding="utf-8").partition(begin)[2].partition(end)[0].strip()


def test_the_run_of_the_batch_benchmark(measure, tmp_path):
    found = importlib.import_module("batch").run(tmp_path, 20)
    assert [found[what]["pictures"] for what in ("few", "first", "again")] == [2, 20, 20]
    assert found["first"]["peak_memory_mb"] > 10
