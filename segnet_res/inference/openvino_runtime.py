"""Exports run by OpenVINO."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from segnet_res.checkpoint import Metadata
from segnet_res.errors import CheckpointError, UsageError
from segnet_res.exported import Form, check_weights
from segnet_res.inference.exported_runtime import ExportedRuntime, missing_package

# OpenVINO takes bfloat16 on its own where the processor has it; then labels would depend on the
# machine.
_HINTS = {"float32": "f32", "bfloat16": "bf16"}


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
        if precision not in _HINTS:
            raise UsageError(
                f"precision {precision}: openvino does not compute in it on a CPU; "
                f"choose {' or '.join(_HINTS)}"
            )
        try:
            import openvino
        except ImportError as error:
            raise missing_package(error, purpose="OpenVINO's format", extra="openvino") from error
        check_weights(path, form)
        hints = {"INFERENCE_PRECISION_HINT": _HINTS[precision], "PERFORMANCE_HINT": "LATENCY"}
        try:
            compiled = openvino.Core().compile_model(path, "CPU", hints)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            raise CheckpointError(
                f"{path.name}: openvino cannot load it ({reason}); copy it again"
            ) from error
        self._request = compiled.create_infer_request()
        # A request works for one caller at a time.
        self._lock = threading.Lock()
        self._outputs = range(len(compiled.outputs))
        self.device = "CPU (openvino)"

    def run(self, pixels: NDArray[Any]) -> Sequence[NDArray[Any]]:
        """See `ExportedRuntime`."""
        with self._lock:
            # The results are copies; the input need not be.
            results = self._request.infer([pixels], share_inputs=True)
            return [results[i] for i in self._outputs]
