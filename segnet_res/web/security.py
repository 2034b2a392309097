"""Who may talk to the page, about what and how much, and the headers that bind the browser."""

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

# All that the page and gradio_client ask for. Gradio answers to much more, some of it without
# asking for a login, past the queue, or by fetching other addresses.
_PATHS = frozenset(
    {"/", "/config", "/theme.css", "/favicon.ico", "/manifest.json", "/robots.txt"}
    | {f"/gradio_api/{name}" for name in ("info", "upload", "upload_progress", "cancel", "reset")}
    | {f"/gradio_api/{name}" for name in ("app_id", "startup-events", "theme.css")}
)
_FOLDERS = (
    "/assets/", "/static/", "/page/", "/gradio_api/queue/", "/gradio_api/call/",
    "/gradio_api/heartbeat/",
)  # fmt: skip
_FILE = "/gradio_api/file="

# Gradio's own start-up code is inline, and its HTML component compiles texts; all the rest, and
# above all every outside address, is refused by the browser itself.
_CONTENT_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not "no-referrer": the login's form would then come from the origin "null".
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

MAX_UPLOAD_BYTES = 512 * 1024 * 1024
# What is no upload: a question of the page is a few kB, a specification file some more.
MAX_BODY_BYTES = 4 * 1024 * 1024


class Guard:
    """Refuses requests of other sites, to other places and of any size; adds security headers.

    Args:
        app: The page.
        local: Whether the page listens on this machine alone. Then only its own names are
            accepted as host, so that a foreign name that resolves to 127.0.0.1 gets nothing.
        files: The one folder whose files may be fetched.
        also: Paths that are answered to besides those of the page.
    """

    def __init__(
        self, app: ASGIApp, *, local: bool, files: Path, also: frozenset[str] = frozenset()
    ) -> None:
        self._app = app
        self._local = local
        self._files = PurePosixPath(files.as_posix())
        self._paths = _PATHS | also

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on to the page."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # the page uses no web sockets
        limit = MAX_UPLOAD_BYTES if scope["path"] == "/gradio_api/upload" else MAX_BODY_BYTES
        refusal = self._refusal(scope, limit)
        bounded = _Bounded(receive, _with_headers(send), limit)
        if refusal is not None:
            await PlainTextResponse(refusal[1], refusal[0])(scope, receive, bounded.send)
            return
        try:
            await self._app(scope, bounded.receive, bounded.send)
        except ClientDisconnect:
            # Somebody closed the browser in the middle of an upload: no fault of the page's.
            pass
        except Exception:
            # What the page makes of a body that was cut off is of no interest.
            if not bounded.exceeded:
                raise
        if bounded.exceeded and not bounded.answered:
            await PlainTextResponse(_too_large(limit), 413)(scope, receive, bounded.answer)

    def _refusal(self, scope: Scope, limit: int) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._local and _host_name(host) not in LOOPBACK:
            return 403, f"This page answers on this machine only, not as {host[:200]!r}."
        # A proxy may pass the name that the browser knows in X-Forwarded-Host; a page of another
        # site cannot set that header without a preflight, and preflights of others are refused.
        own = {host, headers.get("x-forwarded-host", host)}
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] not in own:
            return 403, "Requests from other sites are refused."
        if not self._is_ours(scope["path"]):
            return 404, "There is nothing here."
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > limit:
            return 413, _too_large(limit)
        return None

    def _is_ours(self, path: str) -> bool:
        if path.startswith(_FILE):
            file = PurePosixPath(path.removeprefix(_FILE))
            return ".." not in file.parts and file.is_relative_to(self._files)
        return path in self._paths or path.startswith(_FOLDERS)


@dataclass
class _Bounded:
    """One request whose body ends at a limit, announced or not.

    Attributes:
        exceeded: Whether the body was longer; what the page answers then is left out.
        answered: Whether an answer has begun.
    """

    inner_receive: Receive
    inner_send: Send
    limit: int
    exceeded: bool = False
    answered: bool = False
    _size: int = field(default=0)

    async def receive(self) -> Message:
        if self.exceeded:
            return {"type": "http.disconnect"}
        message = await self.inner_receive()
        self._size += len(message.get("body", b""))
        if self._size > self.limit:
            self.exceeded = True
            return {"type": "http.disconnect"}
        return message

    async def send(self, message: Message) -> None:
        if not self.exceeded or self.answered:
            await self.answer(message)

    async def answer(self, message: Message) -> None:
        self.answered = True
        await self.inner_send(message)


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
        await send(message)

    return send_with_headers


def _too_large(limit: int) -> str:
    return f"Uploads end at {limit // 2**20} MB; send fewer files at a time."


def _host_name(host: str) -> str:
    """Return the host without its port, ``[::1]:7860`` as ``::1``."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()
