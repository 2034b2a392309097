"""A model of torch as a graph for other runtimes: ONNX, or OpenVINO's IR."""

import hashlib
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.text import Text
from torch import Tensor, nn

from segnet_res.checkpoint import Checkpoint
from segnet_res.errors import CheckpointError
from segnet_res.exported import FORM_KEY, IR, METADATA_KEY, Form, weights_of
from segnet_res.models import SegmentationModel, fold_batch_norms, portable

INPUT = "images"
LOGITS = ("logits",)
LABELS = ("labels", "confidence")


class _Graph(nn.Module):
    """A model with the ends that an export is to have."""

    def __init__(self, model: SegmentationModel, form: Form) -> None:
        super().__init__()
        self.model = model
        self.form = form

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Map (N, channels, H, W) to logits, or to labels and confidence (N, H, W)."""
        normalised = self.form.normalised
        logits = self.model(images) if normalised else self.model.of_normalised(images)
        if not self.form.labels:
            return logits
        best = logits.argmax(dim=1).to(torch.uint8)
        return best, (logits.amax(dim=1) - logits.logsumexp(dim=1)).exp()


def write_graph(checkpoint: Checkpoint, form: Form, target: Path) -> None:
    """Write the model of a checkpoint, any number of pictures of any size.

    Args:
        checkpoint: The model and its description, which goes into the file as ``segnet_res``.
        form: What is inside; it goes into the file too.
        target: A file ending in ``.onnx`` or ``.xml``, in a folder that is there.

    Raises:
        CheckpointError: when the model cannot be written so.
        ImportError: when a package is missing.
    """
    model = fold_batch_norms(checkpoint.build_model())
    graph = _Graph(model, form).eval()
    # Two pictures: an exporter would take a batch of one for a constant. Sides that are no
    # multiples of the stride: that of torch 2.6 would else leave out the crop after the padding.
    example = torch.zeros(
        (2, checkpoint.metadata.channels, 70, 90),
        dtype=torch.uint8 if form.normalised else torch.float32,
    )
    write = _write_ir if target.suffix.lower() == IR else _write_onnx
    try:
        with warnings.catch_warnings(), portable(model), torch.no_grad():
            # They speak of the exporters' own insides; what counts is compared afterwards.
            warnings.simplefilter("ignore")
            write(graph, example, checkpoint, target)
    except ImportError:
        raise
    except Exception as error:
        raise CheckpointError(
            f"the model cannot be written as {target.suffix} ({_cause(error)}); "
            "upgrade torch and the packages of the extra, or use the checkpoint as it is"
        ) from error


def _cause(error: BaseException) -> str:
    """Return in one line why an exporter failed.

    Exporters raise all kinds of their own, wrap the cause in pages of advice, and colour it.
    """
    while error.__cause__ is not None:
        error = error.__cause__
    reason = " ".join(Text.from_ansi(str(error)).plain.split())
    return f"{type(error).__name__}: {reason}"[:300]


def _write_onnx(graph: _Graph, example: Tensor, checkpoint: Checkpoint, target: Path) -> None:
    import onnx

    dynamic = torch.export.Dim.DYNAMIC
    torch.onnx.export(
        graph,
        (example,),
        target,
        input_names=[INPUT],
        output_names=list(LABELS if graph.form.labels else LOGITS),
        dynamo=True,
        dynamic_shapes={"images": {0: dynamic, 2: dynamic, 3: dynamic}},
        external_data=False,
        verbose=False,
    )
    content = onnx.load(target)
    onnx.helper.set_model_props(content, texts_of(checkpoint, graph.form))
    onnx.save(content, target)


def _write_ir(graph: _Graph, example: Tensor, checkpoint: Checkpoint, target: Path) -> None:
    import openvino
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    # What `openvino.convert_model` does, but that one reports each use over the network.
    frontend = FrontEndManager().load_by_framework("pytorch")
    # Held here until the end: the library keeps no hold of it.
    decoder = TorchScriptPythonDecoder(graph, example_input=(example,))
    network = frontend.convert(frontend.load(decoder))
    network.inputs[0].get_tensor().set_names({INPUT})
    for output, name in zip(network.outputs, LABELS if graph.form.labels else LOGITS, strict=True):
        output.get_tensor().set_names({name})
    network.reshape({INPUT: openvino.PartialShape([-1, example.shape[1], -1, -1])})
    save_ir(network, checkpoint, graph.form, target)


def save_ir(network: Any, checkpoint: Checkpoint, form: Form, target: Path) -> None:  # noqa: ANN401
    """Write a network of OpenVINO with the texts that an export has.

    Args:
        network: An ``openvino.Model``; the package may be missing.
        checkpoint: Whose it is.
        form: How it was exported.
        target: A file ending in ``.xml``; the weights go beside it.
    """
    import openvino

    openvino.save_model(network, target, compress_to_fp16=False)
    # Known only now: the hash binds both files to each other.
    with weights_of(target).open("rb") as file:
        form = replace(form, weights=hashlib.file_digest(file, "sha256").hexdigest())
    for key, text in texts_of(checkpoint, form).items():
        network.set_rt_info(text, [key])
    openvino.save_model(network, target, compress_to_fp16=False)


def texts_of(checkpoint: Checkpoint, form: Form) -> dict[str, str]:
    """Return the texts that an export carries."""
    return {METADATA_KEY: checkpoint.metadata.to_json(), FORM_KEY: form.to_json()}
