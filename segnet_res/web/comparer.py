"""From two checkpoints and a picture to everything that the Compare tab shows."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnet_res.classes import background
from segnet_res.data import SegmentationDataset
from segnet_res.errors import DataError, SegnetResError, UsageError
from segnet_res.images import UInt8Array
from segnet_res.render import confidence_image
from segnet_res.web.backend import Backend
from segnet_res.web.checkpoints import check_weights
from segnet_res.web.comparison import (
    CommonClasses,
    common_classes,
    comparison_fields,
    difference_codes,
    write_codes,
)
from segnet_res.web.inspection import Request as InspectRequest
from segnet_res.web.inspection import look_for
from segnet_res.web.pictures import Picture
from segnet_res.web.reference import Reference, read_reference
from segnet_res.web.replies import Reply, answered, in_turn, new_reply
from segnet_res.web.results import Results, read_stamped
from segnet_res.web.storage import write_index_png

# A list in a browser gets slow beyond; the Evaluate tab has a table for whole datasets.
_MAX_LISTED = 5000


@dataclass(frozen=True)
class Request:
    """What the browser asks for; every text comes from outside and may be anything.

    Attributes:
        first: Name of a checkpoint.
        second: Name of the other one.
        picture: Source and reference, as the Inspect tab's requests have them.
        numbers: Whether the numbers are enough: nothing is drawn, so no files are written.
        dataset: Name of a dataset whose pictures are to be listed.
        split: Its split.
    """

    first: str = ""
    second: str = ""
    picture: InspectRequest = field(default_factory=InspectRequest)
    numbers: bool = False
    dataset: str = ""
    split: str = ""

    @classmethod
    def from_untrusted(cls, content: object) -> "Request":
        """Take what has the right type and leave the rest out."""
        fields: dict[str, Any] = content if isinstance(content, dict) else {}

        def text(key: str) -> str:
            value = fields.get(key)
            return value if isinstance(value, str) and len(value) <= 4096 else ""

        return cls(
            first=text("first"),
            second=text("second"),
            picture=InspectRequest.from_untrusted(fields),
            numbers=fields.get("numbers") is True,
            dataset=text("dataset"),
            split=text("split"),
        )


@dataclass(frozen=True)
class _Side:
    """What one model found: labels (H, W) uint8 of its own classes, confidence (H, W) float32."""

    labels: UInt8Array
    confidence: NDArray[np.float32]
    seconds: float


class Comparer:
    """Answers the requests of the Compare tab; what goes wrong becomes one sentence.

    Args:
        backend: Models, pictures and the place for results.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._results = Results(backend.storage)

    def answer(self, content: object) -> Iterator[Reply]:
        """Answer one request by its ``action``.

        Yields:
            For ``compare`` the replies of `in_turn`, the last a ``comparison``; for ``choices`` the
            checkpoints, datasets and samples there are now; for ``pictures`` those of a split.
        """
        fields: dict[str, Any] = content if isinstance(content, dict) else {}
        action, request = fields.get("action"), Request.from_untrusted(content)
        if action == "choices":
            yield answered(new_reply("choices", content), self._choices)
        elif action == "pictures":
            yield answered(new_reply("pictures", content), lambda: self._pictures(request))
        else:
            yield from self._compared(content, request)

    def _compared(self, content: object, request: Request) -> Iterator[Reply]:
        reply = new_reply("comparison", content)
        # Nobody should wait in the queue for being told that a file cannot be read.
        early = answered(reply, lambda: self._look(request))
        if early["error"] is not None:
            yield early
            return
        yield from in_turn(self._backend.checkpoints.turns, reply, lambda: self._compare(request))

    def _choices(self) -> Reply:
        models = [
            {"name": entry.name, "error": entry.error}
            for entry in self._backend.checkpoints.entries()
        ]
        samples = [
            {"name": part.name, "file": str(part.image)}
            for part in self._backend.samples.parts().values()
        ]
        datasets = self._backend.folders.datasets()
        return {"models": models, "datasets": datasets, "samples": samples}

    def _pictures(self, request: Request) -> Reply:
        folder = self._backend.folders.dataset(request.dataset)
        stems = SegmentationDataset(folder, request.split).stems
        return {"stems": list(stems[:_MAX_LISTED]), "total": len(stems)}

    def _look(self, request: Request) -> Reply:
        if not request.first or not request.second:
            raise UsageError("two checkpoints are needed; choose one for A and one for B")
        return look_for(self._backend.pictures, request.picture.source)

    def _compare(self, request: Request) -> Reply:
        library = self._backend.checkpoints
        picture = self._backend.pictures.find(request.picture.source)
        names = (request.first, request.second)
        weights = [library.weights(name) for name in names]
        with library.borrow(request.first) as one, library.borrow(request.second) as other:
            for name, known in zip(names, weights, strict=True):
                check_weights(library, name, known)
            common = common_classes(one.class_map, other.class_map)
            read, stamp = read_stamped(picture.path)
            image = read.array
            sides = []
            for segmenter in (one, other):
                start = time.perf_counter()
                found = segmenter.predict(image)
                seconds = time.perf_counter() - start
                sides.append(_Side(found.labels, found.confidence, seconds))
            own_classes = one.class_map
        first, second = sides[0].labels, common.of_second(sides[1].labels)
        reference, error = self._reference(request, picture, first.shape, common)
        truth = None if reference is None else reference.labels
        codes = difference_codes(first, second, common.class_map, truth)
        reply: Reply = {
            "image": {"name": picture.name, "width": first.shape[1], "height": first.shape[0]},
            "models": list(names),
            # By these the page tells a checkpoint from one that took its place.
            "weights": weights,
            "background": background(common.class_map),
            "ignore": common.class_map.ignore_index,
            **comparison_fields(first, second, codes, common, truth),
            "reference_error": error,
            "warnings": _warnings(request, common, reference),
            "timings": [round(side.seconds * 1000) for side in sides],
        }
        if request.numbers:
            return reply
        result = self._results.new(
            picture, request.picture.source, stamp, request.first, weights[0], own_classes, image,
            first, sides[0].confidence,
        )  # fmt: skip
        difference = result.folder / f"{result.stem}_differences.png"
        write_codes(difference, codes[:: result.step, :: result.step])
        shown = {
            "first": result.save_shown("first", first),
            "second": result.save_shown("second", second),
            "differences": str(difference),
            "second_confidence": result.save_shown(
                "second-confidence", confidence_image(sides[1].confidence)
            ),
            "reference": None if truth is None else result.save_shown("reference", truth),
        }
        masks = []
        for letter, model, side in zip("AB", reply["models"], sides, strict=True):
            # The name under which a browser saves it.
            masks.append(result.folder / f"{result.stem}_{letter}_{model[:60]}_mask.png")
            write_index_png(masks[-1], side.labels)
        return reply | {
            "original": result.token,
            "step": result.step,
            "files": result.files() | shown | {"masks": [str(mask) for mask in masks]},
        }

    def _reference(
        self, request: Request, picture: Picture, shape: tuple[int, ...], common: CommonClasses
    ) -> tuple[Reference | None, str | None]:
        """Return the reference mask in the common classes, or the reason why there is none."""
        wanted = request.picture.reference
        if wanted is None:
            return None, None
        try:
            if wanted["kind"] == "upload":
                path = self._backend.pictures.uploaded(wanted.get("path"))
                return read_reference(path, shape, common.class_map, picture=picture.name), None
            if picture.mask is None or picture.classes is None:
                raise DataError(f"{picture.name}: no mask belongs to this picture; choose one")
            read = read_reference(picture.mask, shape, common.class_map, classes=picture.classes)
            return read, None
        except SegnetResError as error:
            return None, str(error)


def _warnings(request: Request, common: CommonClasses, reference: Reference | None) -> list[str]:
    warnings = list(reference.warnings) if reference else []
    if request.first == request.second:
        warnings.append(f"A and B are the same checkpoint, {request.first}: they cannot differ.")
    for model, known in zip((request.first, request.second), common.known, strict=True):
        missing = [name for name, has in zip(common.class_map.names, known, strict=True) if not has]
        if missing:
            listed = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
            warnings.append(f"{model} does not know {listed}: it can only miss that.")
    return warnings
