"""What people take home of a batch: a table as CSV, and a zip of masks and overlays with it."""

import csv
import io
import json
import secrets
import shutil
import zipfile
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from segnet_res.classes import ClassMap
from segnet_res.images import atomic_write
from segnet_res.web.batch_files import Seen, check_room
from segnet_res.web.batch_names import result_stems, safe_path
from segnet_res.web.batch_table import Row, View
from segnet_res.web.batch_work import Batch
from segnet_res.web.jobs import Progress, Steps

# Spreadsheets take a cell that begins so for a formula, which may fetch or run something.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")

_BEFORE = ("path", "verdict", "reasons", "width", "height")
_AFTER = ("confidence", "seconds", "error")


@dataclass(frozen=True)
class Contents:
    """What to put into a download; all of it comes from a browser.

    Attributes:
        masks: Index masks, 8-bit PNG.
        overlays: The pictures with the classes painted over, JPEG.
        view: Which pictures.
    """

    masks: bool = True
    overlays: bool = True
    view: View = field(default_factory=View)

    @classmethod
    def from_untrusted(cls, content: object) -> "Contents":
        """Take what has the right type and leave the rest out."""
        fields: dict[str, Any] = content if isinstance(content, dict) else {}
        return cls(
            masks=fields.get("masks") is True,
            overlays=fields.get("overlays") is True,
            view=View.from_untrusted(fields.get("view")),
        )

    def kinds(self) -> list[Seen]:
        """Return the folders of the zip; none: the table alone is wanted."""
        wanted: dict[Seen, bool] = {"masks": self.masks, "overlays": self.overlays}
        return [kind for kind, want in wanted.items() if want]


class Pack:
    """Writes a download of a batch to disk; the work of a job.

    Args:
        batch: Where the pictures are from; it may be running still.
        contents: What to write.
        folder: For the file; what is there from earlier goes.

    Attributes:
        file: The finished download, None before: a ``.zip``, or a ``.csv`` where neither masks nor
            overlays are wanted.
    """

    def __init__(self, batch: Batch, contents: Contents, folder: Path) -> None:
        self.batch = batch
        self._contents = contents
        self._folder = folder
        self.file: Path | None = None

    def run(self) -> Steps:
        """Write one file a step, from disk to disk.

        Raises:
            StorageError: when the disk has too little room.
        """
        batch, kinds = self.batch, self._contents.kinds()
        # One download a batch: each is as large as all its files.
        shutil.rmtree(self._folder, ignore_errors=True)
        # A folder of its own each time: browsers may keep what they fetched from an address.
        folder = self._folder / secrets.token_hex(4)
        folder.mkdir(parents=True)
        # Of one moment: the batch may be running still.
        files, rows = batch.files, list(batch.rows)
        # In the order of the batch, whatever order the page shows.
        rows = sorted(self._contents.view.select(rows), key=lambda row: row.number)
        stems = result_stems([part.name for part in batch.parts])
        name = f"{safe_path(batch.model)}-results"
        if not kinds or batch.class_map is None:
            path = folder / f"{name}.csv"
            with atomic_write(path) as file:
                write_csv(file, batch.class_map, rows)
            self.file = path
            return
        found = [
            (files.path(kind, row.number), f"{kind}/{stems[row.number]}")
            for kind in kinds
            for row in rows
            if files.path(kind, row.number).is_file()
        ]
        check_room(folder, sum(path.stat().st_size for path, _ in found))
        path = folder / f"{name}.zip"
        with atomic_write(path) as file, zipfile.ZipFile(file, "w") as archive:
            with archive.open("results.csv", "w") as entry:
                write_csv(entry, batch.class_map, rows)
            archive.writestr("batch.json", json.dumps(_about(batch, batch.class_map), indent=2))
            whole = yield from _copy(found, archive)
        if whole:
            self.file = path
        else:
            path.unlink()


def _copy(
    found: list[tuple[Path, str]], archive: zipfile.ZipFile
) -> Generator[Progress, bool, bool]:
    """Put files into the archive, and tell whether nobody has stopped it."""
    for i, (source, target) in enumerate(found):
        if (yield Progress(i, len(found), target)):
            return False
        # PNG and JPEG are compressed already, so they are only copied.
        archive.write(source, f"{target}{source.suffix}", zipfile.ZIP_STORED)
    return not (yield Progress(len(found), len(found)))


def write_csv(file: IO[bytes], class_map: ClassMap | None, rows: Sequence[Row]) -> None:
    """Write one line a picture; shares from 0 to 1, areas in pixels.

    Args:
        file: Open for writing.
        class_map: Names the columns; None: no picture was segmented.
        rows: The pictures.
    """
    for line in _lines(class_map, rows):
        buffer = io.StringIO(newline="")
        csv.writer(buffer, lineterminator="\n").writerow(line)
        file.write(buffer.getvalue().encode())


def _lines(class_map: ClassMap | None, rows: Sequence[Row]) -> Iterator[list[Any]]:
    names = class_map.names if class_map is not None else ()
    measures = ("share", "regions", "largest")
    yield [*_BEFORE, *(f"{what} {name}" for what in measures for name in names), *_AFTER]
    for row in rows:
        height, width = row.size or ("", "")
        numbers = [value for part in (row.shares, row.regions, row.largest) for value in part]
        yield [
            # Leads to the same file, and is no formula.
            f"./{row.name}" if row.name.startswith(_FORMULAS) else row.name,
            row.state,
            _text(" ".join(row.reasons)),
            width,
            height,
            *(_rounded(value) for value in numbers or [""] * len(measures) * len(names)),
            _rounded(row.confidence),
            _rounded(row.seconds),
            _text(row.error or ""),
        ]


def _text(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULAS) else text


def _rounded(value: float | str | None) -> float | str:
    if value is None:
        return ""
    return round(value, 8) if isinstance(value, float) else value


def _about(batch: Batch, class_map: ClassMap) -> dict[str, Any]:
    """Return what the masks mean and how the pictures were judged."""
    judge, asked = batch.judgement.judge, batch.judgement.asked
    return {
        "checkpoint": batch.model,
        "checkpoint_sha256": batch.weights,
        "pictures": len(batch.parts),
        "finished": len(batch.rows),
        "judged_by": judge.to_dict() | {"limits": asked["limits"], "spec_text": asked["spec"]},
        **class_map.to_dict(),
    }
