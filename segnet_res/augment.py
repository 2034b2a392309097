"""Joint changes of picture and mask for training: crops, then what albumentations offers."""

import os

# albumentations asks PyPI for a newer version on import unless told not to.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations as A
import cv2
import numpy as np
from numpy.typing import NDArray

from segnet_res.errors import UsageError
from segnet_res.images import UInt8Array
from segnet_res.recipe import AUGMENTATIONS

# Mirrored: black corners would be a texture that no part has.
_BORDER = cv2.BORDER_REFLECT_101

# A pasted pixel of a smaller share is hardly to be seen.
_TRACE = 0.05


def build_augmentation(name: str) -> A.Compose:
    """Return the changes that keep a picture's classes what they are.

    Args:
        name: ``inspection``: a part has no up or down, may lie a little askew or bent, and light,
            focus and noise vary. ``aligned``: as before, but all parts lie the same way, so that
            there are mirror images and no quarter turns. ``scene``: what is up stays up as well.
            ``none``: nothing.

    Returns:
        A callable on ``image=`` (H, W, C) uint8 and ``mask=`` (H, W) uint8; the size stays.

    Raises:
        UsageError: when the name is none of these.
    """
    light = [
        A.OneOf(
            [
                A.RandomBrightnessContrast(brightness_limit=0.25, contrast_limit=0.25),
                A.RandomGamma(gamma_limit=(70, 140)),
            ],
            p=0.6,
        ),
        A.OneOf(
            [
                A.GaussianBlur(blur_limit=(3, 5)),
                # Centred: a shifted kernel would move the picture and leave the mask.
                A.MotionBlur(blur_limit=(3, 5), allow_shifted=False, direction_range=(0, 0)),
            ],
            p=0.15,
        ),
        A.GaussNoise(std_range=(0.01, 0.04), p=0.25),
    ]
    if name == "inspection":
        shape = [A.D4(p=1.0), _bent(15, 5)]
    elif name == "aligned":
        shape = [A.HorizontalFlip(p=0.5), A.VerticalFlip(p=0.5), _bent(4, 3)]
    elif name == "scene":
        shape = [A.HorizontalFlip(p=0.5), A.Affine(rotate=(-4, 4), p=0.2, border_mode=_BORDER)]
    elif name == "none":
        return A.Compose([])
    else:
        raise UsageError(
            f"augmentation {name!r} is unknown; choose one of {', '.join(AUGMENTATIONS)}"
        )
    return A.Compose([*shape, *light])


def _bent(rotate: int, shear: int) -> A.OneOf:
    """Sometimes turn and shear by up to so many degrees, or bend."""
    return A.OneOf(
        [
            A.Affine(rotate=(-rotate, rotate), shear=(-shear, shear), p=1.0, border_mode=_BORDER),
            _bent_softly(),
        ],
        p=0.35,
    )


def _bent_softly() -> A.Sequential:
    """Bend by about one pixel, four at most: more would tear thin cracks."""
    sigma = 10
    # albumentations smooths the shifts as if those at the border went on beyond it, and they are
    # five times as large there: the border is moved out of the picture.
    margin = 3 * sigma
    return A.Sequential(
        [
            A.CropAndPad(
                px=margin, keep_size=False, sample_independently=False, border_mode=_BORDER
            ),
            A.ElasticTransform(alpha=120, sigma=sigma, p=1.0, border_mode=_BORDER),
            A.CropAndPad(px=-margin, keep_size=False, sample_independently=False),
        ],
        p=0.5,
    )


def random_crop(
    image: UInt8Array,
    labels: UInt8Array,
    *,
    size: int,
    scale: float,
    focus: int | None,
    ignore_index: int,
    rng: np.random.Generator,
    zoom: float = 1.0,
) -> tuple[UInt8Array, UInt8Array]:
    """Cut a square out of a picture and its mask at a random scale.

    Args:
        image: (H, W, C) uint8.
        labels: (H, W) uint8.
        size: Height and width of the crop in pixels.
        scale: The picture is enlarged by a factor between 1/scale and scale, evenly drawn on a
            logarithmic scale.
        focus: A label; the crop is cut around one of its pixels, where there is one. Shrinking may
            drop a label that is narrower than the factor. None: anywhere.
        ignore_index: Label of pixels that count nowhere.
        rng: Where chance comes from.
        zoom: A further factor by which the picture is enlarged, always the same.

    Returns:
        (size, size, C) uint8 and (size, size) uint8. Beyond the picture's border the picture is
        mirrored and the labels are ``ignore_index``.
    """
    factor = zoom * scale ** rng.uniform(-1, 1)
    window = max(1, round(size / factor))
    height, width = labels.shape
    spot = None if focus is None else _any_pixel(labels == focus, rng)
    if spot is not None:
        y, x = spot
        # The pixel may lie anywhere in the crop: always in the middle would be learnt.
        top, left = y - int(rng.integers(window)), x - int(rng.integers(window))
        top, left = _inside(top, height, window), _inside(left, width, window)
    else:
        top = _anywhere(height, window, rng)
        left = _anywhere(width, window, rng)
    picture, mask = _window(image, labels, top, left, window, ignore_index)
    if window == size:
        return picture, mask
    shrinks = window > size
    resized = cv2.resize(
        picture, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )
    mask = np.asarray(
        cv2.resize(mask, (size, size), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8
    )
    # OpenCV drops the last axis of a grey picture.
    return np.asarray(resized, np.uint8).reshape(size, size, image.shape[2]), mask


def paste(
    image: UInt8Array,
    labels: UInt8Array,
    donor: UInt8Array,
    donor_labels: UInt8Array,
    *,
    background: int,
    ignore_index: int,
) -> tuple[UInt8Array, UInt8Array]:
    """Put the defects of one picture into another, as bright against their surroundings as before.

    Copy-paste (Ghiasi et al., CVPR 2021) for defects, which fade into the part: the edge is soft,
    and the donor's grey level is moved so that both surroundings are equally bright.

    Args:
        image: (H, W, C) uint8.
        labels: (H, W) uint8.
        donor: (H, W, C) uint8, the picture that has the defects.
        donor_labels: (H, W) uint8.
        background: Label of what is no defect.
        ignore_index: Label of pixels that count nowhere; no defect is pasted there, nor from there,
            and what the soft edge takes from there counts nowhere either.

    Returns:
        A new picture and its labels.
    """
    defects = (donor_labels != background) & (donor_labels != ignore_index)
    defects &= labels != ignore_index
    if not defects.any():
        return image, labels
    weight = cv2.GaussianBlur(cv2.dilate(defects.astype(np.float32), np.ones((5, 5))), (0, 0), 1.5)
    around = cv2.dilate(defects.astype(np.uint8), np.ones((15, 15))) > 0
    around &= ~defects & (donor_labels == background) & (labels == background)
    moved = donor.astype(np.float32)
    if around.any():
        moved += image[around].mean(axis=0, dtype=np.float64) - donor[around].mean(axis=0)
    mixed = image + weight[..., None] * (moved - image)
    pasted = np.where(defects, donor_labels, labels)
    # What nobody could judge beside the defect, such as its fringe, nobody can judge here.
    pasted[(weight > _TRACE) & (donor_labels == ignore_index)] = ignore_index
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8), pasted


def _any_pixel(found: NDArray[np.bool_], rng: np.random.Generator) -> tuple[int, int] | None:
    """Draw row and column of a true pixel of (H, W); None where there is none.

    By rows first: the places of all pixels would take eight times the memory of the picture.
    """
    ends = np.count_nonzero(found, axis=1).cumsum()
    if not ends[-1]:
        return None
    drawn = int(rng.integers(ends[-1]))
    row = int(np.searchsorted(ends, drawn, side="right"))
    column = np.flatnonzero(found[row])[drawn - ends[row]]  # negative: from the end of the row
    return row, int(column)


def _inside(start: int, length: int, window: int) -> int:
    """Move a window into the picture as far as it fits."""
    low, high = sorted((0, length - window))
    return min(max(start, low), high)


def _anywhere(length: int, window: int, rng: np.random.Generator) -> int:
    low, high = sorted((0, length - window))
    return int(rng.integers(low, high + 1))


def _window(
    image: UInt8Array, labels: UInt8Array, top: int, left: int, window: int, ignore_index: int
) -> tuple[UInt8Array, UInt8Array]:
    """Cut a window that may reach beyond the picture."""
    height, width = labels.shape
    above, before = max(0, -top), max(0, -left)
    below, after = max(0, top + window - height), max(0, left + window - width)
    y, x = max(0, top), max(0, left)
    image = image[y : top + window, x : left + window]
    labels = labels[y : top + window, x : left + window]
    if above or before or below or after:
        margins = ((above, below), (before, after))
        image = np.pad(image, (*margins, (0, 0)), mode="symmetric")
        # Padding gets ignore_index: class 0 would teach that borders are sound.
        labels = np.pad(labels, margins, constant_values=ignore_index)
    # Copies: the pictures are read once and cut many times.
    return image.copy(), labels.copy()
