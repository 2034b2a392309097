"""The report of a run: one row a picture, as CSV or JSON lines, taken from the manifest."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from segnet_res.errors import StorageError, UsageError
from segnet_res.images import atomic_write
from segnet_res.inference.manifest import Row
from segnet_res.inference.work import shares_of

SUFFIXES = (".csv", ".jsonl")

_FIRST = ("path", "width", "height", "verdict")
_LAST = ("confidence", "seconds", "reasons", "notes", "error")


def check_report(path: Path, source: Path, target: Path) -> None:
    """Refuse a report that could not be written, before any work is done.

    Args:
        path: The report.
        source: The folder of the pictures, or a picture.
        target: Folder of the results.

    Raises:
        UsageError: when the suffix is unknown, or the report would lie in the source.
        StorageError: when a folder is in the way, or a file that is no report.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"{path}: a report ends in {' or '.join(SUFFIXES)}; choose one of these endings"
        )
    first = b'{"path": ' if path.suffix.lower() == ".jsonl" else b"path,width,height,"
    check_place(path, source, target, lambda start: start.startswith(first))
    # Also where the run has yet to begin it.
    if path.resolve() == (target / "manifest.jsonl").resolve():
        raise _no_report(path)


def check_place(path: Path, source: Path, target: Path, is_report: Callable[[bytes], bool]) -> None:
    """Refuse a report where it must not lie, or where it would replace something else.

    Args:
        path: The report.
        source: The folder of the pictures, or a picture.
        target: Folder of the results.
        is_report: Tells a report by its first 256 bytes.

    Raises:
        UsageError: when the report would lie in the source.
        StorageError: when a folder is in the way, or a file that is no report and not empty.
    """
    if path.is_dir():
        raise StorageError(f"{path}: is a folder; give the report another name")
    folders = path.resolve().parents
    if source.is_dir() and source.resolve() in folders and target.resolve() not in folders:
        raise UsageError(
            f"{path}: lies among the pictures of {source}, where nothing is written; "
            f"put the report into {target}"
        )
    try:
        with path.open("rb") as file:
            start = file.read(256)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _no_report(path) from error
    if start and not is_report(start):
        raise _no_report(path)


def _no_report(path: Path) -> StorageError:
    return StorageError(
        f"{path}: exists and is no report of a run; "
        "give the report another name, or move the file away"
    )


def write_report(path: Path, rows: Iterable[Row], class_names: Sequence[str]) -> None:
    """Write the report, whole or not at all; an earlier one is replaced.

    Args:
        path: Ends in ``.csv`` or ``.jsonl``.
        rows: Lines of the manifest about pictures, each picture once; taken one at a time.
        class_names: The columns of shares and regions.

    Raises:
        StorageError: when it cannot be written.
    """
    with atomic_write(path) as file:
        if path.suffix.lower() == ".jsonl":
            for row in rows:
                file.write(json.dumps(_content(row)).encode() + b"\n")
            return
        file.write(_line(_columns(class_names)))
        for row in rows:
            file.write(_line(_fields(_content(row), class_names)))


def _content(row: Row) -> dict[str, Any]:
    """Return what the report says of a picture."""
    classes = row.get("classes") or {}
    content = {key: row.get(key) for key in _FIRST}
    content["shares"] = shares_of(classes) if classes else None
    content["regions"] = {name: found["regions"] for name, found in classes.items()} or None
    return content | {key: row.get(key) for key in _LAST}


def _columns(class_names: Sequence[str]) -> list[str]:
    shares = [f"share {name}" for name in class_names]
    return [*_FIRST, *shares, *(f"regions {name}" for name in class_names), *_LAST]


def _fields(content: dict[str, Any], class_names: Sequence[str]) -> list[str]:
    shares, regions = content["shares"] or {}, content["regions"] or {}
    measured = [shares.get(name) for name in class_names]
    measured += [regions.get(name) for name in class_names]
    # Reasons end in full stops, notes do not.
    joined = {
        "reasons": " ".join(content["reasons"] or ()),
        "notes": "; ".join(content["notes"] or ()),
    }
    content = content | joined
    values = [*(content[key] for key in _FIRST), *measured, *(content[key] for key in _LAST)]
    return ["" if value is None else str(value) for value in values]


def _line(fields: list[str]) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\n").writerow(fields)
    # File names need not be UTF-8; they come back from the report as they were.
    return buffer.getvalue().encode("utf-8", "surrogateescape")
