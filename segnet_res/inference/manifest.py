"""The manifest of a target: what was done to which picture, by what, and with which result.

`TARGET/manifest.jsonl` holds JSON lines and only grows. A line with the key ``run`` begins a run
and says by which checkpoint, settings and limits it works; every other line is about a picture, and
a later one about the same ``path`` supersedes an earlier one.
"""

import hashlib
import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Literal

from segnet_res.errors import StorageError

MANIFEST = "manifest.jsonl"

Row = dict[str, Any]


@dataclass(frozen=True)
class Output:
    """One result of a picture.

    Attributes:
        path: Below the target, with ``/``.
        sha256: Of the file, 64 hex digits.
        by_hand: Whether somebody else made or changed it; then no run replaces it.
    """

    path: str
    sha256: str
    by_hand: bool = False


@dataclass(frozen=True)
class Record:
    """What became of one picture.

    Attributes:
        path: The picture's path below the source, with ``/``.
        input: SHA-256 of the picture; None where it could not be read.
        checkpoint: SHA-256 of what segmented it.
        settings: SHA-256 of everything else that its results depend on.
        spec: SHA-256 of the limits it was judged by; None without limits.
        status: Whether there are results.
        error: Why there are none: found and remedy; None where there are.
        notes: Sentences about the picture: pages left out, changed conditions, results by hand.
        width: Pixels; None where the picture was not read.
        height: See width.
        confidence: Mean over the pixels, 0 to 1; None where it is not known.
        classes: Pixels and regions of each class, by name.
        conditions: Brightness, sharpness and so on of the photograph.
        verdict: Whether the part passes; None without limits.
        reasons: The limits that are exceeded, in words.
        outputs: The results by kind.
        seconds: Time in the model; None where it did not run.
        time: When this was written, ISO 8601 in UTC.
    """

    path: str
    input: str | None
    checkpoint: str
    settings: str
    spec: str | None = None
    status: Literal["ok", "failed"] = "ok"
    error: str | None = None
    notes: tuple[str, ...] = ()
    width: int | None = None
    height: int | None = None
    confidence: float | None = None
    classes: dict[str, dict[str, int]] = field(default_factory=dict)
    conditions: dict[str, float] | None = None
    verdict: Literal["pass", "fail"] | None = None
    reasons: tuple[str, ...] = ()
    outputs: dict[str, Output] = field(default_factory=dict)
    seconds: float | None = None
    time: str = ""

    def to_row(self) -> Row:
        """Return the line's content."""
        return asdict(self)

    @classmethod
    def from_row(cls, row: Row) -> "Record":
        """Read what `to_row` gave; keys of later versions are left out.

        Raises:
            ValueError: when it is something else.
        """
        try:
            known = {key: row[key] for key in cls.__dataclass_fields__ if key in row}
            outputs = {
                kind: Output(entry["path"], entry["sha256"], bool(entry.get("by_hand")))
                for kind, entry in row.get("outputs", {}).items()
            }
            lists = {key: tuple(row.get(key) or ()) for key in ("notes", "reasons")}
            return cls(**(known | lists | {"outputs": outputs}))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("no line about a picture") from error


class Manifest:
    """A manifest that a run appends to.

    Lines may be appended by several threads. A line is there as a whole or, where the process is
    killed in the middle of it, as a rest that the next run cuts off.

    Args:
        target: The folder of results.

    Raises:
        StorageError: when the file is something else, or cannot be written.
    """

    def __init__(self, target: Path) -> None:
        self.path = target / MANIFEST
        self._guard = threading.Lock()
        self._file: IO[bytes] | None = None
        self._end = 0
        if self.path.exists():
            self._check()

    @contextmanager
    def appending(self) -> Iterator[None]:
        """Keep the file open for `append`; a half line at its end is cut off.

        Raises:
            StorageError: when it cannot be written.
        """
        try:
            self._file = self.path.open("ab", buffering=0)
            self._end = self._whole()
            os.truncate(self.path, self._end)
        except OSError as error:
            raise self._refused(error) from error
        try:
            yield
            os.fsync(self._file.fileno())
        finally:
            self._file.close()
            self._file = None

    def append(self, row: Mapping[str, Any]) -> int:
        """Write one line at once and return where in the file it begins.

        Raises:
            StorageError: when there is no room; nothing of the line stays.
        """
        line = json.dumps(row, separators=(",", ":")).encode() + b"\n"
        with self._guard:
            assert self._file is not None
            start = self._end
            try:
                written = self._file.write(line)
                if written != len(line):
                    # A full disk may take a part; the rest says why.
                    self._file.write(line[written:])
            except OSError as error:
                os.truncate(self.path, start)
                raise self._refused(error) from error
            self._end += len(line)
            return start

    def lines(self, start: int = 0) -> Iterator[tuple[int, int, Row]]:
        """Yield start, end and content of each whole line; what is no JSON is passed over.

        Lines may be appended meanwhile: at one that is not whole yet it ends.

        Args:
            start: The place to begin at.
        """
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(start)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                row = _parse(line)
                if row is not None:
                    yield start, start + len(line), row
                start += len(line)

    def at(self, starts: Iterator[int]) -> Iterator[Row]:
        """Yield the content of the lines that begin at these places."""
        with self.path.open("rb") as file:
            for start in starts:
                file.seek(start)
                row = _parse(file.readline())
                if row is not None:
                    yield row

    def _check(self) -> None:
        try:
            with self.path.open("rb") as file:
                first = file.readline()
        except OSError as error:
            raise self._refused(error) from error
        # A run that was killed at its very first line leaves nothing, or a part of it.
        if first and not first.startswith(b'{"run":') and not b'{"run":'.startswith(first):
            raise StorageError(
                f"{self.path}: is no manifest of this program; "
                "move the file away, or choose another target"
            )

    def _whole(self) -> int:
        """Return the length of the file without a half line at its end."""
        with self.path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            while end:
                start = max(0, end - 65_536)
                file.seek(start)
                found = file.read(end - start).rfind(b"\n")
                if found >= 0:
                    return start + found + 1
                end = start
        return 0

    def _refused(self, error: OSError) -> StorageError:
        return StorageError(
            f"{self.path}: cannot be written ({error.strerror or error}); "
            "make room or mend the rights, and start the run again: it goes on where it stopped"
        )


def digest_of(content: object) -> str:
    """Return the SHA-256 of JSON-ready content, whatever the order of its keys.

    >>> digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})
    True
    """
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def digest_of_bytes(content: bytes) -> str:
    """Return the SHA-256 of bytes."""
    return hashlib.sha256(content).hexdigest()


def digest_of_file(path: Path) -> str:
    """Return the SHA-256 of a file's content.

    Raises:
        OSError: when it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def now() -> str:
    """Return the time in UTC as a line of the manifest tells it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _parse(line: bytes) -> Row | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None
