"""From an upload to everything that the Inspect tab shows: mask, shares, scores, warnings."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segnet_res.classes import ClassMap, format_color
from segnet_res.errors import DataError, ImageError, SegnetResError
from segnet_res.images import UInt8Array, image_size, read_image, read_mask
from segnet_res.metrics import ConfusionMatrix, Scores
from segnet_res.render import background, class_pixels
from segnet_res.web.checkpoints import Library
from segnet_res.web.samples import Samples
from segnet_res.web.storage import Storage, write_index_png, write_preview

# A picture of 100 million pixels takes about 1 GB while it is worked on; a small file can claim
# far more, so the header is asked first.
MAX_PAGE_PIXELS = 100_000_000

# A browser holds one byte a pixel for each mask; larger masks are shown at every 2nd (3rd, ...)
# pixel, while the file to download keeps them all.
_MAX_SHOWN_PIXELS = 36_000_000

# Endings by which a mask's name differs from its picture's.
_MASK_ENDINGS = re.compile(
    r"([-_. ](mask|masks|gt|truth|ground[-_ ]?truth|label|labels|labelids|seg|annotation))+$"
)


@dataclass(frozen=True)
class Request:
    """What the browser asks for; every text comes from outside and may be anything.

    Attributes:
        number: Returned with the reply, so that a late reply cannot replace a newer one.
        model: Name of a checkpoint.
        sample: Name of a sample part, or None.
        image: Path of an uploaded picture, or None.
        reference: Path of an uploaded mask, or None.
        sample_reference: Whether the sample's own mask is the reference.
    """

    number: int = 0
    model: str | None = None
    sample: str | None = None
    image: str | None = None
    reference: str | None = None
    sample_reference: bool = False

    @classmethod
    def from_untrusted(cls, content: object) -> "Request":
        """Take what has the right type and leave the rest out."""
        fields: dict[str, Any] = content if isinstance(content, dict) else {}

        def text(key: str) -> str | None:
            value = fields.get(key)
            return value if isinstance(value, str) and 0 < len(value) <= 4096 else None

        number = fields.get("request")
        return cls(
            number=number if isinstance(number, int) else 0,
            model=text("model"),
            sample=text("sample"),
            image=text("image"),
            reference=text("reference"),
            sample_reference=fields.get("sample_reference") is True,
        )


@dataclass
class _Stopwatch:
    """Times the stages of one request, in milliseconds."""

    stages: dict[str, int] = field(default_factory=dict)
    _last: float = field(default_factory=time.perf_counter)

    def stage(self, name: str) -> None:
        now = time.perf_counter()
        self.stages[name] = self.stages.get(name, 0) + round((now - self._last) * 1000)
        self._last = now


class Inspector:
    """Answers the requests of the Inspect tab.

    Args:
        library: Where the models come from.
        storage: Where uploads lie and results go.
        samples: The parts that can be picked.
    """

    def __init__(self, library: Library, storage: Storage, samples: Samples) -> None:
        self._library = library
        self._storage = storage
        self._samples = samples

    def answer(self, request: Request) -> dict[str, Any]:
        """Inspect one picture; what goes wrong becomes one sentence in the reply.

        Returns:
            Plain lists, texts and numbers. ``error`` is a sentence when there is no result;
            ``reference_error`` one when the reference mask cannot be used; ``warnings`` lists
            sentences that do not stand in the way.
        """
        reply: dict[str, Any] = {"kind": "result", "request": request.number, "error": None}
        try:
            return reply | self._inspect(request)
        except SegnetResError as error:
            return reply | {"error": str(error)}
        except MemoryError:
            return reply | {
                "error": "the server has too little memory for this picture; cut it into parts"
            }

    def _inspect(self, request: Request) -> dict[str, Any]:
        watch = _Stopwatch()
        path = self._picture(request)
        height, width = image_size(path)
        if height * width > MAX_PAGE_PIXELS:
            raise ImageError(
                f"{path.name}: the picture is {width}x{height}, the page takes up to "
                f"{MAX_PAGE_PIXELS // 1_000_000} million pixels; cut it into parts, or use "
                "segnet-res predict"
            )
        image = read_image(path)
        watch.stage("read")
        with self._library.turns.turn(), self._library.borrow(request.model or "") as segmenter:
            watch.stage("wait")
            class_map = segmenter.class_map
            labels = segmenter.predict(image).labels
        watch.stage("model")
        folder = self._storage.new_result()
        step = _shown_step(labels)
        reply = {
            "image": {"name": path.name, "width": width, "height": height},
            "model": request.model,
            "classes": _class_rows(labels, class_map),
            "background": background(class_map),
            "ignore": class_map.ignore_index,
            "step": step,
            "files": _write_files(folder, path, image, labels, step),
            "original": str(path),
        }
        watch.stage("files")
        reply |= self._compare(request, path, labels, class_map, _mask_writer(folder, step))
        watch.stage("metrics")
        return reply | {"timings": watch.stages}

    def _picture(self, request: Request) -> Path:
        if request.sample is not None:
            part = self._samples.parts().get(request.sample)
            if part is None:
                raise ImageError(f"no sample is called {request.sample!r}; pick one of the list")
            return part.image
        if request.image is None:
            raise ImageError("no picture was given; drop one, or pick a sample")
        return self._storage.uploaded(request.image)

    def _compare(
        self,
        request: Request,
        picture: Path,
        labels: UInt8Array,
        class_map: ClassMap,
        write: Callable[[UInt8Array], str],
    ) -> dict[str, Any]:
        """Score against the reference mask, when there is one."""
        nothing: dict[str, Any] = {
            "reference": None,
            "reference_error": None,
            "scores": None,
            "warnings": [],
        }
        if request.reference is None and not request.sample_reference:
            return nothing
        try:
            path = self._reference(request, class_map)
            truth = _read_truth(path, labels, class_map)
        except SegnetResError as error:
            return nothing | {"reference_error": str(error)}
        matrix = ConfusionMatrix(class_map)
        matrix.update(truth, labels)
        warnings = _doubts(picture, path, truth, class_map, own=request.sample_reference)
        return {
            "reference": {"name": path.name, "file": write(truth)},
            "reference_error": None,
            "scores": _score_fields(matrix.scores()),
            "warnings": warnings,
        }

    def _reference(self, request: Request, class_map: ClassMap) -> Path:
        if request.reference is not None:
            return self._storage.uploaded(request.reference)
        if class_map.names != self._samples.class_map.names:
            raise DataError(
                "the sample's mask has other classes than this checkpoint, so there is no score; "
                "choose a checkpoint for magnetic tiles to compare"
            )
        return self._samples.parts()[request.sample or ""].mask


def _read_truth(path: Path, labels: UInt8Array, class_map: ClassMap) -> UInt8Array:
    """Read a reference mask of the size of the prediction."""
    height, width = image_size(path)
    if (height, width) != labels.shape:
        raise DataError(
            f"{path.name}: the mask is {width}x{height}, the picture {labels.shape[1]}x"
            f"{labels.shape[0]}; export the mask at the picture's size"
        )
    truth = read_mask(path, class_map)
    unknown = class_map.unknown(truth)
    if unknown:
        listed = ", ".join(map(str, unknown[:5])) + (", ..." if len(unknown) > 5 else "")
        raise DataError(
            f"{path.name}: labels {listed} belong to no class; save class indices from 0 to "
            f"{len(class_map) - 1}, and {class_map.ignore_index} for pixels without a label"
        )
    return truth


def _doubts(
    picture: Path, mask: Path, truth: UInt8Array, class_map: ClassMap, *, own: bool
) -> list[str]:
    """Return what makes a reference mask that can be read look wrong all the same."""
    warnings = []
    if not own and not names_match(picture.name, mask.name):
        warnings.append(
            f"The mask {mask.name} and the picture {picture.name} have different names: "
            "check that they show the same part."
        )
    pixels = class_pixels(truth, class_map)
    ignored = int((truth == class_map.ignore_index).sum())
    if not pixels.any():
        warnings.append(
            f"Every pixel of {mask.name} is {class_map.ignore_index}, which means 'not labelled': "
            "there is nothing to compare."
        )
    elif ignored and not pixels[1:].any():
        warnings.append(
            f"{mask.name} holds 0 and {class_map.ignore_index} only, and {class_map.ignore_index} "
            "means 'not labelled'. If it marks a defect, save class indices (1, 2, ...) instead."
        )
    return warnings


def names_match(picture: str, mask: str) -> bool:
    """Tell whether two file names look like a picture and its mask.

    >>> names_match("part 7.jpg", "part 7_mask.png"), names_match("part7.jpg", "part8.png")
    (True, False)
    """

    def stem(name: str) -> str:
        plain = Path(name).stem.casefold()
        return _MASK_ENDINGS.sub("", plain) or plain

    return stem(picture) == stem(mask)


def _shown_step(labels: UInt8Array) -> int:
    step = 1
    while labels.size / step**2 > _MAX_SHOWN_PIXELS:
        step += 1
    return step


def _mask_writer(folder: Path, step: int) -> Callable[[UInt8Array], str]:
    def write(truth: UInt8Array) -> str:
        path = folder / "reference.png"
        write_index_png(path, truth[::step, ::step])
        return str(path)

    return write


def _write_files(
    folder: Path, picture: Path, image: UInt8Array, labels: UInt8Array, step: int
) -> dict[str, str]:
    """Write what the browser fetches and return the paths."""
    preview, mask = folder / "preview.jpg", folder / f"{picture.stem[:100]}_mask.png"
    write_preview(preview, image)
    write_index_png(mask, labels)
    shown = mask
    if step > 1:
        shown = folder / "shown.png"
        write_index_png(shown, labels[::step, ::step])
    return {"preview": str(preview), "mask": str(mask), "shown": str(shown)}


def _class_rows(labels: UInt8Array, class_map: ClassMap) -> list[dict[str, Any]]:
    pixels = class_pixels(labels, class_map)
    return [
        {
            "index": i,
            "name": name,
            "color": format_color(color),
            "pixels": int(pixels[i]),
            "share": float(pixels[i] / labels.size),
        }
        for i, (name, color) in enumerate(zip(class_map.names, class_map.colors, strict=True))
    ]


def _score_fields(scores: Scores) -> dict[str, Any]:
    return {
        "miou": scores.miou,
        "pixel_accuracy": scores.pixel_accuracy,
        "ious": [score.iou for score in scores.classes],
        "confusion": [list(row) for row in scores.confusion],
    }
