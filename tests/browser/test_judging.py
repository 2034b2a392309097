"""Sliders, limits, files of limits and downloads, as steps that a person takes."""

import json

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from segnet_res.images import read_image
from segnet_res.regions import refine, region_summary


@pytest.fixture
def shown(page, part, act_and_wait):
    """The page with the result of `part`."""
    act_and_wait(page, lambda: page.set_input_files("#sr-image", part))
    return page


def download(page: Page, kind: str, target):
    with page.expect_download() as started:
        page.click(f"#sr-inspect [data-kind={kind}]")
    started.value.save_as(target)
    return started.value.suggested_filename


def set_slider(page: Page, selector: str, value: int) -> None:
    page.evaluate(
        """([selector, value]) => {
            const slider = document.querySelector(selector);
            slider.value = value;
            slider.dispatchEvent(new Event("input", {bubbles: true}));
        }""",
        [selector, value],
    )


def test_sliders_act_at_once_and_as_python_does(shown, part, segmenter, tmp_path, act_and_wait):
    found = segmenter.predict(read_image(part))
    limits = np.quantile(found.confidence[found.labels > 0], [0.3])
    percent = round(100 * float(limits[0]))
    act_and_wait(shown, lambda: set_slider(shown, "#sr-threshold", percent))
    act_and_wait(shown, lambda: shown.fill(".sr-exact", "4"))
    expected = refine(
        found.labels, found.confidence, segmenter.class_map,
        threshold=percent / 100, min_region=4,
    )  # fmt: skip
    assert 0 < np.count_nonzero(expected) < np.count_nonzero(found.labels)
    download(shown, "mask", tmp_path / "mask.png")
    with Image.open(tmp_path / "mask.png") as image:
        assert np.array_equal(np.asarray(image), expected)
    summary = region_summary(expected, segmenter.class_map)
    # The background has no number of regions.
    counts = shown.locator(".sr-count").all_inner_texts()
    assert counts == [f"{region.count:,}" for region in summary[1:]]
    shown.reload()
    shown.wait_for_selector("[data-samples='6']")
    expect(shown.locator("#sr-threshold")).to_have_value(str(percent))
    expect(shown.locator(".sr-exact")).to_have_value("4")


def test_limits_of_a_class_give_reasons(shown, act_and_wait):
    act_and_wait(shown, lambda: shown.fill(".sr-limit input", "100"))
    expect(shown.locator(".sr-verdict strong")).to_have_text("Within the limits")
    shown.locator(".sr-limits summary").click()
    field = shown.get_by_label("crack: allowed area of the largest region in pixels")
    act_and_wait(shown, lambda: field.fill("0"))
    expect(shown.locator(".sr-verdict")).to_have_attribute("data-verdict", "fail")
    reason = shown.locator(".sr-reasons button")
    expect(reason).to_contain_text("crack: the largest region is")
    # A click looks at the region: the picture is no longer fitted, the arrows pan.
    reason.click()
    act_and_wait(shown, lambda: field.fill(""))
    expect(shown.locator(".sr-verdict strong")).to_have_text("Within the limits")


def test_a_limit_with_a_comma_counts_and_what_is_no_number_is_marked(shown):
    field = shown.locator(".sr-limit input")
    counts = "window.segnetResJudge.limits.share"
    # Key by key: a field of the browser's own takes no comma where its language has a point.
    for text, share in (("0,5", 0.5), (".25", 0.25), ("2", 2)):
        field.select_text()
        field.press_sequentially(text)
        assert shown.evaluate(counts) == share
    for text in ("-3", "x"):
        field.select_text()
        field.press_sequentially(text)
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_have_attribute("title", "Write a number from 0 to 100, like 0.5.")
        # What is seen is what counts.
        field.press("Tab")
        expect(field).to_have_value("2")
        expect(field).not_to_have_attribute("aria-invalid", "true")
        assert shown.evaluate(counts) == 2
    shown.locator(".sr-limits summary").click()
    pixels = shown.get_by_label("crack: allowed area of the largest region in pixels")
    pixels.press_sequentially("1.5")
    expect(pixels).to_have_attribute("aria-invalid", "true")


def test_a_file_of_limits_judges_alone(shown, tmp_path, act_and_wait):
    spec = tmp_path / "tile.yaml"
    spec.write_text("title: Tile 7\nclasses: {crack: {max_count: 0}}\nothers: {}\n")
    shown.locator(".sr-limits summary").click()
    act_and_wait(shown, lambda: shown.set_input_files("#sr-spec", spec))
    expect(shown.locator(".sr-verdict")).to_contain_text("by Tile 7 (SHA-256")
    expect(shown.locator(".sr-reasons")).to_contain_text("none is allowed")
    expect(shown.locator(".sr-limit")).to_be_hidden()
    expect(shown.get_by_label("crack: allowed number of regions")).to_be_disabled()
    spec.write_text("classes: {corrosion: {max_count: 0}}\n")
    act_and_wait(shown, lambda: shown.set_input_files("#sr-spec", spec))
    expect(shown.locator(".sr-verdict strong")).to_have_text("No verdict")
    expect(shown.locator(".sr-reasons")).to_contain_text("no class is called 'corrosion'")
    act_and_wait(
        shown, lambda: shown.get_by_label("Judge by the limits of this page again").click()
    )
    expect(shown.locator(".sr-verdict strong")).to_have_text("Defects found")


def test_the_first_verdict_of_other_tabs_is_this_one(page):
    judge = page.evaluate("window.segnetResJudge")
    assert judge == {
        "threshold": 0, "min_region": 0, "limits": {"share": 0.1, "classes": {}},
        "spec": None, "spec_name": None,
    }  # fmt: skip


def test_everything_that_is_seen_can_be_taken_away(page, tmp_path, act_and_wait):
    act_and_wait(page, lambda: page.click("button[data-sample=crack]"))
    names = {
        "mask": "sample-crack_mask.png", "color": "sample-crack_color.png",
        "overlay": "sample-crack_overlay.png", "outline": "sample-crack_outline.png",
        "confidence": "sample-crack_confidence.png", "errors": "sample-crack_errors.png",
        "json": "sample-crack.json", "csv": "sample-crack.csv",
    }  # fmt: skip
    for kind, name in names.items():
        assert download(page, kind, tmp_path / name) == name
        if name.endswith(".png"):
            with Image.open(tmp_path / name) as image:
                assert image.size == (416, 320)
    report = json.loads((tmp_path / "sample-crack.json").read_text("utf-8"))
    expect(page.locator("[data-score=miou]")).to_have_text(f"{report['miou']:.3f}")
    assert report["verdict"]["state"] == "fail"
    assert (tmp_path / "sample-crack.csv").read_text("utf-8-sig").count("\n") == 7
    page.get_by_label("Remove: 2 · Reference (optional)").click()
    expect(page.locator("[data-score=miou]")).to_have_count(0)
    expect(page.locator("#sr-inspect [data-kind=errors]")).to_be_hidden()
    # The mask of a sample can be asked for again.
    act_and_wait(page, lambda: page.get_by_text("Use the picture's own mask").click())
    expect(page.locator("[data-score=miou]")).to_have_count(1)


def test_where_the_model_is_unsure_is_shown_when_asked(shown):
    shown.locator("#sr-inspect .sr-modes button", has_text="Unsure").click()
    expect(shown.locator("#sr-inspect .sr-key")).to_contain_text("disagreement")
    expect(shown.locator(".sr-alert")).to_be_hidden()
