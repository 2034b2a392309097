"""Which checkpoint of a folder serves: a list of promotions and rollbacks that only grows.

``registry.jsonl`` lies beside the checkpoints, one JSON line for each event. A promotion makes a
checkpoint serve, a rollback makes the one serve that did before; what was rolled back is gone, so
that a second rollback goes one further back. Nobody changes or takes away a line, and a line that a
killed process left half written counts as not written.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from segnet_res.checkpoint import digest
from segnet_res.data.locks import take
from segnet_res.data.storage import storing
from segnet_res.errors import CheckpointError, StorageError

REGISTRY_FILE = "registry.jsonl"
LOCK_NAME = ".registry.lock"
VERSION = 1

PROMOTE, ROLLBACK = "promote", "rollback"

# Somebody else's line takes milliseconds, copying a checkpoint before it some seconds.
_PATIENCE = 30.0


@dataclass(frozen=True)
class Entry:
    """One line of the registry.

    Attributes:
        action: `PROMOTE` or `ROLLBACK`.
        checkpoint: The one that serves from here on, by the name under which it is listed.
        file: Its file in the folder.
        sha256: Of the file, 64 hexadecimal digits.
        before: The one that served until here; None where none did.
        by: Who wanted it.
        why: The reason.
        at: Date and time in UTC, ISO 8601.
        accepted: The reason why newly missed defects were accepted; None where none were.
        exam: `Exam.to_dict` of what was compared on.
        comparison: `Comparison.to_dict` with the parent; None where there was nothing to compare.
        data: What the checkpoint says about its training data, with the fingerprint.
        parent: The checkpoint that its training started from: name and short hash.
    """

    action: str
    checkpoint: str
    file: str
    sha256: str
    before: str | None
    by: str
    why: str
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    accepted: str | None = None
    exam: dict[str, Any] = field(default_factory=dict)
    comparison: dict[str, Any] | None = None
    data: dict[str, Any] = field(default_factory=dict)
    parent: str | None = None

    def to_line(self) -> bytes:
        """Return the line of the file."""
        content = {"registry": VERSION} | asdict(self)
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


class Registry:
    """The promotions of a folder of checkpoints.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / REGISTRY_FILE

    def entries(self) -> tuple[Entry, ...]:
        """Return all lines, oldest first; none where nothing was promoted yet.

        Raises:
            CheckpointError: when a line cannot be read.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise CheckpointError(
                f"{self.path}: cannot be read ({error.strerror or error}); check the path and its "
                "rights"
            ) from error
        lines = content[: _whole(content)].splitlines()
        return tuple(self._entry(line, number) for number, line in enumerate(lines, start=1))

    def history(self) -> tuple[Entry, ...]:
        """Return the promotions that count: the last one serves, a rollback goes to that before.

        Raises:
            CheckpointError: when a line cannot be read, or does not follow from those before.
        """
        kept: list[Entry] = []
        for number, entry in enumerate(self.entries(), start=1):
            if entry.action == PROMOTE:
                kept.append(entry)
                continue
            kept = kept[:-1]
            if not kept or kept[-1].sha256 != entry.sha256:
                raise self._damaged(number, "its rollback leads to no promotion before it")
        return tuple(kept)

    def serving(self) -> Entry | None:
        """Return the promotion of the checkpoint that serves now.

        Raises:
            CheckpointError: when the registry cannot be read.
        """
        kept = self.history()
        return kept[-1] if kept else None

    def file_of(self, entry: Entry) -> Path:
        """Return the file of a promoted checkpoint, which is still what was promoted.

        Raises:
            CheckpointError: when it is missing or another.
        """
        path = self.folder / entry.file
        if not path.is_file():
            raise CheckpointError(
                f"{path}: is gone, but {self.path.name} says that {entry.by} promoted it; put the "
                "file back, or promote another checkpoint"
            )
        if digest(path) != entry.sha256:
            raise CheckpointError(
                f"{path}: is not the file that {entry.by} promoted (sha256 "
                f"{entry.sha256[:12]}...); put that one back, or promote this one under another "
                "name"
            )
        return path

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the registry for this process; what is read in the block holds until its end.

        Raises:
            StorageError: when another process holds it for long, or nothing can be written.
        """
        file = take(self.folder / LOCK_NAME, _PATIENCE)
        if file is None:
            raise StorageError(
                f"{self.path}: somebody else is promoting a checkpoint here; try again in a moment"
            )
        with file:
            yield

    def append(self, entry: Entry) -> None:
        """Add a line, whole or not at all; only in a block of `writing`.

        Raises:
            StorageError: when it cannot be written.
        """
        with storing(self.path), self.path.open("ab", buffering=0) as file:
            content = self.path.read_bytes()
            # What a killed process left of its line is no line.
            end = _whole(content)
            os.truncate(self.path, end)
            line = (b"\n" if content[:end][-1:] not in (b"", b"\n") else b"") + entry.to_line()
            try:
                written = file.write(line)
                if written != len(line):
                    # A full disk may take a part; the rest says why.
                    file.write(line[written:])
                os.fsync(file.fileno())
            except OSError:
                os.truncate(self.path, end)
                raise

    def _entry(self, line: bytes, number: int) -> Entry:
        try:
            content = json.loads(line)
            version = content.pop("registry")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._damaged(number, "it does not parse") from error
        if version != VERSION:
            raise CheckpointError(
                f"{self.path}: line {number} is of version {version!r}, known here is {VERSION}; "
                "upgrade segnet_res"
            )
        try:
            entry = Entry(**content)
        except TypeError as error:
            raise self._damaged(number, str(error)) from error
        # The file comes from anywhere: it must not lead out of the folder.
        if entry.action not in (PROMOTE, ROLLBACK) or Path(entry.file).name != entry.file:
            raise self._damaged(number, f"{entry.action} of {entry.file}")
        return entry

    def _damaged(self, number: int, reason: str) -> CheckpointError:
        return CheckpointError(
            f"{self.path}: line {number} is damaged ({reason}); restore the file from a backup, or "
            "move it away and promote again"
        )


def serving(folder: Path) -> str | None:
    """Return the name of the checkpoint that serves in a folder; None where none was promoted.

    Raises:
        CheckpointError: when the registry cannot be read.
    """
    entry = Registry(folder).serving()
    return None if entry is None else entry.checkpoint


def registry_folder(path: Path) -> Path:
    """Return the folder of checkpoints from a path to it or to its registry.

    Raises:
        CheckpointError: when there is no such folder.
    """
    folder = path.parent if path.name == REGISTRY_FILE else path
    if not folder.is_dir():
        raise CheckpointError(
            f"{folder}: no such folder; give the folder that holds the checkpoints, or its "
            f"{REGISTRY_FILE}"
        )
    return folder


def roll_back(folder: Path, *, by: str, why: str, instead_of: str | None = None) -> Entry:
    """Let the checkpoint serve again that served before the present one.

    Args:
        folder: The folder of checkpoints.
        by: Who wants it.
        why: The reason.
        instead_of: SHA-256 of the checkpoint that serves as far as who wants it knows; None: the
            one that serves, whichever it is.

    Raises:
        CheckpointError: when none served before, its file is missing or another by now, or another
            than ``instead_of`` serves.
        StorageError: when the line cannot be written.
    """
    registry = Registry(folder)
    with registry.writing():
        kept = registry.history()
        if len(kept) < 2:
            what = f"nothing served before {kept[0].checkpoint}" if kept else "nothing served yet"
            raise CheckpointError(
                f"{registry.path}: {what}, so that there is nothing to go back to; promote another "
                "checkpoint"
            )
        before, now = kept[-2:]
        if instead_of is not None and now.sha256 != instead_of:
            last = registry.entries()[-1]
            raise CheckpointError(
                f"{registry.path}: {last.by} has made {last.checkpoint} serve meanwhile; look "
                "again before you go back"
            )
        registry.file_of(before)
        entry = Entry(
            ROLLBACK,
            before.checkpoint,
            before.file,
            before.sha256,
            now.checkpoint,
            by,
            why,
            data=before.data,
            parent=before.parent,
        )
        registry.append(entry)
    return entry


def _whole(content: bytes) -> int:
    """Return the length of the content without a half line at its end."""
    end = content.rfind(b"\n") + 1
    try:
        # Editors may take the last line break away; the line is none the less there.
        whole = isinstance(json.loads(content[end:]), dict)
    except ValueError:
        whole = False
    return len(content) if whole else end
