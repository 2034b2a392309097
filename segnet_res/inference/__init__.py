"""From a picture to labels: the Segmenter, its tiles, and runs over folders."""

from segnet_res.inference.folder import FileResult, FolderRun, predict_folder
from segnet_res.inference.segmenter import BACKENDS, Prediction, Segmenter, evaluating

__all__ = [
    "BACKENDS",
    "FileResult",
    "FolderRun",
    "Prediction",
    "Segmenter",
    "evaluating",
    "predict_folder",
]
