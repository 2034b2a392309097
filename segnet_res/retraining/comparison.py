"""A parent and its candidate on the same pictures: what became better, and what worse."""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnet_res.assessment import SMALLEST, Assessment, assess, defective_pictures
from segnet_res.bootstrap import margins
from segnet_res.checkpoint import checkpoint_name, digest
from segnet_res.classes import ClassMap, background
from segnet_res.data import SegmentationDataset, fingerprint, part_groups
from segnet_res.evaluation import (
    check_pictures,
    read_samples,
    trained_on,
    training_fingerprints,
)
from segnet_res.images import UInt8Array
from segnet_res.inference import Segmenter
from segnet_res.metrics import ConfusionMatrix
from segnet_res.retraining.changes import ScoreChanges, score_changes
from segnet_res.retraining.flips import SMALLEST_REGION, FlipCounter, Flips
from segnet_res.retraining.golden import check_measures, load_golden
from segnet_res.retraining.matching import Matched, match_classes, renamings


@dataclass(frozen=True)
class Exam:
    """The pictures that checkpoints are compared on.

    Attributes:
        dataset: The pictures and masks.
        parts: The part of each picture.
        golden: Whether they are frozen.
        fingerprint: SHA-256 of what decides on scores.
    """

    dataset: SegmentationDataset
    parts: tuple[str, ...]
    golden: bool
    fingerprint: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain texts and numbers for JSON."""
        return {
            "name": self.dataset.info.name,
            "split": self.dataset.split,
            "golden": self.golden,
            "fingerprint": self.fingerprint,
            "pictures": len(self.parts),
            "parts": len(set(self.parts)),
        }


@dataclass(frozen=True)
class Contender:
    """A checkpoint that is compared.

    Attributes:
        name: As it is listed.
        sha256: Of its file, 64 hexadecimal digits.
        segmenter: Predicts by it.
    """

    name: str
    sha256: str
    segmenter: Segmenter

    @classmethod
    def of(cls, path: Path, segmenter: Segmenter) -> "Contender":
        """Name a segmenter by the file of its checkpoint or export."""
        return cls(checkpoint_name(path), digest(path), segmenter)


@dataclass(frozen=True)
class Answers:
    """What the mask and both checkpoints say of one picture, in labels of the common class map.

    Attributes:
        stem: The picture.
        truth: (H, W) uint8, the mask, or ``ignore_index`` where nobody judges.
        before: (H, W) uint8, what the parent predicts.
        after: (H, W) uint8, what the candidate predicts.
    """

    stem: str
    truth: UInt8Array
    before: UInt8Array
    after: UInt8Array


@dataclass(frozen=True)
class Comparison:
    """What a candidate does better and worse than its parent.

    Attributes:
        parent: Name and SHA-256 of the checkpoint before.
        candidate: Name and SHA-256 of the one after.
        exam: `Exam.to_dict` of the pictures.
        class_map: The classes of all three, matched by name.
        knows: For each class whether parent and candidate know it.
        scores: IoU of each class and mIoU, with intervals of the differences.
        before: Rates of the parent: overkill and escape.
        after: Those of the candidate.
        flips: Defects newly missed and newly found.
        new_alarms: Sound pictures that the candidate alone calls defective.
        ended_alarms: Sound pictures that the parent alone calls defective.
        doubts: Sentences about a checkpoint that was trained on just these pictures.
    """

    parent: tuple[str, str]
    candidate: tuple[str, str]
    exam: dict[str, Any]
    class_map: ClassMap
    knows: tuple[tuple[bool, bool], ...]
    scores: ScoreChanges
    before: Assessment
    after: Assessment
    flips: Flips
    new_alarms: tuple[str, ...]
    ended_alarms: tuple[str, ...]
    doubts: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists, texts and numbers for JSON."""
        scores = self.scores
        classes = [
            {"name": name, "known": list(known), "parts": parts, "iou": change.to_dict()}
            for name, known, parts, change in zip(
                self.class_map.names, self.knows, scores.parts, scores.classes, strict=True
            )
        ]
        return {
            "parent": dict(zip(("name", "sha256"), self.parent, strict=True)),
            "candidate": dict(zip(("name", "sha256"), self.candidate, strict=True)),
            "exam": self.exam,
            "miou": scores.miou.to_dict() | {"classes": scores.counted},
            "classes": classes,
            **{key: self._rates(key) for key in ("overkill", "escape")},
            "smallest": self.before.smallest,
            "flips": self.flips.to_dict(),
            "new_alarms": list(self.new_alarms),
            "ended_alarms": list(self.ended_alarms),
            "doubts": list(self.doubts),
        }

    def _rates(self, which: str) -> dict[str, Any]:
        return {
            by: {
                "before": getattr(self.before, attribute).to_dict(),
                "after": getattr(self.after, attribute).to_dict(),
            }
            for by, attribute in (("pictures", which), ("parts", f"part_{which}"))
        }


def open_exam(path: Path, split: str = "val") -> Exam:
    """Open what checkpoints are compared on.

    Args:
        path: A golden set, or a dataset folder.
        split: Of a dataset folder, "val" or "test"; a golden set is one by itself.

    Raises:
        UsageError: when the split is the one that is trained on.
        DataError: when it is neither, or a golden set is not what it was or is trained on.
    """
    if path.is_dir():
        check_measures(split)
        dataset = SegmentationDataset(path, split)
        return Exam(dataset, tuple(part_groups(dataset).values()), False, fingerprint(dataset))
    golden = load_golden(path)
    golden.check_held_out()
    return Exam(golden.open(), golden.parts, True, golden.fingerprint)


def compare(
    parent: Contender,
    candidate: Contender,
    exam: Exam,
    *,
    smallest_region: int = SMALLEST_REGION,
    smallest: int = SMALLEST,
) -> Generator[Answers, None, Comparison]:
    """Compare two checkpoints on the same pictures.

    Args:
        parent: The one before.
        candidate: The one after; what its training renamed counts by its new name.
        exam: The pictures.
        smallest_region: Pixels from which a region of a mask is a defect that can be missed.
        smallest: Pixels from which a prediction calls a picture defective.

    Yields:
        The answers to each picture as it is done.

    Returns:
        What became better, and what worse.

    Raises:
        DataError: when there are no pictures, or classes or channels do not fit.
        DeviceError: when memory runs out.
    """
    for one in (parent, candidate):
        check_pictures(one.segmenter, exam.dataset)
    matched = match_classes(
        exam.dataset.class_map,
        parent.segmenter.class_map,
        candidate.segmenter.class_map,
        *renamings(candidate.segmenter.metadata),
    )
    flips = FlipCounter(matched, smallest_region)
    counts: tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]] = ([], [])
    for sample, part in zip(read_samples(exam.dataset), exam.parts, strict=True):
        truth = matched.truth[sample.labels]
        before = matched.parent[parent.segmenter.predict(sample.image).labels]
        after = matched.candidate[candidate.segmenter.predict(sample.image).labels]
        for collected, labels in zip(counts, (before, after), strict=True):
            matrix = ConfusionMatrix(matched.class_map)
            matrix.update(truth, labels)
            collected.append(matrix.counts)
        flips.add(sample.stem, part, truth, before, after)
        yield Answers(sample.stem, truth, before, after)
    return _concluded(
        (parent, candidate),
        exam,
        matched,
        (np.stack(counts[0]), np.stack(counts[1])),
        flips.result(),
        smallest,
    )


def _concluded(
    contenders: tuple[Contender, Contender],
    exam: Exam,
    matched: Matched,
    counts: tuple[NDArray[np.int64], NDArray[np.int64]],
    flips: Flips,
    smallest: int,
) -> Comparison:
    parent, candidate = contenders
    knows = (matched.parent_knows, matched.candidate_knows)
    sound = background(matched.class_map)
    (bad, called), (_, called_after) = (
        defective_pictures(margins(one), sound, smallest) for one in counts
    )
    before, after = (
        assess(one, exam.parts, matched.class_map, smallest=smallest) for one in counts
    )
    stems = np.asarray(exam.dataset.stems, dtype=np.str_)
    return Comparison(
        parent=(parent.name, parent.sha256),
        candidate=(candidate.name, candidate.sha256),
        exam=exam.to_dict(),
        class_map=matched.class_map,
        knows=tuple(zip(knows[0].tolist(), knows[1].tolist(), strict=True)),
        scores=score_changes(*counts, exam.parts, knows),
        before=before,
        after=after,
        flips=flips,
        new_alarms=tuple(stems[~bad & called_after & ~called].tolist()),
        ended_alarms=tuple(stems[~bad & called & ~called_after].tolist()),
        doubts=_doubts(parent, candidate, exam),
    )


def _doubts(parent: Contender, candidate: Contender, exam: Exam) -> tuple[str, ...]:
    """Name those that were trained on just these pictures."""
    models = [parent.segmenter, candidate.segmenter]
    if not any(one.metadata and training_fingerprints(one.metadata.data) for one in models):
        return ()
    # Once for both: all pictures are read for it.
    digest = fingerprint(exam.dataset) if exam.golden else exam.fingerprint
    found = [
        trained_on(one, exam.dataset, name, digest=digest)
        for one, name in zip(models, (parent.name, "the candidate"), strict=True)
    ]
    return tuple(doubt for doubt in found if doubt is not None)
