"""Reading and writing pictures and masks: every bit depth and file format in, one form out.

A picture is (H, W, channels) uint8, channels 3 (RGB) or 1 (grey); a mask is (H, W) uint8 labels.
Files appear whole or not at all.
"""

from segnet_res.images.arrays import Channels, UInt8Array, to_channels
from segnet_res.images.decoding import MAX_LARGE_PIXELS, MAX_PIXELS
from segnet_res.images.files import SUFFIXES, atomic_write, find_images, linked_folders
from segnet_res.images.large import LargePicture
from segnet_res.images.masks import labels_from_colors, read_mask
from segnet_res.images.reading import (
    Picture,
    has_alpha,
    image_size,
    is_grey,
    is_turned,
    read_image,
    read_picture,
)
from segnet_res.images.writing import write_image, write_mask, write_strips

__all__ = [
    "MAX_LARGE_PIXELS",
    "MAX_PIXELS",
    "SUFFIXES",
    "Channels",
    "LargePicture",
    "Picture",
    "UInt8Array",
    "atomic_write",
    "find_images",
    "has_alpha",
    "image_size",
    "is_grey",
    "is_turned",
    "labels_from_colors",
    "linked_folders",
    "read_image",
    "read_mask",
    "read_picture",
    "to_channels",
    "write_image",
    "write_mask",
    "write_strips",
]
