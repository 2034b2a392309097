"""Data sets: the folder layout, reading, importing, splitting, checking and synthetic parts."""

from segnet_res.data.check import check_dataset
from segnet_res.data.dataset import (
    SPLITS,
    DatasetInfo,
    Sample,
    SegmentationDataset,
    load_info,
    save_info,
)
from segnet_res.data.importers import ImportReport, import_dataset
from segnet_res.data.parts import empty_split, name_groups, part_groups
from segnet_res.data.problem import Problem
from segnet_res.data.shares import class_pixels, fingerprint
from segnet_res.data.splits import assign_splits
from segnet_res.data.synth import draw_part, synthesize

__all__ = [
    "SPLITS",
    "DatasetInfo",
    "ImportReport",
    "Problem",
    "Sample",
    "SegmentationDataset",
    "assign_splits",
    "check_dataset",
    "class_pixels",
    "draw_part",
    "empty_split",
    "fingerprint",
    "import_dataset",
    "load_info",
    "name_groups",
    "part_groups",
    "save_info",
    "synthesize",
]
