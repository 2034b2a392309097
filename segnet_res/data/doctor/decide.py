"""From what masks hold to the one reading that fits, or to a question where two do.

A guess that is wrong trains a model on wrong truth, and no score shows it. So every reading here
follows from what was counted, and where a second one fits as well, the user is asked.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from segnet_res.classes import ClassMap
from segnet_res.data.doctor.colors import read_colors
from segnet_res.data.doctor.numbers import WHITE, read_numbers
from segnet_res.data.doctor.reading import TRANSPARENT, Reading, Told, listed, reach_of
from segnet_res.data.doctor.survey import Survey, color_of
from segnet_res.errors import DataError

# A mask may hold this share of pixels that noise has taken far from every colour that was told.
_MOST_BETWEEN = 0.2


def decide(survey: Survey, classes: ClassMap | None, told: Told | None) -> Reading:
    """Return the reading of masks that hold all classes in one file.

    Args:
        survey: What they hold.
        classes: The classes where they are known.
        told: What the user told of the mapping.

    Raises:
        DataError: when no reading fits, or two do; the message says how to tell which.
    """
    if told is not None:
        return _as_told(survey, told)
    if survey.transparent and len(survey.colors) == 1:
        return _in_alpha(survey, classes)
    if survey.kinds["palette"] and survey.kinds["palette"] == survey.files:
        reading = _of_palettes(survey, classes)
    elif survey.kinds["colour"]:
        reading = read_colors(survey, classes)
    else:
        reading = read_numbers(survey, classes)
    return _with_alpha(survey, reading)


def named_after(reading: Reading, ending: str) -> Reading:
    """Call the only class, that nobody named, after the ending of masks like ``a_dent.png``."""
    if reading.class_map.names != ("background", "defect"):
        return reading
    classes = ClassMap.from_names(["background", ending])
    return _noted(
        replace(reading, class_map=classes), f"the only class is called {ending!r} after the masks"
    )


def _as_told(survey: Survey, told: Told) -> Reading:
    if survey.transparent and told.transparent is None:
        raise DataError(
            f"masks/: {survey.transparent:,} pixels are transparent and --map does not tell what "
            f"they are; add {TRANSPARENT}=CLASS or {TRANSPARENT}=ignore to it"
        )
    if told.numbers and survey.kinds["colour"]:
        raise DataError(
            f"masks/: {survey.kinds['colour']} files hold colours and --map tells numbers; "
            "tell colours like #ff0000=CLASS"
        )
    found = ("as --map tells",)
    counts = survey.numbers if told.numbers else survey.colors
    known = {*told.numbers} or {(r << 16) + (g << 8) + b for r, g, b in told.colors}
    others = {key: count for key, count in counts.items() if key not in known}
    noisy = bool(others)
    if others:
        centres = [(key, key, key) for key in told.numbers] or list(told.colors)
        far = _far(others, centres, numbers=bool(told.numbers))
        # Few exact ones are labels that were forgotten; very many that are rare are noise.
        if len(others) <= 2 * len(known) or sum(far.values()) > _MOST_BETWEEN * counts.total():
            raise DataError(
                f"masks/: {listed(far or others, counts.total(), numbers=bool(told.numbers))} "
                "occur too and --map does not tell what they are; add them, or VALUE=ignore"
            )
    return Reading(
        told.class_map,
        told.numbers or None,
        None if told.numbers else told.colors,
        told.transparent,
        noisy,
        found,
    )


def _far(
    counts: dict[int, int], centres: Sequence[tuple[int, int, int]], *, numbers: bool
) -> dict[int, int]:
    """Return those beyond the reach of every centre."""
    reach = reach_of(centres)
    far = {}
    for key, count in counts.items():
        color = (key, key, key) if numbers else color_of(key)
        distance = min(
            max(abs(a - b) for a, b in zip(color, centre, strict=True)) for centre in centres
        )
        if distance > reach:
            far[key] = count
    return far


def _in_alpha(survey: Survey, classes: ClassMap | None) -> Reading:
    (code,) = survey.colors
    color = color_of(code)
    classes = classes or ClassMap.from_names(["background", "defect"])
    if len(classes) == 2:
        label = 1
    elif classes.colors.count(color) == 1 and classes.colors.index(color):
        label = classes.colors.index(color)
    else:
        raise DataError(
            f"masks/: all that is opaque has the colour #{code:06x}, the rest is transparent, and "
            f"nothing tells which of {', '.join(classes.names[1:])} it is; "
            f"tell it with --map '#{code:06x}=CLASS,{TRANSPARENT}={classes.names[0]}'"
        )
    return Reading(
        classes,
        None,
        {color: label},
        transparent=0,
        found=(
            f"all that is opaque has one colour (#{code:06x}) and the rest is transparent, so "
            "alpha is the mask",
        ),
    )


def _with_alpha(survey: Survey, reading: Reading) -> Reading:
    if not survey.transparent:
        if not survey.alpha:
            return reading
        note = f"alpha is opaque everywhere in the {survey.alpha} files that have it"
        return replace(reading, found=(*reading.found, note))
    zero = any(
        label == 0
        for counts, table in ((survey.numbers, reading.numbers),)
        for key, label in (table or {}).items()
        if counts[key]
    ) or any(
        label == 0 and survey.colors[(r << 16) + (g << 8) + b]
        for (r, g, b), label in (reading.colors or {}).items()
    )
    name = reading.class_map.names[0]
    if zero:
        raise DataError(
            f"masks/: {survey.transparent:,} pixels are transparent and others are opaque "
            f"{name!r}, so the transparent ones are {name!r} too, or were not labelled; tell it "
            f"with --map '{reading.mapping()},{TRANSPARENT}=ignore' or ...={name}"
        )
    note = f"transparent pixels are {name!r}, which no opaque pixel is"
    return replace(reading, transparent=0, found=(*reading.found, note))


def _of_palettes(survey: Survey, classes: ClassMap | None) -> Reading:
    """Return the reading of palette files: by index or by colour, when only one of them fits."""
    if set(survey.numbers) == {0, WHITE}:
        names = ("background", "defect") if classes is None else classes.names
        raise DataError(
            f"masks/: are palettes of the indices 0 and {WHITE} alone, so {WHITE} is a class, or "
            f"means not labelled; tell it with --map '0={names[0]},{WHITE}={names[-1]}' or "
            f"--map '0={names[0]},{WHITE}=ignore'"
        )
    if _is_inverted(survey):
        names = ("background", "defect") if classes is None else classes.names
        raise DataError(
            "masks/: are palettes whose index 0 is white and 1 black, so that index and colour "
            f"say the opposite; tell it with --map '0={names[-1]},1={names[0]}' where white is the "
            f"defect, or --map '0={names[0]},1={names[-1]}'"
        )
    steady = all(len(colors) == 1 for colors in survey.meanings.values())
    used = {color for colors in survey.meanings.values() for color in colors}
    if classes is None:
        if steady:
            reading = read_numbers(survey, None)
            return _noted(reading, "palettes of all files agree, so the indices count")
        reading = read_colors(survey, None)
        return _noted(reading, "palettes differ between files, so the colours count")
    fits = not _unknown(survey.numbers, classes)
    colored = used <= set(classes.colors) and len(set(classes.colors)) == len(classes)
    agrees = all(
        index < len(classes) and colors == {classes.colors[index]}
        for index, colors in survey.meanings.items()
    )
    if agrees and fits:
        return _noted(read_numbers(survey, classes), "indices and colours of the palettes agree")
    if colored and fits and steady:
        by_index = ", ".join(f"{i}={classes.names[i]}" for i in sorted(survey.numbers))
        by_color = ", ".join(
            f"{i}={classes.names[classes.colors.index(next(iter(survey.meanings[i])))]}"
            for i in sorted(survey.numbers)
        )
        raise DataError(
            f"masks/: the palettes' indices tell {by_index}, their colours {by_color}; tell with "
            f"--map which is right, such as --map '{by_color.replace(', ', ',')}'"
        )
    if colored:
        reason = "the indices fit no class" if steady else "palettes differ between files"
        reading = read_colors(survey, classes)
        return _noted(reading, f"the palettes hold the classes' colours and {reason}")
    if not steady:
        raise DataError(
            "masks/: palettes differ between files and hold other colours than the classes "
            f"({listed(survey.colors, survey.colors.total(), numbers=False)}); tell them with "
            "--map '#rrggbb=CLASS,...'"
        )
    reading = read_numbers(survey, classes)
    return _noted(reading, "the palettes' colours are not those of the classes, so indices count")


def _is_inverted(survey: Survey) -> bool:
    """Tell whether palettes are white and black, in that order, as Pillow quantises a mask."""
    return survey.meanings == {0: {(255, 255, 255)}, 1: {(0, 0, 0)}}


def _noted(reading: Reading, *notes: str) -> Reading:
    return replace(reading, found=(*reading.found, *notes))


def _unknown(numbers: Iterable[int], classes: ClassMap) -> list[int]:
    return [n for n in numbers if n >= len(classes) and n != classes.ignore_index]
