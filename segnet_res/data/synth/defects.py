"""The defects of a synthetic part, drawn as the masks of the magnetic-tile data set mark them.

Each function changes the layers of a surface and returns the defect's coverage (H, W) float32, 0
to 1; a pixel belongs to the defect where the coverage is above one half, so that picture and mask
come from one shape and agree to the pixel.
"""

from collections.abc import Callable
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from segnet_res.data.synth.surface import (
    FloatImage,
    Surface,
    draw_gloss,
    draw_grain,
    draw_streaks,
    grid,
    noise,
)

# Shapes are filled at four times the size and shrunk: edges get their share of a pixel.
_FINER = 4


def blowhole(rng: np.random.Generator, surface: Surface) -> FloatImage:
    """A pit that gas has left: round or elongated, dark, a little darker at its upper rim.

    About 110 pixels each in the photographs.
    """
    height, width = surface.size
    radius = rng.uniform(4.0, 7.5) * min(1, min(height, width) / 110)
    shape = (radius * rng.uniform(0.75, 1.1), radius * rng.choice([1.0, 1.0, 1.6]))
    center = rng.uniform(0.04, 0.96, 2) * (width, height)
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    wobble = 1 + 0.06 * rng.normal() * np.cos(2 * angle) + 0.05 * rng.normal() * np.sin(3 * angle)
    turn = rng.uniform(-0.5, 0.5)
    x, y = shape[0] * np.cos(angle) * wobble, shape[1] * np.sin(angle) * wobble
    points = np.column_stack(
        [x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)]
    )
    coverage = _soft(_filled(surface.size, points + center), 0.8)
    rows = np.arange(height, dtype=np.float32)[:, None]
    # Light comes from above: the upper wall lies in shadow, the floor catches some.
    depth = rng.uniform(0.42, 0.68) + 0.12 * np.clip((center[1] - rows) / radius, -1, 1)
    surface.shade *= 1 - coverage * depth
    surface.streaks *= 1 - coverage * 0.85
    return coverage


def crack(rng: np.random.Generator, surface: Surface) -> FloatImage:
    """A thin dark line that wanders, three to five pixels wide, often from an edge; may branch.

    About 330 pixels each in the photographs.
    """
    height, width = surface.size
    side = min(height, width)
    heading = np.pi / 2 + rng.normal(0, 0.35)
    start = np.array(
        [rng.uniform(0.1, 0.9) * width, rng.choice([0.0, rng.uniform(0.1, 0.6)]) * height]
    )
    if rng.random() < 0.35:
        start[1], heading = height - 1 - start[1], heading + np.pi
    length = rng.uniform(0.15, 0.4) * max(side, 150)
    lines = [_wander(rng, start, heading, length)]
    if rng.random() < 0.25:
        fork = lines[0][len(lines[0]) // 2]
        lines.append(_wander(rng, fork, heading + rng.choice([-0.7, 0.7]), length * 0.4))
    core = np.zeros((height * _FINER, width * _FINER), np.float32)
    thickness = rng.uniform(1.4, 2.8)
    for points in lines:
        for i, (first, second) in enumerate(pairwise(points)):
            # It closes towards its end.
            wide = thickness * (1 - 0.5 * i / len(points)) * rng.uniform(0.8, 1.2) * _FINER
            cv2.line(core, _fine(first), _fine(second), 1.0, max(1, round(wide)), cv2.LINE_AA)
    line = np.asarray(cv2.resize(core, (width, height), interpolation=cv2.INTER_AREA), np.float32)
    dark = _soft(line, 0.7)
    surface.shade *= 1 - np.clip(dark * 1.15, 0, 1) * rng.uniform(0.4, 0.65)
    # People draw a crack a little wider than it is.
    return np.asarray(np.clip(_soft(line, 1.1) * 1.9, 0, 1), np.float32)


def break_(rng: np.random.Generator, surface: Surface) -> FloatImage:
    """A piece broken off a corner or an edge: facets darker and brighter than the face.

    A dark gash or shadow parts it from the face. About 2400 pixels each in the photographs.
    """
    height, width = surface.size
    side = min(height, width)
    reach = rng.uniform(0.10, 0.30) * side
    along = reach * rng.uniform(0.9, 2.6)
    edge = rng.integers(0, 4)  # left, right, top, bottom
    place = rng.choice([0.0, 1.0, rng.uniform(0.1, 0.9)])
    t = np.linspace(0, np.pi, 16)
    rough = 1 + 0.14 * np.cumsum(rng.normal(0, 0.5, 16)) * np.sin(t)
    across, down = -np.cos(t) * along / 2, np.sin(t) ** 0.8 * reach * np.clip(rough, 0.4, 1.6)
    if edge < 2:
        x = down if edge == 0 else width - 1 - down
        points = np.column_stack([x, place * height + across])
        outward = np.array([[-reach, 0]]) * (1 if edge == 0 else -1)
    else:
        y = down if edge == 2 else height - 1 - down
        points = np.column_stack([place * width + across, y])
        outward = np.array([[0, -reach]]) * (1 if edge == 2 else -1)
    coverage = _filled(
        surface.size, np.vstack([points, points[-1:] + outward, points[:1] + outward])
    )
    # Facets of broken metal: every cell of coarse noise mirrors another way.
    facets = np.sign(noise(rng, surface.size, (14, 9))) * np.abs(noise(rng, surface.size, (7, 7)))
    dull = rng.uniform(0.45, 1.0)
    surface.streaks *= 1 - 0.9 * coverage
    surface.gloss *= 1 - 0.6 * coverage
    surface.grain += coverage * (0.10 * noise(rng, surface.size, (2.2, 2.2)) + 0.13 * facets)
    surface.shade *= 1 + coverage * (dull - 1)
    border = cv2.morphologyEx(coverage, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    gash = cv2.GaussianBlur(
        border * np.clip(0.7 + noise(rng, surface.size, (20, 20)), 0, 1.6), (0, 0), 1.2
    )
    surface.shade *= 1 - np.clip(gash, 0, 1) * rng.uniform(0.45, 0.8)
    return coverage


def fray(rng: np.random.Generator, surface: Surface) -> FloatImage:
    """A large patch that was never ground: matt, without streaks or mirrored light.

    Where it meets an edge the rim glitters. About 27,000 pixels each in the photographs.
    """
    height, width = surface.size
    radius = np.array([rng.uniform(0.14, 0.26) * width, rng.uniform(0.22, 0.45) * height])
    low = rng.random() < 0.5
    center = np.array([rng.uniform(0.15, 0.85) * width, (0.75 if low else 0.5) * height])
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    wobble = np.ones(60)
    for k in range(2, 6):
        wobble += rng.normal(0, 0.09 / k) * np.cos(k * angle + rng.uniform(0, 6))
    points = center + radius * np.column_stack([np.cos(angle), np.sin(angle)]) * wobble[:, None]
    outline = _filled(surface.size, points)
    coverage = _soft(outline, 1.2)
    matt = float(np.median(surface.light)) * rng.uniform(0.68, 0.9)
    patch = matt * (1 + 0.05 * noise(rng, surface.size, (0.2, 0.2)))
    surface.light += coverage * (patch - surface.light)
    surface.streaks *= 1 - 0.93 * coverage
    surface.gloss *= 1 - coverage
    surface.grain += coverage * (0.05 * noise(rng, surface.size, (2.5, 2.5)) - 0.6 * surface.grain)
    rows, _ = grid(surface.size)
    sparks = np.clip(noise(rng, surface.size, (3, 3)) - 1.4, 0, 1)
    surface.light += coverage * sparks * np.exp(-(((rows - 0.94) / 0.03) ** 2)) * 0.9
    return coverage


def uneven(rng: np.random.Generator, surface: Surface) -> FloatImage:
    """A band that was ground in another pass: other streaks, other light, a wavy border.

    About 26,000 pixels each in the photographs.
    """
    height, width = surface.size
    share = rng.uniform(0.12, 0.5)
    wave = np.interp(np.arange(width), np.linspace(0, width, 9), np.cumsum(rng.normal(0, 0.012, 9)))
    border = (share + wave - wave.mean() + rng.normal(0, 0.03) * np.linspace(-1, 1, width)) * height
    distance = np.arange(height, dtype=np.float32)[:, None] - (height - border[None])
    if rng.random() < 0.35:
        distance = border[None] - np.arange(height, dtype=np.float32)[:, None]
    coverage = 1 / (1 + np.exp(-np.clip(distance / 0.9, -30, 30)))
    if rng.random() < 0.4:
        # Now and then it ends before the side.
        columns = np.arange(width, dtype=np.float32)[None]
        first = rng.uniform(0.0, 0.3) * width
        coverage = coverage / (1 + np.exp(-np.clip((columns - first) / 3, -30, 30)))
    coverage = np.asarray(coverage, np.float32)
    gloss = draw_gloss(rng, surface.size) * rng.uniform(0.9, 1.6)
    streaks = draw_streaks(rng, surface.size) * rng.uniform(1.2, 2.4)
    surface.gloss += coverage * (gloss - surface.gloss)
    surface.streaks += coverage * (streaks - surface.streaks)
    lighter = surface.light * rng.uniform(1.12, 1.4) + 0.35 * gloss
    surface.light += coverage * (lighter - surface.light)
    surface.grain += coverage * (draw_grain(rng, surface.size) - surface.grain)
    return coverage


# In the order in which they are drawn: large patches first, for a pit in a patch is still a pit.
DEFECTS: dict[str, Callable[[np.random.Generator, Surface], FloatImage]] = {
    "uneven": uneven,
    "fray": fray,
    "break": break_,
    "crack": crack,
    "blowhole": blowhole,
}


def _wander(
    rng: np.random.Generator, start: NDArray[np.float64], heading: float, length: float
) -> NDArray[np.float64]:
    """Return the points of a line that slowly changes its heading, (N, 2) of (x, y)."""
    step = 3.0
    count = max(4, int(length / step))
    turns = np.cumsum(rng.normal(0, 0.10, count)) * 0.7 + rng.normal(0, 0.12, count)
    headings = heading + turns
    moves = step * np.column_stack([np.cos(headings), np.sin(headings)])
    return np.asarray(start + np.vstack([np.zeros(2), moves.cumsum(axis=0)]), np.float64)


def _filled(size: tuple[int, int], points: NDArray[np.float64]) -> FloatImage:
    """Return the coverage of a polygon of (x, y) points, with soft edges."""
    canvas = np.zeros((size[0] * _FINER, size[1] * _FINER), np.float32)
    cv2.fillPoly(canvas, [np.round(points * _FINER).astype(np.int32)], 1.0)
    return np.asarray(
        cv2.resize(canvas, (size[1], size[0]), interpolation=cv2.INTER_AREA), np.float32
    )


def _soft(coverage: FloatImage, sigma: float) -> FloatImage:
    return np.asarray(cv2.GaussianBlur(coverage, (0, 0), sigma), np.float32)


def _fine(point: NDArray[np.float64]) -> tuple[int, int]:
    return round(float(point[0]) * _FINER), round(float(point[1]) * _FINER)
