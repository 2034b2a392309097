"""Semantic segmentation for visual inspection with a residual-enhanced SegNet.

The names below are imported when first used, so that ``segnet-res --help`` does not wait for torch.
"""

import importlib
import os
import sys
from typing import TYPE_CHECKING

from segnet_res.version import __version__

# Both backends report to their makers, from their import on. Here, because this comes before it:
# ONNX Runtime heeds the variable, OpenVINO does without the module that it sends by.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

if TYPE_CHECKING:
    from segnet_res.checkpoint import Checkpoint as Checkpoint
    from segnet_res.classes import ClassMap as ClassMap
    from segnet_res.data import SegmentationDataset as SegmentationDataset
    from segnet_res.evaluation import evaluate as evaluate
    from segnet_res.inference import Prediction as Prediction
    from segnet_res.inference import Segmenter as Segmenter
    from segnet_res.losses import balanced_cross_entropy as balanced_cross_entropy
    from segnet_res.metrics import ConfusionMatrix as ConfusionMatrix
    from segnet_res.metrics import Scores as Scores
    from segnet_res.models import ResSegNet as ResSegNet
    from segnet_res.models import build_model as build_model
    from segnet_res.spec import Spec as Spec
    from segnet_res.training import TrainConfig as TrainConfig
    from segnet_res.training import train as train

_HOMES = {
    "Checkpoint": "checkpoint",
    "ClassMap": "classes",
    "ConfusionMatrix": "metrics",
    "Prediction": "inference",
    "ResSegNet": "models",
    "Scores": "metrics",
    "SegmentationDataset": "data",
    "Segmenter": "inference",
    "Spec": "spec",
    "TrainConfig": "training",
    "balanced_cross_entropy": "losses",
    "build_model": "models",
    "evaluate": "evaluation",
    "train": "training",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
