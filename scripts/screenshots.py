"""Take the pictures of the page for README and docs: one of each tab, on synthetic parts.

    segnet-res train --out runs/first --start checkpoints/magnetic-tile.safetensors
    python scripts/screenshots.py runs/first/best.safetensors

The checkpoint given here is seen in the pictures, and compared with the bundled one. Parts and
masks are drawn with fixed seeds, so that a picture changes when the page does. Look at them before
you commit them.
"""

import argparse
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from segnet_res.data import SegmentationDataset
from segnet_res.data.synth import synthesize

ROOT = Path(__file__).parents[1]
BUNDLED = ROOT / "checkpoints" / "magnetic-tile.safetensors"
OUT = ROOT / "docs" / "images"

SIZE = (1440, 900)
PATIENCE = 600_000


def inspect(page: Page) -> None:
    """One sample with its reference; specks do not count, here and in the tabs after it."""
    page.get_by_label("Smallest region that counts, in pixels").first.fill("25")
    shown = page.get_attribute(".sr-inspect", "data-ready")
    page.click("#sr-inspect button[data-sample=fray]")
    page.wait_for_function(
        "before => document.querySelector('.sr-inspect').dataset.ready !== before", arg=shown
    )
    expect(page.locator("#sr-inspect [data-score=miou]")).to_be_visible()


def evaluate(page: Page) -> None:
    """A split of a dataset, worst pictures first."""
    page.wait_for_selector(".sr-evaluate[data-sets]")
    page.get_by_role("button", name="Evaluate", exact=True).click()
    page.wait_for_selector(".sr-evaluate[data-ready^=done]")


def batch(page: Page) -> None:
    """A folder of the server with its verdicts."""
    page.wait_for_selector(".sr-batch[data-folders]")
    page.get_by_label("or a folder of the server").select_option(label="line 3")
    page.get_by_role("button", name="Inspect all").click()
    page.wait_for_selector(".sr-batch[data-ready^=done]")
    # Thumbnails that are in sight are there.
    page.wait_for_function(
        "[...document.querySelectorAll('.sr-batch img')].every((image) => image.complete)"
    )


def compare(page: Page) -> None:
    """Two checkpoints on one sample, the bundled one first."""
    page.locator(".sr-compare button[data-sample=fray]").click()
    expect(page.locator(".sr-compare")).to_contain_text("of the pixels differ")
    shown = page.get_attribute(".sr-compare", "data-ready")
    page.get_by_role("button", name="Swap A and B").click()
    page.wait_for_function(
        "before => document.querySelector('.sr-compare').dataset.ready !== before", arg=shown
    )
    expect(page.locator(".sr-compare .sr-pane select").first).to_have_value(BUNDLED.stem)


def annotate(page: Page) -> None:
    """A picture that the checkpoint has marked, in the editor."""
    page.wait_for_selector(".sr-annotate[data-places=listed]")
    page.get_by_role("combobox", name="Dataset").select_option("corrected")
    page.locator("#sr-annotate-place").select_option("folder:line 3")
    page.locator(".sr-annotate-picture").nth(3).click()
    page.wait_for_selector(".sr-annotate[data-ready^=opened]")
    page.get_by_role("textbox", name="Your name").fill("Ada")


def train(page: Page) -> None:
    """A retraining that has finished, with its curves."""
    page.wait_for_selector(".sr-train[data-choices][data-runs]")
    page.locator("[data-run='line 3'] button").click()
    page.wait_for_selector(".sr-train[data-ready='line 3:finished']")


def models(page: Page) -> None:
    """The cards, with the speed that has been measured behind the page."""
    expect(page.locator(".sr-model-card")).to_have_count(2)
    expect(page.locator(".sr-models")).not_to_contain_text("being measured")


SCENES: dict[str, Callable[[Page], None]] = {
    "Inspect": inspect,
    "Evaluate": evaluate,
    "Batch": batch,
    "Compare": compare,
    "Annotate": annotate,
    "Train": train,
    "Models": models,
}


@contextmanager
def page_of(checkpoints: Path, data: Path, runs: Path) -> Iterator[str]:
    """Run the page by its command while the block runs, and give its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "segnet_res", "app", "--port", "0",
         "--checkpoints", str(checkpoints), "--data", str(data), "--accept-annotations",
         "--runs", str(runs)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert process.stdout is not None
    found = re.search(r"http://\S+", process.stdout.readline())
    if found is None:
        raise SystemExit("the page did not start; its message stands above")
    try:
        yield found[0]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a Chromium without window."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
    if path is None:
        raise SystemExit("no Chromium found; install Debian's package chromium")
    options = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=options)
        yield browser
        browser.close()


def draw_parts(folder: Path) -> None:
    """Make two datasets of drawn parts, and a folder of pictures alone."""
    synthesize(folder / "tiles", count=40, seed=2)
    synthesize(folder / "corrected", count=12, seed=3)
    split = SegmentationDataset(folder / "tiles", "val")
    (folder / "line 3").mkdir()
    for i in range(len(split)):
        path = split.image_path(i)
        shutil.copy(path, folder / "line 3" / path.name)


def retrain(parent: Path, data: Path, run: Path) -> None:
    """Retrain for a minute or two, so that there are curves to see."""
    subprocess.run(
        [sys.executable, "-m", "segnet_res", "retrain", str(parent), str(data / "corrected"),
         "--base", str(data / "tiles"), "--out", str(run), "--epochs", "6", "--steps", "12",
         "--crop", "128"],
        check=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def shoot(page: Page, name: str, scheme: str) -> None:
    """Keep what is seen as a small PNG."""
    target = OUT / f"{name.lower()}{'-dark' if scheme == 'dark' else ''}.png"
    page.evaluate("Promise.all(document.getAnimations().map((one) => one.finished))")
    OUT.mkdir(parents=True, exist_ok=True)
    with Image.open(io.BytesIO(page.screenshot())) as image:
        # All colours: of a palette the small swatches would get others.
        image.convert("RGB").save(target, optimize=True)
    sys.stdout.write(f"{target.relative_to(ROOT)}: {target.stat().st_size / 1e3:.0f} kB\n")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("second", type=Path, help="a checkpoint to compare with the bundled one")
    parser.add_argument("--only", nargs="+", choices=SCENES, default=list(SCENES))
    parser.add_argument("--dark", action="store_true", help="as on a dark desktop")
    arguments = parser.parse_args()
    scheme = "dark" if arguments.dark else "light"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "checkpoints").mkdir()
        shutil.copy(BUNDLED, folder / "checkpoints")
        second = folder / "checkpoints" / "synthetic.safetensors"
        shutil.copy(arguments.second, second)
        draw_parts(folder / "parts")
        if "Train" in arguments.only:
            retrain(second, folder / "parts", folder / "runs" / "line 3")
        places = (folder / "checkpoints", folder / "parts", folder / "runs")
        with page_of(*places) as url, chromium() as browser:
            page = browser.new_page(
                viewport={"width": SIZE[0], "height": SIZE[1]}, color_scheme=scheme
            )
            page.set_default_timeout(PATIENCE)
            expect.set_options(timeout=PATIENCE)
            page.goto(url)
            page.wait_for_selector("[data-samples]")
            page.wait_for_function("document.querySelector('#sr-model')?.value")
            page.select_option("#sr-model", "synthetic")
            for tab in arguments.only:
                page.get_by_role("tab", name=tab, exact=True).click()
                SCENES[tab](page)
                shoot(page, tab, scheme)


if __name__ == "__main__":
    main()
