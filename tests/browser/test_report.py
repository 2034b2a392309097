"""The report of a run in a real Chromium: harmless, readable, printable."""

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image

from segnet_res.checkpoint import Metadata
from segnet_res.classes import ClassMap
from segnet_res.conditions import Conditions, KnownConditions
from segnet_res.inference.html import write_html
from tests.browser.conftest import EVIL_NAMES

CLASSES = ClassMap.from_names(EVIL_NAMES)
CONDITIONS = Conditions(100.0, 30.0, 0.8, 2.0, 640, 480)
METADATA = Metadata(
    "ressegnet-tiny", CLASSES, 1, (1.0,), (1.0,), conditions=KnownConditions.of([CONDITIONS])
)
LONG = "Magnetsegmentrueckschlussplattenoberflaechenaufnahme" * 3


@pytest.fixture
def report(tmp_path):
    """A report whose names all try to do harm or to stick out."""
    picture = tmp_path / "photo.png"
    Image.fromarray(np.full((90, 160), 120, np.uint8)).save(picture)
    labels = np.zeros((90, 160), np.uint8)
    labels[40:50, 60:70] = 1
    (tmp_path / "masks").mkdir()
    Image.fromarray(labels).save(tmp_path / "masks" / "a.png")
    rows = [
        {
            **{"path": f"{LONG}/{name}.jpg", "status": "ok", "confidence": 0.9},
            "classes": {each: {"pixels": 100, "regions": 1} for each in EVIL_NAMES},
            "conditions": CONDITIONS.to_dict(),
            **{"verdict": "fail", "reasons": [f"{name}: 1 region, none is allowed."]},
            "notes": [f"{name}: first of 3 pages"],
            "outputs": {"masks": {"path": "masks/a.png", "sha256": ""}},
            "time": "2026-03-05T22:00:00+00:00",
        }
        for name in EVIL_NAMES
    ]
    rows += [{"path": name, "status": "failed", "error": name} for name in EVIL_NAMES]
    header = {
        **{"run": LONG, "started": "2026-03-05T21:07:33+00:00", "version": EVIL_NAMES[1]},
        **{"source": f"/{EVIL_NAMES[1]}", "checkpoint": {"name": LONG, "sha256": "0" * 64}},
        "spec": {"name": LONG, "sha256": "1" * 64, "content": {"title": EVIL_NAMES[-1] + LONG}},
        **{"settings": {"tile": 1024}, "classes": CLASSES.to_dict()},
    }
    path = tmp_path / "report.html"
    write_html(
        path,
        rows,
        header,
        target=tmp_path,
        picture_of=lambda _: picture,
        metadata=METADATA,
        warnings=list(EVIL_NAMES),
    )
    return path


@pytest.fixture
def shown(browser, report):
    """Opens the report; what it fetches or complains of fails the test."""
    problems, contexts = [], []

    def show(**options):
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: problems.append(said.text))
        page.on("request", lambda request: problems.append(request.url))
        page.goto(report.as_uri())
        assert problems.pop(0) == report.as_uri()
        return page

    yield show
    for context in contexts:
        context.close()
    assert [problem for problem in problems if not problem.startswith("data:image/jpeg")] == []


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_report_is_harmless_and_readable(shown, width, scheme):
    page = shown(viewport={"width": width, "height": 900}, color_scheme=scheme)
    assert page.evaluate("window.harmed") is None
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("article img").count() == len(EVIL_NAMES)
    assert page.evaluate("[...document.images].every(each => each.naturalWidth === 160)")
    found = Axe().run(page).response["violations"]
    assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []


def test_the_report_prints_dark_on_white_whatever_the_screen(shown, tmp_path):
    page = shown(viewport={"width": 700, "height": 990}, color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 28)"
    page.emulate_media(media="print")
    style = "getComputedStyle(document.body)"
    assert page.evaluate(f"{style}.backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate(f"{style}.color") == "rgb(0, 0, 0)"
    assert page.evaluate("document.documentElement.scrollWidth") <= 700
    content = page.pdf(format="A4")
    assert content.startswith(b"%PDF")
    assert 2 <= content.count(b"/Type /Page\n") <= 12
