"""Starts and stops the page's server."""

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from segnet_res.errors import SegnetResError, UsageError
from segnet_res.web.backend import Backend
from segnet_res.web.gate import GATE_PATHS, USER_KEY, Gate
from segnet_res.web.memory import share_arenas
from segnet_res.web.passwords import Logins
from segnet_res.web.private import private_folder
from segnet_res.web.security import LOOPBACK, MAX_UPLOAD_BYTES, Guard
from segnet_res.web.turns import Turnstile

if TYPE_CHECKING:
    import uvicorn
    from fastapi import Request
    from starlette.types import ASGIApp

# So long a browser that opens with the command takes for the page; then the model is loaded anyway.
_BROWSER_SECONDS = 5

_STATIC = Path(__file__).with_name("static")


@dataclass(frozen=True)
class Server:
    """A page that runs in a thread of this process.

    Attributes:
        url: Address of the page.
    """

    url: str
    _thread: threading.Thread
    _turns: Turnstile

    @property
    def busy(self) -> bool:
        """Whether a model still computes; Python would be aborted if it ended meanwhile."""
        return self._turns.busy

    def wait(self) -> None:
        """Return when the page has stopped; Ctrl-C gets through."""
        while self._thread.is_alive():
            self._thread.join(0.5)


@contextmanager
def serve(
    checkpoints: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    auth: Path | None = None,
    data: Path | None = None,
    accept_checkpoints: bool = False,
    accept_annotations: bool = False,
    runs: Path | None = None,
    flips: bool = False,
) -> Iterator[Server]:
    """Run the page while the block runs.

    Args:
        checkpoints: Folder of the checkpoints that can be chosen; may be empty or missing.
        host: Address to listen on; anything but this machine's own makes the page public.
        port: 0 takes any free one.
        auth: File of logins that `segnet-res logins` wrote; None lets everybody in.
        data: Folder whose datasets and pictures the page may read; None: no folder.
        accept_checkpoints: Whether people may add checkpoints to the folder through the page.
        accept_annotations: Whether people may save masks into datasets below ``data``.
        runs: Existing folder of retrainings that people may start and promote; None: they may not.
        flips: Whether all predictions are averaged over mirror images; four times the work.

    Raises:
        UsageError: when the port is taken, the host is unknown, or the file of logins is broken.
        StorageError: when no temporary folder can be made.
    """
    share_arenas()
    logins = Logins(auth) if auth is not None else None
    with _listening(host, port) as listener, private_folder() as folder:
        backend = Backend.make(
            checkpoints,
            folder,
            data,
            accept_checkpoints=accept_checkpoints,
            accept_annotations=accept_annotations,
            runs=runs,
            flips=flips,
        )
        app = _build(backend, host, logins)
        server, thread = _start(app, listener)
        warm_up = threading.Thread(target=_warm_up, args=(backend,), daemon=True)
        warm_up.start()
        shown = "localhost" if host in ("0.0.0.0", "::") else host
        if ":" in shown:
            shown = f"[{shown}]"
        try:
            yield Server(
                f"http://{shown}:{listener.getsockname()[1]}", thread, backend.checkpoints.turns
            )
        finally:
            # Answers that are broken off now are no errors that anybody wants to read.
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
            server.should_exit = True
            backend.opened.set()
            # Python must not end in the middle of torch's work or import: that aborts the process.
            backend.checkpoints.turns.close()
            # While it still works the command leaves without it, and nothing is worth a wait.
            busy = backend.checkpoints.turns.busy
            backend.jobs.close(0 if busy else 10)
            thread.join(1 if busy else 10)
            warm_up.join(0 if busy else 30)


def is_local(host: str) -> bool:
    """Tell whether a host means this machine alone."""
    return host in LOOPBACK


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """Hold the port before anything slow is done, so that a taken one is told at once."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, OverflowError) as error:
        raise UsageError(
            f"host {host!r} or port {port} makes no sense ({error}); try 127.0.0.1 and 7860"
        ) from error
    with socket.socket(family, kind, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(128)
        except OSError as error:
            raise UsageError(
                f"port {port} of {host} cannot be used ({error.strerror}); stop the program that "
                "holds it, or give another one with --port"
            ) from error
        yield listener


def _build(backend: Backend, host: str, logins: Logins | None) -> "ASGIApp":
    # Read by gradio when it is imported: it would look for a newer version, and for a Hub account.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import gradio as gr
    from fastapi import FastAPI
    from starlette.staticfiles import StaticFiles

    from segnet_res.web.page import CSS_FILES, THEME, TITLE, build_page

    page = build_page(backend)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/page", StaticFiles(directory=_STATIC))
    gr.mount_gradio_app(
        app,
        page,
        path="/",
        server_name=host,
        # A second door behind the gate: gradio answers to nobody that the gate has not named.
        auth_dependency=_user if logins is not None else None,
        allowed_paths=[],
        max_file_size=MAX_UPLOAD_BYTES,
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        show_error=False,
        enable_monitoring=False,
        mcp_server=False,
        pwa=False,
        theme=THEME,
        css_paths=[_STATIC / name for name in CSS_FILES],
    )
    folder, local = backend.storage.folder, is_local(host)
    if logins is None:
        return Guard(app, local=local, files=folder)
    gate = Gate(app, logins, title=TITLE)
    return Guard(gate, local=local, files=folder, also=GATE_PATHS)


def _user(request: "Request") -> str | None:
    user = request.scope.get(USER_KEY)
    return user if isinstance(user, str) else None


def _start(app: "ASGIApp", listener: socket.socket) -> tuple["uvicorn.Server", threading.Thread]:
    import uvicorn

    # A handle of its own: a server that is not waited for would stumble over one that is closed.
    own = listener.dup()
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([own],), daemon=True, name="page")
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    if not server.started:
        raise SegnetResError("the page did not start; look at the messages above")
    return server, thread


def _warm_up(backend: Backend) -> None:
    """Draw the samples and load the first model while the browser opens the page."""
    # What goes wrong here goes wrong again, with its sentence, when somebody asks for it.
    with suppress(SegnetResError):
        backend.samples.parts()
        # Importing torch keeps both Python and the disk busy while the browser loads the page.
        backend.opened.wait(_BROWSER_SECONDS)
        library = backend.checkpoints
        name = library.first()
        if name is not None:
            with library.turns.turn(), library.borrow(name):
                logging.getLogger(__name__).debug("loaded %s", name)
