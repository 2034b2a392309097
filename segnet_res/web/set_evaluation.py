"""A model against a whole set, as a job: a row for each picture, then totals with intervals."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from segnet_res.classes import ClassMap
from segnet_res.errors import DataError, SegnetResError
from segnet_res.metrics import ConfusionMatrix
from segnet_res.web.decisions import decide, limits_error
from segnet_res.web.evaluation_report import PictureRow, Summary, write_csv, write_json
from segnet_res.web.evaluation_sets import PictureSet, group_parts
from segnet_res.web.jobs import OUT_OF_MEMORY, Progress, Steps, my_turn
from segnet_res.web.judging import Judge

if TYPE_CHECKING:
    from segnet_res.inference import Segmenter
    from segnet_res.web.checkpoints import Library


class SetEvaluation:
    """Measures one checkpoint on one set, a turn for each picture.

    A picture that cannot be used gets a row with the reason and counts nowhere. Stopped early, the
    totals are those of the pictures so far.

    Args:
        library: Lends the model.
        model: Name of the checkpoint.
        found: The set.
        parts: How parts are known, one of `evaluation_sets.PARTS`.
        judge: The limits of Inspect, which say what else is defective.
        folder: Existing folder for the reports.

    Attributes:
        folder: Where the reports go.
        rows: One for each picture so far, in the order of the set.
        class_map: The classes, once the model is loaded.
        matrix: Pixels of all pictures so far, once the model is loaded.
        summary: The totals, once there are any.
        limits_error: Why the limits cannot be used with these classes, or None.
        doubt: Why the scores flatter, or None.
        files: Paths of the reports by their kind, "csv" and "json", once they are written.
    """

    def __init__(
        self,
        library: "Library",
        model: str,
        found: PictureSet,
        *,
        parts: str,
        judge: Judge,
        folder: Path,
    ) -> None:
        self.model = model
        self.set = found
        self.rows: list[PictureRow] = []
        self.class_map: ClassMap | None = None
        self.matrix: ConfusionMatrix | None = None
        self.summary: Summary | None = None
        self.files: dict[str, str] = {}
        self.limits_error: str | None = None
        self.doubt: str | None = None
        self._weights = ""
        self._library = library
        self._judge = judge
        self.folder = folder
        self._parts = group_parts(found, parts)

    def run(self) -> Steps:
        """Measure the model; see `jobs.Work`.

        Raises:
            CheckpointError: when the model cannot be used.
            DataError: when it cannot be measured on this set, or no picture of it can be used.
        """
        total = len(self.set.items)
        ticket = yield from my_turn(self._library.turns, Progress(0, total))
        if ticket is None:
            return
        with ticket, self._library.borrow(self.model) as segmenter:
            self._weights = self._library.weights(self.model)
            self.class_map = self.set.class_map(segmenter)
            self.limits_error = limits_error(self._judge, self.class_map)
            self.doubt = self.set.doubt(segmenter)
            self.matrix = ConfusionMatrix(self.class_map)
        # The model stays the same for the whole set, even when its file is replaced meanwhile.
        for i, item in enumerate(self.set.items):
            ticket = yield from my_turn(self._library.turns, Progress(i, total, item.name))
            if ticket is None:
                break
            with ticket:
                self.rows.append(self._measure(i, segmenter, self.class_map, self.matrix))
        self._finish(self.class_map, self.matrix)
        yield Progress(len(self.rows), total)

    def _measure(
        self, index: int, segmenter: "Segmenter", class_map: ClassMap, matrix: ConfusionMatrix
    ) -> PictureRow:
        # Imported here: it brings torch, which takes seconds, and the page should open before.
        from segnet_res.evaluation import score_labels

        item = self.set.items[index]
        part = self._parts[item.name]
        try:
            sample, warnings = self.set.read(index, class_map)
            prediction = segmenter.predict(sample.image)
            score = score_labels(prediction.labels, sample, class_map, borders=True)
            decision = decide(self._judge, prediction, sample.labels, class_map)
        except SegnetResError as error:
            return PictureRow(index, item.name, part, error=str(error))
        except MemoryError:
            return PictureRow(index, item.name, part, error=OUT_OF_MEMORY)
        matrix.add(score.counts)
        return PictureRow(
            index,
            item.name,
            part,
            warnings=warnings,
            counts=score.counts,
            borders=score.borders,
            decision=decision,
        )

    def _finish(self, class_map: ClassMap, matrix: ConfusionMatrix) -> None:
        if not self.rows:
            return
        if not matrix.images:
            raise DataError(
                f"none of {len(self.rows)} pictures can be used; the first: {self.rows[0].error}"
            )
        self.summary = Summary.of(self.rows, matrix, class_map, self._judge)
        about: dict[str, Any] = {
            "checkpoint": self.model,
            "checkpoint_sha256": self._weights,
            "tta": self._library.tta,
            "set": self.set.title,
            # More than there are rows where somebody stopped it.
            "set_pictures": len(self.set.items),
            "doubt": self.doubt,
        }
        table = write_csv(self.folder / "pictures.csv", self.rows, class_map)
        scores = write_json(
            self.folder / "evaluation.json", about, self.rows, self.summary, class_map
        )
        self.files = {"csv": str(table), "json": str(scores)}
