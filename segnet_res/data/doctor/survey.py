"""What masks hold: one pass over all files that counts numbers, colours and transparent pixels."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnet_res.classes import Color
from segnet_res.errors import ImageError
from segnet_res.images import UInt8Array
from segnet_res.images.decoding import decode, enough_memory
from segnet_res.images.masks import STRETCHED

# Of files with more different numbers the set is not kept: they hold noise, not labels.
_MOST_IN_SET = 64


@dataclass(frozen=True)
class RawMask:
    """A mask as its file holds it.

    Attributes:
        numbers: (H, W) uint8 or uint16 grey values or indices of a palette; None for colours.
        colors: (H, W, 3) uint8; None where the file is grey, or colour without any.
        palette: (256, 3) uint8 colours of the indices; None where there is no palette.
        transparent: (H, W) bool where alpha is below half; None where no pixel is.
        alpha: Whether the file has alpha at all.
    """

    numbers: NDArray[np.uint8] | NDArray[np.uint16] | None
    colors: UInt8Array | None
    palette: UInt8Array | None
    transparent: NDArray[np.bool_] | None
    alpha: bool

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        values = self.numbers if self.numbers is not None else self.colors
        assert values is not None
        return values.shape[0], values.shape[1]

    def as_colors(self) -> UInt8Array:
        """Return (H, W, 3) uint8, whatever the file holds; 16 bits must not be asked for."""
        if self.colors is not None:
            return self.colors
        assert self.numbers is not None
        if self.palette is not None:
            return self.palette[self.numbers]
        return np.repeat(self.numbers.astype(np.uint8)[..., None], 3, axis=2)


def is_lossy(path: Path) -> bool:
    """Tell whether a file is one whose pixels are not quite what was saved."""
    return path.suffix.lower() in (".jpg", ".jpeg")


def read_raw(path: Path) -> RawMask:
    """Read a mask without making sense of it.

    Raises:
        ImageError: when the file cannot be read, or holds fractions or numbers beyond 16 bits.
    """
    with enough_memory(path):
        decoded = decode(path)
        image = decoded.image
        alpha: NDArray[np.uint8] | None = None
        if image.mode in ("LA", "PA", "RGBA"):
            alpha = np.array(image.getchannel("A"))
        elif "transparency" in image.info and image.mode in ("1", "L", "P", "RGB"):
            # One colour, or some of a palette, that PNG calls transparent.
            alpha = np.array(image.convert("RGBA").getchannel("A"))
        palette: UInt8Array | None = None
        if image.mode in ("P", "PA"):
            listed = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
            palette = np.zeros((256, 3), np.uint8)
            palette[: len(listed)] = listed
        if image.mode in ("LA", "PA"):
            image = image.getchannel(0)
        numbers: NDArray[np.uint8] | NDArray[np.uint16] | None = None
        colors: UInt8Array | None = None
        if image.mode in ("1", "L", "P") or image.mode.startswith("I"):
            numbers = _numbers(np.array(image), path)
            # Pillow stretches grey of 2 and 4 bits to 0..255.
            numbers = numbers // STRETCHED.get(decoded.raw_mode, 1)
        elif image.mode == "F":
            raise ImageError(f"{path.name}: holds fractions; save the mask as 8-bit PNG")
        else:
            colors = np.array(image.convert("RGB"))
            if (colors == colors[..., :1]).all():
                numbers, colors = np.ascontiguousarray(colors[..., 0]), None
        transparent = None if alpha is None or (alpha >= 128).all() else alpha < 128
    return RawMask(numbers, colors, palette, transparent, alpha is not None)


def _numbers(values: NDArray[Any], path: Path) -> NDArray[np.uint8] | NDArray[np.uint16]:
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise ImageError(
            f"{path.name}: holds numbers from {low} to {high}; save the mask as 8-bit PNG"
        )
    return values.astype(np.uint8) if high <= 255 else values.astype(np.uint16)


@dataclass
class Survey:
    """What the masks of a source hold together.

    Attributes:
        files: How many were read.
        kinds: How many are "grey", "palette" or "colour".
        lossy: How many are JPEG files.
        numbers: Opaque pixels of each grey value or index of a palette.
        sets: How many files hold exactly these numbers; those of very many are left out.
        colors: Opaque pixels of each colour of all files, as 0xrrggbb; grey of 16 bits is none.
        meanings: The colours that palettes give to each index that occurs.
        transparent: Pixels with alpha below half.
        alpha: How many files have alpha.
    """

    files: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    lossy: int = 0
    numbers: Counter[int] = field(default_factory=Counter)
    sets: Counter[frozenset[int]] = field(default_factory=Counter)
    colors: Counter[int] = field(default_factory=Counter)
    meanings: dict[int, set[Color]] = field(default_factory=dict)
    transparent: int = 0
    alpha: int = 0

    def add(self, raw: RawMask, *, lossy: bool = False) -> None:
        """Take in one file."""
        self.files += 1
        self.lossy += lossy
        self.alpha += raw.alpha
        opaque: slice | NDArray[np.bool_] = slice(None)
        if raw.transparent is not None:
            self.transparent += int(raw.transparent.sum())
            opaque = ~raw.transparent
        if raw.numbers is None:
            assert raw.colors is not None
            self.kinds["colour"] += 1
            self.colors.update(_counted(codes_of(raw.colors)[opaque]))
            return
        counts = _counted(raw.numbers[opaque])
        self.numbers.update(counts)
        if len(counts) <= _MOST_IN_SET:
            self.sets[frozenset(counts)] += 1
        self.kinds["grey" if raw.palette is None else "palette"] += 1
        for number, count in counts.items():
            if raw.palette is not None:
                red, green, blue = raw.palette[number].tolist()
                self.meanings.setdefault(number, set()).add((red, green, blue))
                self.colors[(red << 16) + (green << 8) + blue] += count
            elif number <= 255:
                self.colors[number * 0x010101] += count


def codes_of(colors: UInt8Array) -> NDArray[np.int64]:
    """Return 0xrrggbb of (H, W, 3) uint8 colours, (H, W) int64."""
    red, green, blue = (colors[..., i].astype(np.int64) for i in range(3))
    return (red << 16) + (green << 8) + blue


def color_of(code: int) -> Color:
    """Return red, green and blue of 0xrrggbb."""
    return code >> 16, code >> 8 & 255, code & 255


def _counted(values: NDArray[np.integer]) -> dict[int, int]:
    found, counts = np.unique(values, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))
