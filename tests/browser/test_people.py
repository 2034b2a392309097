"""For everybody: by keyboard alone, with a screen reader, in dark, on small screens, in long words.

The rules of WCAG 2.2 AA are checked by axe-core, in each tab and with results in it.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import FileChooser, Locator, Page, TimeoutError, expect

from segnet_res.classes import MAGNETIC_TILE, ClassMap
from segnet_res.data import DatasetInfo, save_info
from segnet_res.data.synth import draw_part
from tests.browser.conftest import save_checkpoint, start_page

GERMAN = ClassMap.from_names(
    [
        "Hintergrund",
        "Oberflächenbeschichtungsfehlerstelle",
        "Kantenausbruch an der Schleifkante",
        "Werkstoffermüdungsrissfortschrittsbereich",
        "Korrosionsschutzbeschichtungsablösung",
        "Lunker",
    ]
)

TABS = ("Inspect", "Evaluate", "Batch", "Compare", "Models")

# Desktop, small notebook, tablet, phone.
SIZES = ((1440, 900), (1366, 768), (1024, 768), (390, 844))

AXE_OPTIONS = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
    "rules": {
        "target-size": {"enabled": True},
        # Gradio puts every page into one <main>, and header and tabs stand in it.
        "region": {"enabled": False},
    },
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Datasets of drawn parts whose classes, pictures and parts have long names."""
    folder = tmp_path_factory.mktemp("data")
    root = folder / "Sichtprüfung Schleifscheibenaufnahmeflansch"
    for name in ("images", "masks", "splits"):
        (root / name).mkdir(parents=True)
    save_info(root, DatasetInfo(root.name, GERMAN, 1))
    stems = []
    for i, defect in enumerate(MAGNETIC_TILE.names[1:]):
        drawn = draw_part(np.random.default_rng(i), size=(90, 120), defects=[defect])
        stems.append(f"Schleifscheibenaufnahmeflansch-Pruefplatz-12-Teil-{i:03}")
        Image.fromarray(drawn.image[..., 0]).save(root / "images" / f"{stems[-1]}.png")
        Image.fromarray(drawn.labels).save(root / "masks" / f"{stems[-1]}.png")
    (root / "splits" / "val.txt").write_text("\n".join(stems))
    return folder


@pytest.fixture(scope="module")
def german_server(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("checkpoints")
    for name, present in (("Aussenring", (0, 2, 3)), ("Innenring", (0, 3, 4))):
        path = folder / f"Waelzlagerkomponentenpruefung-{name}.safetensors"
        save_checkpoint(path, GERMAN, present=present)
    (folder / "Zwischenstand.safetensors").write_bytes(b"nonsense")
    yield from start_page(folder, "--data", str(data), "--accept-checkpoints")


@pytest.fixture
def open_german(open_page, german_server) -> Callable[..., Page]:
    def open_it(size: tuple[int, int] = SIZES[0]) -> Page:
        page = open_page(german_server.url, viewport={"width": size[0], "height": size[1]})
        page.wait_for_selector("[data-samples]")
        page.wait_for_function("document.querySelector('#sr-model')?.value")
        return page

    return open_it


def go(page: Page, tab: str) -> None:
    page.get_by_role("tab", name=tab, exact=True).click()
    expect(page.get_by_role("tab", name=tab, exact=True)).to_have_attribute("aria-selected", "true")


def fill_inspect(page: Page, data) -> None:
    image = next(data.glob("*/images/*002.png"))
    mask = next(data.glob("*/masks/*002.png"))
    for box, file in (("#sr-image", image), ("#sr-reference", mask)):
        before = page.get_attribute(".sr-inspect", "data-ready")
        page.set_input_files(box, file)
        page.wait_for_function(
            "before => document.querySelector('.sr-inspect').dataset.ready !== before", arg=before
        )
    expect(page.locator("#sr-inspect [data-score=miou]")).to_be_visible()


def fill_evaluate(page: Page) -> None:
    go(page, "Evaluate")
    page.wait_for_selector(".sr-evaluate[data-sets]")
    page.get_by_role("button", name="Evaluate", exact=True).click()
    page.wait_for_selector(".sr-evaluate[data-ready^=done]")
    expect(page.locator("[data-score=set-miou]")).to_be_visible()


def fill_batch(page: Page) -> None:
    go(page, "Batch")
    page.wait_for_selector(".sr-batch[data-folders]")
    page.get_by_label("or a folder of the server").select_option(index=2)
    page.get_by_role("button", name="Inspect all").click()
    page.wait_for_selector(".sr-batch[data-ready^=done]")
    expect(page.locator(".sr-batch-table tbody tr").first).to_be_visible()


def fill_compare(page: Page) -> None:
    go(page, "Compare")
    page.locator(".sr-compare button[data-sample=crack]").click()
    expect(page.locator(".sr-compare")).to_contain_text("of the pixels differ")


def fill_models(page: Page) -> None:
    go(page, "Models")
    expect(page.locator(".sr-model-card")).to_have_count(3)


@pytest.fixture
def filled(open_german, data) -> Callable[[], Page]:
    """Opens the page and puts results into every tab."""

    def fill() -> Page:
        page = open_german()
        fill_inspect(page, data)
        fill_evaluate(page)
        fill_batch(page)
        fill_compare(page)
        fill_models(page)
        return page

    return fill


def faults(page: Page, where: str) -> list[str]:
    """Return what axe-core finds wrong on the screen as it is."""
    found = Axe().run(page, options=AXE_OPTIONS).response["violations"]
    return [
        f"{where}: {rule['id']}: {node['target'][0]}: "
        + "; ".join(check["message"] for check in node["any"] + node["all"] + node["none"])
        for rule in found
        for node in rule["nodes"]
    ]


# Whatever reaches beyond the screen, unless something around it scrolls or cuts it off on purpose.
STICKS_OUT = """() => {
    const held = (node) => {
        for (let up = node.parentElement; up && up !== document.body; up = up.parentElement) {
            const style = getComputedStyle(up);
            if (["auto", "scroll", "hidden", "clip"].includes(style.overflowX)
                && up.getBoundingClientRect().right <= innerWidth + 1) return true;
        }
        return false;
    };
    const found = [];
    for (const node of document.querySelectorAll(".sr *, .sr")) {
        if (!node.checkVisibility?.({ visibilityProperty: true })) continue;
        const box = node.getBoundingClientRect();
        if (box.width === 0 || box.height === 0) continue;
        if ((box.right > innerWidth + 1 || box.left < -1) && !held(node)) {
            found.push(`${node.tagName}.${node.className.baseVal ?? node.className} ${box.right}`);
        }
    }
    if (document.documentElement.scrollWidth > innerWidth) found.push("the page itself");
    return found.slice(0, 5);
}"""

# A text over another: in a button, heading or paragraph that is too small for its own words.
CUT_OFF = """() => [...document.querySelectorAll(".sr :is(button, th, h1, h2, h3, p, li, dd, dt)")]
    .filter((node) => node.checkVisibility?.({ visibilityProperty: true }))
    .filter((node) => {
        const style = getComputedStyle(node);
        return style.overflowX === "visible" && node.scrollWidth > node.clientWidth + 2
            && node.clientWidth > 0;
    })
    .map((node) => `${node.tagName}.${node.className}: ${node.textContent.slice(0, 60)}`)
    .slice(0, 5)"""


def test_every_tab_keeps_the_rules_and_fits_every_screen(filled):
    page = filled()
    assert page.get_by_role("tab").all_inner_texts() == list(TABS)
    problems = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function(
            "dark => document.body.classList.contains('dark') === dark", arg=scheme == "dark"
        )
        for tab in TABS:
            go(page, tab)
            problems += problems_by_size(page, f"{tab} {scheme}")
    assert not problems, "\n".join(problems)


def problems_by_size(page: Page, what: str) -> list[str]:
    """Return what reaches beyond the screen, is cut off or breaks a rule, at every size."""
    problems = []
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        # The canvas follows the size of its place in the next frames.
        page.evaluate(
            "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )
        where = f"{what} {width}x{height}"
        problems += [f"{where}: sticks out: {text}" for text in page.evaluate(STICKS_OUT)]
        problems += [f"{where}: too small: {text}" for text in page.evaluate(CUT_OFF)]
        if (width, height) in (SIZES[0], SIZES[-1]):
            problems += faults(page, where)
    page.set_viewport_size({"width": SIZES[0][0], "height": SIZES[0][1]})
    return problems


def test_the_language_of_the_page_is_told(open_german):
    page = open_german()
    assert page.get_attribute("html", "lang").startswith("en")
    assert page.title() == "Surface inspection"


def test_the_guide_names_every_tab_view_key_and_download(page, act_and_wait):
    guide = (Path(__file__).parents[2] / "docs" / "page.md").read_text(encoding="utf-8")
    for tab in page.get_by_role("tab").all_inner_texts():
        assert f"## {tab}" in guide
    for view in page.locator("#sr-inspect .sr-modes button").all_inner_texts():
        assert f"*{view}*" in guide, view
    keys = page.locator("#sr-inspect .sr-keys kbd").all_text_contents()
    assert len(keys) > 5
    for text in keys:
        # Ranges "1 - 7", pairs "+  -" and lists.
        for key in re.split(r" - |,\s*|\s{2,}", text):
            assert key.casefold() in guide.casefold(), text
    act_and_wait(page, lambda: page.click("button[data-sample=crack]"))
    for kind in page.locator("#sr-inspect .sr-download[data-kind]").all_inner_texts():
        word = kind.split("(")[0].strip()
        assert re.search(rf"\b{word}\b", guide, re.IGNORECASE), kind


# By keyboard alone

FOCUSED = """() => {
    const node = document.activeElement;
    if (!node || node === document.body) return null;
    const label = node.labels?.[0];
    const seen = label ? [node, label] : [node];
    const ring = (other) => {
        const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(other);
        return (outlineStyle !== "none" && parseFloat(outlineWidth) >= 1) || boxShadow !== "none";
    };
    const name = `${node.tagName}#${node.id}.${node.className} ${node.textContent.slice(0, 30)}`;
    window.walked ??= new WeakSet();
    const again = window.walked.has(node);
    window.walked.add(node);
    return { name, again, ring: seen.some(ring) };
}"""


def focused(page: Page, wanted: Locator) -> bool:
    return wanted.evaluate("node => node === document.activeElement")


def tab_to(page: Page, wanted: Locator, most: int = 150) -> None:
    """Press Tab until the wanted control has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if focused(page, wanted):
            return
    raise AssertionError(f"{wanted} cannot be reached by Tab")


def test_a_picture_is_inspected_by_keyboard_alone(page, part, act_and_wait):
    tab_to(page, page.locator("button[data-sample=crack]"))
    act_and_wait(page, lambda: page.keyboard.press("Enter"))
    expect(page.locator(".sr-verdict strong")).to_have_text("Defects found")
    # The viewer: a view by its button, another by its key, and the mask away and back.
    tab_to(page, page.locator("#sr-inspect .sr-modes").get_by_text("Mask", exact=True))
    page.keyboard.press("Enter")
    pressed = page.locator("#sr-inspect .sr-modes [aria-pressed=true]")
    expect(pressed).to_have_text("Mask")
    page.keyboard.press("4")
    expect(pressed).to_have_text("Outline")
    tab_to(page, page.locator("#sr-inspect canvas").first)
    page.keyboard.press("Space")
    expect(page.locator("#sr-inspect .sr-badge")).to_be_visible()
    page.keyboard.press("Space")
    # Findings: the limit, then a class.
    tab_to(page, page.locator("#sr-inspect .sr-verdict .sr-limit input"))
    page.keyboard.press("Control+A")
    act_and_wait(page, lambda: page.keyboard.type("9"))
    tab_to(page, page.get_by_label("Show crack"))
    page.keyboard.press("Space")
    expect(page.get_by_label("Show crack")).not_to_be_checked()
    tab_to(page, page.locator("#sr-inspect .sr-download[data-kind]").first)
    with page.expect_download() as started:
        page.keyboard.press("Enter")
    assert started.value.suggested_filename.endswith(".png")


def ask_for_a_file(page: Page, box: Locator) -> FileChooser:
    """Open the dialog of a box by keyboard; a page still being put together may miss a key."""
    for _ in range(4):
        tab_to(page, box)
        expect(box).to_be_focused()
        with suppress(TimeoutError), page.expect_file_chooser(timeout=5000) as chooser:
            page.keyboard.press("Space")
        if chooser.is_done():
            return chooser.value
    raise AssertionError("the space bar opened no dialog")


def test_a_file_is_chosen_by_keyboard(page, part, act_and_wait):
    page.wait_for_function("document.querySelector('#sr-model')?.value")
    chooser = ask_for_a_file(page, page.locator("#sr-image"))
    act_and_wait(page, lambda: chooser.set_files(part))
    expect(page.locator("#sr-inspect .sr-status")).to_contain_text("143")


@pytest.mark.parametrize("tab", TABS)
def test_tab_walks_through_all_of_a_tab_and_shows_where_it_is(open_german, data, tab):
    page = open_german()
    fill = {"Inspect": lambda: fill_inspect(page, data), "Evaluate": lambda: fill_evaluate(page),
            "Batch": lambda: fill_batch(page), "Compare": lambda: fill_compare(page),
            "Models": lambda: fill_models(page)}  # fmt: skip
    fill[tab]()
    stops = []
    for _ in range(400):
        page.keyboard.press("Tab")
        stop = page.evaluate(FOCUSED)
        # None: the browser's own bar, from where the next one leads to the page's beginning.
        if stop is not None:
            if stop["again"]:
                break
            stops.append(stop)
    else:
        raise AssertionError(f"the focus never comes back: {stops[-3:]}")
    names = [stop["name"] for stop in stops]
    assert any("sr-model" in name for name in names)
    assert [stop["name"] for stop in stops if not stop["ring"]] == []


# Without colours

# Full deficiencies as linear maps of linear RGB: Machado, Oliveira and Fernandes, "A
# physiologically-based model for simulation of color vision deficiency", 2009.
DEFICIENCIES = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def smallest_distance(colors: list[tuple[int, int, int]], deficiency: str) -> float:
    """Return the smallest distance in CIELAB of two colours as somebody sees them."""
    srgb = np.array(colors, np.float64) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(DEFICIENCIES[deficiency]).T, 0, 1)
    srgb = np.where(seen <= 0.0031308, seen * 12.92, 1.055 * seen ** (1 / 2.4) - 0.055)
    lab = cv2.cvtColor(srgb.astype(np.float32)[None], cv2.COLOR_RGB2Lab)[0]
    apart = np.linalg.norm(lab[:, None] - lab[None], axis=-1)
    return float(apart[~np.eye(len(colors), dtype=bool)].min())


def test_the_distance_of_colours_knows_who_confuses_what():
    # Red and green of equal lightness: a classic.
    assert smallest_distance([(200, 60, 60), (110, 115, 60)], "deuteranopia") < 15
    assert smallest_distance([(255, 255, 255), (0, 0, 0)], "tritanopia") == pytest.approx(100, 0.01)


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_classes_and_errors_differ_for_colour_blind_eyes(page, act_and_wait, deficiency):
    act_and_wait(page, lambda: page.click("button[data-sample=crack]"))
    assert smallest_distance(list(MAGNETIC_TILE.colors), deficiency) > 15
    page.locator("#sr-inspect .sr-modes").get_by_text("Errors", exact=True).click()
    dots = page.locator("#sr-inspect .sr-key .sr-dot")
    shown = dots.evaluate_all("nodes => nodes.map((n) => getComputedStyle(n).backgroundColor)")
    colors = [tuple(int(part) for part in text[4:-1].split(",")) for text in shown]
    assert len(colors) >= 4
    assert smallest_distance(colors, deficiency) > 15
    # And each has its word.
    words = page.locator("#sr-inspect .sr-key li").all_inner_texts()
    assert [word for word in words if word] == words


def test_the_verdict_has_words_and_a_sign_of_its_own(page, act_and_wait):
    seen = {}
    for limit in ("0", "100"):
        if not seen:
            act_and_wait(page, lambda: page.click("button[data-sample=crack]"))
        act_and_wait(page, lambda: page.fill("#sr-inspect .sr-verdict .sr-limit input", limit))  # noqa: B023
        words = page.locator("#sr-inspect .sr-verdict strong").inner_text()
        seen[words] = page.locator("#sr-inspect .sr-verdict .sr-mark path").get_attribute("d")
    assert list(seen) == ["Defects found", "Within the limits"]
    assert len(set(seen.values())) == 2
