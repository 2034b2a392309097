"""The options of a training; imports no torch, so that help texts can show the defaults."""

from dataclasses import asdict, dataclass
from typing import Any, get_args, get_type_hints

from segnet_res.errors import UsageError

LOSSES = ("relaxed", "balanced", "adjusted", "cross-entropy", "dice", "focal", "lovasz")
SCHEDULES = ("poly", "cosine")
AUGMENTATIONS = ("inspection", "aligned", "scene", "none")

DEFAULT_ARCHITECTURE = "ressegnet-small"

# Of the crops of a retraining, the share from new pictures where old ones are replayed beside them.
# As much is learnt as with half of them, and less forgotten. A class that is new needs the half.
NEW_SHARE = 0.3
NEW_CLASS_SHARE = 0.5

# Of the crops of parts, the share that get the defects of another picture.
PASTE = 0.3


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides what a training computes, apart from the data.

    Attributes:
        arch: Name of the architecture; None: the parent's, or `DEFAULT_ARCHITECTURE`.
        shortcut: See `ResSegNet`.
        skip: See `ResSegNet`.
        path: See `ResSegNet`.
        pyramid: See `ResSegNet`.
        pretrained: ``hub`` or a file with torchvision's VGG16-BN weights; None: from scratch.
        epochs: Number of epochs.
        steps: Optimiser steps of an epoch; 0: as many as show one crop of each picture, but at
            least `MIN_STEPS`.
        batch: Crops in a step and process.
        crop: Height and width of the crops in pixels, a multiple of 32.
        scale: The crops are drawn from pictures enlarged by 1/scale to scale.
        coarse: Share of the epochs, the first ones, whose crops show the same at half the size,
            with a quarter of the pixels; rounded down to whole epochs.
        rare: Share of the crops that are drawn around a pixel of a class picked evenly among all;
            the others anywhere.
        paste: Share of the crops that get the defects of another picture pasted in; None: `PASTE`
            where defects lie on a background, which is a class of that name and no ``scene``.
        augment: ``inspection`` (light, blur, noise, flips, quarter turns, rotation, elastic),
            ``aligned`` (no quarter turns: all parts lie the same way), ``scene`` (no upside-down
            either) or ``none``.
        loss: One of `LOSSES`.
        beta: ``shares`` (of the training split), ``batch`` (of each batch), or for two classes a
            number from 0 to 1; for the balanced loss.
        relax: Strength of the relaxed loss at the start; it falls to 0 linearly.
        adjust: Strength of the adjusted loss; it stays.
        lr: Learning rate after the warm-up.
        weight_decay: Of AdamW, on convolution kernels.
        warmup: Share of all steps in which the learning rate rises from 0.
        schedule: ``poly`` (power 0.9) or ``cosine``; both end at 0.
        clip: Largest norm of the gradient.
        ema: Decay a step of the moving average of the weights; 0: no average.
        seed: Seed of everything that is drawn.
        workers: Processes that read pictures; -1: one for each core but one, at most 8.
        amp: Compute in bfloat16 where the device does that fast.
        compile: Compile the model with `torch.compile`.
        device: ``auto``, ``cpu`` or ``cuda``.
        final: Train on ``val`` as well and measure nothing: what the last training before a
            delivery does, once runs without it have settled the options.

    Raises:
        UsageError: when a value is out of its range; all such values are named at once.
    """

    arch: str | None = None
    shortcut: bool = True
    skip: bool = True
    path: bool = True
    pyramid: bool = True
    pretrained: str | None = None
    epochs: int = 50
    steps: int = 0
    batch: int = 8
    crop: int = 192
    scale: float = 1.5
    coarse: float = 0.0
    rare: float = 0.5
    paste: float | None = None
    augment: str = "inspection"
    loss: str = "relaxed"
    beta: str = "shares"
    relax: float = 0.5
    adjust: float = 0.5
    lr: float = 2e-3
    weight_decay: float = 1e-2
    warmup: float = 0.05
    schedule: str = "poly"
    clip: float = 5.0
    ema: float = 0.998
    seed: int = 0
    workers: int = -1
    amp: bool = True
    compile: bool = False
    device: str = "auto"
    final: bool = False

    def __post_init__(self) -> None:
        problems = [
            f"{name} is {getattr(self, name)!r}, {rule}"
            for name, good, rule in self._rules()
            if not good
        ]
        if problems:
            raise UsageError(f"the options of the training do not fit: {'; '.join(problems)}")

    def _rules(self) -> list[tuple[str, bool, str]]:
        return [
            ("epochs", self.epochs >= 1, "give at least 1"),
            ("steps", self.steps >= 0, "give 0 (by the number of pictures) or more"),
            ("batch", self.batch >= 1, "give at least 1"),
            ("crop", self.crop >= 32 and self.crop % 32 == 0, "give a multiple of 32"),
            ("scale", 1 <= self.scale <= 8, "give 1 (no scaling) to 8"),
            ("coarse", 0 <= self.coarse < 1, "give a share from 0 to below 1"),
            ("rare", 0 <= self.rare <= 1, "give 0 to 1"),
            ("paste", self.paste is None or 0 <= self.paste <= 1, "give 0 to 1"),
            ("augment", self.augment in AUGMENTATIONS, f"choose {', '.join(AUGMENTATIONS)}"),
            ("loss", self.loss in LOSSES, f"choose {', '.join(LOSSES)}"),
            ("beta", _is_beta(self.beta), "give shares, batch, or a number from 0 to 1"),
            ("relax", 0 <= self.relax <= 1, "give 0 to 1"),
            ("adjust", 0 <= self.adjust <= 2, "give 0 (plain cross-entropy) to 2"),
            ("lr", self.lr > 0, "give more than 0"),
            ("weight_decay", self.weight_decay >= 0, "give 0 or more"),
            ("warmup", 0 <= self.warmup < 1, "give a share from 0 to below 1"),
            ("schedule", self.schedule in SCHEDULES, f"choose {', '.join(SCHEDULES)}"),
            ("clip", self.clip > 0, "give more than 0"),
            ("ema", 0 <= self.ema < 1, "give 0 (no average) to below 1"),
            ("seed", 0 <= self.seed < 2**63, "give 0 or more"),
            ("workers", self.workers >= -1, "give -1 (automatic) or more"),
        ]

    @property
    def coarse_epochs(self) -> int:
        """How many epochs, from the first on, see crops of half the size."""
        # What was meant as a whole number shall not miss it by the last bit.
        return int(self.coarse * self.epochs + 1e-9)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "TrainConfig":
        """Read what `to_dict` wrote; unknown keys are left out.

        Raises:
            UsageError: when a value has another type than its option, or is out of its range.
        """
        known = {key: value for key, value in content.items() if key in cls.__dataclass_fields__}
        hints = get_type_hints(cls)
        for key, value in known.items():
            allowed = get_args(hints[key]) or (hints[key],)
            if not isinstance(value, (*allowed, int) if float in allowed else allowed):
                raise UsageError(f"the option {key} is {value!r}; give {hints[key]}")
        return cls(**known)


def _is_beta(text: str) -> bool:
    if text in ("shares", "batch"):
        return True
    try:
        return 0 <= float(text) <= 1
    except ValueError:
        return False
