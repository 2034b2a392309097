"""The login before the page: nothing behind it answers to whoever has not logged in."""

import html
import logging
import math
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from string import Template
from urllib.parse import parse_qs

import anyio.to_thread
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from segnet_res.web.passwords import MAX_LENGTH, Logins, Secret
from segnet_res.web.throttle import Throttle

# A shift and its break without a click, then the login is asked for again.
_IDLE_SECONDS = 12 * 3600
_MOST_SESSIONS = 10_000
# A name and a password, each letter as %XX.
_MAX_FORM = 16 * 1024

# Complete in itself: nothing else is fetched before the login.
_PAGE = Path(__file__).with_name("static") / "login.html"

# What the gate itself answers to.
GATE_PATHS = frozenset({"/login", "/logout"})

USER_KEY = "segnet_res.user"

_WRONG = "User or password is wrong."


@dataclass
class _Session:
    user: str
    secret: Secret
    seen: float


class Gate:
    """Asks for user and password, and remembers who gave them by a cookie.

    Who has logged in stands in ``scope[USER_KEY]`` of each request that is let through. A user
    who was taken out of the file, or whose password was changed, is out at once.

    Args:
        app: What lies behind.
        logins: Who may enter.
        title: Of the page with the login.
        throttle: Slows down guessing.
        clock: Tells the time in seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        logins: Logins,
        *,
        title: str,
        throttle: Throttle | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._logins = logins
        self._title = title
        self._throttle = throttle or Throttle(clock)
        self._clock = clock
        # Browsers do not keep the cookies of two ports apart: each page has its own name.
        self._cookie = f"segnet-res-{secrets.token_hex(4)}"
        self._sessions: OrderedDict[str, _Session] = OrderedDict()
        self._page = Template(_PAGE.read_text("utf-8"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer logins and refusals, pass everything else of a user on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        response = await self._answer(scope, receive)
        if response is None:
            await self._app(scope, receive, send)
        else:
            response.headers["Cache-Control"] = "no-store"
            await response(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Response | None:
        path, method = scope["path"], scope["method"]
        token = self._token(scope)
        if path == "/login" and method == "POST":
            return await self._log_in(scope, receive)
        if path == "/logout" and method == "POST":
            self._sessions.pop(token, None)
            response = RedirectResponse("login", 303)
            response.delete_cookie(self._cookie)
            return response
        session = self._session(token)
        if path == "/login":
            return self._form() if session is None else RedirectResponse("./", 303)
        if session is not None:
            scope[USER_KEY] = session.user
            return None
        if path == "/" and method in ("GET", "HEAD"):
            return RedirectResponse("login", 303)
        return JSONResponse({"detail": "Log in first."}, 401)

    def _token(self, scope: Scope) -> str:
        return HTTPConnection(scope).cookies.get(self._cookie, "")

    def _session(self, token: str) -> _Session | None:
        session = self._sessions.get(token)
        if session is None:
            return None
        now = self._clock()
        valid = self._logins.secret(session.user) == session.secret
        if not valid or now - session.seen > _IDLE_SECONDS:
            del self._sessions[token]
            return None
        session.seen = now
        self._sessions.move_to_end(token)
        return session

    async def _log_in(self, scope: Scope, receive: Receive) -> Response:
        is_browser = "text/html" in Headers(scope=scope).get("accept", "")
        user, password = await _credentials(receive)
        address = (scope.get("client") or ("unknown", 0))[0]
        wait = self._throttle.begin(user, address)
        if wait > 0:
            seconds = math.ceil(wait)
            text = f"Too many failed logins; try again in {seconds} s."
            refusal = self._refusal(text, 429, user, is_browser=is_browser)
            refusal.headers["Retry-After"] = str(seconds)
            return refusal
        # In a thread: it takes a fifth of a second, and the page goes on for the others.
        secret = await anyio.to_thread.run_sync(self._logins.check, user, password)
        log = logging.getLogger(__name__)
        if secret is None:
            log.warning("failed login of %r from %s", user, address)
            return self._refusal(_WRONG, 401, user, is_browser=is_browser)
        self._throttle.succeed(user, address)
        log.info("login of %r from %s", user, address)
        response: Response = JSONResponse({"success": True})
        if is_browser:
            response = RedirectResponse("./", 303)
        response.set_cookie(
            self._cookie, self._new_session(user, secret), httponly=True, samesite="lax",
            secure=scope.get("scheme") == "https",
        )  # fmt: skip
        return response

    def _new_session(self, user: str, secret: Secret) -> str:
        token = secrets.token_urlsafe(32)
        self._sessions[token] = _Session(user, secret, self._clock())
        while len(self._sessions) > _MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return token

    def _refusal(self, text: str, status: int, user: str, *, is_browser: bool) -> Response:
        if is_browser:
            return self._form(text, status, user)
        return JSONResponse({"detail": text}, status)

    def _form(self, text: str = "", status: int = 200, user: str = "") -> HTMLResponse:
        alert = f'<p role="alert">{html.escape(text)}</p>' if text else ""
        page = self._page.substitute(
            title=html.escape(self._title),
            alert=alert,
            user=html.escape(user),
            on_user="" if user else " autofocus",
            on_password=" autofocus" if user else "",
            longest=MAX_LENGTH,
        )
        return HTMLResponse(page, status)


async def _credentials(receive: Receive) -> tuple[str, str]:
    """Read user and password of a form; what is none, or too long, becomes empty texts."""
    body = b""
    more = True
    while more:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            return "", ""
        body += message.get("body", b"")
        if len(body) > _MAX_FORM:
            return "", ""
        more = message.get("more_body", False)
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=8)
    except ValueError:
        return "", ""
    user, password = fields.get("username", [""])[0].strip(), fields.get("password", [""])[0]
    # Longer ones are no user of any file, and would only fill the memory of the throttle.
    return user[:200], password if len(password) <= MAX_LENGTH else ""
