"""From the contents of one mask to labels, noise and soft edges taken back."""

import cv2
import numpy as np
from numpy.typing import NDArray

from segnet_res.classes import Color
from segnet_res.data.doctor.reading import Reading, reach_of
from segnet_res.data.doctor.survey import RawMask, codes_of
from segnet_res.errors import DataError
from segnet_res.images import UInt8Array

# Noise and blur reach this far from an edge. A pixel of no known colour that is farther from every
# sure one is no noise, but a class that nobody told.
_FAR = 6
_FIVE = np.ones((5, 5), np.uint8)


def labels_of(raw: RawMask, reading: Reading, name: str) -> UInt8Array:
    """Return the labels of a mask, (H, W) uint8.

    Raises:
        DataError: when the mask holds a number or colour that the reading does not know, in more
            than thin seams; ``name`` says in which file.
    """
    if reading.numbers is not None:
        if raw.numbers is None:
            raise DataError(f"{name}: holds colours and other masks numbers; export all alike")
        labels, sure = _from_numbers(raw, reading)
    else:
        labels, sure = _from_colors(raw, reading)
    if raw.transparent is not None:
        assert reading.transparent is not None
        labels[raw.transparent] = reading.transparent
        sure |= raw.transparent
    if sure.all():
        return labels
    far = cv2.distanceTransform((~sure).astype(np.uint8), cv2.DIST_C, 3) > _FAR
    if far.any() or not sure.any() or not reading.noisy:
        y, x = np.argwhere(far if far.any() else ~sure)[0]
        strange = (
            raw.numbers[y, x]
            if raw.numbers is not None and reading.numbers
            else f"#{codes_of(raw.as_colors())[y, x]:06x}"
        )
        raise DataError(
            f"{name}: holds {strange} at column {x}, row {y}, and nothing tells what that is; "
            "tell it with --map, or mend the mask"
        )
    return labels


def _from_numbers(raw: RawMask, reading: Reading) -> tuple[UInt8Array, NDArray[np.bool_]]:
    assert raw.numbers is not None
    assert reading.numbers is not None
    if reading.noisy:
        return _nearest(
            raw.numbers[..., None],
            [(n, n, n) for n in reading.numbers],
            [*reading.numbers.values()],
        )
    table = np.zeros(1 << 16, np.uint8)
    known = np.zeros(1 << 16, np.bool_)
    table[[*reading.numbers]] = [*reading.numbers.values()]
    known[[*reading.numbers]] = True
    return table[raw.numbers], known[raw.numbers]


def _from_colors(raw: RawMask, reading: Reading) -> tuple[UInt8Array, NDArray[np.bool_]]:
    assert reading.colors is not None
    colors = raw.as_colors()
    if reading.noisy:
        return _nearest(colors, [*reading.colors], [*reading.colors.values()])
    codes = codes_of(colors)
    labels = np.zeros(codes.shape, np.uint8)
    known = np.zeros(codes.shape, np.bool_)
    for (red, green, blue), label in reading.colors.items():
        here = codes == (red << 16) + (green << 8) + blue
        labels[here] = label
        known |= here
    return labels, known


def _nearest(
    pixels: NDArray[np.integer], centres: list[Color], labels: list[int]
) -> tuple[UInt8Array, NDArray[np.bool_]]:
    """Return labels and which pixels are surely of a centre's colour.

    A pixel between two regions has a mixed colour, which may be that of a third class. So only
    classes that are surely within two pixels are candidates for it.
    """
    channels = pixels.shape[2]
    wide = pixels.astype(np.int32)
    distance = np.stack(
        [np.abs(wide - np.array(c[:channels], np.int32)).max(axis=2) for c in centres]
    )
    nearest = distance.argmin(axis=0)
    sure = np.take_along_axis(distance, nearest[None], 0)[0] <= reach_of(centres)
    sure &= ~_rims(nearest, sure, centres)
    here = np.stack([((nearest == i) & sure).astype(np.uint8) for i in range(len(centres))])
    around = np.stack([cv2.dilate(part, _FIVE) for part in here]).astype(np.bool_)
    chosen = np.where(around, distance, 1000).argmin(axis=0)
    # Where none is near, the nearest sure pixel counts.
    lost = ~sure & ~around.any(axis=0)
    if lost.any() and sure.any():
        _, places = cv2.distanceTransformWithLabels(
            (~sure).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
        )
        owner = np.zeros(int(places.max()) + 1, np.intp)
        owner[places[sure]] = nearest[sure]
        chosen[lost] = owner[places[lost]]
    chosen[sure] = nearest[sure]
    return np.array(labels, np.uint8)[chosen], sure


def _rims(
    nearest: NDArray[np.intp], sure: NDArray[np.bool_], centres: list[Color]
) -> NDArray[np.bool_]:
    """Return pixels whose colour is a third class's only because two others mix there."""
    rims = np.zeros(sure.shape, np.bool_)
    present = [i for i in range(len(centres)) if (sure & (nearest == i)).any()]
    for third in present:
        between = [
            (a, b)
            for a in present
            for b in present
            if a < b and third not in (a, b) and _mixes(centres[a], centres[b], centres[third])
        ]
        if not between:
            continue
        own = ((nearest == third) & sure).astype(np.uint8)
        thin = own.astype(np.bool_) & (cv2.morphologyEx(own, cv2.MORPH_OPEN, _FIVE[:3, :3]) == 0)
        for a, b in between:
            near = [cv2.dilate(((nearest == i) & sure).astype(np.uint8), _FIVE) > 0 for i in (a, b)]
            rims |= thin & near[0] & near[1]
    return rims


def _mixes(first: Color, second: Color, third: Color) -> bool:
    """Tell whether a mixture of two colours comes near a third."""
    a, b, c = (np.array(color, np.float64) for color in (first, second, third))
    along = b - a
    place = float(np.clip(np.dot(c - a, along) / max(1.0, float(np.dot(along, along))), 0, 1))
    return bool(np.abs(a + place * along - c).max() <= reach_of([first, second, third]))
