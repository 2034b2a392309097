"""The network, its named sizes, and the way to segmentation-models-pytorch."""

from segnet_res.models.base import SegmentationModel
from segnet_res.models.build import build_model
from segnet_res.models.device import describe_device, is_out_of_memory, resolve_device
from segnet_res.models.folding import fold_batch_norms
from segnet_res.models.names import ARCHITECTURES
from segnet_res.models.pretrained import load_vgg16_bn
from segnet_res.models.ressegnet import ResSegNet
from segnet_res.models.unpooling import marked_pool, marked_unpool, max_pool, max_unpool, portable

__all__ = [
    "ARCHITECTURES",
    "ResSegNet",
    "SegmentationModel",
    "build_model",
    "describe_device",
    "fold_batch_norms",
    "is_out_of_memory",
    "load_vgg16_bn",
    "marked_pool",
    "marked_unpool",
    "max_pool",
    "max_unpool",
    "portable",
    "resolve_device",
]
