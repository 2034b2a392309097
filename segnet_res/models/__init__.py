"""The network, its named sizes, and the way to segmentation-models-pytorch."""

from segnet_res.models.base import SegmentationModel
from segnet_res.models.build import build_model
from segnet_res.models.device import describe_device, is_out_of_memory, resolve_device
from segnet_res.models.names import ARCHITECTURES
from segnet_res.models.pretrained import load_vgg16_bn
from segnet_res.models.ressegnet import ResSegNet
from segnet_res.models.unpooling import max_pool, max_unpool

__all__ = [
    "ARCHITECTURES",
    "ResSegNet",
    "SegmentationModel",
    "build_model",
    "describe_device",
    "is_out_of_memory",
    "load_vgg16_bn",
    "max_pool",
    "max_unpool",
    "resolve_device",
]
