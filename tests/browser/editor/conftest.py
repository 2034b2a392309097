"""The editor of masks on a page of its own, without a server that answers."""

import base64
import functools
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Page

import segnet_res.web

STATIC = Path(segnet_res.web.__file__).parent / "static"
PAGE = Path(__file__).with_name("editor.html")
WINDOW = {"width": 1100, "height": 800}

CLASSES = [
    {"index": 0, "name": "background", "color": "#1b1f24"},
    {"index": 1, "name": "scratch", "color": "#e69f00"},
    {"index": 2, "name": "<b>dent</b>", "color": "#56b4e9"},
]
IGNORE = 255

OPEN = """async ({ name, width, height, labels, proposal, classes, ignore, background, url }) => {
    const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    try {
        return await editor.open({
            image: { name, width, height }, picture: `/${name}.png`, full: null,
            labels: url ?? bytes(labels), classes, ignore, background,
            proposal: proposal === null ? null : bytes(proposal),
        });
    } catch (error) {
        return error.message;
    }
}"""

# A string is carried to Python faster than a million numbers.
BYTES = """async (png) => {
    const blob = png ? await editor.png() : new Blob([editor.labels]);
    const bytes = new Uint8Array(await blob.arrayBuffer());
    let text = "";
    for (let i = 0; i < bytes.length; i += 32768) {
        text += String.fromCharCode(...bytes.subarray(i, i + 32768));
    }
    return btoa(text);
}"""

WHERE = """([x, y]) => {
    const { view, canvas } = editor.viewer;
    const box = canvas.getBoundingClientRect();
    const density = canvas.width / box.width;
    return [box.left + (view.x + x * view.scale) / density,
        box.top + (view.y + y * view.scale) / density];
}"""

MIDDLE = """() => {
    const { viewer } = editor;
    return viewer.pixelAt(viewer.canvas.width / 2, viewer.canvas.height / 2);
}"""

CANVAS = """() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() =>
    done(editor.viewer.canvas.toDataURL("image/png")))))"""


class Desk:
    """Somebody at the editor."""

    classes = CLASSES
    ignore = IGNORE

    def __init__(self, page: Page, pictures: Path) -> None:
        self.page = page
        self.pictures = pictures
        self.shape = (1, 1)

    def open(
        self, labels: np.ndarray, *, proposal: np.ndarray | None = None, **others: object
    ) -> Page:
        """Open labels over a picture of their size."""
        self.shape = labels.shape
        assert self.try_to_open(labels, proposal=proposal, **others) is True
        return self.page

    def try_to_open(
        self, labels: np.ndarray, *, proposal: np.ndarray | None = None, **others: object
    ) -> object:
        """Return what opening resolves with, or the sentence why it failed."""
        height, width = labels.shape
        name = f"picture-{width}x{height}"
        ramp = np.linspace(40, 200, width * height).reshape(height, width)
        cv2.imwrite(str(self.pictures / f"{name}.png"), ramp.astype(np.uint8))
        wanted = {
            "name": name, "width": width, "height": height, "labels": as_text(labels),
            "proposal": None if proposal is None else as_text(proposal), "classes": CLASSES,
            "ignore": IGNORE, "background": 0,
        }  # fmt: skip
        return self.page.evaluate(OPEN, wanted | others)

    def labels(self) -> np.ndarray:
        """Return what the editor says that the labels are."""
        content = base64.b64decode(self.page.evaluate(BYTES, False))
        return np.frombuffer(content, np.uint8).reshape(self.shape)

    def png(self) -> np.ndarray:
        """Return what OpenCV reads from the editor's file."""
        content = base64.b64decode(self.page.evaluate(BYTES, True))
        return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)

    def where(self, x: float, y: float) -> tuple[float, float]:
        """Return the point of the window where a place of the picture is seen."""
        return tuple(self.page.evaluate(WHERE, [x, y]))

    def middle(self) -> list[int]:
        """Return the pixel of the picture in the middle of the window."""
        return self.page.evaluate(MIDDLE)

    def drag(self, *places: tuple[float, float]) -> None:
        """Press at the first place of the picture and let go at the last."""
        points = [self.where(*place) for place in places]
        self.page.mouse.move(*points[0])
        self.page.mouse.down()
        for point in points[1:]:
            self.page.mouse.move(*point)
        self.page.mouse.up()

    def click(self, x: float, y: float) -> None:
        """Click on a place of the picture."""
        self.page.mouse.click(*self.where(x, y))

    def canvas(self) -> np.ndarray:
        """Return what is on the canvas, after the frame that is being drawn."""
        content = base64.b64decode(self.page.evaluate(CANVAS).partition(",")[2])
        return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)

    def brushed(self, size: int, *places: tuple[float, float]) -> np.ndarray:
        """Work out where a brush has been: within half its width of the line through its places."""
        snap = (lambda v: np.floor(v) + 0.5) if size % 2 else np.round
        corners = [(float(snap(x)), float(snap(y))) for x, y in places]
        x, y = self._middles()
        covered = np.zeros(self.shape, bool)
        for (ax, ay), (bx, by) in zip(corners, corners[1:] or corners, strict=False):
            length = (bx - ax) ** 2 + (by - ay) ** 2
            along = ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / (length or 1)
            along = np.clip(along, 0, 1)
            away = (x - ax - along * (bx - ax)) ** 2 + (y - ay - along * (by - ay)) ** 2
            covered |= away <= (size / 2) ** 2 + 1e-9
        return covered

    def inside(self, corners: list[tuple[float, float]]) -> np.ndarray:
        """Work out from which middles a ray to the left crosses an odd number of sides."""
        x, y = self._middles()
        odd = np.zeros(self.shape, bool)
        for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1], strict=True):
            if y1 != y2:
                crosses = (y1 <= y) != (y2 <= y)
                odd ^= crosses & (x1 + (y - y1) * (x2 - x1) / (y2 - y1) <= x)
        return odd

    def _middles(self) -> tuple[np.ndarray, np.ndarray]:
        y, x = np.mgrid[: self.shape[0], : self.shape[1]] + 0.5
        return x, y


def as_text(labels: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(labels, np.uint8).tobytes()).decode()


class Handler(http.server.SimpleHTTPRequestHandler):
    """The page's scripts, the test's page, and pictures of the test."""

    def __init__(self, pictures: Path, *arguments: object) -> None:
        self.pictures = pictures
        super().__init__(*arguments)

    def translate_path(self, path: str) -> str:
        name = path.partition("?")[0].lstrip("/")
        if name == "":
            return str(PAGE)
        folder = STATIC if name.startswith("page/") else self.pictures
        return str(folder / name.removeprefix("page/"))

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture(scope="module")
def address(pictures: Path) -> Iterator[str]:
    handler = functools.partial(Handler, pictures)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def load(context: BrowserContext, address: str, errors: list[str]) -> Page:
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address)
    page.wait_for_function("window.editor")
    return page


@pytest.fixture(scope="module")
def shared(browser: Browser, address: str) -> Iterator[tuple[Page, list[str]]]:
    """One page for the tests of a module: loading it takes longer than most of them."""
    errors: list[str] = []
    with browser.new_context(viewport=WINDOW) as context:
        yield load(context, address, errors), errors


@pytest.fixture
def page(shared: tuple[Page, list[str]]) -> Iterator[Page]:
    """The page with an editor of its own; the one before is gone from it."""
    page, errors = shared
    page.mouse.move(1, 1)
    page.evaluate("begin()")
    yield page
    assert errors == []


@pytest.fixture
def desk(page: Page, pictures: Path) -> Desk:
    return Desk(page, pictures)


@pytest.fixture
def desk_with(browser: Browser, address: str, pictures: Path) -> Iterator[Callable[..., Desk]]:
    """Makes a desk on a screen of another kind."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def make(**options: object) -> Desk:
        contexts.append(browser.new_context(**({"viewport": WINDOW} | options)))
        return Desk(load(contexts[-1], address, errors), pictures)

    yield make
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture
def spotted() -> np.ndarray:
    """Two scratches that touch at a corner, a dent, and a place that nobody can judge."""
    labels = np.zeros((60, 80), np.uint8)
    labels[5:15, 5:15] = 1
    labels[15:20, 15:30] = 1
    labels[30:50, 40:70] = 2
    labels[0:4, 70:80] = IGNORE
    return labels
