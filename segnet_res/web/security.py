"""Who may talk to the page: logins, hosts and origins, and the headers that bind the browser."""

import hmac
from collections.abc import Callable
from pathlib import Path

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from segnet_res.errors import UsageError

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

# Gradio fetches any address that it is asked for under these; the page must reach nothing outside.
_PROXIES = ("/gradio_api/file=http", "/gradio_api/proxy=", "/file=http", "/proxy=")

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
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

MAX_UPLOAD_BYTES = 512 * 1024 * 1024


class Guard:
    """Refuses requests of other sites and adds the security headers to every answer.

    Args:
        app: The page.
        local: Whether the page listens on this machine alone. Then only its own names are
            accepted as host, so that a foreign name that resolves to 127.0.0.1 gets nothing.
    """

    def __init__(self, app: ASGIApp, *, local: bool) -> None:
        self._app = app
        self._local = local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on to the page."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # the page uses no web sockets
        refusal = self._refusal(scope)
        if refusal is not None:
            status, text = refusal
            response = PlainTextResponse(text, status)
            await response(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
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
        if any(scope["path"].startswith(prefix) for prefix in _PROXIES):
            return 404, "This page fetches nothing from other addresses."
        length = headers.get("content-length", "0")
        if length.isdigit() and int(length) > MAX_UPLOAD_BYTES:
            return 413, f"Uploads end at {MAX_UPLOAD_BYTES // 2**20} MB."
        return None


def _host_name(host: str) -> str:
    """Return the host without its port, ``[::1]:7860`` as ``::1``."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


def read_logins(path: Path) -> dict[str, str]:
    """Read ``user:password`` lines; empty lines and lines that start with # are left out.

    Raises:
        UsageError: when the file cannot be read, a line is something else, a user occurs twice, or
            there is no user.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise UsageError(
            f"{path}: the logins cannot be read ({reason}); give a text file of user:password lines"
        ) from error
    logins: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        user, colon, password = line.partition(":")
        user = user.strip()
        if not colon or not user or not password:
            # The line itself stays out of the message: it may hold a password.
            raise UsageError(f"{path}, line {number}: not a login; write user:password")
        if user in logins:
            raise UsageError(f"{path}, line {number}: {user!r} occurs twice; keep one line")
        logins[user] = password
    if not logins:
        raise UsageError(f"{path}: no login found; write one user:password a line")
    return logins


def login_check(logins: dict[str, str]) -> Callable[[str, str], bool]:
    """Return a function that tells whether user and password belong together."""

    def check(user: str, password: str) -> bool:
        # An unknown user takes as long as a wrong password, and a longer common start no longer.
        known = logins.get(user, "")
        equal = hmac.compare_digest(known.encode(), password.encode())
        return equal and user in logins

    return check
