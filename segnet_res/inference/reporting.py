"""What a run tells beside its manifest: report, page, merged polygons, changed conditions."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from segnet_res.conditions import Conditions, FolderConditions
from segnet_res.inference.coco import merge_polygons
from segnet_res.inference.index import Index
from segnet_res.inference.manifest import Manifest, Row
from segnet_res.inference.outputs import Kind
from segnet_res.inference.report import check_report, write_report
from segnet_res.inference.work import FileResult

if TYPE_CHECKING:
    from segnet_res.inference.segmenter import Segmenter

# Reports of a run that lasts may take this part of the time, and be written once a second at most.
_SHARE = 1 / 20


@dataclass(frozen=True)
class Reporting:
    """What a run is to tell.

    Attributes:
        target: Folder of the results.
        kinds: What is saved.
        report: A ``.csv`` or ``.jsonl`` file; None: none.
        html: A page; None: none.
        lasting: Whether the run goes on for ever; then pictures may have been taken away that
            could not be read, and are told of all the same.
    """

    target: Path
    kinds: tuple[Kind, ...]
    report: Path | None
    html: Path | None
    lasting: bool = False

    def check(self, source: Path) -> None:
        """Refuse what could not be written, before any work is done.

        Args:
            source: The folder of the pictures.

        Raises:
            UsageError: when a name is none for it, or lies among the pictures.
            StorageError: when something else is there.
        """
        if self.report is not None:
            check_report(self.report, source, self.target)
        if self.html is not None:
            from segnet_res.inference.html import check_html

            check_html(self.html, source, self.target)


class Reports:
    """The reports of one run.

    Args:
        wanted: What to write.
        segmenter: What segments.
        index: Knows the lines of the manifest.
        manifest: What is told.
        header: The line of this run.
    """

    def __init__(
        self,
        wanted: Reporting,
        segmenter: Segmenter,
        index: Index,
        manifest: Manifest,
        header: Row,
    ) -> None:
        self._wanted = wanted
        self._segmenter = segmenter
        self._index = index
        self._manifest = manifest
        self._header = header
        self._conditions = FolderConditions()
        self._start = time.monotonic()
        self._missing: list[str] = []
        self._news = True
        self._next = 0.0

    def add(self, result: FileResult) -> None:
        """Take a result into account."""
        self._news = True
        if result.record.conditions is not None:
            self._conditions.add(Conditions.from_dict(result.record.conditions))

    def warnings(self) -> list[str]:
        """Return what is to be said about all pictures together."""
        metadata, said = self._segmenter.metadata, []
        if self._missing:
            said.append(
                f"polygons.json lacks {len(self._missing)} of the pictures, the first because "
                f"{self._missing[0]}; the next run makes it anew where its picture is still there "
                "and nothing else lies in its place"
            )
        if metadata is not None and metadata.conditions is not None:
            said += self._conditions.judge(metadata.conditions)
        return said

    def meanwhile(self) -> None:
        """Bring the reports of a run that lasts up to date, as often as is cheap.

        Raises:
            StorageError: when one cannot be written.
        """
        start = time.monotonic()
        if self._news and start >= self._next:
            self.write()
            took = time.monotonic() - start
            self._next = time.monotonic() + max(1.0, took / _SHARE)

    @contextmanager
    def at_the_end(self) -> Iterator[None]:
        """Write the reports when the block ends, also when somebody stops the run.

        Raises:
            StorageError: when one cannot be written.
        """
        try:
            yield
        except (GeneratorExit, KeyboardInterrupt):
            self.write()
            raise
        self.write()

    def write(self) -> None:
        """Write all reports that are wanted.

        Raises:
            StorageError: when one cannot be written.
        """
        wanted = self._wanted
        self._index.read(self._manifest)
        self._news = False
        if wanted.report is not None:
            write_report(wanted.report, self._rows(), self._segmenter.class_map.names)
        if any(kind.name == "polygons" for kind in wanted.kinds):
            _, self._missing = merge_polygons(
                wanted.target, self._rows(), self._segmenter.class_map
            )
        if wanted.html is not None:
            from segnet_res.inference.html import write_html

            write_html(
                wanted.html,
                self._rows(),
                self._header,
                target=wanted.target,
                picture_of=lambda row: self._index.path_of(str(row["path"])),
                metadata=self._segmenter.metadata,
                warnings=self.warnings(),
                seconds=time.monotonic() - self._start,
            )

    def _rows(self) -> Iterator[Row]:
        return self._index.rows(self._manifest, gone=self._wanted.lasting)
