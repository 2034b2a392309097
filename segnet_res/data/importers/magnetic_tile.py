"""The magnetic tiles of Huang, Qiu and Yuan: ``MT_<Defect>/Imgs/`` with .jpg and .png pairs."""

from pathlib import Path

import numpy as np

from segnet_res.classes import MAGNETIC_TILE
from segnet_res.data.dataset import DatasetInfo
from segnet_res.data.importers._plan import Entry, Plan
from segnet_res.data.tiles import tile_groups
from segnet_res.errors import DataError
from segnet_res.images import UInt8Array, find_images, read_image

INFO = DatasetInfo("magnetic-tile", MAGNETIC_TILE, 1)

_FREE = "mt_free"
_FOLDERS = {f"mt_{name}": label for label, name in enumerate(MAGNETIC_TILE.names) if label}
_FOLDERS[_FREE] = 0

# The masks were drawn with soft edges and saved with values between.
_THRESHOLD = 127


def plan(source: Path) -> Plan:
    """Find the pairs in every ``MT_*`` folder that is there, and the tile of each photograph.

    Raises:
        DataError: when no such folder is there, when one has another name than the data set's, or
            when a photograph lacks its mask or a mask its photograph. Only MT_Free may lack masks:
            its tiles have no defect.
    """
    folders = sorted(
        path
        for path in source.iterdir()
        if path.is_dir() and path.name.casefold().startswith("mt_")
    )
    if not folders:
        raise DataError(
            f"{source}: no folder MT_* is here; give the folder that holds MT_Blowhole/, "
            "MT_Break/, MT_Crack/, MT_Fray/, MT_Free/ or MT_Uneven/"
        )
    entries: list[Entry] = []
    for folder in folders:
        if folder.name.casefold() not in _FOLDERS:
            known = ", ".join(f"MT_{name[3:].capitalize()}" for name in sorted(_FOLDERS))
            raise DataError(f"{folder.name}: no such defect in this data set; known are {known}")
        entries += _pairs(folder, source)
    groups = tile_groups([entry.stem for entry in entries])
    return Plan(INFO, tuple(entries), _read_labels, groups, joins_lookalikes=True)


def _pairs(folder: Path, source: Path) -> list[Entry]:
    files = find_images(folder)
    masks = {path.with_suffix(""): path for path in files if path.suffix.lower() == ".png"}
    entries = []
    for path in files:
        if path.suffix.lower() == ".png":
            continue
        mask = masks.pop(path.with_suffix(""), None)
        if mask is None and folder.name.casefold() != _FREE:
            raise DataError(
                f"{path.relative_to(source).as_posix()}: no mask {path.stem}.png beside it; "
                "add it or take the photograph away"
            )
        # Imgs/ is in every path and tells nothing.
        stem = f"{folder.name}/{path.stem}"
        entries.append(Entry(stem, path, mask))
    if masks:
        name = next(iter(masks.values())).relative_to(source).as_posix()
        raise DataError(
            f"{name}: no photograph of this name (.jpg) beside this mask; "
            "add it or take the mask away"
        )
    return entries


def _read_labels(entry: Entry) -> UInt8Array | None:
    if entry.mask is None:
        return None
    grey = read_image(entry.mask, 1)[..., 0]
    label = _FOLDERS[entry.stem.partition("/")[0].casefold()]
    return (grey > _THRESHOLD).astype(np.uint8) * np.uint8(label)
