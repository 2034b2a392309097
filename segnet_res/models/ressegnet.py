"""SegNet with residual connections at four places, each with a switch of its own."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segnet_res.models.base import SegmentationModel
from segnet_res.models.blocks import ConvNorm, Stage
from segnet_res.models.unpooling import marked_pool, marked_unpool, max_pool, max_unpool


class ResSegNet(SegmentationModel):
    """Residual-enhanced SegNet encoder-decoder.

    Five encoder stages, each followed by 2x2 max-pooling that remembers where each maximum was,
    and a mirrored decoder that puts every value back at its place (Badrinarayanan, Kendall and
    Cipolla, "SegNet", TPAMI 2017). What pooling loses comes back over four kinds of connection:

    - ``shortcut``: around each stage of encoder and decoder;
    - ``skip``: at each scale, the encoder's features are added to the decoder's after unpooling;
    - ``path``: all finer scales, averaged down, are added past the pooling to the next stage;
    - ``pyramid``: each scale of the decoder adds to logits that are handed up from coarse to fine
      (Long, Shelhamer and Darrell, "Fully convolutional networks", CVPR 2015, add scores of three
      scales). What is large is then decided where it is seen whole.

    With all four off this is plain SegNet.

    Args:
        num_classes: Channels of the logits.
        widths: Channels of the five stages.
        depths: Convolutions of the five stages.
        channels: 3 (RGB) or 1 (grey) pictures.
        mean: See `SegmentationModel`.
        std: See `SegmentationModel`.
        shortcut: Whether there are shortcuts around the stages.
        skip: Whether the encoder's features are added in the decoder.
        path: Whether finer scales go past the pooling to coarser ones.
        pyramid: Whether coarser scales add to the logits. Off unless asked for: files of the first
            versions do not name it.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        widths: Sequence[int],
        depths: Sequence[int],
        channels: int = 3,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        shortcut: bool = True,
        skip: bool = True,
        path: bool = True,
        pyramid: bool = False,
    ) -> None:
        super().__init__(channels, mean, std)
        self.encoder_widths = tuple(widths)
        self.skip = skip
        self.encoder = nn.ModuleList()
        self.decoder = nn.ModuleList()
        self.path = nn.ModuleList() if path else None
        previous, finer = channels, 0
        for width, depth in zip(widths, depths, strict=True):
            self.encoder.append(Stage(previous, [width] * depth, shortcut=shortcut))
            finer += width
            if self.path is not None:
                self.path.append(ConvNorm(finer, width, 1))
            previous = width
        for i in reversed(range(len(widths))):
            # The last convolution of a stage already has the width of the finer one; the finest
            # stage ends in the classifier, which takes the place of its last convolution.
            tail = [widths[i - 1]] if i else []
            layers = [widths[i]] * (depths[i] - 1) + tail
            self.decoder.append(Stage(widths[i], layers, shortcut=shortcut))
        # No batch norm or ReLU on the logits, and one bias for all scales.
        self.classifier = nn.Conv2d(widths[0], num_classes, 3, padding=1)
        self.apply(_initialise)
        self.pyramid = nn.ModuleList()
        if pyramid:
            # Next to nothing: the finest scale alone would answer much the same at first.
            self.add_pyramid(std=0.01)

    def add_pyramid(self, std: float = 0.0) -> None:
        """Add the connection ``pyramid`` to a network that has none.

        Args:
            std: Spread of the drawn weights; with 0 the answers stay what they are until training
                moves them.
        """
        for width in reversed(self.encoder_widths[:-1]):
            scores = nn.Conv2d(width, self.classifier.out_channels, 1, bias=False)
            nn.init.normal_(scores.weight, std=std)
            self.pyramid.append(scores)

    def logits(self, pixels: Tensor) -> Tensor:
        """Map (N, channels, H, W), multiples of 32, to (N, num_classes, H, W)."""
        pool, unpool = (marked_pool, marked_unpool) if self.portable else (max_pool, max_unpool)
        features = pixels
        scales: list[tuple[Tensor, Tensor]] = []
        finer: Tensor | None = None
        for i, stage in enumerate(self.encoder):
            features = stage(features)
            pooled, places = pool(features)
            scales.append((features, places))
            if self.path is not None:
                # (N, widths of all finer stages, h, w): averages keep what the maxima drop.
                every = features if finer is None else torch.cat([finer, features], dim=1)
                finer = F.avg_pool2d(every, 2)
                pooled = pooled + self.path[i](finer)
            features = pooled
        coarse: Tensor | None = None
        for i, stage in enumerate(self.decoder):
            skipped, places = scales.pop()
            features = unpool(features, places, (skipped.shape[-2], skipped.shape[-1]))
            if self.skip:
                features = features + skipped
            features = stage(features)
            if i < len(self.pyramid):
                coarse = _refined(coarse, self.pyramid[i](features))
        return _refined(coarse, self.classifier(features))


def _refined(coarse: Tensor | None, finer: Tensor) -> Tensor:
    """Add logits of half the size to those of the next finer scale."""
    if coarse is None:
        return finer
    return finer + F.interpolate(coarse, scale_factor=2.0, mode="bilinear")


def _initialise(module: nn.Module) -> None:
    """Draw convolutions as He et al. (ICCV 2015) do for ReLU."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
