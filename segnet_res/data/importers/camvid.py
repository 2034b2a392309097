"""CamVid as the SegNet tutorial lays it out: ``train/ trainannot/ val/ valannot/ test/ ...``."""

from pathlib import Path

import numpy as np

from segnet_res.classes import CAMVID
from segnet_res.data.dataset import SPLITS, DatasetInfo, stem_of
from segnet_res.data.importers._plan import Entry, Plan
from segnet_res.errors import DataError
from segnet_res.images import UInt8Array, find_images, read_mask

INFO = DatasetInfo("camvid", CAMVID, 3)

# The tutorial's label of pixels that nobody labelled.
_UNLABELLED = 11


def plan(source: Path) -> Plan:
    """Find the pairs of every split that is there.

    Raises:
        DataError: when no split is there, or a picture lacks its mask or a mask its picture, or
            two splits hold pictures of one name.
    """
    folders = {path.name.casefold(): path for path in source.iterdir() if path.is_dir()}
    present = [split for split in SPLITS if split in folders]
    if not present:
        raise DataError(
            f"{source}: none of the folders {', '.join(SPLITS)} is here; "
            "give the folder that holds train/ and trainannot/ of the SegNet tutorial's CamVid"
        )
    entries: dict[str, Entry] = {}
    for split in present:
        annotations = folders.get(f"{split}annot")
        if annotations is None:
            raise DataError(f"{source}: {split}/ is here without {split}annot/; add its masks")
        for entry in _pairs(folders[split], annotations, split):
            if entry.stem in entries:
                first, second = entries[entry.stem].image, entry.image
                raise DataError(
                    f"{first.parent.name}/{first.name} and {second.parent.name}/{second.name} "
                    "have one name; keep one of them, for a picture belongs to one split only"
                )
            entries[entry.stem] = entry
    return Plan(INFO, tuple(entries.values()), _read_labels)


def _pairs(images: Path, annotations: Path, split: str) -> list[Entry]:
    masks = {stem_of(path, annotations): path for path in find_images(annotations)}
    entries = []
    for path in find_images(images):
        stem = stem_of(path, images)
        if stem not in masks:
            raise DataError(
                f"{images.name}/{path.name}: no mask {annotations.name}/{stem}.png; "
                "add it or take the picture away"
            )
        entries.append(Entry(stem, path, masks.pop(stem), split))
    if masks:
        name = next(iter(masks.values())).name
        raise DataError(
            f"{annotations.name}/{name}: no picture of this name in {images.name}/; "
            "add it or take the mask away"
        )
    return entries


def _read_labels(entry: Entry) -> UInt8Array:
    assert entry.mask is not None
    labels = read_mask(entry.mask, CAMVID)
    found = [label for label in np.unique(labels).tolist() if label > _UNLABELLED]
    # 255 is how other copies of the data set, and our own folder, mark unlabelled pixels.
    if found and found != [CAMVID.ignore_index]:
        raise DataError(
            f"{entry.mask.parent.name}/{entry.mask.name}: holds label {found[0]}; "
            f"CamVid's masks hold 0 to {_UNLABELLED - 1}, and {_UNLABELLED} for unlabelled"
        )
    labels[labels == _UNLABELLED] = CAMVID.ignore_index
    return labels
