"""From an upload to the reply, without a browser and without torch."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from segnet_res.web import results
from segnet_res.web.inspection import Request
from segnet_res.web.reference import names_match


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


@pytest.mark.parametrize(
    ("picture", "mask", "match"),
    [
        ("a.jpg", "a.png", True),
        ("Part 1.JPG", "part 1_mask.png", True),
        ("a.jpg", "a-gt.png", True),
        ("a.jpg", "a_ground_truth.png", True),
        ("a_mask.jpg", "a.png", True),
        ("mask.png", "mask.png", True),
        ("exp1_num_1.jpg", "exp1_num_10.png", False),
    ],
)
def test_names_of_a_pair(picture, mask, match):
    assert names_match(picture, mask) is match


def test_paths_outside_the_uploads_are_refused(inspector, tmp_path):
    outside = tmp_path / "secret.png"
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(outside)
    for path in (str(outside), f"{tmp_path}/page/../secret.png", "a\0b", "x" * 4000, "/etc/passwd"):
        reply = ask(inspector, image=path)
        assert reply["error"] == "the upload is no longer here; choose the file again"


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
    assert "the mask has other classes than this checkpoint (it does not know background, blowhole" in reply["reference_error"]


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
