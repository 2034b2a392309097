"""What a mapping from the contents of masks to classes is, and how the user tells one."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from segnet_res.classes import (
    MAX_CLASSES,
    ClassMap,
    Color,
    default_color,
    format_color,
    parse_color,
)
from segnet_res.data.names import same_name
from segnet_res.errors import UsageError

IGNORE = "ignore"
TRANSPARENT = "transparent"

# How far, in the channel that differs most, noise of JPEG takes a pixel from its colour. Less
# where two colours are nearer to each other than three times this.
REACH = 40


@dataclass(frozen=True)
class Reading:
    """How the contents of masks are read.

    Attributes:
        class_map: The classes of the copy.
        numbers: The label of each grey value or index; None where colours count.
        colors: The label of each colour; None where numbers count.
        transparent: The label of transparent pixels; None where there are none.
        noisy: Whether pixels are taken to the nearest number or colour, as noise has changed them.
        found: Why this reading and no other, one sentence each.
    """

    class_map: ClassMap
    numbers: Mapping[int, int] | None
    colors: Mapping[Color, int] | None
    transparent: int | None = None
    noisy: bool = False
    found: tuple[str, ...] = ()

    def mapping(self) -> str:
        """Return the reading as `parse_mapping` reads it: ``0=sound,255=dent``."""
        pairs = [(str(key), label) for key, label in (self.numbers or {}).items()]
        pairs += [(format_color(key), label) for key, label in (self.colors or {}).items()]
        if self.transparent is not None:
            pairs.append((TRANSPARENT, self.transparent))
        return ",".join(f"{key}={self.name_of(label)}" for key, label in pairs)

    def name_of(self, label: int) -> str:
        """Return the name of a label's class, or `IGNORE`."""
        return IGNORE if label == self.class_map.ignore_index else self.class_map.names[label]


@dataclass(frozen=True)
class Told:
    """What the user told; the labels are those of ``class_map``."""

    class_map: ClassMap
    numbers: Mapping[int, int]
    colors: Mapping[Color, int]
    transparent: int | None


def parse_mapping(text: str, class_map: ClassMap | None) -> Told:
    """Read ``0=sound,255=dent``, ``#000000=sound,#ff0000=dent`` or ``...,transparent=ignore``.

    Args:
        text: What the user told.
        class_map: The classes where they are known; else they are those of the text, in its order.

    Raises:
        UsageError: when the text is something else, or names a class that is not known.
    """
    pairs: list[tuple[str, str]] = []
    for part in text.split(","):
        key, equals, name = (piece.strip() for piece in part.partition("="))
        if not equals or not name or not _is_key(key):
            raise UsageError(
                f"--map holds {part.strip()!r}; write VALUE=CLASS, VALUE being a number, a colour "
                "like #ff0000 or transparent, and CLASS a name or ignore"
            )
        if key.casefold() in (other for other, _ in pairs):
            raise UsageError(f"--map tells {key} twice; tell it once")
        pairs.append((key.casefold(), name))
    if any(key.isdigit() for key, _ in pairs) and any(key.startswith("#") for key, _ in pairs):
        raise UsageError("--map holds numbers and colours; give all of one kind")
    classes = class_map or _told_classes(pairs)
    labels = {key: _label(name, classes) for key, name in pairs}
    return Told(
        classes,
        {int(key): label for key, label in labels.items() if key.isdigit()},
        {parse_color(key): label for key, label in labels.items() if key.startswith("#")},
        labels.get(TRANSPARENT),
    )


def _is_key(key: str) -> bool:
    if re.fullmatch(r"\d{1,5}", key, re.ASCII):
        return int(key) < 1 << 16
    pattern = f"#[0-9a-fA-F]{{6}}|{TRANSPARENT}"
    return re.fullmatch(pattern, key, re.IGNORECASE | re.ASCII) is not None


def _told_classes(pairs: Iterable[tuple[str, str]]) -> ClassMap:
    colors: dict[str, Color] = {}
    for key, name in pairs:
        if name != IGNORE and name not in colors:
            told = key.startswith("#") and parse_color(key) not in colors.values()
            colors[name] = parse_color(key) if told else default_color(len(colors))
    if not 1 <= len(colors) <= MAX_CLASSES:
        raise UsageError(f"--map names {len(colors)} classes; name 1 to {MAX_CLASSES}")
    return ClassMap(tuple(colors), tuple(colors.values()))


def _label(name: str, classes: ClassMap) -> int:
    if name == IGNORE:
        return classes.ignore_index
    known = same_name(name, classes.names)
    if known is None:
        raise UsageError(
            f"--map names the class {name!r}; known are {', '.join(classes.names)} and {IGNORE}"
        )
    return classes.names.index(known)


def reach_of(centres: Sequence[Color]) -> int:
    """Return how far from a colour a pixel may be to be surely of it.

    >>> reach_of([(0, 0, 0), (255, 0, 0)]), reach_of([(0, 0, 0), (60, 0, 0)])
    (40, 20)
    """
    nearest = min(
        (
            max(abs(a - b) for a, b in zip(one, other, strict=True))
            for i, one in enumerate(centres)
            for other in centres[:i]
        ),
        default=3 * REACH,
    )
    return max(1, min(REACH, nearest // 3))


def listed(counts: Mapping[int, int], total: int, *, numbers: bool, most: int = 8) -> str:
    """Return numbers or colours with their shares, the most frequent first."""
    order = sorted(counts, key=lambda key: (-counts[key], key))
    names = [
        f"{key if numbers else f'#{key:06x}'} ({share(counts[key], total)})" for key in order[:most]
    ]
    return ", ".join(names) + (f" and {len(order) - most} more" if len(order) > most else "")


def share(count: int, total: int) -> str:
    """Return a share of pixels for people.

    >>> share(1, 3), share(1, 10**6)
    ('33.3 %', '0.0001 %')
    """
    percent = 100 * count / max(1, total)
    return f"{percent:.1f} %" if percent >= 0.1 else f"{percent:.1g} %"
