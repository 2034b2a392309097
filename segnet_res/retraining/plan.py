"""How a retraining goes: options from parent, data and device, and how long it takes."""

import math
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from segnet_res.errors import TrainingError, UsageError
from segnet_res.models import resolve_device
from segnet_res.recipe import TrainConfig
from segnet_res.training import Step, Validation, train_events
from segnet_res.training.descent import Descent
from segnet_res.training.optim import NORM_BATCHES

# At a higher rate the first steps unlearn what the parent knows, and new classes, which have had a
# lesson of their own by then (see `probe`), gain nothing by it. Measured as there, frays, which
# began at an IoU of 76 %, had 74 % at this rate, 34 % at four times and 51 % at sixteen times it.
_SLOWER = 1 / 16

# A class that looks like nothing the parent knows is not found that way: frays, of which a parent
# had seen none, were at an IoU of 0 % on the very pictures of the training after 560 steps, and
# after 500 at a third of the parent's rate. With the rate of a first training, half of the crops
# and 1,400 steps they are found: `benchmarks/loop.py`.
_STEPS_A_NEW_CLASS = 100

# So many times is the candidate validated, the best of them kept.
_EPOCHS = 8
# Steps for each new picture, and their limits: a CPU takes a second for each step or more.
_STEPS_A_PICTURE = 40
_FEWEST_STEPS = {"cpu": 400, "cuda": 800}
_MOST_STEPS = {"cpu": 1600, "cuda": 8000}

# Steps that are measured after the first, which also starts the readers; and validated pictures.
_MEASURED_STEPS = 4
_MEASURED_PICTURES = 4
_MEASURED_SECONDS = 20.0
# What a budget leaves for writing, and for a machine that becomes slower.
_RESERVE = 0.9


@dataclass(frozen=True)
class Speed:
    """What was measured on this machine.

    Attributes:
        step: Seconds a step.
        epoch: Seconds at the end of an epoch, beside its pictures: the batch norms are measured.
        picture: Seconds a validated picture.
    """

    step: float
    epoch: float
    picture: float

    def seconds(self, config: TrainConfig, pictures: int) -> float:
        """Return how long a training takes that validates so many pictures after every epoch."""
        return config.epochs * (config.steps * self.step + self.epoch + pictures * self.picture)


@dataclass(frozen=True)
class Plan:
    """How a retraining goes; frozen when it begins.

    Attributes:
        config: The options.
        new_share: Of the crops from new pictures.
        speed: What was measured; None where nothing was.
        validation: Pictures that are validated after every epoch.
    """

    config: TrainConfig
    new_share: float
    speed: Speed | None
    validation: int

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return self.config.epochs * self.config.steps

    @property
    def seconds(self) -> float | None:
        """How long it will take, as far as that was measured."""
        return None if self.speed is None else self.speed.seconds(self.config, self.validation)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Plan":
        """Read what `to_dict` wrote.

        Raises:
            TrainingError: when it is damaged.
        """
        try:
            speed = content["speed"]
            return cls(
                TrainConfig.from_dict(content["config"]),
                float(content["new_share"]),
                None if speed is None else Speed(**speed),
                int(content["validation"]),
            )
        except (KeyError, TypeError, ValueError, UsageError) as error:
            raise TrainingError(
                f"the plan of the retraining is damaged ({error}); start again in another folder"
            ) from error


def choose_options(
    recipe: Mapping[str, Any],
    given: Mapping[str, Any],
    *,
    pictures: int,
    same_classes: bool,
    new_classes: bool = False,
) -> TrainConfig:
    """Return the options of a retraining.

    Crop, batch, loss and augmentation are those of the parent, the learning rate is a sixteenth of
    its own, and the number of steps follows from the number of new pictures and the device. New
    classes get the rate of a first training, more steps, and instead of the adjusted loss the
    relaxed one.

    Args:
        recipe: What the parent's checkpoint says about its training.
        given: Options that somebody has chosen; they count before all others.
        pictures: Number of new pictures.
        same_classes: Whether the number of classes is the parent's.
        new_classes: Whether there are classes that the parent does not know.

    Raises:
        UsageError: when an option makes no sense.
        DeviceError: when the device is missing.
    """
    try:
        before = TrainConfig.from_dict(dict(recipe))
    except UsageError:
        # Of another version, or of somebody's own making.
        before = TrainConfig()
    fresh = TrainConfig()
    device = str(given.get("device", fresh.device))
    kind = resolve_device(device).type
    limits = (_FEWEST_STEPS.get(kind, 400), _MOST_STEPS.get(kind, 1600))
    epochs = int(given.get("epochs", _EPOCHS))
    each = _STEPS_A_NEW_CLASS if new_classes else _STEPS_A_PICTURE
    steps = min(max(each * pictures, limits[0]), limits[1])
    # A parent may itself come from a retraining, whose rate is low already where no class was new.
    retrained = recipe.get("retrained")
    low = isinstance(retrained, Mapping) and not retrained.get("added")
    rate = before.lr if low else _SLOWER * before.lr
    if new_classes:
        rate = fresh.lr if low else min(fresh.lr, before.lr)
    chosen = {
        "arch": None,
        "pretrained": None,
        "shortcut": fresh.shortcut,
        "skip": fresh.skip,
        "path": fresh.path,
        "pyramid": fresh.pyramid,
        # The parent has seen things large; now the fine ones it knows must not be lost.
        "coarse": 0.0,
        "epochs": epochs,
        "steps": math.ceil(steps / max(1, epochs)),
        "lr": rate,
        "beta": before.beta if same_classes else fresh.beta,
        "seed": fresh.seed,
        "workers": fresh.workers,
        "amp": fresh.amp,
        "compile": fresh.compile,
        "device": device,
        # A candidate is chosen, and compared with its parent, by what it was not trained on.
        "final": False,
    }
    if new_classes and before.loss == "adjusted":
        # A last stage ends with a faint balance, by which what is new and rare is learnt late.
        chosen |= {"loss": fresh.loss, "relax": fresh.relax}
    return replace(before, **(chosen | dict(given)))


def measure_speed(config: TrainConfig, snapshot: Path, start: Path, descent: Descent) -> Speed:
    """Train a few steps and validate a few pictures on this machine; nothing of it is kept.

    Args:
        config: The options.
        snapshot: The dataset folder.
        start: The checkpoint to start from.
        descent: As for the training itself.

    Raises:
        SegnetResError: as the training itself would.
    """
    trial = replace(config, epochs=1, steps=_MEASURED_STEPS + 1)
    marks: list[float] = []
    pictures: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        events = train_events(trial, snapshot, Path(folder) / "trial", start=start, descent=descent)
        with closing(events) as events:  # type: ignore[type-var]
            for event in events:
                now = time.perf_counter()
                (marks if isinstance(event, Step) else pictures).append(now)
                if isinstance(event, Validation) and (
                    event.done >= min(event.total, _MEASURED_PICTURES)
                    or now - marks[-1] > _MEASURED_SECONDS
                ):
                    break
    step = (marks[-1] - marks[0]) / max(1, len(marks) - 1)
    first = pictures[0] - marks[-1]
    picture = (pictures[-1] - pictures[0]) / (len(pictures) - 1) if len(pictures) > 1 else first
    # Here the norms were measured on the few batches that there were.
    norms = max(0.0, first - picture) * NORM_BATCHES / trial.steps
    return Speed(step, norms, picture)


def fit_budget(
    config: TrainConfig, given: Mapping[str, Any], speed: Speed, pictures: int, minutes: float
) -> TrainConfig:
    """Return the options with as many steps as fit into a budget of time.

    Args:
        config: The options without a budget.
        given: Options that somebody has chosen.
        speed: What was measured.
        pictures: Pictures that are validated after every epoch.
        minutes: The budget.

    Raises:
        UsageError: when the budget does not suffice for a training.
    """
    seconds = 60 * minutes * _RESERVE
    end = speed.epoch + pictures * speed.picture
    epochs = config.epochs
    if "epochs" not in given:
        # At most a quarter of the time goes into validation.
        epochs = max(1, min(epochs, int(seconds / 4 / max(end, 1e-9))))
    steps = int((seconds / epochs - end) / speed.step)
    if steps < 1:
        least = epochs * (end + speed.step) / 60 / _RESERVE
        raise UsageError(
            f"--minutes is {minutes:g}; with {epochs} validation{'' if epochs == 1 else 's'} it "
            f"takes at least {math.ceil(10 * least) / 10:g} on this machine; give more, or fewer "
            "--epochs"
        )
    return replace(config, epochs=epochs, steps=steps)
