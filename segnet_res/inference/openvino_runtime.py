"""Exports run by OpenVINO."""

import threading
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnet_res.checkpoint import Metadata
from segnet_res.errors import CheckpointError, UsageError
from segnet_res.exported import Form, check_weights
from segnet_res.images import UInt8Array
from segnet_res.inference.exported_runtime import ExportedRuntime, missing_package

# OpenVINO takes bfloat16 on its own where the processor has it; then labels would depend on the
# machine.
_HINT = "INFERENCE_PRECISION_HINT"
_HINTS = {"float32": "f32", "bfloat16": "bf16"}


def openvino_core() -> Any:  # noqa: ANN401 - OpenVINO ships no types
    """Return the one ``openvino.Core`` of the process, which lives as long as that does.

    A core gives the thread a stack for signals, and when it goes it puts back the one from before.
    Of two cores, the one that goes last would put back the freed stack of the other, and the next
    signal, a child process that ends or Ctrl-C, would end the process.

    Raises:
        ImportError: when OpenVINO is not installed.
    """
    import openvino

    return _made_once(openvino.Core)


@cache
def _made_once(core: Callable[[], Any]) -> Any:  # noqa: ANN401 - OpenVINO ships no types
    return core()


class OpenVinoRuntime(ExportedRuntime):
    """Runs an ``.xml`` with its ``.bin``, or an ``.onnx`` file, on the CPU.

    Args:
        path: The file.
        metadata: See `ExportedRuntime`.
        form: See `ExportedRuntime`.
        precision: ``float32`` or ``bfloat16``.

    Raises:
        UsageError: when the package is missing or the precision is another one.
        CheckpointError: when the file cannot be loaded, or the weights are not its own.
    """

    backend = "openvino"

    def __init__(
        self, path: Path, metadata: Metadata, form: Form, *, precision: str = "float32"
    ) -> None:
        super().__init__(path, metadata, form)
        self.precision = precision
        if precision not in _HINTS:
            raise UsageError(
                f"precision {precision}: openvino does not compute in it on a CPU; "
                f"choose {' or '.join(_HINTS)}"
            )
        try:
            core = openvino_core()
        except ImportError as error:
            raise missing_package(error, purpose="OpenVINO's format", extra="openvino") from error
        check_weights(path, form)
        hints = {_HINT: _HINTS[precision], "PERFORMANCE_HINT": "LATENCY"}
        try:
            compiled = core.compile_model(path, "CPU", hints)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            raise CheckpointError(
                f"{path.name}: openvino cannot load it ({reason}); copy it again"
            ) from error
        self._request = compiled.create_infer_request()
        # Requests work for one caller at a time.
        self._lock = threading.Lock()
        self._outputs = range(len(compiled.outputs))
        decision = core.compile_model(_decision(), "CPU", hints | {_HINT: "f32"})
        self._decision = decision.create_infer_request()
        self.device = "CPU (openvino)"

    def run(self, pixels: NDArray[Any]) -> Sequence[NDArray[Any]]:
        """See `ExportedRuntime`."""
        with self._lock:
            # The results are copies; the input need not be.
            results = self._request.infer([pixels], share_inputs=True)
            return [results[i] for i in self._outputs]

    def decide(self, logits: NDArray[np.float32]) -> tuple[UInt8Array, NDArray[np.float32]]:
        """See `Runtime`; by all cores, which is several times faster than numpy."""
        with np.errstate(over="ignore", invalid="ignore"):
            total = np.sum(logits)
        if not np.isfinite(total):
            # OpenVINO's exponential makes a number of what is none.
            return super().decide(logits)
        with self._lock:
            results = self._decision.infer([np.ascontiguousarray(logits)], share_inputs=True)
            return results[0], results[1]


def _decision() -> Any:  # noqa: ANN401 - an openvino.Model; the package may be missing
    """Return a network from logits (C, H, W) to labels and confidence, each (H, W)."""
    import openvino
    from openvino import opset13 as ops

    logits = ops.parameter([-1, -1, -1], np.float32)
    first = ops.constant([0])
    # Stable: the first of equals is taken.
    best = ops.topk(
        logits, ops.constant(1), axis=0, mode="max", sort="value", index_element_type="i32",
        stable=True,
    )  # fmt: skip
    labels = ops.convert(ops.squeeze(best.output(1), first), "u8")
    powers = ops.exp(ops.subtract(logits, best.output(0)))
    total = ops.reduce_sum(powers, first, keep_dims=False)
    confidence = ops.divide(ops.constant(np.float32(1)), total)
    return openvino.Model([labels, confidence], [logits])
