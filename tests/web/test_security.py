"""Who is refused, and which headers every answer carries."""

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from segnet_res.errors import UsageError
from segnet_res.web.security import MAX_UPLOAD_BYTES, Guard, login_check, read_logins


async def answer_hello(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("hello")(scope, receive, send)


@pytest.fixture
def client() -> TestClient:
    return TestClient(Guard(answer_hello, local=True), base_url="http://127.0.0.1:7860")


@pytest.fixture
def public_client() -> TestClient:
    return TestClient(Guard(answer_hello, local=False), base_url="http://press4:7860")


def test_every_answer_carries_the_security_headers(client):
    answer = client.get("/")
    assert answer.text == "hello"
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:7861"])
def test_other_origins_are_refused(client, origin):
    answer = client.post("/gradio_api/upload", headers={"Origin": origin})
    assert answer.status_code == 403
    assert answer.text == "Requests from other sites are refused."
    assert "access-control-allow-origin" not in answer.headers


def test_the_own_origin_passes(client, public_client):
    own = {"Origin": "http://127.0.0.1:7860"}
    assert client.post("/", headers=own).status_code == 200
    assert public_client.post("/", headers={"Origin": "http://press4:7860"}).status_code == 200


def test_a_proxy_may_tell_the_name_that_the_browser_knows(client):
    told = {"Origin": "https://inspect.factory", "X-Forwarded-Host": "inspect.factory"}
    assert client.post("/", headers=told).status_code == 200


def test_a_foreign_name_of_this_machine_is_refused_when_local(client, public_client):
    rebound = {"Host": "rebound.example:7860"}
    assert client.get("/", headers=rebound).status_code == 403
    assert "this machine only" in client.get("/", headers=rebound).text
    assert public_client.get("/", headers=rebound).status_code == 200
    assert client.get("/", headers={"Host": "[::1]:7860"}).status_code == 200


@pytest.mark.parametrize(
    "path", ["/gradio_api/file=http://10.0.0.1/x", "/gradio_api/proxy=https://a"]
)
def test_the_server_fetches_nothing_for_others(client, path):
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.text == "This page fetches nothing from other addresses."


def test_oversize_bodies_are_refused_before_they_are_read(client):
    answer = client.post("/", headers={"Content-Length": str(MAX_UPLOAD_BYTES + 1)})
    assert answer.status_code == 413
    assert answer.text == "Uploads end at 512 MB."


def test_logins_are_read_and_checked(tmp_path):
    file = tmp_path / "logins"
    file.write_text("# shift A\n\nanna:se:cret\n bert :x\n")
    logins = read_logins(file)
    assert logins == {"anna": "se:cret", "bert": "x"}
    check = login_check(logins)
    assert check("anna", "se:cret")
    assert not check("anna", "x")
    assert not check("nobody", "")
    assert not check("bert", "ü")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"anna\n", r"line 1: not a login; write user:password"),
        (b"a:b\n:x\n", r"line 2: not a login"),
        (b"anna:\n", r"line 1: not a login"),
        (b"a:b\na:c\n", r"line 2: 'a' occurs twice; keep one line"),
        (b"# none\n", r"no login found; write one user:password a line"),
        (b"\xff\xfe:a\n", r"it is no UTF-8 text"),
    ],
)
def test_broken_logins_are_told_without_the_password(tmp_path, content, message):
    file = tmp_path / "logins"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=message) as caught:
        read_logins(file)
    assert "anna" not in str(caught.value).replace(str(file), "")


def test_missing_logins_are_told(tmp_path):
    with pytest.raises(UsageError, match=r"the logins cannot be read \(No such file"):
        read_logins(tmp_path / "none")
