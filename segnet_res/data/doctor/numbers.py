"""Readings of masks that hold grey values or indices of a palette."""

from collections.abc import Iterable

from segnet_res.classes import ClassMap
from segnet_res.data.doctor.reading import Reading, listed, share
from segnet_res.data.doctor.survey import Survey
from segnet_res.errors import DataError

WHITE = 255

# Grey values this far from black and white are noise of JPEG or a soft brush, if they are few.
_NEAR = 40
_FEW_BETWEEN = 0.05
# More different values than this are no labels that somebody chose, but noise.
_MANY = 8


def read_numbers(survey: Survey, classes: ClassMap | None) -> Reading:
    """Return the one reading of grey values or indices that fits.

    Raises:
        DataError: when none fits or several do; the message says how to tell.
    """
    ignore = WHITE if classes is None else classes.ignore_index
    values = sorted(survey.numbers)
    labels = [value for value in values if value != ignore]
    if values == [0, WHITE] or _is_soft(survey, classes):
        return _black_and_white(survey, classes)
    if not labels:
        raise DataError(
            f"masks/: hold {_names(values) or 'transparent pixels'} alone, so nothing is labelled; "
            "export the masks again"
        )
    if classes is None:
        return _unnamed(survey, labels)
    if labels[-1] < len(classes):
        return _labels(survey, classes, labels)
    if labels[-1] == len(classes):
        return _one_based(survey, classes, labels)
    for steps in _stretched(len(classes)):
        # Only the brightest value shows that the classes reach to it.
        if values[-1] == WHITE and set(values) <= set(steps):
            found = f"grey values {_names(steps)} are the {len(classes)} classes, spread to 255"
            return Reading(classes, {step: i for i, step in enumerate(steps)}, None, found=(found,))
    raise DataError(
        f"masks/: hold {_counted(survey)}, and the labels of {len(classes)} classes are 0 to "
        f"{len(classes) - 1}; tell what each value is, such as "
        f"--map '{_proposal(values, classes)}'"
    )


def _is_soft(survey: Survey, classes: ClassMap | None) -> bool:
    """Tell whether nearly all is black or white and the many values between are noise."""
    total = survey.numbers.total()
    top = max(survey.numbers, default=0)
    known = 0 if classes is None else len(classes)
    if len(survey.numbers) <= max(_MANY, known + 1) or not WHITE - _NEAR <= top <= WHITE:
        return False
    black = sum(count for value, count in survey.numbers.items() if value <= _NEAR)
    white = sum(count for value, count in survey.numbers.items() if value >= WHITE - _NEAR)
    return black > 0 and white > 0 and total - black - white <= _FEW_BETWEEN * total


def _black_and_white(survey: Survey, classes: ClassMap | None) -> Reading:
    total = survey.numbers.total()
    white = sum(count for value, count in survey.numbers.items() if value > WHITE // 2)
    many = len(survey.numbers) > 2
    near = sum(c for v, c in survey.numbers.items() if v <= _NEAR or v >= WHITE - _NEAR)
    what = (
        f"{share(near, total)} of the pixels are near black or white and {len(survey.numbers)} "
        "grey values occur, as JPEG or a soft brush leave them"
        if many
        else "hold 0 and 255 alone"
    )
    if classes is not None and len(classes) != 2:
        raise DataError(
            f"masks/: {what}, so they are black and white, and nothing tells which of "
            f"{', '.join(classes.names)} is white; tell it, such as "
            f"--map '0={classes.names[0]},{WHITE}={classes.names[-1]}'"
        )
    classes = classes or ClassMap.from_names(["background", "defect"])
    first, second = classes.names
    if white > total / 2:
        raise DataError(
            f"masks/: {what} and white covers {share(white, total)}, so white may be {second!r} "
            f"or {first!r}; tell it with --map '0={first},{WHITE}={second}' or "
            f"--map '0={second},{WHITE}={first}'"
        )
    found = f"the masks {what}; white covers {share(white, total)}" if not many else what
    return Reading(classes, {0: 0, WHITE: 1}, None, noisy=many, found=(found,))


def _labels(survey: Survey, classes: ClassMap, labels: list[int]) -> Reading:
    """Return the reading of values that are labels as they are, if nothing else fits."""
    _check_mixed(survey, classes)
    absent = 0 not in labels and not survey.transparent
    if absent and len(labels) < len(classes) and len(classes) > 1:
        one_based = ",".join(f"{v}={classes.names[v - 1]}" for v in range(1, len(classes) + 1))
        as_is = ",".join(f"{v}={name}" for v, name in enumerate(classes.names))
        raise DataError(
            f"masks/: hold {_names(labels)} and never 0, so labels count from 1, or "
            f"{classes.names[0]!r} is on no picture; tell it with --map '{one_based}' or "
            f"--map '{as_is}'"
        )
    return _plain(
        survey, classes, f"values {_names(sorted(survey.numbers))} are labels as they are"
    )


def _plain(survey: Survey, classes: ClassMap, found: str) -> Reading:
    table = {label: label for label in range(len(classes))}
    if survey.numbers[classes.ignore_index]:
        table[classes.ignore_index] = classes.ignore_index
        found += f", {classes.ignore_index} is ignored"
    return Reading(classes, table, None, found=(found,))


def _one_based(survey: Survey, classes: ClassMap, labels: list[int]) -> Reading:
    table = {label + 1: label for label in range(len(classes))}
    shown = ",".join(f"{value}={classes.names[label]}" for value, label in table.items())
    if 0 in labels:
        raise DataError(
            f"masks/: hold 0 to {len(classes)} for {len(classes)} classes, so labels count from "
            f"1 and 0 is not labelled, or the class of label {len(classes)} is missing; tell it "
            f"with --map '0=ignore,{shown}', or name all classes with --names"
        )
    found = f"values are 1 to {len(classes)} for {len(classes)} classes, so labels count from 1"
    if survey.numbers[classes.ignore_index]:
        table[classes.ignore_index] = classes.ignore_index
        found += f"; {classes.ignore_index} is ignored"
    return Reading(classes, table, None, found=(found,))


def _check_mixed(survey: Survey, classes: ClassMap) -> None:
    """Refuse 255 that may be white in some files and ignored in others.

    Raises:
        DataError: when files of 0 and 255 alone stand beside files of labels, and none holds both
            labels and 255.
    """
    if classes.ignore_index != WHITE or frozenset({0, WHITE}) not in survey.sets:
        return
    both = any(WHITE in values and values - {0, WHITE} for values in survey.sets)
    other = any(values - {0, WHITE} for values in survey.sets)
    if other and not both:
        count = survey.sets[frozenset({0, WHITE})]
        names = ",".join(f"{label}={name}" for label, name in enumerate(classes.names))
        raise DataError(
            f"masks/: {count} files hold 0 and 255 alone and others labels, never both, so 255 "
            "is white for a class, or means not labelled; tell it with "
            f"--map '{names},255={classes.names[-1]}' or --map '{names},255=ignore'"
        )


def _unnamed(survey: Survey, labels: list[int]) -> Reading:
    """Return the reading of values whose classes nobody named."""
    if labels[0] != 0 and not survey.transparent:
        raise DataError(
            f"masks/: hold {_counted(survey)} and never 0, so labels may count from 1; name the "
            "classes with --names, or tell the values with "
            f"--map '{','.join(f'{v}=class_{v}' for v in labels[:_MANY])}'"
        )
    if labels == list(range(len(labels))):
        classes = ClassMap.from_names([f"class_{label}" for label in labels])
        _check_mixed(survey, classes)
        found = f"values {_names(labels)} are labels as they are (--names names them)"
        return _plain(survey, classes, found)
    proposal = ",".join(f"{v}=class_{i}" for i, v in enumerate(sorted(survey.numbers)[:_MANY]))
    raise DataError(
        f"masks/: hold {_counted(survey)}, which are no labels from 0 on; name the classes "
        f"with --names, or tell the values, such as --map '{proposal}'"
    )


def _stretched(count: int) -> list[list[int]]:
    """Return the values of so many classes spread over 0 to 255, rounded and cut off."""
    exact = [i * WHITE / max(1, count - 1) for i in range(count)]
    return [[round(value) for value in exact], [int(value) for value in exact]]


def _names(values: Iterable[int]) -> str:
    listed_values = list(values)
    if len(listed_values) > 2 and listed_values == list(
        range(listed_values[0], listed_values[-1] + 1)
    ):
        return f"{listed_values[0]} to {listed_values[-1]}"
    return ", ".join(map(str, listed_values[:12])) + (", ..." if len(listed_values) > 12 else "")


def _counted(survey: Survey) -> str:
    return listed(survey.numbers, survey.numbers.total(), numbers=True)


def _proposal(values: list[int], classes: ClassMap) -> str:
    pairs = zip(values, (*classes.names, *["ignore"] * len(values)), strict=False)
    return ",".join(f"{value}={name}" for value, name in list(pairs)[:_MANY])
