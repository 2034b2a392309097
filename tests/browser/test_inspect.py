"""From a picture to its verdict and scores, as steps that a person takes."""

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from segnet_res.checkpoint import read_metadata
from segnet_res.images import read_image
from segnet_res.metrics import ConfusionMatrix


@pytest.fixture
def choose(act_and_wait):
    return lambda page, file: act_and_wait(page, lambda: page.set_input_files("#sr-image", file))


@pytest.fixture
def compare(act_and_wait):
    return lambda page, file: act_and_wait(
        page, lambda: page.set_input_files("#sr-reference", file)
    )


def shares(page: Page) -> list[str]:
    return page.locator(".sr-legend .sr-share").all_inner_texts()


def scores_of(page: Page, key: str = "iou") -> list[str]:
    return page.locator(f".sr-scores td[data-value={key}]").all_inner_texts()


def test_a_sample_shows_classes_verdict_and_scores(page, act_and_wait):
    act_and_wait(page, lambda: page.click("button[data-sample=crack]"))
    names = page.locator(".sr-legend .sr-name").all_inner_texts()
    assert names == ["background", "blowhole", "break", "crack", "fray", "uneven"]
    ious = scores_of(page)
    # The model never finds a blowhole and the reference has none: nothing to score.
    assert (shares(page)[1], ious[1]) == ("0.00 %", "n/a")
    assert ious[3] != "n/a"
    numbers = [float(share.removesuffix(" %")) for share in shares(page)]
    assert sum(numbers) == pytest.approx(100, abs=0.05)
    expect(page.locator(".sr-verdict strong")).to_have_text("Defects found")
    expect(page.locator("#sr-reference ~ *, .sr-source").nth(1)).to_contain_text(
        "the picture's own"
    )
    expect(page.locator("[data-score=miou]")).to_have_text(f"{mean_of(ious):.3f}")
    expect(page.locator(".sr-status")).to_contain_text("416\N{MULTIPLICATION SIGN}320 px · read")
    assert page.locator(".sr-matrix tbody tr").count() == 6


def mean_of(ious: list[str]) -> float:
    return float(np.mean([float(iou) for iou in ious if iou != "n/a"]))


def test_page_and_python_give_equal_labels(page, part, segmenter, tmp_path, choose):
    choose(page, part)
    with page.expect_download() as started:
        page.click("[data-kind=mask]")
    started.value.save_as(tmp_path / "mask.png")
    assert started.value.suggested_filename == "part-7_mask.png"
    with Image.open(tmp_path / "mask.png") as image:
        assert image.mode == "L"
        downloaded = np.asarray(image)
    expected = segmenter.predict(read_image(part)).labels
    assert len(np.unique(expected)) > 1
    assert np.array_equal(downloaded, expected)


def test_a_reference_gives_the_scores_that_python_gives(
    page, part, segmenter, tmp_path, choose, compare
):
    choose(page, part)
    expect(page.locator(".sr-scores")).to_have_count(0)
    labels = segmenter.predict(read_image(part)).labels
    truth = np.where(np.arange(labels.shape[1]) < 70, labels, 5).astype(np.uint8)
    truth[:3] = 255
    mask = tmp_path / "part-7_mask.png"
    Image.fromarray(truth).save(mask)
    compare(page, mask)
    matrix = ConfusionMatrix(segmenter.class_map)
    matrix.update(truth, labels)
    scores = matrix.scores()
    expected = ["n/a" if s.iou is None else f"{s.iou:.3f}" for s in scores.classes]
    assert scores_of(page) == expected
    dice = ["n/a" if s.dice is None else f"{s.dice:.3f}" for s in scores.classes]
    assert scores_of(page, "dice") == dice
    expect(page.locator("[data-score=miou]")).to_have_text(f"{scores.miou:.3f}")
    expect(page.locator("[data-score=accuracy]")).to_have_text(
        f"{100 * scores.pixel_accuracy:.2f} %"
    )
    expect(page.locator(".sr-warnings")).to_be_empty()


def test_a_new_picture_clears_reference_and_scores(
    page, part, tmp_path, act_and_wait, choose, compare
):
    choose(page, part)
    mask = tmp_path / "other-part.png"
    Image.fromarray(np.zeros((101, 143), np.uint8)).save(mask)
    compare(page, mask)
    expect(page.locator(".sr-warnings")).to_contain_text(
        "The mask other-part.png and the picture part-7.png have different names"
    )
    assert page.locator("[data-score=miou]").count() == 1
    choose(page, part)
    assert page.locator("[data-score=miou]").count() == 0
    expect(page.locator(".sr-warnings")).to_be_empty()
    expect(page.locator(".sr-source").nth(1)).not_to_contain_text("other-part.png")
    act_and_wait(page, lambda: page.click("button[data-sample=sound]"))
    page.get_by_label("Remove: 2 · Reference (optional)").click()
    expect(page.locator("[data-score=miou]")).to_have_count(0)
    # The strip holds the two pictures; its last one takes verdict and scores along.
    act_and_wait(page, lambda: page.get_by_label("Remove: 1 · Picture").click())
    expect(page.locator(".sr-source").first).to_contain_text("part-7.png")
    page.get_by_label("Remove: 1 · Picture").click()
    expect(page.locator(".sr-verdict")).to_have_count(0)


def test_the_limit_decides_the_verdict_and_is_kept(page, part, act_and_wait, choose):
    choose(page, part)
    expect(page.locator(".sr-verdict")).to_have_attribute("data-verdict", "fail")
    page.fill(".sr-limit input", "100")
    expect(page.locator(".sr-verdict")).to_have_attribute("data-verdict", "pass")
    expect(page.locator(".sr-verdict strong")).to_have_text("Within the limits")
    act_and_wait(page, lambda: page.click("button[data-sample=crack]"))
    expect(page.locator(".sr-limit input")).to_have_value("100")


def test_unusable_files_get_a_sentence_and_the_page_goes_on(page, part, tmp_path, choose):
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "half.png").write_bytes(part.read_bytes()[:900])
    (tmp_path / "letter.png").write_text("Dear page")
    choose(page, part)
    sentences = {
        "half.png": "half.png: the file is damaged",
        "letter.png": "letter.png: not a picture that can be read; save it as PNG",
        "empty.png": "empty.png: the file is empty (0 bytes)",
    }
    for name, sentence in sentences.items():
        choose(page, tmp_path / name)
        expect(page.locator(".sr-alert")).to_contain_text(sentence)
        # The verdict of the part before must not stand beside the error.
        expect(page.locator(".sr-verdict")).to_have_count(0)
    choose(page, part)
    expect(page.locator(".sr-alert")).to_be_hidden()
    expect(page.locator(".sr-verdict")).to_be_visible()


def test_unusable_references_get_a_sentence_and_leave_the_prediction(
    page, part, tmp_path, choose, compare
):
    choose(page, part)
    Image.fromarray(np.zeros((5, 9), np.uint8)).save(tmp_path / "small.png")
    Image.fromarray(np.full((101, 143), 77, np.uint8)).save(tmp_path / "odd.png")
    (tmp_path / "letter.png").write_text("Dear page")
    sentences = {
        "small.png": "small.png: the mask is 9x5, the picture 143x101",
        "odd.png": "odd.png: labels 77 belong to no class",
        "letter.png": "letter.png: not a picture that can be read",
    }
    for name, sentence in sentences.items():
        compare(page, tmp_path / name)
        expect(page.locator(".sr-alert")).to_contain_text(sentence)
        expect(page.locator(".sr-verdict")).to_be_visible()
        expect(page.locator("[data-score=miou]")).to_have_count(0)


@pytest.mark.parametrize(
    ("name", "pixels", "size"),
    [
        ("dot.png", np.full((1, 1), 9, np.uint8), "1\N{MULTIPLICATION SIGN}1 px"),
        ("deep.png", np.full((40, 30), 40_000, np.uint16), "30\N{MULTIPLICATION SIGN}40 px"),
        ("colour.tif", np.full((33, 65, 3), 99, np.uint8), "65\N{MULTIPLICATION SIGN}33 px"),
        (
            "Prüfling {{x}} ${y}.webp",
            np.full((20, 20, 4), 80, np.uint8),
            "20\N{MULTIPLICATION SIGN}20 px",
        ),
    ],
)
def test_unusual_pictures_work(page, tmp_path, name, pixels, size, choose):
    Image.fromarray(pixels).save(tmp_path / name)
    choose(page, tmp_path / name)
    expect(page.locator(".sr-alert")).to_be_hidden()
    expect(page.locator(".sr-status")).to_contain_text(size)
    expect(page.locator(".sr-source").first).to_contain_text(name)


def test_a_picture_whose_question_gets_lost_is_inspected(page, part, choose, lose):
    lost = lose(page, '"kind":"upload"')
    choose(page, part)
    expect(page.locator(".sr-verdict")).to_be_visible()
    assert len(lost) == 1


def test_dropping_a_file_on_the_viewer_inspects_it(page, part, act_and_wait):
    transfer = page.evaluate_handle(
        """(bytes) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], "dropped.png"));
            return transfer;
        }""",
        list(part.read_bytes()),
    )
    act_and_wait(page, lambda: page.dispatch_event(".sr-stage", "drop", {"dataTransfer": transfer}))
    expect(page.locator(".sr-source").first).to_contain_text("dropped.png")
    expect(page.locator(".sr-verdict")).to_be_visible()


def test_another_checkpoint_is_applied_at_once_and_its_names_stay_text(
    page, part, checkpoints, act_and_wait, choose
):
    choose(page, part)
    act_and_wait(page, lambda: page.select_option("#sr-model", "b-evil"))
    names = page.locator(".sr-legend .sr-name").all_inner_texts()
    assert tuple(names) == read_metadata(checkpoints / "b-evil.safetensors").class_map.names
    page.hover(".sr-stage canvas", position={"x": 300, "y": 300})
    expect(page.locator(".sr-hover")).to_contain_text("x ")
    assert page.evaluate("window.harmed") is None
    # A long name must not push the numbers out of the column.
    right = page.locator(".sr-right").bounding_box()
    cell = page.locator(".sr-legend tbody tr").nth(4).locator("td.sr-number").last.bounding_box()
    assert cell["x"] + cell["width"] <= right["x"] + right["width"] + 1
    act_and_wait(page, lambda: page.click("button[data-sample=crack]"))
    expect(page.locator(".sr-alert")).to_contain_text(
        "the mask has other classes than this checkpoint"
    )
