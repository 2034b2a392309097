"""Who is refused, and which headers every answer carries."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from segnet_res.web.security import MAX_BODY_BYTES, MAX_UPLOAD_BYTES, Guard


async def answer_hello(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("hello")(scope, receive, send)


@pytest.fixture
def client() -> TestClient:
    return TestClient(
        Guard(answer_hello, local=True, files=Path("/tmp/page")), base_url="http://127.0.0.1:7860"
    )


@pytest.fixture
def public_client() -> TestClient:
    return TestClient(
        Guard(answer_hello, local=False, files=Path("/tmp/page")), base_url="http://press4:7860"
    )


def test_every_answer_carries_the_security_headers(client):
    answer = client.get("/")
    assert answer.text == "hello"
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"


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
    "path",
    [
        "/gradio_api/file=http://10.0.0.1/x",
        "/gradio_api/file=HTTPS://10.0.0.1/x",
        "/gradio_api/proxy=https://a",
        "/file=http://10.0.0.1/x",
    ],
)
def test_the_server_fetches_nothing_for_others(client, path):
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/run/predict", "/gradio_api/api/predict", "/run/predict", "/api/predict",
        "/gradio_api/vibe-code", "/gradio_api/component_server", "/gradio_api/deep_link",
        "/gradio_api/process_recording", "/gradio_api/dev/reload", "/gradio_api/token",
        "/gradio_api/runs", "/gradio_api/stream/1", "/monitoring", "/monitoring/summary",
        "/login", "/docs", "/openapi.json", "/gradio_api/openapi.json", "//gradio_api/run/predict",
    ],
)  # fmt: skip
def test_what_the_page_does_not_need_is_not_there(client, path):
    for method in ("GET", "POST"):
        answer = client.request(method, path)
        assert (answer.status_code, answer.text) == (404, "There is nothing here."), method


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/gradio_api/file=/tmp/page/result-x/mask.png", 200),
        ("/gradio_api/file=/tmp/page/%3Cb%3E part.png", 200),
        ("/gradio_api/file=/etc/passwd", 404),
        ("/gradio_api/file=/tmp/page/../other/secret", 404),
        ("/gradio_api/file=/tmp/page/%2E%2E/other/secret", 404),
        ("/gradio_api/file=/tmp/page-of-another/secret", 404),
        ("/gradio_api/file=segnet_res/web/server.py", 404),
        ("/gradio_api/file=.gradio/cached_examples/x", 404),
    ],
)
def test_only_files_of_the_private_folder_are_given_out(path, status):
    # As a server sees it: test clients would tidy the path up before they send it.
    scope = {
        "type": "http", "method": "GET", "path": unquote(path), "query_string": b"",
        "headers": [(b"host", b"127.0.0.1")],
    }  # fmt: skip
    sent = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        sent.append(message)

    guard = Guard(answer_hello, local=True, files=Path("/tmp/page"))
    asyncio.run(guard(scope, receive, send))
    assert sent[0]["status"] == status


def test_oversize_bodies_are_refused_before_they_are_read(client):
    def never() -> Iterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    huge = {"Content-Length": str(MAX_UPLOAD_BYTES + 1)}
    answer = client.post("/gradio_api/upload", headers=huge, content=never())
    assert answer.status_code == 413
    assert answer.text == "Uploads end at 512 MB; send fewer files at a time."
    questions = {"Content-Length": str(MAX_BODY_BYTES + 1)}
    answer = client.post("/gradio_api/queue/join", headers=questions, content=never())
    assert answer.status_code == 413
    assert answer.text == "Uploads end at 4 MB; send fewer files at a time."
    odd = client.post("/gradio_api/queue/join", headers={"Content-Length": "-5"}, content=never())
    assert odd.status_code == 413


@pytest.mark.parametrize("behaviour", ["reads all", "fails on a cut body", "answers at once"])
def test_bodies_without_a_length_are_cut_off(behaviour):
    """Sent in pieces, nobody knows beforehand how long they become."""
    got = []

    async def reader(scope: Scope, receive: Receive, send: Send) -> None:
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect" and behaviour == "fails on a cut body":
                raise ClientDisconnect
            more = message.get("more_body", False)
            got.append(len(message.get("body", b"")))
        await PlainTextResponse("stored")(scope, receive, send)

    async def hasty(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("hello")(scope, receive, send)

    pieces = [{"type": "http.request", "body": b"x" * 2**20, "more_body": True}] * 100
    sent = []

    async def receive() -> Message:
        return pieces.pop()

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/gradio_api/queue/join", "query_string": b"",
        "headers": [(b"host", b"127.0.0.1"), (b"transfer-encoding", b"chunked")],
    }  # fmt: skip
    app = hasty if behaviour == "answers at once" else reader
    asyncio.run(Guard(app, local=True, files=Path("/tmp/page"))(scope, receive, send))
    starts = [message for message in sent if message["type"] == "http.response.start"]
    if behaviour == "answers at once":
        assert [start["status"] for start in starts] == [200]
        assert len(pieces) == 100
    else:
        assert [start["status"] for start in starts] == [413]
        assert b"x-frame-options" in dict(starts[0]["headers"])
        assert sum(got) == MAX_BODY_BYTES
        assert len(pieces) == 95


def test_an_upload_that_the_browser_breaks_off_is_no_failure():
    messages = [
        {"type": "http.request", "body": b"half a picture", "more_body": True},
        {"type": "http.disconnect"},
    ]
    asked, sent = [], []

    async def reader(scope: Scope, receive: Receive, send: Send) -> None:
        async for piece in Request(scope, receive).stream():
            asked.append(piece)

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/gradio_api/upload", "query_string": b"",
        "headers": [(b"host", b"127.0.0.1"), (b"transfer-encoding", b"chunked")],
    }  # fmt: skip
    asyncio.run(Guard(reader, local=True, files=Path("/tmp/page"))(scope, receive, send))
    assert asked == [b"half a picture"]
    assert messages == sent == []


def test_a_failure_of_the_page_stays_one():
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("a bug")

    guarded = Guard(broken, local=True, files=Path("/tmp/page"))
    with pytest.raises(RuntimeError, match="a bug"):
        TestClient(guarded, base_url="http://127.0.0.1").get("/")
