"""From a picture to labels: the Segmenter, its tiles, and runs over folders."""

from segnet_res.inference.folder import FolderRun, predict_folder
from segnet_res.inference.runtime import BACKENDS
from segnet_res.inference.segmenter import Part, Prediction, Segmenter
from segnet_res.inference.work import FileResult

__all__ = [
    "BACKENDS",
    "FileResult",
    "FolderRun",
    "Part",
    "Prediction",
    "Segmenter",
    "predict_folder",
]
