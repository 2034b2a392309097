"""What a retraining shall do, and how far it is."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

# What a process is doing on a retraining; after its end the folder keeps one of the others.
ACTIVE = ("waiting", "preparing", "training")
ENDED = ("stopped", "failed", "finished", "interrupted")


@dataclass(frozen=True)
class Request:
    """What a retraining shall do.

    Attributes:
        checkpoint: The parent.
        dataset: The new dataset.
        bases: Old datasets whose pictures are replayed.
        goldens: Files of golden sets, none of whose pictures may be trained on.
        renamed: See `line_up`.
        dropped: See `line_up`.
        new_share: Of the crops from new pictures, above 0 and at most 1; None: by whether classes
            are new.
        minutes: Budget of time; None: by the number of new pictures.
        leave_out: Whether pictures of val, test or a golden set are left out of the training
            instead of refused.
        licence: Note on what the data allow; None: the parent's.
        options: Options of `TrainConfig` that somebody has chosen.
        by: Who wants it; None: nobody was asked.
    """

    checkpoint: Path
    dataset: Path
    bases: tuple[Path, ...] = ()
    goldens: tuple[Path, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)
    dropped: Mapping[str, str | None] = field(default_factory=dict)
    new_share: float | None = None
    minutes: float | None = None
    leave_out: bool = False
    licence: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    by: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; paths are absolute, as a process elsewhere needs them."""
        content = asdict(self)
        for key in ("checkpoint", "dataset"):
            content[key] = str(content[key].resolve())
        for key in ("bases", "goldens"):
            content[key] = [str(path.resolve()) for path in content[key]]
        return content

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Request":
        """Read what `to_dict` wrote.

        Raises:
            KeyError, TypeError: when it is damaged.
        """
        paths = {key: Path(content[key]) for key in ("checkpoint", "dataset")}
        lists = {key: tuple(map(Path, content[key])) for key in ("bases", "goldens")}
        return cls(**(dict(content) | paths | lists))


@dataclass(frozen=True)
class Progress:
    """How far a retraining is.

    Attributes:
        state: One of `ACTIVE` or `ENDED`.
        ticket: When it was started, in nanoseconds; the smallest has its turn first.
        process: Number of the process that works on it.
        doing: What it is doing, in words; after a failure the reason.
        step: Steps that are done.
        of: Steps of the whole training; 0 before that is known.
        epoch: The epoch that is trained, from 1; 0 before.
        epochs: How many there will be.
        loss: Of the last step.
        rate: Crops a second.
        seconds_left: Until the end; None as long as nobody knows.
        estimate: How long the whole training was estimated to take, in seconds.
        metrics: One dictionary an epoch: epoch, loss, lr, miou and the IoU of each class.
        notes: What somebody should know, in one sentence each.
        updated: When this was written, in seconds since 1970.
    """

    state: str
    ticket: int = 0
    process: int = 0
    doing: str = ""
    step: int = 0
    of: int = 0
    epoch: int = 0
    epochs: int = 0
    loss: float | None = None
    rate: float | None = None
    seconds_left: float | None = None
    estimate: float | None = None
    metrics: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    updated: float = 0.0

    @property
    def active(self) -> bool:
        """Whether a process waits for its turn or works."""
        return self.state in ACTIVE
