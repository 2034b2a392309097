"""CVAT: ``annotations.xml`` of "CVAT for images 1.1"."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from segnet_res.data.importers._drawn import (
    FAULTS,
    Area,
    Drawing,
    Tally,
    plan_drawings,
    ring,
)
from segnet_res.data.importers._pictures import Pictures, split_of
from segnet_res.data.importers._plan import Plan
from segnet_res.data.importers._shapes import Ring, ellipse, rectangle, runs_to_mask
from segnet_res.data.importers.folder import MaskOptions
from segnet_res.errors import DataError

_NO_AREA = ("polyline", "points", "skeleton", "tag", "cuboid")


def plan(source: Path, options: MaskOptions) -> Plan:
    """Find the annotations and pictures below a folder.

    Areas of a higher ``z_order`` lie on top, of one level the later ones.

    Raises:
        DataError: when there is no such file, or one is broken, or a picture is missing.
        UsageError: when options make no sense here.
    """
    files = sorted(path for path in source.rglob("*.xml") if not path.name.startswith("."))
    roots = {path: root for path in files if (root := _root(path)) is not None}
    if not roots:
        raise DataError(
            f"{source}: no annotations.xml of CVAT is in it; export as 'CVAT for images 1.1' and "
            "unpack it there, beside the pictures"
        )
    tally, pictures = Tally(), Pictures(source)
    names: dict[str, None] = {}
    drawings = []
    for path, root in roots.items():
        names.update(
            dict.fromkeys(el.text or "" for el in root.iterfind("meta//labels/label/name"))
        )
        for image in root.iterfind("image"):
            drawings.append(_drawing(path, image, pictures, tally))
    if not drawings:
        raise DataError(f"{next(iter(roots)).name}: lists no picture; export the task again")
    return plan_drawings(source, drawings, list(names), options, tally, pictures.notes())


def _root(path: Path) -> ElementTree.Element | None:
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise DataError(f"{path.name}: not valid XML ({error}); export it again") from error
    if root.tag != "annotations":
        return None
    if root.find("track") is not None:
        raise DataError(
            f"{path.name}: holds tracks of a video; export as 'CVAT for images 1.1' with its "
            "pictures"
        )
    return root


def _drawing(path: Path, image: ElementTree.Element, pictures: Pictures, tally: Tally) -> Drawing:
    name = image.get("name", "")
    split = split_of(image.get("subset", "")) or split_of(path.stem)
    areas = []
    for shape in image:
        make = _SHAPES.get(shape.tag)
        if make is None:
            tally.add(f"shapes of kind {shape.tag}, which have no area")
            continue
        where = f"{path.name}: {shape.tag} {shape.get('label')!r} on {name}"
        try:
            areas.append(make(shape.attrib, where))
        except FAULTS as error:
            raise DataError(
                f"{where} lacks something or holds what it should not "
                f"({type(error).__name__}: {error}); export it again"
            ) from error
    try:
        size = (int(image.attrib["height"]), int(image.attrib["width"]))
    except (KeyError, ValueError) as error:
        raise DataError(f"{path.name}: {name} lacks its size; export it again") from error
    return Drawing(path, pictures.find(name, path, split), size, areas, split)


def _polygon(shape: Mapping[str, str], where: str) -> Area:
    points = [pair.split(",") for pair in shape["points"].split(";")]
    return _outlined(shape, ring(points, where))


def _box(shape: Mapping[str, str], where: str) -> Area:
    del where
    left, top, right, bottom = (float(shape[key]) for key in ("xtl", "ytl", "xbr", "ybr"))
    turn = float(shape.get("rotation", 0))
    return _outlined(shape, rectangle(left, top, right, bottom, turn))


def _ellipse(shape: Mapping[str, str], where: str) -> Area:
    del where
    x, y, across, down = (float(shape[key]) for key in ("cx", "cy", "rx", "ry"))
    return _outlined(shape, ellipse(x, y, across, down, float(shape.get("rotation", 0))))


def _mask(shape: Mapping[str, str], where: str) -> Area:
    del where
    runs = [int(number) for number in shape["rle"].split(",")]
    size = (int(shape["height"]), int(shape["width"]))
    return Area(
        shape["label"],
        bitmap=partial(runs_to_mask, np.array(runs), size, by_column=False),
        left=int(shape["left"]),
        top=int(shape["top"]),
        level=int(shape.get("z_order", 0)),
    )


def _outlined(shape: Mapping[str, str], outline: Ring) -> Area:
    return Area(shape["label"], [outline], level=int(shape.get("z_order", 0)))


_SHAPES: Mapping[str, Callable[[Mapping[str, str], str], Area]] = {
    "polygon": _polygon,
    "box": _box,
    "ellipse": _ellipse,
    "mask": _mask,
}
