"""Segment a folder: readers and writers work beside the model, and a stopped run goes on."""

import errno
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segnet_res.errors import DeviceError, ImageError, StorageError
from segnet_res.images import UInt8Array, read_image, read_mask, write_image, write_mask
from segnet_res.inference.pipeline import pixels_of, read_ahead, write_behind
from segnet_res.inference.plan import Job, plan_jobs
from segnet_res.inference.report import Report, check_report
from segnet_res.inference.segmenter import Prediction, Segmenter
from segnet_res.render import class_shares, confidence_image, overlay

# JPEG has no room for longer sides.
_MAX_JPEG_SIDE = 65_500

# Reasons for which one result cannot be written while others can.
_ONE_FILE = {errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.EILSEQ}


@dataclass(frozen=True)
class FileResult:
    """What became of one picture.

    Attributes:
        path: The picture.
        name: Its path below the source, with ``/``.
        outputs: The file of each kind of result, whether or not it could be written.
        kept: Whether all results were there before, so that nothing was done.
        error: Why there is no result; None when there is one.
        height: Pixels, as are the next; None where the picture was not read.
        width: See height.
        shares: Share of the labelled area that each class takes, 0 to 1.
        confidence: Mean over the pixels, 0 to 1; None where it is not known.
        seconds: Time in the model.
    """

    path: Path
    name: str
    outputs: dict[str, Path]
    kept: bool = False
    error: str | None = None
    height: int | None = None
    width: int | None = None
    shares: dict[str, float] | None = None
    confidence: float | None = None
    seconds: float | None = None

    def to_row(self) -> dict[str, Any]:
        """Return the row of the report."""
        return {
            "path": self.name,
            "width": self.width,
            "height": self.height,
            "shares": self.shares,
            "confidence": self.confidence,
            "seconds": self.seconds,
            "error": self.error,
        }


@dataclass(frozen=True)
class _Work:
    """A picture on its way: read, then predicted."""

    job: Job
    image: UInt8Array | None = None
    error: str | None = None
    prediction: Prediction | None = None
    seconds: float | None = None

    @property
    def pixels(self) -> int:
        return 0 if self.image is None else self.image.shape[0] * self.image.shape[1]


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
    """A run over a folder: planned and checked when made, done by `results`.

    Results go to ``target/masks``, ``target/overlays`` and ``target/confidence``, in the
    subfolders of the source. Each file appears whole or not at all, and pictures whose results are
    all there are kept as they are, so that starting a stopped run again completes it.

    Args:
        source: A picture, or a folder whose pictures are taken with all its subfolders. Nothing is
            written into it, except where the target lies inside.
        target: Folder of the results.
        save: ``masks`` (class indices, 8-bit PNG), ``overlays`` (JPEG), ``confidence`` (grey PNG,
            255 = certain).
        report: A ``.csv`` or ``.jsonl`` file with one row a picture; None: no report.
        overwrite: Segment again what is there.

    Attributes:
        jobs: What there is to do.

    Raises:
        UsageError: when arguments make no sense together.
        DataError: when the source is missing or holds no pictures.
        StorageError: when the target or the report is something else already.
    """

    def __init__(
        self,
        source: Path,
        target: Path,
        *,
        save: Collection[str] = ("masks",),
        report: Path | None = None,
        overwrite: bool = False,
    ) -> None:
        if report is not None:
            check_report(report, source, target)
        self.jobs = plan_jobs(source, target, save)
        self.report = report
        self.overwrite = overwrite

    def __len__(self) -> int:
        return len(self.jobs)

    def results(self, segmenter: Segmenter) -> Iterator[FileResult]:
        """Segment the pictures; yields one result a picture, those that were there before first.

        A picture that cannot be read, or is too large for the memory, gives a result with an
        error, and the run goes on.

        Raises:
            StorageError: when results or report cannot be written; what is finished stays.
            CheckpointError: when the model is damaged.
        """
        present = {} if self.overwrite else {job.name: job.present() for job in self.jobs}
        kept = [job for job in self.jobs if len(present.get(job.name, ())) == len(job.outputs)]
        names = {job.name for job in kept}
        todo = [job for job in self.jobs if job.name not in names]
        keep = None if self.overwrite else {job.name: present[job.name] for job in todo}
        with ExitStack() as stack:
            report = None
            if self.report is not None:
                report = Report(self.report, segmenter.class_map)
                # Rows stay, also those of other sources, except where this run will tell more.
                redone = {job.name for job in todo}
                known = [
                    row
                    for name, row in report.read().items()
                    if name not in redone and not (row["error"] and name in names)
                ]
                stack.enter_context(report.appending(known))
                names -= {row["path"] for row in known}
            for job in kept:
                if report is not None and job.name in names:
                    result = _look_up(job, segmenter)
                    report.append(result.to_row())
                    yield result
                else:
                    yield _kept(job)
            for result in _segment(segmenter, todo, keep):
                if report is not None:
                    report.append(result.to_row())
                yield result


# The results of each picture that stay as they are; None: all are written again.
_Keep = dict[str, frozenset[str]] | None


def _segment(segmenter: Segmenter, jobs: list[Job], keep: _Keep) -> Iterator[FileResult]:
    """Read, predict and write; the model runs in the caller's thread."""
    read = read_ahead(
        lambda job: _read(job, segmenter), jobs, workers=2, pixels=lambda job: pixels_of(job.path)
    )
    written = write_behind(
        lambda work: _write(work, segmenter, keep),
        (_predict(work, segmenter) for work in read),
        workers=2,
        pixels=lambda work: work.pixels,
    )
    try:
        yield from written
    finally:
        written.close()
        read.close()


def _read(job: Job, segmenter: Segmenter) -> _Work:
    # An overlay is painted on the picture's own colours; the model takes its grey from them.
    channels = 3 if "overlays" in job.outputs else segmenter.channels
    try:
        return _Work(job, image=read_image(job.path, channels))
    except (ImageError, OSError, MemoryError) as error:
        return _Work(job, error=_reason(error, job.path))


def _predict(work: _Work, segmenter: Segmenter) -> _Work:
    if work.image is None:
        return work
    start = time.perf_counter()
    try:
        prediction = segmenter.predict(work.image)
    except (DeviceError, MemoryError) as error:
        return _Work(work.job, error=_reason(error, work.job.path))
    return _Work(work.job, work.image, None, prediction, time.perf_counter() - start)


def _write(work: _Work, segmenter: Segmenter, keep: _Keep) -> FileResult:
    job = work.job
    if work.image is None or work.prediction is None:
        return FileResult(job.path, job.name, job.outputs, error=work.error)
    try:
        for kind, path in job.outputs.items():
            # A result that is there stays: somebody may have corrected the mask by hand.
            if keep is not None and kind in keep[job.name]:
                continue
            if keep is not None and path.exists():
                reason = (
                    f"{path} has appeared meanwhile; another run, or a name that differs in case"
                )
                return FileResult(job.path, job.name, job.outputs, error=reason)
            _save(kind, path, work.image, work.prediction, segmenter)
    except (ImageError, MemoryError) as error:
        return FileResult(job.path, job.name, job.outputs, error=_reason(error, job.path))
    except StorageError as error:
        if getattr(error.__cause__, "errno", None) in _ONE_FILE:
            return FileResult(job.path, job.name, job.outputs, error=str(error))
        raise
    height, width = work.image.shape[:2]
    return FileResult(
        job.path,
        job.name,
        job.outputs,
        height=height,
        width=width,
        shares=_shares(work.prediction.labels, segmenter),
        confidence=round(float(work.prediction.confidence.mean(dtype=np.float64)), 4),
        seconds=None if work.seconds is None else round(work.seconds, 4),
    )


def _save(
    kind: str, path: Path, image: UInt8Array, prediction: Prediction, segmenter: Segmenter
) -> None:
    if kind == "masks":
        write_mask(path, prediction.labels)
    elif kind == "confidence":
        write_mask(path, confidence_image(prediction.confidence))
    else:
        if max(image.shape) > _MAX_JPEG_SIDE:
            raise ImageError(
                f"{image.shape[1]}x{image.shape[0]} is too long for a JPEG overlay; "
                "leave overlays out for this picture"
            )
        write_image(path, overlay(image, prediction.labels, segmenter.class_map))


def _kept(job: Job) -> FileResult:
    return FileResult(job.path, job.name, job.outputs, kept=True)


def _look_up(job: Job, segmenter: Segmenter) -> FileResult:
    """Take the row of the report from the mask of an earlier run, as far as it tells."""
    if "masks" not in job.outputs:
        return _kept(job)
    try:
        labels = read_mask(job.outputs["masks"], segmenter.class_map)
    except (ImageError, OSError, MemoryError) as error:
        reason = f"its earlier mask cannot be read ({error}); remove it or overwrite"
        return FileResult(job.path, job.name, job.outputs, kept=True, error=reason)
    height, width = labels.shape
    return FileResult(
        job.path,
        job.name,
        job.outputs,
        kept=True,
        height=height,
        width=width,
        shares=_shares(labels, segmenter),
    )


def _shares(labels: UInt8Array, segmenter: Segmenter) -> dict[str, float]:
    shares = class_shares(labels, segmenter.class_map)
    return {
        name: round(float(share), 8)
        for name, share in zip(segmenter.class_map.names, shares, strict=True)
    }


def _reason(error: Exception, path: Path) -> str:
    """Return the message of an error without the file's name, which the result has already."""
    if isinstance(error, MemoryError):
        return "the picture does not fit into memory; cut it into parts"
    text = " ".join(str(error).split())
    for start in (f"{path}: ", f"{path.name}: "):
        text = text.removeprefix(start)
    return text
