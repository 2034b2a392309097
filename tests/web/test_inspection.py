"""From an upload to the reply, without a browser and without torch."""

import csv
import hashlib
import io
import json
import os
import shutil
import struct
import time
import zlib
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from segnet_res.checkpoint import Metadata
from segnet_res.classes import ClassMap
from segnet_res.conditions import KnownConditions, measure
from segnet_res.web import results
from segnet_res.web.inspection import Inspector, Request
from segnet_res.web.pictures import Picture

CLASSES = ClassMap.from_names(["sound", "scratch", "dent"])


@pytest.fixture
def upload(storage):
    """Puts a file where uploads land and returns its path as the browser would send it."""

    def put(name, pixels=None, content=None):
        path = storage.folder / f"upload-{name}" / name
        path.parent.mkdir(exist_ok=True)
        if content is None:
            Image.fromarray(np.asarray(pixels)).save(path)
        else:
            path.write_bytes(content)
        return str(path)

    return put


@pytest.fixture
def picture():
    """10 x 20 pixels, of which the 50 in the corner are bright."""
    pixels = np.full((10, 20), 40, np.uint8)
    pixels[:5, :10] = 200
    return pixels


def png_header(width, height):
    """A PNG of a few bytes that claims to be huge."""

    def chunk(kind, content):
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


def ask(inspector, image=None, reference=None, **fields):
    """Ask as the browser does and return the last reply."""
    if image is not None:
        fields["source"] = {"kind": "upload", "path": image}
    if reference == "own":
        fields["reference"] = {"kind": "own"}
    elif reference is not None:
        fields["reference"] = {"kind": "upload", "path": reference}
    *_, reply = inspector.inspect({"request": 3, "model": "bright", **fields})
    return reply


def again(inspector, reply, **fields):
    """Ask for the same picture with other settings."""
    return inspector.refine({"request": 4, "result": reply["result"], **fields})


def test_a_picture_gives_shares_and_a_mask_of_its_own_size(inspector, upload, picture):
    reply = ask(inspector, image=upload("part.png", picture))
    assert reply["error"] is None
    assert reply["request"] == 3
    assert reply["image"] == {"name": "part.png", "width": 20, "height": 10}
    assert [row["share"] for row in reply["classes"]] == [0.75, 0.25, 0.0]
    assert [row["pixels"] for row in reply["classes"]] == [150, 50, 0]
    assert reply["scores"] is None
    mask = np.asarray(Image.open(reply["files"]["mask"]))
    assert mask.dtype == np.uint8
    assert (mask == (picture > 127)).all()
    assert set(reply["timings"]) == {"read", "load", "model", "files", "regions", "metrics"}


def test_a_picture_unlike_those_of_the_training_gets_a_warning_that_stays(
    inspector, upload, picture
):
    usual = measure(picture)
    inspector._library.model.metadata = Metadata(
        "ressegnet-tiny", CLASSES, 1, (1.0,), (1.0,), conditions=KnownConditions.of([usual])
    )
    assert ask(inspector, image=upload("part.png", picture))["warnings"] == []
    reply = ask(inspector, image=upload("dark.png", picture // 2))
    brightness = [warning for warning in reply["warnings"] if warning.startswith("brightness")]
    assert brightness == [
        "brightness 40 is lower than in all 1 training pictures (80): light or exposure?"
    ]
    assert again(inspector, reply, threshold=10)["warnings"] == reply["warnings"]


def test_of_several_pages_the_first_is_read_and_that_is_said(inspector, upload, picture):
    pages = [Image.fromarray(picture), Image.fromarray(255 - picture)]
    path = upload("pages.tif", picture)
    pages[0].save(path, save_all=True, append_images=pages[1:])
    reply = ask(inspector, image=path)
    assert reply["warnings"] == ["first of 2 pages"]
    shares = {row["name"]: row["pixels"] for row in reply["classes"]}
    assert shares["scratch"] == 50


def test_a_reference_gives_scores_worked_out_by_hand(inspector, upload, picture):
    truth = np.zeros((10, 20), np.uint8)
    truth[:5, :20] = 1  # 100 pixels, 50 of them found, no false alarm
    reply = ask(
        inspector, image=upload("part.png", picture), reference=upload("part_mask.png", truth)
    )
    assert reply["reference_error"] is None
    assert reply["warnings"] == []
    # scratch 50/100; sound 100/150; dent in neither.
    found = reply["scores"]["classes"]
    assert [score["iou"] for score in found] == [pytest.approx(2 / 3), 0.5, None]
    # 50 of 100 found, all 50 found are right; 2 * 50 / (100 + 50).
    assert found[1]["dice"] == pytest.approx(2 / 3)
    assert [found[1]["precision"], found[1]["recall"], found[1]["pixels"]] == [1.0, 0.5, 100]
    assert reply["scores"]["miou"] == pytest.approx((2 / 3 + 0.5) / 2)
    assert reply["scores"]["pixel_accuracy"] == 0.75
    assert reply["scores"]["confusion"] == [[100, 0, 0], [50, 50, 0], [0, 0, 0]]
    assert (np.asarray(Image.open(reply["reference"]["file"])) == truth).all()


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("empty.png", b"", "empty.png: the file is empty (0 bytes); copy it again"),
        ("text.png", b"hello", "text.png: not a picture that can be read; save it as PNG"),
        ("huge.png", png_header(100_000, 100_000), "huge.png: the picture is 100000x100000"),
        ("big.png", png_header(12_000, 12_000), "the page takes up to 100 million pixels"),
    ],
)
def test_unusable_pictures_give_one_sentence(inspector, upload, name, content, sentence):
    reply = ask(inspector, image=upload(name, content=content))
    assert sentence in reply["error"]
    assert "\n" not in reply["error"]
    assert "scores" not in reply


def test_a_truncated_picture_gives_one_sentence(inspector, upload, picture, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    Image.fromarray(noise).save(tmp_path / "whole.png")
    half = (tmp_path / "whole.png").read_bytes()[:2000]
    reply = ask(inspector, image=upload("half.png", content=half))
    assert reply["error"].startswith("half.png: the file is damaged")


def test_tiny_and_16_bit_pictures_work(inspector, upload):
    reply = ask(inspector, image=upload("dot.png", np.full((1, 1), 255, np.uint8)))
    assert reply["classes"][1]["share"] == 1.0
    deep = np.array([[0, 65535, 20_000, 40_000]], np.uint16)
    reply = ask(inspector, image=upload("deep.png", deep))
    assert [row["pixels"] for row in reply["classes"]] == [2, 2, 0]


def test_an_unusable_reference_leaves_the_prediction(inspector, upload, picture):
    image = upload("part.png", picture)
    cases = {
        upload("small.png", np.zeros((5, 20), np.uint8)): (
            "small.png: the mask is 20x5, the picture 20x10; export the mask at the picture's size"
        ),
        upload("odd.png", np.full((10, 20), 7, np.uint8)): (
            "odd.png: labels 7 belong to no class; save class indices from 0 to 2, "
            "and 255 for pixels without a label"
        ),
        upload("text.png", content=b"no"): (
            "text.png: not a picture that can be read; save it as PNG, JPEG, TIFF, WebP or BMP"
        ),
        upload("rgb.png", np.full((10, 20, 3), 9, np.uint8)): (
            "rgb.png: 1 colours belong to no class (first #090909); add them to the classes, "
            "or save class indices as 8-bit single-channel PNG"
        ),
    }
    for reference, sentence in cases.items():
        reply = ask(inspector, image=image, reference=reference)
        assert reply["reference_error"] == sentence
        assert reply["scores"] is None
        assert reply["classes"][1]["share"] == 0.25


def test_doubtful_references_are_scored_with_a_warning(inspector, upload, picture):
    image = upload("part7.png", picture)
    reply = ask(
        inspector, image=image, reference=upload("part8.png", (picture > 127) * np.uint8(1))
    )
    assert reply["scores"]["miou"] == 1.0
    assert reply["warnings"] == [
        "The mask part8.png and the picture part7.png have different names: "
        "check that they show the same part."
    ]
    reply = ask(
        inspector, image=image, reference=upload("part7.png", (picture > 127) * np.uint8(255))
    )
    assert "holds 0 and 255 only, and 255 means 'not labelled'" in reply["warnings"][0]
    reply = ask(
        inspector, image=image, reference=upload("part7_gt.png", np.full_like(picture, 255))
    )
    assert "there is nothing to compare" in reply["warnings"][0]
    assert reply["scores"]["miou"] is None


def test_paths_outside_the_uploads_are_refused(inspector, tmp_path):
    outside = tmp_path / "secret.png"
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(outside)
    for path in (str(outside), f"{tmp_path}/page/../secret.png", "a\0b", "x" * 4000, "/etc/passwd"):
        reply = ask(inspector, image=path)
        assert reply["error"] == "the upload is no longer here; choose the file again"
        assert reply["gone"] is True


def test_requests_of_any_shape_get_a_sentence(inspector):
    contents = (
        None, [], 7, {"request": "x", "source": 5}, {"source": ["a"], "model": {}},
        {"source": {"kind": "upload", "path": {}}}, {"source": {"kind": 3}},
        {"source": {"kind": "upload", "path": "x" * 5000}}, {"request": -1}, {"request": 2**80},
    )  # fmt: skip
    for content in contents:
        assert Request.from_untrusted(content).model == ""
        *_, reply = inspector.inspect(content)
        assert reply["request"] == 0
        assert reply["error"] in (
            "no picture was given; drop one, or pick a sample",
            "the upload is no longer here; choose the file again",
        )
        for event in (inspector.unsure, inspector.download):
            *_, reply = event(content)
            assert reply["error"].startswith("this result is no longer here")
        assert inspector.refine(content)["error"].startswith("this result is no longer here")


def test_an_unknown_model_or_sample_gets_a_sentence(inspector, upload, picture):
    reply = ask(inspector, image=upload("a.png", picture), model="../x")
    assert reply["error"] == "no checkpoint is called '../x'; known are bright"
    reply = ask(inspector, source={"kind": "sample", "name": "ghost"})
    assert reply["error"] == "no sample is called 'ghost'; pick one of the list"


def test_samples_come_with_their_exact_masks(tile_inspector):
    reply = ask(tile_inspector, source={"kind": "sample", "name": "crack"}, reference="own")
    assert reply["reference"]["name"] == "sample-crack-mask.png"
    assert reply["warnings"] == []
    assert reply["scores"]["confusion"][3] != [0] * 6


def test_a_samples_mask_needs_its_classes(inspector):
    reply = ask(inspector, source={"kind": "sample", "name": "sound"}, reference="own")
    assert reply["error"] is None
    assert (
        "the mask has other classes than this checkpoint (it does not know background, blowhole"
        in reply["reference_error"]
    )


def test_masks_beyond_the_browsers_room_are_shown_at_every_second_pixel(
    inspector, upload, monkeypatch
):
    monkeypatch.setattr(results, "_MAX_SHOWN_PIXELS", 30)
    pixels = np.zeros((10, 11), np.uint8)
    pixels[2, 4] = 200
    reply = ask(
        inspector, image=upload("a.png", pixels), reference=upload("a_gt.png", pixels // 200)
    )
    assert reply["step"] == 2
    assert np.asarray(Image.open(reply["files"]["mask"])).shape == (10, 11)
    shown = np.asarray(Image.open(reply["files"]["shown"]))
    assert shown.shape == (5, 6)
    assert shown[1, 2] == 1
    assert np.asarray(Image.open(reply["reference"]["file"])).shape == (5, 6)


def pixels_of(path):
    return np.asarray(Image.open(path))


def test_sliders_and_limits_need_no_model(inspector, upload, picture):
    picture[9, 19] = 255
    reply = ask(inspector, image=upload("a.png", picture), limits={"share": 25})
    # 51 of 200 pixels: 200 / 255 sure of the block, fully sure of the single pixel.
    assert (reply["verdict"]["state"], reply["classes"][1]["regions"]) == ("fail", 2)
    assert reply["classes"][1]["largest"] == 50
    small = again(inspector, reply, min_region=2, limits={"share": 25})
    assert (small["kind"], small["request"], small["error"]) == ("refined", 4, None)
    assert [row["pixels"] for row in small["classes"]] == [150, 50, 0]
    assert (small["verdict"]["state"], small["classes"][1]["regions"]) == ("pass", 1)
    assert pixels_of(small["files"]["shown"])[9, 19] == 0
    unsure = again(inspector, reply, threshold=79)
    assert [row["pixels"] for row in unsure["classes"]] == [199, 1, 0]
    assert [row["pixels"] for row in again(inspector, reply, threshold=78)["classes"]][1] == 51
    # The confidence is the model's, whatever counts.
    assert unsure["files"]["confidence"] == reply["files"]["confidence"]
    assert pixels_of(unsure["files"]["confidence"])[0, 0] == 200
    # A browser keeps files by their names: each state needs one of its own.
    assert len({r["files"]["shown"] for r in (reply, small, unsure)}) == 3


def test_states_that_were_left_long_ago_are_forgotten(inspector, upload, picture):
    reply = ask(inspector, image=upload("a.png", picture))
    for threshold in range(1, 20):
        last = again(inspector, reply, threshold=threshold)
    folder = Path(last["files"]["shown"]).parent
    assert len(list(folder.glob("seen-*.png"))) == 4
    assert again(inspector, reply, threshold=1)["classes"] == reply["classes"]


def test_a_reference_can_come_and_go_without_the_model(inspector, upload, picture):
    reply = ask(inspector, image=upload("a.png", picture))
    mask = upload("a_mask.png", (picture > 127) * np.uint8(1))
    reference = {"kind": "upload", "path": mask}
    assert again(inspector, reply, reference=reference)["scores"]["miou"] == 1.0
    # A threshold above the confidence: nothing of the scratch is left.
    found = again(inspector, reply, reference=reference, threshold=90)["scores"]["classes"]
    assert [score["iou"] for score in found] == [0.75, 0.0, None]
    assert again(inspector, reply)["scores"] is None


def test_a_score_along_the_border_tells_a_sloppy_outline(inspector, upload):
    pixels = np.full((200, 200), 40, np.uint8)
    pixels[50:150, 50:150] = 200
    truth = np.zeros_like(pixels)
    truth[52:148, 52:148] = 1
    reply = ask(inspector, image=upload("a.png", pixels), reference=upload("a_gt.png", truth))
    scratch = reply["scores"]["classes"][1]
    assert scratch["iou"] == pytest.approx(96**2 / 100**2)
    # 2 % of the diagonal are 6 pixels: rings of 100 - 88 and 96 - 84 on a side, 4 pixels shared.
    found, right = 100**2 - 88**2, 96**2 - 84**2
    shared = 96**2 - 88**2
    assert scratch["border_iou"] == pytest.approx(shared / (found + right - shared))


def test_where_the_model_is_unsure_is_worked_out_when_asked(inspector, upload, picture):
    reply = ask(inspector, image=upload("a.png", picture))
    *_, unsure = inspector.unsure({"request": 9, "result": reply["result"]})
    assert (unsure["kind"], unsure["request"], unsure["error"]) == ("unsure", 9, None)
    assert np.array_equal(pixels_of(unsure["file"]), picture)


def test_after_another_checkpoint_took_its_place_nothing_is_mixed(inspector, upload, picture):
    reply = ask(inspector, image=upload("a.png", picture))
    report = json.loads(take(inspector, reply, "json").read_text("utf-8"))
    assert report["model_sha256"] == "ab" * 32
    inspector._library.now = "cd" * 32
    *_, unsure = inspector.unsure({"request": 9, "result": reply["result"]})
    assert unsure["error"] == ("the checkpoint bright has changed since; choose the picture again")
    # The report names the weights that found it, not those that are there by now.
    report = json.loads(take(inspector, reply, "json").read_text("utf-8"))
    assert report["model_sha256"] == "ab" * 32
    again = ask(inspector, image=upload("a.png", picture))
    assert (reply["weights"], again["weights"]) == ("ab" * 6, "cd" * 6)


def test_a_checkpoint_that_is_replaced_while_it_is_loaded_is_refused(
    inspector, upload, picture, monkeypatch
):
    library = inspector._library
    said = iter(["ab" * 32, "cd" * 32])
    monkeypatch.setattr(library, "weights", lambda _: next(said))
    monkeypatch.setattr(library, "borrow", lambda _: nullcontext(library.model))
    reply = ask(inspector, image=upload("a.png", picture))
    assert reply["error"] == "the checkpoint bright has changed since; choose the picture again"


@pytest.mark.parametrize("size", [(10, 20), (12, 20)])
def test_after_another_picture_took_its_place_nothing_is_mixed(inspector, upload, picture, size):
    path = upload("a.png", picture)
    reply = ask(inspector, image=path)
    Image.fromarray(np.full(size, 9, np.uint8)).save(path)
    os.utime(path, ns=(1, 1))
    told = "a.png: has changed since it was inspected; inspect it again"
    for download in ("json", "overlay", "outline"):
        *_, answer = inspector.download({"result": reply["result"], "download": download})
        assert answer["error"] == told
    *_, unsure = inspector.unsure({"request": 9, "result": reply["result"]})
    assert unsure["error"] == told
    # What the model found is still there to take.
    assert np.array_equal(pixels_of(take(inspector, reply, "mask")), picture > 127)


def test_a_picture_that_was_only_copied_anew_is_the_same(inspector, upload, picture):
    path = upload("a.png", picture)
    reply = ask(inspector, image=path)
    os.utime(path, ns=(1, 1))
    report = json.loads(take(inspector, reply, "json").read_text("utf-8"))
    assert report["picture_sha256"] == hashlib.sha256(Path(path).read_bytes()).hexdigest()
    assert pixels_of(take(inspector, reply, "overlay")).shape == (10, 20, 3)


@pytest.fixture
def line(make_backend, tmp_path, picture):
    """An inspector, a picture of the server's folder, and what finds it."""
    path = tmp_path / "data" / "line" / "a.png"
    path.parent.mkdir(parents=True)
    Image.fromarray(picture).save(path)
    source = {"kind": "folder", "folder": "line", "file": "a.png"}
    return Inspector(make_backend(data=tmp_path / "data")), path, source


def put_next(path, size=(10, 20)):
    Image.fromarray(np.full(size, 9, np.uint8)).save(path)
    os.utime(path, ns=(1, 1))


def test_a_picture_that_is_replaced_while_the_model_works_is_shown_as_it_was(
    line, picture, monkeypatch
):
    inspector, path, source = line
    model = inspector._library.model
    predict = model.predict

    def slow(image):
        put_next(path)
        return predict(image)

    monkeypatch.setattr(model, "predict", slow)
    reply = ask(inspector, source=source)
    assert reply["error"] is None
    # What somebody zooms into lies below the mask of the part before.
    assert np.array_equal(pixels_of(reply["files"]["full"])[..., 0], picture)
    *_, answer = inspector.download({"result": reply["result"], "download": "json"})
    assert answer["error"] == "a.png: has changed since it was inspected; inspect it again"


def test_a_picture_that_is_written_while_it_is_read_is_refused(line, monkeypatch):
    inspector, _, source = line
    read = results.read_file

    def torn(path):
        found = read(path)
        put_next(path)
        return found

    monkeypatch.setattr(results, "read_file", torn)
    reply = ask(inspector, source=source)
    assert reply["error"] == "a.png: was written while it was read; inspect it again"


def take(inspector, reply, download, **fields):
    asked = {"request": 5, "result": reply["result"], "download": download, **fields}
    *_, answer = inspector.download(asked)
    assert answer["error"] is None
    return Path(answer["file"])


def test_downloads_hold_what_is_seen(inspector, upload, picture):
    picture[9, 19] = 255
    image = upload("part 7.png", picture)
    truth = (picture == 200) * np.uint8(1)
    reference = {"kind": "upload", "path": upload("part 7_gt.png", truth)}
    reply = ask(inspector, image=image)
    fields = {"min_region": 2, "reference": reference}
    mask = take(inspector, reply, "mask", **fields)
    assert mask.name == "part 7_mask.png"
    assert np.array_equal(pixels_of(mask), truth)
    assert np.array_equal(
        pixels_of(take(inspector, reply, "color", **fields)), CLASSES.palette()[truth]
    )
    # Where nothing was found, picture and overlay are the same.
    overlay = pixels_of(take(inspector, reply, "overlay", **fields))
    assert (overlay[6:] == picture[6:, :, None]).all()
    assert not (overlay[:5, :10] == picture[:5, :10, None]).all()
    assert pixels_of(take(inspector, reply, "outline", **fields)).shape == (10, 20, 3)
    # Without the slider the single pixel is a false alarm.
    errors = pixels_of(take(inspector, reply, "errors", reference=reference))
    assert (errors[9, 19] != 255).any()
    assert (errors[8, 19] == 40).all()
    confidence = pixels_of(take(inspector, reply, "confidence", **fields))
    assert (confidence[0, 0], confidence[9, 0]) == (200, 215)


def test_a_mask_is_taken_away_without_the_queue(inspector, upload, picture):
    reply = ask(inspector, image=upload("a.png", picture))
    with inspector._library.turns.enter():
        assert np.array_equal(pixels_of(take(inspector, reply, "mask")), picture > 127)
        drawn = inspector.download({"result": reply["result"], "download": "overlay"})
        assert [next(drawn)["kind"] for _ in range(2)] == ["heard", "waiting"]


def test_reports_tell_what_was_judged_and_how(inspector, upload, picture):
    image = upload("a.png", picture)
    reply = ask(inspector, image=image)
    fields = {"threshold": 30, "limits": {"share": 1}, "reference": None}
    report = json.loads(take(inspector, reply, "json", **fields).read_text("utf-8"))
    assert report["picture_sha256"] == hashlib.sha256(Path(image).read_bytes()).hexdigest()
    assert report["judged"] == {
        "threshold": 0.3, "min_region": 0, "limits": {"share": 1, "classes": {}}, "spec": None,
    }  # fmt: skip
    assert (report["verdict"]["state"], report["miou"], report["tta"]) == ("fail", None, "none")
    assert [row["share"] for row in report["classes"]] == [0.75, 0.25, 0.0]
    text = take(inspector, reply, "csv", **fields).read_text("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["name"], row["pixels"], row["regions"]) for row in rows] == [
        ("sound", "150", "0"), ("scratch", "50", "1"), ("dent", "0", "0"),
    ]  # fmt: skip


def test_a_table_holds_no_formula(make_backend, upload, picture):
    names = ClassMap.from_names(["sound", "=HYPERLINK(1)", "dent"])
    inspector = Inspector(make_backend(names))
    reply = ask(inspector, image=upload("a.png", picture))
    text = take(inspector, reply, "csv").read_text("utf-8-sig")
    assert text.splitlines()[2].split(",")[2] == "'=HYPERLINK(1)"


def test_downloads_that_make_no_sense_get_a_sentence(inspector, upload, picture):
    reply = ask(inspector, image=upload("a.png", picture))
    for download, sentence in {
        "../x": "there is no download '../x'; choose one of mask, color",
        "errors": "an error map needs a reference mask; choose one first",
    }.items():
        *_, answer = inspector.download({"result": reply["result"], "download": download})
        assert answer["error"].startswith(sentence)


def test_results_that_are_gone_or_forged_get_a_sentence(inspector, upload, picture, tmp_path):
    reply = ask(inspector, image=upload("a.png", picture))
    outside = tmp_path / "result-outside0123456789ab"
    shutil.copytree(Path(reply["files"]["preview"]).parent, outside)
    for token in ("../result-outside0123456789ab", "x" * 22, "", 7, None, "a/../../b" * 3):
        answer = inspector.refine({"result": token})
        assert answer["gone"] is True
        assert answer["error"] == "this result is no longer here; choose the picture again"
    (Path(reply["files"]["preview"]).parent / "labels.png").unlink()
    assert again(inspector, reply)["gone"] is True


def test_old_results_make_room_for_new_ones(inspector, upload, picture, monkeypatch, storage):
    image = upload("a.png", picture)
    first = ask(inspector, image=image)
    other = storage.new_result()
    (other / "table.csv").write_bytes(b"of another tab" * 1000)
    monkeypatch.setattr(results, "_MAX_BYTES", 1)
    # What was made within the last minute is being looked at.
    third = ask(inspector, image=image)
    assert again(inspector, first)["error"] is None
    two_minutes_ago = time.time() - 120
    os.utime(Path(first["files"]["preview"]).parent, (two_minutes_ago, two_minutes_ago))
    second = ask(inspector, image=image)
    assert again(inspector, first)["gone"] is True
    assert again(inspector, second)["error"] is None
    assert again(inspector, third)["error"] is None
    assert other.is_dir()


def test_the_files_of_a_batch_are_not_counted_for_each_picture(
    inspector, upload, picture, monkeypatch, storage
):
    ask(inspector, image=upload("a.png", picture))
    batch = storage.new_result()
    (batch / "masks").mkdir()
    counted = []
    rglob = Path.rglob
    monkeypatch.setattr(
        Path, "rglob", lambda path, *given: counted.append(path) or rglob(path, *given)
    )
    ask(inspector, image=upload("b.png", picture))
    assert len([path for path in counted if path.parent == storage.folder]) == 1
    assert batch not in counted


def test_those_who_wait_are_told_how_many_are_before(inspector, upload, picture):
    turns = inspector._library.turns
    with turns.enter(), turns.enter():
        asked = inspector.inspect({
            "request": 8, "model": "bright",
            "source": {"kind": "upload", "path": upload("a.png", picture)},
        })  # fmt: skip
        # The page must not ask again meanwhile: the picture would be computed twice.
        assert next(asked) == {"kind": "heard", "request": 8}
        assert next(asked) == {"kind": "waiting", "request": 8, "ahead": 2}
    assert next(asked)["kind"] == "result"


def test_whoever_leaves_the_queue_holds_up_nobody(inspector, upload, picture):
    turns, image = inspector._library.turns, upload("a.png", picture)
    source = {"kind": "upload", "path": image}
    with turns.enter():
        left = inspector.inspect({"request": 1, "model": "bright", "source": source})
        assert [next(left)["kind"] for _ in range(2)] == ["heard", "waiting"]
        left.close()
    assert ask(inspector, image=image)["error"] is None


def test_unreadable_pictures_are_told_before_the_queue(inspector, upload):
    with inspector._library.turns.enter():
        assert "the file is empty" in ask(inspector, image=upload("e.png", content=b""))["error"]


def test_pictures_of_a_dataset_bring_their_masks(make_backend, storage, tiny_dataset):
    names = ClassMap.from_names(["sound", "dent", "scratch"])
    inspector = Inspector(make_backend(names, tiny_dataset.parent))
    source = {"kind": "dataset", "dataset": "tiny-dataset", "split": "val", "stem": "nested/c"}
    reply = ask(inspector, source=source, reference="own")
    assert (reply["own_mask"], reply["reference_error"]) == (True, None)
    # The dataset calls its label 1 scratch, which is label 2 of this model.
    assert reply["scores"]["classes"][2]["pixels"] == 16 * 12
    # The browser may fetch a copy, not the dataset itself.
    assert Path(reply["files"]["full"]).is_relative_to(storage.folder)
    assert take(inspector, reply, "mask").name == "c_mask.png"


@pytest.mark.parametrize("form", ["RGBA", "LA", "P", "RGB", "webp"])
def test_what_a_closer_look_shows_has_no_alpha(inspector, upload, picture, storage, form):
    suffix = "webp" if form == "webp" else "png"
    path = upload(f"a.{suffix}", picture)
    grey = Image.fromarray(picture)
    alpha = Image.fromarray(np.full_like(picture, 60))
    if form == "webp":
        grey.putalpha(alpha)
        grey.convert("RGBA").save(path, lossless=True, exact=True)
    elif form in ("RGBA", "LA"):
        grey = grey.convert(form)
        grey.putalpha(alpha)
        grey.save(path)
    elif form == "RGB":
        # One colour is transparent, by a tRNS chunk.
        grey.convert("RGB").save(path, transparency=(200, 200, 200))
    else:
        grey.convert("P").save(path, transparency=200)
    reply = ask(inspector, image=path)
    opaque = np.repeat(picture[..., None], 3, 2)
    # Not in RGB at all where there is an alpha channel still.
    assert np.array_equal(pixels_of(reply["files"]["full"]), opaque)
    assert b"tRNS" not in Path(reply["files"]["full"]).read_bytes()
    # As Annotate and Promote ask.
    image = results.read_picture(Path(path))
    again = Path(results.full_size(Picture("a.png", Path(path)), storage.new_result(), image))
    assert np.array_equal(pixels_of(again), opaque)


def test_a_closer_look_at_a_webp_is_upright(inspector, upload, picture):
    path = upload("a.webp", picture)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 3
    Image.fromarray(picture).convert("RGB").save(path, lossless=True, exif=exif)
    reply = ask(inspector, image=path)
    # Chromium shows a WebP as it is stored.
    assert np.array_equal(pixels_of(reply["files"]["full"])[..., 0], picture[::-1, ::-1])


def test_a_picture_without_alpha_is_shown_itself(inspector, upload, picture):
    path = upload("a.png", picture)
    assert ask(inspector, image=path)["files"]["full"] == path


def test_a_link_that_leads_out_of_the_allowed_folder_is_no_picture(make_backend, tmp_path, picture):
    folder, outside = tmp_path / "data" / "parts", tmp_path / "secret.png"
    folder.mkdir(parents=True)
    for path in (outside, folder / "a.png"):
        Image.fromarray(picture).save(path)
    (folder / "leads-out.png").symlink_to(outside)
    (folder / "stays.png").symlink_to(folder / "a.png")
    inspector = Inspector(make_backend(data=tmp_path / "data"))
    source = {"kind": "folder", "folder": "parts"}
    for file in ("a.png", "stays.png"):
        assert ask(inspector, source=source | {"file": file})["error"] is None
    assert ask(inspector, source=source | {"file": "leads-out.png"})["error"] == (
        "the folder holds no picture 'leads-out.png'; look at the list again"
    )


def test_the_confidence_of_whole_percent_decides_as_the_exact_one_does():
    rng = np.random.default_rng(1)
    exact = np.float32(np.arange(101) / 100)
    near = [np.nextafter(exact, np.float32(side)) for side in (0, 1)]
    confidence = np.concatenate([exact, *near, rng.random(500, np.float32)])[None].clip(0, 1)
    kept = results.levels_confidence(results.confidence_levels(confidence))
    for percent in range(101):
        threshold = percent / 100
        assert np.array_equal(kept < threshold, confidence < threshold)
