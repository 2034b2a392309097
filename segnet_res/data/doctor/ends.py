"""Which end of masks that are one pixel too large is cut off: as told, or as pictures show."""

from collections.abc import Callable, Sequence
from typing import Literal

from segnet_res.data.doctor import surplus
from segnet_res.data.doctor.layout import Pair
from segnet_res.errors import DataError
from segnet_res.images import UInt8Array, image_size, read_image

# Masks that are looked at to tell which row is the surplus one.
_ENOUGH_MASKS = 200


def find_ends(
    larger: Sequence[Pair],
    told: Literal["first", "last"] | None,
    read: Callable[[Pair], UInt8Array],
) -> tuple[surplus.Ends, tuple[str, ...]]:
    """Decide which row and column is the surplus one, from the edges of the pictures.

    Args:
        larger: Pictures with masks one pixel larger.
        told: Which one goes, as the user says.
        read: Gives the labels of a picture in the size of its mask.

    Returns:
        The ends, and what was seen, one sentence each.

    Raises:
        DataError: when the pictures do not tell and neither does the user.
    """
    if not larger:
        return surplus.Ends(), ()
    what = f"{len(larger)} masks are one pixel larger than their pictures"
    if told is not None:
        last = told == "last"
        return surplus.Ends(last, last), (f"{what}; the {told} row or column goes",)
    compared = [
        surplus.compare(read_image(pair.image, 1), read(pair)) for pair in larger[:_ENOUGH_MASKS]
    ]
    judged: list[bool] = []
    notes = []
    for axis, line in enumerate(("row", "column")):
        if not _too_large(larger, axis):
            judged.append(True)
            continue
        values = [result[axis] for result in compared]
        seen = surplus.judge([value for value in values if value is not None])
        if seen is None:
            raise DataError(
                f"masks/: {what}, and the edges of the pictures do not tell whether the first or "
                f"the last {line} is the surplus one; tell it with --surplus last or "
                "--surplus first"
            )
        judged.append(seen)
        end = "last" if seen else "first"
        notes.append(f"{what}; without the {end} {line} their borders lie on edges of the pictures")
    return surplus.Ends(*judged), tuple(notes)


def _too_large(pairs: Sequence[Pair], axis: int) -> bool:
    return any(
        image_size(next(iter(pair.masks.values())))[axis] != image_size(pair.image)[axis]
        for pair in pairs
    )
