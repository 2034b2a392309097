"""The classes of a segmentation task: names, colours and the value that means "not labelled"."""

import colorsys
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnet_res.errors import DataError

Color = tuple[int, int, int]

# The first class is the background and stays dark. Then Okabe and Ito's colours and some of Paul
# Tol's, which people with colour-blindness tell apart.
_DEFAULT_COLORS = (
    "#3c4048", "#e69f00", "#56b4e9", "#d55e00", "#0072b2", "#f0e442",
    "#cc79a7", "#009e73", "#999999", "#882255", "#44aa99", "#ddcc77",
)  # fmt: skip

MAX_CLASSES = 255

# What the first class is called where it means "nothing to report". Other class maps, such as
# CamVid's, have no background: there every class is painted and no area counts as defect.
_BACKGROUND_NAMES = frozenset(
    {"background", "sound", "good", "ok", "normal", "intact", "defect-free", "no defect"}
)


@dataclass(frozen=True)
class ClassMap:
    """Names and colours of the classes, in the order of their indices.

    Attributes:
        names: One unique name for each class; the index of a name is its label in a mask.
        colors: One (red, green, blue) for each class, 0 to 255.
        ignore_index: The label of pixels that count nowhere; at least ``len(names)``, at most 255.

    Raises:
        DataError: when names repeat or are empty, when counts differ, or when ``ignore_index`` is
            the label of a class.

    >>> classes = ClassMap.from_names(["sound", "scratch"])
    >>> classes.index("scratch"), len(classes), classes.ignore_index
    (1, 2, 255)
    """

    names: tuple[str, ...]
    colors: tuple[Color, ...]
    ignore_index: int = 255

    def __post_init__(self) -> None:
        if not 1 <= len(self.names) <= MAX_CLASSES:
            raise DataError(
                f"a class map holds {len(self.names)} classes; give 1 to {MAX_CLASSES}, "
                "because masks have 8 bits and one value means 'not labelled'"
            )
        if len(self.colors) != len(self.names):
            raise DataError(
                f"{len(self.names)} class names but {len(self.colors)} colours; give one each"
            )
        repeated = sorted({name for name in self.names if self.names.count(name) > 1})
        if repeated or not all(self.names):
            raise DataError(f"class names must be unique and not empty, found {list(self.names)}")
        if not len(self.names) <= self.ignore_index <= 255:
            raise DataError(
                f"ignore_index is {self.ignore_index}, with {len(self.names)} classes it must be "
                f"between {len(self.names)} and 255"
            )

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def from_names(cls, names: Sequence[str], *, ignore_index: int = 255) -> "ClassMap":
        """Give each name a colour of its own.

        Raises:
            DataError: as the class itself.
        """
        colors = tuple(default_color(i) for i in range(len(names)))
        return cls(tuple(names), colors, ignore_index)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "ClassMap":
        """Read what `to_dict` wrote: ``{"classes": [{"name", "color"}], "ignore_index"}``.

        A missing colour is filled from the default palette.

        Raises:
            DataError: when a key is missing or has the wrong type.
        """
        entries = content.get("classes")
        if not isinstance(entries, list) or not entries:
            raise DataError("no list of classes found; write classes: [{name: ..., color: ...}]")
        names, colors = [], []
        for i, entry in enumerate(entries):
            if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
                raise DataError(f"class {i} is {entry!r}; write it as {{name: ..., color: ...}}")
            names.append(entry["name"])
            color = entry.get("color")
            colors.append(default_color(i) if color is None else parse_color(color))
        ignore_index = content.get("ignore_index", 255)
        # YAML's yes and no are bool, which is an int to Python.
        if not isinstance(ignore_index, int) or isinstance(ignore_index, bool):
            raise DataError(f"ignore_index is {ignore_index!r}; give a whole number")
        return cls(tuple(names), tuple(colors), ignore_index)

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists and numbers for JSON or YAML."""
        return {
            "classes": [
                {"name": name, "color": format_color(color)}
                for name, color in zip(self.names, self.colors, strict=True)
            ],
            "ignore_index": self.ignore_index,
        }

    def index(self, name: str) -> int:
        """Return the label of a class.

        Raises:
            DataError: when no class has this name.
        """
        if name not in self.names:
            raise DataError(f"no class is called {name!r}; known are {', '.join(self.names)}")
        return self.names.index(name)

    def palette(self) -> NDArray[np.uint8]:
        """Return the colour of every 8-bit label, (256, 3) uint8; labels without a class: black."""
        palette = np.zeros((256, 3), np.uint8)
        palette[: len(self)] = self.colors
        return palette

    def unknown(self, labels: NDArray[np.uint8]) -> list[int]:
        """Return the labels that are neither a class nor `ignore_index`, in rising order."""
        counts = np.bincount(labels.ravel(), minlength=256)
        counts[: len(self)] = 0
        counts[self.ignore_index] = 0
        return [int(label) for label in np.flatnonzero(counts)]


def background(class_map: ClassMap) -> int | None:
    """Return the label that means "nothing to report", or None where no class means that.

    >>> background(ClassMap.from_names(["background", "crack"]))
    0
    >>> background(ClassMap.from_names(["Sky", "Building"])) is None
    True
    """
    return 0 if class_map.names[0].casefold() in _BACKGROUND_NAMES else None


def default_color(index: int) -> Color:
    """Return the colour of the class ``index`` that was given none; all 255 are different."""
    if index < len(_DEFAULT_COLORS):
        return parse_color(_DEFAULT_COLORS[index])
    # Steps of the golden ratio spread the hues; the brightness tells near hues apart.
    step = index - len(_DEFAULT_COLORS)
    red, green, blue = colorsys.hsv_to_rgb(
        step * 0.618034 % 1.0, 0.55 + 0.15 * (step % 3), 0.95 - 0.2 * (step % 2)
    )
    return (round(255 * red), round(255 * green), round(255 * blue))


def parse_color(text: object) -> Color:
    """Read ``#rrggbb``.

    Raises:
        DataError: when the text is something else.

    >>> parse_color("#ff8000")
    (255, 128, 0)
    """
    if not isinstance(text, str) or not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        raise DataError(f'a colour is {text!r}; write it as "#rrggbb"')
    return (int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16))


def format_color(color: Color) -> str:
    """Write a colour as ``#rrggbb``."""
    return "#{:02x}{:02x}{:02x}".format(*color)


# The magnetic tiles of Huang, Qiu and Yuan (The Visual Computer, 2018), and what the synthetic
# parts are drawn in.
MAGNETIC_TILE = ClassMap.from_names(["background", "blowhole", "break", "crack", "fray", "uneven"])

# CamVid with the eleven classes and the colours of the SegNet tutorial.
CAMVID = ClassMap(
    (
        "Sky", "Building", "Pole", "Road", "Pavement", "Tree",
        "SignSymbol", "Fence", "Car", "Pedestrian", "Bicyclist",
    ),
    (
        (128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128), (60, 40, 222),
        (128, 128, 0), (192, 128, 128), (64, 64, 128), (64, 0, 128), (64, 64, 0), (0, 128, 192),
    ),
)  # fmt: skip
