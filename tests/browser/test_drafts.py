"""What somebody has painted is there again: after a reload, a restart of the server, a mishap."""

import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from segnet_res.classes import MAGNETIC_TILE
from segnet_res.data import DatasetInfo, save_info
from tests.browser.test_annotate import drafted, draw, mask_of, paint, pick, visit, wait


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    for i in range(2):
        draw(root / f"new/p{i}.png", i)
    (root / "set").mkdir()
    save_info(root / "set", DatasetInfo("set", MAGNETIC_TILE, 1))
    return root


@pytest.fixture(scope="module")
def annotating(start_with, data):
    return start_with("--data", data, "--accept-annotations")


def reopened(page):
    page.wait_for_function(
        "document.querySelector('.sr-annotate')?.dataset.ready?.startsWith('opened')",
    )


@pytest.fixture
def page(open_page, annotating):
    return open_page(annotating.url, viewport={"width": 1366, "height": 768})


def test_a_draft_survives_a_reload_and_a_restart_of_the_server(page, annotating, start_with, data):
    visit(page, "folder:new", "set")
    pick(page, "p1.png")
    paint(page)
    drafted(page)
    painted = mask_of(page)
    assert len(np.unique(painted)) > 1
    expect(page.locator(".sr-annotate-draft")).to_contain_text("draft saved")

    page.reload()
    page.get_by_role("tab", name="Annotate").click()
    reopened(page)
    expect(page.locator(".sr-annotate-origin")).to_contain_text("Your draft of")
    np.testing.assert_array_equal(mask_of(page), painted)
    expect(page.locator(".sr-annotate-picture[aria-current]")).to_contain_text("draft")

    # Another server, that knows nothing but the folder.
    page.goto("about:blank")
    annotating.process.terminate()
    assert annotating.process.wait(60) == 0
    port = re.search(r":(\d+)", annotating.url)[1]
    start_with("--data", data, "--accept-annotations", "--port", port)
    page.goto(annotating.url)
    page.get_by_role("tab", name="Annotate").click()
    reopened(page)
    np.testing.assert_array_equal(mask_of(page), painted)

    # Whoever starts over can take that back, and a saved mask needs no draft any more.
    wait(page, lambda: page.get_by_role("button", name="Start over").click(), "opened")
    assert not np.array_equal(mask_of(page), painted)
    wait(page, lambda: page.get_by_role("button", name="Bring back").click(), "opened")
    np.testing.assert_array_equal(mask_of(page), painted)
    page.get_by_role("textbox", name="Your name").fill("Ada")
    wait(page, lambda: page.get_by_role("button", name="Save as done").click(), "saved")
    assert list((data / ".drafts").glob("*.png")) == []

    # Files that somebody drops are remembered as well as those of a folder.
    page.locator("#sr-annotate-files").set_input_files(data / "new/p0.png")
    expect(page.locator(".sr-annotate-picture")).to_have_count(1)
    reopened(page)
    paint(page, label="fray")
    drafted(page)
    dropped = mask_of(page)
    page.reload()
    page.get_by_role("tab", name="Annotate").click()
    reopened(page)
    np.testing.assert_array_equal(mask_of(page), dropped)


def test_of_two_tabs_the_first_keeps_its_draft(page, annotating, data):
    draw(data / "two/p.png", 9)
    page.reload()
    second = page.context.new_page()
    second.goto(annotating.url)
    for tab in (page, second):
        visit(tab, "folder:two", "set")
        pick(tab, "p.png")
    paint(page)
    drafted(page)
    painted = mask_of(page)
    paint(second, label="fray")
    second.wait_for_selector(".sr-annotate[data-draft=failed]")
    expect(second.locator(".sr-annotate-draft")).to_contain_text("another tab or window keeps")
    second.get_by_role("textbox", name="Your name").fill("Ada")
    wait(second, lambda: second.get_by_role("button", name="Save as done").click(), "saved")
    second.close()
    page.reload()
    page.get_by_role("tab", name="Annotate").click()
    reopened(page)
    np.testing.assert_array_equal(mask_of(page), painted)


def test_leaving_with_changes_warns_and_a_lost_server_is_told(page, problems):
    visit(page, "folder:new", "set")
    pick(page, "p0.png")
    # The draft cannot be kept: nothing may be lost in silence.
    page.route("**/upload*", lambda route: route.abort())
    paint(page)
    page.wait_for_selector(".sr-annotate[data-draft=failed]")
    expect(page.locator(".sr-annotate-draft")).to_contain_text("trying again")
    painted = mask_of(page)
    warned = []
    page.on("dialog", lambda dialog: (warned.append(dialog.type), dialog.dismiss()))
    page.evaluate("setTimeout(() => location.reload(), 0)")
    page.wait_for_timeout(500)
    assert warned == ["beforeunload"]
    # Another picture does not take its place.
    page.locator(".sr-annotate-picture", has_text="p1.png").click()
    expect(page.locator(".sr-annotate .sr-alert")).to_contain_text("could not be uploaded")
    np.testing.assert_array_equal(mask_of(page), painted)
    page.unroute("**/upload*")
    page.wait_for_selector(".sr-annotate[data-draft=saved]")
    pick(page, "p1.png")
    pick(page, "p0.png")
    np.testing.assert_array_equal(mask_of(page), painted)
    problems[:] = [one for one in problems if "ERR_FAILED" not in one]


def test_pictures_larger_than_the_preview_stay_exact(page, data):
    """A TIFF of 2100 pixels: no browser shows it, and the preview is smaller."""
    pixels = np.random.default_rng(5).integers(90, 150, (300, 2100), np.uint8)
    (data / "wide").mkdir()
    Image.fromarray(pixels).save(data / "wide/w.tif")
    visit(page, "folder:wide", "set")
    pick(page, "w.tif")
    before = mask_of(page)
    assert before.shape == (300, 2100)
    page.get_by_role("textbox", name="Your name").fill("Ada")
    paint(page)
    painted = mask_of(page)
    wait(page, lambda: page.get_by_role("button", name="Save as done").click(), "saved")
    with Image.open(data / "set/masks/w.png") as saved:
        np.testing.assert_array_equal(np.array(saved), painted)
    assert np.count_nonzero(painted != before)
