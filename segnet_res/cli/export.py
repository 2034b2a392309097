"""``segnet-res export``: a checkpoint for machines without torch."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from segnet_res.inference.export_parity import Parity


def export(
    checkpoint: Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="A .safetensors file.")],
    target: Annotated[
        Path,
        typer.Argument(
            metavar="TARGET", help="File to write: .onnx, or .xml for OpenVINO (and a .bin beside)."
        ),
    ],
    normalise: Annotated[
        bool,
        typer.Option(
            "--normalise/--no-normalise",
            help="Pixels of 0 to 255 go in; or float32, less the mean and divided by the "
            "standard deviation.",
        ),
    ] = True,
    argmax: Annotated[
        bool, typer.Option("--argmax", help="Labels and their confidence come out, not logits.")
    ] = False,
    check: Annotated[
        Path | None,
        typer.Option(
            metavar="PICTURES", help="Compare on this picture or folder too, not only drawn parts."
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that is there already.")
    ] = False,
) -> None:
    """Write a checkpoint for machines without torch, as ONNX or for OpenVINO.

    The file takes any number of pictures of any size and describes itself: names and colours of
    the classes are in it under "segnet_res", and every command takes it in place of a checkpoint.
    It is compared with the checkpoint; where more than 1 pixel in 100,000 gets another label,
    nothing is written. Needs the extra onnx or openvino: pip install 'segnet-res[onnx,openvino]'

    Example: segnet-res export checkpoints/magnetic-tile.safetensors magnetic-tile.onnx
    """
    from segnet_res.cli._console import say
    from segnet_res.inference.export import export_checkpoint

    done = export_checkpoint(
        checkpoint,
        target,
        normalise=normalise,
        argmax=argmax,
        pictures=check,
        overwrite=overwrite,
    )
    size = sum(file.stat().st_size for file in done.files) / 1e6
    say(f"{' and '.join(map(str, done.files))}: written, {size:.1f} MB")
    say(f"drawn parts: {describe_parity(done.drawn)}")
    if done.given is not None:
        say(f"{check}: {describe_parity(done.given)}")


def describe_parity(parity: "Parity") -> str:
    """Return how well an export agrees with its checkpoint, in words."""
    found = f"{parity.different:,} of {parity.pixels:,} pixels get another label"
    if not parity.different:
        found = f"all {parity.pixels:,} pixels get the same label"
    return f"{found}; confidence differs by {parity.confidence:.1g} at most"
