"""Pictures too large for an array: decoded once, and cut where pixels are needed."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from segnet_res.images.arrays import Channels, UInt8Array, to_channels
from segnet_res.images.decoding import MAX_LARGE_PIXELS, decode
from segnet_res.images.reading import as_uint8


class LargePicture:
    """A decoded picture as Pillow holds it: 4 bytes a pixel in colour, 1 in grey.

    As an array it would take as much again, and more while it is made.

    Args:
        image: Upright, of any mode.
        channels: What cuts are given as: 3 for RGB, 1 for grey.
        name: What errors call it.
        notes: As those of `segnet_res.images.Picture`.

    Attributes:
        channels: See above.
        shape: Height, width and channels of the whole.
        notes: See above.
    """

    def __init__(
        self, image: Image.Image, channels: Channels, *, name: str, notes: tuple[str, ...] = ()
    ) -> None:
        self._image = image
        self._name = name
        self.notes = notes
        self.channels: Channels = channels
        self.shape = (image.height, image.width, channels)

    @classmethod
    def open(cls, path: Path, channels: Channels) -> LargePicture:
        """Decode a file of up to `MAX_LARGE_PIXELS`; as `segnet_res.images.read_picture` else.

        Raises:
            ImageError: as `read_picture`; values without a range are found when they are cut.
        """
        decoded = decode(path, max_pixels=MAX_LARGE_PIXELS)
        return cls(decoded.image, channels, name=path.name, notes=decoded.notes)

    def __getitem__(self, place: tuple[slice, slice]) -> UInt8Array:
        """Cut rows and columns, (h, w, channels) uint8, the same as of the whole array.

        Raises:
            ImageError: when its values have no fixed range.
        """
        return to_channels(self._cut(*place), self.channels)

    def colors(self, rows: slice) -> UInt8Array:
        """Return rows in their own colours, (h, W, 3 or 1) uint8."""
        values = self._cut(rows, slice(0, self.shape[1]))
        return values if values.ndim == 3 else values[..., None]

    def canvas(self) -> Image.Image | None:
        """Return the picture itself to be painted over, where it is RGB; else None.

        It saves a copy: what is painted row by row needs the rows above no more.
        """
        return self._image if self._image.mode == "RGB" else None

    def _cut(self, rows: slice, columns: slice) -> UInt8Array:
        height, width, _ = self.shape
        top, bottom, _ = rows.indices(height)
        left, right, _ = columns.indices(width)
        return as_uint8(self._image.crop((left, top, right, bottom)), self._name)
