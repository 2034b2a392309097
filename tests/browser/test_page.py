"""The page around the viewer: sizes, dark mode, Models tab, empty folder, logins, headers."""

import json
import shutil
import urllib.error
import urllib.request
from email.message import Message

import pytest
from playwright.sync_api import expect


@pytest.mark.parametrize(
    ("size", "dark"),
    [((1440, 900), False), ((1366, 768), True), ((1024, 768), False), ((390, 844), True)],
)
def test_nothing_sticks_out(open_page, size, dark, act_and_wait):
    page = open_page(
        viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if dark else "light"
    )
    page.wait_for_selector("[data-samples]")
    act_and_wait(page, lambda: page.click("button[data-sample=crack]"))
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= size[0]
    for part in (".sr-toolbar", ".sr-verdict", ".sr-legend", ".sr-cards", ".sr-head"):
        box = page.locator(part).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= size[0], part
    # The last of the views ends where their row does.
    row, last = (
        page.locator(part).bounding_box() for part in (".sr-modes", ".sr-modes :last-child")
    )
    assert last["x"] + last["width"] <= row["x"] + row["width"] + 1
    if size[0] >= 1366:
        # The viewer is seen whole, without scrolling.
        stage = page.locator(".sr-stage").bounding_box()
        assert stage["y"] + stage["height"] <= size[1]


@pytest.mark.parametrize("width", [1280, 390])
def test_the_address_follows_the_tab(open_page, server, width):
    page = open_page(viewport={"width": width, "height": 800})

    def shown(tab: str) -> None:
        expect(page.locator(f"#sr-tab-{tab}")).to_be_visible()
        expect(page.locator("#sr-tabs > [role=tabpanel]:visible")).to_have_count(1)

    def choose(tab: str) -> None:
        if width < 500:
            page.get_by_role("button", name="More tabs").click()
            page.locator(".overflow-dropdown").get_by_text(tab).click()
        else:
            page.get_by_role("tab", name=tab).click()

    choose("Compare")
    page.wait_for_url("**/#compare")
    choose("Models")
    page.wait_for_url("**/#models")
    page.go_back()
    shown("compare")
    page.reload()
    page.wait_for_selector("[data-samples]", state="attached")
    shown("compare")
    page.go_back()
    shown("inspect")
    assert page.url.rstrip("/") == server.url.rstrip("/")
    page.go_forward()
    shown("compare")


def test_an_address_without_a_tab_of_this_page_shows_the_first(open_page, server):
    # This page has nowhere to train.
    for tab in ("train", "\\'nowhere"):
        page = open_page(f"{server.url}/#{tab}")
        page.wait_for_selector("[data-samples]")
        page.get_by_role("tab", name="Batch").click()
        page.wait_for_url("**/#batch")


def test_no_text_runs_under_the_arrow_of_a_list(page):
    for tab in ("Evaluate", "Batch", "Compare"):
        page.get_by_role("tab", name=tab).click()
    page.wait_for_selector("#sr-batch-folder", state="attached")
    # The arrows that we draw ourselves reach 20 pixels in.
    room = page.locator("select").evaluate_all(
        """(lists) => lists.filter((list) => getComputedStyle(list).appearance === "none")
            .map((list) => parseFloat(getComputedStyle(list).paddingRight))"""
    )
    assert len(room) > 5
    assert min(room) > 20


def test_text_is_readable_in_dark_mode(open_page, act_and_wait):
    page = open_page(color_scheme="dark")
    page.wait_for_selector("[data-samples]")
    act_and_wait(page, lambda: page.click("button[data-sample=crack]"))
    for part in (
        "h1",
        ".sr-verdict strong",
        ".sr-legend .sr-name",
        ".sr-status",
        ".sr-card strong",
    ):
        color = page.locator(part).first.evaluate("node => getComputedStyle(node).color")
        brightness = sum(int(value) for value in color[4:-1].split(",")[:3]) / 3
        assert brightness > 150, f"{part} is {color} on a dark page"
    # So that boxes to tick are no white spots.
    box = page.locator(".sr-legend input[type=checkbox]").first
    assert box.evaluate("node => getComputedStyle(node).colorScheme") == "dark"


def test_models_have_cards_and_broken_ones_a_reason(page, checkpoints):
    page.get_by_role("tab", name="Models").click()
    cards = page.locator(".sr-model-card")
    expect(cards).to_have_count(3)
    expect(cards.nth(0)).to_contain_text("a-tiles")
    expect(cards.nth(0)).to_contain_text("tiles of the test, 12 pictures")
    expect(cards.nth(0)).to_contain_text("2024-02-03 04:05:06 UTC")
    expect(cards.nth(1)).to_contain_text("<img src=x")
    expect(cards.nth(2)).to_contain_text("Cannot be used. c-broken.safetensors: not a checkpoint")
    assert page.evaluate("window.harmed") is None


def test_a_new_checkpoint_appears_without_a_restart(page, checkpoints):
    new = checkpoints / "z-new.safetensors"
    shutil.copy(checkpoints / "a-tiles.safetensors", new)
    try:
        assert page.locator("#sr-model option").all_inner_texts() == ["a-tiles", "b-evil"]
        page.focus("#sr-model")
        expect(page.locator("#sr-model option")).to_have_count(3)
        expect(page.locator("#sr-model")).to_have_value("a-tiles")
    finally:
        new.unlink()


def test_a_login_is_asked_for_and_an_empty_folder_explained(open_page, closed_page, act_and_wait):
    page = open_page(closed_page.url, viewport={"width": 1440, "height": 900})
    page.get_by_label("User").fill("anna")
    page.get_by_label("Password").fill("correct horse")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_selector("[data-samples='6']")
    expect(page.locator(".sr-alert")).to_contain_text("There is no checkpoint in")
    act_and_wait(page, lambda: page.click("button[data-sample=crack]"))
    expect(page.locator(".sr-alert")).to_contain_text("train one with segnet-res train")
    expect(page.locator("#sr-model")).to_be_disabled()


def test_a_session_that_has_ended_is_told(open_page, closed_page, problems):
    page = open_page(closed_page.url)
    page.get_by_label("User").fill("anna")
    page.get_by_label("Password").fill("correct horse")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_selector("[data-samples='6']")
    page.get_by_role("tab", name="Batch").click()
    page.wait_for_selector(".sr-batch[data-folders]")
    page.get_by_role("tab", name="Inspect").click()
    assert page.request.post(f"{closed_page.url}/logout").ok
    # Looks at the folders again.
    page.get_by_role("tab", name="Batch").click()
    alert = page.locator(".sr-batch .sr-alert")
    expect(alert).to_contain_text("reload this page and log in again")
    # The browser and gradio log each refused request.
    page.close()
    problems.clear()


def fetch(url: str, **headers: str) -> tuple[int, Message, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def test_without_a_login_nothing_is_told(closed_page):
    status, _, body = fetch(f"{closed_page.url}/config")
    assert status == 401
    assert b"components" not in body
    assert fetch(f"{closed_page.url}/gradio_api/file=/etc/passwd")[0] == 404


def test_files_of_this_machine_and_the_source_stay_here(server, checkpoints):
    for path in ("/etc/passwd", "pyproject.toml", f"{checkpoints}/a-tiles.safetensors", "app.py"):
        assert fetch(f"{server.url}/gradio_api/file={path}")[0] == 404
    assert fetch(f"{server.url}/page/../inspect_tab.py")[0] == 404


def test_other_sites_are_refused_by_the_running_page(server):
    status, headers, _ = fetch(f"{server.url}/config", Origin="https://evil.example")
    assert status == 403
    assert "Access-Control-Allow-Origin" not in headers
    status, headers, _ = fetch(f"{server.url}/config", Origin=server.url)
    assert status == 200
    assert headers["X-Frame-Options"] == "DENY"


def test_the_run_endpoint_does_not_pass_the_queue(server):
    _, _, body = fetch(f"{server.url}/config")
    names = [d["api_name"] for d in json.loads(body)["dependencies"]]
    for name in names:
        request = urllib.request.Request(
            f"{server.url}/gradio_api/run/{name}", b'{"data": []}',
            {"Content-Type": "application/json"},
        )  # fmt: skip
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(request)


def test_a_server_that_has_gone_is_told(page, problems):
    page.context.set_offline(True)
    page.click("button[data-sample=crack]")
    expect(page.locator(".sr-alert")).to_contain_text(
        "The page's server does not answer; start it again"
    )
    # The browser and gradio log the lost connection, as they should, and again at each try.
    page.close()
    problems.clear()
