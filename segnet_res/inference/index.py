"""What a run must look up, on disk instead of in memory: its pictures, and the manifest's past.

A temporary database of SQLite that the system removes with the process, even a killed one.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from segnet_res.errors import DataError, StorageError
from segnet_res.inference.manifest import Manifest, Output, Record, Row
from segnet_res.inference.sources import Found

_TABLES = """
CREATE TABLE pictures (
    key BLOB PRIMARY KEY, name BLOB, path BLOB, short BLOB, stem BLOB, error TEXT
) WITHOUT ROWID;
CREATE INDEX names ON pictures (name);
CREATE INDEX shorts ON pictures (short);
CREATE INDEX stems ON pictures (stem);
CREATE TABLE lines (key BLOB PRIMARY KEY, start INTEGER, good INTEGER, classes INTEGER)
    WITHOUT ROWID;
CREATE TABLE owners (path BLOB PRIMARY KEY, key BLOB) WITHOUT ROWID;
CREATE TABLE files (path BLOB, sha256 TEXT, by_hand INTEGER, PRIMARY KEY (path, sha256))
    WITHOUT ROWID;
"""

# A line about a failure says nothing of the results that are there, so the last good one is kept.
_REMEMBER = """
INSERT INTO lines VALUES (:key, :start, :good, :classes) ON CONFLICT (key) DO UPDATE SET
    start = :start, good = COALESCE(:good, good),
    classes = CASE WHEN :good IS NULL THEN classes ELSE :classes END
"""

# A result drops its picture's suffix, except where two would then be called alike; those that keep
# it can meet a picture that is called so, which then keeps its own as well.
_LENGTHEN = """
UPDATE pictures SET stem = name
WHERE stem != name AND stem IN (SELECT stem FROM pictures GROUP BY stem HAVING COUNT(*) > 1)
"""


@dataclass(frozen=True)
class Planned:
    """A picture of a run and what its results are called.

    Attributes:
        found: The picture.
        stem: Path of each of its results below the folder of its kind, without suffix.
    """

    found: Found
    stem: str


@dataclass(frozen=True)
class Past:
    """What a manifest says of a picture.

    Attributes:
        latest: Its latest line; None where it cannot be read.
        good: The latest that tells of results: those that are there, even where it failed since.
        classes: The names of the classes that the masks of that one hold; none where nothing tells.
    """

    latest: Record | None = None
    good: Record | None = None
    classes: tuple[str, ...] = ()


class Index:
    """Pictures of a run and the latest lines of a manifest, in a temporary file.

    Raises:
        StorageError: when the folder for temporary files has no room.
    """

    def __init__(self) -> None:
        with _room():
            # An empty name is a file without a name. Several threads may take turns: whoever
            # iterates over the run's results.
            self._base = sqlite3.connect("", check_same_thread=False, isolation_level=None)
            self._base.executescript(_TABLES)
            # Nothing is to be recovered: the next run makes its own.
            self._base.execute("PRAGMA journal_mode = OFF")
        self._read = 0
        # The classes of each run.
        self._classes: list[tuple[str, ...]] = [()]

    def __len__(self) -> int:
        return self._number("SELECT COUNT(*) FROM pictures")

    def __del__(self) -> None:
        self._base.close()

    def add(self, pictures: Iterable[Found]) -> None:
        """Add pictures; one that comes twice is taken once.

        Raises:
            DataError: when two different files would be called alike.
        """
        with _room(), self._together():
            for found in pictures:
                name, suffix = os.fsencode(found.name), os.fsencode(Path(found.name).suffix)
                stem = name[: len(name) - len(suffix)]
                added = self._base.execute(
                    "INSERT OR IGNORE INTO pictures VALUES (?, ?, ?, ?, ?, ?)",
                    (_key(found.name), name, os.fsencode(found.path), stem, stem, found.error),
                )
                if not added.rowcount:
                    self._check_same(found)

    def name_results(self) -> None:
        """Give every picture a stem of its own for its results, as short as can be."""
        with _room():
            while self._base.execute(_LENGTHEN).rowcount:
                pass

    def insert(self, found: Found) -> list[Planned]:
        """Add a picture to those that have their stems already.

        Returns:
            The picture, and those whose results are called otherwise because of it.

        Raises:
            DataError: See `add`.
        """
        self.add([found])
        changed = {_key(found.name)}
        short = self._one("SELECT short FROM pictures WHERE key = ?", _key(found.name))
        # All that would be called alike keep their suffix, and so does whoever is called like one
        # of these then.
        taken = [short]
        alike = self._number("SELECT COUNT(*) FROM pictures WHERE short = ?", short) > 1
        longer = self._number(
            "SELECT COUNT(*) FROM pictures WHERE name = ? AND stem = name AND short != name", short
        )
        while taken and (alike or longer):
            name = taken.pop()
            for key, full in self._base.execute(
                "SELECT key, name FROM pictures WHERE short = ? AND stem != name", (name,)
            ).fetchall():
                with _room():
                    self._base.execute("UPDATE pictures SET stem = name WHERE key = ?", (key,))
                changed.add(key)
                taken.append(full)
        return [planned for key in sorted(changed) for planned in self._pictures(key)]

    def pictures(self) -> Iterator[Planned]:
        """Yield the pictures in the order of their paths."""
        return self._pictures(None)

    def path_of(self, name: str) -> Path | None:
        """Return the file of a picture of this run; None for another picture."""
        path = self._one("SELECT path FROM pictures WHERE key = ?", _key(name))
        return Path(os.fsdecode(path)) if isinstance(path, bytes) else None

    def is_planned(self, stem: str) -> bool:
        """Tell whether results of a picture of this run are called so."""
        return bool(self._number("SELECT COUNT(*) FROM pictures WHERE stem = ?", os.fsencode(stem)))

    def read(self, manifest: Manifest) -> None:
        """Take in the lines of a manifest, as far as they were not taken in before."""
        with _room(), self._together():
            for start, end, row in manifest.lines(self._read):
                self._remember(start, row)
                self._read = end

    def own(self, journal: Iterable[tuple[str, str]]) -> None:
        """Take in what killed runs were about to write: paths and their SHA-256."""
        with _room(), self._together():
            for path, sha in journal:
                self._own(path, sha, by_hand=False)

    def past(self, manifest: Manifest, name: str) -> Past:
        """Return what the lines about a picture say."""
        found = self._base.execute(
            "SELECT start, good, classes FROM lines WHERE key = ?", (_key(name),)
        ).fetchone()
        if found is None:
            return Past()
        start, good, classes = found
        latest = _record(manifest, start)
        return Past(
            latest,
            latest if good == start else _record(manifest, good),
            self._classes[classes],
        )

    def taken_over(self, manifest: Manifest, path: str, name: str) -> Record | None:
        """Return the good line of another picture that the result in a place was made of.

        Args:
            manifest: What was read.
            path: The place, below the target.
            name: The picture whose results are called so now; None where the result is its own.
        """
        found = self._base.execute(
            "SELECT good FROM owners JOIN lines USING (key) WHERE path = ? AND key != ?",
            (os.fsencode(path), _key(name)),
        ).fetchone()
        return None if found is None else _record(manifest, found[0])

    def known(self, path: str) -> dict[str, bool]:
        """Return the SHA-256 of all that runs put under this name, and whether it is by hand."""
        rows = self._base.execute(
            "SELECT sha256, by_hand FROM files WHERE path = ?", (os.fsencode(path),)
        )
        return {sha: bool(by_hand) for sha, by_hand in rows}

    def rows(self, manifest: Manifest, *, gone: bool = True) -> Iterator[Row]:
        """Yield the latest line about every picture of the target, in the order of their paths.

        Args:
            manifest: What was read.
            gone: Whether to yield failures of pictures that are no longer in the source.
        """
        query = "SELECT start FROM lines"
        if not gone:
            query += " WHERE good = start OR key IN (SELECT key FROM pictures)"
        starts = (int(start) for (start,) in self._base.execute(query + " ORDER BY key"))
        yield from manifest.at(starts)

    def _pictures(self, key: bytes | None) -> Iterator[Planned]:
        query = "SELECT name, path, stem, error FROM pictures"
        rows = (
            self._base.execute(query + " ORDER BY key")
            if key is None
            else self._base.execute(query + " WHERE key = ?", (key,))
        )
        for name, path, stem, error in rows:
            found = Found(os.fsdecode(name), Path(os.fsdecode(path)), error)
            yield Planned(found, os.fsdecode(stem))

    def _remember(self, start: int, row: Row) -> None:
        name = row.get("path")
        if "run" in row:
            self._classes.append(_class_names(row))
            return
        if not isinstance(name, str):
            return
        good = start if row.get("status") == "ok" else None
        classes = len(self._classes) - 1
        self._base.execute(
            _REMEMBER, {"key": _key(name), "start": start, "good": good, "classes": classes}
        )
        try:
            outputs: Iterable[Output] = Record.from_row(row).outputs.values()
        except ValueError:
            return
        for output in outputs:
            self._own(output.path, output.sha256, by_hand=output.by_hand)
            self._supersede(output.path, _key(name))

    def _supersede(self, path: str, key: bytes) -> None:
        """Forget the line of a picture whose result was replaced by that of another.

        `a.jpg` was taken away, and `a.png` came, whose mask has the same name.
        """
        before = self._one("SELECT key FROM owners WHERE path = ?", os.fsencode(path))
        if before != key:
            self._base.execute(
                "INSERT OR REPLACE INTO owners VALUES (?, ?)", (os.fsencode(path), key)
            )
            if before is not None:
                self._base.execute("DELETE FROM lines WHERE key = ?", (before,))

    def _own(self, path: str, sha: str, *, by_hand: bool) -> None:
        self._base.execute(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?)", (os.fsencode(path), sha, by_hand)
        )

    def _check_same(self, found: Found) -> None:
        stored = self._one("SELECT path FROM pictures WHERE key = ?", _key(found.name))
        assert isinstance(stored, bytes)
        path = os.fsdecode(stored)
        if Path(path) != found.path:
            raise DataError(
                f"{found.path}: its results would be called like those of {path}; "
                "list them in two runs with different targets"
            )

    def _one(self, query: str, *values: object) -> bytes | int | None:
        row = self._base.execute(query, values).fetchone()
        value: bytes | int | None = row[0] if row else None
        return value

    def _number(self, query: str, *values: object) -> int:
        found = self._one(query, *values)
        assert isinstance(found, int)
        return found

    @contextmanager
    def _together(self) -> Iterator[None]:
        self._base.execute("BEGIN")
        yield
        self._base.execute("COMMIT")


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StorageError(
            f"the list of pictures cannot be kept in the folder for temporary files ({error}); "
            "make room there, or set TMPDIR to another folder"
        ) from error


def _record(manifest: Manifest, start: int | None) -> Record | None:
    """Return the line that begins at a place; None where it cannot be read."""
    for row in manifest.at(iter(() if start is None else (start,))):
        try:
            return Record.from_row(row)
        except ValueError:
            return None
    return None


def _class_names(row: Row) -> tuple[str, ...]:
    """Return the names of the classes that the first line of a run tells."""
    try:
        return tuple(str(entry["name"]) for entry in row["classes"]["classes"])
    except (KeyError, TypeError):
        return ()


def _key(name: str) -> bytes:
    """Return what sorts like paths do: a folder's files together, before longer names."""
    return os.fsencode(name).replace(b"/", b"\0")
