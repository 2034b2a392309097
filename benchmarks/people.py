"""Drives the page for `web.py`: its server as a process, and what a person does in a browser."""

import base64
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from segnet_res.data.synth import draw_part
from segnet_res.images import UInt8Array

DESKTOP = {"width": 1440, "height": 900}

# A person may wait for long when nineteen others were first.
PATIENCE = 1_800_000

# Everything that a page of ours needs to be measured. The clock is the browser's own, so that
# the talk between this process and Chromium is not measured.
_SCRIPT = """
window.bench = {
    pictures: [],
    keep(name, text) {
        const data = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
        return this.pictures.push({ name, data }) - 1;
    },
    // A comment in the JPEG makes each drop another file, as the next photograph would be.
    file(which, salt) {
        const { name, data } = this.pictures[which];
        const comment = new Uint8Array([255, 254, 0, 4, salt >> 8, salt & 255]);
        const parts = [data.subarray(0, 2), comment, data.subarray(2)];
        return new File(parts, name.replace(/[.]/, `-${salt}.`), { type: "image/jpeg" });
    },
    changed(node, attribute) {
        return new Promise((done) => {
            const watch = new MutationObserver(() => { watch.disconnect(); done(); });
            watch.observe(node, { attributes: true, attributeFilter: [attribute] });
        });
    },
    frames: () => new Promise((done) =>
        requestAnimationFrame(() => requestAnimationFrame(() => done()))),
    async drop(which, salt) {
        const transfer = new DataTransfer();
        transfer.items.add(this.file(which, salt));
        const root = document.querySelector(".sr-inspect");
        const drawn = this.changed(root, "data-ready");
        const said = [];
        const status = document.querySelector(".sr-status");
        const listen = new MutationObserver(() => said.push(status.textContent));
        listen.observe(status, { childList: true, characterData: true, subtree: true });
        const start = performance.now();
        document.querySelector(".sr-stage").dispatchEvent(
            new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
        await drawn;
        const ms = performance.now() - start;
        listen.disconnect();
        return { ms, said, status: status.textContent, ready: root.dataset.ready,
            alert: document.querySelector(".sr-alert").textContent };
    },
    async act(node, act) {
        const start = performance.now();
        act(node);
        await this.frames();
        return performance.now() - start;
    },
};
"""


@dataclass(frozen=True)
class Drop:
    """What came of a dropped picture.

    Attributes:
        ms: From the drop until the mask was on the screen, by the browser's clock.
        stages: The server's own times in milliseconds: read, model, files, ...
        size: Width and height that the page tells, or None.
        said: What the status line said on the way.
    """

    ms: float
    stages: dict[str, int]
    size: tuple[int, int] | None
    said: list[str]


class Server:
    """The page, started by its command.

    Args:
        checkpoints: Folder to choose from.
        folder: Becomes the process's folder for temporary files, so that they can be counted.
    """

    def __init__(self, checkpoints: Path, folder: Path) -> None:
        self.folder = folder
        command = [sys.executable, "-m", "segnet_res", "app", "--port", "0"]
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            [*command, "--checkpoints", str(checkpoints)],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"TMPDIR": str(folder)},
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://\S+", line)
        if found is None:
            raise SystemExit(f"the page did not start: {line}")
        self.open_after = time.perf_counter() - self.started
        self.url = found[0]

    def since_start(self) -> float:
        """Return the seconds since the command was given."""
        return time.perf_counter() - self.started

    def memory(self) -> float:
        """Return the MB of memory that the process holds, without pages of mapped files."""
        return status_mb(self.process.pid, "RssAnon")

    def peak(self) -> float:
        """Return the most MB that it ever held, pages of mapped files included."""
        return status_mb(self.process.pid, "VmHWM")

    def disk(self) -> float:
        """Return the MB of its temporary files."""
        return sum(p.stat().st_size for p in self.folder.rglob("*") if p.is_file()) / 1e6

    def stop(self) -> None:
        """End it as a plain kill does."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


def status_mb(process: int, field: str) -> float:
    """Return a field of /proc/PROCESS/status in MB."""
    text = Path(f"/proc/{process}/status").read_text()
    (kilobytes,) = re.findall(rf"^{field}:\s+(\d+) kB$", text, re.MULTILINE)
    return int(kilobytes) * 1024 / 1e6


@contextmanager
def serving(checkpoints: Path) -> Iterator[Server]:
    """Run the page while the block runs, its temporary files in a folder of their own."""
    with tempfile.TemporaryDirectory(prefix="page-") as folder:
        server = Server(checkpoints, Path(folder))
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a Chromium without window."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
    if path is None:
        raise SystemExit("no Chromium found; install Debian's package chromium")
    options = ["no-sandbox", "disable-gpu", "disable-dev-shm-usage"]
    options += ["disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=[f"--{option}" for option in options]
        )
        yield browser
        browser.close()


class Person:
    """Somebody with the page open in a browser of their own.

    Args:
        browser: Where; each person has their own cookies and cache.
        url: Address of the page.
    """

    def __init__(self, browser: Browser, url: str) -> None:
        self.context: BrowserContext = browser.new_context(viewport=DESKTOP)
        self.context.add_init_script(_SCRIPT)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.page.goto(url)
        # Samples listed and a checkpoint chosen: now a picture can be dropped.
        self.page.wait_for_selector("[data-samples]")
        self.page.wait_for_function("document.querySelector('#sr-model')?.value")

    def take(self, name: str, picture: bytes) -> int:
        """Put a JPEG at hand and return its number for `drop`."""
        text = base64.b64encode(picture).decode()
        return int(self.page.evaluate("([name, text]) => bench.keep(name, text)", [name, text]))

    def drop(self, which: int, salt: int) -> Drop:
        """Drop a picture on the viewer and wait until its mask is drawn."""
        self.begin_drop(which, salt)
        return self.end_drop()

    def begin_drop(self, which: int, salt: int) -> None:
        """Drop a picture on the viewer."""
        script = "([which, salt]) => { bench.run = bench.drop(which, salt); }"
        self.page.evaluate(script, [which, salt])

    def end_drop(self) -> Drop:
        """Wait until the mask of the dropped picture is drawn."""
        outcome = self.page.evaluate("bench.run")
        if outcome["ready"].startswith("failed"):
            raise SystemExit(f"no result: {outcome['alert']}")
        status = outcome["status"]
        size = re.search(r"(\d+)\D{1,3}(\d+) px", status)
        return Drop(
            outcome["ms"],
            {name: int(ms) for name, ms in re.findall(r"(\w+) (\d+) ms", status)},
            (int(size[1]), int(size[2])) if size else None,
            outcome["said"],
        )

    def work_out(self, view: str) -> None:
        """Choose a view of the viewer and wait until it is drawn, however long that takes."""
        self.page.locator("#sr-inspect .sr-modes").get_by_text(view, exact=True).click()
        canvas, message = "#sr-inspect .sr-stage canvas", "#sr-inspect .sr-message"
        self.page.wait_for_selector(f"{canvas}[data-mode={view}]")
        self.page.wait_for_selector(message, state="hidden")

    def timed(self, selector: str, act: str) -> float:
        """Act on an element and return the milliseconds until the canvas was drawn again."""
        script = f"(node) => bench.act(node, (node) => {{ {act} }})"
        return float(self.page.locator(selector).first.evaluate(script))

    def leave(self) -> None:
        """Close the browser."""
        self.context.close()


def browser_memory(browser: Browser) -> float:
    """Return the MB of memory of all processes of a browser, without pages of mapped files."""
    session = browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    total = 0.0
    for process in processes:
        try:
            total += status_mb(process["id"], "RssAnon") + status_mb(process["id"], "RssShmem")
        except FileNotFoundError:
            continue  # it has just ended
    return total


def photograph(seed: int, width: int, height: int) -> bytes:
    """Return the JPEG of a synthetic part with a defect, grey like a camera of the line."""
    return jpeg(part(seed, width, height))


def part(seed: int, width: int, height: int) -> UInt8Array:
    """Return a synthetic part with a defect, (height, width) uint8; large ones are enlarged."""
    rng = np.random.default_rng(seed)
    factor = max(1, round(width / 800))
    drawn = draw_part(rng, size=(-(-height // factor), -(-width // factor)), defects=["crack"])
    image = cv2.resize(drawn.image[..., 0], (width, height), interpolation=cv2.INTER_CUBIC)
    # Grain: a photograph is never as smooth as an enlargement, and so compresses worse.
    grain = rng.normal(0, 3, image.shape).astype(np.float32)
    return np.clip(image + grain, 0, 255).astype(np.uint8)


def jpeg(image: UInt8Array) -> bytes:
    """Return an image as JPEG."""
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()


def commented(picture: bytes, number: int) -> bytes:
    """Return a JPEG with a number as comment: the same picture, another file."""
    return picture[:2] + b"\xff\xfe\x00\x04" + number.to_bytes(2, "big") + picture[2:]


def surroundings(browser: Browser) -> dict[str, Any]:
    """Name machine and versions; the load tells whether others were computing too."""
    import gradio
    import torch

    return {
        "machine": f"{platform.machine()} CPU, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "gradio": gradio.__version__,
        "chromium": browser.version,
    }
