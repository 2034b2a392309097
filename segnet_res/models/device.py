"""Which device computes."""

import platform
import re

import torch

from segnet_res.errors import DeviceError, UsageError


def resolve_device(name: str) -> torch.device:
    """Return the device of a name.

    Args:
        name: ``auto`` (CUDA where there is one, else the CPU), ``cpu``, ``cuda`` or ``cuda:1``.

    Raises:
        UsageError: when the name is none of these.
        DeviceError: when CUDA is asked for and missing.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, index = name.partition(":")
    if not re.fullmatch("cpu|cuda(:[0-9]+)?", name):
        raise UsageError(f"device {name!r} is unknown; choose auto, cpu, cuda or cuda:0")
    if kind == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if int(index or 0) >= count:
            raise DeviceError(
                f"device {name}: {count} CUDA devices found; "
                "use --device cpu, or install a driver that fits this torch"
            )
    return torch.device(name)


def describe_device(device: torch.device) -> str:
    """Name the device for a person: the graphics card, or the processor's architecture."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU ({platform.machine()}, {torch.get_num_threads()} threads)"


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether an error means that a device's memory ran out."""
    # The CPU's allocator raises a plain RuntimeError, with one text on Linux, another on Windows.
    return isinstance(error, torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError)
        and any(text in str(error) for text in ("can't allocate memory", "not enough memory"))
    )
