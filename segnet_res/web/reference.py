"""Reference masks: read in any of the forms that people save them in, and doubted where odd."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from segnet_res.classes import ClassMap, background
from segnet_res.errors import DataError, ImageError
from segnet_res.images import UInt8Array, image_size, labels_from_colors, read_image, read_mask
from segnet_res.render import class_pixels

# Endings by which a mask's name differs from its picture's. `pairing.js` knows them too.
_MASK_ENDINGS = re.compile(
    r"([-_. ](mask|masks|gt|truth|ground[-_ ]?truth|label|labels|labelids|seg|annotation))+$"
)

# A mask drawn in black and white and saved with loss has few pixels between the two.
_BLACK_AND_WHITE_SHARE = 0.98
_NEARLY = 40


@dataclass(frozen=True)
class Reference:
    """A mask to compare with.

    Attributes:
        labels: (H, W) uint8, labels of the class map or its `ignore_index`.
        warnings: Sentences about what looks wrong but does not stand in the way.
    """

    labels: UInt8Array
    warnings: tuple[str, ...] = ()


def names_match(picture: str, mask: str) -> bool:
    """Tell whether two file names look like a picture and its mask.

    >>> names_match("part 7.jpg", "part 7_mask.png"), names_match("part7.jpg", "part8.png")
    (True, False)
    """
    return part_name(picture) == part_name(mask)


def part_name(name: str) -> str:
    """Return what the names of a picture and its mask have in common.

    >>> part_name("Part 7_mask.PNG"), part_name("mask.png")
    ('part 7', 'mask')
    """
    plain = Path(name).stem.casefold()
    return _MASK_ENDINGS.sub("", plain) or plain


def read_reference(
    path: Path,
    shape: tuple[int, ...],
    class_map: ClassMap,
    *,
    picture: str | None = None,
    classes: tuple[str, ...] | None = None,
) -> Reference:
    """Read a mask of a picture's size.

    Besides class indices and the classes' colours it takes indices saved as RGB, palettes whose
    colours are the classes', and, where there is one class beside the background, black and white.

    Args:
        path: PNG, TIFF, BMP, WebP or JPEG.
        shape: (height, width) of the picture.
        class_map: What the labels must mean.
        picture: Name of the picture when a person chose the mask; another name gives a warning.
        classes: Names that the file's labels stand for, when they are known.

    Raises:
        ImageError: when the file cannot be read or holds no labels.
        DataError: when its size, labels or classes do not fit; the sentence says what to do.
    """
    height, width = image_size(path)
    if (height, width) != tuple(shape):
        raise DataError(
            f"{path.name}: the mask is {width}x{height}, the picture {shape[1]}x{shape[0]}; "
            "export the mask at the picture's size"
        )
    if classes is not None:
        labels, warnings = _translated(read_mask_as_stored(path), classes, class_map, path.name)
    else:
        labels, warnings = _understood(path, class_map)
    _check_labels(labels, class_map, path.name)
    if picture is not None and not names_match(picture, path.name):
        warnings = [
            f"The mask {path.name} and the picture {picture} have different names: "
            "check that they show the same part.",
            *warnings,
        ]
    return Reference(labels, (*warnings, *_doubts(labels, class_map, path.name)))


def read_mask_as_stored(path: Path) -> UInt8Array:
    """Read a mask of class indices, whatever its classes are.

    Raises:
        ImageError: when the file holds colours, or cannot be read.
    """
    # No colour belongs to a class of this map, so that colours are refused.
    return read_mask(path, ClassMap.from_names(["any"]))


def _translated(
    labels: UInt8Array, classes: tuple[str, ...], class_map: ClassMap, name: str
) -> tuple[UInt8Array, list[str]]:
    """Bring labels that stand for other classes, or another order, into those of the model."""
    if classes == class_map.names:
        return labels, []
    missing = [known for known in classes if known not in class_map.names]
    if missing:
        raise DataError(
            f"{name}: the mask has other classes than this checkpoint (it does not know "
            f"{', '.join(missing[:5])}), so there is no score; choose a checkpoint trained on "
            "these classes to compare"
        )
    table = np.full(256, class_map.ignore_index, np.uint8)
    table[: len(classes)] = [class_map.index(known) for known in classes]
    return np.asarray(table[labels], np.uint8), []


def _understood(path: Path, class_map: ClassMap) -> tuple[UInt8Array, list[str]]:
    """Read a mask that a person chose, in whichever form it was saved."""
    with Image.open(path) as opened:
        mode = opened.mode
    if mode == "P" and (labels := _by_palette(path, class_map)) is not None:
        return labels, [
            f"The colours of {path.name}'s palette are those of the classes, its indices are not: "
            "the colours were read."
        ]
    try:
        labels = read_mask(path, class_map)
    except ImageError:
        # Indices that a drawing program has saved as RGB look nearly black, and are no colours.
        if mode not in ("RGB", "RGBA") or (grey := _as_grey(path)) is None:
            raise
        if class_map.unknown(grey) and not _is_black_and_white(grey):
            raise
        labels = grey
    return _as_two_classes(labels, class_map, path.name)


def _by_palette(path: Path, class_map: ClassMap) -> UInt8Array | None:
    """Return labels by the colours of a palette file, where these say something else and fit."""
    indices = read_mask(path, class_map)
    try:
        labels = labels_from_colors(read_image(path), class_map, path.name)
    except ImageError:
        return None  # a palette for the eye, or none of these classes: the indices count
    return None if np.array_equal(indices, labels) else labels


def _as_grey(path: Path) -> UInt8Array | None:
    rgb = read_image(path)
    grey = rgb[..., 0]
    same = np.array_equal(grey, rgb[..., 1]) and np.array_equal(grey, rgb[..., 2])
    return np.ascontiguousarray(grey) if same else None


def _as_two_classes(
    labels: UInt8Array, class_map: ClassMap, name: str
) -> tuple[UInt8Array, list[str]]:
    """Read black and white where that can mean one thing only: the one class and the rest."""
    if not _is_black_and_white(labels):
        return labels, []
    empty = background(class_map)
    if empty is None or len(class_map) != 2:
        if not class_map.unknown(labels):
            return labels, []  # 0 and the label that means "not labelled": told as a doubt
        raise DataError(
            f"{name}: the mask is black and white, and there are {len(class_map)} classes that "
            f"white could mean; save class indices from 0 to {len(class_map) - 1} as 8-bit "
            "single-channel PNG"
        )
    white = 1 - empty
    read = np.where(labels > 127, white, empty).astype(np.uint8)
    return read, [f"{name} is black and white: white was read as {class_map.names[white]}."]


def _is_black_and_white(labels: UInt8Array) -> bool:
    counts = np.bincount(labels.ravel(), minlength=256)
    dark, bright = counts[:_NEARLY].sum(), counts[256 - _NEARLY :].sum()
    # Without the exact 0 and 255 of such files it is a mask of indices.
    ends = counts[0] + counts[255] >= 0.5 * labels.size
    between = labels.size - dark - bright
    small_labels = counts[1:_NEARLY].sum() > 0 and counts[_NEARLY : 256 - _NEARLY].sum() == 0
    if small_labels and counts[256 - _NEARLY : 255].sum() == 0:
        return False  # indices, some pixels not labelled
    return bool(bright and ends and between <= (1 - _BLACK_AND_WHITE_SHARE) * labels.size)


def _check_labels(labels: UInt8Array, class_map: ClassMap, name: str) -> None:
    unknown = class_map.unknown(labels)
    if unknown:
        listed = ", ".join(map(str, unknown[:5])) + (", ..." if len(unknown) > 5 else "")
        lossy = Path(name).suffix.lower() in (".jpg", ".jpeg")
        hint = " (JPEG blurs labels: export the mask as PNG)" if lossy else ""
        raise DataError(
            f"{name}: labels {listed} belong to no class; save class indices from 0 to "
            f"{len(class_map) - 1}, and {class_map.ignore_index} for pixels without a label{hint}"
        )


def _doubts(labels: UInt8Array, class_map: ClassMap, name: str) -> list[str]:
    """Return what makes a mask that can be read look wrong all the same."""
    pixels = class_pixels(labels, class_map)
    ignored = int((labels == class_map.ignore_index).sum())
    if not pixels.any():
        return [
            f"Every pixel of {name} is {class_map.ignore_index}, which means 'not labelled': "
            "there is nothing to compare."
        ]
    if ignored and not pixels[1:].any():
        return [
            f"{name} holds 0 and {class_map.ignore_index} only, and {class_map.ignore_index} "
            "means 'not labelled'. If it marks a defect, save class indices (1, 2, ...) instead."
        ]
    return []
