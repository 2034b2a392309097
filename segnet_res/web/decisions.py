"""How decisions by the masks of a model end: what is found, what escapes, what is overkill."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from segnet_res.assessment import Rate
from segnet_res.classes import ClassMap
from segnet_res.images import UInt8Array
from segnet_res.web.judging import Judge

if TYPE_CHECKING:
    from segnet_res.inference import Prediction


@dataclass(frozen=True)
class Decision:
    """What is true of a picture or part, and what a model says of it.

    Attributes:
        defective: Whether it is defective.
        called: Whether it is called so.
    """

    defective: bool
    called: bool

    @property
    def outcome(self) -> str:
        """``found`` or ``escape`` of what is defective, ``sound`` or ``overkill`` of the rest."""
        if self.defective:
            return "found" if self.called else "escape"
        return "overkill" if self.called else "sound"


def decide(
    judge: Judge, prediction: "Prediction", truth: UInt8Array, class_map: ClassMap
) -> Decision | None:
    """Judge a picture by its reference mask and by what a model found, with the same limits.

    Args:
        judge: The limits, and what of the prediction counts.
        prediction: What the model found.
        truth: (H, W) uint8 labels; where it is not labelled, nothing is judged.
        class_map: The classes of both.

    Returns:
        None where nothing says what is allowed, or nothing is labelled.
    """
    labels = judge.refine(prediction.labels, prediction.confidence, class_map)
    ignored = truth == class_map.ignore_index
    if ignored.all():
        return None
    if ignored.any():
        labels = np.where(ignored, truth, labels)
    verdicts = [judge.verdict(mask, class_map)["state"] for mask in (truth, labels)]
    if "neutral" in verdicts:
        return None
    return Decision(verdicts[0] == "fail", verdicts[1] == "fail")


def limits_error(judge: Judge, class_map: ClassMap) -> str | None:
    """Return why the limits cannot be used with these classes, or None."""
    error = judge.verdict(np.zeros((1, 1), np.uint8), class_map)["error"]
    return None if error is None else str(error)


def rates(decisions: Sequence[tuple[str, Decision]]) -> dict[str, Any]:
    """Count overkill and escape by pictures and by parts, in the form of `Assessment.to_dict`.

    A part is defective, or called so, when one of its pictures is.

    >>> found = rates([("a", Decision(True, False)), ("a", Decision(False, True))])
    >>> found["escape"]["pictures"]["count"], found["escape"]["parts"]["count"]
    (1, 0)

    Args:
        decisions: The part and the decision of each picture.
    """
    parts: dict[str, Decision] = {}
    for part, decision in decisions:
        before = parts.get(part, Decision(False, False))
        parts[part] = Decision(
            before.defective or decision.defective, before.called or decision.called
        )
    pictures = [decision for _, decision in decisions]
    units = {"pictures": pictures, "parts": list(parts.values())}
    return {
        "overkill": {unit: _rate(each, "overkill", "sound") for unit, each in units.items()},
        "escape": {unit: _rate(each, "escape", "found") for unit, each in units.items()},
    }


def _rate(decisions: Sequence[Decision], wrong: str, right: str) -> dict[str, Any]:
    outcomes = [decision.outcome for decision in decisions]
    count = outcomes.count(wrong)
    return Rate(count, count + outcomes.count(right)).to_dict()
