"""A picture that several datasets have in one split counts once, with its newest mask."""

from collections.abc import Sequence

import numpy as np

from segnet_res.images import UInt8Array
from segnet_res.retraining.apart import Seen
from segnet_res.retraining.lineup import Lineup
from segnet_res.retraining.snapshot import Sourced


def find_repeated(seen: Sequence[Seen]) -> list[tuple[Seen, Seen]]:
    """Find the pictures that a dataset named earlier has too.

    What one dataset has twice stays: which of its masks is newer nobody knows.

    Args:
        seen: One split of all datasets, in their order: the new one, then the old ones.

    Returns:
        Each such picture, with the one that counts instead.
    """
    first: dict[str, Seen] = {}
    for one in seen:
        first.setdefault(one.digest, one)
    return [(one, first[one.digest]) for one in seen if one.dataset > first[one.digest].dataset]


def same_mask(
    one: Seen, other: Seen, split: str, sources: Sequence[Sourced], lineup: Lineup
) -> bool:
    """Tell whether the masks of two pictures would teach the same.

    Args:
        one: A picture.
        other: The same picture in another dataset.
        split: The split of both.
        sources: The datasets.
        lineup: What becomes of the classes.

    Raises:
        DataError: when a mask cannot be used.
    """
    return np.array_equal(
        _labels(one, split, sources, lineup), _labels(other, split, sources, lineup)
    )


def _labels(one: Seen, split: str, sources: Sequence[Sourced], lineup: Lineup) -> UInt8Array:
    """Return the mask in the candidate's labels, (H, W) uint8."""
    dataset = sources[one.dataset].splits[split]
    return lineup.table(dataset.class_map)[dataset.read_labels(dataset.stems.index(one.stem))]
