"""What runs a model: torch, or what takes an exported file where torch is not installed."""

from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from segnet_res.images import UInt8Array

# Every backend that a Segmenter can use, in the words of the command line.
BACKENDS = ("auto", "torch", "onnxruntime", "openvino")

PRECISIONS = ("float32", "bfloat16", "float16")

# A numpy array, or a torch tensor on its device: both slice, add and multiply alike, and blending
# tiles needs no more, so that logits stay where they were computed until labels are decided.
Values: TypeAlias = Any

# The axes of (N, H, W, channels) that a picture is mirrored along; the first is the picture itself.
Mirror: TypeAlias = tuple[int, ...]
MIRRORS: tuple[Mirror, ...] = ((), (2,), (1,), (1, 2))


class Runtime(Protocol):
    """A model and what computes it.

    Attributes:
        backend: One of `BACKENDS`, but ``auto``.
        device: What computes, in words for a person.
        precision: One of `PRECISIONS`.
    """

    backend: str
    device: str
    precision: str

    def logits(self, images: UInt8Array, mirror: Mirror = ()) -> Values:
        """Run the model on mirrored pictures and turn the answer back.

        Args:
            images: (N, H, W, channels) uint8, any size from 1 by 1.
            mirror: One of `MIRRORS`.

        Returns:
            (N, C, H, W) float32, the caller's own: it may be written to.

        Raises:
            DeviceError: when memory runs out.
        """
        ...

    def values(self, array: NDArray[np.float32]) -> Values:
        """Bring an array to where logits are, so that both can be multiplied."""
        ...

    def copy(self, values: Values) -> Values:
        """Return values that keep nothing else alive."""
        ...

    def decide(self, logits: Values) -> tuple[UInt8Array, NDArray[np.float32]]:
        """Return the label and the softmax probability of the most probable class.

        Args:
            logits: (C, H, W) float32.

        Returns:
            (H, W) uint8, the first of equals; and (H, W) float32, 0 to 1, or not a number where
            the logits are none.
        """
        ...

    def numpy(self, values: Values) -> NDArray[np.float32]:
        """Return values as an array of numpy."""
        ...


class NumpyRuntime:
    """The part of a `Runtime` that is the same for all whose logits are numpy arrays."""

    def values(self, array: NDArray[np.float32]) -> Values:
        """See `Runtime`."""
        return array

    def copy(self, values: Values) -> Values:
        """See `Runtime`."""
        return values.copy()

    def decide(self, logits: Values) -> tuple[UInt8Array, NDArray[np.float32]]:
        """See `Runtime`."""
        # Class by class: numpy's argmax and sum along the first axis take several times as long.
        best = logits[0].copy()
        labels = np.zeros(best.shape, np.uint8)
        for label in range(1, len(logits)):
            labels[logits[label] > best] = label
            np.maximum(best, logits[label], out=best)
        total = np.zeros_like(best)
        for plane in logits:
            total += np.exp(plane - best)
        return labels, np.reciprocal(total, out=total)

    def numpy(self, values: Values) -> NDArray[np.float32]:
        """See `Runtime`."""
        array: NDArray[np.float32] = values
        return array
