"""A hot folder: pictures are taken as soon as they are complete, for as long as the run lasts.

Folders are polled, since that works on every file system, network drives included. A folder whose
time of change stands still has no new names, so that old files cost nothing; what was changed in
its place is found by a look at every file, now and then.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from segnet_res.errors import ImageError
from segnet_res.images import image_size, read_picture
from segnet_res.inference.checking import Stamp, stamp
from segnet_res.inference.index import Index, Planned
from segnet_res.inference.large import is_large
from segnet_res.inference.sources import Found, is_picture

# Seconds between two looks.
_POLL = 0.1

# Seconds for which size and time of a file must stand still.
_SETTLED = 0.25

# A file that stands still for so many seconds and cannot be decoded is damaged, and not on its way.
_PATIENCE = 10.0

# A folder's time of change may have steps of two seconds (FAT).
_COARSE = 3.0

# The part of the time that looking at every file may take.
_SHARE = 0.05


@dataclass
class _Arriving:
    """A file that may still grow.

    Attributes:
        stamp: As it was at the last look.
        since: When it became so.
    """

    stamp: Stamp
    since: float


@dataclass
class _Folder:
    """A folder that is looked at.

    Attributes:
        changed: Its time of change when it was read last, in nanoseconds.
        next: The time from which it may be read again.
    """

    changed: int = -1
    next: float = 0.0


class Watch:
    """What is in a folder, and what comes into it.

    Some 100 bytes are held for every file that lies there.

    Args:
        root: The folder, with its subfolders.
        target: A folder that is passed over.
        index: Holds the pictures that are there already.
    """

    def __init__(self, root: Path, target: Path, index: Index) -> None:
        self._root = root
        self._target = os.path.realpath(target)
        self._index = index
        # By the hash of a name the hash of its stamp: names would take several times the memory.
        # 0: it is to be segmented anyway.
        self._known: dict[int, int] = {}
        self._arriving: dict[str, _Arriving] = {}
        self._folders: dict[str, _Folder] = {"": _Folder()}
        self._next_look = 0.0
        self._all_seen = True

    def pictures(self) -> Iterator[Planned | None]:
        """Yield pictures for ever: what comes first, else what was there; None: nothing now."""
        for planned in self._index.pictures():
            self._known[hash(planned.found.name)] = 0
        waiting = self._index.pictures()
        looked = 0.0
        while True:
            if time.monotonic() - looked >= _POLL:
                yield from self._arrived()
                looked = time.monotonic()
            following = self._next(waiting)
            if following is not None:
                yield following
                continue
            # Everything taken so far is finished before the pause begins.
            yield None
            time.sleep(_POLL)

    def _arrived(self) -> Iterator[Planned]:
        """Yield what has become complete, and those whose results are called otherwise by it."""
        # All come in before the first is yielded: another one may change what it is called.
        changed = {
            planned.found.name: planned
            for found in self._complete()
            for planned in self._index.insert(found)
        }
        for planned in changed.values():
            # What was taken away since keeps its results where they are.
            if planned.found.path.exists():
                yield planned

    def _next(self, waiting: Iterator[Planned]) -> Planned | None:
        """Return the next picture that was there from the beginning and is complete."""
        for planned in waiting:
            name, path = planned.found.name, planned.found.path
            if self._known.get(hash(name)) != 0:
                # The index is still being read: what has arrived since shows up in it as well.
                continue
            seen = stamp(path)
            if seen is not None and abs(time.time() - seen[1] / 1e9) < _PATIENCE:
                # It may have begun to arrive just before this run did.
                self._arriving.setdefault(name, _Arriving(seen, time.monotonic()))
                continue
            self._known[hash(name)] = hash(seen)
            return planned
        return None

    def _complete(self) -> list[Found]:
        """Look around and return the pictures that have become complete."""
        start = time.monotonic()
        if start >= self._next_look:
            self._look_at_all()
            took = time.monotonic() - start
            self._next_look = time.monotonic() + max(2 * _POLL, took / _SHARE)
        else:
            for below, folder in list(self._folders.items()):
                self._look_for_names(below, folder)
        ready = [name for name in list(self._arriving) if self._is_there(name)]
        return [Found(name, self._root / name) for name in ready]

    def _look_for_names(self, below: str, folder: _Folder) -> None:
        """Read a folder if there may be new names in it."""
        start = time.monotonic()
        try:
            changed = (self._root / below).stat().st_mtime_ns
        except OSError:
            # It is gone, or the network is; a look at everything will tell.
            return
        if changed == folder.changed or start < folder.next:
            return
        for name, _ in self._entries(below):
            if hash(name) not in self._known and name not in self._arriving:
                self._arriving[name] = _Arriving(stamp(self._root / name), start)
        took = time.monotonic() - start
        folder.next = start + took + 4 * took
        # Two changes within one step of the clock look like one.
        step = _COARSE if changed % 1_000_000_000 == 0 else _POLL / 2
        folder.changed = changed if abs(time.time() - changed / 1e9) > step + took else -1

    def _look_at_all(self) -> None:
        """Look at every file: those that were changed in their places arrive again."""
        start = time.monotonic()
        self._all_seen = True
        gone = set(self._known)
        for below in list(self._folders):
            for name, entry in self._entries(below):
                try:
                    found = entry.stat()
                except OSError:
                    continue
                seen = (found.st_size, found.st_mtime_ns)
                known = self._known.get(hash(name))
                gone.discard(hash(name))
                if known != 0 and known != hash(seen) and name not in self._arriving:
                    self._arriving[name] = _Arriving(seen, start)
        for name_hash in gone if self._all_seen else ():
            if self._known[name_hash]:
                del self._known[name_hash]

    def _entries(self, below: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
        """Yield the pictures of one folder; folders in it are remembered."""
        try:
            with os.scandir(self._root / below) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    name = f"{below}{entry.name}"
                    if entry.is_dir(follow_symlinks=False):
                        if os.path.realpath(entry.path) != self._target:
                            self._folders.setdefault(f"{name}/", _Folder())
                    elif is_picture(entry.name):
                        yield name, entry
        except OSError as error:
            if below and isinstance(error, FileNotFoundError):
                self._folders.pop(below, None)
            else:
                # The network may come back, and nothing has gone because of that.
                self._all_seen = False

    def _is_there(self, name: str) -> bool:
        """Tell whether a file has arrived as a whole; from then on it is known."""
        path, arriving, time_now = self._root / name, self._arriving[name], time.monotonic()
        seen = stamp(path)
        if seen is None:
            # Taken away again, or renamed.
            del self._arriving[name]
            return False
        if seen != arriving.stamp:
            self._arriving[name] = _Arriving(seen, time_now)
            return False
        still = time_now - arriving.since
        if still < _SETTLED or (still < _PATIENCE and not _decodes(path, seen)):
            return False
        if stamp(path) != seen:
            return False
        del self._arriving[name]
        self._known[hash(name)] = hash(seen)
        return True


def _decodes(path: Path, seen: tuple[int, int]) -> bool:
    """Tell whether a file is a whole picture, or a large one that nobody decodes for that."""
    try:
        if not seen[0]:
            return False
        if not is_large(*image_size(path)):
            read_picture(path)
    except (ImageError, OSError):
        return False
    except MemoryError:
        # Whoever segments it says so.
        return True
    return True
