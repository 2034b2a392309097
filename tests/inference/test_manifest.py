"""What the manifest tells, and what a rerun decides by it."""

import hashlib
import io
import json

import numpy as np
import pytest

from segnet_res.errors import SpecError, StorageError
from segnet_res.inference import FolderRun
from segnet_res.inference.manifest import Manifest, Record
from segnet_res.spec import Spec
from tests.inference.conftest import (
    CLASSES,
    Threshold,
    contents,
    make_segmenter,
    mask,
    names,
    run,
    save,
)


def sha(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read(target):
    lines = (target / "manifest.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    return [r for r in rows if "run" in r], {r["path"]: r for r in rows if "run" not in r}


def limits(area):
    return Spec.parse(f"classes: {{scratch: {{max_area: {area} px}}}}", name="limits.yaml")


def test_what_is_told_of_a_picture(segmenter, source, tmp_path):
    target = tmp_path / "out"
    (source / "bad.png").write_bytes(b"")
    picture = np.zeros((4, 5), np.uint8)
    picture[1, 1:4] = 200
    picture[3, 0] = 255
    save(source / "part.png", picture)
    run(segmenter, source, target, save=("masks", "overlays"), spec=limits(2), threshold=0.25)
    (header,), rows = read(target)
    assert header["source"] == str(source)
    assert header["settings"] | {"backend": None} == {
        "tile": 1024, "overlap": 128, "flips": False, "precision": "float32", "backend": None,
        "threshold": 0.25, "min_region": 0, "generation": 1,
    }  # fmt: skip
    assert header["spec"]["content"] == limits(2).to_dict()
    assert header["classes"] == CLASSES.to_dict()
    row = rows["part.png"]
    assert row["input"] == sha(source / "part.png")
    assert (row["checkpoint"], row["settings"], row["spec"]) == (
        header["checkpoint"]["sha256"], header["settings_sha256"], limits(2).digest,
    )  # fmt: skip
    assert (row["status"], row["error"], row["width"], row["height"]) == ("ok", None, 5, 4)
    assert row["classes"] == {
        "sound": {"pixels": 16, "regions": 0},
        "scratch": {"pixels": 4, "regions": 2},
    }
    assert (row["verdict"], row["reasons"]) == (
        "fail", ["scratch: the largest region is 3 px, allowed is 2 px."],
    )  # fmt: skip
    assert row["outputs"]["masks"] == {
        "path": "masks/part.png", "sha256": sha(target / "masks/part.png"), "by_hand": False,
    }  # fmt: skip
    assert row["conditions"]["width"] == 5
    bad = rows["bad.png"]
    assert (bad["status"], bad["error"], bad["verdict"], bad["outputs"]) == (
        "failed", "the file is empty (0 bytes); copy it again", None, {},
    )  # fmt: skip


def test_a_rerun_does_what_is_new_changed_or_failed(segmenter, source, tmp_path):
    target = tmp_path / "out"
    (source / "bad.png").write_bytes(b"")
    run(segmenter, source, target)
    save(source / "bad.png", np.zeros((2, 2), np.uint8))
    save(source / "new.png", np.zeros((3, 3), np.uint8))
    save(source / "sub/c.png", np.full((1, 2), 255, np.uint8))
    segmenter.runtime.seen.clear()
    results = run(segmenter, source, target)
    assert [n for n, r in results.items() if not r.kept] == ["bad.png", "new.png", "sub/c.png"]
    assert segmenter.runtime.seen == [(1, 2, 2, 1), (1, 3, 3, 1), (1, 1, 2, 1)]
    assert mask(target / "masks/sub/c.png").tolist() == [[1, 1]]


def test_another_model_or_another_setting_does_all_again(source, tmp_path):
    target = tmp_path / "out"
    run(make_segmenter(100), source, target)
    other = make_segmenter(150)
    assert not any(r.kept for r in run(other, source, target).values())
    assert not any(r.kept for r in run(other, source, target, min_region=3).values())
    assert all(r.kept for r in run(other, source, target, min_region=3).values())


def test_the_backend_that_was_asked_for_counts(source, tmp_path):
    segmenter, target = make_segmenter(), tmp_path / "out"
    list(FolderRun(source, target).results(segmenter, backend="auto"))
    segmenter.runtime.backend = "openvino"
    results = list(FolderRun(source, target).results(segmenter, backend="auto"))
    assert all(result.kept for result in results)
    headers, _ = read(target)
    assert [header["runs_on"]["backend"] for header in headers] == ["torch", "openvino"]


def test_other_limits_judge_the_masks_that_are_there(source, tmp_path):
    target = tmp_path / "out"
    run(make_segmenter(), source, target, save=("masks", "overlays"))
    before = contents(target)
    again = make_segmenter()
    results = run(again, source, target, save=("masks", "overlays"), spec=limits(0))
    assert again.runtime.seen == []
    assert contents(target) == before
    assert {r.record.verdict for r in results.values()} == {"fail"}
    assert not any(result.kept for result in results.values())
    results = run(again, source, target, save=("masks", "overlays"), spec=limits(0))
    assert all(result.kept for result in results.values())
    assert {r.record.verdict for r in results.values()} == {"fail"}
    run(again, source, target, save=("masks", "overlays"))
    assert {row["verdict"] for row in read(target)[1].values()} == {None}


def test_what_is_made_from_the_mask_needs_no_model(source, tmp_path):
    target, kinds = tmp_path / "out", ("masks", "colors", "polygons")
    run(make_segmenter(), source, tmp_path / "fresh", save=kinds)
    run(make_segmenter(), source, target)
    again = make_segmenter()
    run(again, source, target, save=kinds)
    assert again.runtime.seen == []
    assert contents(target) == contents(tmp_path / "fresh")
    assert read(target)[1]["a.png"]["outputs"].keys() == set(kinds)
    (target / "polygons/a.json").write_text("{")
    results = run(again, source, target, save=kinds)
    assert [name for name, r in results.items() if not r.kept] == ["a.png"]
    assert again.runtime.seen == []
    assert contents(target) == contents(tmp_path / "fresh")


def test_limits_of_another_size_fail_the_picture_and_nothing_is_written(source, tmp_path):
    spec = Spec.parse("picture: {width: 30, height: 20}\nothers: {max_count: 99}", name="l.yaml")
    results = run(make_segmenter(), source, tmp_path / "out", spec=spec)
    assert results["a.png"].record.verdict == "pass"
    assert results["b.jpg"].error == (
        "l.yaml: the picture is 16x16, the limits are for 30x20; give pictures of that size, "
        "or limits for this one"
    )
    assert names(tmp_path / "out/masks") == ["a.png"]


def test_limits_that_do_not_fit_the_classes_stop_the_run(source, tmp_path):
    spec = Spec.parse("classes: {dent: {max_count: 1}}", name="limits.yaml")
    with pytest.raises(SpecError, match="no class is called 'dent'"):
        run(make_segmenter(), source, tmp_path / "out", spec=spec)
    assert not (tmp_path / "out").exists()


def test_a_mask_by_hand_stays_and_decides(source, tmp_path):
    target, kinds = tmp_path / "out", ("masks", "colors", "overlays")
    run(make_segmenter(), source, target, save=kinds)
    save(target / "masks/a.png", np.zeros((20, 30), np.uint8))
    for limit in (100, 100, 120):
        results = run(make_segmenter(limit), source, target, save=kinds, spec=limits(0))
        assert mask(target / "masks/a.png").max() == 0
        record = results["a.png"].record
        assert record.verdict == "pass"
        assert record.classes["scratch"] == {"pixels": 0, "regions": 0}
        assert record.notes == ("masks/a.png was made or changed by hand and is kept",)
        assert record.outputs["masks"].by_hand
    # What else is saved shows it.
    assert len(np.unique(np.asarray(_rgb(target / "colors/a.png")).reshape(-1, 3), axis=0)) == 1
    first = run(make_segmenter(120), source, target, save=kinds, spec=limits(0))["a.png"]
    assert (first.kept, first.by_hand) == (True, ())


def test_a_change_by_hand_is_named_once(source, tmp_path):
    target = tmp_path / "out"
    run(make_segmenter(), source, target)
    save(target / "masks/a.png", np.zeros((20, 30), np.uint8))
    named = [run(make_segmenter(), source, target)["a.png"].by_hand for _ in range(2)]
    assert named == [("masks/a.png",), ()]


def test_what_took_its_look_from_a_mask_by_hand_is_made_again_without_it(source, tmp_path):
    target, kinds = tmp_path / "out", ("masks", "colors")
    run(make_segmenter(), source, target, save=kinds)
    before = contents(target)
    save(target / "masks/a.png", np.zeros((20, 30), np.uint8))
    run(make_segmenter(), source, target, save=kinds)
    assert contents(target)["colors/a.png"] != before["colors/a.png"]
    (target / "masks/a.png").unlink()
    run(make_segmenter(), source, target, save=kinds)
    assert contents(target) == before


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (np.zeros((3, 3), np.uint8), "masks/a.png was made by hand and is 3x3, the picture is 30x"),
        (np.full((20, 30), 9, np.uint8), "masks/a.png was made by hand and holds 9, which no cla"),
        (np.full((20, 30, 3), 9, np.uint8), "its mask was changed by hand (a.png: 1 colours bel"),
    ],
)
def test_a_mask_by_hand_that_is_none(source, tmp_path, made, message):
    target = tmp_path / "out"
    run(make_segmenter(), source, target)
    save(target / "masks/a.png", made)
    before = contents(target)
    assert run(make_segmenter(), source, target)["a.png"].error.startswith(message)
    assert contents(target) == before


def test_a_mask_by_hand_of_a_picture_that_has_changed(source, tmp_path):
    target = tmp_path / "out"
    run(make_segmenter(), source, target)
    save(target / "masks/a.png", np.zeros((20, 30), np.uint8))
    save(source / "a.png", np.zeros((20, 30), np.uint8) + 255)
    error = run(make_segmenter(), source, target)["a.png"].error
    assert error == (
        "the picture is another than the one that masks/a.png was made by hand for; "
        "move that mask away, or use --overwrite"
    )
    run(make_segmenter(), source, target, overwrite=True)
    assert mask(target / "masks/a.png").min() == 1


def test_results_of_an_older_version_without_a_manifest(source, tmp_path):
    target = tmp_path / "out"
    run(make_segmenter(), source, target)
    (target / "manifest.jsonl").unlink()
    save(target / "masks/b.png", np.ones((16, 16), np.uint8))
    before = contents(target)
    results = run(make_segmenter(), source, target)
    # What the model gives is recorded as that; what differs stays, whoever made it.
    assert contents(target) == before
    assert {n: r.record.outputs["masks"].by_hand for n, r in results.items()} == {
        "a.png": False, "b.jpg": True, "sub/c.png": False,
    }  # fmt: skip


def test_results_follow_the_names_of_their_pictures(source, tmp_path):
    target, segmenter = tmp_path / "out", make_segmenter()
    run(segmenter, source, target)
    save(source / "a.bmp", np.zeros((2, 2), np.uint8))
    run(segmenter, source, target)
    assert names(target / "masks") == ["a.bmp.png", "a.png.png", "b.png", "sub/c.png"]


def test_a_picture_whose_results_were_replaced_is_no_longer_told_of(source, tmp_path):
    target, report = tmp_path / "out", tmp_path / "r.csv"
    run(make_segmenter(), source, target)
    (source / "a.png").rename(source / "a.bmp")
    run(make_segmenter(), source, target, report=report)
    told = [line.split(",")[0] for line in report.read_text().splitlines()]
    assert told == ["path", "a.bmp", "b.jpg", "sub/c.png"]
    assert names(target / "masks") == ["a.png", "b.png", "sub/c.png"]
    # Back again, it is new.
    (source / "a.bmp").rename(source / "a.png")
    results = run(make_segmenter(), source, target, report=report)
    assert [name for name, result in results.items() if not result.kept] == ["a.png"]


def test_a_manifest_that_is_something_else_stays(source, tmp_path):
    (tmp_path / "out").mkdir()
    path = tmp_path / "out/manifest.jsonl"
    path.write_text('{"files": []}\n')
    with pytest.raises(StorageError, match="is no manifest of this program; move the file away"):
        run(make_segmenter(), source, tmp_path / "out")
    assert path.read_text() == '{"files": []}\n'


def test_lines_that_are_damaged_are_done_again(source, tmp_path):
    target = tmp_path / "out"
    run(make_segmenter(), source, target)
    path = target / "manifest.jsonl"
    lines = path.read_text().splitlines()
    place = {json.loads(line).get("path"): i for i, line in enumerate(lines)}
    lines[place["a.png"]] = lines[place["a.png"]][:50]
    other = json.loads(lines[place["b.jpg"]])
    lines[place["b.jpg"]] = json.dumps(other | {"outputs": ["masks/b.png"]})
    path.write_text("".join(f"{line}\n" for line in lines))
    results = run(make_segmenter(), source, target)
    assert {n: r.kept for n, r in results.items()}["sub/c.png"]
    assert not any(r.error or r.record.outputs["masks"].by_hand for r in results.values())


def test_a_line_survives_being_written(tmp_path):
    record = Record("ä\udce9.png", None, "c", "s", notes=("one", "two"))
    manifest = Manifest(tmp_path)
    with manifest.appending():
        start = manifest.append(record.to_row())
    assert [Record.from_row(row) for row in manifest.at(iter([start]))] == [record]


def _rgb(path):
    from PIL import Image

    with Image.open(path) as image:
        return image.copy()


def test_the_model_is_known_by_its_weights(source, tmp_path):
    assert Threshold(1).state_dict()["limit"].numpy() != Threshold(2).state_dict()["limit"].numpy()
    headers = []
    for limit in (1, 2, 1):
        run(make_segmenter(limit), source, tmp_path / "out")
        headers = read(tmp_path / "out")[0]
    known = [header["checkpoint"]["sha256"] for header in headers]
    assert known[0] == known[2] != known[1]


def test_a_line_that_arrives_in_two_pieces_is_read_when_it_is_whole(tmp_path, monkeypatch):
    manifest = Manifest(tmp_path)
    pieces = [b'{"a":1}\n', b'{"b"', b":2}\n", b'{"c":3}\n']
    (tmp_path / "manifest.jsonl").write_bytes(b"".join(pieces))

    class Growing(io.BytesIO):
        """A file that grows while it is read."""

        def __iter__(self):
            return iter(pieces)

    with monkeypatch.context() as patch:
        patch.setattr(type(tmp_path), "open", lambda *_: Growing())
        found = list(manifest.lines())
    assert [row for *_, row in found] == [{"a": 1}]
    assert [row for *_, row in manifest.lines(found[-1][1])] == [{"b": 2}, {"c": 3}]
