"""The editor of masks: which pixels its tools change, compared with numpy and OpenCV."""

import base64
import functools
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

import segnet_res.web

STATIC = Path(segnet_res.web.__file__).parent / "static"
HERE = Path(__file__).parent

CLASSES = [
    {"index": 0, "name": "background", "color": "#1b1f24"},
    {"index": 1, "name": "scratch", "color": "#e69f00"},
    {"index": 2, "name": "<b>dent</b>", "color": "#56b4e9"},
]
IGNORE = 255


class Handler(http.server.SimpleHTTPRequestHandler):
    """The page's scripts, the test's page, and pictures of the test."""

    def __init__(self, pictures: Path, *arguments: object) -> None:
        self.pictures = pictures
        super().__init__(*arguments)

    def translate_path(self, path: str) -> str:
        name = path.partition("?")[0].lstrip("/")
        if name == "":
            return str(HERE / "editor.html")
        folder = STATIC if name.startswith("page/") else self.pictures
        return str(folder / name.removeprefix("page/"))

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture(scope="module")
def address(pictures: Path) -> Iterator[str]:
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, pictures)
    ) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture
def errors() -> list[str]:
    return []


@pytest.fixture
def opened(browser: Browser, address: str, errors: list[str]) -> Iterator[Callable[..., Page]]:
    """Opens the editor's own page."""
    contexts = []

    def open_it(**options: object) -> Page:
        options = {"viewport": {"width": 1100, "height": 800}} | options
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        page.wait_for_function("window.editor")
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture
def page(opened: Callable[..., Page]) -> Page:
    return opened()


OPEN = """async ({ name, width, height, labels, proposal, classes, ignore, background, url }) => {
    const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    return editor.open({
        image: { name, width, height }, picture: `/${name}.png`, full: null,
        labels: url ?? bytes(labels), classes, ignore, background,
        proposal: proposal === null ? null : bytes(proposal),
    });
}"""


@pytest.fixture
def edit(page: Page, pictures: Path) -> Callable[..., Page]:
    """Opens labels in the editor, over a picture of their size."""

    def edit(
        labels: np.ndarray, *, proposal: np.ndarray | None = None, into: Page = page, **others: object
    ) -> Page:
        height, width = labels.shape
        name = f"picture-{width}x{height}"
        ramp = np.linspace(40, 200, width * height).reshape(height, width)
        cv2.imwrite(str(pictures / f"{name}.png"), ramp.astype(np.uint8))
        wanted = {
            "name": name, "width": width, "height": height, "labels": text(labels),
            "proposal": None if proposal is None else text(proposal), "classes": CLASSES,
            "ignore": IGNORE, "background": 0,
        }  # fmt: skip
        assert into.evaluate(OPEN, wanted | others)
        return into

    return edit


def text(labels: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(labels, np.uint8).tobytes()).decode()


# A string is carried to Python faster than a million numbers.
LABELS = """async (png) => {
    const blob = png ? await editor.png() : new Blob([editor.labels]);
    const bytes = new Uint8Array(await blob.arrayBuffer());
    let text = "";
    for (let i = 0; i < bytes.length; i += 32768) {
        text += String.fromCharCode(...bytes.subarray(i, i + 32768));
    }
    return btoa(text);
}"""


def labels_of(page: Page, shape: tuple[int, int]) -> np.ndarray:
    content = base64.b64decode(page.evaluate(LABELS, False))
    return np.frombuffer(content, np.uint8).reshape(shape)


def png_of(page: Page) -> np.ndarray:
    content = np.frombuffer(base64.b64decode(page.evaluate(LABELS, True)), np.uint8)
    return cv2.imdecode(content, cv2.IMREAD_UNCHANGED)


def where(page: Page, x: float, y: float) -> tuple[float, float]:
    """The point of the window where a place of the picture is seen."""
    return tuple(
        page.evaluate(
            """([x, y]) => {
                const { view, canvas } = editor.viewer;
                const box = canvas.getBoundingClientRect();
                const density = canvas.width / box.width;
                return [box.left + (view.x + x * view.scale) / density,
                    box.top + (view.y + y * view.scale) / density];
            }""",
            [x, y],
        )
    )


def drag(page: Page, *places: tuple[float, float]) -> None:
    points = [where(page, *place) for place in places]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point)
    page.mouse.up()


def click(page: Page, x: float, y: float) -> None:
    page.mouse.click(*where(page, x, y))


def test_a_stroke_paints_the_pixels_under_the_pointer(edit):
    page = edit(np.zeros((60, 80), np.uint8))
    page.evaluate("editor.setSize(1)")
    drag(page, (10.5, 5.5), (20.5, 5.5))
    expected = np.zeros((60, 80), np.uint8)
    expected[5, 10:21] = 1
    assert np.array_equal(labels_of(page, (60, 80)), expected)
    assert np.array_equal(png_of(page), expected)
    assert page.evaluate("[editor.dirty, editor.changed, window.changes]") == [True, 11, 1]
