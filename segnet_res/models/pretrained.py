"""ImageNet weights of VGG16 with batch norm as the start of the encoder, as SegNet did."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

import torch
from torch import Tensor, nn

from segnet_res.errors import CheckpointError, UsageError
from segnet_res.models.base import SegmentationModel
from segnet_res.models.blocks import ConvNorm
from segnet_res.models.names import SIZES
from segnet_res.models.ressegnet import ResSegNet

FROM_HUB = "hub"

# What torchvision's weights were trained with, in units of 0 to 255.
IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)


def load_vgg16_bn(model: SegmentationModel, source: str) -> None:
    """Copy the thirteen convolutions of torchvision's VGG16-BN into the encoder.

    The bias that torchvision's convolutions have and ours have not goes into the running mean of
    the batch norm behind it, which gives the same values. The model takes over ImageNet's mean and
    standard deviation. For grey pictures the first kernels are summed over red, green and blue.

    Args:
        model: A ResSegNet of VGG16's sizes (``ressegnet-vgg16`` or ``segnet-vgg16``).
        source: ``hub`` to fetch torchvision's file, or the path of a local copy of it.

    Raises:
        UsageError: when the model has other sizes.
        CheckpointError: when the weights cannot be fetched, read, or do not fit.
    """
    if not isinstance(model, ResSegNet) or model.encoder_widths != SIZES["vgg16"].widths:
        raise UsageError(
            "--pretrained fits the VGG16 sizes only; choose ressegnet-vgg16 or segnet-vgg16"
        )
    state = _read(source)
    blocks = [block for block in model.encoder.modules() if isinstance(block, ConvNorm)]
    # Shortcuts are 1x1 convolutions; VGG has none.
    blocks = [block for block in blocks if block.kernel_size == 3]
    # In torchvision's list a convolution is followed by its batch norm, one index later.
    places = sorted(
        int(key.split(".")[1]) for key, value in state.items()
        if re.fullmatch(r"features\.[0-9]+\.weight", str(key)) and value.ndim == 4
    )  # fmt: skip
    if len(places) != len(blocks):
        raise CheckpointError(
            f"{source}: {len(places)} convolutions found, VGG16-BN has {len(blocks)}; "
            "use the state dict of torchvision's vgg16_bn"
        )
    try:
        for place, block in zip(places, blocks, strict=True):
            _copy(state, place, block, channels=model.channels)
    except (KeyError, RuntimeError) as error:
        raise CheckpointError(
            f"{source}: does not fit VGG16-BN ({str(error).splitlines()[0]}); "
            "use the state dict of torchvision's vgg16_bn"
        ) from error
    mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
    if model.channels == 1:
        mean, std = mean.mean(0, keepdim=True), std.mean(0, keepdim=True)
    model.mean.copy_(mean.view_as(model.mean))
    model.std.copy_(std.view_as(model.std))


@torch.no_grad()
def _copy(state: dict[str, Tensor], place: int, block: ConvNorm, *, channels: int) -> None:
    conv, norm = block[0], block[1]
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    weight = state[f"features.{place}.weight"]
    if conv.in_channels == channels == 1:
        weight = weight.sum(dim=1, keepdim=True)
    conv.weight.copy_(weight)
    prefix = f"features.{place + 1}"
    norm.weight.copy_(state[f"{prefix}.weight"])
    norm.bias.copy_(state[f"{prefix}.bias"])
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.running_mean.copy_(state[f"{prefix}.running_mean"] - state[f"features.{place}.bias"])
    norm.running_var.copy_(state[f"{prefix}.running_var"])


def _read(source: str) -> dict[str, Tensor]:
    if source == FROM_HUB:
        from torchvision.models import VGG16_BN_Weights

        try:
            with _patience(30):
                state = VGG16_BN_Weights.IMAGENET1K_V1.get_state_dict(
                    progress=False, check_hash=True, weights_only=True
                )
        except (URLError, OSError) as error:
            raise CheckpointError(
                f"the ImageNet weights of VGG16-BN cannot be fetched ({error}); download them "
                "elsewhere and give the file: --pretrained vgg16_bn.pth"
            ) from error
        except Exception as error:  # what is no pickle can raise anything
            raise CheckpointError(
                f"the ImageNet weights of VGG16-BN below {torch.hub.get_dir()} are damaged; "
                "delete them, and they will be fetched again"
            ) from error
    else:
        try:
            state = torch.load(Path(source), map_location="cpu", weights_only=True)
        except FileNotFoundError as error:
            raise CheckpointError(f"{source}: no such file; check the path") from error
        except Exception as error:  # what is no pickle can raise anything
            raise CheckpointError(
                f"{source}: not a file of weights that can be read safely; "
                "use the state dict of torchvision's vgg16_bn"
            ) from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise CheckpointError(f"{source}: not a state dict; use the one of torchvision's vgg16_bn")
    return state


@contextmanager
def _patience(seconds: float) -> Iterator[None]:
    """Let connections fail that stay silent; torchvision would wait for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
