"""The one way from a picture to labels, for page, command line and Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from segnet_res.checkpoint import Metadata
from segnet_res.classes import ClassMap
from segnet_res.errors import CheckpointError, UsageError
from segnet_res.images import Channels, LargePicture, UInt8Array, to_channels
from segnet_res.inference.disagreement import distance
from segnet_res.inference.opening import open_runtime
from segnet_res.inference.runtime import MIRRORS, PRECISIONS, Runtime, Values
from segnet_res.inference.tiling import Span, check_tile, ramp, spans

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class Prediction:
    """What a model says about one picture.

    Attributes:
        labels: (H, W) uint8, the label of each pixel's class.
        confidence: (H, W) float32, softmax probability of that class, 0 to 1.
    """

    labels: UInt8Array
    confidence: NDArray[np.float32]


@dataclass(frozen=True)
class Part:
    """A finished part of a prediction.

    Attributes:
        rows: Which rows of the picture.
        columns: Which columns of the picture.
        labels: (rows, columns) uint8.
        confidence: (rows, columns) float32, 0 to 1.
    """

    rows: slice
    columns: slice
    labels: UInt8Array
    confidence: NDArray[np.float32]


class Segmenter:
    """Segments pictures of any size with one model.

    Pictures larger than a tile are cut into overlapping tiles whose logits are blended, so that
    memory beyond the picture and its result stays bounded.

    Args:
        runtime: Runs the model.
        class_map: The classes of the logits, in order.
        channels: 3 (RGB) or 1 (grey): what the model takes; pictures are converted.
        tile: Largest height and width that goes through the model at once, a multiple of 32.
        overlap: Pixels that neighbouring tiles share, a multiple of 32, at most ``tile / 4``.
        flips: Average over the picture and its mirror images; four times the work.
        metadata: What the checkpoint says about itself; None where there is none.

    Raises:
        UsageError: when tile or overlap make no sense.
    """

    def __init__(
        self,
        runtime: Runtime,
        class_map: ClassMap,
        *,
        channels: int,
        tile: int = 1024,
        overlap: int = 128,
        flips: bool = False,
        metadata: Metadata | None = None,
    ) -> None:
        check_tile(tile, overlap)
        self.runtime = runtime
        self.class_map = class_map
        self.channels = cast(Channels, channels)
        self.tile = tile
        self.overlap = overlap
        self.flips = flips
        self.metadata = metadata

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
    ) -> Segmenter:
        """Load a checkpoint, or what was exported from one.

        Args:
            path: A ``.safetensors`` file, or an export: ``.onnx``, or ``.xml`` with its ``.bin``.
                For an export torch is not imported.
            device: ``auto`` (CUDA where there is one), ``cpu``, ``cuda`` or ``cuda:1``.
            backend: What runs the model: one of `BACKENDS`.
            tile: As for the class, and so are the others.
            overlap: See the class.
            flips: See the class.
            precision: ``float32``, or ``bfloat16`` or ``float16``: faster on CUDA, and labels may
                differ at borders.

        Raises:
            CheckpointError: when the file is no checkpoint of this program.
            DeviceError: when the device is missing.
            UsageError: when an option makes no sense.
        """
        check_tile(tile, overlap)
        check_precision(precision)
        runtime, metadata = open_runtime(
            Path(path), device=device, backend=backend, precision=precision
        )
        return cls(
            runtime,
            metadata.class_map,
            channels=metadata.channels,
            tile=tile,
            overlap=overlap,
            flips=flips,
            metadata=metadata,
        )

    @classmethod
    def of_model(
        cls,
        model: nn.Module,
        class_map: ClassMap,
        *,
        channels: int,
        device: torch.device,
        tile: int = 1024,
        overlap: int = 128,
        flips: bool = False,
        precision: str = "float32",
    ) -> Segmenter:
        """Segment with a module of torch.

        Args:
            model: Gives (N, C, H, W) logits of (N, channels, H, W) pixels of 0 to 255; moved to
                ``device``; its training mode is the same after each prediction.
            class_map: As for the class, and so are the others.
            channels: See the class.
            device: Where it computes.
            tile: See the class.
            overlap: See the class.
            flips: See the class.
            precision: As for `from_checkpoint`.

        Raises:
            UsageError: when tile, overlap or precision make no sense.
        """
        # Imported here: an export is segmented without torch.
        from segnet_res.inference.torch_runtime import TorchRuntime

        check_precision(precision)
        return cls(
            TorchRuntime(model, device, precision=precision),
            class_map,
            channels=channels,
            tile=tile,
            overlap=overlap,
            flips=flips,
        )

    @property
    def backend(self) -> str:
        """What runs the model: ``torch``, ``onnxruntime`` or ``openvino``."""
        return self.runtime.backend

    @property
    def device(self) -> str:
        """What computes, in words for a person."""
        return self.runtime.device

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
        labels = np.empty(image.shape[:2], np.uint8)
        confidence = np.empty(image.shape[:2], np.float32)
        for part in self.parts(image):
            labels[part.rows, part.columns] = part.labels
            confidence[part.rows, part.columns] = part.confidence
        return Prediction(labels, confidence)

    def predict_batch(self, images: Sequence[UInt8Array]) -> list[Prediction]:
        """Segment several pictures of one size, in one pass of the model where they fit a tile.

        Args:
            images: As for `predict`, all of the same height and width; at least one.

        Raises:
            ImageError: See `predict`, as are the others.
            DeviceError: when memory runs out.
            CheckpointError: when the model's output is not numbers, or not of these classes.
        """
        if max(images[0].shape[:2]) > self.tile:
            return [self.predict(image) for image in images]
        batch = np.stack([to_channels(image, self.channels) for image in images])
        return [Prediction(*self._decide(logits)) for logits in self._logits(batch)]

    def parts(self, image: UInt8Array | LargePicture) -> Iterator[Part]:
        """Segment one picture and yield each part as soon as no later tile will change it.

        Arguments and errors are those of `predict`; a `LargePicture` of the same channels is cut
        tile by tile. The parts cover each pixel once, from the top left, row of tiles by row of
        tiles; nothing of the size of the picture is held beside it.
        """
        if isinstance(image, LargePicture):
            pixels: UInt8Array | LargePicture = image
        else:
            pixels = to_channels(image, self.channels)
        for rows, columns, logits in self._blended(pixels, self._tile_logits):
            yield Part(rows, columns, *self._decide(logits))

    def disagreement(self, image: UInt8Array) -> NDArray[np.float32]:
        """Tell where the model answers otherwise when it sees the picture mirrored.

        The picture and its three mirror images are segmented, whatever ``flips`` says, and their
        answers turned back. The value is how far the four softmaxes of a pixel lie apart, as
        `segnet_res.inference.disagreement.distance` measures it. 0: all the same; 1: each sure of
        something else. Unlike a low confidence it shows where a model is sure by chance.

        Args:
            image: As for `predict`.

        Returns:
            (H, W) float32, 0 to 1; 0 for a single class.

        Raises:
            ImageError: when the array has another type or shape.
            DeviceError: when memory runs out.
            CheckpointError: when the model's output is not numbers, or not of these classes.
        """
        result = np.empty(image.shape[:2], np.float32)
        for rows, columns, answers in self.answers(image):
            result[rows, columns] = _finite(distance(answers))
        return result

    def answers(self, image: UInt8Array) -> Iterator[tuple[slice, slice, NDArray[np.float32]]]:
        """Yield what the model answers to a picture and its three mirror images, turned back.

        Arguments and errors are those of `predict`. The parts cover each pixel once, as those of
        `parts` do; each is rows, columns, and (4, C, rows, columns) float32 logits.
        """
        pixels = to_channels(image, self.channels)
        for rows, columns, values in self._blended(pixels, self._mirrored):
            answers = self.runtime.numpy(values)
            yield rows, columns, answers.reshape(len(MIRRORS), -1, *answers.shape[1:])

    def _decide(self, logits: Values) -> tuple[UInt8Array, NDArray[np.float32]]:
        labels, confidence = self.runtime.decide(logits)
        return labels, _finite(confidence)

    def _blended(
        self, pixels: UInt8Array | LargePicture, compute: Callable[[UInt8Array], Values]
    ) -> Iterator[tuple[slice, slice, Values]]:
        """Yield rows, columns and finished values (K, rows, columns), block by block.

        Only what neighbours still need is kept: the right edge of the tile before and the lower
        edge of the row of tiles before.

        Args:
            pixels: (H, W, channels) uint8.
            compute: Gives the values (K, h, w) of the pixels (h, w, channels) of a tile.
        """
        height, width = pixels.shape[:2]
        overlap, copy = self.overlap, self.runtime.copy
        later = self.runtime.values(ramp(overlap))
        above: list[Values] = []
        for row in spans(height, self.tile, overlap):
            below: list[Values] = []
            beside: Values = None
            for i, column in enumerate(spans(width, self.tile, overlap)):
                values = compute(pixels[row.start : row.stop, column.start : column.stop])
                if beside is not None:
                    values[:, :, :overlap] = _mixed(beside, values[:, :, :overlap], later)
                if not column.last:
                    beside = copy(values[:, :, -overlap:])
                    values = values[:, :, :-overlap]
                if not row.first:
                    values[:, :overlap] = _mixed(above[i], values[:, :overlap], later[:, None])
                if not row.last:
                    below.append(copy(values[:, -overlap:]))
                    values = values[:, :-overlap]
                yield _finished(row, overlap), _finished(column, overlap), values
            above = below

    def _tile_logits(self, pixels: UInt8Array) -> Values:
        """Return the logits (C, H, W) of (H, W, channels) pixels."""
        return self._logits(pixels[None])[0]

    def _logits(self, images: UInt8Array) -> Values:
        """Return the logits (N, C, H, W) of (N, H, W, channels) pixels."""
        mirrors = MIRRORS if self.flips else MIRRORS[:1]
        total = self._answer(images, mirrors[0])
        for mirror in mirrors[1:]:
            total += self._answer(images, mirror)
        if len(mirrors) > 1:
            total /= len(mirrors)
        return total

    def _mirrored(self, pixels: UInt8Array) -> Values:
        """Return the logits of picture and mirror images, one after the other, (4 C, H, W)."""
        answers = [self.runtime.numpy(self._answer(pixels[None], mirror)) for mirror in MIRRORS]
        return self.runtime.values(np.concatenate(answers, axis=1)[0])

    def _answer(self, images: UInt8Array, mirror: tuple[int, ...]) -> Values:
        logits = self.runtime.logits(images, mirror)
        if logits.shape[1] != len(self.class_map):
            raise CheckpointError(
                f"the model knows {logits.shape[1]} classes, the list of classes has "
                f"{len(self.class_map)}; choose the checkpoint that belongs to them"
            )
        return logits


def check_precision(precision: str) -> None:
    """Refuse a precision that nothing computes in.

    Raises:
        UsageError: when it is unknown.
    """
    if precision not in PRECISIONS:
        raise UsageError(f"precision {precision!r} is unknown; choose {', '.join(PRECISIONS)}")


def _mixed(earlier: Values, values: Values, later: Values) -> Values:
    """Return the mean of two tiles, of which the later one has this weight."""
    return earlier + (values - earlier) * later


def _finite(values: NDArray[np.float32]) -> NDArray[np.float32]:
    if not np.isfinite(values).all():
        raise CheckpointError(
            "the model answers with values that are not numbers; "
            "its weights are damaged: choose another checkpoint or train again"
        )
    return values


def _finished(span: Span, overlap: int) -> slice:
    """Return the pixels of a tile that no later tile will change."""
    return slice(span.start, span.stop if span.last else span.stop - overlap)
