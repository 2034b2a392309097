"""What an importer works out before anything is written."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from segnet_res.data.dataset import DatasetInfo
from segnet_res.images import UInt8Array


@dataclass(frozen=True)
class Entry:
    """One picture of the source.

    Attributes:
        stem: Its stem in the dataset.
        image: The picture.
        mask: The file that its mask is read from; None where the source needs none.
        split: The split that the source puts it into, if it does.
    """

    stem: str
    image: Path
    mask: Path | None
    split: str | None = None


@dataclass(frozen=True)
class Plan:
    """Everything that an import needs; making one reads names and no pixels.

    Attributes:
        info: Name, classes and channels of the dataset; a source that has no name of its own
            leaves it empty, and the dataset is called like its folder.
        entries: The pictures.
        read_labels: Gives the labels (H, W) uint8 of an entry, None for "all background".
        groups: The group of each stem, for sources without splits of their own.
        joins_lookalikes: Groups with pictures that look alike are one; only for sources where it
            was measured that different parts never look that much alike.
        annotations: Files that are neither pictures nor masks and were read all the same.
        notes: What the user should know, one sentence each.
    """

    info: DatasetInfo
    entries: tuple[Entry, ...]
    read_labels: Callable[[Entry], UInt8Array | None]
    groups: Mapping[str, str] = field(default_factory=dict)
    joins_lookalikes: bool = False
    annotations: Collection[Path] = ()
    notes: tuple[str, ...] = ()
