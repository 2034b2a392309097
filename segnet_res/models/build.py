"""From the name of an architecture to a model."""

from collections.abc import Sequence

from segnet_res.models.base import SegmentationModel
from segnet_res.models.names import SIZES, SMP_PREFIX, split_name
from segnet_res.models.ressegnet import ResSegNet


def build_model(
    architecture: str,
    *,
    num_classes: int,
    channels: int = 3,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    shortcut: bool = True,
    skip: bool = True,
    path: bool = True,
    pyramid: bool = False,
) -> SegmentationModel:
    """Build a model with freshly drawn weights.

    Args:
        architecture: One of `ARCHITECTURES`, or ``smp:<decoder>-<encoder>``.
        num_classes: Channels of the logits.
        channels: 3 (RGB) or 1 (grey) pictures.
        mean: Mean of each channel, 0 to 255.
        std: Standard deviation of each channel, 0 to 255.
        shortcut: See `ResSegNet`; like ``skip`` and ``path``, only for ``ressegnet-*``.
        skip: See `ResSegNet`.
        path: See `ResSegNet`.
        pyramid: See `ResSegNet`.

    Returns:
        A model: (N, channels, H, W) of 0 to 255 to logits (N, num_classes, H, W), any size.

    Raises:
        UsageError: when nothing has this name.

    >>> import torch
    >>> model = build_model("ressegnet-tiny", num_classes=6, channels=1)
    >>> tuple(model(torch.zeros(1, 1, 33, 47)).shape)
    (1, 6, 33, 47)
    """
    if architecture.startswith(SMP_PREFIX):
        # Imported here: smp and timm take a second that ResSegNet need not wait for.
        from segnet_res.models.peers import PeerModel

        return PeerModel(
            architecture.removeprefix(SMP_PREFIX),
            num_classes=num_classes,
            channels=channels,
            mean=mean,
            std=std,
        )
    family, size = split_name(architecture)
    residual = family == "ressegnet"
    return ResSegNet(
        num_classes,
        widths=SIZES[size].widths,
        depths=SIZES[size].depths,
        channels=channels,
        mean=mean,
        std=std,
        shortcut=residual and shortcut,
        skip=residual and skip,
        path=residual and path,
        pyramid=residual and pyramid,
    )
