"""Many pictures at once, as steps that a person takes."""

import csv
import io
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from segnet_res.images import read_image

EVIL_FILE = '<img src=x onerror="window.harmed=5">${window.harmed=6}.png'


@pytest.fixture(scope="module")
def parts(tmp_path_factory) -> Path:
    """A folder of pictures with a broken one, a note, and a name that would do harm as markup."""
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(1)
    (root / "line 1" / "night").mkdir(parents=True)
    for i, size in enumerate([(40, 50), (33, 65), (64, 48)]):
        pixels = rng.integers(0, 255, size, np.uint8)
        Image.fromarray(pixels).save(root / "line 1" / f"part-{i}.png")
    Image.fromarray(rng.integers(0, 255, (32, 32), np.uint8)).save(
        root / "line 1" / "night" / "part-2.png"
    )
    (root / "line 1" / "half.png").write_bytes(b"\x89PNG nonsense")
    (root / "line 1" / "notes.txt").write_text("no picture")
    # Enough to be still at it when somebody presses a button.
    (root / "many").mkdir()
    for i in range(500):
        (root / "many" / f"{i}.png").hardlink_to(root / "line 1" / "part-2.png")
    return root


@pytest.fixture(scope="module")
def data_page(start_with, parts):
    """A page that may read the folder."""
    return start_with("--data", parts)


@pytest.fixture
def batch(open_page, data_page) -> Page:
    return open_batch(open_page(data_page.url, viewport={"width": 1440, "height": 900}))


def open_batch(page: Page) -> Page:
    # The first page of a server waits for it to warm up.
    page.wait_for_selector(".sr-inspect[data-ready]", state="attached")
    page.get_by_role("tab", name="Batch").click()
    page.wait_for_selector(".sr-batch[data-folders]")
    return page


def wait_until(page: Page, token: str) -> None:
    page.wait_for_selector(f".sr-batch[data-ready^='{token}']")


def inspect_folder(page: Page, folder: str = "line 1") -> None:
    page.get_by_label("or a folder of the server").select_option(folder)
    page.get_by_role("button", name="Inspect all").click()
    wait_until(page, "done")


def names(page: Page) -> list[str]:
    return page.locator(".sr-batch-table .sr-batch-name").all_inner_texts()


def chip(page: Page, state: str):
    return page.locator(f".sr-chip[data-state={state}]")


def download(page: Page, button: str) -> Path:
    with page.expect_download() as started:
        page.locator(f"[data-pack={button}]").click()
    return Path(started.value.path())


def test_chosen_pictures_become_a_table_with_verdicts(batch, parts, segmenter):
    files = [parts / "line 1" / name for name in ("part-1.png", "part-0.png", "half.png")]
    start = batch.get_by_role("button", name="Inspect all")
    expect(start).to_be_disabled()
    batch.set_input_files("#sr-batch-files", files)
    expect(batch.locator(".sr-batch-source .sr-file-name")).to_contain_text("3 pictures")
    start.click()
    wait_until(batch, "done")
    assert names(batch) == ["half.png", "part-0.png", "part-1.png"]
    expect(batch.locator(".sr-job-text")).to_contain_text("3 pictures in")
    broken = batch.locator("tr[data-state=failed]")
    expect(broken).to_contain_text("failed")
    expect(broken).to_contain_text("not a picture that can be read")
    row = batch.locator("tr[data-name='part-1.png']")
    expect(row).to_contain_text("65\N{MULTIPLICATION SIGN}33 px")
    image = row.locator("img")
    batch.wait_for_function(
        "node => node.complete && node.naturalWidth > 0", arg=image.element_handle()
    )
    # The same picture through Python: what is not background is a defect.
    labels = segmenter.predict(read_image(files[0])).labels
    share = f"{100 * (labels > 0).mean():.2f} %"
    expect(row.locator("td.sr-number").nth(1)).to_have_text(share)
    # The model marks nearly everything, the limit is far below.
    expect(row).to_contain_text("defective")
    expect(row.locator(".sr-batch-reason")).to_contain_text("allowed is")


def test_a_folder_is_inspected_filtered_sorted_and_opened(batch):
    expect(batch.locator("#sr-batch-folder option")).to_have_text(
        ["none", "the whole allowed folder", "line 1", "many", "line 1/night"]
    )
    inspect_folder(batch)
    everything = ["half.png", "night/part-2.png", "part-0.png", "part-1.png", "part-2.png"]
    assert names(batch) == everything
    expect(chip(batch, "all")).to_contain_text("5")
    expect(chip(batch, "failed")).to_contain_text("1")
    chip(batch, "failed").click()
    expect(batch.locator(".sr-batch-table tbody tr")).to_have_count(1)
    expect(chip(batch, "failed")).to_have_attribute("aria-pressed", "true")
    chip(batch, "all").click()
    expect(batch.locator(".sr-batch-table tbody tr")).to_have_count(5)
    batch.get_by_label("Name contains").fill("PART-2")
    expect(batch.locator(".sr-batch-table tbody tr")).to_have_count(2)
    expect(batch.locator(".sr-batch-page")).to_have_text("1 to 2 of 2")
    batch.get_by_label("Name contains").fill("nowhere")
    expect(batch.locator(".sr-batch-page")).to_have_text("No picture fits the filter")
    batch.get_by_label("Name contains").fill("")
    worst = batch.get_by_role("button", name="Defects")
    worst.click()
    expect(batch.locator("th[data-order=worst]")).to_have_attribute("aria-sort", "descending")
    batch.wait_for_function(
        "document.querySelector('.sr-batch').dataset.ready.includes('\"order\":\"worst\"')"
    )
    shares = batch.locator("tr[data-state=defective] td:nth-child(4)").all_inner_texts()
    values = [float(text.removesuffix(" %")) for text in shares]
    assert len(values) == 4
    assert values == sorted(values, reverse=True)
    # What cannot be read has no share and comes last.
    assert names(batch)[-1] == "half.png"
    wanted = names(batch)[1]
    # Inspect opens it with the checkpoint of the batch.
    batch.select_option("#sr-model", "b-evil")
    before = batch.get_attribute(".sr-inspect", "data-ready")
    batch.locator(f"tr[data-name='{wanted}'] button").click()
    batch.wait_for_function(
        "before => document.querySelector('.sr-inspect').dataset.ready !== before", arg=before
    )
    expect(batch.get_by_role("tab", name="Inspect")).to_have_attribute("aria-selected", "true")
    expect(batch.locator(".sr-inspect")).to_contain_text(Path(wanted).name)
    expect(batch.locator("#sr-model")).to_have_value("a-tiles")
    expect(batch.locator(".sr-verdict").first).to_be_visible()


def test_the_zip_holds_what_is_seen(batch, parts, segmenter):
    inspect_folder(batch)
    with zipfile.ZipFile(download(batch, "zip")) as archive:
        stems = ["night/part-2", "part-0", "part-1", "part-2"]
        assert archive.namelist() == [
            "results.csv",
            "batch.json",
            *(f"masks/{stem}.png" for stem in stems),
            *(f"overlays/{stem}.jpg" for stem in stems),
        ]
        mask = np.asarray(Image.open(io.BytesIO(archive.read("masks/night/part-2.png"))))
    image = read_image(parts / "line 1" / "night" / "part-2.png")
    assert (mask == segmenter.predict(image).labels).all()
    chip(batch, "failed").click()
    expect(batch.locator("[data-pack=csv]")).to_have_text("Table of the 1 shown")
    with download(batch, "csv").open(newline="") as file:
        assert [line["path"] for line in csv.DictReader(file)] == ["half.png"]
    expect(batch.locator(".sr-batch-file")).to_contain_text("a-tiles-results.csv")


def test_limits_of_inspect_are_applied_to_a_batch_that_is_done(batch):
    inspect_folder(batch)
    expect(batch.locator(".sr-batch-changed")).to_be_hidden()
    expect(chip(batch, "defective")).to_contain_text("4")
    # What Inspect does when somebody moves its sliders.
    batch.evaluate(
        """() => {
            const limits = { share: 100, classes: {} };
            window.segnetResJudge = { ...window.segnetResJudge, limits };
            document.dispatchEvent(new CustomEvent("segnet-res:judge",
                { detail: window.segnetResJudge }));
        }"""
    )
    expect(batch.locator(".sr-batch-limits")).to_contain_text("defects up to 100 %")
    expect(batch.locator(".sr-batch-changed")).to_be_visible()
    batch.get_by_role("button", name="Judge again").click()
    expect(chip(batch, "sound")).to_contain_text("4")
    expect(batch.locator(".sr-batch-changed")).to_be_hidden()
    batch.get_by_role("button", name="Change in Inspect").click()
    expect(batch.get_by_role("tab", name="Inspect")).to_have_attribute("aria-selected", "true")


def test_a_reload_finds_the_batch_again_and_a_new_one_replaces_it(batch):
    inspect_folder(batch, "line 1/night")
    batch.reload()
    open_batch(batch)
    wait_until(batch, "done")
    assert names(batch) == ["part-2.png"]
    inspect_folder(batch)
    expect(chip(batch, "all")).to_contain_text("5")


def judge_by(page: Page, spec: str) -> None:
    """Choose a file of limits, as Inspect does."""
    page.evaluate(
        """(spec) => {
            window.segnetResJudge = { ...window.segnetResJudge, spec, spec_name: "limits.yaml" };
            document.dispatchEvent(new CustomEvent("segnet-res:judge",
                { detail: window.segnetResJudge }));
        }""",
        spec,
    )


def test_a_start_that_is_refused_leaves_the_batch_before_it(batch):
    inspect_folder(batch, "line 1/night")
    judge_by(batch, "classes: [")
    batch.get_by_label("or a folder of the server").select_option("line 1")
    start = batch.get_by_role("button", name="Inspect all")
    start.click()
    alert = batch.locator(".sr-batch .sr-alert")
    expect(alert).to_contain_text("limits.yaml")
    expect(start).to_be_enabled()
    assert names(batch) == ["part-2.png"]
    # Its files are there still, and a reload finds it.
    with download(batch, "csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 1
    batch.reload()
    open_batch(batch)
    wait_until(batch, "done")
    assert names(batch) == ["part-2.png"]


def test_a_batch_that_was_stopped_before_the_server_had_answered_is_dropped(
    batch, parts, hold_back
):
    inspect_folder(batch, "line 1/night")
    let_go = hold_back(batch, "run")
    batch.set_input_files("#sr-batch-files", parts / "line 1" / "part-0.png")
    batch.get_by_role("button", name="Inspect all").click()
    batch.wait_for_function("window.heldBack")
    expect(batch.locator(".sr-batch-table")).to_be_hidden()
    batch.locator(".sr-job-stop").click()
    expect(batch.locator(".sr-batch-table")).to_be_visible()
    forgets = '"action":"forget"'
    with batch.expect_request(lambda request: forgets in (request.post_data or "")) as asked:
        let_go()
    kept = batch.evaluate("localStorage.getItem('segnet-res:batch')")
    assert kept not in asked.value.post_data
    wait_until(batch, "done")
    assert names(batch) == ["part-2.png"]


def test_a_batch_whose_start_gets_lost_is_started(batch, lose):
    lost = lose(batch, '"action":"run"')
    inspect_folder(batch)
    assert len(lost) == 1


def test_a_running_batch_can_be_stopped(batch):
    batch.get_by_label("or a folder of the server").select_option("many")
    expect(batch.locator(".sr-batch-source .sr-note")).to_have_text(
        "500 pictures, with all subfolders"
    )
    batch.get_by_role("button", name="Inspect all").click()
    batch.wait_for_selector(".sr-batch-table tbody tr")
    batch.get_by_role("button", name="Stop", exact=True).first.click()
    wait_until(batch, "stopped")
    expect(batch.locator(".sr-job-text")).to_contain_text(re.compile(r"stopped after \d+ of 500"))
    finished = int(chip(batch, "all").inner_text().split()[-1])
    assert 0 < finished < 500
    expect(batch.get_by_role("button", name="Inspect all")).to_be_enabled()


def test_names_of_files_and_classes_stay_text(batch, parts):
    batch.select_option("#sr-model", "b-evil")
    picture = (parts / "line 1" / "part-0.png").read_bytes()
    batch.set_input_files(
        "#sr-batch-files", [{"name": EVIL_FILE, "mimeType": "image/png", "buffer": picture}]
    )
    batch.get_by_role("button", name="Inspect all").click()
    wait_until(batch, "done")
    assert names(batch) == [EVIL_FILE]
    heads = batch.locator(".sr-batch-table thead .sr-name").all_inner_texts()
    assert heads[0].startswith("<img src=x")
    assert "${window.harmed=2}" in heads
    with zipfile.ZipFile(download(batch, "zip")) as archive:
        masks = [name for name in archive.namelist() if name.startswith("masks/")]
        assert masks == ["masks/_img src=x onerror=_window.harmed=5__${window.harmed=6}.png"]
    assert batch.evaluate("window.harmed") is None


def test_dropped_files_are_taken_and_those_that_are_no_pictures_told(batch, tmp_path, parts):
    (tmp_path / "letter.txt").write_text("Dear page")
    batch.set_input_files("#sr-batch-files", tmp_path / "letter.txt")
    expect(batch.locator(".sr-batch .sr-alert")).to_contain_text("There are no pictures among")
    expect(batch.get_by_role("button", name="Inspect all")).to_be_disabled()
    batch.set_input_files(
        "#sr-batch-files", [tmp_path / "letter.txt", parts / "line 1" / "part-0.png"]
    )
    expect(batch.locator(".sr-batch .sr-alert")).to_be_hidden()
    expect(batch.locator(".sr-batch-source .sr-file-name")).to_contain_text("1 picture")
    expect(batch.locator(".sr-batch-drop")).to_contain_text("1 other file was left out")
    batch.get_by_role("button", name="Remove the pictures").click()
    expect(batch.get_by_role("button", name="Inspect all")).to_be_disabled()
    transfer = batch.evaluate_handle(
        """(bytes) => {
            const transfer = new DataTransfer();
            for (const name of ["b.png", "a.png"]) {
                transfer.items.add(new File([new Uint8Array(bytes)], name));
            }
            return transfer;
        }""",
        list((parts / "line 1" / "part-0.png").read_bytes()),
    )
    # Beside the box too: the browser would otherwise leave the page for the file.
    batch.dispatch_event(".sr-batch-idle", "drop", {"dataTransfer": transfer})
    expect(batch.locator(".sr-batch-source .sr-file-name")).to_contain_text("2 pictures")


def test_a_dropped_folder_keeps_its_subfolders(batch, parts, drop_paths):
    drop_paths(batch, ".sr-batch-idle", parts / "line 1")
    expect(batch.locator(".sr-batch-source .sr-file-name")).to_contain_text("5 pictures")
    expect(batch.locator(".sr-batch-drop")).to_contain_text("1 other file was left out")


def test_a_folder_of_this_computer_keeps_its_subfolders(batch, parts):
    batch.set_input_files("#sr-batch-directory", parts / "line 1")
    expect(batch.locator(".sr-batch-source .sr-file-name")).to_contain_text("5 pictures")
    batch.get_by_role("button", name="Inspect all").click()
    wait_until(batch, "done")
    assert "line 1/night/part-2.png" in names(batch)


def test_the_samples_as_tiles(page):
    open_batch(page)
    page.get_by_role("button", name="Samples").click()
    page.get_by_role("button", name="Inspect all").click()
    wait_until(page, "done")
    page.get_by_role("button", name="Pictures", exact=True).click()
    tiles = page.locator(".sr-batch-tiles li")
    expect(tiles).to_have_count(6)
    expect(page.locator(".sr-batch-table")).to_be_hidden()
    expect(tiles.first).to_contain_text("sample-sound.png")
    page.get_by_label("Sorted").select_option("name")
    expect(tiles.first).to_contain_text("sample-blowhole.png")
    # The choice is kept.
    page.reload()
    open_batch(page)
    expect(tiles).to_have_count(6)
    expect(tiles.first.locator("img")).to_be_visible()
    tiles.nth(2).get_by_role("button").click()
    expect(page.get_by_role("tab", name="Inspect")).to_have_attribute("aria-selected", "true")


def test_a_page_without_an_allowed_folder_says_how_to_get_one(page):
    open_batch(page)
    expect(page.locator(".sr-batch-source .sr-note")).to_contain_text("--data FOLDER")
    expect(page.get_by_label("or a folder of the server")).to_be_hidden()


def test_a_limit_for_unknown_classes_is_told(batch):
    batch.evaluate(
        """() => {
            const spec = "classes:\\n  rust:\\n    max_count: 0\\nothers: {}\\n";
            window.segnetResJudge = { ...window.segnetResJudge, spec, spec_name: "rust.yaml" };
            document.dispatchEvent(new CustomEvent("segnet-res:judge",
                { detail: window.segnetResJudge }));
        }"""
    )
    expect(batch.locator(".sr-batch-limits")).to_contain_text("limits of the file rust.yaml")
    batch.get_by_label("or a folder of the server").select_option("line 1")
    batch.get_by_role("button", name="Inspect all").click()
    expect(batch.locator(".sr-batch .sr-alert")).to_contain_text("rust")
    expect(batch.get_by_role("button", name="Inspect all")).to_be_enabled()


def test_nothing_sticks_out_with_long_names(open_page, data_page):
    page = open_batch(
        open_page(data_page.url, viewport={"width": 1366, "height": 768}, color_scheme="dark")
    )
    page.select_option("#sr-model", "b-evil")
    inspect_folder(page)
    for part in (".sr-batch-title", ".sr-batch-limits", ".sr-batch-table .sr-batch-name"):
        color = page.locator(part).first.evaluate("node => getComputedStyle(node).color")
        assert sum(int(value) for value in color[4:-1].split(",")[:3]) / 3 > 150, part
    parts = (".sr-batch-source", ".sr-batch-judge", ".sr-job", ".sr-chips", ".sr-batch-scroll")
    for layout in ("Table", "Pictures"):
        page.get_by_role("button", name=layout, exact=True).click()
        for width, height in ((1440, 900), (1366, 768), (1024, 768), (390, 844)):
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            for part in parts:
                box = page.locator(part).bounding_box()
                assert box["x"] >= 0
                assert box["x"] + box["width"] <= width, part


def test_all_of_it_works_by_keyboard(batch):
    batch.get_by_label("or a folder of the server").focus()
    batch.keyboard.press("ArrowDown")
    batch.keyboard.press("ArrowDown")
    expect(batch.get_by_label("or a folder of the server")).to_have_value("line 1")
    for _ in range(3):
        batch.keyboard.press("Tab")
    expect(batch.get_by_role("button", name="Inspect all")).to_be_focused()
    batch.keyboard.press("Enter")
    wait_until(batch, "done")
    for _ in range(40):
        batch.keyboard.press("Tab")
        if batch.evaluate("document.activeElement.className") == "sr-batch-name":
            break
    expect(batch.locator("button.sr-batch-name").first).to_be_focused()
    batch.keyboard.press("Enter")
    expect(batch.get_by_role("tab", name="Inspect")).to_have_attribute("aria-selected", "true")
