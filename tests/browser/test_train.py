"""A checkpoint retrained from the page: form, process, curves, killed and gone on with."""

import os
import signal
import time
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from segnet_res.checkpoint import read_metadata
from segnet_res.classes import MAGNETIC_TILE, ClassMap
from segnet_res.data import DatasetInfo, save_info
from segnet_res.data.splits import write_splits
from segnet_res.retraining.folder import RetrainFolder
from segnet_res.retraining.state import Progress, Request
from tests.browser.conftest import EVIL_NAMES, start_page

OIL_CLASSES = ClassMap.from_names([*MAGNETIC_TILE.names, "oil"])
EVIL_CLASSES = ClassMap.from_names(EVIL_NAMES)


def make_dataset(root, name, class_map, label, counts):
    """Spotted pictures with a bright place of one class, in splits of so many pictures."""
    rng = np.random.default_rng(label)
    stems = [f"part{i:02}" for i in range(sum(counts.values()))]
    for stem in stems:
        # Large spots, or all of them would look like near-copies of each other.
        pixels = np.kron(rng.integers(40, 190, (4, 4)), np.ones((16, 16))).astype(np.uint8)
        mask = np.zeros((64, 64), np.uint8)
        top, left = rng.integers(0, 32, 2)
        pixels[top : top + 20, left : left + 30] = 240
        mask[top : top + 20, left : left + 30] = label
        for folder, array in (("images", pixels), ("masks", mask)):
            (root / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(root / folder / f"{stem}.png")
    save_info(root, DatasetInfo(name, class_map, 1))
    lists = {split: [stems.pop() for _ in range(count)] for split, count in counts.items()}
    write_splits(root, lists)


class Plant:
    """Data and runs of a plant, and its page, which can be started again."""

    def __init__(self, checkpoints, folder):
        self.checkpoints, self.data, self.runs = checkpoints, folder / "data", folder / "runs"
        make_dataset(self.data / "oil", "oil", OIL_CLASSES, 6, {"train": 4, "val": 2})
        old = {"train": 4, "val": 2, "test": 2}
        make_dataset(self.data / "press" / "tiles", "tiles of the test", MAGNETIC_TILE, 3, old)
        make_dataset(self.data / "evil", "evil", EVIL_CLASSES, 1, {"train": 2, "val": 1})
        self.url, self._page = None, None

    def start(self):
        options = ("--data", str(self.data), "--runs", str(self.runs))
        self._page = contextmanager(start_page)(self.checkpoints, *options)
        self.url = self._page.__enter__().url

    def end(self):
        self._page.__exit__(None, None, None)

    def put(self, name, progress, class_map=None, **request):
        """Leave a retraining as its process would have left it."""
        run = RetrainFolder(self.runs / name)
        parent = self.checkpoints / "a-tiles.safetensors"
        run.ask(Request(parent, self.data / "oil", **request))
        if class_map is not None:
            run.data.mkdir()
            save_info(run.data, DatasetInfo("frozen", class_map, 1))
        run.write_progress(progress)
        return run


@pytest.fixture(scope="module")
def plant(checkpoints, tmp_path_factory):
    plant = Plant(checkpoints, tmp_path_factory.mktemp("plant"))
    plant.start()
    yield plant
    plant.end()


@pytest.fixture
def open_train(open_page, plant):
    def open_train(**options):
        page = open_page(plant.url, **{"viewport": {"width": 1366, "height": 768}, **options})
        return to_train(page)

    return open_train


def to_train(page: Page) -> Page:
    page.get_by_role("tab", name="Train").click()
    # The first page of a server waits for it to warm up.
    page.wait_for_selector(".sr-train[data-choices][data-runs]")
    return page


def wait_for_form(page: Page) -> None:
    page.wait_for_selector(".sr-train-form[data-ready=ready]")


def show(page: Page, name: str, state: str) -> None:
    page.locator(f"[data-run='{name}'] button").click()
    page.wait_for_selector(f".sr-train[data-ready='{name}:{state}']")


def choose(page: Page, label: str, value: str) -> None:
    page.get_by_label(label, exact=True).select_option(value)


def rows_of(*mious, ious=()):
    """Rows of metrics as the training writes them."""
    return tuple(
        {"epoch": float(i), "loss": 1 / i, "lr": 1e-4, "miou": miou, **dict(ious)}
        for i, miou in enumerate(mious, start=1)
    )


def test_killed_with_its_page_gone_it_goes_on_and_becomes_a_candidate(open_train, open_page, plant):
    page = open_train()
    choose(page, "Checkpoint", "a-tiles")
    choose(page, "Dataset with the corrected pictures", "oil")
    wait_for_form(page)
    # The data that the checkpoint was trained on are proposed, and what is new is told.
    expect(page.get_by_label("press/tiles")).to_be_checked()
    expect(page.locator("tr[data-class=oil] td").first).to_have_text("new")
    page.get_by_label("Name of the retraining").fill("oil 1")
    page.locator("summary", has_text="More options").click()
    for label, value in (
        ("Epochs", "2"), ("Steps an epoch", "40"), ("Crops a step", "2"),
        ("Size of the crops in pixels", "32"),
    ):  # fmt: skip
        page.get_by_label(label, exact=True).fill(value)
    page.get_by_role("button", name="Start the retraining").click()
    expect(page.locator(".sr-run > header h2")).to_have_text("oil 1")
    page.reload()
    to_train(page)
    expect(page.locator(".sr-run > header h2")).to_have_text("oil 1")

    # Closed first: a page whose server has gone says so in its console.
    page.context.close()
    plant.end()
    run = RetrainFolder(plant.runs / "oil 1")
    deadline = time.monotonic() + 300
    while run.read_progress().state != "training":
        assert run.read_progress().active
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(run.read_progress().process, signal.SIGKILL)
    plant.start()

    page = to_train(open_page(plant.url, viewport={"width": 1366, "height": 768}))
    show(page, "oil 1", "interrupted")
    expect(page.locator(".sr-run-advice")).to_contain_text("was ended from outside")
    page.get_by_role("button", name="Go on").click()
    page.wait_for_selector(".sr-train[data-ready='oil 1:finished']", timeout=300_000)
    expect(page.locator(".sr-run-line")).to_have_text("step 80 of 80 · epoch 2 of 2")
    expect(page.locator(".sr-curve-numbers tbody tr")).to_have_count(2)
    expect(page.locator(".sr-run-facts")).to_contain_text("new: oil")
    candidate = read_metadata(run.path / "best.safetensors")
    assert candidate.class_map.names == OIL_CLASSES.names
    expect(page.locator("[data-run='oil 1']")).to_contain_text(
        f"finished, mIoU {candidate.scores['miou']:.3f}"
    )
    page.evaluate(
        "document.addEventListener('sr-candidate', (event) => { window.heard = event.detail; })"
    )
    page.get_by_role("button", name="Compare and promote").click()
    assert page.evaluate("window.heard") == {"run": "oil 1"}


def test_a_question_that_gets_lost_is_asked_again(open_page, plant, lose):
    page = open_page(plant.url)
    lost = lose(page, '"action":"choices"')
    to_train(page)
    assert len(lost) == 1


def test_states_numbers_and_remedies_of_retrainings(open_train, plant):
    ious = {f"iou_{name}": 0.25 for name in OIL_CLASSES.names} | {"iou_oil": None}
    plant.put(
        "stopped 1",
        Progress(
            "stopped", ticket=1, step=80, of=400, epoch=3, epochs=8, estimate=754.0,
            metrics=rows_of(0.5, 0.75), notes=("no picture of the training shows fray",),
        ),
        OIL_CLASSES,
    )  # fmt: skip
    done = Progress("stopped", ticket=2, epochs=2, of=9, metrics=rows_of(0.5, 0.75, ious=ious))
    plant.put("curves", done, OIL_CLASSES)
    plant.put("short 1", Progress("stopped", ticket=0, of=40, epochs=1, estimate=30.0))
    failed = "pictures that are there to measure by; leave them out with --leave-out"
    run = plant.put("failed 1", Progress("failed", ticket=3, doing=failed))
    run.log.write_text("error: pictures\n")
    plant.put("damaged 1", Progress("failed", ticket=4)).progress.write_text("{")

    page = open_train()
    names = [row.get_attribute("data-run") for row in page.locator(".sr-run-list li").all()]
    assert [name for name in names if name != "oil 1"] == [
        "failed 1", "curves", "stopped 1", "short 1", "damaged 1",
    ]  # fmt: skip
    show(page, "stopped 1", "stopped")
    expect(page.locator(".sr-run-now")).to_have_text("stopped at 20 %")
    bar = page.get_by_role("progressbar", name="Progress of stopped 1")
    assert [bar.get_attribute(f"aria-value{end}") for end in ("now", "max")] == ["80", "400"]
    expect(page.locator(".sr-run-estimate")).to_contain_text("about 12 min 34 s on this machine")
    expect(page.locator(".sr-run-notes")).to_contain_text("shows fray")
    expect(page.get_by_role("button", name="Go on")).to_be_visible()
    expect(page.get_by_role("button", name="Compare and promote")).to_be_hidden()

    show(page, "short 1", "stopped")
    expect(page.locator(".sr-run-estimate")).to_contain_text("40 steps in 1 epoch:")

    show(page, "curves", "stopped")
    page.locator("summary", has_text="The numbers of each epoch").click()
    cells = page.locator(".sr-curve-numbers tbody tr").nth(1).locator("th, td").all_inner_texts()
    assert cells == ["2 (best)", "0.500", "0.750", *["0.250"] * 6, "n/a"]
    expect(page.get_by_role("img", name="Validation mIoU; 0.750 after epoch 2")).to_be_visible()
    # One point for each epoch, at the height of its number: 0.75 is three quarters up.
    places = page.locator(".sr-curve-box").nth(1).locator(".sr-curve-mark").evaluate_all(
        "nodes => nodes.map((node) => node.getAttribute('transform').match(/[\\d.]+/g).map(Number))"
    )  # fmt: skip
    assert places == [[52, 96], [348, 54]]
    expect(page.locator(".sr-curve-key li")).to_have_count(7)

    show(page, "failed 1", "failed")
    expect(page.locator(".sr-run [role=alert]")).to_contain_text("with “Leave them out”")
    expect(page.get_by_role("button", name="Leave them out and go on")).to_be_visible()
    expect(page.get_by_role("button", name="Go on", exact=True)).to_be_hidden()
    page.locator("summary", has_text="What the process said last").click()
    expect(page.locator(".sr-run-log pre")).to_have_text("error: pictures\n")
    show(page, "damaged 1", "damaged")
    expect(page.locator(".sr-run [role=alert]")).to_contain_text("progress.json: damaged")

    # By keyboard, and an error of an act stays to be read.
    page.locator("[data-run='stopped 1'] button").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".sr-train[data-ready='stopped 1:stopped']")
    (plant.runs / "stopped 1").rename(plant.runs.parent / "elsewhere")
    expect(page.locator(".sr-train-main > [role=alert]")).to_have_text(
        "This retraining is no longer there; choose another one."
    )
    expect(page.get_by_role("heading", name="Retrain a checkpoint")).to_be_visible()


def test_classes_are_renamed_and_dropped_in_the_form(open_train):
    page = open_train()
    choose(page, "Checkpoint", "a-tiles")
    choose(page, "Dataset with the corrected pictures", "oil")
    wait_for_form(page)
    form = page.locator(".sr-train-form")
    page.locator("summary", has_text="More options").click()
    rate = page.get_by_label("Learning rate", exact=True)
    rate.press_sequentially("0,001x")
    expect(page.get_by_role("button", name="Start the retraining")).to_be_disabled()
    expect(page.locator("#sr-train-why")).to_have_text("Correct the numbers that are marked.")
    rate.press("Backspace")
    expect(rate).to_have_value("0,001")
    wait_for_form(page)
    choose(page, "What becomes of crack", "rename")
    name = page.get_by_label("New name of crack")
    expect(name).to_be_focused()
    name.fill("fissure")
    choose(page, "What becomes of fray", "drop")
    expect(page.locator("tr[data-class=fray]")).to_have_attribute("data-kind", "dropped")
    expect(page.locator("tr[data-class=crack]")).to_have_attribute("data-kind", "renamed")
    page.get_by_label("What becomes of break").select_option(label="counts as fissure")
    expect(page.locator("tr[data-class=break]")).to_have_attribute("data-kind", "dropped")
    # What makes no sense is told at once, and nothing can be started.
    name.fill("uneven")
    expect(form.locator("[role=alert]").filter(has_text="would be called 'uneven'")).to_be_visible()
    expect(page.get_by_role("button", name="Start the retraining")).to_be_disabled()
    name.fill("gap")
    choose(page, "What becomes of break", "keep")
    wait_for_form(page)
    expect(page.get_by_role("button", name="Start the retraining")).to_be_enabled()
    expect(name).to_have_value("gap")
    expect(page.get_by_label("What becomes of background").locator("option")).to_have_count(2)
    # Another checkpoint knows none of these: what was chosen for them must not be in its way.
    choose(page, "Checkpoint", "b-evil")
    expect(page.locator("tr[data-class='${window.harmed=2}']")).to_be_visible()
    expect(page.get_by_role("button", name="Start the retraining")).to_be_enabled()


def test_a_split_is_frozen_and_kept_out_of_the_training(open_train, plant):
    page = open_train()
    wait_for_form(page)
    page.locator("summary", has_text="Freeze a split").click()
    choose(page, "Dataset to freeze", "press/tiles")
    expect(page.get_by_label("Split to freeze")).to_have_value("test")
    page.get_by_role("button", name="Freeze", exact=True).click()
    expect(page.locator(".sr-freeze [role=status]").last).to_contain_text(
        "golden/tiles-test.json is there. Too few parts"
    )
    expect(page.get_by_label("golden/tiles-test.json")).to_be_checked()
    assert (plant.data / "golden" / "tiles-test.json").is_file()


def test_names_are_text_and_a_wrong_form_is_told(open_train, plant):
    ious = {f"iou_{name}": 0.5 for name in EVIL_NAMES}
    notes = tuple(EVIL_NAMES[1:])
    progress = Progress(
        "failed", ticket=9, doing=EVIL_NAMES[1], metrics=rows_of(0.5, ious=ious), notes=notes
    )
    plant.put("evil", progress, EVIL_CLASSES, renamed={EVIL_NAMES[2]: EVIL_NAMES[3]})
    page = open_train()
    choose(page, "Checkpoint", "b-evil")
    choose(page, "Dataset with the corrected pictures", "evil")
    wait_for_form(page)
    shown = page.locator(".sr-train-classes tbody .sr-name").all_inner_texts()
    # After those of the parent come those of the data that it was trained on.
    assert shown[: len(EVIL_NAMES)] == list(EVIL_NAMES)
    page.get_by_label("Name of the retraining").fill("../evil")
    page.get_by_role("button", name="Start the retraining").click()
    expect(page.locator(".sr-train-start [role=alert]")).to_contain_text("no name for a retraining")
    assert not (plant.runs.parent / "evil").exists()
    show(page, "evil", "failed")
    expect(page.locator(".sr-run [role=alert]")).to_have_text(EVIL_NAMES[1])
    assert page.locator(".sr-curve-key .sr-name").all_inner_texts() == list(EVIL_NAMES)
    assert page.evaluate("window.harmed") is None


def test_nothing_leaves_a_smaller_window(open_train, plant):
    ious = {f"iou_{name}": 0.5 for name in EVIL_NAMES}
    plant.put(
        "x" * 60, Progress("stopped", ticket=10, metrics=rows_of(0.5, ious=ious)), EVIL_CLASSES
    )
    page = open_train()
    choose(page, "Checkpoint", "a-tiles")
    wait_for_form(page)
    page.set_viewport_size({"width": 390, "height": 844})
    frame = page.locator(".sr-train-part", has=page.locator("table")).bounding_box()
    table = page.locator(".sr-train-classes").bounding_box()
    assert table["x"] + table["width"] <= frame["x"] + frame["width"]
    # Its names are words, not letters below each other.
    assert page.locator("tr[data-class=crack] .sr-name").bounding_box()["height"] < 30
    choose(page, "Checkpoint", "b-evil")
    wait_for_form(page)
    parts = [".sr-run-list", ".sr-train-part >> nth=4", ".sr-train-start"]
    for shown in (parts, [".sr-run-list", ".sr-curves", ".sr-run-facts"]):
        for width, height in ((1024, 768), (390, 844)):
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            for part in shown:
                box = page.locator(part).bounding_box()
                assert box["x"] >= 0, part
                assert box["x"] + box["width"] <= width, part
        show(page, "x" * 60, "stopped")
