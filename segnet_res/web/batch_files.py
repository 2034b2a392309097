"""The files of a batch on disk, called by the numbers of the pictures."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from segnet_res.classes import ClassMap
from segnet_res.errors import ImageError, StorageError
from segnet_res.images import UInt8Array, write_image, write_mask
from segnet_res.render import overlay
from segnet_res.web.results import confidence_levels, levels_confidence
from segnet_res.web.storage import write_index_png

# What people see, of the pixels that count as defects by the limits ...
Seen = Literal["masks", "overlays", "thumbnails"]
_SUFFIXES: dict[Seen, str] = {"masks": ".png", "overlays": ".jpg", "thumbnails": ".jpg"}

# ... and what the model said, from which other limits are applied.
_RAW = ("labels", "levels")

# Room that a batch leaves on the disk: others work there too, and a full disk stops them all.
MIN_FREE_BYTES = 512 * 2**20

_THUMBNAIL_SIDE = 320

# JPEG has no room for longer sides.
_MAX_JPEG_SIDE = 65_500


@dataclass(frozen=True)
class BatchFiles:
    """Where the files of a batch lie.

    Attributes:
        folder: Folder of the batch.
        overlays: Whether to make overlays.
        version: Each time other pixels count, masks, overlays and thumbnails are made anew beside
            the old ones, so that those who look at them never see a mixture.
    """

    folder: Path
    overlays: bool
    version: int = 1

    def next(self) -> "BatchFiles":
        """Return the place for the next version."""
        return replace(self, version=self.version + 1)

    def path(self, kind: Seen, number: int) -> Path:
        """Return where a file of a picture lies, or would lie."""
        return self._seen() / kind / f"{number:06d}{_SUFFIXES[kind]}"

    def save_raw(self, number: int, labels: UInt8Array, confidence: NDArray[np.float32]) -> None:
        """Keep what the model said.

        Args:
            number: The picture.
            labels: (H, W) uint8.
            confidence: (H, W) float32, 0 to 1; kept in whole percent, as thresholds are.

        Raises:
            StorageError: when the disk is full.
        """
        check_room(self.folder)
        for kind, values in zip(_RAW, (labels, confidence_levels(confidence)), strict=True):
            path = self._raw(kind, number)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_index_png(path, values)

    def read_raw(self, number: int) -> tuple[UInt8Array, NDArray[np.float32]]:
        """Return labels (H, W) uint8 and confidence (H, W) float32 in whole percent.

        Raises:
            ImageError: when the files are gone.
        """
        labels, levels = (_read(self._raw(kind, number)) for kind in _RAW)
        return labels, levels_confidence(levels)

    def save_seen(
        self, number: int, image: UInt8Array, labels: UInt8Array, class_map: ClassMap
    ) -> None:
        """Write mask, overlay and thumbnail of a picture.

        Args:
            number: The picture.
            image: (H, W, 3) uint8 RGB.
            labels: (H, W) uint8.
            class_map: Says the colours.

        Raises:
            StorageError: when the disk is full.
        """
        check_room(self.folder)
        write_mask(self.path("masks", number), labels)
        painted = overlay(image, labels, class_map)
        if self.overlays and max(labels.shape) <= _MAX_JPEG_SIDE:
            write_image(self.path("overlays", number), painted)
        height, width = labels.shape
        scale = _THUMBNAIL_SIDE / max(height, width)
        if scale < 1:
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            # The mean of the pixels keeps a trace of the smallest defects.
            painted = np.asarray(cv2.resize(painted, size, interpolation=cv2.INTER_AREA), np.uint8)
        write_image(self.path("thumbnails", number), painted)

    def remove_seen(self) -> None:
        """Delete this version's masks, overlays and thumbnails."""
        shutil.rmtree(self._seen(), ignore_errors=True)

    def _seen(self) -> Path:
        return self.folder / f"seen-{self.version}"

    def _raw(self, kind: str, number: int) -> Path:
        return self.folder / "raw" / kind / f"{number:06d}.png"


def check_room(folder: Path, wanted: int = 0) -> None:
    """Refuse to fill the disk that others need too.

    Args:
        folder: Where something shall be written.
        wanted: Bytes that are about to be written.

    Raises:
        StorageError: when too little would be left.
    """
    free = shutil.disk_usage(folder).free - wanted
    if free < MIN_FREE_BYTES:
        raise StorageError(
            f"the disk of the page's temporary folder has {max(0, free) // 2**20} MB left for "
            "this; free some room, or start the page with TMPDIR on a larger disk"
        )


def _read(path: Path) -> UInt8Array:
    read = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if read is None:
        raise ImageError("its labels are no longer here; inspect the pictures again")
    return np.asarray(read, np.uint8)
