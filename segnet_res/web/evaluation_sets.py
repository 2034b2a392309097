"""The sets that the Evaluate tab can measure a model on: a dataset's split, uploads, samples."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from segnet_res.classes import ClassMap
from segnet_res.data import Sample, SegmentationDataset, name_groups, part_groups
from segnet_res.errors import DataError, UsageError
from segnet_res.images import read_image
from segnet_res.web.backend import Backend
from segnet_res.web.reference import read_reference
from segnet_res.web.results import check_size

if TYPE_CHECKING:
    from segnet_res.inference import Segmenter

# More is no matter of dropping files on a page; a dataset folder takes any number.
MAX_PAIRS = 5000

# How the names of pictures tell which of them show one part.
PARTS = ("auto", "picture", "prefix", "folder")


@dataclass(frozen=True)
class Item:
    """A picture of a set.

    Attributes:
        name: What the page calls it; no other of the set is called so.
        image: Its file.
        source: By this the Inspect tab finds the picture, see `Pictures.find`.
        reference: By this the Inspect tab finds its mask.
    """

    name: str
    image: Path
    source: dict[str, Any]
    reference: dict[str, Any]


class PictureSet(Protocol):
    """Pictures with masks that a model is measured on."""

    title: str
    items: tuple[Item, ...]
    uploads: tuple[Path, ...]

    def class_map(self, segmenter: "Segmenter") -> ClassMap:
        """Return the classes of the masks.

        Raises:
            DataError: when the model cannot be measured on this set.
        """

    def doubt(self, segmenter: "Segmenter") -> str | None:
        """Return why the model's scores on this set would flatter, or None."""

    def read(self, index: int, class_map: ClassMap) -> tuple[Sample, tuple[str, ...]]:
        """Read one picture and its mask, and say what looks wrong about the mask.

        Raises:
            ImageError: when one of them cannot be read.
            DataError: when they do not fit together.
        """

    def parts(self) -> dict[str, str]:
        """Return the part that each picture shows, as far as the set itself knows."""


class DatasetSplit:
    """A split of a dataset below the folder that the start command allowed.

    Args:
        root: The dataset's folder.
        name: What the page calls the dataset.
        split: "train", "val" or "test".

    Raises:
        DataError: when the dataset cannot be used, or the split is empty.
    """

    def __init__(self, root: Path, name: str, split: str) -> None:
        self._dataset = SegmentationDataset(root, split)
        if not len(self._dataset):
            raise DataError(
                f"{self._dataset.info.name}: the split {split!r} is empty; choose another one"
            )
        self.title = f"{self._dataset.info.name}, {split}"
        self.uploads: tuple[Path, ...] = ()
        self.items = tuple(
            Item(
                stem,
                self._dataset.image_path(i),
                {"kind": "dataset", "dataset": name, "split": split, "stem": stem},
                {"kind": "own"},
            )
            for i, stem in enumerate(self._dataset.stems)
        )

    def class_map(self, segmenter: "Segmenter") -> ClassMap:
        """Return the dataset's classes, when the model's are the same."""
        # Imported here: it brings torch, which takes seconds, and the page should open before.
        from segnet_res.evaluation import check_fit

        check_fit(segmenter, self._dataset)
        return self._dataset.class_map

    def doubt(self, segmenter: "Segmenter") -> str | None:
        """Return a sentence when the model was trained on this split."""
        from segnet_res.evaluation import trained_on

        return trained_on(segmenter, self._dataset)

    def read(self, index: int, class_map: ClassMap) -> tuple[Sample, tuple[str, ...]]:  # noqa: ARG002
        """Read one picture and its mask as `segnet-res evaluate` reads them."""
        check_size(self._dataset.image_path(index))
        return self._dataset[index], ()

    def parts(self) -> dict[str, str]:
        """Return the part of each picture as the dataset's names or groups tell it."""
        return part_groups(self._dataset)


class Pairs:
    """Pictures and masks that lie side by side, such as uploads.

    Args:
        title: What the page calls the set.
        items: The pictures.
        masks: Their masks, in the same order.
        classes: Names that the masks' labels stand for, when they are known.
        uploads: Entries of the page's folder that must stay while the set is used.
    """

    def __init__(
        self,
        title: str,
        items: tuple[Item, ...],
        masks: tuple[Path, ...],
        *,
        classes: tuple[str, ...] | None = None,
        uploads: tuple[Path, ...] = (),
    ) -> None:
        self.title = title
        self.items = items
        self.uploads = uploads
        self._masks = masks
        self._classes = classes

    def class_map(self, segmenter: "Segmenter") -> ClassMap:
        """Return the model's classes: the masks are read as these."""
        return segmenter.class_map

    def doubt(self, segmenter: "Segmenter") -> None:
        """Nobody knows whether the model was trained on uploads."""

    def read(self, index: int, class_map: ClassMap) -> tuple[Sample, tuple[str, ...]]:
        """Read one picture and its mask as the Inspect tab reads them."""
        item = self.items[index]
        check_size(item.image)
        image = read_image(item.image)
        reference = read_reference(
            self._masks[index], image.shape[:2], class_map, classes=self._classes
        )
        return Sample(item.name, image, reference.labels), reference.warnings

    def parts(self) -> dict[str, str]:
        """Return the part of each picture as far as names tell."""
        stems = {item.name: item.name.rsplit(".", 1)[0] for item in self.items}
        groups = name_groups(list(stems.values()))
        return {name: groups[stem] for name, stem in stems.items()}


def find_set(backend: Backend, content: object) -> PictureSet:
    """Return the set that a browser describes.

    A description is one of::

        {"kind": "dataset", "dataset": ..., "split": ...}
        {"kind": "pairs", "pairs": [{"picture": {"path", "name"}, "mask": {"path", "name"}}, ...]}
        {"kind": "samples"}

    Raises:
        UsageError: when the description makes no sense.
        DataError: when there is no such dataset, or it cannot be used.
        ImageError: when an upload is no longer there.
    """
    fields: dict[str, Any] = content if isinstance(content, dict) else {}
    finders: dict[object, Callable[[Backend, dict[str, Any]], PictureSet]] = {
        "dataset": _dataset,
        "pairs": _pairs,
        "samples": _samples,
    }
    kind = fields.get("kind")
    finder = finders.get(kind) if isinstance(kind, str) else None
    if finder is None:
        raise UsageError("no set was given; choose a dataset, or pictures and their masks")
    return finder(backend, fields)


def group_parts(found: PictureSet, mode: str) -> dict[str, str]:
    """Return the part that each picture of a set shows, by name.

    Args:
        found: The set.
        mode: ``auto``: as the set knows; ``picture``: each picture is a part; ``prefix``: names
            that are the same up to the last ``_`` or ``-``; ``folder``: pictures of one folder.

    >>> items = tuple(Item(name, Path(name), {}, {}) for name in ["a/7_1", "a/7_2", "b/7-1"])
    >>> chosen = Pairs("", items, ())
    >>> group_parts(chosen, "prefix")
    {'a/7_1': 'a/7', 'a/7_2': 'a/7', 'b/7-1': 'b/7'}
    >>> group_parts(chosen, "folder")
    {'a/7_1': 'a', 'a/7_2': 'a', 'b/7-1': 'b'}
    """
    if mode == "auto":
        return found.parts()
    groups = {}
    for item in found.items:
        part = item.name
        if mode == "prefix":
            folder, slash, file = part.rpartition("/")
            stem = file.rsplit(".", 1)[0]
            cut = max(stem.rfind("_"), stem.rfind("-"))
            part = folder + slash + (stem[:cut] if cut > 0 else file)
        elif mode == "folder":
            part = part.rpartition("/")[0]
        groups[item.name] = part
    return groups


def _dataset(backend: Backend, fields: dict[str, Any]) -> PictureSet:
    name, split = _text(fields, "dataset"), _text(fields, "split")
    return DatasetSplit(backend.folders.dataset(name), name, split)


def _pairs(backend: Backend, fields: dict[str, Any]) -> PictureSet:
    listed = fields.get("pairs")
    if not isinstance(listed, list) or not listed:
        raise UsageError("no picture has a mask of its name; choose pictures and their masks")
    if len(listed) > MAX_PAIRS:
        raise UsageError(
            f"{len(listed)} pairs were given, the page takes up to {MAX_PAIRS}; put them into a "
            "dataset folder below the one that --data names"
        )
    items, masks, uploads, taken = [], [], set[Path](), set[str]()
    for entry in listed:
        pair = entry if isinstance(entry, dict) else {}
        paths = []
        for role in ("picture", "mask"):
            given = pair.get(role)
            path = backend.pictures.uploaded(given.get("path") if isinstance(given, dict) else None)
            paths.append(path)
            # What the sweep looks at is the entry right below the page's folder.
            uploads.add(backend.storage.folder / path.relative_to(backend.storage.folder).parts[0])
        picture, mask = paths
        items.append(
            Item(
                _unique(picture.name, taken),
                picture,
                {"kind": "upload", "path": str(picture), "name": picture.name},
                {"kind": "upload", "path": str(mask), "name": mask.name},
            )
        )
        masks.append(mask)
    title = "1 pair" if len(items) == 1 else f"{len(items)} pairs"
    return Pairs(title, tuple(items), tuple(masks), uploads=tuple(sorted(uploads)))


def _samples(backend: Backend, _: dict[str, Any]) -> PictureSet:
    parts = backend.samples.parts().values()
    items = tuple(
        Item(part.name, part.image, {"kind": "sample", "name": part.name}, {"kind": "own"})
        for part in parts
    )
    masks = tuple(part.mask for part in parts)
    return Pairs("samples", items, masks, classes=backend.samples.class_map.names)


def _unique(name: str, taken: set[str]) -> str:
    """Return the name, or one with a number when it is taken already."""
    unique, i = name, 1
    while unique in taken:
        i += 1
        unique = f"{name} ({i})"
    taken.add(unique)
    return unique


def _text(fields: dict[str, Any], key: str) -> str:
    value = fields.get(key)
    return value if isinstance(value, str) and len(value) <= 4096 else ""
