"""Label Studio: its JSON export, with polygons, rectangles, ellipses and brush strokes."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
from numpy.typing import NDArray

from segnet_res.data.importers._drawn import (
    FAULTS,
    Area,
    Drawing,
    Tally,
    plan_drawings,
    read_json,
    ring,
)
from segnet_res.data.importers._pictures import Pictures
from segnet_res.data.importers._plan import Plan
from segnet_res.data.importers._shapes import ellipse, rectangle, unpack_brush
from segnet_res.data.importers.folder import MaskOptions
from segnet_res.errors import DataError

# What an upload puts in front of a file's name.
_UPLOADED = re.compile(r"^[0-9a-f]{8}-")

_Size = tuple[int, int]


def plan(source: Path, options: MaskOptions) -> Plan:
    """Find the export and the pictures below a folder.

    Of several annotations of a picture the last counts that was not cancelled; later regions lie
    on earlier ones. Pictures that nobody annotated are left out.

    Raises:
        DataError: when there is no such file, or it is broken, or a picture is missing.
        UsageError: when options make no sense here.
    """
    files = {
        path: tasks
        for path in sorted(source.rglob("*.json"))
        if not path.name.startswith(".") and (tasks := _tasks(path)) is not None
    }
    if not files:
        raise DataError(
            f"{source}: no JSON export of Label Studio is in it; export as JSON (not JSON-MIN) and "
            "put the file there, beside the pictures"
        )
    tally, pictures = Tally(), Pictures(source)
    drawings = []
    for path, tasks in files.items():
        for task in tasks:
            drawing = _drawing(path, task, pictures, tally)
            if drawing is None:
                tally.add("pictures that nobody annotated")
            else:
                drawings.append(drawing)
    if not drawings:
        raise DataError(f"{next(iter(files)).name}: no picture in it is annotated; annotate some")
    return plan_drawings(source, drawings, [], options, tally, pictures.notes())


def _tasks(path: Path) -> list[dict[str, Any]] | None:
    content = read_json(path)
    if not isinstance(content, list) or not content:
        return None
    if not all(isinstance(task, dict) and isinstance(task.get("data"), dict) for task in content):
        return None
    return content


def _drawing(
    path: Path, task: Mapping[str, Any], pictures: Pictures, tally: Tally
) -> Drawing | None:
    where = f"{path.name}: task {task.get('id')!r}"
    try:
        done = [one for one in task.get("annotations", []) if not one.get("was_cancelled")]
        if not done:
            return None
        areas = []
        sizes: set[_Size] = set()
        # Where classes and tools are apart, each region is there once more, without its class.
        named = {region.get("id") for region in done[-1]["result"] if _kind(region) in _KINDS}
        for region in done[-1]["result"]:
            make = _KINDS.get(_kind(region))
            if make is None or not region["value"].get("closed", True):
                if make is None and region.get("id") is not None and region["id"] in named:
                    continue
                tally.add(f"regions of kind {region.get('type')}, which have no area")
                continue
            if region.get("image_rotation"):
                raise DataError(
                    f"{where}: its picture was turned by {region['image_rotation']!r} degrees; "
                    "turn the picture's file and annotate that"
                )
            size = (int(region["original_height"]), int(region["original_width"]))
            sizes.add(size)
            names = region["value"].get(region["type"])
            areas.append(make(_name(names, where), region["value"], size, where))
    except FAULTS as error:
        raise DataError(
            f"{where} lacks something or holds what it should not "
            f"({type(error).__name__}: {error}); export it again"
        ) from error
    if len(sizes) > 1:
        raise DataError(f"{where}: its regions tell several sizes; export it again")
    return Drawing(path, _picture(path, task, pictures), next(iter(sizes), None), areas)


def _kind(region: Mapping[str, Any]) -> str:
    """Return the kind of a region; where classes and tools are apart, its value tells the tool."""
    if region.get("type") != "labels":
        return str(region.get("type"))
    marks = {"rle": "brush", "points": "polygon", "radiusX": "ellipse", "width": "rectangle"}
    return next(
        (f"{kind}labels" for key, kind in marks.items() if key in region["value"]), "labels"
    )


def _name(names: object, where: str) -> str:
    if not isinstance(names, list) or len(names) != 1:
        raise DataError(f"{where}: a region has the labels {names}; give it one")
    return str(names[0])


def _picture(path: Path, task: Mapping[str, Any], pictures: Pictures) -> Path:
    """Return the picture of a task, whichever of its names the file below the folder has."""
    texts = [text for text in task["data"].values() if isinstance(text, str)]
    address = next((text for text in texts if _looks_like_a_picture(text)), "")
    parts = urlsplit(address)
    # Files of the server itself: /data/local-files/?d=folder/a.png
    given = parse_qs(parts.query).get("d", [unquote(parts.path)])[0]
    name = given.rpartition("/")[2]
    candidates = [given, _UPLOADED.sub("", name)]
    if isinstance(task.get("file_upload"), str):
        candidates.append(task["file_upload"])
    for candidate in candidates:
        try:
            return pictures.find(candidate, path)
        except DataError as error:
            if "is not below" not in str(error):
                raise
    return pictures.find(name or f"of task {task.get('id')}", path)


def _looks_like_a_picture(text: str) -> bool:
    return re.search(r"\.(png|jpe?g|tiff?|webp|bmp)\b", text, re.IGNORECASE) is not None


def _polygon(name: str, value: Mapping[str, Any], size: _Size, where: str) -> Area:
    return Area(name, [ring(value["points"], where) * _percent(size)])


def _rectangle(name: str, value: Mapping[str, Any], size: _Size, where: str) -> Area:
    del where
    across, down = _percent(size)
    left, top = value["x"] * across, value["y"] * down
    right, bottom = left + value["width"] * across, top + value["height"] * down
    # It turns around its upper left corner.
    corners = rectangle(left, top, right, bottom, float(value.get("rotation", 0)), (left, top))
    return Area(name, [corners])


def _ellipse(name: str, value: Mapping[str, Any], size: _Size, where: str) -> Area:
    del where
    across, down = _percent(size)
    outline = ellipse(
        value["x"] * across,
        value["y"] * down,
        value["radiusX"] * across,
        value["radiusY"] * down,
        float(value.get("rotation", 0)),
    )
    return Area(name, [outline])


def _brush(name: str, value: Mapping[str, Any], size: _Size, where: str) -> Area:
    if value.get("format") != "rle":
        raise DataError(f"{where}: a brush has the format {value.get('format')!r}; export as JSON")
    return Area(name, bitmap=partial(_unpack, value["rle"], size))


def _unpack(packed: list[int], size: _Size) -> NDArray[np.bool_]:
    """Return where a brush painted: its picture is RGBA, and alpha tells."""
    values = unpack_brush(packed)
    if len(values) != 4 * size[0] * size[1]:
        raise ValueError(f"{len(values)} bytes for {size[1]}x{size[0]} pixels of four")
    painted: NDArray[np.bool_] = values[3::4].reshape(size) > 127
    return painted


def _percent(size: _Size) -> NDArray[np.float64]:
    """Return pixels (x, y) to the percent."""
    return np.array([size[1], size[0]]) / 100


_KINDS: Mapping[str, Callable[[str, Mapping[str, Any], _Size, str], Area]] = {
    "polygonlabels": _polygon,
    "rectanglelabels": _rectangle,
    "ellipselabels": _ellipse,
    "brushlabels": _brush,
}
