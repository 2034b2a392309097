"""Parent and candidate on the same pictures: models that answer what each grey value says."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from segnet_res.checkpoint import Metadata
from segnet_res.classes import ClassMap
from segnet_res.data import DatasetInfo, SegmentationDataset, fingerprint, save_info
from segnet_res.data.splits import write_splits
from segnet_res.errors import DataError, UsageError
from segnet_res.inference import Segmenter
from segnet_res.retraining.comparison import Contender, compare, open_exam
from segnet_res.retraining.flips import FlipCounter
from segnet_res.retraining.golden_making import make_golden
from segnet_res.retraining.matching import match_classes

CLASSES = ClassMap.from_names(["sound", "crack", "dent"])


class Reader(torch.nn.Module):
    """Answers the class that a digit of the grey value tells: hundreds for 100, tens for 10."""

    def __init__(self, unit, classes):
        super().__init__()
        self.unit, self.classes = unit, classes

    def forward(self, pixels):
        answer = pixels[:, 0].long() // self.unit % 10
        return torch.nn.functional.one_hot(answer, self.classes).permute(0, 3, 1, 2).float()


def contender(name, unit, classes=CLASSES, recipe=None):
    model = Reader(unit, len(classes))
    segmenter = Segmenter.of_model(model, classes, channels=1, device=torch.device("cpu"))
    if recipe:
        segmenter.metadata = Metadata("any", classes, 1, (0.0,), (1.0,), recipe=recipe)
    return Contender(name, name * 8, segmenter)


PARENT, CANDIDATE = contender("old", 10), contender("new", 1)


def part(size=40):
    """Return truth and answers of parent and candidate, all sound, (3, size, size)."""
    return np.zeros((3, size, size), np.uint8)


def finish(steps):
    stems = []
    while True:
        try:
            stems.append(next(steps).stem)
        except StopIteration as stop:
            return stems, stop.value


@pytest.fixture
def dataset(tmp_path):
    def write(**pictures):
        root = tmp_path / "parts"
        for stem, (truth, before, after) in pictures.items():
            for folder, pixels in (("images", 10 * before + after), ("masks", truth)):
                (root / folder).mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels.astype(np.uint8)).save(root / folder / f"{stem}.png")
        save_info(root, DatasetInfo("parts", CLASSES, 1, r"^[a-z]+"))
        write_splits(root, {"val": list(pictures)})
        return root

    return write


def compared(root, parent=PARENT, candidate=CANDIDATE, **options):
    return finish(compare(parent, candidate, open_exam(root), **options))


def test_flips_of_every_kind(dataset):
    both, lost, won, other = part(), part(), part(), part()
    both[:, 2:10, 2:10] = 1
    lost[:2, 2:10, 4:24] = 1
    lost[:, 30, 30:36] = 2  # found by both
    won[[0, 2], 5:10, 5:10] = 1
    other[:, 2:10, 2:10] = 1
    other[2, 2:10, 2:10] = 2
    stems, result = compared(dataset(a1=both, a2=lost, b=won, c=other, d=part()))
    assert stems == ["a1", "a2", "b", "c", "d"]
    flips = result.flips
    assert (flips.defects, flips.found_before, flips.found_after) == (5, 4, 4)
    (missed,), (found,), (misnamed,) = (
        flips.newly_missed, flips.newly_found, flips.newly_misnamed,
    )  # fmt: skip
    assert (missed.stem, missed.part, missed.name, missed.pixels) == ("a2", "a", "crack", 160)
    assert missed.box == (4, 2, 20, 8)
    assert (missed.before, missed.after) == (1, 0)
    assert (found.stem, found.before, found.after) == ("b", 0, 1)
    assert (misnamed.stem, misnamed.named_before, misnamed.named_after) == ("c", True, False)


@pytest.mark.parametrize(("pixels", "found"), [(24, False), (25, True)])
def test_a_quarter_of_a_defect_finds_it(dataset, pixels, found):
    picture = part()
    picture[:2, 10:20, 10:20] = 1
    # Called by another class, and with a lot around it.
    picture[2].ravel()[: 10 * 40 + 10] = 2
    picture[2, 10:20, 10:20].T[...] = (np.arange(100) < pixels).reshape(10, 10) * 2
    _, result = compared(dataset(a=picture))
    assert result.flips.found_after == found
    assert len(result.flips.newly_missed) == (not found)


def test_ignored_pixels_are_no_part_of_a_defect(dataset):
    picture = part()
    picture[:2, 10:20, 10:20] = 1
    picture[2, 10:20, 10:12] = 1
    picture[0, 10:20, 14:20] = 255
    _, result = compared(dataset(a=picture))
    assert result.flips.newly_missed == ()  # 20 of the 40 that are left


def test_crumbs_of_a_mask_are_no_defects(dataset):
    picture = part()
    picture[:2, 5, 5:9] = 1
    picture[:2, 15, 5:10] = 1
    root = dataset(a=picture)
    _, result = compared(root)
    assert (result.flips.small, result.flips.defects) == (1, 1)
    _, result = compared(root, smallest_region=1)
    assert (result.flips.small, len(result.flips.newly_missed)) == (0, 2)


def test_overkill_and_escape_of_both(dataset):
    alarm, calm, bad = part(), part(), part()
    alarm[2, :5, :5] = 1
    calm[1, :5, :5] = 1
    bad[:2, :10, :10] = 1
    _, result = compared(dataset(a=alarm, b=calm, c=part(), d=bad))
    assert (result.new_alarms, result.ended_alarms) == (("a",), ("b",))
    assert (result.before.overkill.count, result.after.overkill.count) == (1, 1)
    assert (result.before.escape.value, result.after.escape.value) == (0, 1)


def test_a_new_class_and_a_new_name(dataset):
    picture = part()
    picture[:, 5:15, 5:15] = 1
    picture[[0, 2], 20:30, 5:15] = 2
    parent = contender("old", 10, ClassMap.from_names(["background", "crack"]))
    newer = ClassMap.from_names(["background", "fissure", "dent"])
    candidate = contender("new", 1, newer, {"retrained": {"renamed": {"crack": "fissure"}}})
    _, result = compared(dataset(a=picture), parent, candidate)
    assert result.class_map.names == ("sound", "fissure", "dent")
    assert result.knows == ((True, True), (True, True), (False, True))
    sound, fissure, dent = result.scores.classes
    assert (fissure.before, fissure.after) == (1, 1)
    assert (dent.before, dent.after, dent.difference) == (None, 1, None)
    assert result.scores.miou.difference == pytest.approx(sound.difference / 2)
    assert [one.name for one in result.flips.newly_found] == ["dent"]


def test_a_golden_set_is_what_is_compared_on(dataset, tmp_path):
    picture = part()
    picture[:, 5:15, 5:15] = 1
    root = dataset(a1=picture, a2=part(), b=picture)
    golden, _ = make_golden(root, "val", tmp_path / "golden.json")
    write_splits(root, {"val": ["b"]})
    exam = open_exam(tmp_path / "golden.json")
    stems, result = finish(compare(PARENT, CANDIDATE, exam))
    assert stems == ["a1", "a2", "b"]
    assert result.exam == {
        "name": "parts", "split": "val", "golden": True, "fingerprint": golden.fingerprint,
        "pictures": 3, "parts": 2,
    }  # fmt: skip
    write_splits(root, {"train": ["b"]})
    with pytest.raises(DataError, match=r"are in splits/train\.txt of"):
        open_exam(tmp_path / "golden.json")


def test_the_same_twice_changes_nothing_and_is_json(dataset):
    picture = part()
    picture[:, 5:15, 5:15] = 1
    _, result = compared(dataset(a=picture, b=part()))
    content = json.loads(json.dumps(result.to_dict()))
    assert content["miou"] == {
        "before": 1, "after": 1, "difference": 0, "interval": [0, 0], "enough": False,
        "verdict": "equal", "classes": 2,
    }  # fmt: skip
    assert content["classes"][1] == {
        "name": "crack", "known": [True, True], "parts": 1,
        "iou": {
            "before": 1, "after": 1, "difference": 0, "interval": [0, 0], "enough": False,
            "verdict": "equal",
        },
    }  # fmt: skip
    assert content["candidate"] == {"name": "new", "sha256": "new" * 8}
    assert content["flips"]["newly_missed"] == []
    assert content["escape"]["parts"]["after"]["of"] == 1


def test_a_checkpoint_that_was_trained_on_the_pictures_is_named(dataset):
    root = dataset(a=part(), b=part())
    known = fingerprint(SegmentationDataset(root, "val"))
    parent = contender("final", 10, recipe={"final": True})
    parent.segmenter.metadata.data["fingerprint_val"] = known
    _, result = compared(root, parent=parent)
    (doubt,) = result.doubts
    assert doubt.startswith("final was trained on these 2 pictures of parts, val, so its scores")
    assert result.to_dict()["doubts"] == [doubt]
    assert compared(root)[1].doubts == ()


def test_what_is_trained_on_measures_nothing(dataset):
    with pytest.raises(
        UsageError, match=r"the split 'train' is trained on, .*; choose val or test"
    ):
        open_exam(dataset(a=part()), "train")


def test_an_empty_split(dataset):
    root = dataset(a=part())
    with pytest.raises(DataError, match="parts: the split 'test' is empty; choose another split"):
        finish(compare(PARENT, CANDIDATE, open_exam(root, "test")))


def test_where_nothing_is_background_a_region_must_be_named():
    road = ClassMap.from_names(["Road", "Sky"])
    counter = FlipCounter(match_classes(road, road, road))
    truth = np.zeros((8, 8), np.uint8)
    truth[:4] = 1
    other = np.zeros_like(truth)
    other[:1] = 1  # a quarter of the sky; of the road all
    counter.add("a", "a", truth, other, 1 - truth)
    flips = counter.result()
    assert (flips.defects, flips.found_before, flips.found_after) == (2, 2, 0)
    missed = {one.name: (one.before, one.after) for one in flips.newly_missed}
    assert missed == {"Road": (1, 0), "Sky": (0.25, 0)}
