"""The report of a run over a folder: one row a picture, as CSV or JSON lines.

Rows are appended as pictures are finished, so that an interrupted run loses none.
"""

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from segnet_res.classes import ClassMap
from segnet_res.errors import StorageError, UsageError
from segnet_res.images import atomic_write

SUFFIXES = (".csv", ".jsonl")

_COLUMNS = ("path", "width", "height", "confidence", "seconds", "error")

Row = dict[str, Any]


class _Format(Protocol):
    """How rows become text; both ways, so that a run can go on where it stopped."""

    def head(self) -> str: ...

    def line(self, row: Row) -> str: ...

    def rows(self, text: str) -> list[Row]: ...


class _Csv:
    def __init__(self, class_map: ClassMap) -> None:
        self.names = class_map.names
        shares = [f"share {name}" for name in self.names]
        self.columns = [*_COLUMNS[:3], *shares, *_COLUMNS[3:]]

    def head(self) -> str:
        return self._text(self.columns)

    def line(self, row: Row) -> str:
        shares = row["shares"] or {}
        flat = row | {f"share {name}": share for name, share in shares.items()}
        return self._text(["" if flat.get(key) is None else flat[key] for key in self.columns])

    def rows(self, text: str) -> list[Row]:
        lines = list(csv.reader(io.StringIO(text, newline="")))
        if not lines or lines[0] != self.columns:
            raise ValueError("other columns")
        return [self._row(line) for line in lines[1:] if len(line) == len(self.columns)]

    def _row(self, line: list[str]) -> Row:
        flat = dict(zip(self.columns, line, strict=True))
        shares = [flat[f"share {name}"] for name in self.names]
        return {
            "path": flat["path"],
            "width": int(flat["width"]) if flat["width"] else None,
            "height": int(flat["height"]) if flat["height"] else None,
            "shares": dict(zip(self.names, map(float, shares), strict=True))
            if all(shares)
            else None,
            "confidence": float(flat["confidence"]) if flat["confidence"] else None,
            "seconds": float(flat["seconds"]) if flat["seconds"] else None,
            "error": flat["error"] or None,
        }

    @staticmethod
    def _text(fields: list[Any]) -> str:
        buffer = io.StringIO(newline="")
        csv.writer(buffer, lineterminator="\n").writerow(fields)
        return buffer.getvalue()


class _JsonLines:
    def head(self) -> str:
        return ""

    def line(self, row: Row) -> str:
        return json.dumps(row) + "\n"

    def rows(self, text: str) -> list[Row]:
        rows = []
        for line in text.splitlines():
            row = json.loads(line)
            if not isinstance(row, dict) or not {*_COLUMNS, "shares"} <= row.keys():
                raise ValueError("other keys")
            rows.append(row)
        return rows


def check_report(path: Path, source: Path, target: Path) -> None:
    """Refuse a report that could not be written, before any work is done.

    Raises:
        UsageError: when the suffix is unknown, or the report would lie in the source.
        StorageError: when a folder is in the way.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"{path}: a report ends in {' or '.join(SUFFIXES)}; choose one of these endings"
        )
    if path.is_dir():
        raise StorageError(f"{path}: is a folder; give the report another name")
    folders = path.resolve().parents
    if source.is_dir() and source.resolve() in folders and target.resolve() not in folders:
        raise UsageError(
            f"{path}: lies among the pictures of {source}, where nothing is written; "
            f"put the report into {target}"
        )


class Report:
    """A report that is being written.

    Args:
        path: Ends in ``.csv`` or ``.jsonl``.
        class_map: Names the shares.
    """

    def __init__(self, path: Path, class_map: ClassMap) -> None:
        self.path = path
        self._format: _Format = _Csv(class_map) if path.suffix.lower() == ".csv" else _JsonLines()

    def read(self) -> dict[str, Row]:
        """Return the rows of an earlier run by the picture's path; none when there is no file.

        Raises:
            StorageError: when the file is something else, so that it must not be replaced.
        """
        if not self.path.exists():
            return {}
        try:
            text = self.path.read_bytes().decode("utf-8", "surrogateescape")
            # A run that was killed may have left half a row.
            whole = text[: text.rfind("\n") + 1]
            rows = self._format.rows(whole) if whole else []
            if not whole and text and not text.startswith('{"path"'):
                raise ValueError("no whole line")
        except (OSError, ValueError, csv.Error) as error:
            raise StorageError(
                f"{self.path}: exists and is no report on these classes; "
                "give the report another name, or move the file away"
            ) from error
        return {row["path"]: row for row in rows}

    @contextmanager
    def appending(self, rows: list[Row]) -> Iterator["Report"]:
        """Begin the file with these rows and keep it open for `append`.

        Raises:
            StorageError: when it cannot be written.
        """
        with atomic_write(self.path) as file:
            file.write(_encode(self._format.head()))
            for row in rows:
                file.write(_encode(self._format.line(row)))
        with self.path.open("ab", buffering=0) as self._file:
            yield self

    def append(self, row: Row) -> None:
        """Write one more row at once.

        Raises:
            StorageError: when there is no room.
        """
        line = _encode(self._format.line(row))
        try:
            written = self._file.write(line)
            if written != len(line):
                # A full disk may take a part; the rest says why.
                self._file.write(line[written:])
        except OSError as error:
            raise StorageError(
                f"{self.path}: cannot be written ({error.strerror or error}); "
                "make room and start the run again: it goes on where it stopped"
            ) from error


def _encode(text: str) -> bytes:
    # File names need not be UTF-8; they come back from the report as they were.
    return text.encode("utf-8", "surrogateescape")
