"""Which split a corrected picture goes to, and the lists of the splits."""

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from segnet_res.data.dataset import SPLITS, DatasetInfo, read_split
from segnet_res.data.parts import join_parts, name_groups
from segnet_res.data.splits import DEFAULT_FRACTIONS, group_by_pattern
from segnet_res.errors import UsageError
from segnet_res.images import atomic_write

# Where a picture goes unless told otherwise: to one of these, by its share.
_SHARES = {
    split: share for split, share in zip(SPLITS, DEFAULT_FRACTIONS, strict=True) if share > 0
}


def tells_part(stem: str, info: DatasetInfo) -> bool:
    """Tell whether the part follows from a picture's name, where the dataset has a ``group``."""
    return info.group is None or re.search(info.group, stem) is not None


def siblings(
    stem: str, part: str | None, stems: Collection[str], info: DatasetInfo, told: Mapping[str, str]
) -> tuple[str, set[str]]:
    """Return the part of a picture, and its other pictures.

    Args:
        stem: The picture.
        part: Its part as somebody named it; None where only its name tells.
        stems: All pictures of the dataset; those that ``group`` does not fit are parts of their
            own.
        info: What ``dataset.yaml`` says.
        told: The parts of others that were named.
    """
    everything = sorted({*stems, stem})
    if info.group is None:
        groups = name_groups(everything)
    else:
        groups = group_by_pattern(everything, info.group, optional=everything)
    groups = join_parts(groups, dict(told) | ({} if part is None else {stem: part}))
    others = {one for one in everything if one != stem and groups[one] == groups[stem]}
    return groups[stem] if part is None else part, others


def choose_split(
    splits: Mapping[str, Collection[str]],
    stem: str,
    others: Collection[str],
    *,
    wanted: str | None,
) -> str:
    """Return the split for a picture that is done.

    That of other pictures of its part; else the one that it is in; else the one of train and val
    that lacks most of its share.

    Args:
        splits: The stems of each split.
        stem: The picture.
        others: Other pictures of its part.
        wanted: The split that somebody asks for; None leaves it open.

    Raises:
        UsageError: when others of its part are in another split than the one that is asked for.
    """
    counts = {split: len([one for one in others if one in splits[split]]) for split in SPLITS}
    home = max(counts, key=lambda split: counts[split])
    if wanted is not None:
        torn = next((split for split in SPLITS if counts[split] and split != wanted), None)
        if torn is not None:
            other = min(one for one in others if one in splits[torn])
            raise UsageError(
                f"{stem}: shall go to {wanted}, but {other!r} shows the same part and is in "
                f"{torn}, so that scores would flatter; leave the split open, or name another part"
            )
        return wanted
    if counts[home]:
        return home
    current = next((split for split in SPLITS if stem in splits[split]), None)
    return current or _neediest({split: len(splits[split]) for split in SPLITS})


def move_to(root: Path, stem: str, split: str | None) -> None:
    """Put a picture into one split and out of all others; other lines stay as they are.

    At no moment it is in two.

    Args:
        root: The dataset folder.
        stem: The picture.
        split: Its split; None for no one.

    Raises:
        DataError: when a list cannot be read.
        StorageError: when a list cannot be written.
    """
    for other in SPLITS:
        if other != split and stem in read_split(root, other):
            path = root / "splits" / f"{other}.txt"
            _write(path, (line for line in _lines(path) if _stem(line) != stem))
    if split is not None and stem not in read_split(root, split):
        path = root / "splits" / f"{split}.txt"
        before = b"".join(_lines(path))
        end = b"\n" if before and not before.endswith(b"\n") else b""
        _write(path, [before + end, f"{stem}\n".encode()])


def _neediest(counts: Mapping[str, int]) -> str:
    """Return the split that lacks most of its share once there is one more picture.

    >>> chosen, counts = [], {"train": 0, "val": 0}
    >>> for _ in range(8):
    ...     chosen.append(_neediest(counts))
    ...     counts[chosen[-1]] += 1
    >>> chosen
    ['train', 'val', 'train', 'train', 'train', 'val', 'train', 'train']
    """
    total = sum(counts[split] for split in _SHARES) + 1
    lacks = {split: share * total - counts[split] for split, share in _SHARES.items()}
    # Of equals the smaller one, so that a small dataset soon has both.
    return min(lacks, key=lambda split: (-lacks[split], _SHARES[split]))


def _lines(path: Path) -> Iterator[bytes]:
    if path.is_file():
        yield from path.read_bytes().splitlines(keepends=True)


def _stem(line: bytes) -> str:
    return line.decode("utf-8-sig").strip()


def _write(path: Path, lines: Iterator[bytes] | list[bytes]) -> None:
    content = b"".join(lines)
    with atomic_write(path) as file:
        file.write(content)
