"""Data sets: the folder layout, reading, importing, splitting, checking and synthetic parts."""

from segnet_res.data.dataset import (
    SPLITS,
    DatasetInfo,
    Sample,
    SegmentationDataset,
    load_info,
    save_info,
)
from segnet_res.data.importers import ImportReport, import_dataset
from segnet_res.data.shares import class_pixels, fingerprint
from segnet_res.data.splits import assign_splits

__all__ = [
    "SPLITS",
    "DatasetInfo",
    "ImportReport",
    "Sample",
    "SegmentationDataset",
    "assign_splits",
    "class_pixels",
    "fingerprint",
    "import_dataset",
    "load_info",
    "save_info",
]
