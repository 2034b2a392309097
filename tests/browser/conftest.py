"""The page in a process of its own, and a real Chromium that may reach nothing else."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlparse

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Route,
    expect,
)

from segnet_res.checkpoint import Checkpoint, Metadata
from segnet_res.classes import MAGNETIC_TILE, ClassMap
from segnet_res.inference import Segmenter
from segnet_res.models import build_model
from segnet_res.web.passwords import set_login

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")

# The files that take minutes, see below.
LONGEST = ("people", "train", "loop", "security", "evaluate")

# How long a test waits for what must come: a bound for a busy machine, not a measure of speed.
PATIENCE = 60_000
expect.set_options(timeout=PATIENCE)

# Names that would do harm if any of them became markup or part of a template.
EVIL_NAMES = (
    "background",
    '<img src=x onerror="window.harmed=1">',
    "${window.harmed=2}",
    "{{constructor.constructor('window.harmed=3')()}}",
    "Oberflaechenbeschichtungsfehlerstelle",
    "</script><script>window.harmed=4</script>",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
    # Last: Playwright leaves an event loop in this thread, in which others cannot run their own.
    # Of these the longest first: a process has a whole file, and none shall be left alone with one.
    longest = {f"test_{name}": i for i, name in enumerate(LONGEST)}
    items.sort(
        key=lambda item: (
            item.get_closest_marker("browser") is not None,
            longest.get(item.path.stem, len(longest)),
        )
    )


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, object]:
    if CHROMIUM is None:
        message = "no Chromium found; install Debian's package chromium"
        if os.environ.get("SEGNET_RES_REQUIRE_BROWSER") == "1":
            pytest.fail(message)
        pytest.skip(message)
    options = ["no-sandbox", "disable-gpu", "disable-dev-shm-usage"]
    # No name leads anywhere: a page may reach its own server and nothing else.
    options += ["disable-background-networking"]
    options += ["host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"]
    return {"executable_path": CHROMIUM, "args": [f"--{option}" for option in options]}


def save_checkpoint(path: Path, class_map: ClassMap, *, present: tuple[int, ...]) -> None:
    """Save an untrained model of fixed weights that only ever finds the classes `present`."""
    torch.manual_seed(5)
    mean, std = (120.0,), (40.0,)
    model = build_model(
        "ressegnet-tiny", num_classes=len(class_map), channels=1, mean=mean, std=std
    ).eval()
    bias = [p for p in model.parameters() if p.shape == (len(class_map),)][-1]
    with torch.no_grad():
        bias.fill_(-1e4)
        bias[list(present)] = 0
    meta = Metadata(
        architecture="ressegnet-tiny", class_map=class_map, channels=1, mean=mean, std=std,
        data={"name": "tiles of the test", "images": 12}, created="2024-02-03T04:05:06+00:00",
    )  # fmt: skip
    Checkpoint(meta, model.state_dict()).save(path)


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints")
    save_checkpoint(folder / "a-tiles.safetensors", MAGNETIC_TILE, present=(0, 3, 5))
    save_checkpoint(folder / "b-evil.safetensors", ClassMap.from_names(EVIL_NAMES), present=(0, 1))
    (folder / "c-broken.safetensors").write_bytes(b"nonsense")
    return folder


@dataclass(frozen=True)
class RunningPage:
    url: str
    process: subprocess.Popen[str]


def start_page(folder: Path, *options: str) -> Iterator[RunningPage]:
    """Start the command as a user would, and end it by a plain kill."""
    command = [sys.executable, "-m", "segnet_res", "app", "--checkpoints", str(folder)]
    command += ["--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline()
            match = re.search(r"http://\S+", line)
            assert match, f"the page did not start: {line}"
            yield RunningPage(match[0], process)
        except BaseException:
            process.kill()
            raise
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


@pytest.fixture(scope="session")
def server(checkpoints: Path) -> Iterator[RunningPage]:
    yield from start_page(checkpoints)


@pytest.fixture(scope="module")
def start_with(checkpoints: Path) -> Iterator[Callable[..., RunningPage]]:
    """Starts further pages: ``start_with("--data", folder)``; they end with the file's tests."""
    with ExitStack() as stack:
        start = contextmanager(start_page)
        yield lambda *options: stack.enter_context(start(checkpoints, *map(str, options)))


@pytest.fixture(scope="session")
def closed_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPage]:
    """A page with an empty folder of checkpoints and one login."""
    folder = tmp_path_factory.mktemp("empty")
    logins = tmp_path_factory.mktemp("auth") / "logins"
    set_login(logins, "anna", "correct horse")
    yield from start_page(folder, "--auth", str(logins))


@pytest.fixture(scope="session")
def segmenter(checkpoints: Path) -> Segmenter:
    """What Python makes of the checkpoint that the page chooses."""
    return Segmenter.from_checkpoint(checkpoints / "a-tiles.safetensors", device="cpu")


def note_errors(page: Page, problems: list[str]) -> None:
    """Note what the page says as an error in its console.

    Gradio's client breaks off its open requests when a page is left or loaded again, and says so:
    that is no problem.
    """
    broken_off = False

    def note(said: ConsoleMessage) -> None:
        nonlocal broken_off
        if said.type != "error":
            return
        if "AbortError" in said.text:
            broken_off = True
        elif not (broken_off and "Connection errored out" in said.text):
            problems.append(f"console: {said.text}")

    page.on("console", note)


@pytest.fixture
def problems() -> list[str]:
    """Errors and outside requests of the page; what is left at the end fails the test."""
    return []


@pytest.fixture
def open_page(
    browser: Browser, server: RunningPage, problems: list[str]
) -> Iterator[Callable[..., Page]]:
    """Opens the page in a fresh context."""
    contexts: list[BrowserContext] = []

    def open_it(url: str = server.url, **options: object) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)

        def only_the_page(request: Request) -> None:
            if not request.url.startswith((url.partition("#")[0], "data:", "blob:")):
                problems.append(f"outside request: {request.url}")

        # Not `route`, which asks here before every request: there are hundreds of them.
        context.on("request", only_the_page)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: problems.append(f"page error: {error}"))
        note_errors(page, problems)
        page.goto(url)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    """The page as it opens on a desktop, samples listed."""
    page = open_page(viewport={"width": 1440, "height": 900})
    page.wait_for_selector("[data-samples='6']")
    return page


@pytest.fixture
def act_and_wait() -> Callable[[Page, Callable[[], object]], None]:
    """Acts, then waits until the result (or the failure) of that act is on the screen."""

    def act_and_wait(page: Page, act: Callable[[], object]) -> None:
        before = page.get_attribute(".sr-inspect", "data-ready")
        act()
        page.wait_for_function(
            "before => document.querySelector('.sr-inspect').dataset.ready !== before", arg=before
        )

    return act_and_wait


@pytest.fixture
def sweep() -> Callable[[str], None]:
    """Sweeps the server's uploads and results away; takes the address of a file of one of them."""

    def sweep(url: str) -> None:
        private = Path(unquote(urlparse(url).path).partition("file=")[2]).parents[1]
        assert private.name.startswith("segnet-res-")
        for folder in private.iterdir():
            if folder.is_dir() and folder.name != "samples":
                shutil.rmtree(folder)

    return sweep


@pytest.fixture
def hold_back() -> Callable[[Page, str], Callable[[], None]]:
    """Holds the question of an action back; what it returns lets the server have it."""

    def hold_back(page: Page, action: str) -> Callable[[], None]:
        page.evaluate(
            """(action) => {
                const ask = window.fetch;
                const go = new Promise((let_go) => { window.letGo = let_go; });
                window.fetch = async (address, options) => {
                    if (String(options?.body).includes(`"action":"${action}"`)) {
                        window.heldBack = true;
                        await go;
                    }
                    return ask(address, options);
                };
            }""",
            action,
        )

        def let_go() -> None:
            page.evaluate("window.letGo()")

        return let_go

    return hold_back


@pytest.fixture
def drop_paths() -> Callable[..., None]:
    """Drops files or folders of the disk on the middle of a place, as a file manager does."""

    def drop_paths(page: Page, selector: str, *paths: Path) -> None:
        place = page.locator(selector)
        place.scroll_into_view_if_needed()
        box = place.bounding_box()
        assert box is not None
        where = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
        session = page.context.new_cdp_session(page)
        for kind in ("dragEnter", "dragOver", "drop"):
            session.send("Input.dispatchDragEvent", {"type": kind, **where, "data": data})

    return drop_paths


@pytest.fixture
def lose() -> Callable[[Page, str], list[str]]:
    """Loses the next question that has a text in it, as Gradio now and then does; notes it."""

    def lose(page: Page, text: str) -> list[str]:
        lost: list[str] = []

        def lose_the_first(route: Route) -> None:
            if lost or text not in (route.request.post_data or ""):
                return route.continue_()
            lost.append(route.request.post_data or "")
            # As if it had joined Gradio's queue, of which nothing is ever heard again.
            return route.fulfill(json={"event_id": "lost"})

        page.route("**/queue/join*", lose_the_first)
        return lost

    return lose


@pytest.fixture
def part(tmp_path: Path) -> Path:
    """A grey picture of odd size with bright and dark places."""
    rng = np.random.default_rng(3)
    pixels = rng.integers(90, 150, (101, 143), np.uint8)
    pixels[20:60, 30:80] = 240
    path = tmp_path / "part-7.png"
    Image.fromarray(pixels).save(path)
    return path
