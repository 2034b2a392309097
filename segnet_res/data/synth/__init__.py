"""Synthetic parts: magnetic tiles that never were, with exact masks.

They stand in where no photographs are at hand: as samples of the page, for the tests, and for a
first training. What each layer and defect imitates is told where it is drawn.
"""

import re
from collections.abc import Generator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from segnet_res.classes import MAGNETIC_TILE
from segnet_res.data.dataset import DatasetInfo, Sample, save_info
from segnet_res.data.importers import ImportReport, Step
from segnet_res.data.shares import count_labels
from segnet_res.data.splits import assign_splits, write_splits
from segnet_res.data.storage import new_folder
from segnet_res.data.synth.defects import DEFECTS
from segnet_res.data.synth.surface import FloatImage, draw_surface
from segnet_res.errors import UsageError
from segnet_res.images import UInt8Array, write_image, write_mask

INFO = DatasetInfo("synthetic-parts", MAGNETIC_TILE, 1)

# (height, width) of the kinds of tiles in the data set.
_SIZES = ((360, 480), (287, 118), (250, 190), (375, 260), (270, 220), (350, 355), (373, 505),
          (312, 515), (245, 600))  # fmt: skip

# Mean grey of the photographs under the six exposures.
_EXPOSURES = (48, 66, 84, 102, 124, 150)

# What the pictures of a dataset show in turn; the gaps are sound parts.
_SCHEDULE: tuple[tuple[str, ...], ...] = (
    ("blowhole",), (), ("break",), (), ("crack",), (), ("fray",), (), ("uneven",),
)  # fmt: skip


def draw_part(
    rng: np.random.Generator,
    *,
    size: tuple[int, int] | None = None,
    defects: Sequence[str] | None = None,
) -> Sample:
    """Draw one part with its mask.

    Args:
        rng: Where the numbers come from; the same state draws the same part.
        size: (height, width), at least 32 each; None for the size of some real tile.
        defects: Names of the defects it has; none for a sound part, None for chance to choose.

    Returns:
        A sample without a stem: image (H, W, 1) uint8, labels (H, W) uint8 of `MAGNETIC_TILE`.

    Raises:
        UsageError: when the size is too small or no defect has such a name.
    """
    if size is None:
        height, width = _SIZES[rng.integers(len(_SIZES))]
        size = (round(height * rng.uniform(0.96, 1.04)), round(width * rng.uniform(0.96, 1.04)))
    _check_size(size)
    if defects is None:
        defects = _SCHEDULE[rng.integers(len(_SCHEDULE))]
    unknown = sorted(set(defects) - set(DEFECTS))
    if unknown:
        raise UsageError(f"no defect is called {unknown[0]!r}; known are {', '.join(DEFECTS)}")
    surface = draw_surface(rng, size)
    labels = np.zeros(size, np.uint8)
    for name, draw in DEFECTS.items():
        for _ in range(list(defects).count(name)):
            labels[draw(rng, surface) > 0.5] = MAGNETIC_TILE.index(name)
    return Sample("", _photograph(rng, surface.compose()), labels)


def _photograph(rng: np.random.Generator, light: FloatImage) -> UInt8Array:
    """Return what the camera makes of the light, (H, W, 1) uint8."""
    target = _EXPOSURES[rng.integers(len(_EXPOSURES))] * rng.uniform(0.9, 1.1)
    sharp = cv2.GaussianBlur(light, (0, 0), rng.uniform(0.45, 0.7))
    grey: NDArray[np.float32] = sharp * np.float32(target / max(float(sharp.mean()), 1e-6))
    # Bright spots run into saturation softly first.
    grey = np.where(grey > 200, 200 + 55 * np.tanh((grey - 200) / 70), grey)
    shot = rng.standard_normal(grey.shape, dtype=np.float32) * np.sqrt(1.2 + 0.02 * grey)
    return np.asarray(np.clip(np.rint(grey + shot), 0, 255), np.uint8)[..., None]


def synthesize(
    target: Path, *, count: int = 200, seed: int = 0, size: tuple[int, int] | None = None
) -> DatasetInfo:
    """Write a dataset of synthetic parts in one go; see `synthesize_steps`."""
    for _ in synthesize_steps(target, count=count, seed=seed, size=size):
        pass
    return INFO


def synthesize_steps(
    target: Path, *, count: int = 200, seed: int = 0, size: tuple[int, int] | None = None
) -> Generator[Step, None, ImportReport]:
    """Write a dataset of synthetic parts, yielding after each; the value is a report.

    Part ``i`` depends on ``seed`` and ``i`` alone: a larger count adds parts and changes none.
    Sound parts and each defect take turns; now and then a part has a second defect.

    Args:
        target: The dataset folder to make; it must not be there, or be empty.
        count: Number of parts, at least 1.
        seed: The same seed draws the same parts.
        size: (height, width) of all parts; None for sizes of real tiles.

    Raises:
        UsageError: when count, seed or size make no sense.
        StorageError: when the target is not empty or cannot be written.
    """
    if count < 1 or seed < 0:
        raise UsageError(f"count is {count} and seed {seed}; give at least 1 and at least 0")
    if size is not None:
        _check_size(size)
    counts: dict[str, NDArray[np.int64]] = {}
    with new_folder(target) as folder:
        yield Step(0, count)
        for index in range(count):
            rng = np.random.default_rng([seed, index])
            defects = list(_SCHEDULE[index % len(_SCHEDULE)])
            if defects and rng.random() < 0.15:
                defects.append(str(rng.choice(["blowhole", "crack", "break"])))
            sample = draw_part(rng, size=size, defects=defects)
            stem = f"part-{index:05d}"
            write_image(folder / "images" / f"{stem}.png", sample.image)
            write_mask(folder / "masks" / f"{stem}.png", sample.labels)
            counts[stem] = count_labels(sample.labels, len(MAGNETIC_TILE))
            yield Step(index + 1, count)
        strata = {stem: np.flatnonzero(pixels).tolist() for stem, pixels in counts.items()}
        splits = assign_splits({stem: stem for stem in counts}, seed=seed, strata=strata)
        splits = {name: stems for name, stems in splits.items() if stems}
        write_splits(folder, splits)
        save_info(folder, INFO)
    return ImportReport(
        target,
        INFO,
        {name: len(stems) for name, stems in splits.items()},
        {name: np.sum([counts[stem] for stem in stems], axis=0) for name, stems in splits.items()},
    )


def parse_size(text: str) -> tuple[int, int]:
    """Read ``HxW``.

    Raises:
        UsageError: when the text is something else.

    >>> parse_size("360x480")
    (360, 480)
    """
    match = re.fullmatch(r"(\d+)x(\d+)", text.strip().lower())
    if match is None:
        raise UsageError(f"size is {text!r}; write height x width like 360x480")
    return int(match[1]), int(match[2])


def _check_size(size: tuple[int, int]) -> None:
    if not all(32 <= side <= 4096 for side in size):
        raise UsageError(
            f"size is {size[0]}x{size[1]}; give a height and width between 32 and 4096"
        )
