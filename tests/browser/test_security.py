"""What was probed by hand, against the running page: forged requests, floods, other people."""

import http.client
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
import uuid
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError, AuthenticationError
from PIL import Image
from playwright.sync_api import expect

from segnet_res.classes import MAGNETIC_TILE
from segnet_res.data import DatasetInfo, save_info
from segnet_res.web.passwords import set_login
from tests.browser.conftest import save_checkpoint, start_page

EVIL_FOLDERS = (
    '<img src=x onerror="window.harmed=7">',
    "${window.harmed=8}",
    "{{window.harmed=9}}",
)

# For every event of the page: what a browser never sends.
FORGED = (
    None, 5, "x", [], {}, {"request": {"a": []}},
    {
        "request": 1, "model": "../../a-tiles", "path": "/etc/passwd", "name": "../x.safetensors",
        "source": {"kind": "upload", "path": "/etc/passwd", "name": "../../x"},
        "reference": {"kind": "upload", "path": "/etc/passwd"},
        "sources": [{"kind": "upload", "path": "/etc/passwd"}], "models": ["../a", "/etc/passwd"],
        "set": {"kind": "dataset", "dataset": "../..", "split": "../val"}, "token": "../../etc",
        "result": "../../../etc", "download": "../passwd", "spec": "a: &a [*a]", "job": "../x",
        "folder": "/etc", "limits": {"share": "x", "classes": [1]}, "threshold": "9" * 500,
    },
    {
        "request": 2, "model": ["a-tiles"], "source": [{"kind": "upload"}], "reference": 7,
        "set": {"kind": "pairs", "pairs": [{"picture": {"path": "/etc/passwd"}, "mask": []}]},
        "result": {"x": 1}, "token": [], "job": {}, "name": "\u0000", "sources": {"a": 1},
        "models": "a-tiles", "threshold": float(10**300), "min_region": -1, "spec": ["x"],
    },
    {
        "request": 3, "model": "a-tiles", "source": {"kind": "dataset", "dataset": "/etc",
        "split": "..", "stem": "passwd"}, "reference": {"kind": "own"}, "token": "x" * 5000,
        "set": {"kind": "dataset", "dataset": "/etc", "split": "../../etc"}, "name": "x" * 5000,
        "folder": "../../etc", "result": "..", "download": "labels", "spec": "*a" * 50_000,
        "pictures": {"kind": "folder", "folder": "/etc"}, "models": ["a-tiles", "../b-evil"],
    },
)  # fmt: skip


class Probe:
    """Talks to the page as no browser would."""

    def __init__(self, url: str) -> None:
        self.url = url

    def request(self, path, content=None, headers=None, method=None):
        request = urllib.request.Request(f"{self.url}{path}", content, headers or {}, method=method)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def json(self, path, content):
        body = json.dumps(content).encode()
        return self.request(path, body, {"Content-Type": "application/json"})

    def config(self):
        return json.loads(self.request("/config")[1])

    def send(self, event, content):
        """Send an event of the page past its scripts; return the last message of the queue."""
        session = uuid.uuid4().hex
        join = {"data": [], "fn_index": event, "event_data": content, "session_hash": session}
        status, body = self.json("/gradio_api/queue/join", join)
        assert status == 200, body
        stream = f"{self.url}/gradio_api/queue/data?session_hash={session}"
        with urllib.request.urlopen(stream) as lines:
            for line in lines:
                if line.startswith(b"data: "):
                    message = json.loads(line[6:])
                    if message["msg"] == "process_completed":
                        return message
        raise AssertionError("the queue never answered")

    def upload(self, name, content):
        boundary = uuid.uuid4().hex
        body = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
            "Content-Type: image/png\r\n\r\n"
        ).encode()
        body += content + f"\r\n--{boundary}--\r\n".encode()
        kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        status, answer = self.request("/gradio_api/upload", body, kind)
        assert status == 200, answer
        return json.loads(answer)[0]


@pytest.fixture
def probe(server):
    return Probe(server.url)


@pytest.fixture
def events(probe):
    """The events of the page by name, without those that load it."""
    named = {}
    for dependency in probe.config()["dependencies"]:
        kind = dependency["targets"][0][1] if dependency["targets"] else None
        if dependency["api_visibility"] == "private" and kind != "load":
            named[f"{dependency['id']} {kind}"] = dependency["id"]
    assert len(named) >= 5
    return named


def png(width, height, mode="L"):
    file = io.BytesIO()
    Image.new(mode, (width, height)).save(file, "PNG", optimize=True)
    return file.getvalue()


def test_forged_events_get_a_sentence_and_nothing_else(probe, events):
    for name, event in events.items():
        for content in FORGED:
            message = probe.send(event, content)
            text = json.dumps(message)
            # Gradio itself looks at what is a path wherever it stands; the rest is ours to refuse.
            refused = "is not in the cache folder and cannot be accessed" in text
            assert message["success"] or refused, f"{name} of {content}: {text}"
            assert "root:" not in text, name
            assert "unexpected" not in text, f"{name} of {content}: {text}"
    assert probe.request("/")[0] == 200


def test_uploads_of_others_and_of_the_machine_cannot_be_guessed(probe):
    # By its content, and by what leads out of the folder.
    path = Path(probe.upload("part.png", png(20, 10)))
    assert re.fullmatch(r"[0-9a-f]{64}", path.parent.name)
    assert probe.request(f"/gradio_api/file={path}")[0] == 200
    for forged in (path.parent, path.parent.parent, f"{path.parent}/../.running", "/etc/passwd"):
        assert probe.request(f"/gradio_api/file={forged}")[0] in (403, 404)


@pytest.mark.parametrize("name", ["../../evil.png", "..%2f..%2fevil.png", "/etc/evil.png"])
def test_names_of_uploads_lead_nowhere(probe, name):
    path = Path(probe.upload(name, png(20, 10)))
    assert re.fullmatch(r"[0-9a-f]{64}", path.parent.name)
    assert path.parent.parent.name.startswith("segnet-res-")
    assert not (path.parent.parent.parent / "evil.png").exists()
    with pytest.raises(AssertionError, match="Invalid file name"):
        probe.upload("..", png(20, 10))


def test_a_body_that_does_not_tell_its_length_is_cut_off(server):
    address = urllib.parse.urlsplit(server.url)
    sent = 0

    def endless():
        nonlocal sent
        while sent < 64:
            sent += 1
            yield b"x" * 2**20

    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
    connection.putrequest("POST", "/gradio_api/queue/join")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.putheader("Content-Type", "application/json")
    connection.endheaders()
    try:
        for piece in endless():
            connection.send(b"%x\r\n%s\r\n" % (len(piece), piece))
    except OSError:
        pass  # the page has hung up
    answer = connection.sock.makefile("rb").readline() if connection.sock else b""
    connection.close()
    assert b"413" in answer or sent < 64


def test_a_body_that_is_too_long_is_refused_at_once(server):
    address = urllib.parse.urlsplit(server.url)
    for path, size in (("/gradio_api/upload", 2**30), ("/gradio_api/queue/join", 5 * 2**20)):
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
        connection.putrequest("POST", path)
        connection.putheader("Content-Length", str(size))
        connection.endheaders()
        answer = connection.getresponse()
        assert answer.status == 413, path
        assert b"send fewer files at a time" in answer.read()
        connection.close()


def peak_memory(process):
    """Most memory that a process ever had, in MB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


def test_a_small_file_of_144_million_pixels_costs_nothing(server, tmp_path):
    bomb, small = tmp_path / "bomb.png", tmp_path / "part.png"
    bomb.write_bytes(png(12000, 12000, "1"))
    assert bomb.stat().st_size < 20_000
    small.write_bytes(png(64, 48))
    bomb_mask, small_mask = tmp_path / "part_mask.png", tmp_path / "bomb_mask.png"
    bomb_mask.write_bytes(bomb.read_bytes())
    small_mask.write_bytes(small.read_bytes())
    client = Client(server.url, verbose=False)
    picture = handle_file(small)
    client.predict(picture, api_name="/predict")
    before = peak_memory(server.process)
    with pytest.raises(AppError, match=r"the picture is 12000x12000, the page takes up to 100 mil"):
        client.predict(handle_file(bomb), api_name="/predict")
    for picture, mask in ((bomb, small_mask), (small, bomb_mask)):
        with pytest.raises(AppError, match=r"none of 1 pictures can be used; .*12000x12000"):
            client.predict(
                pictures=[handle_file(picture)], masks=[handle_file(mask)], api_name="/evaluate"
            )
    assert peak_memory(server.process) - before < 100


def test_the_same_in_the_page(page, act_and_wait, tmp_path, server):
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(png(12000, 12000, "1"))
    act_and_wait(page, lambda: page.click("button[data-sample=crack]"))
    before = peak_memory(server.process)
    page.set_input_files("#sr-reference", bomb)
    expect(page.locator(".sr-alert")).to_contain_text("12000x12000")
    act_and_wait(page, lambda: page.set_input_files("#sr-image", bomb))
    expect(page.locator(".sr-alert").first).to_contain_text(
        "the picture is 12000x12000, the page takes up to 100 million pixels"
    )
    assert peak_memory(server.process) - before < 100


@pytest.mark.parametrize("path", ["/gradio_api/run/", "/gradio_api/api/", "/run/", "/api/"])
def test_there_is_no_way_past_the_queue(probe, path):
    for name in ("predict", "evaluate", "inspect", "0"):
        status, body = probe.json(f"{path}{name}", {"data": [], "fn_index": 0})
        assert (status, body) == (404, b"There is nothing here.")


def test_simultaneous_programs_get_their_own_masks(server, tmp_path):
    sizes = [(40 + 7 * i, 30 + 3 * i) for i in range(6)]
    found = {}

    def ask(size):
        path = tmp_path / f"{size[0]}.png"
        path.write_bytes(png(*size))
        mask, facts = Client(
            server.url, verbose=False, download_files=tmp_path / f"out{size[0]}"
        ).predict(handle_file(path), api_name="/predict")
        with Image.open(mask) as image:
            found[size] = (image.size, facts["picture"])

    threads = [threading.Thread(target=ask, args=(size,)) for size in sizes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == {size: (size, f"{size[0]}.png") for size in sizes}


@pytest.fixture
def evil_data(tmp_path):
    """Datasets and pictures whose names would do harm as markup."""
    for folder in EVIL_FOLDERS:
        root = tmp_path / "data" / folder
        for part in ("images", "masks", "splits"):
            (root / part).mkdir(parents=True)
        save_info(root, DatasetInfo(folder, MAGNETIC_TILE, 1))
        for part in ("images", "masks"):
            (root / part / f"{folder}.png").write_bytes(png(64, 48))
        (root / "splits" / "val.txt").write_text(folder)
    return tmp_path / "data"


def test_names_on_the_servers_disk_are_text(open_page, start_with, evil_data):
    page = open_page(start_with("--data", evil_data).url, viewport={"width": 1440, "height": 900})
    for tab in ("Evaluate", "Batch", "Compare"):
        page.get_by_role("tab", name=tab).click()
        options = page.locator("[role=tabpanel]:visible option")
        shown = page.locator("[role=tabpanel]:visible")
        expect(shown).to_contain_text(EVIL_FOLDERS[1])
        assert options.count() > 0, tab
    page.get_by_role("tab", name="Models").click()
    assert page.evaluate("window.harmed") is None


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    """A page with a login, for tests that use up its patience."""
    folder = tmp_path_factory.mktemp("locked")
    save_checkpoint(folder / "tiles.safetensors", MAGNETIC_TILE, present=(0, 3))
    set_login(folder / "logins", "anna", "correct horse")
    set_login(folder / "logins", "bert", "battery staple")
    yield from start_page(folder, "--auth", str(folder / "logins"))


def test_programs_log_in(locked):
    client = Client(locked.url, auth=("bert", "battery staple"), verbose=False)
    assert [card["name"] for card in client.predict(api_name="/checkpoints")] == ["tiles"]
    with pytest.raises(AuthenticationError):
        Client(locked.url, auth=("bert", "wrong"), verbose=False)
    with pytest.raises((ValueError, AuthenticationError)):
        Client(locked.url, verbose=False)


@pytest.mark.parametrize(
    "path",
    [
        "/config", "/page/dom.js", "/theme.css", "/assets/index.js", "/gradio_api/info",
        "/gradio_api/queue/data?session_hash=x", "/gradio_api/heartbeat/x", "/gradio_api/app_id",
    ],
)  # fmt: skip
def test_everything_is_behind_the_login(locked, path):
    assert Probe(locked.url).request(path)[0] == 401
    assert Probe(locked.url).json("/gradio_api/queue/join", {})[0] == 401
    assert Probe(locked.url).json("/gradio_api/cancel", {})[0] == 401


def test_guessing_gets_slow_and_says_so_and_logging_out_works(open_page, locked, problems):
    page = open_page(locked.url, viewport={"width": 1024, "height": 768})

    def log_in(password):
        page.get_by_label("User").fill("anna")
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Log in").click()

    for _ in range(3):
        log_in("a guess")
        expect(page.get_by_role("alert")).to_have_text("User or password is wrong.")
        # The name stays, the password does not.
        expect(page.get_by_label("User")).to_have_value("anna")
        expect(page.get_by_label("Password")).to_have_value("")
    # On a slow machine the first delays are over before the next try.
    for _ in range(8):
        log_in("a guess")
        told = page.get_by_role("alert").inner_text()
        if told != "User or password is wrong.":
            break
    seconds = re.fullmatch(r"Too many failed logins; try again in (\d+) s\.", told)[1]
    page.wait_for_timeout(1000 * int(seconds))
    log_in("correct horse")
    expect(page.get_by_text("Logged in as anna")).to_be_visible(timeout=30_000)
    # What is still being fetched when somebody logs out is refused, which is no fault of the page.
    expect(page.locator(".sr-inspect canvas").first).to_be_attached()
    assert page.evaluate("sessionStorage.length") > 0
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    # The next person at this browser does not find what this one had open.
    assert page.evaluate("sessionStorage.length") == 0
    page.goto(locked.url)
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    # Chromium itself logs the refusals.
    problems[:] = [told for told in problems if "status of 4" not in told]


def test_what_a_killed_page_left_is_gone_with_the_next_start(checkpoints, tmp_path):
    command = [sys.executable, "-m", "segnet_res", "app", "--checkpoints", str(checkpoints)]
    environment = os.environ | {"TMPDIR": str(tmp_path)}

    def start():
        process = subprocess.Popen(
            [*command, "--port", "0"], stdout=subprocess.PIPE, text=True, env=environment
        )
        return process, re.search(r"http://\S+", process.stdout.readline())[0]

    process, url = start()
    with process:
        kept = Path(Probe(url).upload("customer.png", png(20, 10)))
        assert kept.is_file()
        assert kept.is_relative_to(tmp_path)
        process.kill()
    assert kept.is_file()
    process, _ = start()
    with process:
        assert not kept.exists()
        assert len(list(tmp_path.glob("segnet-res-*"))) == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert list(tmp_path.glob("segnet-res-*")) == []


def test_a_page_that_is_stopped_while_a_model_works_ends_well(checkpoints, tmp_path):
    command = [sys.executable, "-m", "segnet_res", "app", "--checkpoints", str(checkpoints)]
    process = subprocess.Popen(
        [*command, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        client = Client(re.search(r"http://\S+", process.stdout.readline())[0], verbose=False)
        small, large = tmp_path / "small.png", tmp_path / "large.png"
        small.write_bytes(png(32, 32))
        large.write_bytes(png(3000, 3000))
        client.predict(handle_file(small), api_name="/predict")
        jobs = [client.submit(handle_file(large), api_name="/predict") for _ in range(3)]
        while not any(job.status().code.name == "PROCESSING" for job in jobs):
            threading.Event().wait(0.05)
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=120)
    assert process.returncode == 0, told
    assert "terminate called" not in told
    assert "Traceback" not in told


@pytest.fixture(scope="module")
def accepting(tmp_path_factory):
    """A page that takes checkpoints."""
    folder = tmp_path_factory.mktemp("accepting")
    save_checkpoint(folder / "tiles.safetensors", MAGNETIC_TILE, present=(0, 3))
    for page in start_page(folder, "--accept-checkpoints"):
        yield page, folder


def test_a_checkpoint_is_added_chosen_and_never_overwritten(open_page, accepting, tmp_path):
    running, folder = accepting
    page = open_page(running.url, viewport={"width": 1440, "height": 900})
    page.get_by_role("tab", name="Models").click()
    new = tmp_path / "new.safetensors"
    save_checkpoint(new, MAGNETIC_TILE, present=(0, 5))
    page.set_input_files("#sr-add-model", new)
    expect(page.locator(".sr-add-status")).to_have_text("new has been added.", timeout=240_000)
    expect(page.locator(".sr-model-card")).to_have_count(2)
    page.locator(".sr-model-card[data-name=new]").get_by_role(
        "button", name="Use this checkpoint"
    ).click()
    expect(page.locator("#sr-model")).to_have_value("new")
    expect(page.locator(".sr-model-card[data-name=new] button")).to_have_text("in use")
    card = page.locator(".sr-model-card[data-name=new]")
    expect(card).to_contain_text("for a picture of 640 x 480, on CPU", timeout=240_000)
    before = (folder / "new.safetensors").read_bytes()
    page.set_input_files("#sr-add-model", new)
    expect(page.locator(".sr-add-status")).to_contain_text("has a checkpoint of this name")
    (tmp_path / "harm.safetensors").write_bytes(b"\x80\x04nonsense")
    page.set_input_files("#sr-add-model", tmp_path / "harm.safetensors")
    expect(page.locator(".sr-add-status")).to_contain_text("harm.safetensors: not a checkpoint")
    assert sorted(path.name for path in folder.iterdir()) == [
        "new.safetensors", "tiles.safetensors",
    ]  # fmt: skip
    assert (folder / "new.safetensors").read_bytes() == before


def test_a_page_that_takes_no_checkpoints_takes_none_by_force(probe, events, server, checkpoints):
    path = probe.upload("x.safetensors", (checkpoints / "a-tiles.safetensors").read_bytes())
    before = sorted(checkpoints.iterdir())
    for name, event in events.items():
        if name.endswith(" accept"):
            answer = probe.send(event, {"request": 1, "path": path, "name": "x.safetensors"})
            assert "this page takes no checkpoints" in json.dumps(answer)
            break
    else:
        pytest.fail("the page has no such event")
    assert sorted(checkpoints.iterdir()) == before
