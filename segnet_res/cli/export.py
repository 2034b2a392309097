"""``segnet-res export``: a checkpoint as ONNX."""

from pathlib import Path
from typing import Annotated

import typer


def export(
    checkpoint: Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="A .safetensors file.")],
    target: Annotated[Path, typer.Argument(metavar="TARGET.onnx", help="File to write.")],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that is there already.")
    ] = False,
) -> None:
    """Write a checkpoint as ONNX, for machines without torch.

    The file takes pixels of 0 to 255, any number of pictures of any size, and gives logits; the
    names of the classes are in its metadata under "segnet_res". It is compared with the checkpoint
    and refused when labels differ. Needs the extra onnx: pip install 'segnet-res[onnx]'

    Example: segnet-res export checkpoints/magnetic-tile.safetensors magnetic-tile.onnx
    """
    from segnet_res.checkpoint import Checkpoint
    from segnet_res.cli._console import say
    from segnet_res.inference.export import check_export, export_onnx

    check_export(target, overwrite=overwrite)
    difference = export_onnx(Checkpoint.load(checkpoint), target, overwrite=overwrite)
    say(f"{target}: written and compared; logits differ by {difference:.1g} at most")
