"""Many pictures on the Inspect tab: the film strip, and references that come along."""

import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from segnet_res.classes import MAGNETIC_TILE
from tests.browser.conftest import save_checkpoint


@pytest.fixture
def pictures(tmp_path):
    """Three pictures of different brightness; the second is no picture."""
    for number, level in ((1, 90), (3, 160)):
        pixels = np.random.default_rng(number).integers(level - 40, level + 40, (60, 80), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"part-{number}.png")
    (tmp_path / "part-2.png").write_text("Dear page")
    return [tmp_path / f"part-{number}.png" for number in (1, 2, 3)]


def all_done(page: Page) -> None:
    page.wait_for_selector(".sr-inspect[data-open='0']")


def states(page: Page) -> list[str | None]:
    items = page.locator(".sr-strip-list li")
    return [items.nth(i).get_attribute("data-state") for i in range(items.count())]


def drop(page: Page, selector: str, files: dict[str, bytes]) -> None:
    transfer = page.evaluate_handle(
        """(files) => {
            const transfer = new DataTransfer();
            for (const [name, bytes] of Object.entries(files)) {
                transfer.items.add(new File([new Uint8Array(bytes)], name));
            }
            return transfer;
        }""",
        {name: list(content) for name, content in files.items()},
    )
    page.dispatch_event(selector, "drop", {"dataTransfer": transfer})


def test_a_finger_removes_only_what_shows_that_it_can_be_removed(open_page, pictures):
    page = open_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page.wait_for_selector("[data-samples='6']")
    page.set_input_files("#sr-image", pictures)
    all_done(page)
    items = page.locator(".sr-strip-list li")
    # In the corner of the next one nothing is to be seen.
    items.nth(1).scroll_into_view_if_needed()
    box = items.nth(1).locator("button").last.bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(items.nth(1).locator("button").first).to_have_attribute("aria-current", "true")
    assert items.count() == 3
    # Now it is, and large enough for a finger.
    assert min(box["width"], box["height"]) >= 24
    items.nth(1).get_by_role("button", name="Remove: part-2.png").tap()
    expect(items).to_have_count(2)


def test_after_another_checkpoint_took_its_place_all_are_inspected_anew(
    open_page, start_with, checkpoints, pictures, tmp_path, act_and_wait
):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    shutil.copy(checkpoints / "a-tiles.safetensors", folder / "best.safetensors")
    page = open_page(start_with("--checkpoints", folder).url)
    act_and_wait(page, lambda: page.set_input_files("#sr-image", pictures[0]))
    assert states(page) == ["fail"]
    # As a training does at the end of an epoch. This one finds no defects.
    save_checkpoint(tmp_path / "next.safetensors", MAGNETIC_TILE, present=(0,))
    (tmp_path / "next.safetensors").replace(folder / "best.safetensors")
    page.set_input_files("#sr-image", pictures[2])
    expect(page.locator(".sr-strip-list li")).to_have_count(2)
    all_done(page)
    assert states(page) == ["pass", "pass"]
    # Copied anew it is the same: the second stays as it was found.
    os.utime(folder / "best.safetensors", ns=(1, 1))
    asked = []
    page.on("request", lambda request: asked.append(request.post_data or ""))
    # Who is told that a picture or checkpoint has changed chooses the picture again.
    act_and_wait(page, lambda: page.set_input_files("#sr-image", pictures[0]))
    all_done(page)
    assert states(page) == ["pass", "pass"]
    assert len([text for text in asked if '"source":' in text]) == 1


def test_a_dropped_folder_brings_its_pictures(page, pictures, tmp_path, drop_paths, act_and_wait):
    pictures[1].unlink()
    folder = tmp_path / "line 4"
    (folder / "night").mkdir(parents=True)
    (folder / "notes.txt").write_text("no picture")
    (folder / ".part-9.png").write_text("a leftover")
    pictures[0].rename(folder / "night" / "part-1.png")
    pictures[2].rename(folder / "part-3.png")
    act_and_wait(page, lambda: drop_paths(page, ".sr-stage", folder))
    all_done(page)
    expect(page.locator(".sr-strip-count")).to_have_text("2 pictures · 2 with defects")
    # One without pictures is refused, and what was there stays.
    empty = tmp_path / "lists"
    empty.mkdir()
    (empty / "notes.txt").write_text("no picture")
    drop_paths(page, ".sr-stage", empty)
    expect(page.locator(".sr-alert")).to_have_text(
        "lists holds no pictures; choose PNG, JPEG, TIFF, WebP or BMP."
    )
    expect(page.locator(".sr-strip-count")).to_have_text("2 pictures · 2 with defects")


def test_several_pictures_are_inspected_and_stepped_through(page, pictures, act_and_wait):
    act_and_wait(page, lambda: page.set_input_files("#sr-image", pictures))
    all_done(page)
    assert states(page) == ["fail", "failed", "fail"]
    expect(page.locator(".sr-strip-count")).to_have_text("3 pictures · 2 with defects · 1 failed")
    expect(page.locator("[aria-current=true]")).to_have_attribute("title", "part-1.png: defects")
    # The picture is fitted: arrows step. A failed one says why and shows no verdict.
    page.locator(".sr-stage canvas").focus()
    act_and_wait(page, lambda: page.keyboard.press("ArrowRight"))
    expect(page.locator(".sr-alert")).to_contain_text("part-2.png: not a picture")
    expect(page.locator(".sr-verdict")).to_have_count(0)
    act_and_wait(page, lambda: page.keyboard.press("PageDown"))
    expect(page.locator(".sr-source").first).to_contain_text("part-3.png")
    expect(page.locator(".sr-verdict")).to_be_visible()
    # At the end of the strip nothing happens; zoomed in, arrows pan.
    page.keyboard.press("ArrowRight")
    page.keyboard.press("+")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".sr-source").first).to_contain_text("part-3.png")
    act_and_wait(page, lambda: page.keyboard.press("PageUp"))
    expect(page.locator(".sr-source").first).to_contain_text("part-2.png")


def test_pictures_that_are_left_give_their_memory_back(page, tmp_path, act_and_wait):
    for number in (1, 2):
        # Wider than a preview: a closer look loads the whole picture too.
        Image.new("L", (2300, 40), 60 * number).save(tmp_path / f"part-{number}.png")
    page.evaluate("""() => {
        const make = window.createImageBitmap;
        const made = [];
        window.createImageBitmap = async (...given) => {
            const bitmap = await make(...given);
            made.push(bitmap);
            return bitmap;
        };
        // One that is closed has no width.
        window.openBitmaps = () => made.filter(({ width }) => width > 0).length;
        window.madeBitmaps = () => made.length;
    }""")
    act_and_wait(page, lambda: page.set_input_files("#sr-image", sorted(tmp_path.glob("*.png"))))
    all_done(page)
    canvas = page.locator(".sr-stage canvas")
    for key in ("PageDown", "PageUp", "PageDown"):
        canvas.focus()
        page.keyboard.press("z")
        page.wait_for_function("openBitmaps() === 2")
        act_and_wait(page, lambda key=key: page.keyboard.press(key))
        assert page.evaluate("openBitmaps()") == 1
    assert page.evaluate("madeBitmaps()") == 7
    act_and_wait(page, lambda: page.get_by_text("Remove all").click())
    assert page.evaluate("openBitmaps()") == 0


def test_a_picture_seen_before_comes_back_without_the_server(page, pictures, act_and_wait):
    act_and_wait(page, lambda: page.set_input_files("#sr-image", [pictures[0], pictures[2]]))
    all_done(page)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    act_and_wait(page, lambda: page.keyboard.press("PageDown"))
    act_and_wait(page, lambda: page.keyboard.press("PageUp"))
    expect(page.locator(".sr-source").first).to_contain_text("part-1.png")
    assert [url for url in asked if "queue/join" in url] == []


def test_a_limit_judges_every_picture_of_the_strip(page, pictures, act_and_wait):
    act_and_wait(page, lambda: page.set_input_files("#sr-image", [pictures[0], pictures[2]]))
    all_done(page)
    assert states(page) == ["fail", "fail"]
    act_and_wait(page, lambda: page.fill(".sr-limit input", "100"))
    page.wait_for_selector(".sr-strip-list li:nth-child(2)[data-state=pass]")
    assert states(page) == ["pass", "pass"]


def test_pictures_can_be_taken_out(page, pictures, act_and_wait):
    act_and_wait(page, lambda: page.set_input_files("#sr-image", pictures))
    all_done(page)
    page.get_by_label("Remove: part-2.png").click()
    expect(page.locator(".sr-strip-list li")).to_have_count(2)
    page.locator(".sr-strip-picture").first.focus()
    act_and_wait(page, lambda: page.keyboard.press("Delete"))
    expect(page.locator(".sr-source").first).to_contain_text("part-3.png")
    expect(page.locator(".sr-strip")).to_be_hidden()
    act_and_wait(page, lambda: page.set_input_files("#sr-image", pictures[0]))
    page.get_by_role("button", name="Remove all").click()
    expect(page.locator(".sr-verdict")).to_have_count(0)
    expect(page.locator(".sr-source").first).not_to_contain_text("part")


def test_masks_that_are_dropped_along_find_their_pictures(page, pictures, act_and_wait):
    mask = np.zeros((60, 80), np.uint8)
    mask[:30] = 3
    Image.fromarray(mask).save(pictures[0].with_name("part-3_mask.png"))
    files = [pictures[0], pictures[2], pictures[0].with_name("part-3_mask.png")]
    content = {path.name: path.read_bytes() for path in files}
    act_and_wait(page, lambda: drop(page, ".sr-stage", content))
    all_done(page)
    expect(page.locator(".sr-strip-list li")).to_have_count(2)
    expect(page.locator("[data-score=miou]")).to_have_count(0)
    act_and_wait(page, lambda: page.keyboard.press("PageDown"))
    expect(page.locator("[data-score=miou]")).to_have_count(1)
    expect(page.locator(".sr-warnings")).to_be_empty()
    expect(page.locator(".sr-source").nth(1)).to_contain_text("part-3_mask.png")
    # One that comes later finds its picture too, and shows it.
    late = {"part-1_gt.png": (pictures[0].with_name("part-3_mask.png")).read_bytes()}
    act_and_wait(page, lambda: drop(page, "#sr-inspect .sr-left", late))
    expect(page.locator(".sr-source").first).to_contain_text("part-1.png")
    expect(page.locator("[data-score=miou]")).to_have_count(1)


def test_a_picture_is_pasted(page, pictures, act_and_wait):
    paste = """(bytes) => {
        const clipboardData = new DataTransfer();
        const file = new File([new Uint8Array(bytes)], "image.png", {type: "image/png"});
        clipboardData.items.add(file);
        document.dispatchEvent(new ClipboardEvent("paste", {clipboardData, bubbles: true}));
    }"""
    content = list(pictures[0].read_bytes())
    act_and_wait(page, lambda: page.evaluate(paste, content))
    expect(page.locator(".sr-source").first).to_contain_text("image.png")
    expect(page.locator(".sr-verdict")).to_be_visible()


def test_other_tabs_open_pictures_here(page, act_and_wait):
    page.get_by_role("tab", name="Models").click()
    expect(page.locator(".sr-inspect")).to_be_hidden()
    pictures = [
        {"source": {"kind": "sample", "name": name}, "reference": {"kind": "own"}}
        for name in ("fray", "break")
    ]
    detail = json.dumps({"pictures": pictures, "index": 1, "mode": "Errors"})
    opened = f"document.dispatchEvent(new CustomEvent('segnet-res:open', {{detail: {detail}}}))"
    act_and_wait(page, lambda: page.evaluate(opened))
    expect(page.locator(".sr-inspect")).to_be_visible()
    expect(page.locator("[data-score=miou]")).to_have_count(1)
    expect(page.locator(".sr-modes [aria-pressed=true]")).to_have_text("Errors")
    expect(page.locator(".sr-source").first).to_contain_text("break")
    expect(page.locator(".sr-strip-list li")).to_have_count(2)


def test_a_full_strip_shows_the_picture_that_was_clicked_or_says_that_it_cannot(page, act_and_wait):
    # No pictures, so that each is done at once.
    drop(page, ".sr-stage", {f"own-{i}.png": b"x" for i in range(300)})
    items = page.locator(".sr-strip-list li")
    expect(items).to_have_count(300)
    names = ["blowhole", "break", "crack", "fray", "sound", "uneven"]
    pictures = [{"source": {"kind": "sample", "name": name}} for name in names]
    detail = json.dumps({"pictures": pictures, "index": 3})
    opened = f"document.dispatchEvent(new CustomEvent('segnet-res:open', {{detail: {detail}}}))"
    page.evaluate(opened)
    alert = page.locator(".sr-alert").first
    expect(alert).to_contain_text("holds up to 300 pictures")
    expect(page.locator(".sr-source").first).to_contain_text("own-0.png")
    # What comes of the picture that stays is told as well, and does not take that sentence's place.
    page.select_option("#sr-model", "b-evil")
    expect(alert).to_contain_text("own-0.png: not a picture")
    expect(alert).to_contain_text("holds up to 300 pictures")
    for i in (1, 2):
        page.get_by_label(f"Remove: own-{i}.png", exact=True).click()
    expect(items).to_have_count(298)
    page.evaluate(opened)
    expect(page.locator(".sr-source").first).to_contain_text("fray")
    expect(page.locator(".sr-verdict")).to_be_visible()
    expect(items).to_have_count(300)
    # Its result has not wiped it away.
    expect(alert).to_contain_text("holds up to 300 pictures")
    act_and_wait(page, lambda: page.locator(".sr-strip-picture").first.click())
    expect(alert).to_contain_text("own-0.png")


def test_a_file_that_misses_its_place_does_not_replace_the_page(page, pictures):
    kept = page.evaluate("""() => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File(["x"], "x.png"));
        const event = new DragEvent("drop", {dataTransfer, bubbles: true, cancelable: true});
        document.body.dispatchEvent(event);
        return event.defaultPrevented;
    }""")
    assert kept


def test_an_upload_that_has_expired_is_sent_again(page, pictures, act_and_wait, problems, sweep):
    act_and_wait(page, lambda: page.set_input_files("#sr-image", pictures[0]))
    # The page's folder is swept while the page stays open.
    sweep(page.evaluate("document.querySelector('.sr-thumb').src"))
    # A 404 of the swept files is what the page recovers from.
    act_and_wait(page, lambda: page.fill(".sr-exact", "3"))
    expect(page.locator(".sr-alert")).to_be_hidden()
    expect(page.locator(".sr-verdict")).to_be_visible()
    act_and_wait(page, lambda: page.select_option("#sr-model", "b-evil"))
    expect(page.locator(".sr-verdict")).to_be_visible()
    problems[:] = [problem for problem in problems if "404" not in problem]


def test_pictures_and_masks_are_there_again_after_a_reload(page, pictures, tmp_path, act_and_wait):
    # Gradio has the browser load the page again when the connection was lost.
    Image.fromarray(np.full((60, 80), 3, np.uint8)).save(tmp_path / "part-3_mask.png")
    files = [pictures[0], pictures[2], tmp_path / "part-3_mask.png"]
    act_and_wait(page, lambda: page.set_input_files("#sr-image", files))
    act_and_wait(page, lambda: page.keyboard.press("PageDown"))
    all_done(page)
    miou = page.locator("[data-score=miou]").inner_text()

    page.reload()
    expect(page.locator(".sr-strip-list li")).to_have_count(2)
    expect(page.locator(".sr-source").first).to_contain_text("part-3.png")
    expect(page.locator("[data-score=miou]")).to_have_text(miou)
    all_done(page)
    assert states(page) == ["fail", "fail"]

    page.get_by_role("button", name="Remove all").click()
    page.reload()
    page.wait_for_selector(".sr-inspect[data-samples='6']")
    expect(page.locator(".sr-strip-list li")).to_have_count(0)
