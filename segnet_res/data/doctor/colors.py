"""Readings of masks that hold colours."""

from collections.abc import Iterable

from segnet_res.classes import ClassMap, Color, format_color
from segnet_res.data.doctor.reading import Reading, listed, reach_of, share
from segnet_res.data.doctor.survey import Survey, color_of
from segnet_res.errors import DataError

_BLACK: Color = (0, 0, 0)

# More exact colours than this are noise, or no masks at all.
_MOST_EXACT = 40
# A colour that holds this share of all pixels, in noisy masks, is one that somebody chose.
_A_PEAK = 0.0002
_PEAKS_APART = 60
_MOST_PEAKS = 16
# Noisy masks hold at least this share of pixels near the classes' colours.
_NEAR_ENOUGH = 0.9


def read_colors(survey: Survey, classes: ClassMap | None) -> Reading:
    """Return the one reading of colours that fits.

    Raises:
        DataError: when none fits or several do; the message says how to tell.
    """
    found = {color_of(code): count for code, count in survey.colors.items()}
    if classes is None:
        return _unnamed(survey, found)
    repeated = sorted({c for c in classes.colors if classes.colors.count(c) > 1})
    if repeated:
        raise DataError(
            f"masks/: hold colours, and {format_color(repeated[0])} belongs to several classes; "
            "give each class a colour of its own, or tell them with --map '#rrggbb=CLASS,...'"
        )
    table = {color: label for label, color in enumerate(classes.colors)}
    if set(found) <= set(table):
        return Reading(classes, None, table, found=("all colours are those of the classes",))
    if len(classes) == 2 and len(found) == 2 and _BLACK in found:
        (other,) = set(found) - {_BLACK}
        text = f"two colours for two classes, so black is {classes.names[0]!r}"
        return Reading(classes, None, {_BLACK: 0, other: 1}, found=(text,))
    reach = reach_of(list(table))
    near = sum(count for color, count in found.items() if _distance(color, table) <= reach)
    total = survey.colors.total()
    if len(found) > max(_MOST_EXACT, 2 * len(classes)) and near >= _NEAR_ENOUGH * total:
        text = (
            f"{len(found):,} colours occur and {share(near, total)} of the pixels are near those "
            "of the classes, as JPEG or blurred edges leave them"
        )
        return Reading(classes, None, table, noisy=True, found=(text,))
    strange = {
        (r << 16) + (g << 8) + b: count
        for (r, g, b), count in found.items()
        if _distance((r, g, b), table) > reach or len(found) <= _MOST_EXACT
        if (r, g, b) not in table
    }
    raise DataError(
        f"masks/: hold colours that belong to no class: {listed(strange, total, numbers=False)}; "
        f"tell them all, such as --map '{_proposal(_peaks(found), classes.names)}'"
    )


def _unnamed(survey: Survey, found: dict[Color, int]) -> Reading:
    """Return the reading of colours whose classes nobody told."""
    total = survey.colors.total()
    if len(found) <= _MOST_EXACT and not survey.lossy:
        # Black first, for that is the background wherever it occurs; then by their numbers.
        order = sorted(found)
        names = ["background" if c == _BLACK else f"color_{format_color(c)[1:]}" for c in order]
        classes = ClassMap(tuple(names), tuple(order))
        text = f"{len(found)} exact colours, each taken as a class (--map or --classes names them)"
        return Reading(classes, None, {color: i for i, color in enumerate(order)}, found=(text,))
    peaks = _peaks(found)
    reach = reach_of(peaks)
    near = sum(n for color, n in found.items() if _distance(color, peaks) <= reach)
    if near < _NEAR_ENOUGH * total:
        raise DataError(
            f"masks/: {len(found):,} colours occur and no few of them hold most pixels, so these "
            "are photographs or drawings, not masks; export masks, one colour a class"
        )
    text = listed(
        {(r << 16) + (g << 8) + b: found[r, g, b] for r, g, b in peaks}, total, numbers=False
    )
    raise DataError(
        f"masks/: {len(found):,} colours occur, as JPEG or blurred edges leave them, most near "
        f"{text}, and rare classes may hide among the rest; tell the colours of all classes, "
        f"such as --map '{_proposal(peaks, ())}'"
    )


def _peaks(found: dict[Color, int]) -> list[Color]:
    """Return the colours that hold most pixels, each far from the others."""
    total = sum(found.values())
    peaks: list[Color] = []
    for color in sorted(found, key=lambda color: (-found[color], color)):
        if found[color] < _A_PEAK * total or len(peaks) == _MOST_PEAKS:
            break
        if _distance(color, peaks) > _PEAKS_APART:
            peaks.append(color)
    return sorted(peaks)


def _distance(color: Color, others: Iterable[Color]) -> int:
    """Return the distance to the nearest, in the channel that differs most."""
    return min(
        (max(abs(a - b) for a, b in zip(color, other, strict=True)) for other in others),
        default=256,
    )


def _proposal(colors: Iterable[Color], names: Iterable[str]) -> str:
    told = list(names)
    colors = list(colors)
    told += [f"class_{i}" for i in range(len(told), len(colors))]
    return ",".join(
        f"{format_color(color)}={name}" for color, name in zip(colors, told, strict=False)
    )
