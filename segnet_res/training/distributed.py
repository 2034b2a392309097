"""Several processes, as torchrun starts them; alone, everything here does nothing."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist

from segnet_res.errors import UsageError
from segnet_res.models import resolve_device

# The others wait while the first validates; NCCL would give up after ten minutes.
_LONGEST_WAIT = timedelta(hours=6)


@dataclass(frozen=True)
class Processes:
    """This process among all.

    Attributes:
        rank: Number of this process; 0 validates and writes.
        world: Number of processes.
        device: Where this process computes.
    """

    rank: int
    world: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this process validates and writes."""
        return self.rank == 0

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.world > 1:
            dist.barrier()

    def mean(self, value: float) -> float:
        """Return the mean of a number over all processes."""
        if self.world == 1:
            return value
        total = torch.tensor([value], dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return total.item() / self.world


@contextmanager
def processes(device: str) -> Iterator[Processes]:
    """Join the processes that torchrun has started, and leave them at the end.

    Args:
        device: As `resolve_device` takes it; with several processes each takes a GPU of its own.

    Raises:
        UsageError: when the variables of torchrun are damaged or incomplete.
        DeviceError: when the device is missing.
    """
    world = _variable("WORLD_SIZE", 1)
    if world == 1:
        yield Processes(0, 1, resolve_device(device))
        return
    rank, local = _variable("RANK", 0), _variable("LOCAL_RANK", 0)
    kind = resolve_device(device).type
    mine = resolve_device(f"{kind}:{local}" if kind == "cuda" else kind)
    if mine.type == "cuda":
        torch.cuda.set_device(mine)
    try:
        dist.init_process_group(
            "nccl" if mine.type == "cuda" else "gloo",
            timeout=_LONGEST_WAIT,
        )
    except ValueError as error:
        raise UsageError(
            f"{world} processes cannot find each other ({error}); start them by torchrun"
        ) from error
    try:
        yield Processes(rank, world, mine)
    finally:
        dist.destroy_process_group()


def _variable(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    if not text.isdigit():
        raise UsageError(f"the variable {name} is {text!r}; start several processes by torchrun")
    return int(text)
