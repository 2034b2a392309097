"""Measure what the mask doctor saves of real masks that JPEG has spoilt, or that are too large.

    python benchmarks/doctor.py data/tiles data/camvid

Masks are painted in their classes' colours, saved as JPEG and read back: IoU of each class over all
of them. Then masks get a row and a column more, at either end, and the doctor tells at which.
"""

import argparse
import json
import random
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from measure import write_measured, write_result

from segnet_res.data.dataset import index_images, index_masks, load_info
from segnet_res.data.doctor import surplus
from segnet_res.data.doctor.reading import Reading
from segnet_res.data.doctor.repair import labels_of
from segnet_res.data.doctor.survey import RawMask
from segnet_res.images import UInt8Array, read_image, read_mask

RESULTS = Path(__file__).parent / "results" / "doctor.json"
PAGE = Path(__file__).resolve().parents[1] / "docs" / "data.md"

QUALITY = 80
JPEG_MASKS, LARGE_MASKS = 60, 120
PADS = {"first": ((1, 0), (1, 0)), "last": ((0, 1), (0, 1))}


def spoilt(labels: UInt8Array, palette: UInt8Array) -> RawMask:
    """Return labels in colours after a JPEG with halved colour resolution."""
    painted = np.ascontiguousarray(palette[labels][..., ::-1])
    _, content = cv2.imencode(".jpg", painted, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    colors = np.ascontiguousarray(cv2.imdecode(content, cv2.IMREAD_COLOR)[..., ::-1])
    return RawMask(None, colors.astype(np.uint8), None, None, False)


def measure(root: Path, seed: int) -> dict[str, object]:
    """Return the numbers of one data set."""
    info = load_info(root)
    classes = info.class_map
    images, masks = index_images(root), index_masks(root)
    stems = sorted(set(images) & set(masks))
    random.Random(seed).shuffle(stems)
    palette = classes.palette()
    # White stands for what is ignored, as in many exports.
    palette[classes.ignore_index] = 255
    colors = {color: label for label, color in enumerate(classes.colors)}
    colors[255, 255, 255] = classes.ignore_index
    reading = Reading(classes, None, colors, noisy=True)
    both = np.zeros(256, np.int64)
    either = np.zeros(256, np.int64)
    differences: dict[str, list[list[float]]] = {end: [[], []] for end in PADS}
    done = 0
    for stem in stems:
        labels = read_mask(masks[stem], classes)
        # Sound parts tell nothing.
        if len(np.unique(labels)) < 2:
            continue
        if done < JPEG_MASKS:
            found = labels_of(spoilt(labels, palette), reading, stem)
            for label in np.unique(labels):
                both[label] += int(((found == label) & (labels == label)).sum())
                either[label] += int(((found == label) | (labels == label)).sum())
        image = read_image(images[stem][0], 1)
        for end, pad in PADS.items():
            compared = surplus.compare(image, np.pad(labels, pad, mode="edge"))
            for values, value in zip(differences[end], compared, strict=True):
                if value is not None:
                    values.append(value)
        done += 1
        if done == LARGE_MASKS:
            break
    answers = {True: "last", False: "first", None: "asks"}
    return {
        "masks": done,
        "jpeg_masks": min(done, JPEG_MASKS),
        "iou": {
            name: round(float(both[i] / either[i]), 3)
            for i, name in enumerate(classes.names)
            if either[i]
        },
        "surplus": {
            end: {
                line: answers[surplus.judge(values)]
                for line, values in zip(("row", "column"), found, strict=True)
            }
            for end, found in differences.items()
        },
    }


def main() -> None:
    """Measure, print and keep the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("datasets", nargs="+", type=Path, help="dataset folders")
    parser.add_argument("--seed", type=int, default=0, help="chooses the masks")
    options = parser.parse_args()
    found = {load_info(root).name: measure(root, options.seed) for root in options.datasets}
    print(json.dumps(found, indent=2))
    write_result(RESULTS, found)
    write_measured(PAGE, __file__, told(found))


def told(found: dict[str, Any]) -> str:
    """Return what the guide says of a result."""
    lines = ["| data | masks | lowest IoU of a class | lowest but one | end told | asked |"]
    lines += ["|---|---:|---|---|---:|---:|"]
    for name, one in found.items():
        lowest = sorted(one["iou"].items(), key=lambda item: item[1])[:2]
        shown = " | ".join(f"{value:.2f} ({label})" for label, value in lowest)
        ends = [end for pair in one["surplus"].values() for end in pair.values()]
        asked = ends.count("asks")
        lines.append(f"| {name} | {one['jpeg_masks']} | {shown} | {len(ends) - asked} | {asked} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
