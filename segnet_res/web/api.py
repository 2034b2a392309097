"""What programs can ask the page for, by ``gradio_client``: checkpoints, predict and evaluate.

Names, arguments and fields are part of the project's interface; docs/api.md describes them.
"""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
from gradio import FileData
from gradio.events import api as endpoint

from segnet_res.errors import CheckpointError, SegnetResError, UsageError
from segnet_res.web.backend import Backend
from segnet_res.web.evaluation_sets import find_set
from segnet_res.web.jobs import OUT_OF_MEMORY, UNEXPECTED
from segnet_res.web.judging import Judge
from segnet_res.web.measures import class_rows
from segnet_res.web.models_tab import listing
from segnet_res.web.pairs import match_names
from segnet_res.web.results import check_size, read_picture
from segnet_res.web.set_evaluation import SetEvaluation
from segnet_res.web.storage import write_index_png

# Whoever waits for a turn here keeps a thread busy; the page needs some too.
_AT_ONCE = 4

Result = TypeVar("Result")


class Service:
    """Answers programs; each picture passes the same queue as those of people.

    Args:
        backend: Models, pictures and the place for results.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def checkpoints(self) -> list[dict[str, Any]]:
        """Return the cards of the checkpoints, broken ones with their ``error``."""
        cards: list[dict[str, Any]] = listing(self._backend)["models"]
        return cards

    def predict(
        self,
        picture: object,
        checkpoint: object,
        judgement: dict[str, Any] | None = None,
    ) -> tuple[Path, dict[str, Any]]:
        """Segment a picture and judge it as Inspect does.

        Args:
            picture: An upload as gradio_client describes it; may be anything.
            checkpoint: Name of a checkpoint, "" for the first; may be anything.
            judgement: ``threshold``, ``min_region`` and ``spec`` of `Judge.from_program`.

        Returns:
            The mask as 8-bit PNG of class indices at the picture's size, and what was found.

        Raises:
            CheckpointError: when there is no such checkpoint or it cannot be used.
            ImageError: when the picture cannot be read.
            UsageError: when the threshold, the smallest region or the limits cannot be used.
        """
        backend, model = self._backend, self._model(checkpoint)
        judge = Judge.from_program(judgement or {})
        path = self._upload(picture)
        check_size(path)  # nobody should wait in the queue for being told
        with backend.checkpoints.turns.turn(), backend.checkpoints.borrow(model) as segmenter:
            class_map = segmenter.class_map
            found = segmenter.predict(read_picture(path))
            labels = judge.refine(found.labels, found.confidence, class_map)
            verdict = judge.verdict(labels, class_map)
            if verdict["error"] is not None:
                raise UsageError(verdict["error"])
            mask = backend.storage.new_result() / f"{path.stem[:100]}_mask.png"
            write_index_png(mask, labels)
            rows = class_rows(labels, class_map)
        height, width = labels.shape
        return mask, {
            "picture": path.name,
            "checkpoint": model,
            "width": width,
            "height": height,
            "classes": rows,
            "verdict": {"state": verdict["state"], "reasons": verdict["reasons"]},
        }

    def evaluate(
        self,
        checkpoint: object,
        dataset: object,
        split: object,
        pictures: object,
        masks: object,
    ) -> tuple[dict[str, Any], Path]:
        """Measure a checkpoint on a split of a dataset, or on pictures with masks of their names.

        Args:
            checkpoint: Name of a checkpoint, "" for the first; may be anything.
            dataset: Name of a dataset below the folder of --data, "" for uploads.
            split: "train", "val" or "test".
            pictures: List of uploads.
            masks: List of uploads; one for each picture, in any order.

        Returns:
            The content of the evaluation's JSON, and the CSV with a line a picture.

        Raises:
            SegnetResError: when something of it cannot be used.
        """
        backend, model = self._backend, self._model(checkpoint)
        content: dict[str, Any] = {"kind": "dataset", "dataset": dataset, "split": split}
        if not dataset:
            content = {"kind": "pairs", "pairs": self._pairs(pictures, masks)}
        folder = backend.storage.new_result()
        work = SetEvaluation(
            backend.checkpoints,
            model,
            find_set(backend, content),
            parts="auto",
            judge=Judge(),
            folder=folder,
        )
        for _ in work.run():
            pass  # it waits for its turns itself
        result: dict[str, Any] = json.loads(Path(work.files["json"]).read_text("utf-8"))
        return result, Path(work.files["csv"])

    def _model(self, name: object) -> str:
        if name in (None, ""):
            name = self._backend.checkpoints.first()
            if name is None:
                raise CheckpointError("the page has no checkpoint; put one into its folder")
        return name if isinstance(name, str) and len(name) <= 4096 else ""

    def _upload(self, content: object) -> Path:
        return self._backend.pictures.uploaded(
            content.get("path") if isinstance(content, dict) else None
        )

    def _pairs(self, pictures: object, masks: object) -> list[dict[str, Any]]:
        images, truths = self._uploads(pictures), self._uploads(masks)
        if not images:
            raise UsageError("nothing to evaluate on; give a dataset, or pictures and their masks")
        match = match_names([path.name for path in images], [path.name for path in truths])
        if match.problems:
            name, reason = match.problems[0]
            raise UsageError(
                f"{len(match.problems)} files have no partner, such as {name!r} ({reason}); "
                "give each picture one mask of its name"
            )
        return [
            {"picture": {"path": str(images[i])}, "mask": {"path": str(truths[j])}}
            for i, j in match.pairs
        ]

    def _uploads(self, contents: object) -> list[Path]:
        return [self._upload(one) for one in contents] if isinstance(contents, list) else []


def build(backend: Backend) -> None:
    """Add the endpoints to the page that is being built; nothing else of it is public."""
    service = Service(backend)

    def checkpoints() -> list[dict[str, Any]]:
        return _told(service.checkpoints)

    def predict(
        picture: FileData,
        checkpoint: str = "",
        threshold: float = 0,
        min_region: int = 0,
        limits: str | None = None,
    ) -> tuple[FileData, dict[str, Any]]:
        judgement = {"threshold": threshold, "min_region": min_region, "spec": limits}
        mask, found = _told(lambda: service.predict(picture, checkpoint, judgement))
        return _file(mask), found

    def evaluate(
        checkpoint: str = "",
        dataset: str = "",
        split: str = "val",
        pictures: list[FileData] | None = None,
        masks: list[FileData] | None = None,
    ) -> tuple[dict[str, Any], FileData]:
        scores, table = _told(lambda: service.evaluate(checkpoint, dataset, split, pictures, masks))
        return scores, _file(table)

    endpoint(
        checkpoints,
        api_name="checkpoints",
        api_description="The checkpoints of the folder with their classes, scores and data.",
        concurrency_limit=_AT_ONCE,
    )
    endpoint(
        predict,
        api_name="predict",
        api_description="Segment a picture: an 8-bit PNG of class indices, the area of each class, "
        "and a verdict where limits (the text of a YAML file) are given. Defects of less "
        "confidence than the threshold (in whole percent, 0 to 100), then regions of fewer pixels "
        "than min_region (0 or more), count as background. Without a checkpoint's name "
        "the first one is taken.",
        concurrency_limit=_AT_ONCE,
    )
    endpoint(
        evaluate,
        api_name="evaluate",
        api_description="Measure a checkpoint on a split of a dataset below the folder of --data, "
        "or on uploaded pictures with masks of their names: scores, and a CSV with a line a "
        "picture.",
        concurrency_limit=_AT_ONCE,
    )


def _told(work: Callable[[], Result]) -> Result:
    """Do the work; what goes wrong reaches the program as one sentence."""
    try:
        return work()
    except SegnetResError as error:
        raise gr.Error(str(error), print_exception=False) from error
    except MemoryError as error:
        raise gr.Error(OUT_OF_MEMORY, print_exception=False) from error
    except Exception as error:
        logging.getLogger(__name__).exception("a request of a program failed")
        raise gr.Error(UNEXPECTED, print_exception=False) from error


def _file(path: Path) -> FileData:
    return FileData(path=str(path), orig_name=path.name)
