"""Exports run by ONNX Runtime."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from segnet_res.checkpoint import Metadata
from segnet_res.errors import CheckpointError, UsageError
from segnet_res.exported import Form
from segnet_res.inference.exported_runtime import ExportedRuntime, missing_package


class OnnxRuntime(ExportedRuntime):
    """Runs an ``.onnx`` file on the CPU.

    Args:
        path: The file.
        metadata: See `ExportedRuntime`.
        form: See `ExportedRuntime`.
        precision: ``float32``: ONNX Runtime computes as the file was written.

    Raises:
        UsageError: when the package is missing or the precision is another one.
        CheckpointError: when the file cannot be loaded.
    """

    backend = "onnxruntime"

    def __init__(
        self, path: Path, metadata: Metadata, form: Form, *, precision: str = "float32"
    ) -> None:
        super().__init__(path, metadata, form)
        self.precision = precision
        if precision != "float32":
            raise UsageError(
                f"precision {precision}: onnxruntime computes as {path.name} was written; "
                "choose float32, or the backend torch or openvino"
            )
        try:
            import onnxruntime
        except ImportError as error:
            raise missing_package(error, purpose="an .onnx file", extra="onnx") from error
        options = onnxruntime.SessionOptions()
        # Threads that wait spin otherwise, on the cores that read and write pictures meanwhile.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Errors reach us as exceptions; what the library prints beside them is for its authors.
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(
                path, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            # Of the library's own kinds.
            reason = " ".join(str(error).split())[:200]
            raise CheckpointError(
                f"{path.name}: onnxruntime cannot load it ({reason}); copy it again"
            ) from error
        self._input = self._session.get_inputs()[0].name
        self.device = "CPU (onnxruntime)"

    def run(self, pixels: NDArray[Any]) -> Sequence[NDArray[Any]]:
        """See `ExportedRuntime`."""
        outputs: list[NDArray[Any]] = self._session.run(None, {self._input: pixels})
        return outputs
