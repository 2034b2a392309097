"""What stops the page from starting, told before anything slow is done."""

import socket
import subprocess
import sys

import pytest

from segnet_res.cli import app
from segnet_res.errors import UsageError
from segnet_res.web import is_local, serve


@pytest.fixture
def taken_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_taken_port_ends_the_command_with_one_sentence(runner, tmp_path, taken_port):
    result = runner.invoke(app, ["app", "--checkpoints", str(tmp_path), "--port", str(taken_port)])
    assert result.exit_code == 2
    assert result.stderr == (
        f"error: port {taken_port} of 127.0.0.1 cannot be used (Address already in use); stop the "
        "program that holds it, or give another one with --port\n"
    )


def test_a_missing_folder_ends_the_command_with_one_sentence(runner, tmp_path):
    result = runner.invoke(app, ["app", "--checkpoints", str(tmp_path / "none")])
    assert result.exit_code == 2
    assert result.stderr == (
        f"error: {tmp_path / 'none'}: no such folder; give the folder that holds checkpoints\n"
    )


def test_broken_logins_end_the_command_with_one_sentence(runner, tmp_path):
    (tmp_path / "logins").write_text("anna:secret")
    result = runner.invoke(app, ["app", "--auth", str(tmp_path / "logins")])
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert (
        "line 1: the password is not hashed; delete it and write it with segnet-res"
        in result.stderr
    )


def test_an_open_host_without_logins_warns(runner, tmp_path, taken_port):
    options = ["--host", "0.0.0.0", "--port", str(taken_port), "--checkpoints", str(tmp_path)]
    result = runner.invoke(app, ["app", *options])
    assert result.stderr.startswith("warning: everybody who reaches 0.0.0.0 can use the page;")


def test_a_host_that_makes_no_sense_is_told(tmp_path):
    told = pytest.raises(UsageError, match=r"host 'no such host' or port 1 makes no sense")
    with told, serve(tmp_path, host="no such host", port=1):
        pass


def test_starting_fails_before_gradio_is_imported(tmp_path, taken_port, monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    told = pytest.raises(UsageError, match="cannot be used")
    with told, serve(tmp_path, port=taken_port):
        pass


def test_this_machines_own_names_are_local():
    assert [is_local(host) for host in ("127.0.0.1", "localhost", "::1", "0.0.0.0")] == [
        True,
        True,
        True,
        False,
    ]


# The server takes its time while a model works, so that nobody waits for it. In a process of its
# own: the page leaves threads and handles behind that only the end of a process clears.
_LATE = """
import asyncio, sys
from pathlib import Path
import uvicorn
from segnet_res.web import serve
from segnet_res.web.turns import Turnstile

shutdown = uvicorn.Server.shutdown

async def slowly(self, sockets=None):
    await asyncio.sleep(1.5)
    await shutdown(self, sockets)

uvicorn.Server.shutdown = slowly
Turnstile.busy = True
with serve(Path(sys.argv[1]), port=0) as page:
    pass
page.wait()
"""


def test_a_server_that_is_not_waited_for_ends_without_a_traceback(tmp_path):
    command = [sys.executable, "-c", _LATE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
