"""Masks that somebody has begun and not saved: one for each picture and person.

A draft is one PNG file with its facts in a text chunk, so that both appear together or not at all.
Drafts are kept for `KEEP_DAYS` days; of one person the newest `MOST_OF_ONE`, and `MOST` in all, of
which those go first whose owner has most.
"""

import hashlib
import json
import os
import threading
import time
import zlib
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from segnet_res.errors import DataError
from segnet_res.images import UInt8Array, atomic_write

KEEP_DAYS = 60
MOST_OF_ONE = 100
MOST = 1000

VERSION = 1

_DAY = 24 * 3600 * 1_000_000_000
_KEY = "segnet_res draft"

# Half a second of a person's time counts more than some bytes.
_COMPRESSION = 1

# What Pillow raises on damaged files.
_DAMAGE = (OSError, ValueError, SyntaxError, KeyError, TypeError, EOFError, zlib.error)


@dataclass(frozen=True)
class DraftFacts:
    """What is known of a draft without its mask.

    Attributes:
        picture_sha256: Of the picture's file, 64 hexadecimal digits.
        who: Whose draft it is.
        when: Date and time of the last change in UTC, ISO 8601.
        classes: Names of the labels 0, 1, ... as they were when it was drawn.
        ignore: The label that counts nowhere.
        opened: SHA-256 of the mask that was there when the picture was opened; None for none.
        proposed_by: The checkpoint whose prediction was corrected; None where none was.
        name: What people call the picture.
        dataset: The dataset that it is meant for, and that ``opened`` is a mask of; None for none.
        tab: Where it was drawn: a tab of a browser, by a name of its own.
    """

    picture_sha256: str
    who: str
    when: str
    classes: tuple[str, ...]
    ignore: int
    opened: str | None
    proposed_by: str | None
    name: str
    dataset: str | None
    tab: str


@dataclass(frozen=True)
class Draft(DraftFacts):
    """A draft.

    Attributes:
        labels: (H, W) uint8.
    """

    labels: UInt8Array


class Drafts:
    """The drafts of a folder, which is made when the first is saved.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # Two tabs may keep their first draft at once: looking and writing are one step.
        self._lock = threading.Lock()

    def save(
        self,
        picture_sha256: str,
        labels: UInt8Array,
        classes: Sequence[str],
        *,
        who: str,
        ignore: int,
        opened: str | None,
        proposed_by: str | None,
        name: str = "",
        dataset: str | None = None,
        tab: str = "",
        known: str | None = None,
    ) -> str:
        """Keep a draft in place of the one before; too old ones and too many go.

        Arguments are the attributes of `Draft`, and ``known``: when the draft was saved that
        somebody went on with, None where it was none.

        Returns:
            When it was saved.

        Raises:
            DataError: when the labels are no (H, W) uint8, or the draft that is there was drawn
                elsewhere and is not the one that is known.
            StorageError: when it cannot be written.
        """
        if labels.ndim != 2 or labels.dtype != np.uint8 or not labels.size:
            raise DataError(
                f"a draft is {labels.shape} of {labels.dtype}; give (H, W) of uint8, at least 1x1"
            )
        now = time.time_ns()
        when = datetime.fromtimestamp(now / 1e9, UTC).isoformat(timespec="milliseconds")
        facts = DraftFacts(
            picture_sha256, who, when, tuple(classes), ignore, opened, proposed_by, name, dataset,
            tab,
        )  # fmt: skip
        told = {"draft": VERSION, "labels": _digest(labels)} | asdict(facts)
        text = PngImagePlugin.PngInfo()
        text.add_itxt(_KEY, json.dumps(told))
        # Before others have to wait: a large mask takes its time.
        content = BytesIO()
        picture = Image.fromarray(labels)
        picture.save(content, format="PNG", pnginfo=text, compress_level=_COMPRESSION)
        path = self._path(picture_sha256, who)
        with self._lock:
            if self._elsewhere(picture_sha256, who, tab, known):
                raise DataError(
                    "another tab or window keeps a draft of this picture; save this one, or reload "
                    "the page to go on with the other"
                )
            with atomic_write(path) as file:
                file.write(content.getbuffer())
        # The system's own clock has steps that several saves may share.
        with suppress(OSError):
            os.utime(path, ns=(now, now))
        self._tidy()
        return when

    def find(self, picture_sha256: str, who: str) -> Draft | None:
        """Return somebody's draft of a picture; None where there is none, or it is damaged."""
        try:
            with Image.open(self._path(picture_sha256, who), formats=("PNG",)) as image:
                labels = np.array(image)
                content, facts = _read_facts(image)
        except _DAMAGE:
            return None
        if labels.ndim != 2 or labels.dtype != np.uint8 or _digest(labels) != content["labels"]:
            return None
        known = {one.name: getattr(facts, one.name) for one in fields(DraftFacts)}
        return Draft(**known, labels=labels)

    def remove(
        self, picture_sha256: str, who: str, *, tab: str = "", known: str | None = None
    ) -> None:
        """Take somebody's draft of a picture away, unless it was drawn elsewhere; see `save`.

        Raises:
            OSError: when the system refuses.
        """
        with self._lock:
            if not self._elsewhere(picture_sha256, who, tab, known):
                self._path(picture_sha256, who).unlink(missing_ok=True)

    def _elsewhere(self, picture_sha256: str, who: str, tab: str, known: str | None) -> bool:
        """Tell whether somebody's draft of a picture is one that this tab knows nothing of."""
        try:
            with Image.open(self._path(picture_sha256, who), formats=("PNG",)) as image:
                facts = _read_facts(image)[1]
        except _DAMAGE:
            return False
        return facts.tab != tab and facts.when != known

    def list(self, who: str) -> tuple[DraftFacts, ...]:
        """Return what is known of somebody's drafts, the newest first."""
        found = []
        # `when` knows milliseconds; what it cannot tell apart stays in the order of the files.
        for _, path in sorted(map(_aged, self.folder.glob(f"{_hash(who)}-*.png")), reverse=True):
            # One that was replaced or removed meanwhile is none, either.
            with suppress(*_DAMAGE), Image.open(path, formats=("PNG",)) as image:
                facts = _read_facts(image)[1]
                if path == self._path(facts.picture_sha256, facts.who):
                    found.append(facts)
        return tuple(sorted(found, key=lambda facts: facts.when, reverse=True))

    def _path(self, picture_sha256: str, who: str) -> Path:
        # As hashes neither can lead anywhere, and no name is too long.
        return self.folder / f"{_hash(who)}-{_hash(picture_sha256)}.png"

    def _tidy(self) -> None:
        """Take away what is too old or too much; what cannot go stays until the next time.

        Names and times of the files tell all, so that none is opened: this is done at each save.
        """
        oldest = time.time_ns() - KEEP_DAYS * _DAY
        left, owned = [], Counter[str]()
        for when, path in sorted(map(_aged, self.folder.glob("*.png")), reverse=True):
            owner = path.name.partition("-")[0]
            if when < oldest or owned[owner] >= MOST_OF_ONE:
                _unlink(path)
                continue
            owned[owner] += 1
            left.append(path)
        while len(left) > MOST:
            owner, _ = owned.most_common(1)[0]
            place = max(i for i, path in enumerate(left) if path.name.startswith(f"{owner}-"))
            _unlink(left.pop(place))
            owned[owner] -= 1


def _read_facts(image: Image.Image) -> tuple[dict[str, Any], DraftFacts]:
    """Return all that is written about a draft.

    Raises:
        ValueError: when it is none; or KeyError or TypeError.
    """
    # The text stands before the pixels, so that none of them are decoded for it.
    content: dict[str, Any] = json.loads(image.info[_KEY])
    if content["draft"] != VERSION:
        raise ValueError("another version")
    # Drafts of before know of no tabs.
    known = {one.name: content[one.name] for one in fields(DraftFacts) if one.name != "tab"}
    known["tab"] = content.get("tab", "")
    return content, DraftFacts(**known | {"classes": tuple(known["classes"])})


def _digest(labels: UInt8Array) -> str:
    return hashlib.sha256(repr(labels.shape).encode() + labels.tobytes()).hexdigest()


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:40]


def _aged(path: Path) -> tuple[int, Path]:
    try:
        return path.stat().st_mtime_ns, path
    except OSError:
        # Removed meanwhile: then nothing is left to take away.
        return 0, path


def _unlink(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
