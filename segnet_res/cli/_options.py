"""Arguments and options of every command that predicts, declared once, and which were given."""

from pathlib import Path
from typing import Annotated

import typer

from segnet_res.errors import UsageError

CheckpointArgument = Annotated[
    Path,
    typer.Argument(
        metavar="CHECKPOINT", help="A .safetensors file, or an export of one: .onnx or .xml."
    ),
]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:1.")]
BackendOption = Annotated[
    str,
    typer.Option(help="What runs the model: auto, torch, onnxruntime or openvino."),
]
TileOption = Annotated[
    int, typer.Option(help="Larger pictures go through the model in tiles of this many pixels.")
]
OverlapOption = Annotated[int, typer.Option(help="Pixels that neighbouring tiles share.")]
TtaOption = Annotated[
    str,
    typer.Option(
        "--tta",
        metavar="HOW",
        help="none, or flips: average over mirror images; four times the work.",
    ),
]
PrecisionOption = Annotated[
    str,
    typer.Option(help="float32; faster: bfloat16 by openvino or on CUDA, float16 on CUDA."),
]


def check_tta(how: str) -> bool:
    """Return whether answers are averaged over mirror images.

    Raises:
        UsageError: when the way is unknown.
    """
    if how not in ("none", "flips"):
        raise UsageError(f"tta is {how}; choose none or flips")
    return how == "flips"


def is_given(context: typer.Context, name: str) -> bool:
    """Tell whether somebody has written an option or argument, be it the default."""
    return getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
