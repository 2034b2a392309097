"""What is known already: the pictures of a dataset, and how unlike them another one is.

Two pictures are compared as `segnet_res.data.lookalike` shrinks them: 64 by 64 pixels with the
light evened out, less what all known pictures have in common. A picture is new where its nearest
known one is farther than nine of ten known pictures have their nearest one of another part.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segnet_res.conditions import Conditions, KnownConditions
from segnet_res.data.annotations import told_parts
from segnet_res.data.dataset import DatasetInfo, index_images, load_info
from segnet_res.data.lookalike import Look
from segnet_res.data.parts import parts_of
from segnet_res.errors import DataError, ImageError
from segnet_res.images import Channels
from segnet_res.retraining.queue_cache import QueueCache
from segnet_res.retraining.queue_measures import Appearance, Photograph, appearance_of

# Fewer pictures tell nothing about what is usual.
_FEWEST = 20
# The nearest of so many, evenly spread, is near enough to the nearest of all.
_MOST = 2000

# Of the known pictures, which are not new by definition.
_USUAL = 0.9

_SAME = -2.0  # below any correlation


@dataclass(frozen=True)
class Known:
    """Pictures that are known, and the conditions of the training pictures.

    Attributes:
        names: What each is called.
        looks: What each looks like.
        parts: The part that each shows.
        digests: SHA-256 of the file of each.
        conditions: How the training pictures were taken; None where nobody knows.
    """

    names: tuple[str, ...] = ()
    looks: tuple[Look, ...] = ()
    parts: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    conditions: KnownConditions | None = None

    def newness(self, seen: Look) -> float | None:
        """Return how new a picture looks, 0 to 1; None where too few are known to tell.

        Nine of ten known pictures would get 0, as seen by those of other parts.
        """
        usual = self._usual
        if usual is None:
            return None
        farther = float((usual < self._nearest(seen)).mean())
        return round(max(0.0, (1 - farther - _USUAL) / (1 - _USUAL)), 4)

    @cached_property
    def _chosen(self) -> NDArray[np.intp]:
        return np.unique(np.linspace(0, len(self.looks) - 1, _MOST).round().astype(np.intp))

    @cached_property
    def _common(self) -> NDArray[np.float32]:
        mean: NDArray[np.float32] = np.mean(
            [self.looks[i].small for i in self._chosen], axis=0, dtype=np.float32
        )
        return mean

    @cached_property
    def _vectors(self) -> NDArray[np.float32]:
        """(N, pixels) float32 of length 1, so that products are correlations."""
        return np.stack([self._vector(self.looks[i]) for i in self._chosen])

    @cached_property
    def _usual(self) -> NDArray[np.float32] | None:
        """(N,) the correlation of each known picture with its nearest one of another part."""
        if len(set(self.parts)) < _FEWEST:
            return None
        alike = self._vectors @ self._vectors.T
        numbers = np.unique(np.array(self.parts)[self._chosen], return_inverse=True)[1]
        alike[numbers[:, None] == numbers[None]] = _SAME
        nearest: NDArray[np.float32] = alike.max(axis=1)
        return nearest

    def _nearest(self, seen: Look) -> float:
        return float((self._vectors @ self._vector(seen)).max())

    def _vector(self, seen: Look) -> NDArray[np.float32]:
        values = (seen.small - self._common).ravel()
        values -= values.mean()
        return values / np.float32(max(float(np.linalg.norm(values)), 1e-6))


def learn(
    root: Path,
    channels: Channels,
    conditions: KnownConditions | None,
    cache: QueueCache | None,
    *,
    stems: Collection[str] | None = None,
) -> Generator[tuple[int, int], None, Known]:
    """Look at the pictures of a dataset; yields (done, total), its value is what is known.

    Pictures that cannot be read are passed over: `segnet-res data check` names them.

    Args:
        root: The dataset folder.
        channels: As the model reads pictures.
        conditions: Those of the training pictures as the checkpoint tells them; None: those of the
            dataset's pictures count.
        cache: Where to look up and keep what was seen; None for nowhere.
        stems: The pictures to look at; None for all.

    Raises:
        DataError: when the folder is no dataset.
    """
    info = load_info(root)
    images = {
        stem: paths for stem, paths in index_images(root).items() if stems is None or stem in stems
    }
    parts = _parts(root, info, list(images))
    found: list[tuple[str, Appearance, str, str]] = []
    yield (0, len(images))
    for done, (stem, paths) in enumerate(images.items(), start=1):
        try:
            photo = Photograph(paths[0], channels)
            found.append((stem, appearance(photo, channels, cache), parts[stem], photo.sha256))
        except ImageError:
            pass
        yield (done, len(images))
    measured = [one[1].conditions for one in found]
    return Known(
        names=tuple(one[0] for one in found),
        looks=tuple(one[1].look for one in found),
        parts=tuple(one[2] for one in found),
        digests=tuple(one[3] for one in found),
        conditions=conditions or _conditions(measured),
    )


def appearance(photo: Photograph, channels: Channels, cache: QueueCache | None) -> Appearance:
    """Return what a picture looks like, from the cache where that knows it.

    Raises:
        ImageError: when it is damaged.
    """
    key = f"{photo.sha256} {channels}"
    seen = None if cache is None else cache.find_appearance(key)
    if seen is None:
        seen = appearance_of(photo.array)
        if cache is not None:
            cache.keep_appearance(key, seen)
    return seen


def _conditions(measured: Sequence[Conditions]) -> KnownConditions | None:
    return KnownConditions.of(measured) if len(measured) >= _FEWEST else None


def _parts(root: Path, info: DatasetInfo, stems: list[str]) -> dict[str, str]:
    try:
        return parts_of(stems, info, told_parts(root))
    except DataError:
        # What is wrong with the dataset is the business of its check; here it only blurs a number.
        return {stem: stem for stem in stems}
