"""Which pictures of a dataset show one physical part."""

from collections.abc import Mapping, Sequence

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


def torn_parts(
    groups: Mapping[str, str], splits: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, str]]:
    """Return the parts that lie in several splits.

    Args:
        groups: The part of each stem.
        splits: The stems of each split; those without a part are passed over.

    Returns:
        For each such part one stem of each of its splits. One picture in several splits tears no
        part.

    >>> torn_parts({"a1": "a", "a2": "a", "b": "b"}, {"train": ["a1", "b"], "val": ["a2"]})
    {'a': {'train': 'a1', 'val': 'a2'}}
    """
    homes: dict[str, dict[str, str]] = {}
    for split, stems in splits.items():
        for stem in stems:
            if stem in groups:
                homes.setdefault(groups[stem], {}).setdefault(split, stem)
    return {part: found for part, found in homes.items() if len(set(found.values())) > 1}
