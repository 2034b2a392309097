"""What was freed is given back: measured by what the process holds."""

import subprocess
import sys
import textwrap

import pytest

from segnet_res.web import memory
from segnet_res.web.turns import Turnstile

glibc = pytest.mark.skipif(
    memory.glibc("malloc_trim") is None, reason="another allocator than glibc's"
)

# In a process of its own: what other tests have left behind would be given back too.
HELD = """
    import re, threading
    from pathlib import Path
    from segnet_res.web import memory

    def held():
        return int(re.search(r"RssAnon:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])

    {begin}
    pins, stop = [], threading.Event()

    def work(done):
        # Many small pieces, the last of which stays: the allocator keeps all that lies below it.
        pieces = [bytearray(60_000) for _ in range(400)]
        pins.append(pieces[-1])
        del pieces
        done.set()
        stop.wait()

    before = held()
    for _ in range(12):
        done = threading.Event()
        threading.Thread(target=work, args=(done,)).start()
        done.wait()
    {end}
    print(held() - before)
    stop.set()
"""


def grown(*, begin: str = "", end: str = "") -> int:
    """Return by how many kB a process has grown when twelve threads have worked."""
    script = textwrap.dedent(HELD.format(begin=begin, end=end))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@glibc
def test_threads_share_what_others_have_freed():
    assert grown(begin="memory.share_arenas()") < grown() / 2


@glibc
def test_what_was_freed_goes_back():
    assert grown(end="memory.give_back().join()") < grown() / 2


@glibc
def test_one_is_enough_at_a_time():
    first = memory.give_back()
    assert memory.give_back() is None
    first.join()
    again = memory.give_back()
    again.join()


def test_a_turn_gives_back_and_a_place_in_the_queue_does_not(monkeypatch):
    given = []
    monkeypatch.setattr("segnet_res.web.turns.give_back", lambda: given.append(1))
    turns = Turnstile()
    first, second = turns.enter(), turns.enter()
    assert first.wait(0)
    assert not second.wait(0)
    second.leave()
    assert given == []
    first.leave()
    first.leave()
    assert given == [1]


def test_without_glibc_nothing_happens(monkeypatch):
    monkeypatch.setattr(memory, "glibc", lambda _: None)
    memory.share_arenas()
    assert memory.give_back() is None
