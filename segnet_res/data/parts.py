"""Which pictures of a dataset show one physical part."""

from collections.abc import Sequence

from segnet_res.data.dataset import SegmentationDataset
from segnet_res.data.splits import group_by_pattern
from segnet_res.data.tiles import is_photograph, tile_groups


def part_groups(dataset: SegmentationDataset) -> dict[str, str]:
    """Return the part of each stem of a split, in the order of the split.

    The expression ``group`` of ``dataset.yaml`` tells parts apart; without it, see `name_groups`.

    Raises:
        DataError: when the expression does not match a stem.
    """
    if dataset.info.group is not None:
        return group_by_pattern(dataset.stems, dataset.info.group)
    return name_groups(dataset.stems)


def name_groups(stems: Sequence[str]) -> dict[str, str]:
    """Return the part of each stem as far as names tell.

    Photographs of the magnetic-tile data set are grouped by tile; of other pictures each is a part
    of its own.

    >>> name_groups(["cap07_left", "cap07_right"])
    {'cap07_left': 'cap07_left', 'cap07_right': 'cap07_right'}
    """
    if stems and all(is_photograph(stem) for stem in stems):
        return tile_groups(stems)
    return {stem: stem for stem in stems}
