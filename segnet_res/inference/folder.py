"""Segment a folder so that whatever happens, what is finished stays and a rerun completes it."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from segnet_res.errors import UsageError
from segnet_res.inference.identity import identity_of, settings_of
from segnet_res.inference.index import Index, Planned
from segnet_res.inference.locks import locked
from segnet_res.inference.manifest import Manifest, Row, digest_of, now
from segnet_res.inference.outputs import KINDS, check_kinds
from segnet_res.inference.plan import Job, Terms, check_target, plan_job
from segnet_res.inference.reporting import Reporting, Reports
from segnet_res.inference.sources import Source
from segnet_res.inference.stages import Stages
from segnet_res.inference.staging import sweep
from segnet_res.inference.watch import Watch
from segnet_res.inference.work import FileResult
from segnet_res.inference.writing import Writer
from segnet_res.version import __version__

if TYPE_CHECKING:
    from segnet_res.inference.segmenter import Segmenter
    from segnet_res.spec import Spec


def predict_folder(
    segmenter: Segmenter,
    source: Path,
    target: Path,
    *,
    save: Collection[str] = ("masks",),
    report: Path | None = None,
    overwrite: bool = False,
) -> Iterator[FileResult]:
    """Segment a picture or all pictures of a folder; yields each as it is finished.

    Arguments and errors are those of `FolderRun` and its `results`.
    """
    run = FolderRun(source, target, save=save, report=report, overwrite=overwrite)
    return run.results(segmenter)


class FolderRun:
    """A run over many pictures: planned and checked when made, done once by `results`.

    Results go to ``target/masks``, ``target/overlays`` and so on, in the subfolders of the source;
    ``target/manifest.jsonl`` says of each picture what was done. Each file appears whole or not at
    all. By the hashes of the manifest a rerun does what is new, changed, failed, missing or
    damaged, and nothing else. What somebody has changed by hand stays.

    Neither the list of pictures nor the manifest is held in memory.

    Args:
        source: What `segnet_res.inference.sources.Source` takes: a picture, a folder with its
            subfolders, a glob, a list. Nothing is written into it, except where the target lies
            inside.
        target: Folder of the results.
        save: Kinds of result, of `segnet_res.inference.outputs.KINDS`.
        report: A ``.csv`` or ``.jsonl`` file with one row a picture; None: no report.
        html: A page that reports the run; None: none.
        spec: The limits that parts must keep; None: nothing is judged.
        threshold: Confidence from which a defect counts, 0 to 1.
        min_region: Pixels from which a region counts.
        batch: Pictures of one size that go through the model together; None: as the device likes.
        workers: Threads that look at pictures, that read, and that write: so many of each.
        overwrite: Segment again what is there, also what was changed by hand.
        watch: Go on for ever with what arrives in the source, which must be a folder.

    Attributes:
        warnings: What is to be said about the pictures as a whole, once the results are through.

    Raises:
        UsageError: when arguments make no sense together.
        DataError: when the source is missing or holds no pictures.
        StorageError: when the target or a report is something else already.
    """

    def __init__(
        self,
        source: Path,
        target: Path,
        *,
        save: Collection[str] = ("masks",),
        report: Path | None = None,
        html: Path | None = None,
        spec: Spec | None = None,
        threshold: float = 0.0,
        min_region: int = 0,
        batch: int | None = None,
        workers: int = 2,
        overwrite: bool = False,
        watch: bool = False,
    ) -> None:
        _check_numbers(threshold=threshold, min_region=min_region, batch=batch, workers=workers)
        self._kinds = check_kinds(tuple(save))
        self._source = Source(source)
        check_target(self._source, target, self._kinds)
        self._reporting = Reporting(target, self._kinds, report, html, lasting=watch)
        self._reporting.check(self._source.root)
        if watch and not self._source.is_folder:
            raise UsageError(f"{source}: only a folder can be watched; give one")
        self._target = target
        self._spec = spec
        self._threshold = threshold
        self._min_region = min_region
        self._batch = batch
        self._workers = workers
        self._overwrite = overwrite
        self._watch = watch
        self.warnings: list[str] = []
        self._index = Index()
        self._index.add(self._source.find(target))
        self._index.name_results()
        if not watch and not len(self._index):
            raise self._source.nothing()

    def __len__(self) -> int:
        return len(self._index)

    def results(
        self, segmenter: Segmenter, *, checkpoint: Path | None = None, backend: str | None = None
    ) -> Iterator[FileResult]:
        """Segment the pictures; yields one result a picture, in about the order of their paths.

        A picture that cannot be read, or is too large for the memory, gives a result with an
        error, and the run goes on. Closing the iterator finishes what went through the model.

        Args:
            segmenter: What segments.
            checkpoint: The file that it was opened from, for the manifest.
            backend: The backend that was asked for; None: the one that runs.

        Raises:
            StorageError: when another run writes into the target, or results or reports cannot be
                written; what is finished stays.
            SpecError: when the limits do not fit the classes.
            CheckpointError: when the model is damaged.
        """
        if self._spec is not None:
            self._spec.check_classes(segmenter.class_map)
        header = self._header(segmenter, checkpoint, backend)
        terms = Terms(
            self._target,
            self._kinds,
            header["checkpoint"]["sha256"],
            header["settings_sha256"],
            self._spec,
            self._threshold,
            self._min_region,
            self._overwrite,
        )
        known = None if segmenter.metadata is None else segmenter.metadata.conditions
        with locked(self._target) as journal:
            sweep(self._target, KINDS)
            manifest = Manifest(self._target)
            self._index.read(manifest)
            self._index.own(journal.entries())
            with manifest.appending():
                manifest.append(header)
                writer = Writer(terms, segmenter.class_map, known, manifest, journal)
                stages = Stages(
                    segmenter,
                    terms,
                    writer,
                    batch=self._batch or _batch_for(segmenter),
                    workers=self._workers,
                )
                reports = Reports(self._reporting, segmenter, self._index, manifest, header)
                under_way = stages.run(self._jobs(terms, manifest))
                try:
                    # What is under way is finished before it is reported.
                    with reports.at_the_end(), closing(under_way):
                        for result in under_way:
                            if result is None:
                                reports.meanwhile()
                                continue
                            reports.add(result)
                            yield result
                finally:
                    self.warnings = reports.warnings()

    def _jobs(self, terms: Terms, manifest: Manifest) -> Iterator[Job | None]:
        """Yield what there is to do; None where nothing is for a while."""
        pictures: Iterable[Planned | None] = self._index.pictures()
        if self._watch:
            pictures = Watch(self._source.root, self._target, self._index).pictures()
        for planned in pictures:
            if planned is None:
                yield None
            else:
                if self._watch:
                    # What was done since it began counts too.
                    self._index.read(manifest)
                yield plan_job(planned, terms.kinds, self._index, manifest)

    def _header(self, segmenter: Segmenter, checkpoint: Path | None, backend: str | None) -> Row:
        settings = settings_of(
            segmenter, backend, threshold=self._threshold, min_region=self._min_region
        )
        spec = self._spec
        return {
            "run": secrets.token_hex(8),
            "started": now(),
            "version": __version__,
            "source": str(self._source.given),
            "checkpoint": identity_of(segmenter, checkpoint),
            "settings_sha256": digest_of(settings),
            "settings": settings,
            "spec": spec and {"name": spec.name, "sha256": spec.digest, "content": spec.to_dict()},
            "runs_on": {"backend": segmenter.backend, "device": segmenter.device},
            "classes": segmenter.class_map.to_dict(),
        }


def _check_numbers(*, threshold: float, min_region: int, batch: int | None, workers: int) -> None:
    if not 0 <= threshold <= 1:
        raise UsageError(f"threshold is {threshold:g}; give a confidence from 0 to 1")
    if min_region < 0:
        raise UsageError(f"min-region is {min_region}; give 0 or more pixels")
    if batch is not None and batch < 1:
        raise UsageError(f"batch is {batch}; give 1 or more pictures")
    if workers < 1:
        raise UsageError(f"workers is {workers}; give 1 or more threads")


def _batch_for(segmenter: Segmenter) -> int:
    """Return how many pictures go through the model together where nobody says it.

    A graphics card is idle with one small picture; a processor is not, and gains nothing.
    """
    return 1 if segmenter.device.startswith("CPU") else 8
