"""The retrainings below the folder that the start command allowed, as the page shows them."""

import math
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segnet_res.classes import ClassMap, format_color
from segnet_res.data import load_info
from segnet_res.errors import SegnetResError, UsageError
from segnet_res.retraining import run as runs
from segnet_res.retraining.folder import RetrainFolder
from segnet_res.retraining.state import Progress, Request
from segnet_res.web.batch_names import shown_name

# Letters and digits of any language, and what file names usually hold besides. The candidate gets
# the same name when it is promoted.
_NAME = re.compile(r"\w[\w .()+-]{0,59}")

# A browser can ask for any number; each waits in a process of its own.
MAX_ACTIVE = 20

# What a process says before it dies is at the end.
_LOG_BYTES = 4000

_CANDIDATE = "best.safetensors"


@dataclass(frozen=True)
class Listed:
    """A folder that holds a retraining.

    Attributes:
        name: By which the page asks for it.
        run: The folder.
        progress: How far it is; None when that cannot be read.
        error: The reason, in one sentence, or None.
    """

    name: str
    run: RetrainFolder
    progress: Progress | None = None
    error: str | None = None

    @property
    def state(self) -> str:
        """One of the states of `Progress`, or "damaged"."""
        return "damaged" if self.progress is None else self.progress.state

    @property
    def active(self) -> bool:
        """Whether a process waits for its turn or works."""
        return self.progress is not None and self.progress.active

    @property
    def candidate(self) -> Path | None:
        """The checkpoint that came out; None as long as the retraining is not finished."""
        path = self.run.path / _CANDIDATE
        return path if self.state == "finished" and path.is_file() else None


class Retrainings:
    """Finds retrainings, whoever has started them.

    Names come from a browser. They are compared with what the folder holds; only the name of a new
    one becomes part of a path, after it was looked at closely.

    Args:
        root: The folder; each retraining is a folder in it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def all(self) -> list[Listed]:
        """Return all retrainings in the order in which they were started, damaged ones first."""
        progresses = runs.runs(self.root)
        found = []
        for path in sorted(self.root.glob("*/request.json")):
            run = RetrainFolder(path.parent)
            if run.name not in progresses:
                with suppress(FileNotFoundError):
                    found.append(_damaged(run))
        for name, progress in progresses.items():
            found.append(Listed(shown_name(name), RetrainFolder(self.root / name), progress))
        return found

    def find(self, name: object) -> Listed:
        """Return a retraining by its name.

        Raises:
            UsageError: when there is none of this name.
        """
        for one in self.all():
            if one.name == name:
                return one
        raise UsageError(f"no retraining is called {str(name)[:100]!r}; choose one of the list")

    def new(self, name: object) -> Path:
        """Return the folder for a new retraining; it is not made here.

        Raises:
            UsageError: when the name is no good or taken, or so many wait that another one makes no
                sense.
        """
        text = name if isinstance(name, str) else ""
        if not _NAME.fullmatch(text) or text != text.strip(" ."):
            raise UsageError(
                f"{text[:100]!r}: no name for a retraining; give up to 60 letters, digits and "
                "- _ . ( ) +"
            )
        # Many file systems take A and a for the same letter.
        if text.casefold() in {path.name.casefold() for path in self.root.glob("*")}:
            raise UsageError(f"{text!r} is there already and stays as it is; choose another name")
        if (
            sum(one.progress is not None and one.progress.active for one in self.all())
            >= MAX_ACTIVE
        ):
            raise UsageError(
                f"{MAX_ACTIVE} retrainings work or wait already; stop one, or wait for their ends"
            )
        return self.root / text


def summaries(listed: list[Listed]) -> list[dict[str, Any]]:
    """Return what the list shows of each retraining, the newest first, as plain values."""
    # Who works has its turn, whenever it was started; then the first that waits.
    active = sorted((one for one in listed if one.active), key=lambda one: one.state == "waiting")
    told = []
    for one in reversed(listed):
        progress = one.progress
        told.append(
            {
                "name": one.name,
                "state": one.state,
                "stopping": one.active and one.run.stop.exists(),
                "ahead": active.index(one) if one.state == "waiting" else 0,
                "step": progress.step if progress else 0,
                "of": progress.of if progress else 0,
                "miou": best_miou(progress),
                "updated": progress.updated if progress else 0,
            }
        )
    return told


def best_miou(progress: Progress | None) -> float | None:
    """Return the mIoU of the best epoch, or None."""
    scores = [] if progress is None else [_number(row.get("miou")) for row in progress.metrics]
    return max((score for score in scores if score is not None), default=None)


def details(one: Listed, root: Path | None) -> dict[str, Any]:
    """Return what the page shows of one retraining, as plain values.

    Args:
        one: The retraining.
        root: Folder of the datasets, whose path nobody needs to read again and again.
    """
    run, progress = one.run, one.progress
    told: dict[str, Any] = {
        "name": one.name, "state": one.state, "error": one.error, "doing": "", "notes": [],
        "classes": [], "metrics": [], "plan": None, "request": None, "log": "",
        "leave_out": False,
    }  # fmt: skip
    if progress is None:
        return told
    classes = _classes(run)
    request, plan = _readable(run)
    told |= {
        "stopping": one.active and run.stop.exists(),
        "doing": progress.doing,
        "step": progress.step,
        "of": progress.of,
        "epoch": progress.epoch,
        "epochs": progress.epochs,
        "loss": _number(progress.loss),
        "rate": _number(progress.rate),
        "seconds_left": _number(progress.seconds_left),
        "estimate": _number(progress.estimate),
        "notes": list(progress.notes),
        "metrics": [_row(row, classes) for row in progress.metrics],
        "classes": _colored(classes),
        "miou": best_miou(progress),
        "candidate": one.candidate is not None,
    }
    if request is not None:
        told["request"] = _request(request, root)
        told["leave_out"] = _may_leave_out(progress, request, plan)
    if plan is not None:
        told["plan"] = _plan(plan)
    if one.state in ("failed", "interrupted"):
        told["log"] = _end_of_log(run.log)
    return told


def _damaged(run: RetrainFolder) -> Listed:
    try:
        run.read_progress()
    except SegnetResError as error:
        return Listed(shown_name(run.name), run, error=str(error))
    # Whole again since it was listed: it is there at the next look.
    raise FileNotFoundError(run.path)


def _readable(run: RetrainFolder) -> tuple[Request | None, dict[str, Any] | None]:
    """Return request and plan, as far as they can be read; progress tells how far it is anyway."""
    request, plan = None, None
    with suppress(SegnetResError):
        request = run.read_request()
        plan = run.read_plan()
    return request, plan


def _classes(run: RetrainFolder) -> ClassMap | None:
    """Return the candidate's classes; None before the data are frozen."""
    try:
        return load_info(run.data).class_map
    except SegnetResError:
        return None


def _colored(classes: ClassMap | None) -> list[dict[str, str]]:
    if classes is None:
        return []
    return [
        {"name": name, "color": format_color(color)}
        for name, color in zip(classes.names, classes.colors, strict=True)
    ]


def _row(row: Mapping[str, Any], classes: ClassMap | None) -> dict[str, Any]:
    names = () if classes is None else classes.names
    return {
        "epoch": row.get("epoch"),
        "loss": _number(row.get("loss")),
        "miou": _number(row.get("miou")),
        "ious": [_number(row.get(f"iou_{name}")) for name in names],
    }


def _number(value: object) -> float | None:
    """Return a number that JSON knows, or None: a loss may have become infinite."""
    if isinstance(value, (int, float)) and math.isfinite(value):
        return float(value)
    return None


def _request(request: Request, root: Path | None) -> dict[str, Any]:
    def told(path: Path) -> str:
        inside = root is not None and path.is_relative_to(root) and path != root
        return shown_name(path.relative_to(root).as_posix() if inside and root else path.name)

    return {
        "parent": shown_name(request.checkpoint.stem),
        "dataset": told(request.dataset),
        "bases": [told(path) for path in request.bases],
        "goldens": [told(path) for path in request.goldens],
        "renamed": dict(request.renamed),
        "dropped": dict(request.dropped),
        "minutes": request.minutes,
        "leave_out": request.leave_out,
        "by": None if request.by is None else shown_name(request.by),
    }


def _plan(plan: Mapping[str, Any]) -> dict[str, Any]:
    config, speed, classes = (plan.get(key) or {} for key in ("config", "speed", "classes"))
    return {
        **{key: config.get(key) for key in ("epochs", "steps", "batch", "crop", "lr")},
        "new_share": plan.get("new_share"),
        "validation": plan.get("validation"),
        "step_seconds": _number(speed.get("step")),
        "added": classes.get("added", []),
    }


def _may_leave_out(progress: Progress, request: Request, plan: Mapping[str, Any] | None) -> bool:
    """Tell whether it has failed by pictures that can be left out of the training."""
    # The sentence of `apart.refuse` names its remedy by the option of the command.
    return (
        progress.state == "failed"
        and plan is None
        and not request.leave_out
        and "--leave-out" in progress.doing
    )


def _end_of_log(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _LOG_BYTES))
            return file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
