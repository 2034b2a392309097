"""What the labels of a picture say: classes, verdict, and whether somebody else made them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from segnet_res.classes import ClassMap
from segnet_res.errors import ImageError
from segnet_res.images import UInt8Array, read_mask
from segnet_res.inference.checking import Check, Maker
from segnet_res.inference.manifest import Output
from segnet_res.regions import region_areas
from segnet_res.render import class_pixels
from segnet_res.spec import Spec

_BY_HAND = " was made or changed by hand and is kept"


def findings(labels: UInt8Array, class_map: ClassMap, spec: Spec | None) -> dict[str, Any]:
    """Return ``classes``, ``verdict`` and ``reasons`` of a `Record`.

    Args:
        labels: (H, W) uint8, labels of the class map or `ignore_index`.
        class_map: Names the labels.
        spec: The limits that parts must keep; None: no verdict.

    Raises:
        SpecError: when the limits do not fit the picture.
    """
    counts = dict.fromkeys(range(len(class_map)), 0)
    for label, areas in region_areas(labels, class_map):
        counts[label] = len(areas)
    pixels = class_pixels(labels, class_map)
    classes = {
        name: {"pixels": int(pixels[label]), "regions": counts[label]}
        for label, name in enumerate(class_map.names)
    }
    if spec is None:
        return {"classes": classes, "verdict": None, "reasons": ()}
    verdict = spec.judge(labels, class_map)
    return {
        "classes": classes,
        "verdict": "pass" if verdict.passed else "fail",
        "reasons": tuple(reason.sentence for reason in verdict.reasons),
    }


def mask_there(
    check: Check, target: Path, class_map: ClassMap, shape: tuple[int | None, ...]
) -> UInt8Array:
    """Read the mask that is in the target, (H, W) uint8.

    Args:
        check: What was found of the picture; the mask is among it.
        target: Folder of the results.
        class_map: Says which labels there are.
        shape: Height and width of the picture.

    Raises:
        ImageError: when somebody else's mask is none of this picture.
    """
    name = check.job.outputs["masks"]
    remedy = "correct it, move it away, or use --overwrite"
    if check.changed and check.standing["masks"].maker is not Maker.RUN:
        raise ImageError(
            f"the picture is another than the one that {name} was made by hand for; "
            "move that mask away, or use --overwrite"
        )
    try:
        labels = read_mask(target / name, class_map)
    except ImageError as error:
        raise ImageError(f"its mask was changed by hand ({error}); {remedy}") from error
    if labels.shape != shape:
        raise ImageError(
            f"{name} was made by hand and is {labels.shape[1]}x{labels.shape[0]}, the picture "
            f"is {shape[1]}x{shape[0]}; {remedy}"
        )
    unknown = class_map.unknown(labels)
    if unknown:
        raise ImageError(
            f"{name} was made by hand and holds {', '.join(map(str, unknown[:5]))}, which no "
            f"class has; {remedy}"
        )
    if check.standing["masks"].maker is not Maker.RUN:
        _check_classes(labels, name, check.job.past.classes, class_map)
    return labels


def _check_classes(
    labels: UInt8Array, name: str, before: Sequence[str], class_map: ClassMap
) -> None:
    """Refuse a mask by hand whose labels meant other classes when its picture was segmented.

    Raises:
        ImageError: names the first such label.
    """
    pixels = class_pixels(labels, class_map)
    for label, (then, now) in enumerate(zip(before, class_map.names, strict=False)):
        if then != now and pixels[label]:
            raise ImageError(
                f"{name} was made by hand when {label} was {then!r}, which is {now!r} in this "
                "checkpoint; correct it, move it away, or use --overwrite"
            )


def notes_of(
    new: Sequence[str], old: Sequence[str], outputs: Mapping[str, Output]
) -> tuple[str, ...]:
    """Return all notes of a picture, those about results by hand last and as they are now."""
    by_hand = [f"{output.path}{_BY_HAND}" for output in outputs.values() if output.by_hand]
    return (*(note for note in old if not note.endswith(_BY_HAND)), *new, *by_hand)
