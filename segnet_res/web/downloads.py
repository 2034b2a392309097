"""Files to take away from the Inspect tab, each made when somebody asks for it."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from segnet_res.errors import DataError, StorageError
from segnet_res.images import UInt8Array
from segnet_res.render import ERROR_COLORS, UNLABELLED, error_map, outline, overlay
from segnet_res.version import __version__
from segnet_res.web.pictures import Picture
from segnet_res.web.results import Result, read_again

# Like the viewer: strong enough to see the class, weak enough to see the part.
_OPACITY = 0.55

_UNLABELLED_COLOR = (128, 128, 128)

_SCORES = ("iou", "dice", "precision", "recall", "border_iou")

# A spreadsheet takes texts that start like this for formulas.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Seen:
    """What is on the screen and can be taken away.

    Attributes:
        result: The result.
        picture: Its picture.
        labels: (H, W) uint8 that are seen, small and unsure regions taken back.
        truth: (H, W) uint8 of the reference mask, or None.
        facts: The reply that the page got.
    """

    result: Result
    picture: Picture
    labels: UInt8Array
    truth: UInt8Array | None
    facts: dict[str, Any]

    def image(self) -> UInt8Array:
        """Return the picture, (H, W, 3) uint8 RGB.

        Raises:
            ImageError: when it cannot be read any more, or is another since.
        """
        return read_again(self.picture.path, self.result.stamp)

    def sha256(self) -> str:
        """Return the SHA-256 of the file that was inspected in hex digits.

        Raises:
            ImageError: as `image`.
        """
        self.result.stamp.check(self.picture.path)
        return self.result.stamp.sha256


def write_download(kind: str, seen: Seen) -> Path:
    """Write one file of what is seen, and return it.

    Args:
        kind: A key of `KINDS`.
        seen: What is on the screen.

    Raises:
        DataError: when there is no such kind, or it needs a reference mask.
        ImageError: when the picture cannot be read any more, or is another since.
        StorageError: when the disk refuses.
    """
    if kind not in KINDS:
        raise DataError(f"there is no download {kind!r}; choose one of {', '.join(KINDS)}")
    ending, make = KINDS[kind]
    path = seen.result.folder / "downloads" / f"{seen.result.stem}{ending}"
    content = make(seen)
    try:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise StorageError(
            f"the file cannot be written ({error.strerror}); free some room on the server"
        ) from error
    return path


def _mask(seen: Seen) -> bytes:
    return _png(seen.labels)


def _color(seen: Seen) -> bytes:
    return _png(seen.result.class_map.palette()[seen.labels])


def _overlay(seen: Seen) -> bytes:
    return _png(overlay(seen.image(), seen.labels, seen.result.class_map, _OPACITY))


def _outline(seen: Seen) -> bytes:
    return _png(outline(seen.image(), seen.labels, seen.result.class_map))


def _confidence(seen: Seen) -> bytes:
    return Path(seen.result.folder / "confidence.png").read_bytes()


def _errors(seen: Seen) -> bytes:
    if seen.truth is None:
        raise DataError("an error map needs a reference mask; choose one first")
    codes = error_map(seen.labels, seen.truth, seen.result.class_map)
    palette = np.zeros((256, 3), np.uint8)
    for code, (_, color) in ERROR_COLORS.items():
        palette[code] = color
    palette[UNLABELLED] = _UNLABELLED_COLOR
    image = seen.image()
    painted = np.asarray(
        cv2.addWeighted(palette[codes], _OPACITY, image, 1 - _OPACITY, 0), np.uint8
    )
    return _png(np.where((codes > 0)[..., None], painted, image))


def _json(seen: Seen) -> bytes:
    facts, reference = seen.facts, seen.facts["reference"]
    rows = _rows(seen)
    report = {
        "picture": facts["image"],
        "picture_sha256": seen.sha256(),
        "model": seen.result.model,
        "model_sha256": seen.result.weights,
        "tta": facts["tta"],
        "program": f"segnet-res {__version__}",
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "judged": facts["judged"],
        "verdict": facts["verdict"],
        "reference": reference and reference["name"],
        "warnings": facts["warnings"],
        "miou": _score(facts, "miou"),
        "pixel_accuracy": _score(facts, "pixel_accuracy"),
        "classes": rows,
        "confusion": _score(facts, "confusion"),
    }
    return (json.dumps(report, indent=2, ensure_ascii=False) + "\n").encode()


def _csv(seen: Seen) -> bytes:
    buffer = io.StringIO(newline="")
    rows = _rows(seen)
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["picture", *rows[0]])
    for row in rows:
        writer.writerow([_plain(value) for value in (seen.result.name, *row.values())])
    # With the mark, spreadsheets know that it is UTF-8.
    return buffer.getvalue().encode("utf-8-sig")


def _rows(seen: Seen) -> list[dict[str, Any]]:
    """Return a row for each class, with scores where there is a reference."""
    scores = seen.facts["scores"]
    rows = []
    for i, row in enumerate(seen.facts["classes"]):
        known = {key: row[key] for key in ("index", "name", "pixels", "share")}
        regions = {key: row[key] for key in ("regions", "largest")}
        ratios = {key: scores["classes"][i].get(key) for key in _SCORES} if scores else {}
        rows.append(known | regions | ratios)
    return rows


def _plain(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return f"'{value}"
    return "" if value is None else value


def _score(facts: dict[str, Any], key: str) -> Any:  # noqa: ANN401 - a number, a list or None
    return facts["scores"][key] if facts["scores"] else None


def _png(pixels: UInt8Array) -> bytes:
    """Encode (H, W) or (H, W, 3) RGB uint8 without loss."""
    if pixels.ndim == 3:
        pixels = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), np.uint8)
    return cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()


# What can be taken away: the ending of the file's name, and what makes its content.
KINDS: dict[str, tuple[str, Callable[[Seen], bytes]]] = {
    "mask": ("_mask.png", _mask),
    "color": ("_color.png", _color),
    "overlay": ("_overlay.png", _overlay),
    "outline": ("_outline.png", _outline),
    "confidence": ("_confidence.png", _confidence),
    "errors": ("_errors.png", _errors),
    "json": (".json", _json),
    "csv": (".csv", _csv),
}

# Those that read the picture anew, and take its memory.
NEED_PICTURE = frozenset({"overlay", "outline", "errors"})
