"""An exported graph in 8-bit integers: static calibration by ONNX Runtime's quantiser.

Convolutions are quantised, weights channel by channel; everything between stays in float32, so that
the places of maxima are compared as they were. OpenVINO reads the same graph: its own quantiser
(NNCF) would bring a dozen packages, and reports each use over the network.
"""

import logging
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnet_res.checkpoint import Checkpoint
from segnet_res.errors import CheckpointError
from segnet_res.exported import IR, Form
from segnet_res.images import UInt8Array
from segnet_res.inference.export_graph import INPUT, save_ir, texts_of
from segnet_res.inference.openvino_runtime import openvino_core


def write_int8(
    checkpoint: Checkpoint, graph: Path, form: Form, images: Iterable[UInt8Array], target: Path
) -> Form:
    """Quantise a graph by what its convolutions see on some pictures.

    Args:
        checkpoint: Whose graph it is.
        graph: An ``.onnx`` file in float32.
        form: How it was exported.
        images: (H, W, channels) uint8 each; at least one.
        target: A file ending in ``.onnx`` or ``.xml``, in a folder that is there.

    Returns:
        The form of what was written.

    Raises:
        CheckpointError: when the quantiser fails.
        ImportError: when a package is missing.
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared, quantised = graph.with_name("prepared.onnx"), graph.with_name("int8.onnx")
    try:
        with _quiet():
            quant_pre_process(graph, prepared, skip_symbolic_shape=True)
            quantize_static(
                prepared,
                quantised,
                _Pictures(images, checkpoint, form),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=["Conv"],
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )
    except (ImportError, OSError):
        raise
    except Exception as error:
        # The quantiser raises all kinds of its own.
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"the model cannot be quantised ({type(error).__name__}: {reason}); "
            "export it without --int8"
        ) from error
    form = replace(form, precision="int8")
    if target.suffix.lower() == IR:
        save_ir(openvino_core().read_model(quantised), checkpoint, form, target)
    else:
        content = onnx.load(quantised)
        onnx.helper.set_model_props(content, texts_of(checkpoint, form))
        onnx.save(content, target)
    return form


class _Pictures:
    """Hands pictures to the quantiser one by one (its ``CalibrationDataReader``)."""

    def __init__(self, images: Iterable[UInt8Array], checkpoint: Checkpoint, form: Form) -> None:
        self._images = iter(images)
        self._normalised = form.normalised
        self._mean = np.array(checkpoint.metadata.mean, np.float32)[:, None, None]
        self._std = np.array(checkpoint.metadata.std, np.float32)[:, None, None]

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """Return the next input, None after the last."""
        image = next(self._images, None)
        if image is None:
            return None
        pixels: NDArray[Any] = np.ascontiguousarray(image.transpose(2, 0, 1)[None])
        return {INPUT: pixels if self._normalised else (pixels - self._mean) / self._std}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the quantiser's advice to its developers off the screen, and its hands off logging."""
    root = logging.getLogger()
    handlers, disabled = root.handlers[:], root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        root.handlers[:] = handlers
