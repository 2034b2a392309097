"""Masks that somebody has corrected: they count, whatever happens around them."""

import json

import numpy as np
import pytest

from segnet_res.classes import ClassMap
from segnet_res.inference import FolderRun, Segmenter, large
from tests.inference.conftest import Threshold, contents, make_segmenter, mask, run, save
from tests.inference.test_manifest import limits, read

EMPTY = np.zeros((20, 30), np.uint8)
ALL = ("masks", "colors", "overlays", "polygons")
OTHER = "the picture is another than the one that masks/a.png was made by hand for"


@pytest.fixture
def target(source, tmp_path):
    """A folder of results in which the mask of a.png is empty, by somebody's hand."""
    target = tmp_path / "out"
    run(make_segmenter(), source, target, save=ALL)
    save(target / "masks/a.png", EMPTY)
    return target


def pixels(result):
    return result.record.classes["scratch"]["pixels"]


def outlines(target):
    return len(json.loads((target / "polygons/a.json").read_bytes())["annotations"])


def test_a_changed_picture_fails_for_as_long_as_the_mask_is_there(source, target):
    run(make_segmenter(), source, target)
    good = (source / "a.png").read_bytes()
    save(source / "a.png", EMPTY + 255)
    for _ in range(3):
        assert run(make_segmenter(), source, target)["a.png"].error.startswith(OTHER)
    # Back again, it is the mask's picture as before.
    (source / "a.png").write_bytes(good)
    result = run(make_segmenter(), source, target)["a.png"]
    assert (result.error, pixels(result)) == (None, 0)
    # Without the mask the picture is as any other.
    save(source / "a.png", EMPTY + 255)
    (target / "masks/a.png").unlink()
    assert pixels(run(make_segmenter(), source, target)["a.png"]) == 600


def test_a_changed_picture_fails_before_any_run_has_seen_the_mask(source, target):
    save(source / "a.png", EMPTY + 255)
    for _ in range(2):
        assert run(make_segmenter(), source, target)["a.png"].error.startswith(OTHER)


@pytest.mark.parametrize("seen", [True, False])
def test_a_picture_of_another_suffix_is_not_judged_by_the_mask(source, target, seen):
    if seen:
        run(make_segmenter(), source, target)
    (source / "a.png").unlink()
    save(source / "a.bmp", EMPTY + 255)
    for _ in range(3):
        assert run(make_segmenter(), source, target)["a.bmp"].error.startswith(OTHER)
    (target / "masks/a.png").unlink()
    assert pixels(run(make_segmenter(), source, target)["a.bmp"]) == 600
    # From then on the place is its own, and so is what somebody corrects there.
    save(target / "masks/a.png", EMPTY)
    result = run(make_segmenter(), source, target)["a.bmp"]
    assert (result.error, pixels(result)) == (None, 0)


@pytest.mark.parametrize("kinds", [("overlays",), ("colors",), ("polygons", "confidence")])
@pytest.mark.parametrize("seen", [True, False])
def test_it_counts_where_masks_are_not_saved(source, target, kinds, seen):
    if seen:
        run(make_segmenter(), source, target)
    result = run(make_segmenter(), source, target, save=kinds, spec=limits(0))["a.png"]
    assert (result.record.verdict, pixels(result)) == ("pass", 0)
    _, rows = read(target)
    assert rows["a.png"]["outputs"]["masks"]["by_hand"]
    if "polygons" in kinds:
        assert outlines(target) == 0
    again = run(make_segmenter(), source, target, save=kinds, spec=limits(0))["a.png"]
    assert again.kept


def test_what_showed_another_mask_is_made_anew_later(source, target):
    assert outlines(target) > 0
    run(make_segmenter(), source, target)
    run(make_segmenter(), source, target, save=ALL)
    assert outlines(target) == 0
    by_hand = contents(target)
    # And so it is where the mask by hand goes, by --overwrite or by somebody.
    run(make_segmenter(), source, target, overwrite=True)
    run(make_segmenter(), source, target, save=ALL)
    anew = contents(target)
    assert outlines(target) > 0
    save(target / "masks/a.png", EMPTY)
    run(make_segmenter(), source, target, save=ALL)
    assert contents(target) == by_hand
    (target / "masks/a.png").unlink()
    run(make_segmenter(), source, target, save=("colors",))
    run(make_segmenter(), source, target, save=ALL)
    assert contents(target) == anew


def test_what_somebody_made_stays_beside_another_mask(source, target):
    run(make_segmenter(), source, target, save=ALL)
    save(target / "colors/a.png", np.zeros((20, 30, 3), np.uint8))
    run(make_segmenter(), source, target, save=ALL)
    save(target / "masks/a.png", EMPTY + 1)
    run(make_segmenter(), source, target)
    _, rows = read(target)
    assert rows["a.png"]["outputs"].keys() == {"masks", "colors"}
    run(make_segmenter(), source, target, save=ALL)
    _, rows = read(target)
    assert {k: o["by_hand"] for k, o in rows["a.png"]["outputs"].items()} == {
        "masks": True, "colors": True, "overlays": False, "polygons": False,
    }  # fmt: skip


@pytest.mark.parametrize("seen", [True, False])
def test_large_pictures_show_it(source, target, monkeypatch, seen):
    if seen:
        run(make_segmenter(), source, target)
    expected = target.parent / "expected"
    run(make_segmenter(), source, expected, save=ALL)
    save(expected / "masks/a.png", EMPTY)
    run(make_segmenter(), source, expected, save=ALL, threshold=0.9)
    monkeypatch.setattr(large, "_MOST_PIXELS", 100)
    result = run(make_segmenter(), source, target, save=ALL, threshold=0.9)["a.png"]
    assert (pixels(result), outlines(target)) == (0, 0)
    for kind in ("masks/a.png", "colors/a.png", "overlays/a.jpg"):
        assert np.array_equal(_pixels(target / kind), _pixels(expected / kind))


def test_large_pictures_without_a_manifest_keep_what_the_model_gives(source, target, monkeypatch):
    run(make_segmenter(), source, target, save=ALL, overwrite=True)
    before = contents(target)
    (target / "manifest.jsonl").unlink()
    monkeypatch.setattr(large, "_MOST_PIXELS", 100)
    result = run(make_segmenter(), source, target, save=ALL)["a.png"]
    assert not result.record.outputs["masks"].by_hand
    assert contents(target)["polygons/a.json"] == before["polygons/a.json"]


def test_a_neighbour_of_the_same_name_does_not_hide_it(source, target):
    run(make_segmenter(), source, target)
    save(source / "a.bmp", EMPTY)
    for _ in range(2):
        results = run(make_segmenter(), source, target)
        assert results["a.bmp"].error is None
        assert results["a.png"].error == (
            "its mask masks/a.png was made by hand, and its results are called after "
            "masks/a.png.png now, as another picture differs from it by the suffix alone; rename "
            "that mask to masks/a.png.png, move it away, or use --overwrite"
        )
    (target / "masks/a.png").rename(target / "masks/a.png.png")
    result = run(make_segmenter(), source, target)["a.png"]
    assert (result.error, pixels(result)) == (None, 0)
    assert result.record.outputs["masks"].by_hand
    (target / "masks/a.png.png").rename(target / "masks/a.png")
    (source / "a.bmp").unlink()
    result = run(make_segmenter(), source, target)["a.png"]
    assert (pixels(result), result.record.outputs["masks"].path) == (0, "masks/a.png")
    assert run(make_segmenter(), source, target)["a.png"].kept


def test_classes_in_another_order(source, target):
    save(target / "masks/a.png", EMPTY + 1)
    run(make_segmenter(), source, target)
    more = 0

    class Wide(Threshold):
        def logits(self, images, mirror=()):
            logits = super().logits(images, mirror)
            return np.pad(logits, ((0, 0), (0, more), (0, 0), (0, 0)), constant_values=-99)

    def renamed(*names):
        nonlocal more
        more = len(names) - 2
        segmenter = Segmenter(Wide(90), ClassMap.from_names(names), channels=1)
        return run(segmenter, source, target)["a.png"]

    # A class more changes nothing about those before it.
    assert renamed("sound", "scratch", "dent").error is None
    assert renamed("sound", "dent", "scratch").error == (
        "masks/a.png was made by hand when 1 was 'scratch', which is 'dent' in this checkpoint; "
        "correct it, move it away, or use --overwrite"
    )
    assert renamed("sound", "scratch").error is None
    # Classes that it does not hold may be any.
    save(target / "masks/a.png", EMPTY)
    assert renamed("sound", "dent").error is None


def test_polygons_that_were_taken_away_stop_nothing(source, target):
    (source / "b.jpg").unlink()
    for folder in ("masks", "polygons"):
        next(target.glob(f"{folder}/b.*")).unlink()
    (target / "polygons/a.json").write_text('{"annotations": []}')
    whole = FolderRun(source, target, save=ALL)
    results = {result.name: result for result in whole.results(make_segmenter())}
    assert not any(result.error for result in results.values())
    assert whole.warnings == [
        "polygons.json lacks 2 of the pictures, the first because polygons/a.json holds no "
        "polygons of ours; the next run makes it anew where its picture is still there and nothing "
        "else lies in its place"
    ]
    merged = json.loads((target / "polygons.json").read_bytes())
    assert [image["file_name"] for image in merged["images"]] == ["sub/c.png"]


def _pixels(path):
    return mask(path) if path.parent.name == "masks" else np.asarray(_open(path))


def _open(path):
    from PIL import Image

    with Image.open(path) as image:
        return image.convert("RGB")
