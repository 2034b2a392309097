"""The way of a run's pictures: looked at and read ahead, through the model, written behind."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path
from threading import Lock

from segnet_res.errors import DeviceError, ImageError
from segnet_res.images import UInt8Array, read_picture
from segnet_res.inference.checking import Check, Maker, Todo, check, stamp
from segnet_res.inference.findings import mask_there
from segnet_res.inference.large import is_large, predict_large
from segnet_res.inference.manifest import digest_of_bytes
from segnet_res.inference.pipeline import in_batches, read_ahead, write_behind
from segnet_res.inference.plan import Job, Terms
from segnet_res.inference.segmenter import Prediction, Segmenter
from segnet_res.inference.staging import Staging
from segnet_res.inference.work import FileResult, Large, Work
from segnet_res.inference.writing import Writer

_CHANGED = "changed while it was read; start the run again when it is complete"


class Stages:
    """Takes pictures through one model.

    Args:
        segmenter: The model.
        terms: What the run works by.
        writer: Finishes each picture.
        batch: How many pictures of one size go through the model together.
        workers: Threads that look at pictures, that read, and that write: so many of each.
    """

    def __init__(
        self, segmenter: Segmenter, terms: Terms, writer: Writer, *, batch: int, workers: int
    ) -> None:
        self._segmenter = segmenter
        self._terms = terms
        self._writer = writer
        self._batch = batch
        self._workers = workers
        # The next large picture waits while regions are counted in the one before: each takes
        # gigabytes.
        self._one_large = Lock()
        # An overlay is painted on the picture's own colours; the model takes its grey from them.
        in_colour = any(kind.needs_image for kind in terms.kinds)
        self._channels = 3 if in_colour else segmenter.channels

    def run(self, jobs: Iterable[Job | None]) -> Generator[FileResult | None, None, None]:
        """Yield what becomes of each picture, in the caller's thread, where the model runs too.

        Args:
            jobs: The pictures; None says that nothing will follow for a while, and comes out
                again when everything before it is finished.

        Raises:
            StorageError: when results or manifest cannot be written.
            CheckpointError: when the model is damaged.
        """
        checked = read_ahead(
            lambda job: None if job is None else check(job, self._terms),
            jobs,
            workers=self._workers,
            pixels=lambda _: 0,
            pause=_is_pause,
        )
        read = read_ahead(
            lambda seen: None if seen is None else self._read(seen),
            checked,
            workers=self._workers,
            pixels=lambda seen: 0 if seen is None or is_large(*seen.size) else _area(seen.size),
            pause=_is_pause,
        )
        written = write_behind(
            lambda work: None if work is None else self._write(work),
            self._predicted(read),
            workers=self._workers,
            pixels=_held,
            pause=_is_pause,
        )
        # From the end: what went through the model is written, what comes after it is dropped.
        with closing(checked), closing(read), closing(written):
            yield from written

    def _read(self, seen: Check) -> Work:
        work = Work(seen)
        if seen.error or seen.todo is not Todo.SEGMENT or is_large(*seen.size):
            return work
        try:
            content = seen.job.path.read_bytes()
            if digest_of_bytes(content) != seen.input:
                return replace(work, error=_CHANGED)
            picture = read_picture(seen.job.path, self._channels, content)
        except (ImageError, OSError, MemoryError) as error:
            return work.failed(error)
        return replace(work, image=picture.array, notes=picture.notes)

    def _write(self, work: Work) -> FileResult:
        with self._one_large if work.large is not None else nullcontext():
            return self._writer.write(work)

    def _predicted(self, read: Iterable[Work | None]) -> Iterator[Work | None]:
        groups = in_batches(
            read,
            self._batch,
            alike=lambda work: None if work is None or work.image is None else work.image.shape,
            pixels=_held,
            pause=_is_pause,
        )
        for group in groups:
            works = [work for work in group if work is not None]
            if not works:
                yield None
            elif works[0].image is not None:
                yield from self._through_the_model(works)
            else:
                seen = works[0].check
                large = not seen.error and seen.todo is Todo.SEGMENT and not works[0].error
                yield self._segment_large(works[0]) if large else works[0]

    def _through_the_model(self, works: list[Work]) -> Iterator[Work]:
        images = [work.image for work in works if work.image is not None]
        start = time.perf_counter()
        try:
            predictions = self._predict(images)
        except (DeviceError, MemoryError) as error:
            if len(works) == 1:
                yield works[0].failed(error)
                return
            predictions = None
        if predictions is None:
            # One by one they may fit. Not before the exception is gone: it holds on to the frames
            # of the model, and so to the memory that there was too little of.
            for work in works:
                yield from self._through_the_model([work])
            return
        seconds = (time.perf_counter() - start) / len(works)
        for work, prediction in zip(works, predictions, strict=True):
            yield replace(work, prediction=prediction, seconds=seconds)

    def _predict(self, images: list[UInt8Array]) -> list[Prediction]:
        if len(images) == 1:
            return [self._segmenter.predict(images[0])]
        return self._segmenter.predict_batch(images)

    def _segment_large(self, work: Work) -> Work:
        seen, terms = work.check, self._terms
        staging = Staging(terms.target, seen.job.outputs)
        outputs: dict[str, Path] = {}
        for kind in seen.job.kinds:
            standing = seen.standing.get(kind.name)
            stays = kind.name in seen.keep and standing is not None
            if not stays or (standing is not None and standing.maker is Maker.UNKNOWN):
                outputs[kind.name] = staging.draft(kind.name)
        try:
            with self._one_large:
                found = predict_large(
                    self._segmenter,
                    seen.job.path,
                    outputs,
                    name=seen.job.name,
                    threshold=terms.threshold,
                    min_region=terms.min_region,
                    corrected=lambda labels: self._corrected(labels, seen, staging),
                )
        except (ImageError, DeviceError, MemoryError, OSError) as error:
            staging.clear()
            return work.failed(error)
        except BaseException:
            staging.clear()
            raise
        if stamp(seen.job.path) != seen.seen:
            staging.clear()
            return replace(work, error=_CHANGED)
        large = Large(staging, found.labels, found.confidence, found.conditions)
        return replace(work, large=large, notes=found.notes, seconds=found.seconds)

    def _corrected(self, labels: UInt8Array, seen: Check, staging: Staging) -> UInt8Array:
        """Return the mask that somebody made, where there is one, in place of the model's."""
        standing = seen.standing.get("masks")
        if standing is None or "masks" not in seen.keep or standing.maker is Maker.RUN:
            return labels
        if standing.maker is Maker.UNKNOWN and staging.digest("masks") == standing.sha256:
            # Nobody wrote down who made it, but it is what the model gives.
            return labels
        return mask_there(seen, self._terms.target, self._segmenter.class_map, labels.shape)


def _is_pause(item: object) -> bool:
    return item is None


def _area(size: tuple[int, int]) -> int:
    return size[0] * size[1]


def _held(work: Work | None) -> int:
    return 0 if work is None else work.pixels
