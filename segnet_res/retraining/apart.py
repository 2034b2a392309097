"""No picture that is there to measure by may be trained on, nor another one of its part."""

import hashlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segnet_res.data import SegmentationDataset, name_groups
from segnet_res.data.annotations import told_parts
from segnet_res.data.lookalike import Look, look, lookalikes
from segnet_res.data.parts import join_parts
from segnet_res.data.splits import group_by_pattern
from segnet_res.errors import DataError

# So many are named; nobody reads more at once.
_MOST_NAMED = 5


@dataclass(frozen=True)
class Seen:
    """What is kept of a picture to find it again.

    Attributes:
        dataset: Its place in the sequence of datasets.
        stem: The picture.
        name: What people call it: dataset, split and stem.
        digest: SHA-256 of its size and pixels, 64 hexadecimal digits.
        look: For near-copies.
        part: The part that it shows by its name, with the expression ``group`` of `dataset.yaml`
            that found it; None where there is no expression.
        told: The part that somebody has named, or None.
    """

    dataset: int
    stem: str
    name: str
    digest: str
    look: Look
    part: tuple[str, str] | None = None
    told: str | None = None


@dataclass(frozen=True)
class Clash:
    """A picture of the training that is, or looks like, one to measure by.

    Attributes:
        trained: The picture of the training.
        held: The picture to measure by.
        how: What they have in common, as a verb.
    """

    trained: Seen
    held: Seen
    how: str

    def __str__(self) -> str:
        """Name both."""
        return f"{self.trained.name} {self.how} {self.held.name}"


def see(
    dataset: SegmentationDataset, place: int, channels: int
) -> Generator[str, None, list[Seen]]:
    """Read all pictures of a split; yields the stem of each as it is done.

    Args:
        dataset: The split.
        place: For `Seen.dataset`.
        channels: As the model reads them, 1 or 3, so that the same picture in two datasets is the
            same however they declare it.

    Raises:
        DataError: when a picture cannot be read, the expression ``group`` does not fit a stem, or
            a line of ``annotations.jsonl`` is damaged.
    """
    group = dataset.info.group
    told = told_parts(dataset.root)
    parts = {} if group is None else group_by_pattern(dataset.stems, group, optional=told)
    found = []
    for index, stem in enumerate(dataset.stems):
        image = dataset.read_image(index, 1 if channels == 1 else 3)
        digest = hashlib.sha256(repr(image.shape).encode())
        digest.update(image.tobytes())
        name = f"{dataset.info.name} {dataset.split}: {stem}"
        part = None if group is None else (group, parts[stem])
        found.append(Seen(place, stem, name, digest.hexdigest(), look(image), part, told.get(stem)))
        yield stem
    return found


def find_clashes(trained: Sequence[Seen], held: Sequence[Seen]) -> list[Clash]:
    """Find the pictures of a training that say beforehand what others are there to measure.

    These are the very same pictures, near-copies, and pictures of one part: where two datasets tell
    parts by the same expression, where both go by the names of the magnetic tiles, and where people
    have named the same part.

    Returns:
        One clash for each such picture of the training, in their order.
    """
    by_digest = {one.digest: one for one in reversed(held)}
    both = [*trained, *held]
    shown = _shown_parts(both)
    by_part = dict(zip(reversed(shown[len(trained) :]), reversed(held), strict=True))
    found: dict[int, Clash] = {}
    for i, one in enumerate(trained):
        if one.digest in by_digest:
            found[i] = Clash(one, by_digest[one.digest], "is")
        elif shown[i] in by_part:
            found[i] = Clash(one, by_part[shown[i]], "shows the part of")
    parts: NDArray[np.int_] = np.repeat([0, 1], [len(trained), len(held)])
    for pair in lookalikes([one.look for one in both], parts.tolist()):
        found.setdefault(pair.first, Clash(both[pair.first], both[pair.second], "looks like"))
    return [found[i] for i in sorted(found)]


def _shown_parts(pictures: Sequence[Seen]) -> list[str]:
    """Return the part of each picture, the same for pictures of one part in several datasets."""
    keys = [f"{i} {one.stem}" for i, one in enumerate(pictures)]
    # Names of tiles tell parts among all pictures together; others are a part of their own.
    groups = name_groups([key for key, one in zip(keys, pictures, strict=True) if one.part is None])
    told = {}
    expressions = {one.part[0] for one in pictures if one.part is not None}
    for key, one in zip(keys, pictures, strict=True):
        if one.part is not None:
            groups[key] = "\n".join(one.part)
        if one.told is not None:
            told[key] = one.told
            for expression in expressions:
                # Who names a part as an expression calls it means the same one.
                groups[f"told {key} {expression}"] = f"{expression}\n{one.told}"
                told[f"told {key} {expression}"] = one.told
    joined = join_parts(groups, told)
    return [joined[key] for key in keys]


def refuse(clashes: Sequence[Clash]) -> None:
    """Refuse a training with pictures that are there to measure by.

    Raises:
        DataError: names them, when there are any.
    """
    if clashes:
        listed = "; ".join(str(clash) for clash in clashes[:_MOST_NAMED])
        more = len(clashes) - _MOST_NAMED
        rest = f"; and {more:,} more" if more > 0 else ""
        raise DataError(
            f"pictures that are there to measure by would be trained on ({listed}{rest}), and the "
            "scores would flatter; take them out of splits/train.txt, or leave them out of this "
            "training with --leave-out"
        )
