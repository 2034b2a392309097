"""Synthetic parts with exact masks, for a first look at the page without any picture at hand."""

import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segnet_res.classes import MAGNETIC_TILE, ClassMap
from segnet_res.images import write_image, write_mask

_SIZE = (320, 416)


@dataclass(frozen=True)
class SamplePart:
    """A drawn part.

    Attributes:
        name: What it shows, such as "crack".
        image: The picture, PNG.
        mask: Its exact labels, index PNG.
    """

    name: str
    image: Path
    mask: Path


class Samples:
    """One sound part and one for each kind of defect, drawn once, when first asked for.

    Args:
        folder: Where the files go.
    """

    class_map: ClassMap = MAGNETIC_TILE

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts: dict[str, SamplePart] = {}
        self._lock = threading.Lock()

    def parts(self) -> dict[str, SamplePart]:
        """Return the parts by name."""
        with self._lock:
            if not self._parts:
                self._parts = {part.name: part for part in self._draw()}
        return self._parts

    def _draw(self) -> list[SamplePart]:
        from segnet_res.data.synth import draw_part

        parts = []
        for seed, name in enumerate(self.class_map.names):
            sound = seed == 0
            rng = np.random.default_rng(seed)
            drawn = draw_part(rng, size=_SIZE, defects=[] if sound else [name])
            label = "sound" if sound else name
            part = SamplePart(
                label,
                self._folder / f"sample-{label}.png",
                self._folder / f"sample-{label}-mask.png",
            )
            write_image(part.image, drawn.image)
            write_mask(part.mask, drawn.labels)
            parts.append(part)
        return parts
