"""The report of a run for people: one HTML file that needs nothing else, on screen and on paper."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from segnet_res.checkpoint import Metadata
from segnet_res.classes import ClassMap
from segnet_res.errors import UsageError
from segnet_res.images import atomic_write
from segnet_res.inference.html import page
from segnet_res.inference.html.elements import Element, element, to_html
from segnet_res.inference.html.tally import Row, Tally
from segnet_res.inference.html.thumbnails import thumbnail
from segnet_res.inference.report import check_place

__all__ = ["check_html", "write_html"]

_SUFFIXES = (".html", ".htm")

# Nothing is fetched and no script runs, whatever a file is called.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

# Stands first in the head, so that a report is known again by its beginning.
_GENERATOR = "segnet-res"


def check_html(path: Path, source: Path, target: Path) -> None:
    """Refuse a report that could not be written, before any work is done.

    Args:
        path: The report.
        source: Where the pictures are.
        target: Folder of the results.

    Raises:
        UsageError: when the suffix is another, or the report would lie among the pictures.
        StorageError: when a folder is in the way, or a file that is no report.
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise UsageError(f"{path}: a report to look at ends in .html; choose such a name")
    generator = to_html(_generator()).encode()
    check_place(path, source, target, lambda start: generator in start)


def write_html(
    path: Path,
    rows: Iterable[Row],
    header: Mapping[str, Any],
    *,
    target: Path,
    picture_of: Callable[[Row], Path | None],
    metadata: Metadata | None = None,
    warnings: Sequence[str] = (),
    seconds: float | None = None,
) -> None:
    """Write the report of a run, whole or not at all.

    The size is bounded: of very many pictures the worst are shown and the first of each list; the
    manifest has all.

    Args:
        path: The report.
        rows: The latest line of the manifest about each picture, once.
        header: The line of the manifest that began the run.
        target: Folder of the results.
        picture_of: Gives the photograph of a row; None where it is gone.
        metadata: What the checkpoint says about itself.
        warnings: Sentences about the whole run.
        seconds: How long the run took; None where that is not known.

    Raises:
        DataError: when the header names no classes.
        StorageError: when the file cannot be written.
    """
    tally = Tally(ClassMap.from_dict(header["classes"]))
    for row in rows:
        tally.add(row)
    thumbnails = [
        (row, thumbnail(row, target, picture_of(row), tally.class_map)) for row in tally.worst()
    ]
    title = _title(header)
    sections = (
        page.heading(title, header, tally),
        page.summary(tally),
        page.warning_box(warnings),
        page.classes(tally),
        page.charts(tally),
        page.worst_parts(tally, thumbnails),
        page.conditions(tally, metadata),
        page.failing(tally),
        page.listed("Pictures without a result", tally.errors, tally.unread, "error"),
        page.listed("Notes", tally.notes, tally.noted, "notes"),
        page.limits(header),
        page.model(header, metadata, tally, seconds),
    )
    style = files(__name__).joinpath("style.css").read_text(encoding="utf-8")
    document = element(
        "html",
        element(
            "head",
            element("meta", charset="utf-8"),
            _generator(),
            element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("title", title),
            element("style", style),
        ),
        element("body", element("main", *sections)),
        lang="en",
    )
    with atomic_write(path) as file:
        file.write(f"<!DOCTYPE html>\n{to_html(document)}\n".encode())


def _generator() -> Element:
    return element("meta", name="generator", content=_GENERATOR)


def _title(header: Mapping[str, Any]) -> str:
    """Return what the part is called, or the folder."""
    content = (header.get("spec") or {}).get("content")
    titled = content.get("title") if isinstance(content, Mapping) else None
    return f"Inspection of {titled or Path(str(header.get('source', ''))).name or 'pictures'}"
