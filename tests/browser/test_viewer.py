"""The canvas viewer: what is drawn where, by mouse and by keys."""

import base64
import io
import struct
import zlib

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
    page.locator(".sr-modes").get_by_role("button", name=name, exact=True).click()
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
    errors = inspected.locator(".sr-modes").get_by_role("button", name="Errors", exact=True)
    expect(errors).to_be_disabled()
    expect(errors).to_have_attribute("title", "Needs a reference mask")


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
        ("5", "Confidence"),
        # There is no reference, so there are no errors.
        ("6", "Confidence"),
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


def test_space_opens_what_has_the_focus(inspected):
    details = inspected.locator(".sr-inspect details:visible").first
    was = details.evaluate("(node) => node.open")
    details.locator("summary").first.focus()
    inspected.keyboard.press(" ")
    expect(inspected.locator(".sr-modes [aria-pressed=true]")).to_have_text("Overlay")
    assert details.evaluate("(node) => node.open") is not was


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
    inspected.wait_for_selector("canvas[data-confidence]")
    box = inspected.locator(".sr-stage canvas").bounding_box()
    inspected.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    text = inspected.locator(".sr-hover").inner_text()
    name = MAGNETIC_TILE.names[labels[50, 71]]
    sure = segmenter.predict(read_image(part)).confidence[50, 71]
    percent = int(np.floor(sure * 255) / 2.55)
    assert text == f"x 71  y 50  {name}  confidence {percent} %  truth: break"


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


def place(drawn: np.ndarray, row: int, column: int) -> tuple[int, int]:
    """The canvas pixel in which the middle of a pixel of the fitted part lies."""
    scale = min(drawn.shape[0] / 101, drawn.shape[1] / 143)
    left, top = (drawn.shape[1] - 143 * scale) / 2, (drawn.shape[0] - 101 * scale) / 2
    return int(top + (row + 0.5) * scale), int(left + (column + 0.5) * scale)


def test_confidence_lights_up_where_the_model_is_less_sure(inspected, part, segmenter):
    inspected.get_by_label("Opacity of the mask").fill("100")
    drawn = mode(inspected, "Confidence")
    expect(inspected.locator(".sr-key")).to_contain_text("confidence 100 %")
    expect(inspected.locator(".sr-key")).to_contain_text("17 %")
    picture = mode(inspected, "Image")
    sure = segmenter.predict(read_image(part)).confidence
    far = np.abs(drawn.astype(int) - picture).sum(axis=2)
    ranked = np.argsort(sure, axis=None)
    least, most = (np.unravel_index(i, sure.shape) for i in (ranked[0], ranked[-1]))
    assert sure[least] < 0.6
    assert sure[most] > 0.98
    assert far[place(drawn, *least)] > 100
    assert far[place(drawn, *most)] < far[place(drawn, *least)] / 2


def test_the_model_is_asked_where_it_is_unsure_and_only_then(inspected, part, act_and_wait):
    picture = mode(inspected, "Image")
    canvas_box = inspected.locator(".sr-stage canvas")
    assert canvas_box.get_attribute("data-unsure") is None
    canvas_box.focus()
    inspected.keyboard.press("7")
    inspected.wait_for_selector("canvas[data-unsure]")
    expect(inspected.locator(".sr-message")).to_be_hidden()
    expect(inspected.locator(".sr-key")).to_contain_text("disagreement")
    assert not np.array_equal(canvas(inspected), picture)
    box = canvas_box.bounding_box()
    inspected.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(inspected.locator(".sr-hover")).to_contain_text("disagreement")
    # Another picture: nobody has asked for that.
    act_and_wait(inspected, lambda: inspected.click("button[data-sample=crack]"))
    expect(inspected.locator(".sr-modes [aria-pressed=true]")).to_have_text("Overlay")


def test_the_list_of_keys_opens_and_closes(inspected):
    inspected.locator(".sr-stage canvas").focus()
    inspected.keyboard.press("?")
    dialog = inspected.get_by_role("dialog", name="Keys")
    expect(dialog).to_be_visible()
    expect(dialog).to_contain_text("hides and shows the mask")
    # The view behind it stays as it is.
    inspected.keyboard.press("3")
    expect(inspected.locator(".sr-modes [aria-pressed=true]")).to_have_text("Overlay")
    inspected.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    inspected.keyboard.press("3")
    expect(inspected.locator(".sr-modes [aria-pressed=true]")).to_have_text("Mask")


def test_a_pixel_can_be_read_without_a_mouse(inspected):
    inspected.locator(".sr-stage canvas").focus()
    hover, spoken = inspected.locator(".sr-hover"), inspected.locator(".sr-spoken")
    expect(hover).to_be_hidden()
    inspected.keyboard.press("i")
    expect(hover).to_contain_text("x 71  y 50")
    expect(spoken).to_contain_text("x 71  y 50")
    inspected.keyboard.press("z")
    inspected.keyboard.press("ArrowRight")
    # One pixel of the picture for one of the screen, and a step of 60.
    expect(hover).to_contain_text("x 131  y 50")
    expect(spoken).to_contain_text("x 131  y 50")
    inspected.keyboard.press("i")
    expect(hover).to_be_hidden()


def test_the_picture_cannot_be_lost(inspected):
    inspected.locator(".sr-stage canvas").focus()
    for _ in range(60):
        inspected.keyboard.press("ArrowRight")
    picture = canvas(inspected)
    assert picture[..., :3].any()


def png_of(rows: np.ndarray, color: int = 0, depth: int = 8) -> bytes:
    """A PNG whose rows go through every filter in turn."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    height, width = rows.shape
    filtered = b""
    for y in range(height):
        filtered += bytes([y % 5]) + bytes(
            (int(rows[y, x]) - predicted(rows, y, x)) % 256 for x in range(width)
        )
    packed = zlib.compress(filtered)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    palette = chunk(b"PLTE", bytes(range(256)) * 3) if color == 3 else b""
    # Cut in two: a file may have any number of such chunks.
    data = chunk(b"IDAT", packed[:9]) + chunk(b"IDAT", packed[9:])
    return b"\x89PNG\r\n\x1a\n" + header + palette + data + chunk(b"IEND", b"")


def predicted(rows: np.ndarray, y: int, x: int) -> int:
    """What the filter of row y takes off a pixel, from its neighbours; the PNG standard, 9.2."""
    left = int(rows[y, x - 1]) if x else 0
    up = int(rows[y - 1, x]) if y else 0
    corner = int(rows[y - 1, x - 1]) if x and y else 0
    estimate = left + up - corner
    nearest = min((left, up, corner), key=lambda value: abs(estimate - value))
    return (0, left, up, (left + up) // 2, nearest)[y % 5]


DECODE = """async (text) => {
    const { decodeMask } = await import("/page/png.js");
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    try {
        const { width, height, data } = await decodeMask(bytes.buffer);
        return [height, width, ...data];
    } catch (error) {
        return error.message;
    }
}"""


def decoded(page, content: bytes) -> object:
    return page.evaluate(DECODE, base64.b64encode(content).decode())


@pytest.mark.parametrize("color", [0, 3])
def test_masks_of_every_filter_are_read_exactly(page, color):
    rows = np.random.default_rng(1).integers(0, 256, (11, 7), np.uint8)
    content = png_of(rows, color)
    with Image.open(io.BytesIO(content)) as image:
        assert np.array_equal(np.asarray(image), rows)
    assert decoded(page, content) == [11, 7, *rows.ravel().tolist()]


def test_what_is_no_mask_is_refused(page):
    rows = np.zeros((3, 4), np.uint8)
    good = png_of(rows)
    assert decoded(page, b"GIF89a" + good) == "a mask is no PNG"
    assert decoded(page, png_of(rows, depth=16)) == "a mask is no PNG of one byte a pixel"
    assert decoded(page, png_of(rows, color=2)) == "a mask is no PNG of one byte a pixel"
    short = good.replace(struct.pack(">II", 4, 3), struct.pack(">II", 4, 9), 1)
    assert decoded(page, short) == "the PNG of a mask is cut off"


REDUCE = """async ({ rows, empty }) => {
    const { averaged, pyramid } = await import("/page/labels.js");
    const data = Uint8Array.from(rows.flat());
    const plane = { width: rows[0].length, height: rows.length, data };
    const levels = empty === null ? averaged(plane) : pyramid(plane, empty);
    const last = levels.at(-1);
    return { levels: levels.length, shape: [last.height, last.width],
        sum: last.data.reduce((a, b) => a + b, 0), first: last.data[0] };
}"""


def test_a_defect_of_one_pixel_is_still_there_when_zoomed_out(page):
    rows = np.zeros((3, 1025), np.uint8)
    rows[1, 700] = 4
    found = page.evaluate(REDUCE, {"rows": rows.tolist(), "empty": 0})
    assert found == {"levels": 3, "shape": [1, 257], "sum": 4, "first": 0}


def test_values_are_averaged_when_zoomed_out(page):
    rows = np.zeros((2, 600), np.uint8)
    rows[:, :2] = [[10, 20], [30, 41]]
    found = page.evaluate(REDUCE, {"rows": rows.tolist(), "empty": None})
    # 101 / 4 rounded
    assert found == {"levels": 2, "shape": [1, 300], "sum": 25, "first": 25}
