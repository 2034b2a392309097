"""Two checkpoints on the same pictures, as steps that a person takes."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from segnet_res.checkpoint import Checkpoint
from segnet_res.classes import ClassMap
from segnet_res.data import DatasetInfo, save_info
from segnet_res.data.splits import write_splits
from segnet_res.images import read_image
from segnet_res.inference import Segmenter
from segnet_res.metrics import ConfusionMatrix
from segnet_res.web.comparison import common_classes, difference_codes

# Classes of the second checkpoint, which gives the same labels as the first: only background and
# "blowhole" mean the same, "crack" has another index, and some names would do harm as markup.
OTHER_NAMES = (
    "background",
    "blowhole",
    '<img src=x onerror="window.harmed=1">',
    "${window.harmed=2}",
    "Oberflaechenbeschichtungsfehlerstelle",
    "crack",
)


@pytest.fixture(scope="module")
def folder(checkpoints, tmp_path_factory) -> Path:
    """Checkpoints: one for tiles, one with partly other classes, one with none in common."""
    folder = tmp_path_factory.mktemp("compare")
    for name in ("a-tiles", "b-evil"):
        shutil.copy(checkpoints / f"{name}.safetensors", folder)
    (folder / "b-evil.safetensors").rename(folder / "c-evil.safetensors")
    tiles = Checkpoint.load(checkpoints / "a-tiles.safetensors")
    other = replace(tiles.metadata, class_map=ClassMap.from_names(OTHER_NAMES))
    replace(tiles, metadata=other).save(folder / "b-other.safetensors")
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def compare_server(start_with, folder, data):
    return start_with("--checkpoints", folder, "--data", data)


@pytest.fixture
def compare(open_page, compare_server) -> Page:
    """The Compare tab with the tiles' checkpoint as A and the one of other classes as B."""
    page = open_page(compare_server.url, viewport={"width": 1440, "height": 900})
    page.get_by_role("tab", name="Compare").click()
    page.wait_for_selector(".sr-compare[data-samples='6']")
    expect(page.locator("[data-side=A] select")).to_have_value("a-tiles")
    expect(page.locator("[data-side=B] select")).to_have_value("b-other")
    return page


@pytest.fixture
def other(folder) -> Segmenter:
    return Segmenter.from_checkpoint(folder / "b-other.safetensors", device="cpu")


def acted(page: Page, act) -> None:
    """Act, then wait until the comparison (or its failure) is on the screen."""
    before = page.get_attribute(".sr-compare", "data-ready")
    act()
    page.wait_for_function(
        "before => document.querySelector('.sr-compare').dataset.ready !== before", arg=before
    )


def choose(page: Page, *files) -> None:
    acted(page, lambda: page.set_input_files("#sr-compare-image", list(files)))


def rows(page: Page) -> list[list[str]]:
    found = page.locator(".sr-changes tbody tr")
    return [
        [
            found.nth(i).locator(".sr-name").inner_text(),
            *found.nth(i).locator("td").all_inner_texts(),
        ]
        for i in range(found.count())
    ]


def cell(pixels: int, size: int) -> str:
    return f"{100 * pixels / size:.2f} %\n{pixels:,} px"


def test_two_checkpoints_on_one_picture(compare, part, segmenter, other):
    choose(compare, part)
    image = read_image(part)
    common = common_classes(segmenter.class_map, other.class_map)
    first = segmenter.predict(image).labels
    second = common.of_second(other.predict(image).labels)
    differ = (first != second).mean()
    assert 0 < differ < 1
    expect(compare.locator("[data-number=differ]")).to_have_text(f"{100 * differ:.2f} %")
    table = rows(compare)
    assert [row[0] for row in table] == list(common.class_map.names)
    # The second says "${...}" where the first says crack, and "crack" where it says uneven.
    crack, uneven = (int((first == label).sum()) for label in (3, 5))
    assert table[3][1:3] == [cell(crack, first.size), cell(uneven, first.size)]
    # The second checkpoint has no class "uneven".
    assert table[5][1:3] == [cell(uneven, first.size), "\N{EN DASH}"]
    assert differ == (crack + uneven) / first.size
    # Nothing of the names became markup.
    assert compare.evaluate("window.harmed") is None
    warnings = compare.locator(".sr-compare .sr-warnings")
    expect(warnings).to_contain_text("a-tiles does not know <img src=x")
    expect(warnings).to_contain_text("b-other does not know break, fray, uneven")
    expect(compare.locator(".sr-compare .sr-status")).to_contain_text(
        "143\N{MULTIPLICATION SIGN}101"
    )


def test_a_picture_that_is_chosen_twice_is_compared_and_counted_once(compare, part, folder):
    sample = compare.locator(".sr-compare .sr-samples button").first
    sample.dblclick()
    expect(compare.locator("[data-number=differ]")).to_be_visible()
    expect(compare.locator(".sr-compare .sr-busy")).to_have_count(0)
    assert compare.locator(".sr-compare-picture").count() == 1
    choose(compare, part)
    compare.set_input_files("#sr-compare-image", [part])
    expect(compare.locator(".sr-compare-picture")).to_have_count(2)
    # What a checkpoint found is not added up with what its successor finds.
    both = compare.get_by_role("button", name="All compared")
    expect(both).to_be_visible()
    path = folder / "b-other.safetensors"
    before, checkpoint = path.read_bytes(), Checkpoint.load(path)
    replace(checkpoint, metadata=replace(checkpoint.metadata, licence="later")).save(path)
    try:
        sample = compare.locator(".sr-compare .sr-samples button").nth(1)
        acted(compare, sample.click)
        expect(compare.locator(".sr-compare-picture")).to_have_count(3)
        expect(compare.locator(".sr-changes")).to_be_visible()
        expect(both).to_have_count(0)
    finally:
        path.write_bytes(before)


def test_a_mask_that_is_dropped_too_tells_who_is_right(compare, part, segmenter, tmp_path):
    truth = segmenter.predict(read_image(part)).labels.copy()
    truth[:, 100:] = 1
    mask = tmp_path / "part-7_mask.png"
    Image.fromarray(truth).save(mask)
    choose(compare, part, mask)
    expect(compare.locator(".sr-compare-list li")).to_have_count(1)
    expect(compare.locator(".sr-compare-codes")).to_contain_text("A is right")
    expect(compare.locator(".sr-compare .sr-key").nth(2)).to_contain_text("A is right")
    matrix = ConfusionMatrix(segmenter.class_map)
    matrix.update(truth, segmenter.predict(read_image(part)).labels)
    # The second calls no pixel of a crack a crack.
    crack = matrix.scores().classes[3].iou
    assert rows(compare)[3][5] == f"{crack:.3f} → 0.000\n\N{MINUS SIGN}{crack:.3f}"
    expect(compare.locator(".sr-compare .sr-modes").get_by_text("Errors")).to_be_enabled()


def test_a_mask_that_comes_while_its_picture_is_compared_counts(
    compare, part, segmenter, tmp_path, hold_back
):
    truth = segmenter.predict(read_image(part)).labels
    mask = tmp_path / "part-7_mask.png"
    Image.fromarray(truth).save(mask)
    let_go = hold_back(compare, "compare")
    compare.set_input_files("#sr-compare-image", [part])
    compare.wait_for_function("window.heldBack")
    compare.set_input_files("#sr-compare-image", [mask])
    expect(compare.locator(".sr-compare-list li")).to_have_count(1)
    let_go()
    expect(compare.locator(".sr-compare-codes")).to_contain_text("A is right")
    # The first checkpoint says of each pixel what the mask says.
    assert rows(compare)[3][5].startswith("1.000")


VIEWS = """() => [...document.querySelectorAll(".sr-compare canvas")].map((canvas) =>
    canvas.toDataURL("image/png"))"""


def drawn(page: Page) -> list[str]:
    frames = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    page.evaluate(frames)
    return page.evaluate(VIEWS)


def wait_until_redrawn(page: Page, before: list[str]) -> None:
    """Wait until all three views differ: a turn of the wheel arrives when the browser has time."""
    for _ in range(100):
        if all(a != b for a, b in zip(before, drawn(page), strict=True)):
            return
        page.wait_for_timeout(50)
    raise AssertionError("not all views have changed")


def test_one_zoom_one_view_and_one_pointer_for_all(compare, part):
    choose(compare, part)
    fitted = drawn(compare)
    canvases = compare.locator(".sr-compare canvas")
    canvases.nth(1).hover()
    compare.mouse.wheel(0, -500)
    wait_until_redrawn(compare, fitted)
    texts = compare.locator(".sr-compare .sr-hover").all_inner_texts()
    places = {text.split("  ")[0] for text in texts}
    assert len(texts) == 3
    assert len(places) == 1
    # The pointer itself marks the place where it is, a cross marks it elsewhere.
    crosses = compare.locator(".sr-compare .sr-cross")
    assert [crosses.nth(i).is_visible() for i in range(3)] == [True, False, True]
    # Keys act once, for all three.
    canvases.nth(1).focus()
    compare.keyboard.press("0")
    compare.mouse.move(5, 5)
    assert drawn(compare) == fitted
    compare.keyboard.press("3")
    masks = drawn(compare)
    assert masks[0] != fitted[0]
    assert masks[1] != fitted[1]
    assert masks[2] == fitted[2]
    compare.keyboard.press("1")
    compare.keyboard.press("Space")
    expect(compare.locator(".sr-compare .sr-badge:visible")).to_have_count(3)
    compare.keyboard.press("Space")
    assert drawn(compare) == fitted


def test_hiding_a_class_hides_it_on_both_sides(compare, part):
    choose(compare, part)
    before = drawn(compare)
    compare.get_by_label("Show crack").uncheck()
    after = drawn(compare)
    assert after[0] != before[0]
    assert after[2] == before[2]
    compare.get_by_label("Show crack").check()
    assert drawn(compare) == before


def test_swapping_and_choosing_the_same_exchanges_the_sides(compare, part):
    choose(compare, part)
    a, b = compare.locator("[data-side=A] select"), compare.locator("[data-side=B] select")
    acted(compare, lambda: compare.get_by_role("button", name="Swap A and B").click())
    assert (a.input_value(), b.input_value()) == ("b-other", "a-tiles")
    acted(compare, lambda: a.select_option("a-tiles"))
    assert (a.input_value(), b.input_value()) == ("a-tiles", "b-other")


def test_what_was_found_goes_with_the_checkpoint_that_found_it(compare, part):
    choose(compare, part)
    table = compare.locator(".sr-compare")
    expect(table).not_to_contain_text("What changes from A to B appears here.")

    def swap_and_look() -> None:
        # In one step of the browser: no answer can come between.
        told = compare.evaluate(
            """() => {
                document.querySelector("[aria-label='Swap A and B']").click();
                return document.querySelector(".sr-compare").textContent;
            }"""
        )
        assert "What changes from A to B appears here." in told

    acted(compare, swap_and_look)
    expect(table).not_to_contain_text("What changes from A to B appears here.")


def test_all_pictures_are_compared_stepped_through_and_summed(compare, part, tmp_path):
    second = tmp_path / "part-8.png"
    pixels = np.asarray(Image.open(part)).copy()
    Image.fromarray(pixels[::-1, ::-1]).save(second)
    choose(compare, part, second)
    current = compare.locator(".sr-compare-list [aria-current]")
    expect(current).to_contain_text("part-7.png")
    compare.get_by_role("button", name="Compare all").click()
    states = compare.locator(".sr-compare-state")
    expect(states.nth(1)).to_contain_text("%")
    expect(compare.get_by_role("button", name="Compare all")).to_be_visible()
    compare.get_by_role("button", name="All compared (2)").click()
    total = float(compare.locator("[data-number=differ]").inner_text().removesuffix(" %"))
    each = [float(text.removesuffix(" %")) for text in states.all_text_contents()]
    assert total == pytest.approx(np.mean(each), abs=0.011)
    compare.locator(".sr-compare canvas").first.focus()
    acted(compare, lambda: compare.keyboard.press("ArrowRight"))
    expect(current).to_contain_text("part-8.png")
    compare.get_by_label("Most different first").check()
    names = compare.locator(".sr-compare-picture .sr-name").all_text_contents()
    by_share = sorted(zip(each, ["part-7.png", "part-8.png"], strict=True), key=lambda e: -e[0])
    assert names == [name for _, name in by_share]
    compare.get_by_role("button", name="Remove all").click()
    expect(compare.locator(".sr-compare-list li")).to_have_count(0)
    expect(compare.locator(".sr-changes")).to_have_count(0)


def test_everything_that_is_seen_can_be_downloaded(compare, part, segmenter, other, tmp_path):
    choose(compare, part)

    def saved(name: str):
        with compare.expect_download() as started:
            compare.locator(".sr-compare-downloads").get_by_text(name, exact=True).click()
        path = tmp_path / started.value.suggested_filename
        started.value.save_as(path)
        return path

    image = read_image(part)
    common = common_classes(segmenter.class_map, other.class_map)
    labels = segmenter.predict(image).labels, other.predict(image).labels
    for name, model, expected in zip("AB", ("a-tiles", "b-other"), labels, strict=True):
        path = saved(f"Mask {name}")
        assert path.name == f"part-7_{name}_{model}_mask.png"
        assert np.array_equal(np.asarray(Image.open(path)), expected)
    codes = difference_codes(labels[0], common.of_second(labels[1]), common.class_map)
    path = saved("Map")
    assert path.name == "part-7_differences.png"
    assert np.array_equal(np.asarray(Image.open(path)), codes)
    content = json.loads(saved("JSON").read_text("utf-8"))
    assert content["checkpoints"] == {"a": "a-tiles", "b": "b-other"}
    assert content["differing"] == int((codes > 0).sum())
    lines = list(csv.reader(saved("CSV").read_text("utf-8").splitlines()))
    assert lines[3][:3] == ["class", "pixels_a", "pixels_b"]
    names = [line[0] for line in lines[4:]]
    assert names == list(common.class_map.names)
    assert lines[4][1] == str(int((labels[0] == 0).sum()))


def test_a_broken_file_gets_a_sentence_and_the_next_works(compare, part, tmp_path):
    (tmp_path / "letter.png").write_text("Dear page")
    choose(compare, tmp_path / "letter.png")
    alert = compare.locator(".sr-compare .sr-alert")
    expect(alert).to_contain_text("letter.png: not a picture that can be read")
    expect(compare.locator(".sr-compare-list .sr-failed")).to_have_count(1)
    expect(compare.locator(".sr-changes")).to_have_count(0)
    choose(compare, part)
    expect(alert).to_be_hidden()
    expect(compare.locator(".sr-changes")).to_be_visible()


def test_checkpoints_for_other_things_get_a_sentence(compare, part):
    choose(compare, part)
    acted(compare, lambda: compare.locator("[data-side=B] select").select_option("c-evil"))
    alert = compare.locator(".sr-compare .sr-alert")
    expect(alert).to_contain_text("the two checkpoints have no class in common (blowhole, break")
    acted(compare, lambda: compare.locator("[data-side=B] select").select_option("b-other"))
    expect(alert).to_be_hidden()
    assert compare.evaluate("window.harmed") is None


def test_datasets_are_those_that_there_are_when_their_list_is_opened(
    open_page, compare_server, data
):
    for name in ("dents", "scratches"):
        save_info(data / name, DatasetInfo(name, ClassMap.from_names(["sound", "dent"]), 1))
        write_splits(data / name, {"val": ["p"]})
    page = open_page(compare_server.url)
    page.get_by_role("tab", name="Compare").click()
    select = page.locator(".sr-compare-dataset select")
    select.select_option('["scratches","val"]')
    (data / "dents").rename(data / "oil")
    select.focus()
    names = select.locator("option")
    expect(names).to_contain_text(["oil", "scratches"])
    expect(select).to_have_value('["scratches","val"]')
    shutil.rmtree(data / "oil")
    shutil.rmtree(data / "scratches")


def test_a_picture_goes_on_to_inspect_with_its_checkpoint(compare, act_and_wait):
    acted(compare, lambda: compare.click(".sr-compare button[data-sample=crack]"))
    pane = compare.locator("[data-side=B]")
    act_and_wait(compare, lambda: pane.get_by_role("button", name="Inspect").click())
    expect(compare.locator("#sr-inspect .sr-status")).to_contain_text("416")
    assert compare.locator(".sr-model select").input_value() == "b-other"


def test_pictures_are_there_again_after_a_reload(compare, part):
    choose(compare, part)
    acted(compare, lambda: compare.click(".sr-compare button[data-sample=crack]"))
    acted(compare, lambda: compare.get_by_role("button", name="Swap A and B").click())
    table = rows(compare)
    compare.reload()
    compare.get_by_role("tab", name="Compare").click()
    expect(compare.locator("[data-side=A] select")).to_have_value("b-other")
    expect(compare.locator("[data-side=B] select")).to_have_value("a-tiles")
    expect(compare.locator(".sr-compare-list li")).to_have_count(2)
    expect(compare.locator(".sr-compare-list [aria-current]")).to_contain_text("crack")
    expect(compare.locator(".sr-compare button[data-sample=crack]")).to_have_attribute(
        "aria-pressed", "true"
    )
    expect(compare.locator(".sr-changes")).to_be_visible()
    assert rows(compare) == table
    acted(compare, lambda: compare.locator(".sr-compare-picture", has_text="part-7").click())
    expect(compare.locator(".sr-compare .sr-alert")).to_be_hidden()


def test_a_picture_that_the_server_has_swept_away_is_sent_again(compare, part, sweep):
    choose(compare, part)
    # The page's folder is swept while the page stays open.
    link = compare.locator(".sr-compare-downloads a").first
    sweep(link.evaluate("link => link.href"))
    # Other checkpoints ask for the picture anew.
    acted(compare, lambda: compare.get_by_role("button", name="Swap A and B").click())
    expect(compare.locator(".sr-compare .sr-alert")).to_be_hidden()
    expect(compare.locator(".sr-changes")).to_be_visible()
