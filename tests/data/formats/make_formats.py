"""Write the samples of this folder with Datumaro, which CVAT exports with.

    pip install datumaro==1.13.12
    python tests/data/formats/make_formats.py

Two pictures for training and one for validation show a dent with a hole, drawn as a mask, and two
scratches, one a mask and one a polygon that covers a corner of the dent.
"""

import shutil
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
FORMATS = {
    "coco": "coco_instances",
    "voc": "voc_segmentation",
    "cityscapes": "cityscapes",
    "cvat": "cvat",
}
HEIGHT, WIDTH = 12, 16


def main() -> None:
    # Here, so that nothing needs Datumaro that only looks for tests.
    import datumaro
    from datumaro.components.annotation import LabelCategories, Mask, MaskCategories, Polygon
    from datumaro.components.media import Image

    rng = np.random.default_rng(0)
    dent = np.zeros((HEIGHT, WIDTH), bool)
    dent[2:7, 3:9] = True
    dent[4, 5] = False
    scratch = np.zeros((HEIGHT, WIDTH), bool)
    scratch[8:10, 10:15] = True
    corner = [1, 5, 5, 5, 5, 11, 1, 11]
    items = [
        datumaro.DatasetItem(
            id=f"line1/cap{i}",
            subset=subset,
            media=Image.from_numpy(rng.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)),
            annotations=[
                Mask(dent, label=1, z_order=0, id=1, group=1),
                Mask(scratch, label=2, z_order=1, id=2, group=2),
                Polygon(corner, label=2, z_order=2, id=3, group=3),
            ],
        )
        for i, subset in enumerate(("train", "train", "val"))
    ]
    categories = {
        datumaro.AnnotationType.label: LabelCategories.from_iterable(
            ["background", "dent", "scratch"]
        ),
        datumaro.AnnotationType.mask: MaskCategories(
            {0: (0, 0, 0), 1: (250, 50, 83), 2: (42, 125, 209)}
        ),
    }
    dataset = datumaro.Dataset.from_iterable(items, categories=categories)
    for folder, name in FORMATS.items():
        shutil.rmtree(FOLDER / folder, ignore_errors=True)
        dataset.export(str(FOLDER / folder), name, save_media=True)


if __name__ == "__main__":
    main()
