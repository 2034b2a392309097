"""``segnet-res export``: a checkpoint for machines without torch."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    int8: Annotated[
        bool, typer.Option("--int8", help="Quantise to 8-bit integers; needs --calibrate.")
    ] = False,
    calibrate: Annotated[
        Path | None,
        typer.Option(
            metavar="DATASET|FOLDER",
            help="What --int8 is calibrated and measured on: a dataset, or a folder of pictures.",
        ),
    ] = None,
    split: Annotated[
        str, typer.Option(help="The split of the dataset that --int8 is measured on.")
    ] = "val",
    max_drop: Annotated[float, typer.Option(help="The points of mIoU that --int8 may lose.")] = 0.5,
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
    from segnet_res.errors import UsageError
    from segnet_res.inference.export import export_checkpoint

    if int8:
        if calibrate is None:
            raise UsageError(
                "--int8 needs pictures such as the model will see; "
                "give --calibrate with a dataset or a folder of pictures"
            )
        if check is not None:
            raise UsageError(
                "--check compares labels one by one, which --int8 changes within --max-drop; "
                "leave one of them out"
            )
        _quantise(
            checkpoint,
            target,
            calibrate,
            split=split,
            max_drop=max_drop,
            normalise=normalise,
            argmax=argmax,
            overwrite=overwrite,
        )
        return
    if calibrate is not None:
        raise UsageError("--calibrate is what --int8 is calibrated on; add --int8 or leave it out")
    done = export_checkpoint(
        checkpoint,
        target,
        normalise=normalise,
        argmax=argmax,
        pictures=check,
        overwrite=overwrite,
    )
    _say_written(done.files)
    say(f"drawn parts: {describe_parity(done.drawn)}")
    if done.given is not None:
        say(f"{check}: {describe_parity(done.given)}")


def _quantise(
    checkpoint: Path,
    target: Path,
    calibrate: Path,
    *,
    split: str,
    max_drop: float,
    normalise: bool,
    argmax: bool,
    overwrite: bool,
) -> None:
    from segnet_res.cli._console import say
    from segnet_res.cli.evaluate import format_ratio
    from segnet_res.quantising import quantise_checkpoint

    done = quantise_checkpoint(
        checkpoint,
        target,
        calibrate,
        split=split,
        max_drop=max_drop,
        normalise=normalise,
        argmax=argmax,
        overwrite=overwrite,
    )
    _say_written(done.files)
    height, width = done.size
    say(f"mIoU against {done.against}; time of {width}x{height} pixels by {done.backend}")
    for name, found in (("float32", done.before), ("int8", done.after)):
        say(
            f"{name:<8} mIoU {format_ratio(found.miou)}, {found.bytes / 1e6:.1f} MB, "
            f"{1000 * found.seconds:.0f} ms"
        )


def _say_written(files: "Sequence[Path]") -> None:
    from segnet_res.cli._console import say

    size = sum(file.stat().st_size for file in files) / 1e6
    say(f"{' and '.join(map(str, files))}: written, {size:.1f} MB")


def describe_parity(parity: "Parity") -> str:
    """Return how well an export agrees with its checkpoint, in words."""
    found = f"{parity.different:,} of {parity.pixels:,} pixels get another label"
    if not parity.different:
        found = f"all {parity.pixels:,} pixels get the same label"
    return f"{found}; confidence differs by {parity.confidence:.1g} at most"
