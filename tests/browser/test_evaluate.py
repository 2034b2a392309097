"""A checkpoint measured on a set: choose, follow, sort, open, keep; as steps a person takes."""

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from segnet_res.classes import MAGNETIC_TILE
from segnet_res.data import DatasetInfo, SegmentationDataset, save_info
from segnet_res.evaluation import evaluate, evaluate_pictures
from segnet_res.metrics import ConfusionMatrix
from tests.browser.conftest import EVIL_NAMES, start_page

ENDED = "/^(done|stopped|failed)/.test(document.querySelector('.sr-evaluate')?.dataset.ready)"


def draw(rng, height, width, label):
    """A picture of noise with a bright place, and the mask that says what the place is."""
    pixels = rng.integers(90, 150, (height, width), np.uint8)
    mask = np.zeros((height, width), np.uint8)
    top, left = rng.integers(0, height // 2), rng.integers(0, width // 2)
    pixels[top : top + 20, left : left + 30] = 240
    mask[top : top + 20, left : left + 30] = label
    return pixels, mask


def make_dataset(root, stems, size):
    for name in ("images", "masks", "splits"):
        (root / name).mkdir(parents=True)
    save_info(root, DatasetInfo(root.name, MAGNETIC_TILE, 1))
    rng = np.random.default_rng(7)
    for i, stem in enumerate(stems):
        pixels, mask = draw(rng, *size, (0, 3, 5)[i % 3])
        Image.fromarray(pixels).save(root / "images" / f"{stem}.png")
        Image.fromarray(mask).save(root / "masks" / f"{stem}.png")
    (root / "splits" / "val.txt").write_text("\n".join(stems))


def repeat(root, times):
    """Make many pictures of the one that there is; they take no room."""
    stems = [f"part{i:04}" for i in range(times)]
    for folder in ("images", "masks"):
        for stem in stems:
            (root / folder / f"{stem}.png").hardlink_to(root / folder / "part.png")
    (root / "splits" / "val.txt").write_text("\n".join(stems))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    make_dataset(
        folder / "caps", [f"cap{i:02}_{side}" for i in range(4) for side in "ab"], (71, 83)
    )
    make_dataset(folder / "many", [f"part{i:03}" for i in range(60)], (71, 83))
    # So long that it is still going on whenever a test looks, however slow the browser is.
    make_dataset(folder / "long", ["part"], (250, 250))
    repeat(folder / "long", 5000)
    return folder


@pytest.fixture(scope="module")
def data_server(checkpoints, data):
    yield from start_page(checkpoints, "--data", str(data))


@pytest.fixture
def page(open_page, data_server):
    page = open_page(data_server.url, viewport={"width": 1440, "height": 900})
    page.get_by_role("tab", name="Evaluate").click()
    # The first page of a server waits for it to warm up.
    page.wait_for_selector(".sr-evaluate[data-sets]")
    return page


def measure(page: Page, dataset: str | None = None) -> None:
    if dataset is not None:
        page.get_by_role("combobox", name="Dataset").select_option(dataset)
    page.get_by_role("button", name="Evaluate", exact=True).click()
    page.wait_for_function(ENDED)


def column(page: Page, number: int) -> list[str]:
    return page.locator(f".sr-pictures tbody tr > :nth-child({number})").all_inner_texts()


@pytest.fixture(scope="module")
def scores(segmenter, data):
    """What Python makes of each picture of the smaller dataset."""
    found = {}
    for score in evaluate_pictures(segmenter, SegmentationDataset(data / "caps", "val")):
        matrix = ConfusionMatrix(MAGNETIC_TILE)
        matrix.add(score.counts)
        found[score.stem] = matrix.scores()
    return found


def test_a_split_is_listed_worst_first_with_the_scores_of_python(page, segmenter, data, scores):
    measure(page, "caps")
    names, mious = column(page, 1), column(page, 2)
    assert sorted(names) == sorted(scores)
    assert mious == [f"{scores[name].miou:.3f}" for name in names]
    assert mious == sorted(mious)
    expected = evaluate(segmenter, SegmentationDataset(data / "caps", "val"))
    expect(page.locator("[data-score=set-miou]")).to_have_text(f"{expected.miou:.3f}")
    ious = page.locator(".sr-class-table .sr-iou").all_inner_texts()
    assert ious == ["n/a" if s.iou is None else f"{s.iou:.3f}" for s in expected.classes]
    expect(page.locator(".sr-miou")).to_contain_text("too few pictures to tell")
    expect(page.locator(".sr-job-text")).to_contain_text("8 pictures in")
    expect(page.locator(".sr-job-stop")).to_be_hidden()


def test_a_click_opens_the_picture_in_the_viewer_with_its_error_map(page, scores):
    measure(page, "caps")
    third = column(page, 1)[2]
    page.locator(".sr-pictures tbody tr").nth(2).locator("td").nth(3).click()
    expect(page.get_by_role("tab", name="Inspect")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#sr-inspect [data-score=miou]")).to_have_text(f"{scores[third].miou:.3f}")
    expect(page.locator("#sr-inspect canvas").first).to_have_attribute("data-mode", "Errors")
    page.get_by_role("tab", name="Evaluate").click()
    # Whoever comes back finds the table as it was, and the place in it.
    expect(page.locator(".sr-pictures tr[data-opened]")).to_have_attribute("data-name", third)


def test_the_table_is_sorted_and_filtered_by_keyboard(page, scores):
    measure(page, "caps")
    page.get_by_role("button", name="Picture", exact=True).focus()
    page.keyboard.press("Enter")
    assert column(page, 1) == sorted(scores)
    page.keyboard.press("Enter")
    assert column(page, 1) == sorted(scores, reverse=True)
    head = page.locator("th[data-column=name]")
    expect(head).to_have_attribute("aria-sort", "descending")
    page.get_by_role("searchbox", name="Name or part contains").fill("CAP01")
    assert column(page, 1) == ["cap01_b", "cap01_a"]
    expect(page.locator(".sr-pages")).to_contain_text("1 to 2 of 2")
    page.get_by_role("searchbox", name="Name or part contains").fill("nothing")
    expect(page.locator(".sr-pages")).to_contain_text("No picture fits the filter")
    page.get_by_role("searchbox", name="Name or part contains").fill("")
    page.get_by_role("combobox", name="Class").select_option(label="crack")
    with_crack = {
        name: s.classes[3].iou for name, s in scores.items() if s.classes[3].iou is not None
    }
    names = column(page, 1)
    assert sorted(names) == sorted(with_crack)
    assert column(page, 2) == [f"{with_crack[name]:.3f}" for name in names]
    page.locator(".sr-open").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("tab", name="Inspect")).to_have_attribute("aria-selected", "true")


def test_scores_can_be_kept_as_csv_and_json(page, tmp_path, scores, segmenter, data):
    measure(page, "caps")
    for kind in ("csv", "json"):
        with page.expect_download() as started:
            page.click(f"[data-file={kind}]")
        started.value.save_as(tmp_path / f"kept.{kind}")
    text = (tmp_path / "kept.csv").read_text("utf-8-sig")
    lines = list(csv.DictReader(text.splitlines()))
    assert {line["picture"]: float(line["miou"]) for line in lines} == {
        name: pytest.approx(s.miou) for name, s in scores.items()
    }
    kept = json.loads((tmp_path / "kept.json").read_text("utf-8"))
    expected = evaluate(segmenter, SegmentationDataset(data / "caps", "val")).to_dict()
    assert kept | json.loads(json.dumps(expected)) == kept
    low, high = kept["assessment"]["interval"]
    assert low <= kept["miou"] <= high


def test_a_job_can_be_stopped_and_is_found_again_after_a_reload(page):
    page.get_by_role("combobox", name="Dataset").select_option("long")
    page.get_by_role("button", name="Evaluate", exact=True).click()
    page.wait_for_selector(".sr-pictures tbody tr")
    page.get_by_role("button", name="Stop").click()
    page.wait_for_function(ENDED)
    expect(page.locator(".sr-job-text")).to_contain_text("stopped after")
    done, total = page.locator(".sr-job-track").evaluate(
        "node => [node.ariaValueNow, node.ariaValueMax]"
    )
    assert 0 < int(done) < int(total) == 5000
    expect(page.locator(".sr-totals-note")).to_contain_text(
        f"the totals of {done} of 5000 pictures"
    )
    miou = page.locator("[data-score=set-miou]").inner_text()
    page.reload()
    page.get_by_role("tab", name="Evaluate").click()
    page.wait_for_function(ENDED)
    expect(page.locator(".sr-pages")).to_contain_text(f"of {done}")
    expect(page.locator("[data-score=set-miou]")).to_have_text(miou)


def test_a_running_job_goes_on_through_a_reload(page):
    page.get_by_role("combobox", name="Dataset").select_option("long")
    page.get_by_role("button", name="Evaluate", exact=True).click()
    page.wait_for_selector(".sr-pictures tbody tr")
    page.reload()
    page.get_by_role("tab", name="Evaluate").click()
    expect(page.get_by_role("button", name="Evaluate", exact=True)).to_be_disabled()
    page.wait_for_selector(".sr-pictures tbody tr")
    before = page.locator(".sr-job-track").evaluate("node => node.ariaValueNow")
    page.wait_for_function(
        "before => Number(document.querySelector('.sr-job-track').ariaValueNow) > before",
        arg=int(before),
    )
    page.get_by_role("button", name="Stop").click()
    page.wait_for_function(ENDED)


def test_many_pictures_come_in_pages(page):
    page.get_by_role("combobox", name="Dataset").select_option("many")
    page.get_by_role("button", name="Evaluate", exact=True).click()
    page.wait_for_function(ENDED)
    expect(page.locator(".sr-job-text")).to_contain_text("60 pictures in")
    expect(page.locator(".sr-pages")).to_contain_text("1 to 50 of 60")
    page.get_by_role("button", name="Next page").click()
    expect(page.locator(".sr-pages")).to_contain_text("51 to 60 of 60")
    assert len(column(page, 1)) == 10


def test_a_server_that_has_gone_is_told(open_page, checkpoints, data, problems):
    running = start_page(checkpoints, "--data", str(data))
    server = next(running)
    page = open_page(server.url)
    page.get_by_role("tab", name="Evaluate").click()
    page.wait_for_selector(".sr-evaluate[data-sets]")
    page.get_by_role("combobox", name="Dataset").select_option("long")
    page.get_by_role("button", name="Evaluate", exact=True).click()
    page.wait_for_selector(".sr-pictures tbody tr")
    # Ends the server, in the middle of the job.
    assert list(running) == []
    alert = page.locator(".sr-evaluate .sr-alert")
    expect(alert).to_contain_text("The page's server does not answer")
    expect(page.get_by_role("button", name="Evaluate", exact=True)).to_be_enabled()
    page.close()
    # What the browser itself says of a server that is not there.
    problems.clear()


@pytest.fixture
def pairs(tmp_path):
    """Pictures and masks that fit but for one of each; one is called like markup."""
    rng = np.random.default_rng(3)
    pictures, masks = [], []
    for name in ("left", "right", '<img src=x onerror="window.harmed=5">', "lonely"):
        pixels, mask = draw(rng, 60, 70, 1)
        pictures.append(tmp_path / f"{name}.png")
        Image.fromarray(pixels).save(pictures[-1])
        masks.append(tmp_path / f"{'other' if name == 'lonely' else name}_mask.png")
        Image.fromarray(mask).save(masks[-1])
    return pictures, masks


def test_own_files_are_paired_by_name_and_names_stay_text(page, pairs):
    pictures, masks = pairs
    page.locator("#sr-model").select_option("b-evil")
    page.get_by_role("radio", name="Own files").check(force=True)
    start = page.get_by_role("button", name="Evaluate", exact=True)
    expect(start).to_be_disabled()
    page.set_input_files("#sr-evaluate-pictures", pictures)
    expect(start).to_be_disabled()
    page.set_input_files("#sr-evaluate-masks", masks)
    expect(page.locator(".sr-match")).to_contain_text("3 pairs fit by their names")
    expect(page.locator(".sr-problems")).to_contain_text(
        "lonely.png: there is no mask of this name"
    )
    expect(page.locator(".sr-problems")).to_contain_text(
        "other_mask.png: there is no picture of this name"
    )
    measure(page)
    expect(page.locator(".sr-evaluated")).to_have_text("b-evil on 3 pairs")
    assert len(column(page, 1)) == 3
    names = page.locator(".sr-class-table .sr-name").all_inner_texts()
    assert names == list(EVIL_NAMES)
    assert page.evaluate("window.harmed") is None
    assert page.locator(".sr-evaluate img[onerror]").count() == 0


def test_dropped_folders_are_paired_by_name(page, pairs, tmp_path, drop_paths):
    for name, files in zip(("photographs", "truth"), pairs, strict=True):
        (tmp_path / name).mkdir()
        for file in files:
            file.rename(tmp_path / name / file.name)
    page.get_by_role("radio", name="Own files").check(force=True)
    drop_paths(page, "[aria-label=Pictures]", tmp_path / "photographs")
    drop_paths(page, "[aria-label=Masks]", tmp_path / "truth")
    expect(page.locator(".sr-match")).to_contain_text("3 pairs fit by their names")


def test_a_job_that_was_stopped_before_the_server_had_answered_ends(page, pairs, hold_back):
    let_go = hold_back(page, "start")
    page.get_by_role("radio", name="Own files").check(force=True)
    page.set_input_files("#sr-evaluate-pictures", pairs[0])
    page.set_input_files("#sr-evaluate-masks", pairs[1])
    page.get_by_role("button", name="Evaluate", exact=True).click()
    page.wait_for_function("window.heldBack")
    page.locator(".sr-evaluate .sr-job-stop").click()
    stops = '"action":"stop"'
    with page.expect_request(lambda request: stops in (request.post_data or "")):
        let_go()
    expect(page.locator(".sr-evaluate-idle")).to_be_visible()


def test_a_start_that_fails_leaves_what_was_found_before(page, pairs, problems):
    page.get_by_role("combobox", name="Dataset").select_option("many")
    page.get_by_role("button", name="Evaluate", exact=True).click()
    page.wait_for_function(ENDED)
    rows, miou = column(page, 1), page.locator("[data-score=set-miou]").inner_text()
    pictures, masks = pairs
    page.get_by_role("radio", name="Own files").check(force=True)
    page.set_input_files("#sr-evaluate-pictures", pictures)
    page.set_input_files("#sr-evaluate-masks", masks)
    page.route("**/upload*", lambda route: route.abort())
    page.get_by_role("button", name="Evaluate", exact=True).click()
    expect(page.locator(".sr-evaluate .sr-alert")).to_contain_text("could not be uploaded")
    assert column(page, 1) == rows
    expect(page.locator("[data-score=set-miou]")).to_have_text(miou)
    expect(page.locator(".sr-job-text")).to_contain_text("60 pictures in")
    # What the browser itself says of a connection that was cut.
    problems.clear()


def test_a_mask_that_does_not_fit_is_told_in_its_row(page, pairs):
    pictures, masks = pairs
    Image.fromarray(np.zeros((5, 6), np.uint8)).save(masks[0])
    page.get_by_role("radio", name="Own files").check(force=True)
    page.set_input_files("#sr-evaluate-pictures", pictures[:2])
    page.set_input_files("#sr-evaluate-masks", masks[:2])
    expect(page.locator(".sr-match")).to_contain_text("2 pairs")
    measure(page)
    row = page.locator("tr[data-outcome=failed]")
    expect(row).to_contain_text("the mask is 6x5, the picture 70x60; export the mask")
    # What has no score stands last.
    assert column(page, 1)[-1].startswith("left.png")
    expect(page.locator(".sr-totals-note")).to_contain_text("1 picture could not be used")


def test_other_classes_than_the_datasets_are_told(page):
    page.locator("#sr-model").select_option("b-evil")
    measure(page, "caps")
    alert = page.locator(".sr-evaluate .sr-alert")
    expect(alert).to_contain_text("caps: classes differ: the checkpoint lacks blowhole")
    expect(page.locator(".sr-picture-table")).to_be_hidden()


def test_without_an_allowed_folder_the_samples_can_be_tried(open_page):
    page = open_page(viewport={"width": 1440, "height": 900})
    page.get_by_role("tab", name="Evaluate").click()
    page.wait_for_selector(".sr-evaluate[data-sets]")
    expect(page.get_by_role("radio", name="Samples")).to_be_checked()
    page.get_by_role("radio", name="Dataset").check(force=True)
    expect(page.locator(".sr-evaluate")).to_contain_text("start the page with --data FOLDER")
    page.get_by_role("radio", name="Samples").check(force=True)
    measure(page)
    names = ["blowhole", "break", "crack", "fray", "sound", "uneven"]
    assert sorted(column(page, 1)) == names
    expect(page.locator("[data-rate=escape]")).to_contain_text("of 5)")


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (1024, 768), (390, 844)])
def test_nothing_leaves_a_smaller_window(open_page, data_server, width, height, pairs):
    page = open_page(data_server.url, viewport={"width": width, "height": height})
    page.locator("#sr-model").select_option("b-evil")
    page.get_by_role("tab", name="Evaluate").click()
    page.wait_for_selector(".sr-evaluate[data-sets]")
    page.get_by_role("radio", name="Own files").check(force=True)
    for files in pairs:
        # A name without a place to break it at.
        files.append(shutil.copy(files[0], files[0].with_stem("x" * 90)))
    page.set_input_files("#sr-evaluate-pictures", pairs[0])
    page.set_input_files("#sr-evaluate-masks", pairs[1])
    expect(page.locator(".sr-match")).to_contain_text("4 pairs")
    measure(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # All columns of the table are seen.
    table = page.locator(".sr-picture-scroll")
    assert table.evaluate("node => node.scrollWidth - node.clientWidth") <= 0
    for part in (".sr-set", ".sr-picture-table", ".sr-totals"):
        box = page.locator(part).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
