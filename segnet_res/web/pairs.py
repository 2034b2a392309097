"""Which of many pictures and masks belong together, by their names."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from segnet_res.web.reference import part_name


@dataclass(frozen=True)
class Match:
    """What fits together among the names that somebody chose.

    Attributes:
        pairs: Places of a picture and of its mask, in the order of the pictures.
        problems: For each name that has no partner: the name, and a sentence that says why.
    """

    pairs: tuple[tuple[int, int], ...]
    problems: tuple[tuple[str, str], ...]


def match_names(pictures: Sequence[str], masks: Sequence[str]) -> Match:
    """Pair pictures and masks whose names say the same, but for endings such as ``_mask``.

    Nothing is guessed: a name that fits twice fits nothing.

    >>> match_names(["a.jpg", "b.jpg"], ["b_mask.png", "c.png"])
    ... # doctest: +NORMALIZE_WHITESPACE
    Match(pairs=((1, 0),), problems=(('a.jpg', 'there is no mask of this name'),
                                     ('c.png', 'there is no picture of this name')))

    Args:
        pictures: File names of the pictures; folders in them do not count.
        masks: File names of the masks.
    """
    picture_of, mask_of = _by_part(pictures), _by_part(masks)
    pairs, problems = [], []
    for i, name in enumerate(pictures):
        part = part_name(_file(name))
        mine, partners = picture_of[part], mask_of.get(part, [])
        if len(mine) > 1:
            problems.append((name, f"it shares its name with {_others(pictures, mine, i)}"))
        elif not partners:
            problems.append((name, "there is no mask of this name"))
        elif len(partners) > 1:
            names = " and ".join(masks[j] for j in partners[:3])
            problems.append((name, f"there are several masks of this name: {names}"))
        else:
            pairs.append((i, partners[0]))
    taken = {j for _, j in pairs}
    for j, name in enumerate(masks):
        if j in taken:
            continue
        part = part_name(_file(name))
        if part not in picture_of:
            problems.append((name, "there is no picture of this name"))
        elif len(mask_of[part]) > 1:
            problems.append((name, f"it shares its name with {_others(masks, mask_of[part], j)}"))
        else:
            names = " and ".join(pictures[i] for i in picture_of[part][:3])
            problems.append((name, f"there are several pictures of this name: {names}"))
    return Match(tuple(pairs), tuple(problems))


def _by_part(names: Sequence[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        found.setdefault(part_name(_file(name)), []).append(i)
    return found


def _others(names: Sequence[str], places: list[int], own: int) -> str:
    return " and ".join([names[i] for i in places if i != own][:3])


def _file(name: str) -> str:
    return PurePath(name).name
