"""Names and sizes of the architectures; imports no torch, so that help texts can list them."""

from dataclasses import dataclass

from segnet_res.errors import UsageError


@dataclass(frozen=True)
class Size:
    """Shape of an encoder of five stages, mirrored by the decoder.

    Attributes:
        widths: Channels of each stage.
        depths: 3x3 convolutions of each stage.
    """

    widths: tuple[int, int, int, int, int]
    depths: tuple[int, int, int, int, int]


SIZES = {
    "tiny": Size((8, 16, 24, 32, 48), (2, 2, 2, 2, 2)),
    "small": Size((16, 32, 64, 96, 128), (2, 2, 3, 3, 3)),
    "base": Size((32, 64, 96, 144, 192), (2, 2, 3, 3, 3)),
    # The layer list of SegNet (Badrinarayanan et al., 2017): the thirteen convolutions of VGG16.
    "vgg16": Size((64, 128, 256, 512, 512), (2, 2, 3, 3, 3)),
}

ARCHITECTURES = tuple(f"{family}-{size}" for family in ("ressegnet", "segnet") for size in SIZES)

# The residual connections of a ressegnet, each a switch; a segnet has none of them.
RESIDUALS = ("shortcut", "skip", "path", "pyramid")

SMP_PREFIX = "smp:"


def split_name(architecture: str) -> tuple[str, str]:
    """Split ``ressegnet-small`` into ("ressegnet", "small").

    Raises:
        UsageError: when no architecture has this name.
    """
    if architecture not in ARCHITECTURES:
        raise UsageError(
            f"no architecture is called {architecture!r}; choose one of "
            f"{', '.join(ARCHITECTURES)}, or smp:<decoder>-<encoder> such as smp:unet-resnet18"
        )
    family, size = architecture.split("-")
    return family, size
