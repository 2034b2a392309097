"""COCO: ``instances_*.json`` or any JSON of its form, with polygons or run lengths."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnet_res.data.importers._drawn import (
    FAULTS,
    Area,
    Drawing,
    Tally,
    plan_drawings,
    read_json,
    ring,
)
from segnet_res.data.importers._pictures import Pictures, split_of
from segnet_res.data.importers._plan import Plan
from segnet_res.data.importers._shapes import coco_counts, runs_to_mask
from segnet_res.data.importers.folder import MaskOptions
from segnet_res.data.names import IGNORED
from segnet_res.errors import DataError

# Other annotations of the same pictures, as COCO itself comes with them.
_OTHERS = ("person_keypoints", "captions", "panoptic", "image_info", "labels_")


def plan(source: Path, options: MaskOptions) -> Plan:
    """Find the annotations and pictures below a folder.

    Later annotations lie on earlier ones. Crowds are of their class, for in a mask it does not
    matter how many there are; areas with ``ignore: 1`` are ignored. Boxes without an outline are
    left out.

    Raises:
        DataError: when no file has the form of COCO, or one is broken, or a picture is missing.
        UsageError: when options make no sense here.
    """
    files = {path: content for path in sorted(source.rglob("*.json")) if (content := _read(path))}
    instances = {path: content for path, content in files.items() if "instances" in path.stem}
    files = instances or files
    if not files:
        raise DataError(
            f"{source}: no JSON with the lists images, annotations and categories is in it; "
            "export as COCO and unpack it there, beside the pictures"
        )
    tally, pictures = Tally(), Pictures(source)
    drawings: list[Drawing] = []
    names: dict[str, None] = {}
    for path, content in files.items():
        categories = _categories(content, path)
        names.update(dict.fromkeys(categories.values()))
        drawings += _drawings(path, content, categories, pictures, tally)
    return plan_drawings(source, drawings, list(names), options, tally, pictures.notes())


def _read(path: Path) -> dict[str, Any] | None:
    if path.name.startswith((".", *_OTHERS)):
        return None
    content = read_json(path)
    lists = ("images", "annotations", "categories")
    if isinstance(content, dict) and all(isinstance(content.get(key), list) for key in lists):
        return content
    return None


def _categories(content: Mapping[str, Any], path: Path) -> dict[object, str]:
    try:
        found = {entry["id"]: str(entry["name"]) for entry in content["categories"]}
    except (TypeError, KeyError) as error:
        raise DataError(
            f"{path.name}: a category lacks id or name ({error}); export it again"
        ) from error
    return dict(sorted(found.items(), key=lambda item: (str(type(item[0])), item[0])))


def _drawings(
    path: Path,
    content: Mapping[str, Any],
    categories: Mapping[object, str],
    pictures: Pictures,
    tally: Tally,
) -> list[Drawing]:
    # "train/_annotations.coco.json" tells its split by the folder; what the user called the source
    # tells nothing.
    split = split_of(path.stem)
    if split is None and path.parent != pictures.source:
        split = split_of(path.parent.name)
    areas: dict[object, list[Area]] = {}
    sizes: dict[object, tuple[int, int]] = {}
    try:
        for image in content["images"]:
            areas[image["id"]] = []
            sizes[image["id"]] = (int(image["height"]), int(image["width"]))
        for entry in content["annotations"]:
            where = f"{path.name}: annotation {entry.get('id')!r}"
            if entry["image_id"] not in areas or entry["category_id"] not in categories:
                key = "image_id" if entry["image_id"] not in areas else "category_id"
                raise DataError(
                    f"{where} has {key} {entry[key]!r}, which the file does not list; export it "
                    "again"
                )
            name = IGNORED[0] if entry.get("ignore") else categories[entry["category_id"]]
            found = _areas(entry.get("segmentation"), name, sizes[entry["image_id"]], where)
            if not found:
                tally.add("annotations that are boxes without an outline")
            areas[entry["image_id"]] += found
        return [
            Drawing(
                path,
                pictures.find(image["file_name"], path, split),
                sizes[image["id"]],
                areas[image["id"]],
                split,
            )
            for image in content["images"]
        ]
    except FAULTS as error:
        raise DataError(
            f"{path.name}: an image or annotation lacks something or holds what it should not "
            f"({type(error).__name__}: {error}); export it again"
        ) from error


def _areas(outline: object, name: str, size: tuple[int, int], where: str) -> list[Area]:
    """Return one area for each polygon, or one for run lengths; none where there is neither."""
    if not outline:
        return []
    if isinstance(outline, list):
        return [Area(name, [ring(polygon, where)]) for polygon in outline]
    if not isinstance(outline, dict) or list(outline.get("size", ())) != list(size):
        told = outline.get("size") if isinstance(outline, dict) else outline
        raise DataError(
            f"{where}: its run lengths are for a picture of height and width {told}, the picture "
            f"has {list(size)}; export it again"
        )
    return [Area(name, bitmap=partial(_mask, outline["counts"], size))]


def _mask(counts: str | list[int], size: tuple[int, int]) -> NDArray[np.bool_]:
    runs = coco_counts(counts) if isinstance(counts, str) else counts
    return runs_to_mask(runs, size, by_column=True)
