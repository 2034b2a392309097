"""Batch norms that become part of the convolution before them: the same answers, sooner."""

from typing import TypeVar

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from segnet_res.models.blocks import ConvNorm

Model = TypeVar("Model", bound=nn.Module)


def fold_batch_norms(model: Model) -> Model:
    """Fold the batch norm of each `ConvNorm` into its convolution, in place, for prediction.

    Answers differ by rounding alone. The state dict is another one afterwards: neither train nor
    save such a model. Other modules, those of smp among them, stay as they are.

    Args:
        model: In evaluation mode.

    Returns:
        The same model.
    """
    for block in model.modules():
        if isinstance(block, ConvNorm):
            conv, norm = block[0], block[1]
            assert isinstance(conv, nn.Conv2d)
            assert isinstance(norm, nn.BatchNorm2d)
            block[0], block[1] = fuse_conv_bn_eval(conv, norm), nn.Identity()
    return model
