"""Which pictures of a dataset show one physical part."""

from collections.abc import Collection, Mapping, Sequence

from segnet_res.data.annotations import told_parts
from segnet_res.data.dataset import DatasetInfo, SegmentationDataset
from segnet_res.data.splits import group_by_pattern
from segnet_res.data.tiles import tile_groups


def part_groups(dataset: SegmentationDataset) -> dict[str, str]:
    """Return the part of each stem of a split, in the order of the split.

    See `parts_of`; the parts that people have named stand in ``annotations.jsonl``.

    Raises:
        DataError: as `parts_of`, and when a line of the annotations is damaged.
    """
    return parts_of(dataset.stems, dataset.info, told_parts(dataset.root))


def parts_of(stems: Collection[str], info: DatasetInfo, told: Mapping[str, str]) -> dict[str, str]:
    """Return the part of each picture of a dataset.

    The expression ``group`` of ``dataset.yaml`` tells parts apart; without it, see `name_groups`.
    What people have told is joined with that, see `join_parts`.

    Args:
        stems: The pictures.
        info: What ``dataset.yaml`` says.
        told: The part that somebody named, by stem; ``group`` need not match these stems.

    Raises:
        DataError: when ``group`` does not match another stem.
    """
    if info.group is None:
        groups = name_groups(stems)
    else:
        groups = group_by_pattern(stems, info.group, optional=told)
    return join_parts(groups, told)


def empty_split(dataset: SegmentationDataset) -> str:
    """Say that nothing can be measured on a split without pictures, and what helps."""
    how = " --fractions 0.7,0.15,0.15" if dataset.split == "test" else ""
    return (
        f"{dataset.info.name}: the split {dataset.split!r} is empty; choose another split, or fill "
        f"it with `segnet-res data split{how} --force`"
    )


def join_parts(groups: Mapping[str, str], told: Mapping[str, str]) -> dict[str, str]:
    """Join what names tell of parts with what people have told.

    Pictures of one part by either are of one part: a part too large costs nothing, a torn one
    flatters scores.

    Args:
        groups: The part of each stem as far as its name tells.
        told: The part that somebody named, by stem; other stems are passed over.

    >>> join_parts({"a": "a", "b": "b", "c7-1": "c7", "c7-2": "c7"}, {"a": "lid", "c7-1": "lid"})
    {'a': 'lid', 'b': 'b', 'c7-1': 'lid', 'c7-2': 'lid'}
    """
    leader: dict[str, str] = {}

    def find(part: str) -> str:
        while part in leader:
            part = leader[part]
        return part

    for stem, part in told.items():
        if stem in groups and (one := find(groups[stem])) != (other := find(part)):
            leader[one] = other
    return {stem: find(part) for stem, part in groups.items()}


def name_groups(stems: Collection[str]) -> dict[str, str]:
    """Return the part of each stem as far as names tell.

    Photographs of the magnetic-tile data set are grouped by tile; of other pictures each is a part
    of its own.

    >>> name_groups(["cap07_left", "cap07_right"])
    {'cap07_left': 'cap07_left', 'cap07_right': 'cap07_right'}
    """
    return tile_groups(stems)


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
