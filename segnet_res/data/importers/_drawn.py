"""What the importers of drawn outlines share: finding pictures, naming classes, painting."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnet_res.classes import ClassMap, background
from segnet_res.data.dataset import DatasetInfo, read_info
from segnet_res.data.importers._pictures import PLAIN_FOLDERS
from segnet_res.data.importers._plan import Entry, Plan
from segnet_res.data.importers._shapes import Ring, fill, number
from segnet_res.data.importers.folder import MaskOptions
from segnet_res.data.names import BACKGROUND, IGNORED, same_name
from segnet_res.errors import DataError, UsageError
from segnet_res.images import Channels, UInt8Array, image_size, is_grey

# What comes of reading a file whose parts are missing or of another kind than they should be.
FAULTS = (AttributeError, TypeError, LookupError, ValueError, OverflowError)


@dataclass(frozen=True)
class Area:
    """One drawn object.

    Attributes:
        name: Its class.
        rings: Outlines that are filled together, so that one inside of another is a hole.
        bitmap: Gives the pixels (h, w) bool instead of outlines; raises ValueError when they
            cannot be read.
        left: Column of the bitmap's first pixel.
        top: Row of the bitmap's first pixel.
        level: Areas of a higher level lie on top, whatever their order.
    """

    name: str
    rings: Sequence[Ring] = ()
    bitmap: Callable[[], NDArray[np.bool_]] | None = None
    left: int = 0
    top: int = 0
    level: int = 0


@dataclass(frozen=True)
class Drawing:
    """A picture with what is drawn on it.

    Attributes:
        file: The file of the annotations.
        image: The picture.
        size: Its height and width as the annotations tell; None where they do not.
        areas: From the lowest to the topmost of each level.
        split: The split that the source puts it into.
        own_file: Whether the file is this picture's alone.
    """

    file: Path
    image: Path
    size: tuple[int, int] | None
    areas: Sequence[Area]
    split: str | None = None
    own_file: bool = False


@dataclass
class Tally:
    """What an import leaves out, counted by its name."""

    counts: Counter[str] = field(default_factory=Counter)

    def add(self, what: str) -> None:
        """Count one."""
        self.counts[what] += 1

    def notes(self) -> tuple[str, ...]:
        """Return one sentence for each."""
        return tuple(f"left out {what}: {count}" for what, count in sorted(self.counts.items()))


def read_text(path: Path) -> str:
    """Read a text file.

    Raises:
        DataError: when it cannot be read or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 ({error}); save it as UTF-8 text") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error}); export it again") from error


def read_json(path: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    """Read a JSON file.

    Raises:
        DataError: when it cannot be read or is not JSON.
    """
    text = read_text(path)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path.name}: not valid JSON ({error}); export it again") from error


def ring(numbers: object, what: str) -> Ring:
    """Return corners (n, 2) of a flat list or one of pairs.

    Raises:
        DataError: when they are no three corners; ``what`` says whose.
    """
    try:
        points = np.asarray(numbers, np.float64).reshape(-1, 2)
        points = np.array([[number(x), number(y)] for x, y in points.tolist()])
    except (TypeError, ValueError, OverflowError):
        points = np.zeros((0, 2))
    if len(points) < 3:
        raise DataError(
            f"{what}: an outline has {len(points)} corners that are numbers, not three or more; "
            "draw it again or take it out"
        )
    return points


def plan_drawings(
    source: Path,
    drawings: Sequence[Drawing],
    names: Sequence[str],
    options: MaskOptions,
    tally: Tally,
    notes: Sequence[str] = (),
) -> Plan:
    """Make the plan of an import of drawn areas.

    What nothing is drawn on is the background, label 0. Later areas lie on earlier ones of their
    level; areas that are ignored lie on all others.

    Args:
        source: The folder to import.
        drawings: What is drawn on which picture.
        names: The classes in the order of their labels as far as the source tells.
        options: The classes as the user tells, and the channels.
        tally: What was left out so far.
        notes: What else the user should know, one sentence each.

    Raises:
        DataError: when a class is not among those that the user told.
        UsageError: when options make no sense here.
    """
    if options.binary:
        raise UsageError("--binary is for the format folder; leave it out")
    class_map = _class_map(drawings, names, options)
    by_stem = {_stem(drawing.image, source): drawing for drawing in drawings}
    if len(by_stem) < len(drawings):
        raise DataError(f"{source}: a picture is annotated twice; {_twice(drawings, source)}")

    def read_labels(entry: Entry) -> UInt8Array:
        return paint(by_stem[entry.stem], class_map)

    entries = tuple(
        Entry(stem, drawing.image, drawing.file if drawing.own_file else None, drawing.split)
        for stem, drawing in by_stem.items()
    )
    return Plan(
        DatasetInfo("", class_map, options.channels or channels_of(entries)),
        entries,
        read_labels,
        {entry.stem: entry.stem for entry in entries},
        annotations=frozenset(drawing.file for drawing in drawings),
        notes=(*_one_class(drawings, class_map), *notes, *tally.notes()),
    )


def channels_of(entries: Iterable[Entry]) -> Channels:
    """Return 1 when every picture is stored as grey; reads headers only."""
    return 1 if all(is_grey(entry.image) for entry in entries) else 3


def _stem(image: Path, source: Path) -> str:
    relative = image.relative_to(source).with_suffix("")
    kept = [part for part in relative.parts[:-1] if part.casefold() not in PLAIN_FOLDERS]
    return "/".join((*kept, relative.name))


def _twice(drawings: Sequence[Drawing], source: Path) -> str:
    seen: dict[str, Drawing] = {}
    for drawing in drawings:
        other = seen.setdefault(_stem(drawing.image, source), drawing)
        if other is not drawing:
            break
    if drawing.image == other.image and drawing.file == other.file:
        return (
            f"{drawing.file.name} names {drawing.image.relative_to(source).as_posix()} twice, or "
            "one of them in another folder, where it is missing; put that there, or take one out"
        )
    return (
        f"{drawing.image.name} in {other.file.name} and {drawing.file.name}; keep one of them, or "
        "rename a picture"
    )


def _class_map(drawings: Sequence[Drawing], names: Sequence[str], options: MaskOptions) -> ClassMap:
    drawn = {area.name: drawing for drawing in drawings for area in drawing.areas}
    if options.classes or options.names:
        told = (
            read_info(options.classes).class_map
            if options.classes
            else ClassMap.from_names(list(options.names))
        )
        for name, drawing in drawn.items():
            if same_name(name, (*told.names, *IGNORED, BACKGROUND)) is None:
                raise DataError(
                    f"{drawing.file.name}: class {name!r} is none of {', '.join(told.names)}; add "
                    "it to --names (or --classes), or rename it in the annotations"
                )
        return told
    found: list[str] = []
    for name in (*names, *sorted(drawn)):
        if same_name(name, (*found, *IGNORED)) is None:
            found.append(name)
    base = next((name for name in found if _is_base(name)), BACKGROUND)
    return ClassMap.from_names([base, *(name for name in found if name != base)])


def _is_base(name: str) -> bool:
    plain = same_name(name, (BACKGROUND,)) is not None
    return plain or background(ClassMap.from_names([name])) == 0


def _one_class(drawings: Sequence[Drawing], class_map: ClassMap) -> Iterator[str]:
    """Name the spellings that count as one class."""
    spellings: dict[str, set[str]] = {}
    for name in {area.name for drawing in drawings for area in drawing.areas}:
        known = same_name(name, class_map.names)
        if known is not None:
            spellings.setdefault(known, set()).add(name)
    for known, found in sorted(spellings.items()):
        if len(found) > 1:
            yield f"{' and '.join(map(repr, sorted(found)))} count as one class, {known!r}"


def label_of(name: str, class_map: ClassMap) -> int:
    """Return the label of a class as a tool calls it."""
    known = same_name(name, class_map.names)
    if known is not None:
        return class_map.names.index(known)
    return class_map.ignore_index if same_name(name, IGNORED) is not None else 0


def paint(drawing: Drawing, class_map: ClassMap) -> UInt8Array:
    """Return the labels (H, W) uint8 of a picture.

    Raises:
        DataError: when the picture has another size than the annotations say, or an area cannot be
            painted.
    """
    size = image_size(drawing.image)
    if drawing.size is not None and drawing.size != size:
        raise DataError(
            f"{drawing.image.name}: is {size[1]}x{size[0]}, but was annotated at "
            f"{drawing.size[1]}x{drawing.size[0]} ({drawing.file.name}); put the picture there "
            "that was annotated"
        )
    labels = np.zeros(size, np.uint8)
    order = sorted(
        drawing.areas,
        key=lambda area: (label_of(area.name, class_map) == class_map.ignore_index, area.level),
    )
    for area in order:
        label = label_of(area.name, class_map)
        if area.bitmap is None:
            _fill(labels, area.rings, label)
            continue
        try:
            pixels = area.bitmap()
        except (ValueError, TypeError, OverflowError, OSError, SyntaxError) as error:
            raise DataError(
                f"{drawing.file.name}: the mask of {area.name!r} on {drawing.image.name} cannot be "
                f"read ({error}); export it again"
            ) from error
        _stamp(labels, pixels, (area.top, area.left), label)
    return labels


def _fill(labels: UInt8Array, rings: Sequence[Ring], label: int) -> None:
    """Paint what outlines enclose; only their surroundings are looked at."""
    points = np.concatenate(rings)
    left, top = np.floor(points.min(axis=0)).clip(0, labels.shape[::-1]).astype(int).tolist()
    right, bottom = np.ceil(points.max(axis=0)).clip(0, labels.shape[::-1]).astype(int).tolist()
    if left < right and top < bottom:
        inside = fill(rings, (bottom - top, right - left), (top, left))
        labels[top:bottom, left:right][inside] = label


def _stamp(
    labels: UInt8Array, pixels: NDArray[np.bool_], place: tuple[int, int], label: int
) -> None:
    """Paint a bitmap with its corner at (row, column); what reaches beyond is cut off."""
    top, left = place
    inside = pixels[max(0, -top) :, max(0, -left) :]
    there = labels[max(0, top) :, max(0, left) :][: inside.shape[0], : inside.shape[1]]
    there[inside[: there.shape[0], : there.shape[1]]] = label
