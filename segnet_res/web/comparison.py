"""Two masks of one picture, by models whose classes may differ: what each says, who is right."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from segnet_res.classes import MAX_CLASSES, ClassMap, Color, background, default_color, format_color
from segnet_res.errors import DataError, StorageError
from segnet_res.images import UInt8Array
from segnet_res.web.measures import class_rows, score_fields

# Codes of `difference_codes`; the page's script has a name for each.
EQUAL, ONLY_FIRST, ONLY_SECOND, OTHER_CLASS = range(4)
FIRST_RIGHT, SECOND_RIGHT, BOTH_WRONG, UNLABELLED = range(4, 8)

_FIRST, _SECOND, _NEITHER = (213, 94, 0), (0, 114, 178), (240, 228, 66)

# The colour of each code. Vermilion, blue and yellow stay apart on grey metal for colour-blind eyes
# too; the two models keep theirs whether or not a reference tells who is right.
DIFFERENCE_COLORS: tuple[Color, ...] = (
    (32, 36, 44), _FIRST, _SECOND, _NEITHER, _FIRST, _SECOND, _NEITHER, (176, 183, 195),
)  # fmt: skip


@dataclass(frozen=True)
class CommonClasses:
    """The classes of two models in one map, matched by name.

    Attributes:
        class_map: The first model's classes in their order, then those that only the second has.
        known: For each model which of these it knows, (C,) bool.
    """

    class_map: ClassMap
    known: tuple[NDArray[np.bool_], NDArray[np.bool_]]
    _table: UInt8Array

    def of_second(self, labels: UInt8Array) -> UInt8Array:
        """Return the second model's labels (H, W) uint8 as labels of the common map.

        The first model's labels need no change.
        """
        return np.asarray(self._table[labels], np.uint8)


def common_classes(first: ClassMap, second: ClassMap) -> CommonClasses:
    """Match the classes of two models by name; two backgrounds match whatever they are called.

    Raises:
        DataError: when no class matches, or there are too many for one mask.

    >>> a = ClassMap.from_names(["background", "crack", "fray"])
    >>> b = ClassMap.from_names(["sound", "dent", "crack"])
    >>> both = common_classes(a, b)
    >>> both.class_map.names
    ('background', 'crack', 'fray', 'dent')
    >>> both.of_second(np.array([[0, 1, 2]], np.uint8)).tolist()
    [[0, 3, 1]]
    >>> both.known[1].tolist()
    [True, True, False, True]
    """
    names, added = list(first.names), []
    empty = (background(first), background(second))
    indices = []
    for i, name in enumerate(second.names):
        if i == empty[1] and empty[0] is not None:
            indices.append(empty[0])
        elif name in names:
            indices.append(names.index(name))
        else:
            indices.append(len(names))
            names.append(name)
            added.append(second.colors[i])
    matched = set(indices) & set(range(len(first))) - {empty[0]}
    if not matched:
        raise DataError(
            f"the two checkpoints have no class in common ({_listed(first, empty[0])} against "
            f"{_listed(second, empty[1])}); choose two that were trained for the same classes"
        )
    if len(names) > MAX_CLASSES:
        raise DataError(
            f"the two checkpoints have {len(names)} classes together, a mask holds {MAX_CLASSES}; "
            "choose two that were trained for the same classes"
        )
    colors = list(first.colors)
    for color in added:
        colors.append(_free_color(color, colors))
    # The first model's "not labelled" is kept where no class needs its place: a reference mask may
    # hold it.
    ignore = first.ignore_index if first.ignore_index >= len(names) else 255
    table = np.full(256, ignore, np.uint8)
    table[: len(second)] = indices
    label = np.arange(len(names))
    return CommonClasses(
        ClassMap(tuple(names), tuple(colors), ignore),
        (label < len(first), np.isin(label, indices)),
        table,
    )


def difference_codes(
    first: UInt8Array, second: UInt8Array, class_map: ClassMap, truth: UInt8Array | None = None
) -> UInt8Array:
    """Tell for every pixel whether and in which way two masks differ.

    >>> classes = ClassMap.from_names(["background", "crack", "fray"])
    >>> a, b = np.array([[0, 1, 0, 1]], np.uint8), np.array([[0, 0, 2, 2]], np.uint8)
    >>> difference_codes(a, b, classes).tolist()
    [[0, 1, 2, 3]]
    >>> difference_codes(a, b, classes, truth=np.array([[1, 1, 2, 0]], np.uint8)).tolist()
    [[0, 4, 5, 6]]

    Args:
        first: (H, W) uint8, labels of one model.
        second: (H, W) uint8, labels of the other.
        class_map: What both mean.
        truth: (H, W) uint8, the right labels or `ignore_index`, where they are known.

    Returns:
        (H, W) uint8: `EQUAL`; without truth `ONLY_FIRST` and `ONLY_SECOND` (the other says
        background) and `OTHER_CLASS`; with truth `FIRST_RIGHT`, `SECOND_RIGHT`, `BOTH_WRONG`, and
        `UNLABELLED` where nobody knows.

    Raises:
        ValueError: when sizes differ.
    """
    shapes = {mask.shape for mask in (first, second, truth) if mask is not None}
    if len(shapes) > 1:
        raise ValueError(f"masks have shapes {sorted(shapes)}")
    differ = first != second
    codes = np.zeros(first.shape, np.uint8)
    if truth is not None:
        codes[differ] = BOTH_WRONG
        codes[differ & (first == truth)] = FIRST_RIGHT
        codes[differ & (second == truth)] = SECOND_RIGHT
        codes[differ & (truth == class_map.ignore_index)] = UNLABELLED
        return codes
    codes[differ] = OTHER_CLASS
    empty = background(class_map)
    if empty is not None:
        codes[differ & (second == empty)] = ONLY_FIRST
        codes[differ & (first == empty)] = ONLY_SECOND
    return codes


def write_codes(path: Path, codes: UInt8Array) -> None:
    """Write (H, W) uint8 codes as PNG: indices for programs, a palette of their colours for eyes.

    Raises:
        StorageError: when the file cannot be written.
    """
    picture = Image.fromarray(codes)
    picture.putpalette([value for color in DIFFERENCE_COLORS for value in color])
    try:
        # Fast rather than small, and one byte a pixel as the page's script reads masks: few colours
        # would make it half a byte.
        picture.save(path, compress_level=1, bits=8)
    except OSError as error:
        raise StorageError(
            f"the page's temporary folder cannot be written ({error.strerror}); free some room, "
            "or set TMPDIR to a larger disk"
        ) from error


def comparison_fields(
    first: UInt8Array,
    second: UInt8Array,
    codes: UInt8Array,
    common: CommonClasses,
    truth: UInt8Array | None = None,
) -> dict[str, Any]:
    """Return the numbers of a comparison as the page's script takes them.

    Args:
        first: (H, W) uint8 labels of the first model, in the common map.
        second: (H, W) uint8 labels of the second, in the common map.
        codes: What `difference_codes` makes of them.
        common: The classes.
        truth: (H, W) uint8 in the common map, or None.

    Returns:
        ``classes``: for each its index, name, colour, ``both`` (pixels where the two agree on it)
        and a list ``sides`` of two: pixels, share, regions and largest region, or None where that
        model does not know the class. ``codes``: pixels and colour of each code. ``scores``: with
        a truth a list of two as `score_fields` gives them, else None.
    """
    sides = [class_rows(labels, common.class_map) for labels in (first, second)]
    agreed = np.bincount(first[first == second].ravel(), minlength=256)
    rows = []
    for i, pair in enumerate(zip(*sides, strict=True)):
        known = [row if common.known[side][i] else None for side, row in enumerate(pair)]
        rows.append(
            {
                **{key: pair[0][key] for key in ("index", "name", "color")},
                "both": int(agreed[i]),
                "sides": [_numbers(row) for row in known],
            }
        )
    scores = None
    if truth is not None:
        scores = [score_fields(labels, truth, common.class_map) for labels in (first, second)]
    counts = np.bincount(codes.ravel(), minlength=UNLABELLED + 1)
    listed = [
        {"pixels": int(count), "color": format_color(color)}
        for count, color in zip(counts, DIFFERENCE_COLORS, strict=True)
    ]
    return {"classes": rows, "codes": listed, "scores": scores}


def _numbers(row: dict[str, Any] | None) -> dict[str, Any] | None:
    return row and {key: row[key] for key in ("pixels", "share", "regions", "largest")}


def _listed(class_map: ClassMap, empty: int | None) -> str:
    names = [name for i, name in enumerate(class_map.names) if i != empty]
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "") or "none"


def _free_color(color: Color, taken: list[Color]) -> Color:
    """Return the colour, or the first of the default ones when another class has it."""
    if color not in taken:
        return color
    return next(free for i in range(MAX_CLASSES) if (free := default_color(i)) not in taken)
