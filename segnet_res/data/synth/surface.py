"""The sound surface of a synthetic part: ground steel under a lamp.

What the photographs of the magnetic tiles show, and what is drawn here: vertical grinding streaks
that are bright where the lamp is mirrored and nearly vanish elsewhere; one to three broad lobes of
light; a fine grain; edges that turn dark, with a chamfer that is bright again; a dark gap below
the part; stains that are no defects.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

FloatImage = NDArray[np.float32]  # (H, W)


@dataclass
class Surface:
    """The layers of a part's surface, each (H, W) float32; 1 is an ordinary brightness.

    Attributes:
        light: Brightness of the surface without its streaks.
        gloss: How much of the lamp is mirrored, 0 to about 1.5.
        streaks: Grinding streaks, mean 0.
        grain: Fine grain, mean 0.
        shade: Factor for edges, gaps and stains, 0 to about 1.5.
    """

    light: FloatImage
    gloss: FloatImage
    streaks: FloatImage
    grain: FloatImage
    shade: FloatImage

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        height, width = self.light.shape
        return height, width

    def compose(self) -> FloatImage:
        """Return the light that leaves the surface, (H, W) float32, at least 0."""
        metal = self.light * (1 + self.grain) + self.streaks * (0.3 + self.gloss)
        return np.asarray(np.maximum(metal * self.shade, 0), np.float32)


def draw_surface(rng: np.random.Generator, size: tuple[int, int]) -> Surface:
    """Draw a sound surface of ``size`` (height, width)."""
    gloss = draw_gloss(rng, size)
    light = (0.62 + 0.5 * gloss + 0.08 * noise(rng, size, (0.8, 0.3))).astype(np.float32)
    shade = np.clip(_sides(rng, size) * _gap(rng, size) * _stains(rng, size), 0, 1.6)
    return Surface(light, gloss, draw_streaks(rng, size), draw_grain(rng, size), shade)


def noise(
    rng: np.random.Generator, size: tuple[int, int], scale: tuple[float, float]
) -> FloatImage:
    """Return smooth noise of standard deviation 1 (H, W).

    Args:
        rng: Where the numbers come from.
        size: (height, width).
        scale: Length of its waves (down, across): pixels, or shares of the size when below 1.
    """
    cells = [
        max(2, round(side / (step if step >= 1 else step * side)) + 2)
        for side, step in zip(size, scale, strict=True)
    ]
    coarse = rng.standard_normal(cells, dtype=np.float32)
    fine = cv2.resize(coarse, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray((fine - fine.mean()) / (fine.std() + 1e-6), np.float32)


def grid(size: tuple[int, int]) -> tuple[FloatImage, FloatImage]:
    """Return rows and columns of every pixel as shares of the size, each (H, W) in 0..1."""
    rows, columns = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32)
    return rows / max(size[0] - 1, 1), columns / max(size[1] - 1, 1)


def draw_gloss(rng: np.random.Generator, size: tuple[int, int]) -> FloatImage:
    """Return one to three lobes of mirrored light, tall rather than wide."""
    rows, columns = grid(size)
    gloss = np.zeros(size, np.float32)
    for _ in range(rng.integers(1, 4)):
        row, column = rng.choice([0.05, 0.5, 0.95]) + rng.normal(0, 0.15), rng.uniform(0, 1)
        down, across = rng.uniform(0.2, 0.7), rng.uniform(0.07, 0.3)
        lobe = np.exp(-(((rows - row) / down) ** 2) - ((columns - column) / across) ** 2)
        gloss += rng.uniform(0.25, 0.8) * lobe
    # The lamp's edge, seen in the metal, is not smooth.
    return np.clip(gloss * (1 + 0.18 * noise(rng, size, (0.4, 0.05))), 0, 1.5).astype(np.float32)


def draw_streaks(rng: np.random.Generator, size: tuple[int, int]) -> FloatImage:
    """Return grinding streaks: fine ones everywhere, some long bright and a few dark ones."""
    height, width = size
    # Drawn larger and turned, for no part lies quite straight.
    margin = 12 + height // 12
    canvas = (height + 2 * margin, width + 2 * margin)
    streaks = 0.09 * noise(rng, canvas, (0.5, 1.5)) + 0.06 * noise(rng, canvas, (0.9, 4))
    streaks += 0.05 * noise(rng, canvas, (18, 1.3)) + 0.03 * noise(rng, canvas, (7, 1))
    # More bright than dark: a ridge mirrors the lamp, a furrow only misses it.
    streaks = np.where(streaks > 0, 1.25, 0.85) * streaks
    lines = np.zeros(canvas[1], np.float32)
    count = int(rng.integers(4, 8 + width // 9))
    strength = rng.gamma(1.1, 0.20, count) * rng.choice([1, 1, 1, -0.5], count)
    lines[rng.integers(0, canvas[1], count)] = strength
    wide = cv2.GaussianBlur(lines[None], (0, 0), rng.uniform(0.5, 1.1), sigmaY=0.01)
    # Blurring spreads a line's light; its brightness shall stay.
    gain = float(np.abs(strength).max()) / max(float(np.abs(wide).max()), 1e-6)
    presence = np.clip(0.55 + 0.55 * noise(rng, canvas, (0.3, 3)), 0, 1.6)
    streaks = np.asarray(streaks + gain * wide * presence, np.float32)
    turn = cv2.getRotationMatrix2D((canvas[1] / 2, canvas[0] / 2), rng.normal(0, 1.2), 1)
    turned = cv2.warpAffine(
        streaks, turn, (canvas[1], canvas[0]), borderMode=cv2.BORDER_REFLECT_101
    )
    return np.ascontiguousarray(turned[margin : margin + height, margin : margin + width])


def draw_grain(rng: np.random.Generator, size: tuple[int, int]) -> FloatImage:
    """Return the fine grain of ground metal."""
    fine = rng.standard_normal(size, dtype=np.float32)
    blurred = cv2.GaussianBlur(fine, (0, 0), sigmaX=0.5, sigmaY=1.3)
    return np.asarray(
        rng.uniform(0.025, 0.05) * blurred / blurred.std() + 0.015 * noise(rng, size, (6, 4)),
        np.float32,
    )


def _sides(rng: np.random.Generator, size: tuple[int, int]) -> FloatImage:
    """Return the factor of the left and right edges: falling off, or a chamfer beside a groove."""
    rows, columns = grid(size)
    shade: FloatImage = np.ones(size, np.float32)
    tilt = rng.normal(0, 0.012)
    for distance in (columns + tilt * (rows - 0.5), 1 - columns - tilt * (rows - 0.5)):
        kind = rng.random()
        if kind < 0.45:
            depth, reach = rng.uniform(0.3, 0.75), rng.uniform(0.05, 0.2)
            falling = 1 - depth * np.exp(-((np.maximum(distance, 0) / reach) ** 2))
            shade = np.asarray(shade * falling, np.float32)
        elif kind < 0.7:
            # The chamfer mirrors the lamp elsewhere than the face does; a groove parts them.
            border, soft = rng.uniform(0.03, 0.09), 0.006
            outside = 1 / (1 + np.exp(np.clip((distance - border) / soft, -50, 50)))
            groove = np.exp(-(((distance - border) / 0.012) ** 2))
            shade *= 1 - 0.45 * groove + outside * rng.uniform(-0.5, 0.5)
            shade *= 1 - 0.8 * np.exp(-((np.maximum(distance, 0) / 0.014) ** 2))
    return shade.astype(np.float32)


def _gap(rng: np.random.Generator, size: tuple[int, int]) -> FloatImage:
    """Return the factor of the dark gap that some parts show along an arched lower edge."""
    rows, columns = grid(size)
    if rng.random() > 0.3:
        return np.ones(size, np.float32)
    arch = rng.uniform(-0.04, 0.05) * (2 * columns - 1) ** 2
    edge = 1 - rng.uniform(0.01, 0.05) - np.maximum(arch, 0)
    beyond = 1 / (1 + np.exp(np.clip(-(rows - edge) / 0.004, -50, 50)))
    lip = np.exp(-(((rows - edge + 0.012) / 0.008) ** 2))
    return np.asarray((1 - 0.8 * beyond) * (1 + 0.25 * lip), np.float32)


def _stains(rng: np.random.Generator, size: tuple[int, int]) -> FloatImage:
    """Return the factor of stains, scribbles and specks, which are no defects."""
    height, width = size
    stain = np.zeros(size, np.float32)
    if rng.random() < 0.6:
        blotch = noise(rng, size, (0.15, 0.15))
        where = np.clip(noise(rng, size, (0.4, 0.4)) - 0.3, 0, 1)
        # Water leaves a rim: the level lines of smooth noise have its shape.
        rim = np.exp(-((blotch / 0.10) ** 2))
        stain += where * rim * rng.uniform(0.05, 0.14)
    for _ in range(rng.poisson(1.5)):
        layer = np.zeros(size, np.float32)
        steps = rng.normal(0, 1, (int(rng.integers(6, 20)), 2)).cumsum(axis=0) * rng.uniform(2, 5)
        points = steps + rng.uniform(0, 1, 2) * (width, height)
        cv2.polylines(layer, [np.int32(points)], False, 1.0, 1, cv2.LINE_AA)  # type: ignore[list-item]
        stain += cv2.GaussianBlur(layer, (0, 0), rng.uniform(1.2, 2.5)) * rng.uniform(0.12, 0.3)
    for _ in range(rng.poisson(2.5)):
        center = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        layer = np.zeros(size, np.float32)
        cv2.circle(layer, center, 1, 1.0, -1, cv2.LINE_AA)
        stain += cv2.GaussianBlur(layer, (0, 0), 0.8) * rng.uniform(0.1, 0.4)
    return np.clip(1 - stain, 0.35, 1).astype(np.float32)
