"""The tools of the editor: which labels they change."""

import cv2
import numpy as np
import pytest
from playwright.sync_api import expect


def test_a_stroke_paints_where_the_pointer_was(desk):
    page = desk.open(np.zeros((60, 80), np.uint8))
    page.evaluate("editor.setSize(1)")
    desk.drag((10.5, 5.5), (20.5, 5.5))
    expected = np.zeros((60, 80), np.uint8)
    expected[5, 10:21] = 1
    assert np.array_equal(desk.labels(), expected)
    page.keyboard.press("3")
    page.evaluate("editor.setSize(9)")
    places = [(10, 20), (40.2, 28.7), (70, 15), (82, 59)]
    desk.drag(*places)
    expected[desk.brushed(9, *places)] = 2
    assert np.array_equal(desk.labels(), expected)
    page.keyboard.press("e")
    desk.drag((10, 20), (40, 5))
    expected[desk.brushed(9, (10, 20), (40, 5))] = 0
    assert np.array_equal(desk.labels(), expected)
    assert np.array_equal(desk.png(), expected)
    changed = int((expected != 0).sum())
    assert page.evaluate("[editor.dirty, editor.changed, window.changes]") == [True, changed, 3]


@pytest.mark.parametrize(("density", "factor"), [(1, 7.3), (2, 0.4)])
def test_strokes_are_exact_at_any_zoom(desk_with, density, factor):
    desk = desk_with(device_scale_factor=density)
    page = desk.open(np.zeros((300, 900), np.uint8))
    page.evaluate(f"editor.viewer.zoom({factor}); editor.setSize(5)")
    # Two places near the middle of the window, whatever they are there.
    ends = [(448.3, 148.1), (461.8, 152.9)]
    desk.drag(*ends)
    assert np.array_equal(desk.labels() == 1, desk.brushed(5, *ends))


def test_escape_drops_a_stroke_and_another_tool_keeps_it(desk):
    page = desk.open(np.zeros((60, 80), np.uint8))
    page.evaluate("editor.setSize(3)")
    page.mouse.move(*desk.where(10, 10))
    page.mouse.down()
    page.mouse.move(*desk.where(30, 10))
    assert desk.labels().any()
    page.keyboard.press("Escape")
    page.mouse.move(*desk.where(50, 10))
    page.mouse.up()
    assert not desk.labels().any()
    assert page.evaluate("[editor.dirty, window.changes]") == [False, 0]
    page.mouse.move(*desk.where(10, 10))
    page.mouse.down()
    page.mouse.move(*desk.where(30, 10))
    # A class that is chosen meanwhile is that of the next stroke, and so is a tool.
    page.keyboard.press("3")
    page.mouse.move(*desk.where(40, 10))
    page.keyboard.press("e")
    page.mouse.move(*desk.where(50, 10))
    page.mouse.up()
    assert np.array_equal(desk.labels() == 1, desk.brushed(3, (10, 10), (30, 10), (40, 10)))
    assert page.evaluate("window.changes") == 1
    page.keyboard.press("Control+z")
    assert not desk.labels().any()


def test_shift_and_a_click_draw_a_straight_line(desk):
    page = desk.open(np.zeros((60, 80), np.uint8))
    page.evaluate("editor.setSize(3)")
    desk.click(10.5, 10.5)
    page.keyboard.down("Shift")
    desk.click(70.5, 50.5)
    page.keyboard.up("Shift")
    expected = desk.brushed(3, (10.5, 10.5), (70.5, 50.5))
    assert np.array_equal(desk.labels() == 1, expected)


# Corners in pixels of a picture of 80 x 60, which the window shows ten times enlarged.
CORNERS = [(10.2, 10.4), (60.1, 20.3), (30.7, 50.2)]


def test_a_polygon_is_clicked_and_closed(desk):
    page = desk.open(np.zeros((60, 80), np.uint8))
    page.keyboard.press("p")
    for corner in [*CORNERS, (5, 5)]:
        desk.click(*corner)
    assert not desk.labels().any()
    page.keyboard.press("Backspace")
    page.keyboard.press("Enter")
    # A mouse knows whole pixels of the screen, of which one of the picture has a dozen.
    drawn = desk.labels() == 1
    expected = desk.inside(CORNERS)
    square = np.ones((3, 3))
    shape = expected.astype(np.uint8)
    border = cv2.dilate(shape, square) != cv2.erode(shape, square)
    assert np.array_equal(drawn[~border], expected[~border])
    assert page.evaluate("editor.changed") == drawn.sum() > 500
    # Undo within a polygon takes a corner back, not the last polygon; another tool keeps corners.
    desk.click(5, 5)
    page.keyboard.press("b")
    page.keyboard.press("p")
    page.keyboard.press("Control+z")
    assert page.evaluate("editor.changed") == drawn.sum()
    page.keyboard.press("Control+z")
    assert page.evaluate("editor.changed") == 0
    # Escape drops what is open, so that these two corners are the only ones.
    desk.click(40, 40)
    page.keyboard.press("Escape")
    desk.click(5, 5)
    desk.click(20, 5)
    page.keyboard.press("Enter")
    expect(page.locator(".sr-edit-status")).to_have_text("A polygon needs three corners.")
    assert page.evaluate("window.said.at(-1)") == "A polygon needs three corners."


@pytest.mark.parametrize("tremor", [0, 1])
def test_a_double_click_closes_a_polygon_also_when_it_trembles(desk, tremor):
    page = desk.open(np.zeros((60, 80), np.uint8))
    page.keyboard.press("p")
    for corner in CORNERS:
        desk.click(*corner)
    page.keyboard.press("Enter")
    drawn = desk.labels()
    page.keyboard.press("Control+z")
    for corner in CORNERS[:2]:
        desk.click(*corner)
    # The class that is chosen at the end counts.
    page.keyboard.press("3")
    x, y = desk.where(*CORNERS[2])
    page.mouse.click(x, y)
    page.mouse.move(x + tremor, y)
    page.mouse.down(click_count=2)
    page.mouse.up(click_count=2)
    assert np.array_equal(desk.labels(), drawn * 2)
    assert page.evaluate("editor.tools.polygon.corners.length") == 0


def test_a_click_on_its_first_corner_closes_a_polygon_and_close_corners_do_not(desk):
    page = desk.open(np.zeros((60, 80), np.uint8))
    page.keyboard.press("p")
    for corner in CORNERS:
        desk.click(*corner)
    x, y = desk.where(*CORNERS[2])
    page.mouse.click(x - 3, y)
    assert page.evaluate("editor.tools.polygon.corners.length") == 4
    x, y = desk.where(*CORNERS[0])
    page.mouse.click(x + 5, y)
    assert page.evaluate("editor.tools.polygon.corners.length") == 0
    assert page.evaluate("editor.changed") == pytest.approx(desk.inside(CORNERS).sum(), rel=0.05)


def test_fill_and_delete_change_the_region_under_the_pointer(desk, spotted):
    page = desk.open(spotted)
    expected = spotted.copy()
    page.keyboard.press("g")
    page.keyboard.press("3")
    desk.click(8, 8)
    expected[5:15, 5:15] = 2
    assert np.array_equal(desk.labels(), expected)
    page.keyboard.press("x")
    desk.click(50, 40)
    expected[30:50, 40:70] = desk.ignore
    assert np.array_equal(desk.labels(), expected)
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    assert np.array_equal(desk.labels(), spotted)
    # A region to delete is one that Inspect counts: corners join it.
    page.keyboard.press("d")
    desk.click(8, 8)
    expected = np.where(spotted == 1, 0, spotted)
    assert np.array_equal(desk.labels(), expected)
    desk.click(8, 8)
    expect(page.locator(".sr-edit-status")).to_have_text("There is background here, and no region.")


def test_the_regions_of_the_prediction_are_checked_one_by_one(desk, spotted):
    # What cannot be judged is no region, and the opened mask has lost a third of the dent already.
    proposal = spotted.copy()
    proposal[55:58, 10:20] = 1
    opened = proposal.copy()
    opened[30:50, 60:70] = 0
    page = desk.open(opened, proposal=proposal)
    text = page.locator(".sr-review-text")
    expect(text).to_have_text("1 of 3 checked")
    page.keyboard.press("a")
    desk.click(20, 17)
    expect(text).to_have_text("2 of 3 checked")
    assert page.evaluate("[editor.reviewed, editor.dirty, window.changes]") == [2 / 3, False, 1]
    desk.click(20, 17)
    said = page.locator(".sr-edit-status")
    expect(said).to_have_text("This region is checked: it was accepted or changed.")
    desk.click(75, 30)
    expect(said).to_have_text("The prediction has no region here.")
    # Accepted regions have a border and a tick, until somebody changes them.
    marked = desk.canvas()
    page.keyboard.press("Control+z")
    expect(text).to_have_text("1 of 3 checked")
    assert not np.array_equal(desk.canvas(), marked)
    page.keyboard.press("Control+Shift+z")
    page.mouse.move(*desk.where(20, 17))
    assert np.array_equal(desk.canvas(), marked)
    # The last one is found by its key.
    page.keyboard.press("n")
    assert desk.middle() == [15, 56]
    page.get_by_role("button", name="Accept rest").click()
    expect(text).to_have_text("3 of 3 checked")
    assert page.evaluate("editor.reviewed") == 1
    assert np.array_equal(desk.labels(), opened)


def test_classes_without_background_are_erased_to_what_cannot_be_judged(desk):
    labels = np.ones((30, 40), np.uint8)
    page = desk.open(labels, background=None)
    page.keyboard.press("e")
    page.evaluate("editor.setSize(3)")
    desk.click(20.5, 15.5)
    labels[desk.brushed(3, (20.5, 15.5))] = desk.ignore
    assert np.array_equal(desk.labels(), labels)
    page = desk.open(labels, background=None, ignore=None)
    expect(page.get_by_role("button", name="Eraser")).to_be_disabled()
    expect(page.locator(".sr-edit-tool[aria-pressed=true]")).to_have_attribute("data-tool", "brush")
    page.keyboard.press("e")
    expect(page.locator(".sr-edit-status")).to_have_text(
        "These classes have no background, and no label for what cannot be judged."
    )
