"""A candidate compared and promoted from the page, and the way back."""

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from segnet_res.checkpoint import Checkpoint, short_hash
from segnet_res.classes import ClassMap
from segnet_res.data import DatasetInfo, save_info
from segnet_res.data.splits import write_splits
from segnet_res.retraining.folder import RetrainFolder
from segnet_res.retraining.golden_making import make_golden
from segnet_res.retraining.registry import Registry
from segnet_res.retraining.state import Progress, Request
from tests.browser.conftest import EVIL_NAMES, save_checkpoint, start_page
from tests.browser.test_people import CUT_OFF, STICKS_OUT, faults

CLASSES = ClassMap.from_names(["background", "crack", *EVIL_NAMES[1:]])
CRACK, EVIL = 1, 2
EVIL_RUN = '<img src=x onerror="window.harmed=9">'

# Picture, and its defects: label, left, top, width, height.
PARTS = {
    "press 4/p1": [(CRACK, 100, 40, 30, 20)],
    "press 4/p2": [(CRACK, 10, 10, 12, 8), (EVIL, 60, 80, 40, 10)],
    "press 5/p3": [],
}


def make_dataset(root):
    rng = np.random.default_rng(2)
    for stem, defects in PARTS.items():
        mask = np.zeros((120, 160), np.uint8)
        for label, left, top, width, height in defects:
            mask[top : top + height, left : left + width] = label
        picture = rng.integers(60, 120, mask.shape) + 60 * (mask > 0)
        for folder, pixels in (("images", picture.astype(np.uint8)), ("masks", mask)):
            path = root / folder / f"{stem}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    save_info(root, DatasetInfo("caps", CLASSES, 1))
    write_splits(root, {"test": list(PARTS)})


class Plant:
    """Checkpoints, golden set and finished retrainings of a plant, and its page."""

    def __init__(self, folder):
        self.checkpoints, self.runs = folder / "checkpoints", folder / "runs"
        self.checkpoints.mkdir()
        # The old one calls everything a crack.
        self.old = self.checkpoints / "old.safetensors"
        save_checkpoint(self.old, CLASSES, present=(CRACK,))
        make_dataset(folder / "data" / "caps")
        make_golden(folder / "data" / "caps", "test", folder / "data" / "golden.json")
        self.data = folder / "data"
        self.put("blind", present=(0,))
        for name in ("one", "two", EVIL_RUN):
            self.put(name, present=(CRACK,))

    def put(self, name, present):
        """Leave a retraining as its process would have left it."""
        run = RetrainFolder(self.runs / name)
        run.ask(Request(self.old, self.data / "caps"))
        run.write_progress(Progress("finished", ticket=len(list(self.runs.iterdir()))))
        path = run.path / "best.safetensors"
        save_checkpoint(path, CLASSES, present=present)
        written = Checkpoint.load(path)
        parent = f"old {short_hash(self.old)}"
        replace(written, metadata=replace(written.metadata, licence=name, parent=parent)).save(path)

    def serve(self, name):
        """Let something serve without the page, as the command would."""
        from segnet_res.retraining.comparison import open_exam
        from segnet_res.retraining.promotion import plan_promotion, promote

        plan = plan_promotion(self.checkpoints / f"{name}.safetensors", self.checkpoints)
        promote(plan, open_exam(self.data / "golden.json"), None, by="Ada", why="the first")


@pytest.fixture(scope="module")
def plant(tmp_path_factory):
    plant = Plant(tmp_path_factory.mktemp("plant"))
    plant.serve("old")
    options = ("--data", str(plant.data), "--runs", str(plant.runs))
    with contextmanager(start_page)(plant.checkpoints, *options) as running:
        plant.url = running.url
        yield plant


@pytest.fixture
def open_train(open_page, plant):
    def open_train(**options):
        page = open_page(plant.url, **{"viewport": {"width": 1366, "height": 900}, **options})
        page.get_by_role("tab", name="Train").click()
        # The first page of a server waits for it to warm up.
        page.wait_for_selector(".sr-train[data-runs]")
        return page

    return open_train


def serving(plant):
    return Registry(plant.checkpoints).serving().checkpoint


def compare(page: Page, name: str) -> None:
    """Choose a retraining and compare it, and wait for what comes out."""
    page.evaluate(
        "(run) => document.dispatchEvent(new CustomEvent('sr-candidate', { detail: { run } }))",
        name,
    )
    heading = page.locator(".sr-promote-compared")
    expect(heading).to_contain_text(f"{name} against")
    page.wait_for_selector(".sr-promote[data-ready^=done]")


def fill(page: Page, **words) -> None:
    for label, text in words.items():
        page.locator(f"#sr-promote-{label.replace('_', '-')}").fill(text)


def test_a_blind_candidate_is_looked_at_accepted_and_taken_back(open_train, plant):
    page = open_train()
    page.locator("[data-run='blind'] button").click()
    page.get_by_role("button", name="Compare and promote").click()
    expect(page.locator(".sr-promote-compared")).to_have_text("blind against old on golden.json")
    page.wait_for_selector(".sr-promote[data-ready^=done]")
    # What the old one called a crack everywhere, the blind one does not see.
    cards = page.locator(".sr-promote .sr-card strong")
    assert cards.all_inner_texts()[1:] == ["3 → 0", "100.0 % → 0.0 %", "0.0 % → 100.0 %"]
    rows = page.locator(".sr-promote-table tbody tr")
    expect(rows.nth(CRACK)).to_contain_text("too few")
    expect(rows.nth(EVIL).locator(".sr-name")).to_have_text(EVIL_NAMES[1])
    tabs = page.locator(".sr-flip-tabs button").all_inner_texts()
    assert tabs == [
        "Newly missed: 3", "Newly found: 0", "Another class: 0", "New false alarms: 0",
        "Ended false alarms: 1",
    ]  # fmt: skip
    # The largest comes first, in all three viewers at its place.
    page.wait_for_selector("[data-shown='newly_missed 0']")
    place = page.locator(".sr-flip-place")
    expect(place).to_have_text("crack in press 4/p1, at 100, 40")
    page.locator("[data-layer=truth] canvas").hover()
    # Column, row and class of the pixel below the pointer.
    assert [text.split("  ")[2] for text in hovered(page)] == ["crack", "crack", "background"]
    page.keyboard.press("PageDown")
    page.wait_for_selector("[data-shown='newly_missed 1']")
    expect(place).to_contain_text(f"{EVIL_NAMES[1]} in press 4/p2, at 60, 80")
    page.locator("[data-list=ended_alarms]").click()
    page.wait_for_selector("[data-shown='ended_alarms 0']")
    expect(place).to_have_text("press 5/p3")
    page.locator("[data-list=newly_found]").click()
    expect(page.locator(".sr-flip-none")).to_have_text("No defect is newly found.")
    # Nothing is promoted as long as something is missing.
    button = page.get_by_role("button", name="Promote blind")
    needed = page.locator("#sr-promote-needed")
    fill(page, by="Ada", reason="the press is new")
    expect(button).to_be_disabled()
    expect(needed).to_have_text("Defects are newly missed: accept that with a reason first.")
    page.get_by_label("Accept the newly missed defects").check()
    expect(button).to_be_disabled()
    fill(page, accept_why="cracks are allowed <b>now</b>")
    expect(needed).to_have_text("")
    assert serving(plant) == "old"
    button.click()
    expect(page.locator(".sr-promote-form .sr-done")).to_have_text(
        "blind serves now, instead of old."
    )
    assert serving(plant) == "blind"
    # The page chooses it, and every list says so.
    header = page.locator("#sr-model")
    expect(header).to_have_value("blind")
    expect(header.locator("option").first).to_have_text("blind · serves")
    # Whoever goes up to retrain next goes on from it.
    page.locator(".sr-run-fresh").scroll_into_view_if_needed()
    expect(page.locator("#sr-train-parent")).to_have_value("blind")
    go_back(page, plant)
    assert page.evaluate("window.harmed") is None


def hovered(page: Page) -> list[str]:
    texts = page.locator(".sr-flip-panes .sr-hover")
    expect(texts.last).to_be_visible()
    return texts.all_inner_texts()


def go_back(page: Page, plant: Plant) -> None:
    """Look at the Models tab, and let the old one serve again."""
    page.get_by_role("tab", name="Models").click()
    card = page.locator(".sr-model-card[data-name=blind]")
    expect(card.locator(".sr-serves-mark")).to_have_text("serves")
    page.locator("#sr-registry").scroll_into_view_if_needed()
    line = page.locator(".sr-history tbody tr").first
    expect(line).to_contain_text("blind promoted")
    expect(line).to_contain_text("Misses accepted: cracks are allowed <b>now</b>")
    expect(line).to_contain_text("3 newly missed")
    tree = page.locator(".sr-tree > ul > li")
    expect(tree.locator("[data-name=old]")).to_contain_text("promoted once")
    expect(tree.locator("ul [data-name=blind] .sr-serves-mark")).to_be_visible()
    page.get_by_role("button", name="Go back to old").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_have_text("Let old serve again?")
    assert not faults(page, "dialog")
    # The name was given before.
    expect(page.get_by_label("Your name").last).to_have_value("Ada")
    dialog.get_by_role("button", name="Let old serve again").click()
    assert serving(plant) == "blind"
    dialog.get_by_label("Reason").fill("overkill on the night shift")
    dialog.get_by_role("button", name="Let old serve again").click()
    expect(page.locator(".sr-registry .sr-done")).to_have_text("old serves again.")
    expect(page.locator(".sr-serving-now")).to_contain_text("old serves since")
    expect(page.locator(".sr-serving-why")).to_have_text(
        "Ada went back to it: overkill on the night shift"
    )
    expect(page.locator("#sr-model")).to_have_value("old")
    assert serving(plant) == "old"


def test_two_people_and_a_reload(open_train, plant):
    first, second = open_train(), open_train()
    compare(first, "one")
    compare(second, "two")
    # Found again by its token, without another comparison.
    before = second.get_attribute(".sr-promote", "data-ready")
    second.reload()
    second.get_by_role("tab", name="Train").click()
    second.wait_for_selector(f".sr-promote[data-ready='{before}']")
    expect(second.locator(".sr-promote-compared")).to_contain_text("two against")
    for page, name in ((first, "one"), (second, "two")):
        fill(page, by=f"who promotes {name}", reason="no defect is missed")
        page.get_by_role("button", name=f"Promote {name}").click()
    expect(first.locator(".sr-promote-form .sr-done")).to_contain_text("one serves now")
    alert = second.locator(".sr-promote-form .sr-alert")
    expect(alert).to_contain_text("who promotes one has made one serve meanwhile")
    expect(second.get_by_role("button", name="Promote two")).to_be_enabled()
    assert serving(plant) == "one"


def test_names_are_text_and_a_broken_golden_set_is_told(open_train, plant):
    broken = plant.data / "broken.json"
    broken.write_text('{"golden": 1, "<img src=x onerror=window.harmed=2>": 1}')
    page = open_train()
    compare(page, EVIL_RUN)
    expect(page.locator(".sr-promote-compared")).to_contain_text(EVIL_RUN)
    expect(page.locator(".sr-promote-choice .sr-problems")).to_contain_text("broken.json")
    # No name for a checkpoint: another one must be given.
    fill(page, by=EVIL_NAMES[1], reason=EVIL_NAMES[5])
    page.locator(".sr-promote-end button").click()
    alert = page.locator(".sr-promote-form .sr-alert")
    expect(alert).to_contain_text("no name for a checkpoint; give up to 100 letters")
    fill(page, name="good")
    page.locator(".sr-promote-end button").click()
    expect(page.locator(".sr-promote-form .sr-done")).to_contain_text("good serves now")
    page.get_by_role("tab", name="Models").click()
    page.locator("#sr-registry").scroll_into_view_if_needed()
    expect(page.locator(".sr-history tbody tr").first).to_contain_text(EVIL_NAMES[5])
    expect(page.locator(".sr-history tbody tr").first).to_contain_text(EVIL_NAMES[1])
    assert page.evaluate("window.harmed") is None
    broken.unlink()


def test_it_keeps_the_rules_and_fits_every_screen(open_train):
    page = open_train()
    compare(page, "blind")
    page.wait_for_selector("[data-shown='newly_missed 0']")
    page.get_by_label("Accept the newly missed defects").check()
    problems = []
    for tab in ("Train", "Models"):
        page.get_by_role("tab", name=tab).click()
        if tab == "Models":
            page.locator("#sr-registry").scroll_into_view_if_needed()
            page.wait_for_selector(".sr-registry[data-ready]")
        for width, height in ((1366, 768), (1024, 768), (390, 844)):
            page.set_viewport_size({"width": width, "height": height})
            page.evaluate(
                "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
            )
            where = f"{tab} {width}"
            problems += [f"{where}: sticks out: {text}" for text in page.evaluate(STICKS_OUT)]
            problems += [f"{where}: too small: {text}" for text in page.evaluate(CUT_OFF)]
        for scheme in ("light", "dark"):
            # As gradio does when the desktop is dark.
            page.evaluate(
                "(dark) => document.body.classList.toggle('dark', dark)", scheme == "dark"
            )
            problems += faults(page, f"{where} {scheme}")
        page.set_viewport_size({"width": 1366, "height": 768})
    assert not problems, "\n".join(problems)


def test_without_a_folder_of_runs_everybody_may_only_look(open_page):
    page = open_page()
    page.get_by_role("tab", name="Models").click()
    page.locator("#sr-registry").scroll_into_view_if_needed()
    page.wait_for_selector(".sr-registry[data-ready]")
    expect(page.locator(".sr-serving")).to_contain_text("No checkpoint was promoted yet.")
    expect(page.locator(".sr-tree-node")).to_have_count(2)
    assert page.locator(".sr-go-back, #sr-promote").count() == 0
