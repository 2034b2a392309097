"""Numbers of a mask as the page's scripts take them: areas, regions and scores of each class."""

from typing import Any

from segnet_res.boundary import border_counts, border_ious
from segnet_res.classes import ClassMap, format_color
from segnet_res.images import UInt8Array
from segnet_res.metrics import ConfusionMatrix
from segnet_res.regions import region_summary
from segnet_res.render import class_pixels


def class_rows(labels: UInt8Array, class_map: ClassMap) -> list[dict[str, Any]]:
    """Return a row for each class: index, name, colour, pixels, share, regions and largest region.

    Args:
        labels: (H, W) uint8, labels of the class map.
        class_map: Names and colours.

    Returns:
        ``share`` is that of the whole picture, 0 to 1; ``regions`` counts 8-connected regions and
        ``largest`` is the area of the largest in pixels. Both are 0 for the background, whose
        regions mean nothing, and for classes that do not occur.
    """
    pixels = class_pixels(labels, class_map)
    regions = region_summary(labels, class_map)
    return [
        {
            "index": i,
            "name": name,
            "color": format_color(color),
            "pixels": int(pixels[i]),
            "share": float(pixels[i] / labels.size),
            "regions": regions[i].count,
            "largest": regions[i].largest,
        }
        for i, (name, color) in enumerate(zip(class_map.names, class_map.colors, strict=True))
    ]


def score_fields(labels: UInt8Array, truth: UInt8Array, class_map: ClassMap) -> dict[str, Any]:
    """Return the scores of a mask against a reference.

    Args:
        labels: (H, W) uint8 that were found.
        truth: (H, W) uint8 that are right; `ignore_index` counts nowhere.
        class_map: Names the classes.

    Returns:
        ``miou``, ``pixel_accuracy``, ``classes`` (each with ``iou``, ``dice``, ``precision``,
        ``recall``, ``border_iou`` and the ``pixels`` of the reference) and ``confusion`` (row =
        reference). A ratio of nothing is None.
    """
    matrix = ConfusionMatrix(class_map)
    matrix.update(truth, labels)
    scores = matrix.scores()
    borders = border_ious(border_counts(truth, labels, class_map))
    return {
        "miou": scores.miou,
        "pixel_accuracy": scores.pixel_accuracy,
        "classes": [
            {
                "iou": score.iou,
                "dice": score.dice,
                "precision": score.precision,
                "recall": score.recall,
                "border_iou": border,
                "pixels": score.pixels,
            }
            for score, border in zip(scores.classes, borders, strict=True)
        ],
        "confusion": [list(row) for row in scores.confusion],
    }
