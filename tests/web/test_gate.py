"""The login before the page."""

import re

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from segnet_res.web.gate import USER_KEY, Gate
from segnet_res.web.passwords import Logins, remove_login, set_login
from segnet_res.web.throttle import Throttle

BROWSER = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr("segnet_res.web.passwords._COST", 2)
    file = tmp_path / "logins"
    set_login(file, "anna", "correct horse")
    set_login(file, "bert", "battery staple")
    return file


async def who(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(f"hello {scope[USER_KEY]}")(scope, receive, send)


@pytest.fixture
def gate(file, clock):
    return Gate(who, Logins(file), title="Parts & <b>", throttle=Throttle(clock), clock=clock)


@pytest.fixture
def client(gate):
    return TestClient(gate, base_url="http://page:7860", follow_redirects=False)


def log_in(client, user="anna", password="correct horse", **headers):
    fields = {"username": user, "password": password}
    return client.post("/login", data=fields, headers=headers)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/config"), ("GET", "/page/dom.js"), ("POST", "/gradio_api/upload"),
        ("GET", "/gradio_api/heartbeat/x"), ("POST", "/gradio_api/cancel"), ("POST", "/"),
        ("GET", "/logins"), ("GET", "/gradio_api/login"),
    ],
)  # fmt: skip
def test_nothing_answers_without_a_login(client, method, path):
    client.cookies.update({"access-token": "x", "segnet-res-0": "y"})
    answer = client.request(method, path)
    assert answer.status_code == 401
    assert answer.json() == {"detail": "Log in first."}
    assert answer.headers["cache-control"] == "no-store"


def test_a_browser_is_led_to_the_form_and_back(client):
    answer = client.get("/", headers=BROWSER)
    assert (answer.status_code, answer.headers["location"]) == (303, "login")
    form = client.get("/login")
    assert "<h1>Parts &amp; &lt;b&gt;</h1>" in form.text
    assert "role=" not in form.text
    answer = log_in(client, **BROWSER)
    assert (answer.status_code, answer.headers["location"]) == (303, "./")
    assert client.get("/").text == "hello anna"
    assert client.get("/login").status_code == 303


def test_the_form_fetches_nothing(client):
    form = client.get("/login").text
    assert re.findall(r"(?:src|href|url)\s*[=(]\s*[\"']?([^\"' >]*)", form) == ["data:,"]


def test_a_program_logs_in_by_the_same_way(client):
    answer = log_in(client)
    assert answer.status_code == 200
    assert answer.json() == {"success": True}
    assert client.get("/config").text == "hello anna"


def test_the_cookie_is_out_of_reach_of_scripts_and_of_plain_http(gate, client):
    cookie = log_in(client).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "secure" not in cookie
    behind_tls = TestClient(gate, base_url="https://page")
    assert "; secure" in log_in(behind_tls).headers["set-cookie"].lower()


@pytest.mark.parametrize(
    ("user", "password"),
    [("anna", "battery staple"), ("nobody", "correct horse"), ("", ""), ("anna", ""),
     ("anna", "x" * 5000), ("x" * 50_000, "y"), ('"><script>', "x")],
)  # fmt: skip
def test_wrong_ones_are_refused(client, user, password):
    answer = log_in(client, user, password)
    assert answer.status_code == 401
    assert answer.json() == {"detail": "User or password is wrong."}
    assert "set-cookie" not in answer.headers
    told = log_in(client, user, password, **BROWSER)
    assert told.status_code == 401
    assert '<p role="alert">User or password is wrong.</p>' in told.text
    assert "<script>" not in told.text
    assert client.get("/").status_code == 303


@pytest.mark.parametrize("body", [b"", b"\xff=\xfe", b"{}", b"a=1&" * 3000, b"username"])
def test_forged_forms_are_refused(client, body):
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert client.post("/login", content=body, headers=form).status_code == 401


def test_guessing_is_slowed_down_even_for_the_right_password(client, clock):
    for _ in range(3):
        assert log_in(client, password="guess").status_code == 401
    answer = log_in(client)
    assert answer.status_code == 429
    assert answer.json() == {"detail": "Too many failed logins; try again in 1 s."}
    assert answer.headers["retry-after"] == "1"
    assert "Too many failed logins; try again in 1 s." in log_in(client, **BROWSER).text
    clock.now += 1
    assert log_in(client).status_code == 200
    # Her own slips are forgotten now.
    assert log_in(client, password="guess").status_code == 401


def test_one_user_does_not_slow_down_another(client):
    for _ in range(6):
        log_in(client, password="guess")
    assert log_in(client).status_code == 429
    assert log_in(client, "bert", "battery staple").status_code == 200


def test_logging_out_ends_this_login_alone(gate, client):
    other = TestClient(gate, base_url="http://page:7860", follow_redirects=False)
    log_in(client)
    log_in(other)
    token = dict(client.cookies)
    answer = client.post("/logout")
    assert (answer.status_code, answer.headers["location"]) == (303, "login")
    client.cookies.update(token)
    assert client.get("/config").status_code == 401
    assert other.get("/config").text == "hello anna"


def test_a_login_ends_after_twelve_idle_hours(client, clock):
    log_in(client)
    for _ in range(3):
        clock.now += 11.9 * 3600
        assert client.get("/config").status_code == 200
    clock.now += 12.1 * 3600
    assert client.get("/config").status_code == 401


def test_a_user_without_a_line_or_with_a_new_password_is_out_at_once(gate, client, file):
    other = TestClient(gate, base_url="http://page:7860")
    log_in(client)
    log_in(other, "bert", "battery staple")
    set_login(file, "anna", "a new password")
    assert client.get("/config").status_code == 401
    assert other.get("/config").text == "hello bert"
    remove_login(file, "bert")
    assert other.get("/config").status_code == 401
    assert log_in(client, password="a new password").status_code == 200


def test_sessions_are_bounded(client, monkeypatch):
    monkeypatch.setattr("segnet_res.web.gate._MOST_SESSIONS", 3)
    log_in(client)
    first = dict(client.cookies)
    for _ in range(3):
        client.cookies.clear()
        log_in(client)
    assert client.get("/config").status_code == 200
    client.cookies.clear()
    client.cookies.update(first)
    assert client.get("/config").status_code == 401


def test_failures_are_logged_without_the_password(client, caplog):
    log_in(client, password="nearly correct")
    assert "failed login of 'anna' from testclient" in caplog.text
    assert "nearly" not in caplog.text
