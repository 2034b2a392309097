"""Small data sets made by hand."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Write = Callable[..., Path]


@pytest.fixture
def picture() -> Write:
    """Writes a grey picture of smooth noise, so that no two seeds look alike."""

    def write(path: Path, *, size: tuple[int, int] = (40, 48), seed: int = 0) -> Path:
        rng = np.random.default_rng(seed)
        coarse = rng.integers(0, 256, (8, 8)).astype(np.uint8)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(coarse).resize(size[::-1], Image.Resampling.BICUBIC).save(path)
        return path

    return write


@pytest.fixture
def mask() -> Write:
    """Writes a mask of 0 whose upper left pixels hold the given values, one each."""

    def write(path: Path, *values: int, size: tuple[int, int] = (40, 48)) -> Path:
        labels = np.zeros(size, np.uint8)
        labels.flat[: len(values)] = values
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(labels).save(path, format="PNG")
        return path

    return write


@pytest.fixture
def tiles(tmp_path: Path, picture: Write, mask: Write) -> Path:
    """A source like the magnetic-tile data set: two crack tiles, one fray tile, three sound."""
    root = tmp_path / "tiles-source"
    frames = {
        "MT_Crack": [[(1, 1000), (2, 1020)], [(1, 9000), (3, 9050)]],
        "MT_Fray": [[(2, 20000)]],
        "MT_Free": [[(1, 30000), (2, 30030)], [(1, 40000)], [(1, 50000)]],
    }
    seed = 0
    for folder, groups in frames.items():
        for group in groups:
            seed += 1
            for exposure, frame in group:
                path = root / folder / "Imgs" / f"exp{exposure}_num_{frame}.jpg"
                picture(path, seed=seed)
                # As in the source: nothing is clean 0 or 255. 127 is sound, 128 is defect.
                values = (200, 128, 127, 20) if folder != "MT_Free" else ()
                mask(path.with_suffix(".png"), *values)
    return root
