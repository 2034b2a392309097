"""The end of a picture's way: its results written, judged and recorded."""

import errno
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from segnet_res.classes import ClassMap
from segnet_res.conditions import KnownConditions, judge_conditions, measure
from segnet_res.errors import ImageError, SpecError, StorageError
from segnet_res.images import UInt8Array
from segnet_res.inference.checking import Check, Maker, Todo
from segnet_res.inference.findings import findings, mask_there, notes_of
from segnet_res.inference.locks import Journal
from segnet_res.inference.manifest import Manifest, Output, Record, now
from segnet_res.inference.outputs import Kind
from segnet_res.inference.plan import Terms
from segnet_res.inference.segmenter import Prediction
from segnet_res.inference.staging import Staging, remove
from segnet_res.inference.work import FileResult, Work, reason_of
from segnet_res.regions import refine

# Where labels alone are told.
_NOTHING = np.empty((0, 0), np.float32)

# Reasons for which one result cannot be written while others can.
_ONE_FILE = {errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.EILSEQ}


@dataclass
class _Told:
    """What is said of a picture's results while they are written."""

    outputs: dict[str, Output] = field(default_factory=dict)
    by_hand: list[str] = field(default_factory=list)


class Writer:
    """Writes, judges and records; its methods may be called by several threads.

    Args:
        terms: What the run works by.
        class_map: Names the labels.
        known: The conditions that the model knows; None where its checkpoint does not tell.
        manifest: Open for appending.
        journal: Of the lock on the target.
    """

    def __init__(
        self,
        terms: Terms,
        class_map: ClassMap,
        known: KnownConditions | None,
        manifest: Manifest,
        journal: Journal,
    ) -> None:
        self._terms = terms
        self._classes = class_map
        self._known = known
        self._manifest = manifest
        self._journal = journal

    def write(self, work: Work) -> FileResult:
        """Finish a picture.

        Raises:
            StorageError: when nothing more can be written, to this file or any.
        """
        check = work.check
        try:
            if check.error is not None or work.error is not None:
                return self._failed(check, str(check.error or work.error))
            if check.todo is Todo.NOTHING:
                assert check.job.before is not None
                return FileResult(check.job.path, check.job.before, kept=True)
            if check.todo is Todo.REVIEW:
                return self._review(check)
            return self._store(work)
        except (ImageError, SpecError, MemoryError) as error:
            return self._failed(check, reason_of(error, check))
        except StorageError as error:
            if getattr(error.__cause__, "errno", None) in _ONE_FILE:
                return self._failed(check, str(error))
            raise
        finally:
            if work.large is not None:
                work.large.staging.clear()

    def _failed(self, check: Check, reason: str) -> FileResult:
        job, terms = check.job, self._terms
        record = Record(
            job.name,
            check.input,
            terms.checkpoint,
            terms.settings,
            None if terms.spec is None else terms.spec.digest,
            "failed",
            reason,
            time=now(),
        )
        if job.before is not None and replace(record, time=job.before.time) == job.before:
            # A picture that is damaged for good needs no line every night.
            return FileResult(job.path, job.before)
        return FileResult(job.path, record, start=self._manifest.append(record.to_row()))

    def _review(self, check: Check) -> FileResult:
        """Judge the mask that is there, and make from it what is missing."""
        before, terms = check.job.before, self._terms
        assert before is not None
        told = _Told()
        for kind in check.job.kinds:
            if kind.name in check.keep:
                self._keep(check, kind.name, told)
        labels = mask_there(check, terms.target, self._classes, (before.height, before.width))
        staging = Staging(terms.target, check.job.outputs)
        try:
            for missing in check.job.kinds:
                if missing.name not in check.keep:
                    draft = staging.draft(missing.name)
                    prediction = Prediction(labels, _NOTHING)
                    missing.write(draft, None, prediction, self._classes, name=check.job.name)
                    self._take(missing.name, check, staging, told)
            told.outputs = self._others(check, told) | told.outputs
            record = replace(
                before,
                spec=None if terms.spec is None else terms.spec.digest,
                notes=notes_of([], before.notes, told.outputs),
                outputs=told.outputs,
                **findings(labels, self._classes, terms.spec),
            )
            return self._publish(check, staging, record, told)
        finally:
            staging.clear()

    def _store(self, work: Work) -> FileResult:
        if work.large is not None:
            # Labels alone: what needs the confidence is written already.
            prediction = Prediction(work.large.labels, _NOTHING)
            return self._put(work, prediction, work.large.staging)
        assert work.prediction is not None
        prediction = self._refined(work.prediction)
        staging = Staging(self._terms.target, work.check.job.outputs)
        try:
            return self._put(work, prediction, staging)
        finally:
            staging.clear()

    def _put(self, work: Work, prediction: Prediction, staging: Staging) -> FileResult:
        """Write what is missing, measure, judge, put into place and record."""
        check, terms = work.check, self._terms
        told = _Told()
        for kind in check.job.kinds:
            if self._stays(kind, check, staging, work.image, prediction):
                self._keep(check, kind.name, told)
            else:
                self._take(kind.name, check, staging, told)
            if kind.name == "masks" and told.outputs["masks"].by_hand and work.large is None:
                # What somebody has corrected is what the other results show; those of a large
                # picture are written, and show it already.
                labels = mask_there(check, terms.target, self._classes, prediction.labels.shape)
                prediction = Prediction(labels, prediction.confidence)
        told.outputs = self._others(check, told) | told.outputs
        height, width = prediction.labels.shape
        record = Record(
            check.job.name,
            check.input,
            terms.checkpoint,
            terms.settings,
            None if terms.spec is None else terms.spec.digest,
            width=width,
            height=height,
            confidence=round(float(_confidence(work)), 4),
            outputs=told.outputs,
            seconds=None if work.seconds is None else round(work.seconds, 4),
            **findings(prediction.labels, self._classes, terms.spec),
            **self._look(work, told),
        )
        return self._publish(check, staging, record, told)

    def _publish(self, check: Check, staging: Staging, record: Record, told: _Told) -> FileResult:
        """Put results into their places and record them."""
        staging.publish(self._journal, check, overwrite=self._terms.overwrite)
        for output in check.job.stale:
            remove(self._terms.target, output)
        record = replace(record, time=now())
        start = self._manifest.append(record.to_row())
        self._journal.end()
        return FileResult(
            check.job.path,
            record,
            reviewed=check.todo is Todo.REVIEW,
            by_hand=tuple(told.by_hand),
            start=start,
        )

    def _refined(self, prediction: Prediction) -> Prediction:
        terms = self._terms
        if not (terms.threshold or terms.min_region):
            return prediction
        labels = refine(
            prediction.labels,
            prediction.confidence,
            self._classes,
            threshold=terms.threshold,
            min_region=terms.min_region,
        )
        return Prediction(labels, prediction.confidence)

    def _stays(
        self,
        kind: Kind,
        check: Check,
        staging: Staging,
        image: UInt8Array | None,
        prediction: Prediction,
    ) -> bool:
        """Tell whether the file that is there stays; else a draft of the new one is written."""
        standing = check.standing.get(kind.name)
        kept = kind.name in check.keep and standing is not None
        if kept and standing is not None and standing.maker is not Maker.UNKNOWN:
            staging.drop(kind.name)
            return True
        if image is not None:
            kind.write(
                staging.draft(kind.name), image, prediction, self._classes, name=check.job.name
            )
        if not kept or standing is None:
            return False
        # Nobody wrote down who made it, but a run would make the same.
        if staging.digest(kind.name) == standing.sha256:
            return False
        staging.drop(kind.name)
        return True

    def _take(self, kind: str, check: Check, staging: Staging, told: _Told) -> None:
        """Record a draft; one that equals what is there is not needed."""
        digest = staging.digest(kind)
        told.outputs[kind] = Output(check.job.outputs[kind], digest)
        standing = check.standing.get(kind)
        if standing is not None and standing.sha256 == digest:
            staging.drop(kind)

    def _keep(self, check: Check, kind: str, told: _Told) -> None:
        """Record a file that stays."""
        standing, path = check.standing[kind], check.job.outputs[kind]
        before = None if check.job.before is None else check.job.before.outputs.get(kind)
        output = Output(path, standing.sha256, standing.maker is not Maker.RUN)
        told.outputs[kind] = output
        if output.by_hand and output != before:
            told.by_hand.append(path)

    def _others(self, check: Check, told: _Told) -> dict[str, Output]:
        """Return results of kinds that this run does not save but that still hold.

        What shows another mask than the one that counts now does not, except by somebody's hand.
        """
        before, terms = check.job.before, self._terms
        if before is None or (before.input, before.checkpoint, before.settings) != (
            check.input,
            terms.checkpoint,
            terms.settings,
        ):
            return {}
        stale = {output.path for output in check.job.stale}
        same_mask = _by_hand(before.outputs) == _by_hand(told.outputs)
        return {
            kind: output
            for kind, output in before.outputs.items()
            if kind not in told.outputs
            and output.path not in stale
            # A mask by hand would have been told, if it were there.
            and (not output.by_hand if kind == "masks" else same_mask or output.by_hand)
        }

    def _look(self, work: Work, told: _Told) -> dict[str, Any]:
        """Return conditions and notes for the record."""
        if work.large is not None:
            measured = work.large.conditions
        else:
            assert work.image is not None
            measured = measure(work.image)
        notes = list(work.notes)
        if self._known is not None:
            notes += judge_conditions(measured, self._known)
        return {"conditions": measured.to_dict(), "notes": notes_of(notes, (), told.outputs)}


def _by_hand(outputs: dict[str, Output]) -> str | None:
    """Return the SHA-256 of a mask that somebody made."""
    mask = outputs.get("masks")
    return mask.sha256 if mask is not None and mask.by_hand else None


def _confidence(work: Work) -> float:
    if work.large is not None:
        return work.large.confidence
    assert work.prediction is not None
    return float(work.prediction.confidence.mean(dtype=np.float64))
