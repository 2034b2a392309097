"""Dividing pictures into train, val and test without tearing a group apart."""

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from segnet_res.data.dataset import SPLITS
from segnet_res.data.lookalike import Look, lookalikes
from segnet_res.errors import DataError, UsageError
from segnet_res.images import atomic_write

# A quarter to validate on. No test split by default: with few parts each of the three would be
# too small to say anything; whoever has enough asks for one.
DEFAULT_FRACTIONS = (0.75, 0.25, 0.0)


def assign_splits(
    groups: Mapping[str, str],
    *,
    fractions: Sequence[float] = DEFAULT_FRACTIONS,
    seed: int = 0,
    strata: Mapping[str, Collection[int]] | None = None,
) -> dict[str, list[str]]:
    """Divide stems into splits so that each group stays whole and each class is spread.

    Iterative stratification (Sechidis, Tsoumakas and Vlahavas, ECML 2011) over groups: the class
    with the fewest groups goes first, and each of its groups goes to the split that lacks most
    pictures of that class. A class of two or more groups reaches train and val, of three or more
    also test, where those are asked for and groups that hold several classes leave room for it.
    Where each group has a class of its own, all of them are to be learnt; still no split stays
    empty as long as another one has two groups.

    Args:
        groups: The group of each stem; stems of one group share a split.
        fractions: Share of the pictures for train, val and test; missing ones are 0.
        seed: Chooses which groups go where; the same seed gives the same splits on any machine.
        strata: The classes that occur in each stem; a stem without an entry has none.

    Returns:
        The stems of each split, sorted; splits of fraction 0 are left out.

    Raises:
        UsageError: when the fractions do not make sense.
    """
    wanted = {name: share for name, share in zip(SPLITS, check_fractions(fractions), strict=True)}
    wanted = {name: share for name, share in wanted.items() if share > 0}
    members: dict[str, list[str]] = {}
    for stem, group in groups.items():
        members.setdefault(group, []).append(stem)
    # Pictures of each class in each group. None stands for "any class": it holds every group, so
    # it comes last and takes what no class has placed.
    weights: dict[str, Counter[int | None]] = {
        group: Counter(
            label for stem in stems for label in [None, *set((strata or {}).get(stem, ()))]
        )
        for group, stems in members.items()
    }
    totals = sum(weights.values(), Counter[int | None]())
    need = {
        split: {label: share * total for label, total in totals.items()}
        for split, share in wanted.items()
    }
    spread = Counter(label for counts in weights.values() for label in counts)
    order = sorted(spread, key=lambda label: (label is None, spread[label], label or 0))
    placed: dict[str, str] = {}
    having: dict[int | None, set[str]] = {label: set() for label in spread}
    shuffled = sorted(members, key=lambda group: _shuffle_key(seed, group))
    for label in order:
        open_groups = [group for group in shuffled if group not in placed and weights[group][label]]
        for i, group in enumerate(open_groups):
            split = _choose(label, need, having[label], remaining=len(open_groups) - i)
            placed[group] = split
            for held, count in weights[group].items():
                need[split][held] -= count
                having[held].add(split)
    for split in wanted:
        _fill(split, placed, weights)
    return {
        split: sorted(
            stem for group in members if placed[group] == split for stem in members[group]
        )
        for split in wanted
    }


def _fill(
    split: str, placed: dict[str, str], weights: Mapping[str, Mapping[int | None, int]]
) -> None:
    """Give a split that has no group the smallest one of the split that has most."""
    groups = Counter(placed.values())
    if split in groups or not groups or max(groups.values()) < 2:
        return
    fullest = max(groups, key=lambda name: groups[name])
    smallest = min(
        (group for group, home in placed.items() if home == fullest),
        key=lambda group: (weights[group][None], group),
    )
    placed[smallest] = split


def _choose(
    label: int | None,
    need: Mapping[str, Mapping[int | None, float]],
    having: Collection[str],
    *,
    remaining: int,
) -> str:
    """Return the split that lacks most of a class, or one without it before groups run out."""
    lacking = [split for split in need if split not in having]
    candidates = lacking if len(lacking) >= remaining else list(need)
    if len(lacking) > remaining:
        candidates = lacking[:remaining]  # train before val before test
    return max(
        candidates,
        key=lambda split: (need[split][label], split not in having, need[split][None]),
    )


def _shuffle_key(seed: int, group: str) -> str:
    # A hash instead of a random generator: the order of one group does not depend on the others,
    # and no library's generator has to stay the same over its versions.
    return hashlib.sha256(f"{seed}\0{group}".encode()).hexdigest()


def check_listable(stem: str, image: Path) -> None:
    """Refuse a stem that a list of stems, one a line, cannot hold.

    Raises:
        DataError: says why; ``image`` is the picture.
    """
    try:
        stem.encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"{image.name!r}: the name is not UTF-8; rename the picture, with its mask"
        ) from error
    if stem != stem.strip() or len(stem.splitlines()) != 1:
        raise DataError(
            f"{image.name!r}: a name cannot begin or end with a space or hold a line break; rename "
            "the picture, with its mask"
        )


def check_fractions(fractions: Sequence[float]) -> tuple[float, float, float]:
    """Return three fractions that sum to 1.

    Raises:
        UsageError: when there are more than three, or negative ones, or the sum is not 1.
    """
    if not 1 <= len(fractions) <= len(SPLITS) or not all(0 <= share <= 1 for share in fractions):
        raise UsageError(
            f"fractions are {list(fractions)}; give shares of train, val and test between 0 and 1"
        )
    if abs(sum(fractions) - 1) > 1e-6:
        raise UsageError(f"fractions sum to {sum(fractions):g}; make them sum to 1")
    train, val, test = [*fractions, 0.0, 0.0][:3]
    return (train, val, test)


def parse_fractions(text: str) -> tuple[float, float, float]:
    """Read ``0.75,0.25`` or ``0.7,0.15,0.15``.

    Raises:
        UsageError: when the text is something else.

    >>> parse_fractions("0.8,0.2")
    (0.8, 0.2, 0.0)
    """
    try:
        shares = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise UsageError(
            f"fractions are {text!r}; write shares of train, val and test like 0.75,0.25"
        ) from error
    return check_fractions(shares)


def group_by_pattern(
    stems: Collection[str], pattern: str, *, optional: Collection[str] = ()
) -> dict[str, str]:
    r"""Return the group of each stem: what the pattern finds in it.

    The groups of the expression are joined when it has any; otherwise the whole match counts.

    Args:
        stems: Stems of pictures.
        pattern: Regular expression, searched anywhere in the stem.
        optional: Stems that it need not match; those that it does not are groups of their own.

    Raises:
        UsageError: when the expression is not valid.
        DataError: when it does not match another stem.

    >>> group_by_pattern(["cap07_left", "cap07_right"], r"cap(\d+)")
    {'cap07_left': '07', 'cap07_right': '07'}
    """
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise UsageError(
            f"group is {pattern!r}, not a regular expression ({error}); correct it"
        ) from error
    groups = {}
    for stem in stems:
        match = expression.search(stem)
        if match is None and stem in optional:
            groups[stem] = stem
            continue
        if match is None:
            raise DataError(
                f"{stem}: the group expression {pattern!r} does not match; "
                "write one that finds the part's name in every stem"
            )
        found = [part for part in match.groups() if part is not None] or [match.group()]
        groups[stem] = "/".join(found)
    return groups


def join_groups(groups: Mapping[str, str], looks: Mapping[str, Look]) -> dict[str, str]:
    """Join groups that hold pictures which look alike.

    Args:
        groups: The group of each stem.
        looks: What is known of the pictures; those without an entry join nothing.

    Returns:
        The group of each stem; joined groups bear the name of the first in alphabetical order.
    """
    names = sorted(set(groups.values()))
    place = {name: i for i, name in enumerate(names)}
    stems = list(looks)
    leader = list(range(len(names)))

    def find(i: int) -> int:
        while leader[i] != i:
            leader[i] = leader[leader[i]]
            i = leader[i]
        return i

    parts = [place[groups[stem]] for stem in stems]
    for pair in lookalikes([looks[stem] for stem in stems], parts):
        first, second = find(parts[pair.first]), find(parts[pair.second])
        leader[max(first, second)] = min(first, second)
    return {stem: names[find(place[group])] for stem, group in groups.items()}


def write_splits(root: Path, splits: Mapping[str, Sequence[str]]) -> None:
    """Write ``splits/<name>.txt``, one stem a line.

    Raises:
        StorageError: when a file cannot be written.
    """
    for split, stems in splits.items():
        with atomic_write(root / "splits" / f"{split}.txt") as file:
            file.write("".join(f"{stem}\n" for stem in stems).encode())
