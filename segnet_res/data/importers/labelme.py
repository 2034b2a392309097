"""LabelMe: one JSON beside each picture."""

import base64
import binascii
import io
import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

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
from segnet_res.data.importers._shapes import Ring, ellipse, rectangle
from segnet_res.data.importers.folder import MaskOptions
from segnet_res.errors import DataError


def plan(source: Path, options: MaskOptions) -> Plan:
    """Find the annotations and pictures below a folder.

    Later shapes lie on earlier ones. Pictures without a JSON were not looked at and are left out.

    Raises:
        DataError: when there is no such file, or one is broken, or a picture is missing.
        UsageError: when options make no sense here.
    """
    tally, pictures = Tally(), Pictures(source)
    drawings = [
        _drawing(path, content, pictures, tally)
        for path in sorted(source.rglob("*.json"))
        if not path.name.startswith(".")
        and isinstance(content := read_json(path), dict)
        and isinstance(content.get("shapes"), list)
    ]
    if not drawings:
        raise DataError(
            f"{source}: no JSON of LabelMe is in it; give the folder with pictures and the JSON "
            "files that LabelMe saved beside them"
        )
    return plan_drawings(source, drawings, [], options, tally, pictures.notes())


def _drawing(path: Path, content: Mapping[str, Any], pictures: Pictures, tally: Tally) -> Drawing:
    areas = []
    for number, shape in enumerate(content["shapes"], start=1):
        where = f"{path.name}: shape {number}"
        try:
            kind = shape.get("shape_type") or "polygon"
            make = _SHAPES.get(kind)
            if make is None:
                tally.add(f"shapes of kind {kind}, which have no area")
                continue
            areas.append(make(shape, where))
        except FAULTS as error:
            raise DataError(
                f"{where} lacks something or holds what it should not "
                f"({type(error).__name__}: {error}); save it again with LabelMe"
            ) from error
    height, width = content.get("imageHeight"), content.get("imageWidth")
    size = (height, width) if isinstance(height, int) and isinstance(width, int) else None
    name = content.get("imagePath")
    if not isinstance(name, str) or not name:
        raise DataError(f"{path.name}: does not name its picture; save it again with LabelMe")
    return Drawing(path, pictures.find(name, path), size, areas, own_file=True)


def _polygon(shape: Mapping[str, Any], where: str) -> Area:
    return Area(str(shape["label"]), [ring(shape["points"], where)])


def _rectangle(shape: Mapping[str, Any], where: str) -> Area:
    del where
    return Area(str(shape["label"]), [_box(shape)])


def _box(shape: Mapping[str, Any]) -> Ring:
    points = np.asarray(shape["points"], np.float64).reshape(-1, 2)
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return rectangle(left, top, right, bottom)


def _circle(shape: Mapping[str, Any], where: str) -> Area:
    del where
    (x, y), (edge_x, edge_y) = shape["points"]
    radius = math.hypot(edge_x - x, edge_y - y)
    return Area(str(shape["label"]), [ellipse(x, y, radius, radius)])


def _mask(shape: Mapping[str, Any], where: str) -> Area:
    del where
    left, top = np.rint(_box(shape).min(axis=0)).astype(int).tolist()
    return Area(
        str(shape["label"]), bitmap=partial(_decode, str(shape["mask"])), left=left, top=top
    )


def _decode(text: str) -> NDArray[np.bool_]:
    try:
        content = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error
    with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
        return np.array(image.convert("L")) > 0


_SHAPES: Mapping[str, Callable[[Mapping[str, Any], str], Area]] = {
    "polygon": _polygon,
    "oriented_rectangle": _polygon,
    "rectangle": _rectangle,
    "circle": _circle,
    "mask": _mask,
}
