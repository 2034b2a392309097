"""Freed memory goes back to the system, so that a page that runs for months stays small.

The allocator of Linux keeps what was freed, apart for every few threads that ever allocated. A page
answers in dozens of threads, and each picture takes hundreds of megabytes for a second: kept by one
thread after the other these added up to gigabytes. Elsewhere nothing is done here.
"""

import threading
import time

from segnet_res.memory import glibc

# From glibc's malloc.h; it has no name in Python.
_M_ARENA_MAX = -8
# One for what is short and one for those who would wait for it: the page's threads mostly wait for
# their turn, and torch asks for few, large pieces.
_ARENAS = 2

# The reply leaves first, and with it what it held.
_DELAY_SECONDS = 0.2

_trimming = threading.Lock()


def share_arenas() -> None:
    """Let all threads that start from now on allocate from the same few arenas."""
    mallopt = glibc("mallopt")
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)


def give_back() -> threading.Thread | None:
    """Return freed memory to the system, soon and in a thread of its own.

    Returns:
        The thread; None where there is nothing to do, or it is under way already.
    """
    trim = glibc("malloc_trim")
    if trim is None or not _trimming.acquire(blocking=False):
        return None

    def work() -> None:
        try:
            time.sleep(_DELAY_SECONDS)
            trim(0)
        finally:
            _trimming.release()

    thread = threading.Thread(target=work, daemon=True, name="give-back")
    thread.start()
    return thread
