"""An inspector's whole loop in the page: wrong masks, corrected, retrained, compared, promoted."""

from contextlib import contextmanager

import cv2
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from segnet_res.checkpoint import checkpoint_name, read_metadata
from segnet_res.classes import ClassMap
from segnet_res.data import DatasetInfo, load_info, save_info
from segnet_res.data.splits import write_splits
from segnet_res.images import read_mask, write_image, write_mask
from segnet_res.recipe import TrainConfig
from segnet_res.retraining.golden_making import make_golden
from segnet_res.retraining.registry import Registry
from segnet_res.training import train
from tests.browser.conftest import start_page

OLD = ClassMap.from_names(["sound", "spot"])
NEW = ClassMap.from_names(["sound", "spot", "pit"])
HEIGHT, WIDTH = 40, 48
# A brush of this size is a disc of as many pixels across.
ACROSS = 15

QUICK = TrainConfig(
    arch="ressegnet-tiny", epochs=1, steps=80, batch=4, crop=32, lr=5e-3, ema=0.9, workers=0,
    augment="none", device="cpu",
)  # fmt: skip


def part(seed, *, pit):
    """Draw a part with a bright spot, and with a dark pit; returns its pit's centre too."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    y, x = rng.integers(3, 22), rng.integers(2, 8)
    labels[y : y + 14, x : x + 14] = 1
    center = (int(rng.integers(33, 39)), int(rng.integers(9, 30)))
    if pit:
        cv2.circle(labels, center, ACROSS // 2, 2, -1)
    picture = rng.integers(70, 100, labels.shape) + 110 * (labels == 1) - 60 * (labels == 2)
    return picture.astype(np.uint8)[..., None], labels, center


def write_dataset(root, class_map, splits, *, pit):
    for seeds in splits.values():
        for seed in seeds:
            picture, labels, _ = part(seed, pit=pit)
            write_image(root / "images" / f"{seed}.png", picture)
            write_mask(root / "masks" / f"{seed}.png", labels)
    save_info(root, DatasetInfo(root.name, class_map, 1))
    write_splits(root, {split: list(map(str, seeds)) for split, seeds in splits.items()})


@pytest.fixture(scope="module")
def plant(tmp_path_factory):
    """A checkpoint that knows spots, the data it learnt from, and arrivals with pits."""
    root = tmp_path_factory.mktemp("plant")
    data = root / "data"
    write_dataset(data / "spots", OLD, {"train": range(12), "val": range(12, 16)}, pit=False)
    write_dataset(data / "exam", NEW, {"test": range(50, 56)}, pit=True)
    make_golden(data / "exam", "test", data / "golden.json")
    for seed in range(100, 104):
        write_image(data / "arrivals" / f"{seed}.png", part(seed, pit=True)[0])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("segnet_res.training.loop.draw_curves", lambda *_: None)
        list(train(QUICK, data / "spots", root / "first"))
    (root / "checkpoints").mkdir()
    (root / "first" / "best.safetensors").rename(root / "checkpoints" / "first.safetensors")
    options = ("--data", data, "--accept-annotations", "--runs", root / "runs")
    with contextmanager(start_page)(root / "checkpoints", *map(str, options)) as running:
        yield root, running.url


def ready(page: Page, tab: str, act, kind: str, patience=60_000) -> None:
    """Act, then wait until a tab says that it has come to something."""
    before = page.get_attribute(tab, "data-ready")
    act()
    page.wait_for_function(
        """([tab, before, kind]) => {
            const { ready } = document.querySelector(tab).dataset;
            return ready && ready !== before && ready.startsWith(kind);
        }""",
        arg=[tab, before, kind],
        timeout=patience,
    )


def dab(page: Page, x: int, y: int) -> None:
    """Touch a pixel of the picture, which fits the editor, with the brush."""
    box = page.locator(".sr-annotate .sr-stage canvas").bounding_box()
    scale = min(box["width"] / WIDTH, box["height"] / HEIGHT)
    page.mouse.click(
        box["x"] + box["width"] / 2 + scale * (x + 0.5 - WIDTH / 2),
        box["y"] + box["height"] / 2 + scale * (y + 0.5 - HEIGHT / 2),
    )


def annotate(page: Page, data) -> None:
    """Correct the masks of the arrivals, in a new dataset with a new class."""
    page.get_by_role("tab", name="Annotate").click()
    page.wait_for_selector(".sr-annotate[data-places=listed]")
    place = page.locator("#sr-annotate-place")
    ready(page, ".sr-annotate", lambda: place.select_option("folder:arrivals"), "listed")
    first = page.locator(".sr-annotate-picture", has_text="100.png")
    ready(page, ".sr-annotate", first.click, "opened")
    page.get_by_role("combobox", name="Dataset").select_option(" new")
    page.get_by_role("textbox", name="Name of the folder").fill("pits")
    ready(page, ".sr-annotate", page.get_by_role("button", name="Make it").click, "opened")
    page.get_by_text("Add a class").click()
    page.get_by_role("textbox", name="Name of the new class").fill("pit")
    add = page.get_by_role("button", name="Add", exact=True)
    ready(page, ".sr-annotate", add.click, "class")
    page.get_by_role("textbox", name="Your name").fill("Ada")
    for seed in range(100, 104):
        expect(page.locator(".sr-annotate-picture[aria-current]")).to_contain_text(f"{seed}.png")
        page.locator(".sr-paint-class", has_text="pit").click()
        page.locator(".sr-annotate .sr-brush-size input[type=range]").fill(str(ACROSS))
        dab(page, *part(seed, pit=True)[2])
        save = page.get_by_role("button", name="Save as done")
        ready(page, ".sr-annotate", save.click, "saved")
    class_map = load_info(data / "pits").class_map
    assert class_map.names == NEW.names
    for seed in range(100, 104):
        labels = part(seed, pit=True)[1]
        found = read_mask(data / "pits" / "masks" / f"{seed}.png", class_map) == 2
        assert np.count_nonzero(found & (labels == 2)) > 0.9 * np.count_nonzero(labels == 2)


def retrain(page: Page) -> None:
    page.get_by_role("tab", name="Train").click()
    page.wait_for_selector(".sr-train[data-choices][data-runs]")
    page.get_by_label("Checkpoint", exact=True).select_option("first")
    page.get_by_label("Dataset with the corrected pictures", exact=True).select_option("pits")
    page.wait_for_selector(".sr-train-form[data-ready=ready]")
    # What the checkpoint was trained on is replayed, and nothing is trained on that measures.
    expect(page.get_by_label("spots")).to_be_checked()
    expect(page.get_by_label("golden.json")).to_be_checked()
    page.get_by_label("Name of the retraining").fill("pits")
    page.locator("summary", has_text="More options").click()
    for label, value in (("Epochs", 2), ("Steps an epoch", 60), ("Learning rate", 0.002)):
        page.get_by_label(label, exact=True).fill(str(value))
    page.get_by_role("button", name="Start the retraining").click()
    page.wait_for_selector(".sr-train[data-ready='pits:finished']", timeout=300_000)


def promote(page: Page) -> None:
    page.get_by_role("button", name="Compare and promote").click()
    page.wait_for_selector(".sr-promote[data-ready^=done]")
    expect(page.locator(".sr-flip-tabs")).to_contain_text("Newly missed: 0")
    expect(page.locator(".sr-flip-tabs")).to_contain_text("Newly found: 6")
    page.locator("#sr-promote-by").fill("Ada")
    page.locator("#sr-promote-reason").fill("finds pits")
    page.get_by_role("button", name="Promote pits").click()
    expect(page.locator(".sr-promote-form .sr-done")).to_contain_text("pits serves now")


def test_from_wrong_masks_to_the_checkpoint_that_serves(open_page, plant, tmp_path, act_and_wait):
    root, url = plant
    page = open_page(url, viewport={"width": 1366, "height": 768})
    annotate(page, root / "data")
    retrain(page)
    promote(page)

    folder = root / "checkpoints"
    entry = Registry(folder).serving()
    assert (entry.checkpoint, entry.by, entry.why) == ("pits", "Ada", "finds pits")
    by_name = {one["name"]: one["iou"] for one in entry.comparison["classes"]}
    assert by_name["pit"]["after"] > 0.5
    candidate = read_metadata(folder / "pits.safetensors")
    assert candidate.parent.startswith(checkpoint_name(folder / "first.safetensors"))

    # The next part is inspected by what serves, which finds its pit.
    expect(page.locator("#sr-model")).to_have_value("pits")
    page.get_by_role("tab", name="Inspect").click()
    write_image(tmp_path / "200.png", part(200, pit=True)[0])
    act_and_wait(page, lambda: page.set_input_files("#sr-image", tmp_path / "200.png"))
    row = page.locator(".sr-legend tbody tr", has_text="pit")
    assert int(row.locator("td.sr-number").first.locator("small").inner_text().split()[0]) > 50
