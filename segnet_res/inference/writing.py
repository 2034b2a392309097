"""The end of a picture's way: its results written, judged and recorded."""

import errno
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from segnet_res.classes import ClassMap
from segnet_res.conditions import KnownConditions, judge_conditions, measure
from segnet_res.errors import ImageError, SpecError, StorageError
from segnet_res.images import UInt8Array, read_mask
from segnet_res.inference.checking import Check, Maker, Todo
from segnet_res.inference.locks import Journal
from segnet_res.inference.manifest import Manifest, Output, Record, now
from segnet_res.inference.outputs import Kind
from segnet_res.inference.plan import Terms
from segnet_res.inference.segmenter import Prediction
from segnet_res.inference.staging import Staging, remove
from segnet_res.inference.work import FileResult, Work, reason_of
from segnet_res.regions import refine, region_areas
from segnet_res.render import class_pixels

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
        """Judge the mask that is there."""
        before = check.job.before
        assert before is not None
        told = _Told(dict(before.outputs))
        for kind, file in check.standing.items():
            if file.maker is Maker.UNKNOWN:
                self._keep(check, kind, told)
        labels = self._mask_by_hand(check, (before.height, before.width))
        record = replace(
            before,
            spec=None if self._terms.spec is None else self._terms.spec.digest,
            notes=_notes([], before.notes, told.outputs),
            outputs=told.outputs,
            **self._measure(labels),
        )
        return self._record(check, record, told)

    def _store(self, work: Work) -> FileResult:
        if work.large is not None:
            # Labels alone: what needs the confidence is written already.
            nothing = np.empty((0, 0), np.float32)
            return self._put(work, Prediction(work.large.labels, nothing), work.large.staging)
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
        told = _Told(self._others(check))
        for kind in terms.kinds:
            if self._stays(kind, check, staging, work.image, prediction):
                self._keep(check, kind.name, told)
            else:
                digest = staging.digest(kind.name)
                told.outputs[kind.name] = Output(check.job.outputs[kind.name], digest)
                standing = check.standing.get(kind.name)
                if standing is not None and standing.sha256 == digest:
                    staging.drop(kind.name)
            if kind.name == "masks" and told.outputs["masks"].by_hand:
                # What somebody has corrected is what the other results show.
                labels = self._mask_by_hand(check, prediction.labels.shape)
                prediction = Prediction(labels, prediction.confidence)
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
            **self._measure(prediction.labels),
            **self._look(work, told),
        )
        staging.publish(self._journal, check, overwrite=terms.overwrite)
        for output in check.job.stale:
            remove(terms.target, output)
        result = self._record(check, record, told)
        self._journal.end()
        return result

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

    def _keep(self, check: Check, kind: str, told: _Told) -> None:
        """Record a file that stays."""
        standing, path = check.standing[kind], check.job.outputs[kind]
        before = None if check.job.before is None else check.job.before.outputs.get(kind)
        output = Output(path, standing.sha256, standing.maker is not Maker.RUN)
        told.outputs[kind] = output
        if output.by_hand and output != before:
            told.by_hand.append(path)

    def _others(self, check: Check) -> dict[str, Output]:
        """Return results of kinds that this run does not save but that still hold."""
        before, terms = check.job.before, self._terms
        if before is None or (before.input, before.checkpoint, before.settings) != (
            check.input,
            terms.checkpoint,
            terms.settings,
        ):
            return {}
        stale = {output.path for output in check.job.stale}
        return {kind: out for kind, out in before.outputs.items() if out.path not in stale}

    def _mask_by_hand(self, check: Check, shape: tuple[int | None, ...]) -> UInt8Array:
        """Read the mask that is there.

        Raises:
            ImageError: when it is no mask of this picture.
        """
        name = check.job.outputs["masks"]
        remedy = "correct it, move it away, or use --overwrite"
        if check.changed and check.standing["masks"].maker is not Maker.RUN:
            raise ImageError(
                f"the picture is another than the one that {name} was made by hand for; "
                "move that mask away, or use --overwrite"
            )
        try:
            labels = read_mask(self._terms.target / name, self._classes)
        except ImageError as error:
            raise ImageError(f"its mask was changed by hand ({error}); {remedy}") from error
        if labels.shape != shape:
            raise ImageError(
                f"{name} was made by hand and is {labels.shape[1]}x{labels.shape[0]}, the picture "
                f"is {shape[1]}x{shape[0]}; {remedy}"
            )
        unknown = self._classes.unknown(labels)
        if unknown:
            raise ImageError(
                f"{name} was made by hand and holds {', '.join(map(str, unknown[:5]))}, which no "
                f"class has; {remedy}"
            )
        return labels

    def _measure(self, labels: UInt8Array) -> dict[str, Any]:
        """Return classes, verdict and reasons for the record."""
        counts = dict.fromkeys(range(len(self._classes)), 0)
        for label, areas in region_areas(labels, self._classes):
            counts[label] = len(areas)
        pixels = class_pixels(labels, self._classes)
        classes = {
            name: {"pixels": int(pixels[label]), "regions": counts[label]}
            for label, name in enumerate(self._classes.names)
        }
        if self._terms.spec is None:
            return {"classes": classes, "verdict": None, "reasons": ()}
        verdict = self._terms.spec.judge(labels, self._classes)
        reasons = tuple(reason.sentence for reason in verdict.reasons)
        return {
            "classes": classes,
            "verdict": "pass" if verdict.passed else "fail",
            "reasons": reasons,
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
        return {"conditions": measured.to_dict(), "notes": _notes(notes, (), told.outputs)}

    def _record(self, check: Check, record: Record, told: _Told) -> FileResult:
        record = replace(record, time=now())
        start = self._manifest.append(record.to_row())
        return FileResult(check.job.path, record, by_hand=tuple(told.by_hand), start=start)


_BY_HAND = " was made or changed by hand and is kept"


def _notes(new: Sequence[str], old: Sequence[str], outputs: dict[str, Output]) -> tuple[str, ...]:
    """Return all notes of a picture, those about results by hand last and as they are now."""
    by_hand = [f"{output.path}{_BY_HAND}" for output in outputs.values() if output.by_hand]
    return (*(note for note in old if not note.endswith(_BY_HAND)), *new, *by_hand)


def _confidence(work: Work) -> float:
    if work.large is not None:
        return work.large.confidence
    assert work.prediction is not None
    return float(work.prediction.confidence.mean(dtype=np.float64))
