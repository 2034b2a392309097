"""Regions as COCO JSON: a file for each picture, and one merged from all of them."""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from segnet_res.classes import ClassMap, background
from segnet_res.images import UInt8Array, atomic_write
from segnet_res.inference.polygons import region_polygons
from segnet_res.regions import regions_by_class
from segnet_res.version import __version__

# The name of the merged file in the target.
MERGED = "polygons.json"

_AT_ONCE = 1 << 20

Annotation = dict[str, Any]


def write_polygons(path: Path, labels: UInt8Array, class_map: ClassMap, *, name: str) -> None:
    """Write the regions of one mask as a COCO file, whole or not at all.

    Each region is one annotation with one polygon, as `region_polygons` draws it; its area is the
    number of its pixels. The id of a category is the label in the mask.

    Args:
        path: Where to.
        labels: (H, W) uint8, labels of the class map or `ignore_index`.
        class_map: Names and colours of the labels.
        name: What the picture is called.

    Raises:
        StorageError: when the file cannot be written.
    """
    height, width = labels.shape
    image = {"id": 1, "file_name": name, "width": width, "height": height}
    with atomic_write(path) as file:
        _write_head(file)
        file.write(b',\n"categories": ')
        _write_list(file, categories(class_map))
        file.write(b',\n"images": ')
        _write_list(file, [image])
        file.write(b',\n"annotations": ')
        _write_list(file, _annotations(labels, class_map))
        file.write(b"}\n")


def merge_polygons(
    target: Path, rows: Iterable[Mapping[str, Any]], class_map: ClassMap
) -> tuple[int, list[str]]:
    """Write ``polygons.json`` with the regions of all pictures of a run, whole or not at all.

    Pictures and annotations are numbered from 1. One file at a time is held in memory. A picture
    that another checkpoint segmented keeps its classes by name: those that the class map lacks
    follow behind.

    Args:
        target: Folder of the results.
        rows: Lines of the manifest, one for each picture; those that failed or have no polygons
            are passed over.
        class_map: Names and colours of the labels.

    Returns:
        The number of pictures, and why files were passed over: somebody may have taken one away,
        and the others must not wait for it.

    Raises:
        StorageError: when the result cannot be written.
    """
    counts = {"images": 0, "annotations": 0}
    missing: list[str] = []
    known = {str(one["name"]): one for one in categories(class_map)}
    free = itertools.count(len(class_map))

    def images(later: IO[bytes]) -> Iterator[dict[str, Any]]:
        for row in rows:
            output = (row.get("outputs") or {}).get("polygons")
            if row.get("status") != "ok" or not output:
                continue
            try:
                image, annotations, own = _read(target / output["path"])
            except ValueError as error:
                missing.append(f"{output['path']} {error}")
                continue
            counts["images"] += 1
            for annotation in annotations:
                category = own[annotation["category_id"]]
                if category["name"] not in known:
                    known[category["name"]] = category | {"id": next(free)}
                counts["annotations"] += 1
                numbers = {
                    "id": counts["annotations"],
                    "image_id": counts["images"],
                    "category_id": known[category["name"]]["id"],
                }
                _write_item(later, annotation | numbers, first=counts["annotations"] == 1)
            yield image | {"id": counts["images"]}

    with atomic_write(target / MERGED) as file, tempfile.TemporaryFile(dir=target) as later:
        _write_head(file)
        # One list follows the other in the file, but all are known picture by picture.
        file.write(b',\n"images": ')
        _write_list(file, images(later))
        file.write(b',\n"annotations": [')
        later.seek(0)
        while part := later.read(_AT_ONCE):
            file.write(part)
        file.write(b'\n],\n"categories": ')
        _write_list(file, known.values())
        file.write(b"}\n")
    return counts["images"], missing


def categories(class_map: ClassMap) -> list[dict[str, Any]]:
    """Return the classes that have regions.

    >>> categories(ClassMap(("sound", "dent"), ((0, 0, 0), (255, 0, 0))))
    [{'id': 1, 'name': 'dent', 'supercategory': '', 'color': [255, 0, 0]}]
    """
    sound = background(class_map)
    return [
        {"id": label, "name": name, "supercategory": "", "color": list(color)}
        for label, (name, color) in enumerate(zip(class_map.names, class_map.colors, strict=True))
        if label != sound
    ]


def _annotations(labels: UInt8Array, class_map: ClassMap) -> Iterator[Annotation]:
    number = 0
    for found in regions_by_class(labels, class_map, boxes=True):
        assert found.boxes is not None
        left, top = found.corner
        polygons = region_polygons(found.components, len(found))
        for polygon, pixels, box in zip(
            polygons, found.pixels.tolist(), found.boxes.tolist(), strict=True
        ):
            number += 1
            yield {
                "id": number,
                "image_id": 1,
                "category_id": found.label,
                "iscrowd": 0,
                "area": pixels,
                "bbox": box,
                "segmentation": [[value for x, y in polygon for value in (x + left, y + top)]],
            }
        # Or the numbers of one class would still be there beside those of the next.
        del found, polygons


def _read(path: Path) -> tuple[dict[str, Any], list[Annotation], dict[int, dict[str, Any]]]:
    """Return the picture, its annotations and its categories by id."""
    try:
        content = json.loads(path.read_bytes())
        (image,) = content["images"]
        annotations, own = content["annotations"], {c["id"]: c for c in content["categories"]}
        if any("name" not in own[one["category_id"]] for one in annotations):
            raise KeyError("name")
        return dict(image), list(annotations), own
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError("holds no polygons of ours") from error


def _write_head(file: IO[bytes]) -> None:
    head = {"info": {"description": f"segnet_res {__version__}"}}
    file.write(_encode(head)[:-1])


def _write_list(file: IO[bytes], items: Iterable[Mapping[str, Any]]) -> None:
    """Write a list with an item a line, one after the other."""
    file.write(b"[")
    for i, item in enumerate(items):
        _write_item(file, item, first=i == 0)
    file.write(b"\n]")


def _write_item(file: IO[bytes], item: Mapping[str, Any], *, first: bool) -> None:
    file.write((b"\n" if first else b",\n") + _encode(item))


def _encode(item: Mapping[str, Any]) -> bytes:
    # ASCII, so that names that are no UTF-8 pass too.
    return json.dumps(item, separators=(",", ":")).encode("ascii")
