"""A candidate compared with what serves, as a job; its result can be promoted."""

import json
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from segnet_res.checkpoint import checkpoint_name
from segnet_res.errors import DataError
from segnet_res.images import UInt8Array
from segnet_res.retraining.comparison import (
    Answers,
    Comparison,
    Contender,
    Exam,
    compare,
    open_exam,
)
from segnet_res.retraining.golden import load_golden
from segnet_res.retraining.promotion import Promotion, check_training, plan_promotion
from segnet_res.web.jobs import Progress, Steps, my_turn
from segnet_res.web.results import shown_step
from segnet_res.web.storage import write_index_png

if TYPE_CHECKING:
    from segnet_res.web.checkpoints import Library

Result = TypeVar("Result")

# What is kept of the answers to one picture, each an index PNG.
LAYERS = ("truth", "before", "after")


class _StopError(Exception):
    """Somebody wants the job to end."""


class CandidateComparison:
    """Compares a candidate as ``segnet-res promote`` does, a turn for each picture.

    Args:
        library: The folder that the candidate is to serve in, and whose turn it is.
        candidate: Its file.
        name: Under which it would serve.
        golden: File of the golden set.
        golden_name: What the page calls that.
        title: What the page calls the candidate.
        folder: Existing folder for answers and the report.

    Attributes:
        folder: See there.
        plan: What a promotion would do, once that was looked at.
        exam: The pictures, once they were compared with the golden set's list.
        notes: What somebody should know about the candidate's training, in sentences.
        comparison: The result; None before, and where there is nothing to compare with.
        finished: Whether all was looked at, so that a promotion can rest on it.
    """

    def __init__(
        self,
        library: "Library",
        candidate: Path,
        name: str,
        golden: Path,
        *,
        golden_name: str,
        title: str,
        folder: Path,
    ) -> None:
        self.title = title
        self.golden_name = golden_name
        self.folder = folder
        self.plan: Promotion | None = None
        self.exam: Exam | None = None
        self.notes: tuple[str, ...] = ()
        self.comparison: Comparison | None = None
        self.finished = False
        self._library = library
        self._candidate = candidate
        self._name = name
        self._golden = golden
        self._total = 0
        # Place in the exam of each picture whose answers lie in the folder.
        self._kept: dict[str, int] = {}

    @property
    def report(self) -> Path:
        """The file with the whole comparison; there once it has finished."""
        return self.folder / "comparison.json"

    def run(self) -> Steps:
        """Look at the candidate's training, then compare; see `jobs.Work`.

        Raises:
            CheckpointError: when a checkpoint cannot be used, or the candidate serves already.
            DataError: when the golden set is not what it was, or was trained on.
        """
        try:
            yield from self._run()
        except _StopError:
            return

    def told(self, sentence: str) -> str:
        """Return a sentence with the candidate's title in place of its path."""
        return sentence.replace(str(self._candidate), self.title)

    def answers(self, stem: str) -> dict[str, Path]:
        """Return the files of `LAYERS` of a picture that changed, every `step`-th pixel of it.

        Raises:
            DataError: when no answers to such a picture were kept, or no longer.
        """
        if stem not in self._kept:
            raise DataError(f"no answers to {stem[:200]!r} are kept; choose a picture of the lists")
        files = {layer: self._file(stem, layer) for layer in LAYERS}
        if not all(path.is_file() for path in files.values()):
            raise DataError("the answers are no longer here; compare again")
        # What somebody works with is not old.
        self.folder.touch()
        return files

    def _run(self) -> Generator[Progress, bool, None]:
        golden = load_golden(self._golden)
        self._total = len(golden.pictures)
        plan = plan_promotion(self._candidate, self._library.folder, self._name)
        # Kept at once: others may promote meanwhile, and this one is compared with what serves now.
        self.plan = plan
        checks = check_training(plan, golden)
        self.notes = yield from self._in_turns(checks, counted=False)
        exam = open_exam(self._golden)
        self.exam = exam
        last = plan.last_exam
        if last is not None and last != exam.fingerprint:
            self.notes += ("the golden set is another one than that of the promotion before",)
        if plan.parent is not None:
            self.comparison = yield from self._compared(plan.parent, exam)
            self.notes += self.comparison.doubts
            self._forget(self.comparison)
            self._write(self.comparison)
        self.finished = True
        yield Progress(self._total, self._total)

    def _compared(self, parent: Path, exam: Exam) -> Generator[Progress, bool, Comparison]:
        """Compare with the checkpoint before; models and pictures take their turns."""
        before = yield from self._loaded(parent)
        after = yield from self._loaded(self._candidate)
        steps = compare(before, after, exam)
        return (yield from self._in_turns(self._kept_answers(steps), counted=True))

    def _loaded(self, path: Path) -> Generator[Progress, bool, Contender]:
        ticket = yield from my_turn(
            self._library.turns, Progress(0, self._total, checkpoint_name(path))
        )
        if ticket is None:
            raise _StopError
        with ticket:
            return Contender.of(path, self._library.open_file(path))

    def _in_turns(
        self, steps: Generator[str, None, Result], *, counted: bool
    ) -> Generator[Progress, bool, Result]:
        """Take the steps one by one, each in a turn of its own; return what they return."""
        done, told = 0, ""
        try:
            while True:
                now = Progress(done if counted else 0, self._total, told)
                ticket = yield from my_turn(self._library.turns, now)
                if ticket is None:
                    raise _StopError
                with ticket:
                    stem = next(steps)
                told = stem if counted else f"looking at its training: {stem}"
                done += 1
        except StopIteration as stop:
            result: Result = stop.value
            return result
        finally:
            steps.close()

    def _kept_answers(
        self, steps: Generator[Answers, None, Comparison]
    ) -> Generator[str, None, Comparison]:
        """Write down the answers to pictures on which the two differ."""
        place = 0
        try:
            while True:
                answers = next(steps)
                # Where both say the same nothing can have flipped.
                if not np.array_equal(answers.before, answers.after):
                    self._keep(answers, place)
                place += 1
                yield answers.stem
        except StopIteration as stop:
            result: Comparison = stop.value
            return result
        finally:
            steps.close()

    def _keep(self, answers: Answers, place: int) -> None:
        self._kept[answers.stem] = place
        for layer in LAYERS:
            labels: UInt8Array = getattr(answers, layer)
            step = shown_step(labels.size)
            write_index_png(self._file(answers.stem, layer), labels[::step, ::step])

    def _file(self, stem: str, layer: str) -> Path:
        # By its number: stems may hold folders, and any letter.
        return self.folder / f"{self._kept[stem]}-{layer}.png"

    def _forget(self, comparison: Comparison) -> None:
        """Delete the answers that no list names: most pictures differ in some pixels."""
        flips = comparison.flips
        lists = (flips.newly_missed, flips.newly_found, flips.newly_misnamed)
        named = {defect.stem for one in lists for defect in one}
        named |= {*comparison.new_alarms, *comparison.ended_alarms}
        for stem in set(self._kept) - named:
            for layer in LAYERS:
                self._file(stem, layer).unlink(missing_ok=True)
            del self._kept[stem]

    def _write(self, comparison: Comparison) -> None:
        content: dict[str, Any] = comparison.to_dict()
        self.report.write_text(json.dumps(content, indent=2, ensure_ascii=False), "utf-8")
