"""The canvas viewer: what is drawn where, by mouse and by keys."""

import base64
import io

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from segnet_res.classes import MAGNETIC_TILE
from segnet_res.images import read_image

# The canvas as PNG, after the frame that is being drawn.
CANVAS = """() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() =>
    done(document.querySelector(".sr-stage canvas").toDataURL("image/png"))
)))"""


@pytest.fixture
def inspected(page, part, act_and_wait):
    act_and_wait(page, lambda: page.set_input_files("#sr-image", part))
    return page


def canvas(page) -> np.ndarray:
    png = base64.b64decode(page.evaluate(CANVAS).partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))


def mode(page, name: str) -> np.ndarray:
    page.get_by_role("button", name=name, exact=True).click()
    page.wait_for_selector(f"canvas[data-mode={name}]")
    return canvas(page)


def test_the_mask_on_the_screen_is_the_prediction(inspected, part, segmenter):
    drawn = mode(inspected, "Mask")
    labels = segmenter.predict(read_image(part)).labels
    height, width = labels.shape
    scale = min(drawn.shape[0] / height, drawn.shape[1] / width)
    left, top = (drawn.shape[1] - width * scale) / 2, (drawn.shape[0] - height * scale) / 2
    rows = np.floor(top + (np.arange(height) + 0.5) * scale).astype(int)
    columns = np.floor(left + (np.arange(width) + 0.5) * scale).astype(int)
    shown = drawn[np.ix_(rows, columns)][..., :3]
    assert np.array_equal(shown, MAGNETIC_TILE.palette()[labels])


def test_modes_and_opacity_change_what_is_drawn(inspected):
    overlay, image = mode(inspected, "Overlay"), mode(inspected, "Image")
    assert not np.array_equal(overlay, image)
    assert not np.array_equal(mode(inspected, "Outline"), image)
    mode(inspected, "Overlay")
    inspected.get_by_label("Opacity of the mask").fill("0")
    assert np.array_equal(canvas(inspected), image)
    expect(inspected.get_by_role("button", name="Errors", exact=True)).to_be_disabled()


def test_hiding_every_class_leaves_the_picture(inspected):
    image = mode(inspected, "Image")
    mode(inspected, "Overlay")
    for name in ("crack", "uneven"):
        inspected.get_by_label(f"Show {name}").uncheck()
    assert np.array_equal(canvas(inspected), image)
    inspected.get_by_label("Show crack").check()
    assert not np.array_equal(canvas(inspected), image)


def test_keys_choose_the_view(inspected):
    canvas_box = inspected.locator(".sr-stage canvas")
    canvas_box.focus()
    for key, name in (
        ("2", "Image"),
        ("3", "Mask"),
        ("4", "Outline"),
        ("5", "Outline"),
        ("1", "Overlay"),
    ):
        inspected.keyboard.press(key)
        expect(inspected.locator(".sr-modes [aria-pressed=true]")).to_have_text(name)
    overlay = canvas(inspected)
    inspected.keyboard.press("Space")
    expect(inspected.locator(".sr-badge")).to_be_visible()
    assert not np.array_equal(canvas(inspected), overlay)
    inspected.keyboard.press("Space")
    expect(inspected.locator(".sr-badge")).to_be_hidden()
    assert np.array_equal(canvas(inspected), overlay)


def test_zoom_and_pan_by_keys_and_back_by_fit(inspected):
    fitted = canvas(inspected)
    for keys in (["+"], ["-"], ["z"], ["ArrowLeft"], ["ArrowDown"]):
        inspected.locator(".sr-stage canvas").focus()
        for key in keys:
            inspected.keyboard.press(key)
        assert not np.array_equal(canvas(inspected), fitted), keys
        inspected.keyboard.press("0")
        assert np.array_equal(canvas(inspected), fitted), keys
    inspected.keyboard.press("f")
    inspected.wait_for_function("document.fullscreenElement !== null")
    inspected.keyboard.press("f")
    inspected.wait_for_function("document.fullscreenElement === null")


def test_keys_in_a_field_do_not_reach_the_viewer(inspected):
    inspected.locator(".sr-limit input").focus()
    inspected.keyboard.press("3")
    expect(inspected.locator(".sr-modes [aria-pressed=true]")).to_have_text("Overlay")


def test_the_wheel_zooms_at_the_pointer_and_dragging_pans(inspected):
    inspected.get_by_role("button", name="1:1").click()
    box = inspected.locator(".sr-stage canvas").bounding_box()
    x, y = box["x"] + box["width"] / 2 + 20, box["y"] + box["height"] / 2 + 10
    inspected.mouse.move(x, y)
    before = inspected.locator(".sr-hover").inner_text()
    inspected.mouse.wheel(0, -400)
    canvas(inspected)
    inspected.mouse.move(x + 1, y)
    inspected.mouse.move(x, y)
    assert inspected.locator(".sr-hover").inner_text() == before
    drawn = canvas(inspected)
    inspected.mouse.down()
    inspected.mouse.move(x + 40, y + 30, steps=3)
    inspected.mouse.up()
    moved = canvas(inspected)
    assert not np.array_equal(moved, drawn)


def test_hover_tells_position_class_and_truth(inspected, part, segmenter, tmp_path, act_and_wait):
    labels = segmenter.predict(read_image(part)).labels
    truth = np.full_like(labels, 2)
    Image.fromarray(truth).save(tmp_path / "part-7_gt.png")
    act_and_wait(
        inspected, lambda: inspected.set_input_files("#sr-reference", tmp_path / "part-7_gt.png")
    )
    box = inspected.locator(".sr-stage canvas").bounding_box()
    inspected.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    text = inspected.locator(".sr-hover").inner_text()
    name = MAGNETIC_TILE.names[labels[50, 71]]
    assert text == f"x 71  y 50  {name}  truth: break"


def test_errors_are_drawn_in_the_colours_of_their_key(
    inspected, part, segmenter, tmp_path, act_and_wait
):
    labels = segmenter.predict(read_image(part)).labels
    # Left half: everything sound. Right half: everything a crack.
    truth = np.zeros_like(labels)
    truth[:, 72:] = 3
    Image.fromarray(truth).save(tmp_path / "part-7_gt.png")
    act_and_wait(
        inspected, lambda: inspected.set_input_files("#sr-reference", tmp_path / "part-7_gt.png")
    )
    inspected.get_by_label("Opacity of the mask").fill("100")
    drawn = mode(inspected, "Errors")
    expect(inspected.locator(".sr-key")).to_contain_text("false alarm")
    scale = min(drawn.shape[0] / 101, drawn.shape[1] / 143)
    left, top = (drawn.shape[1] - 143 * scale) / 2, (drawn.shape[0] - 101 * scale) / 2

    def color_at(row: int, column: int) -> list[int]:
        y, x = int(top + (row + 0.5) * scale), int(left + (column + 0.5) * scale)
        return drawn[y, x, :3].tolist()

    def first(where: np.ndarray) -> tuple[int, int]:
        return tuple(int(i) for i in np.argwhere(where)[0])

    assert color_at(*first((labels != 0) & (truth == 0))) == [213, 94, 0]
    assert color_at(*first((labels == 0) & (truth == 3))) == [0, 114, 178]
    assert color_at(*first((labels == 5) & (truth == 3))) == [240, 228, 66]
    assert color_at(*first((labels == 3) & (truth == 3))) == [255, 255, 255]
