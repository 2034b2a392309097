"""Segments many pictures, one turn each, and judges them again by other limits."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from segnet_res.classes import ClassMap
from segnet_res.errors import DeviceError, ImageError, UsageError
from segnet_res.images import read_mask
from segnet_res.web.batch_files import BatchFiles
from segnet_res.web.batch_names import shown_name
from segnet_res.web.batch_table import Row, measured
from segnet_res.web.checkpoints import Library, check_weights
from segnet_res.web.jobs import Job, Progress, Steps, my_turn
from segnet_res.web.judging import Judge
from segnet_res.web.results import read_again, read_stamped
from segnet_res.web.stamps import Stamp

if TYPE_CHECKING:
    from segnet_res.inference import Segmenter


@dataclass(frozen=True)
class Part:
    """A picture of a batch.

    Attributes:
        name: What people call it.
        path: The file.
        source: How a browser asks for it again, see `Pictures`.
    """

    name: str
    path: Path
    source: dict[str, str]


@dataclass(frozen=True)
class Judgement:
    """How pictures are judged.

    Attributes:
        judge: Does it.
        asked: What the browser asked for, as plain texts and numbers, so that it can tell whether
            its limits have changed since.
    """

    judge: Judge
    asked: dict[str, Any]

    def same_masks(self, other: "Judgement") -> bool:
        """Tell whether both count the same pixels as defects, whatever they say of these."""
        return self.judge.state == other.judge.state


class Batch:
    """Many pictures through one model; the work of a job.

    Masks are those of `segnet-res predict`, byte for byte, as long as neither a confidence
    threshold nor a smallest region is set; otherwise they show what was judged.

    Args:
        library: Lends the model.
        model: Name of its checkpoint.
        parts: The pictures.
        folder: Where the files go.
        judgement: Says what is defective.
        overlays: Whether to make overlays.

    Attributes:
        rows: One a finished picture, in the order of the parts; grows while the job runs.
        files: Where the files of the rows lie.
        class_map: That of the model; None until it is loaded.
        weights: SHA-256 of its checkpoint; None until it is loaded.
        task: The job that works on the results, or the last one that did.
    """

    def __init__(
        self,
        library: Library,
        model: str,
        parts: list[Part],
        folder: Path,
        judgement: Judgement,
        *,
        overlays: bool,
    ) -> None:
        self.checkpoints = library
        self.model = model
        self.parts = parts
        self.judgement = judgement
        self.files = BatchFiles(folder, overlays=overlays)
        self.rows: list[Row] = []
        # Of the file of each picture that the model saw.
        self.stamps: dict[int, Stamp] = {}
        self.class_map: ClassMap | None = None
        self.weights: str | None = None
        self.task: Job[Any] | None = None

    def run(self) -> Steps:
        """Segment one picture a turn.

        Raises:
            CheckpointError: when the model cannot be used.
            StorageError: when the disk is full; what is finished stays.
            UsageError: when the limits cannot be used, or are for other classes.
        """
        total = len(self.parts)
        with ExitStack() as stack:
            segmenter: Segmenter | None = None
            for number, part in enumerate(self.parts):
                progress = Progress(number, total, part.name)
                ticket = yield from my_turn(self.checkpoints.turns, progress)
                if ticket is None:
                    break
                with ticket:
                    if segmenter is None:
                        # Kept to the end: a checkpoint of the same name that is put into the
                        # folder meanwhile would mix the results of two models.
                        weights = self.checkpoints.weights(self.model)
                        segmenter = stack.enter_context(self.checkpoints.borrow(self.model))
                        check_weights(self.checkpoints, self.model, weights)
                        _check_fit(self.judgement, segmenter.class_map)
                        self.weights = weights
                        self.class_map = segmenter.class_map
                    self.rows.append(self._one(number, part, segmenter))
        yield Progress(len(self.rows), total)

    def _one(self, number: int, part: Part, segmenter: "Segmenter") -> Row:
        try:
            read, stamp = read_stamped(part.path)
            image = read.array
            start = time.perf_counter()
            prediction = segmenter.predict(image)
            seconds = time.perf_counter() - start
        except (ImageError, DeviceError, OSError, MemoryError) as error:
            return failed(number, part, error)
        judge, class_map = self.judgement.judge, segmenter.class_map
        labels = judge.refine(prediction.labels, prediction.confidence, class_map)
        self.stamps[number] = stamp
        self.files.save_raw(number, prediction.labels, prediction.confidence)
        self.files.save_seen(number, image, labels, class_map)
        row = Row(
            number,
            part.name,
            size=(image.shape[0], image.shape[1]),
            confidence=float(prediction.confidence.mean(dtype=np.float64)),
            seconds=seconds,
        )
        return measured(row, labels, class_map, judge)


class Rejudge:
    """Judges the pictures of a batch by other limits, without the model.

    Args:
        batch: A batch that has ended.
        judgement: The other limits.
    """

    def __init__(self, batch: Batch, judgement: Judgement) -> None:
        self.batch = batch
        self._judgement = judgement

    def run(self) -> Steps:
        """Judge one picture a turn; when stopped, everything stays as it was.

        Raises:
            UsageError: when the limits cannot be used, or are for other classes.
            StorageError: when the disk is full.
        """
        batch, class_map = self.batch, self.batch.class_map
        if class_map is None:
            return  # no picture has come to the model
        _check_fit(self._judgement, class_map)
        same = self._judgement.same_masks(batch.judgement)
        files = batch.files if same else batch.files.next()
        rows: list[Row] = []
        for row in batch.rows:
            progress = Progress(len(rows), len(batch.rows), row.name)
            ticket = yield from my_turn(batch.checkpoints.turns, progress)
            if ticket is None:
                if not same:
                    files.remove_seen()
                return
            with ticket:
                again = self._read_again if same else self._refine_again
                rows.append(self._one(row, again, files, class_map))
        before, batch.files = batch.files, files
        batch.rows, batch.judgement = rows, self._judgement
        if not same:
            before.remove_seen()
        yield Progress(len(rows), len(rows))

    def _one(
        self,
        row: Row,
        again: Callable[[Row, BatchFiles, ClassMap], Row],
        files: BatchFiles,
        class_map: ClassMap,
    ) -> Row:
        # What the model never saw cannot be judged now either.
        if row.size is None:
            return row
        try:
            return again(row, files, class_map)
        except (ImageError, OSError, MemoryError) as error:
            return failed(row.number, self.batch.parts[row.number], error)

    def _read_again(self, row: Row, files: BatchFiles, class_map: ClassMap) -> Row:
        labels = read_mask(files.path("masks", row.number), class_map)
        return measured(row, labels, class_map, self._judgement.judge)

    def _refine_again(self, row: Row, files: BatchFiles, class_map: ClassMap) -> Row:
        judge = self._judgement.judge
        image = read_again(self.batch.parts[row.number].path, self.batch.stamps[row.number])
        labels = judge.refine(*files.read_raw(row.number), class_map)
        files.save_seen(row.number, image, labels, class_map)
        return measured(row, labels, class_map, judge)


def failed(number: int, part: Part, error: Exception) -> Row:
    """Return the row of a picture without a result, with one sentence about why."""
    if isinstance(error, MemoryError):
        text = "the picture does not fit into the server's memory; cut it into parts"
    else:
        text = shown_name(" ".join(str(error).split()))
        # The row has the file's name already.
        for start in (f"{part.path}: ", f"{part.path.name}: "):
            text = text.removeprefix(shown_name(start))
    return Row(number, part.name, "failed", error=text)


def _check_fit(judgement: Judgement, class_map: ClassMap) -> None:
    """Judge a single pixel: limits for other classes shall be told before the first picture."""
    error = judgement.judge.verdict(np.zeros((1, 1), np.uint8), class_map)["error"]
    if error is not None:
        raise UsageError(error)
