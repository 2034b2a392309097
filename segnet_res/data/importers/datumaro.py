"""Any format that Datumaro reads, as ``datumaro:<its name>``; needs the extra ``formats``."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnet_res.data.importers._drawn import Area, Drawing, Tally, plan_drawings, ring
from segnet_res.data.importers._pictures import split_of
from segnet_res.data.importers._plan import Plan
from segnet_res.data.importers._shapes import ellipse, rectangle
from segnet_res.data.importers.folder import MaskOptions
from segnet_res.errors import DataError, UsageError

PREFIX = "datumaro:"

# Datumaro's own error, and what its readers raise on files that they do not expect.
_FAULTS = (OSError, ValueError, LookupError, TypeError, AttributeError)


def plan(source: Path, options: MaskOptions, name: str) -> Plan:
    """Let Datumaro read a folder.

    Areas of a higher ``z_order`` lie on top, of one level the later ones. Subsets called like
    train, val or test become splits.

    Args:
        source: The folder.
        options: The classes as the user tells, and the channels.
        name: What Datumaro calls the format.

    Raises:
        DataError: when Datumaro cannot read the folder, or pictures are not below it.
        UsageError: when Datumaro is missing or does not know the format.
    """
    datumaro = _load(name)
    environment = datumaro.components.environment.Environment()
    known = sorted(environment.importers)
    if name not in known:
        raise UsageError(
            f"format is '{PREFIX}{name}', which Datumaro does not know; known to it are "
            f"{', '.join(known)}"
        )
    try:
        dataset = datumaro.Dataset.import_from(str(source), name)
        names = [label.name for label in dataset.categories()[datumaro.AnnotationType.label]]
        tally = Tally()
        drawings = [_drawing(item, names, source, tally) for item in dataset]
    except (datumaro.components.errors.DatumaroError, *_FAULTS) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{source}: Datumaro cannot read it as {name} ({_first_line(error)}); look whether the "
            "folder is laid out as that format asks"
        ) from error
    if not drawings:
        raise DataError(f"{source}: Datumaro finds no picture in it; give the folder of {name}")
    return plan_drawings(source, drawings, names, options, tally)


def _load(name: str) -> ModuleType:
    try:
        import datumaro
        import datumaro.components.environment
        import datumaro.components.errors
    except ImportError as error:
        raise UsageError(
            f"format is '{PREFIX}{name}' and Datumaro is not installed; install it with "
            "`pip install 'segnet-res[formats]'`"
        ) from error
    module: ModuleType = datumaro
    return module


def _first_line(error: BaseException) -> str:
    # What went wrong is told by the first cause.
    while error.__cause__ is not None:
        error = error.__cause__
    return next(iter(str(error).splitlines()), type(error).__name__)


def _drawing(
    item: Any,  # noqa: ANN401 - Datumaro ships no types
    names: list[str],
    source: Path,
    tally: Tally,
) -> Drawing:
    path = getattr(item.media, "path", None)
    if not path or not Path(path).is_file() or not Path(path).is_relative_to(source):
        raise DataError(
            f"{source}: picture {item.id!r} is not below it; put the pictures there, or take it "
            "out of the annotations"
        )
    areas = []
    for annotation in item.annotations:
        kind = annotation.type.name
        make = _SHAPES.get(kind)
        if make is None or annotation.label is None:
            tally.add(f"annotations of kind {kind}, which have no area or class")
            continue
        label = names[annotation.label]
        outlines = make(annotation, f"{source}: {kind} {label!r} on {item.id}")
        level = int(annotation.z_order)
        if isinstance(outlines, list):
            areas.append(Area(label, outlines, level=level))
        else:
            areas.append(Area(label, bitmap=outlines, level=level))
    size = item.media.size
    return Drawing(
        source,
        Path(path),
        None if size is None else (int(size[0]), int(size[1])),
        areas,
        split_of(item.subset),
    )


_Outlines = list[NDArray[np.float64]] | Callable[[], NDArray[np.bool_]]


def _polygon(annotation: Any, where: str) -> _Outlines:  # noqa: ANN401
    return [ring(annotation.points, where)]


def _box(annotation: Any, where: str) -> _Outlines:  # noqa: ANN401
    del where
    left, top, right, bottom = annotation.points
    return [rectangle(left, top, right, bottom)]


def _turned_box(annotation: Any, where: str) -> _Outlines:  # noqa: ANN401
    del where
    x, y, width, height = (getattr(annotation, key) for key in ("cx", "cy", "w", "h"))
    sides = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return [rectangle(*sides, float(annotation.r), None)]


def _ellipse(annotation: Any, where: str) -> _Outlines:  # noqa: ANN401
    del where
    left, top, right, bottom = annotation.points
    middle = ((left + right) / 2, (top + bottom) / 2)
    return [ellipse(*middle, (right - left) / 2, (bottom - top) / 2)]


def _mask(annotation: Any, where: str) -> _Outlines:  # noqa: ANN401
    del where
    return lambda: np.asarray(annotation.image).astype(np.bool_)


_SHAPES: Mapping[str, Callable[[Any, str], _Outlines]] = {
    "polygon": _polygon,
    "bbox": _box,
    "rotated_bbox": _turned_box,
    "ellipse": _ellipse,
    "mask": _mask,
}
