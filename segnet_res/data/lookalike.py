"""Which pictures are near-copies of each other, in spite of light, encoding and small crops.

Two steps. A perceptual hash (imagehash.phash, 256 bits) of the picture with its light evened out
finds candidates; the correlation of the small pictures, shifted against each other, decides.

Measured with these functions on the 1010 magnetic tiles and 468 CamVid frames; distance of 256
bits, the correlation, and how many pairs pass both limits:

================================================ ================= ============== =======
pairs                                            distance          correlation    pass
================================================ ================= ============== =======
a copy: brighter, at 0.8 size, JPEG quality 70   8, at most 32     0.97 and more  all 300
the same, 1.5 % cropped from each side           28, at most 54    0.96 and more  all 300
the same, 3 % cropped from each side             54, at most 82    0.83 and more  99 %
photographs of one tile (group of two for some)  40, 90 % to 118   0.97           82 %
different tiles, 506,631 pairs                   80 at least       0.70 (*)       none
CamVid: train against val, 37,067 pairs          86 at least       0.55 at most   none
================================================ ================= ============== =======

Where a cell has two numbers or one alone, the first is the median. (*) At most, over the three
pairs within the limit of the distance. The plain 64-bit pHash was no choice: 1 % of the pairs of
different tiles were as near as 14 bits, and a copy cropped by 3 % as far as 22.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from segnet_res.images import UInt8Array, to_channels

HASH_DISTANCE = 80
CORRELATION = 0.85

# The size at which pictures are compared; 128 keeps a scratch of 2 % of the width.
_SIDE = 128
# How wide the light is taken to vary, and how much detail is smoothed away, in pixels of _SIDE.
_LIGHT, _DETAIL = 12.0, 2.0
# Shifts up to an eighth of the side are tried.
_MARGIN = _SIDE // 2 // 8

# Candidates whose correlation is looked at. More come only from pictures that are all alike, and
# then every further pair tells the same.
_MOST_PAIRS = 50_000
_ROWS = 256


@dataclass(frozen=True)
class Look:
    """What is kept of a picture to compare it with others; 4 kB.

    Attributes:
        bits: (4,) uint64, the hash.
        small: (64, 64) uint8, the picture with its light evened out.
    """

    bits: NDArray[np.uint64]
    small: UInt8Array


@dataclass(frozen=True)
class Pair:
    """Two pictures that look alike: their places in the sequence, and how alike they are."""

    first: int
    second: int
    correlation: float


def look(image: UInt8Array) -> Look:
    """Take in a picture (H, W, 1 or 3) uint8."""
    grey = to_channels(image, 1)[..., 0]
    # Ground surfaces and road scenes alike are told apart by structure, not by brightness.
    small = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    detail = small - cv2.GaussianBlur(small, (0, 0), _LIGHT)
    spread = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), _LIGHT)) + 2
    even = np.clip(128 + 40 * detail / spread, 0, 255).astype(np.uint8)
    hashed = imagehash.phash(Image.fromarray(even), hash_size=16, highfreq_factor=2)
    bits = np.packbits(np.asarray(hashed.hash, bool)).view(np.uint64)
    smooth = cv2.resize(cv2.GaussianBlur(even, (0, 0), _DETAIL), (_SIDE // 2, _SIDE // 2))
    return Look(bits, np.asarray(smooth, np.uint8))


def lookalikes(looks: Sequence[Look], parts: Sequence[int]) -> list[Pair]:
    """Find pictures of different parts that look alike.

    Args:
        looks: What `look` gave for each picture.
        parts: A number for each picture; pictures of one number are not compared. Splits, or the
            groups that are known already.

    Returns:
        The pairs, ordered; the first place of each is the smaller one.
    """
    candidates = _near_hashes(looks, np.asarray(parts))
    common = _common(looks)
    pairs = []
    for first, second in candidates:
        value = _correlation(looks[first].small, looks[second].small, common)
        if value >= CORRELATION:
            pairs.append(Pair(first, second, value))
    return pairs


def _near_hashes(looks: Sequence[Look], parts: NDArray[np.int_]) -> list[tuple[int, int]]:
    if len(looks) < 2:
        return []
    bits = np.stack([item.bits for item in looks])
    nearest = np.empty((0, 3), np.int64)
    for start in range(0, len(bits), _ROWS):
        rows = bits[start : start + _ROWS]
        distance = np.zeros((len(rows), len(bits)), np.uint16)
        for word in range(bits.shape[1]):
            distance += np.bitwise_count(rows[:, None, word] ^ bits[None, :, word])
        near = (distance <= HASH_DISTANCE) & (parts[start : start + len(rows), None] != parts[None])
        first, second = np.nonzero(np.triu(near, start + 1))
        # No more than needed: of parts photographed in one place nearly all are near each other.
        close = distance[first, second]
        order = np.argsort(close, kind="stable")[:_MOST_PAIRS]
        further = np.column_stack([close[order], first[order] + start, second[order]])
        pairs = np.concatenate([nearest, further.astype(np.int64)])
        nearest = pairs[np.argsort(pairs[:, 0], kind="stable")[:_MOST_PAIRS]]
    return sorted((int(first), int(second)) for _, first, second in nearest)


def _common(looks: Sequence[Look]) -> NDArray[np.float32]:
    """Return what all pictures have in common, (64, 64) float32.

    Parts that are photographed in one place all look alike; what tells them apart is their
    difference from the mean. Few pictures have no mean worth the name.
    """
    if len(looks) < 20:
        return np.full((_SIDE // 2, _SIDE // 2), 128, np.float32)
    mean: NDArray[np.float32] = np.mean([item.small for item in looks], axis=0, dtype=np.float32)
    return mean


def _correlation(first: UInt8Array, second: UInt8Array, common: NDArray[np.float32]) -> float:
    """Return the largest correlation over small shifts, -1 to 1; 0 for pictures of one tone."""
    whole = second - common
    center = np.ascontiguousarray((first - common)[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN])
    if center.std() < 1 or whole.std() < 1:
        return 0.0
    return float(cv2.matchTemplate(whole, center, cv2.TM_CCOEFF_NORMED).max())
