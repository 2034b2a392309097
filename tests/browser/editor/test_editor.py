"""Opening, taking back, and taking out: the editor as others use it."""

import cv2
import numpy as np
import pytest
from playwright.sync_api import expect


@pytest.mark.parametrize("shape", [(1, 1), (3, 1001), (1001, 3), (1500, 2000)])
def test_the_file_has_the_labels_bit_for_bit(desk, shape):
    labels = np.random.default_rng(8).integers(0, 256, shape, np.uint8)
    page = desk.open(labels)
    page.evaluate("editor.setSize(1)")
    page.keyboard.press("3")
    desk.click(shape[1] - 0.5, shape[0] - 0.5)
    labels[-1, -1] = 2
    assert np.array_equal(desk.labels(), labels)
    decoded = desk.png()
    assert decoded.dtype == np.uint8
    assert np.array_equal(decoded, labels)
    assert page.evaluate("(async () => (await editor.png()).type)()") == "image/png"


def test_a_mask_is_opened_from_a_file_and_kept_when_another_fails(desk, spotted, pictures):
    cv2.imwrite(str(pictures / "mask.png"), spotted)
    desk.open(spotted, url="/mask.png")
    assert np.array_equal(desk.labels(), spotted)
    desk.click(40, 20)
    labels = desk.labels()
    sentence = "the mask and the picture have different sizes; open the mask of this picture"
    other = np.zeros((60, 81), np.uint8)
    assert desk.try_to_open(other, url="/mask.png") == sentence
    assert desk.try_to_open(other, width=80) == sentence
    assert desk.try_to_open(spotted, proposal=other) == sentence
    assert "expired" in desk.try_to_open(spotted, url="/gone.png")
    assert np.array_equal(desk.labels(), labels)
    desk.click(10, 50)
    assert not np.array_equal(desk.labels(), labels)


def test_of_two_that_are_opened_the_later_one_stays(desk, spotted):
    page = desk.open(spotted)
    results = page.evaluate(
        """async (classes) => {
            const one = (label) => ({
                image: { name: "p", width: 80, height: 60 }, picture: "/picture-80x60.png",
                labels: new Uint8Array(4800).fill(label), classes, ignore: 255, background: 0,
            });
            return Promise.all([editor.open(one(1)), editor.open(one(2))]);
        }""",
        desk.classes,
    )
    assert results == [False, True]
    assert (desk.labels() == 2).all()


def test_a_class_can_be_added_while_a_mask_is_open(desk, spotted):
    page = desk.open(spotted)
    desk.click(40, 20)
    labels = desk.labels()
    added = [*desk.classes, {"index": 3, "name": "pore", "color": "#009e73"}]
    page.evaluate("(classes) => editor.setClasses(classes)", added)
    assert page.locator(".sr-paint-class .sr-name").all_text_contents() == [
        "background", "scratch", "<b>dent</b>", "pore", "ignore: not judged",
    ]  # fmt: skip
    assert np.array_equal(desk.labels(), labels)
    page.keyboard.press("4")
    desk.click(40, 20)
    assert (desk.labels() == 3).any()
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    assert np.array_equal(desk.labels(), spotted)


def test_dirty_means_another_mask_than_the_saved_one(desk, spotted):
    page = desk.open(spotted)
    assert page.evaluate("editor.dirty") is False
    desk.click(40, 20)
    page.evaluate("editor.saved()")
    assert page.evaluate("[editor.dirty, editor.changed > 0]") == [False, True]
    page.keyboard.press("Control+z")
    assert page.evaluate("[editor.dirty, editor.changed]") == [True, 0]
    page.keyboard.press("Control+y")
    assert page.evaluate("editor.dirty") is False
    # A click that changes nothing is no step.
    changes = page.evaluate("window.changes")
    desk.click(40, 20)
    assert page.evaluate("[editor.dirty, window.changes]") == [False, changes]
    page.evaluate("editor.close()")
    assert page.evaluate("[editor.labels, editor.dirty, editor.reviewed]") == [None, False, 1]
    expect(page.locator(".sr-message")).to_have_text("No picture is open")
    box = page.locator(".sr-stage canvas").bounding_box()
    page.mouse.click(box["x"] + 50, box["y"] + 50)
    assert page.evaluate("window.changes") == changes


def test_a_file_holds_no_stroke_that_may_still_be_cancelled(desk, spotted):
    page = desk.open(spotted)
    box = page.locator(".sr-stage canvas").bounding_box()
    page.keyboard.press("2")
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 120)
    assert not np.array_equal(desk.labels(), spotted)
    assert np.array_equal(desk.png(), spotted)
    page.mouse.up()
    assert np.array_equal(desk.png(), desk.labels())
    assert not np.array_equal(desk.png(), spotted)


def test_every_step_can_be_taken_back_and_made_again(desk):
    start = np.random.default_rng(5).integers(0, 3, (90, 120), np.uint8)
    page = desk.open(start)
    # Where the tools go is drawn by lot; what they do is told by the labels after each step.
    page.evaluate(
        """() => {
            let seed = 1;
            const random = (limit) => (seed = (seed * 16807) % 2147483647) % limit;
            const { scale, x, y } = editor.viewer.view;
            const place = () => [x + random(120) * scale, y + random(90) * scale];
            window.states = [editor.labels.slice()];
            for (let i = 0; i < 150; i++) {
                editor.setTool(["brush", "eraser", "fill", "delete"][random(4)]);
                editor.setClass([0, 1, 2, 255][random(4)], true);
                editor.setSize(1 + random(30));
                editor.press(place(), false);
                editor.point(null, [place(), place()]);
                const before = window.changes;
                editor.release(place());
                if (window.changes > before) window.states.push(editor.labels.slice());
            }
        }"""
    )
    result = page.evaluate(
        """() => {
            const same = (state) => state.every((label, i) => label === editor.labels[i]);
            const steps = states.length - 1;
            let right = 0;
            for (let i = steps - 1; i >= 0; i--) {
                editor.undo();
                right += same(states[i]);
            }
            const clean = !editor.dirty && editor.changed === 0;
            editor.undo();
            for (let i = 1; i <= steps; i++) {
                editor.redo();
                right += same(states[i]);
            }
            editor.redo();
            return { steps, right, clean };
        }"""
    )
    assert result["steps"] > 100
    assert result["right"] == 2 * result["steps"]
    assert result["clean"]
    labels = desk.labels()
    assert page.evaluate("editor.changed") == (labels != start).sum()
    for label, number in enumerate(np.bincount(labels.ravel(), minlength=3)[:3]):
        expect(page.locator(f"[data-class='{label}'] small")).to_have_text(f"{number:,} px")
    # A new step drops what was taken back.
    page.evaluate("editor.undo(); editor.setTool('brush'); editor.setClass(1)")
    page.evaluate("editor.setSize(200)")
    desk.click(60, 45)
    assert page.evaluate("editor.history.canRedo") is False


def test_the_history_is_bounded_in_number_and_size(page):
    found = page.evaluate(
        """async () => {
            const { History } = await import("/page/annotate-history.js");
            const step = (bytes) => ({ changes: { bytes } });
            const many = new History({ steps: 3, bytes: 1000 });
            for (let i = 0; i < 5; i++) many.add(step(10));
            const kept = [many.steps.length, many.bytes];
            const oldest = (many.undo(), many.undo(), many.undo(), many.undo());
            const large = new History({ steps: 9, bytes: 100 });
            for (let i = 0; i < 4; i++) large.add(step(40));
            const few = large.steps.length;
            large.add(step(500));
            return [kept, oldest, many.version, few, large.steps.length, large.bytes];
        }"""
    )
    # Two steps of five are gone, so the way back ends at the mask after those two.
    assert found == [[3, 30], None, 2, 2, 1, 500]
