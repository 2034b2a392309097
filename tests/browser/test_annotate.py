"""Masks corrected by hand and saved: as steps a person takes, and checked pixel by pixel."""

import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page, expect

from segnet_res.classes import MAGNETIC_TILE, ClassMap
from segnet_res.data import DatasetInfo, load_info, save_info
from segnet_res.images import read_mask
from segnet_res.retraining.corrections import annotations
from tests.browser.conftest import EVIL_NAMES

SIZE = (60, 80)
CRACK = 3


def draw(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(90, 150, SIZE, np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Datasets and folders of several tests; each has its own, called by its first letter."""
    root = tmp_path_factory.mktemp("data")
    for letter in "acdkmoqsv":
        for i in range(3):
            draw(root / f"{letter}-new/p{i}.png", ord(letter) * 10 + i)
        draw(root / f"{letter}-set/images/old.png", ord(letter))
        classes = ClassMap.from_names(EVIL_NAMES) if letter == "v" else MAGNETIC_TILE
        save_info(root / f"{letter}-set", DatasetInfo(letter, classes, 1))
    return root


@pytest.fixture(scope="module")
def annotating(start_with, data):
    return start_with("--data", data, "--accept-annotations")


def visit(page: Page, place: str = "", dataset: str = "") -> Page:
    page.get_by_role("tab", name="Annotate").click()
    page.wait_for_selector(".sr-annotate[data-places=listed]")
    if dataset:
        page.get_by_role("combobox", name="Dataset").select_option(dataset)
    if place:
        wait(page, lambda: page.locator("#sr-annotate-place").select_option(place), "listed")
    return page


def wait(page: Page, act, kind: str) -> None:
    """Act, then wait until the page says that it has come to something."""
    before = page.get_attribute(".sr-annotate", "data-ready")
    act()
    page.wait_for_function(
        """([before, kind]) => {
            const { ready } = document.querySelector('.sr-annotate').dataset;
            return ready !== before && ready.startsWith(kind);
        }""",
        arg=[before, kind],
    )


def pick(page: Page, name: str) -> None:
    wait(page, lambda: page.locator(".sr-annotate-picture", has_text=name).click(), "opened")


def paint(page: Page, start=(0.3, 0.5), end=(0.6, 0.5), label="crack") -> None:
    """Draw a stroke between two points of the window, in shares of its size."""
    if label:
        page.locator(".sr-annotate .sr-paint-class", has_text=label).click()
    box = page.locator(".sr-annotate .sr-stage canvas").bounding_box()
    page.mouse.move(box["x"] + start[0] * box["width"], box["y"] + start[1] * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + end[0] * box["width"], box["y"] + end[1] * box["height"], steps=8)
    page.mouse.up()


@contextmanager
def holding(page: Page, requests: str):
    """Hold requests of the page back for a while."""
    held = []
    page.route(requests, lambda route: held.append(route))
    yield
    for route in held:
        route.continue_()
    page.unroute(requests)


def mask_of(page: Page) -> np.ndarray:
    """The mask in the editor, by way of its download."""
    with page.expect_download() as got:
        page.get_by_role("button", name="Download the mask as it is now").click()
    with Image.open(got.value.path()) as image:
        assert image.mode == "L"
        return np.array(image)


def drafted(page: Page) -> None:
    page.wait_for_selector(".sr-annotate[data-draft=saved]")


@pytest.fixture
def page(open_page, annotating):
    return open_page(annotating.url, viewport={"width": 1366, "height": 768})


def test_a_wrong_mask_is_corrected_and_saved_with_who_and_when(page, data, segmenter):
    visit(page, "folder:a-new", "a-set")
    expect(page.locator(".sr-annotate-count")).to_have_text("3 pictures · 0 done")
    pick(page, "p0.png")
    with Image.open(data / "a-new/p0.png") as image:
        predicted = segmenter.predict(np.stack([np.array(image)] * 3, -1)).labels
    np.testing.assert_array_equal(mask_of(page), predicted)
    expect(page.locator(".sr-annotate-origin")).to_contain_text("What a-tiles")

    expect(page.get_by_role("button", name="Save as done")).to_be_disabled()
    expect(page.locator("#sr-annotate-why")).to_have_text("Write your name.")
    page.get_by_role("textbox", name="Your name").fill("Ada")
    page.get_by_role("textbox", name="Part").fill("7")
    paint(page)
    # Beginning anew takes the mask back, not what is written beside it.
    wait(page, lambda: page.get_by_role("button", name="Start over from the prediction").click(),
         "opened")  # fmt: skip
    expect(page.get_by_role("textbox", name="Part")).to_have_value("7")
    paint(page)
    painted = mask_of(page)
    assert np.count_nonzero(painted != predicted)
    assert set(np.unique(painted[painted != predicted])) == {CRACK}
    wait(page, lambda: page.get_by_role("button", name="Save as done").click(), "saved")

    info = load_info(data / "a-set")
    np.testing.assert_array_equal(read_mask(data / "a-set/masks/p0.png", info.class_map), painted)
    assert (data / "a-set/images/p0.png").read_bytes() == (data / "a-new/p0.png").read_bytes()
    line = annotations(data / "a-set")["p0"]
    assert (line.who, line.state, line.part, line.revision) == ("Ada", "done", "7", 1)
    assert line.proposed_by.startswith("a-tiles ")
    assert line.split in ("train", "val")

    # The next one is open, and the list knows of the first.
    expect(page.locator(".sr-annotate-said")).to_contain_text(f"revision 1, in {line.split}")
    expect(page.locator(".sr-annotate-picture[aria-current]")).to_contain_text("p1.png")
    expect(page.locator(".sr-annotate-picture").first).to_have_attribute("data-state", "done")
    expect(page.locator(".sr-annotate-count")).to_have_text("3 pictures · 1 done")
    expect(page.get_by_role("textbox", name="Part")).to_have_value("")

    wait(page, lambda: page.get_by_role("button", name="Reject").click(), "saved")
    assert annotations(data / "a-set")["p1"].state == "rejected"
    page.keyboard.press("Control+s")
    expect(page.locator(".sr-annotate-said")).to_contain_text("That was the last of the list.")
    pick(page, "p0.png")
    expect(page.locator(".sr-annotate-origin")).to_contain_text("The saved mask: done, by Ada")
    np.testing.assert_array_equal(mask_of(page), painted)


def test_a_picture_that_cannot_be_opened_for_a_dataset_is_saved_into_no_other(page, data):
    visit(page, dataset="o-set")
    page.get_by_label("Your name").fill("Ada")
    upload = page.locator("#sr-annotate-files")
    wait(page, lambda: upload.set_input_files(data / "o-new/p1.png"), "opened")
    save = page.get_by_role("button", name="Save as done")
    expect(save).to_be_enabled()
    root = data / "q-set"
    shutil.copy(data / "o-new/p1.png", root / "images/p1.png")
    (root / "masks").mkdir()
    Image.fromarray(np.zeros((10, 10), np.uint8)).save(root / "masks/p1.png")
    choose = page.get_by_role("combobox", name="Dataset").select_option
    wait(page, lambda: choose("q-set"), "failed")
    expect(page.locator(".sr-annotate .sr-alert").first).to_contain_text("the mask is 10x10")
    expect(save).to_be_disabled()
    expect(page.locator(".sr-annotate-save")).to_contain_text(
        "The picture is not open for q-set; choose another dataset or another picture."
    )
    page.keyboard.press("Control+s")
    wait(page, lambda: choose("o-set"), "opened")
    expect(save).to_be_enabled()
    assert annotations(data / "o-set") == {}


@pytest.fixture
def person(open_page, annotating):
    """A page of its own, where somebody of this name has opened a picture of c-new."""

    def person(name: str, picture: str) -> Page:
        page = open_page(annotating.url, viewport={"width": 1366, "height": 768})
        visit(page, "folder:c-new", "c-set")
        page.get_by_role("textbox", name="Your name").fill(name)
        pick(page, picture)
        return page

    return person


def test_of_two_who_save_at_once_the_second_is_told_and_decides(person, data):
    ada, ben = (person(name, "p0.png") for name in ("Ada", "Ben"))
    paint(ben, label="uneven")
    bens = mask_of(ben)
    wait(ben, lambda: ben.get_by_role("button", name="For review").click(), "saved")
    paint(ada)
    adas = mask_of(ada)
    wait(ada, lambda: ada.get_by_role("button", name="Save as done").click(), "conflict")
    conflict = ada.locator(".sr-annotate-conflict")
    expect(conflict).to_contain_text("Ben saved another mask of this picture")
    np.testing.assert_array_equal(mask_of(ada), adas)

    wait(ada, lambda: conflict.get_by_role("button", name="Look at theirs").click(), "opened")
    np.testing.assert_array_equal(mask_of(ada), bens)
    wait(ada, lambda: ada.get_by_role("button", name="Bring back what I had").click(), "opened")
    np.testing.assert_array_equal(mask_of(ada), adas)
    wait(ada, lambda: ada.get_by_role("button", name="Save as done").click(), "conflict")
    # What is no longer open is no longer in conflict; her draft remembers it.
    ada.get_by_role("button", name="Clear the list").click()
    expect(conflict).to_be_hidden()
    visit(ada, "folder:c-new")
    pick(ada, "p0.png")
    wait(ada, lambda: ada.get_by_role("button", name="Save as done").click(), "conflict")
    expect(conflict.get_by_role("button", name="Look at theirs")).to_be_focused()
    wait(ada, lambda: conflict.get_by_role("button", name="Replace theirs").click(), "saved")

    class_map = load_info(data / "c-set").class_map
    np.testing.assert_array_equal(read_mask(data / "c-set/masks/p0.png", class_map), adas)
    np.testing.assert_array_equal(read_mask(data / "c-set/history/p0/1.png", class_map), bens)
    line = annotations(data / "c-set")["p0"]
    assert (line.who, line.state, line.revision) == ("Ada", "done", 2)


def test_equal_masks_of_two_people_are_two_uploads(person):
    """Else the one who comes first would take the file away from the other."""
    uploads = []
    for name in ("Ada", "Ben"):
        page = person(name, "p2.png")
        with page.expect_response("**/upload*") as got:
            wait(page, page.get_by_role("button", name="For review").click, "saved")
        uploads += got.value.json()
    ada, ben = map(Path, uploads)
    assert ada.parent == ben.parent
    assert ada.name != ben.name


def test_while_it_saves_or_opens_nothing_is_painted_and_nothing_else_is_saved(page, data):
    visit(page, "folder:s-new", "s-set")
    page.get_by_role("textbox", name="Your name").fill("Ada")
    pick(page, "p0.png")
    editor, said = page.locator(".sr-annotate .sr-editor"), page.locator(".sr-annotate-said")

    def go_on_while_it_saves():
        with holding(page, "**/upload*"):
            page.keyboard.press("Control+s")
            expect(said).to_have_text("Saving p0.png …")
            paint(page, label=None)
            assert editor.get_attribute("data-changed") == "0"
            page.locator(".sr-annotate-picture", has_text="p2.png").click()

    # What was chosen meanwhile is opened, not what comes next.
    wait(page, go_on_while_it_saves, "opened")
    expect(page.locator(".sr-annotate-picture[aria-current]")).to_contain_text("p2.png")
    assert annotations(data / "s-set").keys() == {"p0"}

    paint(page, label=None)
    drafted(page)
    canvas = page.locator(".sr-annotate .sr-stage canvas").first
    expect(canvas).to_be_focused()
    with holding(page, "**/queue/join*"):
        page.locator(".sr-annotate-picture", has_text="p1.png").click()
        page.wait_for_selector(".sr-annotate .sr-editor[inert]")
        page.keyboard.press("Control+s")
        assert said.is_hidden()
    expect(page.locator(".sr-annotate .sr-editor[inert]")).to_have_count(0)
    assert annotations(data / "s-set").keys() == {"p0"}

    # Whoever works by the keyboard goes on where they were.
    done = page.get_by_role("button", name="Save as done")
    done.focus()
    wait(page, lambda: page.keyboard.press("Enter"), "saved")
    expect(done).to_be_focused()
    canvas.focus()
    wait(page, lambda: page.keyboard.press("Control+s"), "saved")
    expect(canvas).to_be_focused()
    assert annotations(data / "s-set").keys() == {"p0", "p1", "p2"}


def test_inspect_hands_over_and_a_new_dataset_takes_a_new_class(page, data, part, act_and_wait):
    page.wait_for_selector("[data-samples='6']")
    act_and_wait(page, lambda: page.set_input_files("#sr-image", part))
    # No region is as large: what is seen, and what is handed over, is background alone.
    act_and_wait(page, lambda: page.fill(".sr-exact", "1000000"))
    page.get_by_role("button", name="Correct this mask").click()
    page.wait_for_function(
        "document.querySelector('.sr-annotate')?.dataset.ready?.startsWith('opened')"
    )
    with Image.open(part) as image:
        shape = (image.height, image.width)
    assert mask_of(page).shape == shape
    assert not mask_of(page).any()
    expect(page.locator("#sr-annotate-why")).to_have_text(
        "Choose the dataset that the mask belongs to."
    )
    page.get_by_role("combobox", name="Dataset").select_option(" new")
    page.get_by_role("textbox", name="Name of the folder").fill("d/../x")
    page.get_by_role("button", name="Make it").click()
    expect(page.locator(".sr-annotate .sr-alert")).to_contain_text("a dataset cannot be called")
    page.get_by_role("textbox", name="Name of the folder").fill("d-fresh")
    wait(page, lambda: page.get_by_role("button", name="Make it").click(), "opened")
    assert load_info(data / "d-fresh").class_map.names == MAGNETIC_TILE.names

    page.get_by_text("Add a class").click()
    page.get_by_role("textbox", name="Name of the new class").fill("dent")
    wait(page, lambda: page.get_by_role("button", name="Add", exact=True).click(), "class")
    expect(page.locator(".sr-paint-class", has_text="dent")).to_have_attribute(
        "aria-pressed", "true"
    )
    before = mask_of(page)
    paint(page, label=None)
    page.get_by_role("textbox", name="Your name").fill("Ada")
    wait(page, lambda: page.get_by_role("button", name="Save as done").click(), "saved")
    info = load_info(data / "d-fresh")
    assert info.class_map.names == (*MAGNETIC_TILE.names, "dent")
    [saved] = (data / "d-fresh/masks").iterdir()
    labels = read_mask(saved, info.class_map)
    assert set(np.unique(labels[labels != before])) == {6}
    # Without a reload the other tabs know the dataset.
    page.get_by_role("tab", name="Evaluate").click()
    expect(page.locator("#sr-evaluate-dataset option", has_text="d-fresh")).to_be_attached()


def test_pictures_are_ordered_by_what_a_label_would_teach(page, data):
    shutil.copy(data / "k-new/p1.png", data / "k-new/p1 copy.png")
    visit(page, "folder:k-new", "k-set")
    wait(page, lambda: page.get_by_role("button", name="Most useful first").click(), "ranked")
    expect(page.locator(".sr-job-text:visible")).to_contain_text("5 pictures in")
    names = page.locator(".sr-annotate-picture strong").all_inner_texts()
    assert sorted(names) == ["p0.png", "p1 copy.png", "p1.png", "p2.png"]
    last = page.locator(".sr-annotate-picture").last
    expect(last).to_contain_text("which stands higher")
    scores = [
        float(text.split(";")[0])
        for text in page.locator(".sr-annotate-picture .sr-note").all_inner_texts()[:-1]
    ]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 3


def test_a_ranking_of_a_folder_that_was_left_says_nothing_of_the_next(page, hold_back):
    visit(page, "folder:k-new", "k-set")
    let_go = hold_back(page, "watch")
    rank = page.get_by_role("button", name="Most useful first")
    rank.click()
    page.wait_for_function("window.heldBack")

    def choose_another():
        page.locator("#sr-annotate-place").select_option("folder:c-new")
        let_go()

    wait(page, choose_another, "listed")
    pick(page, "p1.png")
    expect(page.locator(".sr-annotate-picture")).to_have_count(3)
    expect(page.locator(".sr-annotate-picture .sr-note")).to_have_count(0)
    expect(page.locator(".sr-job-text:visible")).to_have_count(0)
    expect(rank).to_be_enabled()


def test_another_checkpoint_while_a_picture_opens_proposes_its_mask(page):
    visit(page, "folder:m-new", "m-set")
    pick(page, "p0.png")
    by_tiles = mask_of(page)
    wait(page, lambda: page.select_option("#sr-model", "b-evil"), "opened")
    assert not np.array_equal(mask_of(page), by_tiles)
    pick(page, "p1.png")

    def change_while_it_opens():
        with holding(page, "**/queue/join*"):
            page.locator(".sr-annotate-picture", has_text="p0.png").click()
            page.wait_for_selector(".sr-annotate .sr-editor[inert]")
            page.select_option("#sr-model", "a-tiles")

    wait(page, change_while_it_opens, "opened")
    assert np.array_equal(mask_of(page), by_tiles)


def test_what_is_handed_over_again_goes_by_the_sliders_of_now(page, part, act_and_wait):
    page.wait_for_selector("[data-samples='6']")
    act_and_wait(page, lambda: page.set_input_files("#sr-image", part))
    found = []
    for smallest in ("1000000", "0"):
        page.get_by_role("tab", name="Inspect").click()
        act_and_wait(page, lambda smallest=smallest: page.fill(".sr-exact", smallest))
        correct = page.get_by_role("button", name="Correct this mask")
        if found:
            wait(page, correct.click, "opened")
        else:
            correct.click()
            page.wait_for_function(
                "document.querySelector('.sr-annotate')?.dataset.ready?.startsWith('opened')"
            )
        found.append(mask_of(page).any())
    assert found == [False, True]


def test_names_of_classes_are_text_and_the_tab_is_accessible(page, problems):
    visit(page, "folder:v-new", "v-set")
    pick(page, "p0.png")
    expect(page.locator(".sr-paint-class .sr-name").nth(1)).to_have_text(EVIL_NAMES[1])
    page.locator("#sr-annotate-dataset").select_option(" new")
    assert page.evaluate("window.harmed") is None
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(300)
        found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag22aa"]})
        broken = [(v["id"], v["nodes"][0]["html"][:200]) for v in found.response["violations"]]
        assert broken == []
    assert problems == []


def test_without_the_option_there_is_no_such_tab_and_no_button(open_page, server, act_and_wait):
    page = open_page(server.url, viewport={"width": 1366, "height": 768})
    page.wait_for_selector("[data-samples='6']")
    expect(page.get_by_role("tab", name="Annotate")).to_have_count(0)
    expect(page.get_by_role("tab", name="Train")).to_have_count(0)
    act_and_wait(page, lambda: page.locator(".sr-samples button").first.click())
    expect(page.get_by_role("button", name="Correct this mask")).to_be_hidden()
