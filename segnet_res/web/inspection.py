"""From a picture to everything that the Inspect tab shows: mask, shares, scores, verdict."""

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from segnet_res.classes import background
from segnet_res.conditions import judge_conditions, measure
from segnet_res.errors import DataError, ImageError, SegnetResError
from segnet_res.images import UInt8Array
from segnet_res.web.backend import Backend
from segnet_res.web.checkpoints import check_weights
from segnet_res.web.downloads import NEED_PICTURE, Seen, write_download
from segnet_res.web.judging import Judge
from segnet_res.web.measures import class_rows, score_fields
from segnet_res.web.pictures import Pictures
from segnet_res.web.reference import Reference, read_reference
from segnet_res.web.replies import Reply, answered, in_turn, new_reply
from segnet_res.web.results import (
    GoneError,
    Result,
    Results,
    check_size,
    read_again,
    read_stamped,
)

_SOURCE_KEYS = ("kind", "name", "path", "dataset", "split", "stem", "folder", "file")

# Digits of a SHA-256 that tell checkpoints apart, as `short_hash` has them.
_SHORT = 12


@dataclass(frozen=True)
class Request:
    """What the browser asks for; every text comes from outside and may be anything.

    Attributes:
        model: Name of a checkpoint.
        source: A description as `Pictures.find` takes it.
        reference: None, ``{"kind": "own"}`` (the mask that belongs to the picture of a sample or
            dataset) or ``{"kind": "upload", "path": ..., "name": ...}``.
        result: Token of an earlier result, for everything that needs no model.
        download: Which file is wanted.
        judgement: What `Judge.from_untrusted` takes.
    """

    model: str = ""
    source: dict[str, str] = field(default_factory=dict)
    reference: dict[str, str] | None = None
    result: str = ""
    download: str = ""
    judgement: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_untrusted(cls, content: object) -> "Request":
        """Take what has the right type and leave the rest out."""
        fields: dict[str, Any] = content if isinstance(content, dict) else {}
        reference = _texts(fields.get("reference"))
        return cls(
            model=_text(fields.get("model")),
            source=_texts(fields.get("source")),
            reference=reference if reference.get("kind") in ("own", "upload") else None,
            result=_text(fields.get("result")),
            download=_text(fields.get("download")),
            judgement={k: v for k, v in fields.items() if k in Judge.FIELDS},
        )


def _text(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= 4096 else ""


def _texts(value: object) -> dict[str, str]:
    fields: dict[str, Any] = value if isinstance(value, dict) else {}
    return {key: text for key in _SOURCE_KEYS if (text := _text(fields.get(key)))}


@dataclass
class _Stopwatch:
    """Times the stages of one request, in milliseconds."""

    stages: dict[str, int] = field(default_factory=dict)
    _last: float = field(default_factory=time.perf_counter)

    def stage(self, name: str) -> None:
        now = time.perf_counter()
        self.stages[name] = self.stages.get(name, 0) + round((now - self._last) * 1000)
        self._last = now


def look_for(pictures: Pictures, source: dict[str, str]) -> Reply:
    """Tell in an ``error`` why a picture cannot be had, and with ``gone`` that it was uploaded.

    Raises:
        ImageError: when it is there, but no picture or larger than the page takes.
    """
    try:
        picture = pictures.find(source)
    except ImageError as error:
        # The browser may still have the file, and can send it again.
        return {"error": str(error), "gone": source.get("kind") == "upload"}
    check_size(picture.path)
    return {}


class Inspector:
    """Answers the requests of the Inspect tab; what goes wrong becomes one sentence.

    Args:
        backend: Models, pictures and the place for results.
    """

    def __init__(self, backend: Backend) -> None:
        self._library = backend.checkpoints
        self._pictures = backend.pictures
        self._results = Results(backend.storage)
        # Sliders need no model and do not wait for one; two at once would double the memory.
        self._light = threading.Lock()

    def inspect(self, content: object) -> Iterator[Reply]:
        """Inspect one picture when its turn has come.

        Yields:
            the replies of `in_turn`, the last a ``result``: plain lists and texts. ``error`` is
            a sentence when there is no result; ``reference_error`` one when the reference mask
            cannot be used; ``warnings`` lists sentences that do not stand in the way. ``gone``
            comes with an ``error`` when an upload is no longer here.
        """
        reply, request = new_reply("result", content), Request.from_untrusted(content)
        # Nobody should wait in the queue for being told that a file cannot be read.
        early = answered(reply, lambda: look_for(self._pictures, request.source))
        if early["error"] is not None:
            yield early
            return
        yield from in_turn(self._library.turns, reply, lambda: self._inspect(request))

    def refine(self, content: object) -> Reply:
        """Measure and judge an earlier result anew, with another threshold, reference or limit.

        Returns:
            The same fields as of a new result; with an ``error`` also ``gone`` when the result is
            no longer here, so that the page can have the picture inspected again.
        """
        reply, request = new_reply("refined", content), Request.from_untrusted(content)

        def work() -> Reply:
            watch = _Stopwatch()
            try:
                with self._light:
                    return self._measured(self._results.find(request.result), request, watch, None)
            except GoneError as error:
                return {"error": str(error), "gone": True}

        return answered(reply, work)

    def unsure(self, content: object) -> Iterator[Reply]:
        """Work out where the model says something else of the mirrored picture.

        Yields:
            the replies of `in_turn`, the last an ``unsure`` with the ``file`` of the map.
        """
        reply, request = new_reply("unsure", content), Request.from_untrusted(content)
        yield from in_turn(self._library.turns, reply, lambda: self._unsure(request))

    def download(self, content: object) -> Iterator[Reply]:
        """Write one file of what is seen.

        Yields:
            the replies of `in_turn`, the last a ``download`` with the ``file`` and its ``name``.
        """
        reply, request = new_reply("download", content), Request.from_untrusted(content)
        if request.download not in NEED_PICTURE:
            # Nobody should queue behind other people's pictures for a file that is nearly there.
            with self._light:
                written = answered(reply, lambda: self._download(request))
            yield written
            return
        yield from in_turn(self._library.turns, reply, lambda: self._download(request))

    def _inspect(self, request: Request) -> Reply:
        watch = _Stopwatch()
        picture = self._pictures.find(request.source)
        weights = self._library.weights(request.model)
        read, stamp = read_stamped(picture.path)
        image = read.array
        watch.stage("read")
        with self._library.borrow(request.model) as segmenter:
            check_weights(self._library, request.model, weights)
            watch.stage("load")
            found = segmenter.predict(image)
            class_map, metadata = segmenter.class_map, segmenter.metadata
        watch.stage("model")
        known = metadata.conditions if metadata else None
        doubts = [*read.notes, *(judge_conditions(measure(image), known) if known else [])]
        result = self._results.new(
            picture,
            request.source,
            stamp,
            request.model,
            weights,
            class_map,
            image,
            found.labels,
            found.confidence,
            doubts=doubts,
        )
        watch.stage("files")
        return self._measured(result, request, watch, found.labels)

    def _measured(
        self, result: Result, request: Request, watch: _Stopwatch, labels: UInt8Array | None
    ) -> Reply:
        judge = Judge.from_untrusted(request.judgement)
        seen = result.read_state(judge.state)
        if seen is None:
            labels = result.labels() if labels is None else labels
            sure = np.broadcast_to(np.float32(1), labels.shape)
            confidence = result.confidence() if judge.threshold > 0 else sure
            seen = judge.refine(labels, confidence, result.class_map)
        files = result.files() | result.save_state(judge.state, seen)
        watch.stage("files")
        height, width = result.size
        reply: Reply = {
            "result": result.token,
            "image": {"name": result.name, "width": width, "height": height},
            "model": result.model,
            "weights": result.weights[:_SHORT],
            "classes": class_rows(seen, result.class_map),
            "background": background(result.class_map),
            "ignore": result.class_map.ignore_index,
            "step": result.step,
            "tta": self._library.tta,
            "files": files,
            "own_mask": result.own_mask,
            "original": json.dumps(result.source, sort_keys=True),
            "judged": judge.to_dict(),
            "verdict": judge.verdict(seen, result.class_map),
        }
        watch.stage("regions")
        reply |= self._compare(result, request, seen)
        reply["warnings"] = [*result.doubts, *reply["warnings"]]
        watch.stage("metrics")
        return reply | {"timings": watch.stages}

    def _compare(self, result: Result, request: Request, seen: UInt8Array) -> Reply:
        """Score against the reference mask, when there is one."""
        nothing: Reply = {
            "reference": None, "reference_error": None, "scores": None, "warnings": [],
        }  # fmt: skip
        if request.reference is None:
            return nothing
        try:
            name, reference = self._reference(result, request.reference)
            scores = score_fields(seen, reference.labels, result.class_map)
        except SegnetResError as error:
            return nothing | {"reference_error": str(error)}
        key = json.dumps(request.reference, sort_keys=True).encode()
        file = f"reference-{hashlib.sha256(key).hexdigest()[:16]}"
        return {
            "reference": {"name": name, "file": result.save_shown(file, reference.labels)},
            "reference_error": None,
            "scores": scores,
            "warnings": list(reference.warnings),
        }

    def _reference(self, result: Result, wanted: dict[str, str]) -> tuple[str, Reference]:
        if wanted["kind"] == "upload":
            path = self._pictures.uploaded(wanted.get("path"))
            read = read_reference(path, result.size, result.class_map, picture=result.name)
            return path.name, read
        picture = self._pictures.find(result.source)
        if picture.mask is None or picture.classes is None:
            raise DataError(f"{result.name}: no mask belongs to this picture; choose one")
        read = read_reference(picture.mask, result.size, result.class_map, classes=picture.classes)
        return picture.mask.name, read

    def _unsure(self, request: Request) -> Reply:
        result = self._results.find(request.result)
        image = read_again(self._pictures.find(result.source).path, result.stamp)
        with self._library.borrow(result.model) as segmenter:
            check_weights(self._library, result.model, result.weights)
            disagreement = segmenter.disagreement(image)
        levels = np.floor(disagreement * 255).astype(np.uint8)
        return {"result": result.token, "file": result.save_shown("unsure", levels)}

    def _download(self, request: Request) -> Reply:
        result = self._results.find(request.result)
        facts = self._measured(result, request, _Stopwatch(), None)
        truth: UInt8Array | None = None
        if request.download == "errors" and facts["reference"] is not None:
            assert request.reference is not None
            truth = self._reference(result, request.reference)[1].labels
        labels = result.read_state(Judge.from_untrusted(request.judgement).state)
        assert labels is not None
        picture = self._pictures.find(result.source)
        seen = Seen(result, picture, labels, truth, facts)
        path = write_download(request.download, seen)
        return {"file": str(path), "name": path.name}
