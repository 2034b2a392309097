"""How much memory this process may use, and how it gives back what it has freed."""

import ctypes
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

# Where the system does not say: more than anything here takes.
_UNKNOWN = 1 << 40


def available_memory() -> int:
    """Return the bytes of memory that this process may use, as far as the system tells."""
    found = [_UNKNOWN]
    # Windows does not say.
    with suppress(AttributeError, ValueError, OSError):
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    # The limit of a container, where there is one.
    with suppress(OSError, ValueError):
        found.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return min(found)


def trim_memory() -> None:
    """Return freed memory to the system, where the allocator can; it keeps it for later else.

    A model takes and frees hundreds of megabytes for each tile, in pieces of every size; what lies
    free between them adds up.
    """
    trim = glibc("malloc_trim")
    if trim is not None:
        trim(0)


def glibc(name: str) -> Any:  # noqa: ANN401 - functions of ctypes have no better type
    """Return a function of the C library, or None where it has no such one."""
    try:
        return getattr(ctypes.CDLL(None), name, None)
    except (OSError, TypeError):  # Windows has no library without a name
        return None
