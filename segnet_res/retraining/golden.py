"""Golden sets: frozen lists of pictures and masks that checkpoints are compared on.

A split may change from one comparison to the next: a mask is corrected, a picture is added. A
golden set names each picture with the SHA-256 of its file and of its mask, and is refused as soon
as one of them is another. So two comparisons on one golden set have the same truth.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segnet_res.classes import ClassMap
from segnet_res.data import SegmentationDataset, load_info
from segnet_res.data.dataset import check_stem, index_images, index_masks, read_split
from segnet_res.errors import DataError, UsageError
from segnet_res.inference.manifest import digest_of_file

VERSION = 1

# So many are named; nobody reads more at once.
_MOST_NAMED = 5


@dataclass(frozen=True)
class GoldenPicture:
    """One picture of a golden set.

    Attributes:
        stem: The picture's path below ``images/`` without its suffix.
        part: The part that it shows.
        image: The picture's path below ``images/``, with its suffix.
        image_sha256: Of the picture's file, 64 hexadecimal digits.
        mask_sha256: Of the mask's file.
    """

    stem: str
    part: str
    image: str
    image_sha256: str
    mask_sha256: str


@dataclass(frozen=True)
class GoldenSet:
    """What a file of a golden set says.

    Attributes:
        path: The file.
        root: The dataset folder that holds the pictures.
        name: What people call the dataset.
        split: The split that the set was made from.
        class_map: Names and colours of the classes and the label that counts nowhere.
        channels: 1 when the pictures are read as grey, 3 for RGB.
        pictures: In the order of the split; at least one.
    """

    path: Path
    root: Path
    name: str
    split: str
    class_map: ClassMap
    channels: int
    pictures: tuple[GoldenPicture, ...]

    @property
    def parts(self) -> tuple[str, ...]:
        """The part of each picture."""
        return tuple(picture.part for picture in self.pictures)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of everything that decides on scores; equal ones mean the same truth."""
        content = {
            "pictures": [asdict(picture) for picture in self.pictures],
            "classes": self.class_map.names,
            "ignore_index": self.class_map.ignore_index,
            "channels": self.channels,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def open(self) -> SegmentationDataset:
        """Return the pictures as a dataset, after every file was compared with the list.

        Raises:
            DataError: when a file is missing or another than when the set was made, or the classes
                of the dataset have changed.
        """
        self._check_classes()
        changed = [
            f"{picture.stem!r}: {problem}"
            for picture in self.pictures
            if (problem := _problem(self.root, picture))
        ]
        if changed:
            listed = "; ".join(changed[:_MOST_NAMED])
            more = len(changed) - _MOST_NAMED
            rest = f"; and {more:,} more" if more > 0 else ""
            raise DataError(
                f"{self.path}: {len(changed):,} of its {len(self.pictures):,} pictures are not "
                f"what they were ({listed}{rest}); put the files back, or make a new golden set"
            )
        return SegmentationDataset(
            self.root, self.split, stems=[picture.stem for picture in self.pictures]
        )

    def left(self) -> SegmentationDataset:
        """Return those of the pictures that are still there, whatever became of them and the masks.

        Enough to keep them out of a training; nothing can be measured on them.

        Raises:
            DataError: when the dataset is not there.
        """
        images, masks = index_images(self.root), index_masks(self.root)
        stems = [one.stem for one in self.pictures if one.stem in images and one.stem in masks]
        return SegmentationDataset(self.root, self.split, stems=stems)

    def check_held_out(self) -> None:
        """Refuse a set whose pictures were put into the training split of their dataset since.

        Raises:
            DataError: names them.
        """
        both = sorted({one.stem for one in self.pictures} & set(read_split(self.root, "train")))
        if both:
            raise DataError(
                f"{self.path}: {len(both):,} of its pictures are in splits/train.txt of "
                f"{self.root} now ({_listed(both)}), so that scores would flatter; take them out "
                "there and train again, or make a new golden set"
            )

    def _check_classes(self) -> None:
        if not self.root.is_dir():
            raise DataError(
                f"{self.path}: its dataset {self.root} is not there; put the folder back, or "
                'correct the path after "dataset" in the file'
            )
        info = load_info(self.root)
        known = (self.class_map.names, self.class_map.ignore_index, self.channels)
        found = (info.class_map.names, info.class_map.ignore_index, info.channels)
        if known != found:
            raise DataError(
                f"{self.path}: classes, ignore_index or channels in {self.root}/dataset.yaml are "
                f"not what they were ({_told(*known)}, now {_told(*found)}); take the change back, "
                "or make a new golden set"
            )


def check_measures(split: str) -> None:
    """Refuse a split on which nothing can be measured.

    Raises:
        UsageError: when it is the one that is trained on.
    """
    if split == "train":
        raise UsageError(
            "the split 'train' is trained on, so that nothing can be measured on it; choose val or "
            "test"
        )


def load_golden(path: Path) -> GoldenSet:
    """Read the file of a golden set; `GoldenSet.open` compares the pictures with it.

    Raises:
        DataError: when the file cannot be read, or is none.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror or error}); check the path, or make one with "
            "`segnet-res golden make`"
        ) from error
    except ValueError as error:
        raise _none_of_ours(path, "it does not parse") from error
    version = content.get("golden") if isinstance(content, dict) else None
    if not isinstance(version, int):
        raise _none_of_ours(path, 'it does not say "golden"')
    if version > VERSION:
        raise DataError(
            f"{path}: version {version} of a golden set is newer than {VERSION}, the last one "
            "known here; upgrade segnet_res"
        )
    try:
        golden = _from_dict(path, content)
    except (KeyError, TypeError, ValueError, AttributeError, DataError) as error:
        raise _none_of_ours(path, str(error)) from error
    if golden.fingerprint != content.get("fingerprint"):
        raise DataError(
            f"{path}: was changed since it was made (its fingerprint does not fit); put the file "
            "back, or make a new golden set"
        )
    return golden


def _from_dict(path: Path, content: dict[str, Any]) -> GoldenSet:
    pictures = tuple(GoldenPicture(**one) for one in content["pictures"])
    for picture in pictures:
        check_stem(picture.stem, path.name)
        check_stem(picture.image, path.name)
    if not pictures:
        raise DataError("it names no picture")
    return GoldenSet(
        path,
        path.parent / content["dataset"],
        str(content["name"]),
        str(content["split"]),
        ClassMap.from_dict(content),
        int(content["channels"]),
        pictures,
    )


def _none_of_ours(path: Path, reason: str) -> DataError:
    return DataError(
        f"{path}: no golden set ({reason}); give a file that `segnet-res golden make` wrote"
    )


def _problem(root: Path, picture: GoldenPicture) -> str | None:
    """Say what is wrong with the files of a picture, or nothing."""
    for what, path, known in (
        ("picture", root / "images" / picture.image, picture.image_sha256),
        ("mask", root / "masks" / f"{picture.stem}.png", picture.mask_sha256),
    ):
        try:
            if digest_of_file(path) != known:
                return f"its {what} has changed"
        except OSError:
            return f"its {what} is missing"
    return None


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _told(names: Sequence[str], ignore_index: int, channels: int) -> str:
    return f"{', '.join(names)}; {ignore_index}; {channels}"
