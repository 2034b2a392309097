"""The one way from a picture to labels, for page, command line and Python."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from segnet_res.checkpoint import Checkpoint
from segnet_res.classes import ClassMap
from segnet_res.errors import CheckpointError, DeviceError, UsageError
from segnet_res.images import Channels, UInt8Array, to_channels
from segnet_res.inference.tiling import Span, check_tile, ramp, spans
from segnet_res.models import is_out_of_memory, resolve_device

BACKENDS = ("auto", "torch")

# The axes along which each mirror image is turned; the first is the picture itself.
_MIRRORS: tuple[tuple[int, ...], ...] = ((), (3,), (2,), (2, 3))

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Prediction:
    """What a model says about one picture.

    Attributes:
        labels: (H, W) uint8, the label of each pixel's class.
        confidence: (H, W) float32, softmax probability of that class, 0 to 1.
    """

    labels: UInt8Array
    confidence: NDArray[np.float32]


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model into evaluation mode and give every part its own mode back afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


class Segmenter:
    """Segments pictures of any size with one model.

    Pictures larger than a tile are cut into overlapping tiles whose logits are blended, so that
    memory beyond the picture and its result stays bounded.

    Args:
        model: Gives (N, C, H, W) logits of (N, channels, H, W) pixels of 0 to 255; moved to
            ``device``; its training mode is the same after each prediction.
        class_map: The classes of the logits, in order.
        channels: 3 (RGB) or 1 (grey): what the model takes; pictures are converted.
        device: Where it computes.
        tile: Largest height and width that goes through the model at once, a multiple of 32.
        overlap: Pixels that neighbouring tiles share, a multiple of 32, at most ``tile / 4``.
        flips: Average over the picture and its mirror images; four times the work.
        precision: ``float32``, or ``bfloat16`` or ``float16``: faster on CUDA, and labels may
            differ at borders.

    Raises:
        UsageError: when tile, overlap or precision make no sense.
    """

    def __init__(
        self,
        model: nn.Module,
        class_map: ClassMap,
        *,
        channels: int,
        device: torch.device,
        tile: int = 1024,
        overlap: int = 128,
        flips: bool = False,
        precision: str = "float32",
    ) -> None:
        check_tile(tile, overlap)
        if precision not in _DTYPES:
            raise UsageError(f"precision {precision!r} is unknown; choose {', '.join(_DTYPES)}")
        self.model = model.to(device)
        self.class_map = class_map
        self.channels = cast(Channels, channels)
        self.device = device
        self.tile = tile
        self.overlap = overlap
        self.flips = flips
        self.precision = precision

    @classmethod
    def from_checkpoint(
        cls,
        path: Path | str,
        device: str = "auto",
        backend: str = "auto",
        *,
        tile: int = 1024,
        overlap: int = 128,
        flips: bool = False,
        precision: str = "float32",
    ) -> "Segmenter":
        """Load a checkpoint.

        Args:
            path: A ``.safetensors`` file.
            device: ``auto`` (CUDA where there is one), ``cpu``, ``cuda`` or ``cuda:1``.
            backend: What runs the model: ``auto`` or ``torch``.
            tile: As for the class, and so are the others.
            overlap: See the class.
            flips: See the class.
            precision: See the class.

        Raises:
            CheckpointError: when the file is no checkpoint of this program.
            DeviceError: when the device is missing.
            UsageError: when an option makes no sense.
        """
        if backend not in BACKENDS:
            raise UsageError(f"backend {backend!r} is unknown; choose {' or '.join(BACKENDS)}")
        check_tile(tile, overlap)
        target = resolve_device(device)
        checkpoint = Checkpoint.load(path)
        model = checkpoint.build_model().to(memory_format=torch.channels_last)
        return cls(
            model,
            checkpoint.metadata.class_map,
            channels=checkpoint.metadata.channels,
            device=target,
            tile=tile,
            overlap=overlap,
            flips=flips,
            precision=precision,
        )

    def predict(self, image: UInt8Array) -> Prediction:
        """Segment one picture.

        Args:
            image: (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) uint8, any size from 1 by 1; RGB
                order; alpha is dropped.

        Returns:
            Labels and confidence of the picture's own height and width.

        Raises:
            ImageError: when the array has another type or shape.
            DeviceError: when memory runs out.
            CheckpointError: when the model's output is not numbers, or not of these classes.
        """
        pixels = to_channels(image, self.channels)
        height, width = pixels.shape[:2]
        labels = np.empty((height, width), np.uint8)
        confidence = np.empty((height, width), np.float32)
        with evaluating(self.model), torch.inference_mode():
            for rows, columns, logits in self._blended(pixels, self._logits):
                best = logits.argmax(dim=0)
                sure = (logits.amax(dim=0) - logits.logsumexp(dim=0)).exp()
                _check_finite(sure)
                labels[rows, columns] = best.to(torch.uint8).cpu().numpy()
                confidence[rows, columns] = sure.cpu().numpy()
        return Prediction(labels, confidence)

    def disagreement(self, image: UInt8Array) -> NDArray[np.float32]:
        """Tell where the model answers otherwise when it sees the picture mirrored.

        The picture and its three mirror images are segmented, whatever ``flips`` says, and their
        answers turned back. How far the four softmaxes of a pixel lie apart is their
        Jensen-Shannon distance: the square root (Endres and Schindelin, 2003) of the divergence
        (Lin, 1991), which is the entropy of their mean less the mean of their entropies, as a
        share of the largest value that four answers about so many classes can have. 0: all the
        same; 1: each sure of something else. Unlike a low confidence it shows where a model is
        sure by chance.

        Args:
            image: As for `predict`.

        Returns:
            (H, W) float32, 0 to 1; 0 for a single class.

        Raises:
            ImageError: when the array has another type or shape.
            DeviceError: when memory runs out.
            CheckpointError: when the model's output is not numbers, or not of these classes.
        """
        pixels = to_channels(image, self.channels)
        result = np.empty(pixels.shape[:2], np.float32)
        with evaluating(self.model), torch.inference_mode():
            for rows, columns, logits in self._blended(pixels, self._mirrored):
                answers = logits.view(len(_MIRRORS), len(self.class_map), *logits.shape[1:])
                apart = _distance(answers)
                _check_finite(apart)
                result[rows, columns] = apart.cpu().numpy()
        return result

    def _blended(
        self, pixels: UInt8Array, compute: Callable[[UInt8Array], Tensor]
    ) -> Iterator[tuple[slice, slice, Tensor]]:
        """Yield rows, columns and finished values (K, rows, columns), block by block.

        Only what neighbours still need is kept: the right edge of the tile before and the lower
        edge of the row of tiles before.

        Args:
            pixels: (H, W, channels) uint8.
            compute: Gives the values (K, h, w) of the pixels (h, w, channels) of a tile.
        """
        height, width = pixels.shape[:2]
        overlap = self.overlap
        later = torch.from_numpy(ramp(overlap)).to(self.device)
        above: list[Tensor] = []
        for row in spans(height, self.tile, overlap):
            below: list[Tensor] = []
            beside: Tensor | None = None
            for i, column in enumerate(spans(width, self.tile, overlap)):
                values = compute(pixels[row.start : row.stop, column.start : column.stop])
                if beside is not None:
                    values[:, :, :overlap] = torch.lerp(beside, values[:, :, :overlap], later)
                if not column.last:
                    beside = values[:, :, -overlap:].clone()
                    values = values[:, :, :-overlap]
                if not row.first:
                    values[:, :overlap] = torch.lerp(above[i], values[:, :overlap], later[:, None])
                if not row.last:
                    below.append(values[:, -overlap:].clone())
                    values = values[:, :-overlap]
                yield _finished(row, overlap), _finished(column, overlap), values
            above = below

    def _logits(self, pixels: UInt8Array) -> Tensor:
        """Return the logits (C, H, W) float32 of (H, W, channels) pixels."""
        mirrors = _MIRRORS if self.flips else _MIRRORS[:1]
        total: Tensor | None = None
        for logits in self._answers(pixels, mirrors):
            total = logits if total is None else total + logits
        assert total is not None
        return total / len(mirrors)

    def _mirrored(self, pixels: UInt8Array) -> Tensor:
        """Return the logits of picture and mirror images, one after the other, (4 C, H, W)."""
        return torch.cat(list(self._answers(pixels, _MIRRORS)))

    def _answers(self, pixels: UInt8Array, mirrors: Sequence[tuple[int, ...]]) -> Iterator[Tensor]:
        """Yield the logits (C, H, W) float32 of each mirror image, turned back."""
        # Rows, columns, channels in memory is channels_last already.
        images = torch.from_numpy(pixels.copy()).to(self.device)[None].permute(0, 3, 1, 2)
        autocast = torch.autocast(
            self.device.type,
            dtype=_DTYPES[self.precision] if self.precision != "float32" else None,
            enabled=self.precision != "float32",
        )
        for dims in mirrors:
            try:
                with autocast:
                    logits = self.model(images.flip(dims)).float().flip(dims)[0]
            except RuntimeError as error:
                if is_out_of_memory(error):
                    height, width = pixels.shape[:2]
                    raise DeviceError(
                        f"{self.device}: memory ran out on {width}x{height} pixels; "
                        f"use smaller tiles (now {self.tile}) or the device cpu"
                    ) from error
                raise
            if len(logits) != len(self.class_map):
                raise CheckpointError(
                    f"the model knows {len(logits)} classes, the list of classes has "
                    f"{len(self.class_map)}; choose the checkpoint that belongs to them"
                )
            yield logits


def _distance(answers: Tensor) -> Tensor:
    """Return how far answers lie apart, (H, W) 0 to 1, from logits (answers, C, H, W)."""
    count, classes = answers.shape[:2]
    # The divergence is largest when each answer is sure, and as few as possible agree.
    most = -sum(share * math.log(share) for share in _evenly(count, classes))
    if not most:
        return answers.new_zeros(answers.shape[2:])
    own = answers.new_zeros(answers.shape[2:])
    mean = answers.new_zeros(answers.shape[1:])
    # One answer at a time, because all of a tile about many classes take gigabytes.
    for answer in answers:
        logs = answer.log_softmax(dim=0)
        shares = logs.exp()
        mean += shares / count
        own += logs.mul_(shares).sum(dim=0) / count
    # Rounding alone may leave less than nothing. The root grows in step with the difference of
    # two answers, where the divergence grows with its square and would hardly show.
    return ((own - mean.xlogy_(mean).sum(dim=0)) / most).clamp(0, 1).sqrt()


def _evenly(count: int, classes: int) -> list[float]:
    """Return the shares of the classes when so many answers spread over them evenly.

    >>> _evenly(4, 3), _evenly(4, 6), _evenly(4, 1)
    ([0.5, 0.25, 0.25], [0.25, 0.25, 0.25, 0.25], [1.0])
    """
    votes = [len(range(i, count, classes)) for i in range(min(count, classes))]
    return [vote / count for vote in votes]


def _check_finite(values: Tensor) -> None:
    if not values.isfinite().all():
        raise CheckpointError(
            "the model answers with values that are not numbers; "
            "its weights are damaged: choose another checkpoint or train again"
        )


def _finished(span: Span, overlap: int) -> slice:
    """Return the pixels of a tile that no later tile will change."""
    return slice(span.start, span.stop if span.last else span.stop - overlap)
