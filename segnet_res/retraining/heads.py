"""A parent's weights for other classes: the rows of its head are carried over by name.

The head is found by building the architecture for one class more: the tensors that grow by a row
are the head, whatever the architecture calls them.

A class that the parent does not know starts as a share of the class whose pixels it was until now:
its row is that of the background (else of the most frequent class), and its bias lies lower by the
logarithm of how rare it is beside it. So the candidate begins with the parent's answers, and the
new class is tried first where the parent is least sure of the background. (Cermelli et al.,
"Modeling the Background for Incremental Learning in Semantic Segmentation", CVPR 2020, start alike
and divide evenly.)
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from segnet_res.checkpoint import Checkpoint, Metadata
from segnet_res.classes import background
from segnet_res.errors import CheckpointError
from segnet_res.models import build_model
from segnet_res.retraining.lineup import Lineup

# A class without a pixel in the training would get a bias of minus infinity.
_RAREST = 1e-4


def find_head(metadata: Metadata) -> tuple[str, ...]:
    """Return the names of the tensors with a row for each class, in the order of the state dict.

    Raises:
        CheckpointError: when the architecture has tensors that depend on the number of classes in
            another way.
    """
    classes = len(metadata.class_map)
    before, after = _shapes(metadata, classes), _shapes(metadata, classes + 1)
    changed = [name for name in before if before[name] != after.get(name)]
    odd = [
        name
        for name in changed
        if before[name][:1] != (classes,) or after.get(name) != (classes + 1, *before[name][1:])
    ]
    if odd or not changed:
        raise CheckpointError(
            f"{metadata.architecture}: which rows of it belong to which class cannot be told "
            f"({', '.join(odd) or 'no tensor has one for each'}); keep the classes of the parent, "
            "or train anew"
        )
    return tuple(changed)


def adapt(checkpoint: Checkpoint, lineup: Lineup, shares: Sequence[float]) -> Checkpoint:
    """Return a checkpoint for other classes with the weights of this one.

    Where no class is new, the answers for the classes that stay are those of the parent.

    Args:
        checkpoint: The parent; stays as it is.
        lineup: The classes of the candidate, and where they come from.
        shares: Share of each class of the candidate among the pixels that will be drawn.

    Returns:
        A checkpoint with the parent's metadata, without its scores.

    Raises:
        CheckpointError: see `find_head`.
    """
    meta = checkpoint.metadata
    head = find_head(meta)
    donor = _donor(meta, lineup)
    biased = any(checkpoint.tensors[name].ndim == 1 for name in head)
    tensors = dict(checkpoint.tensors)
    for name in head:
        old = checkpoint.tensors[name]
        rows = [
            old[label] if label is not None else _new_row(old, i, donor, shares, biased=biased)
            for i, label in enumerate(lineup.carried)
        ]
        tensors[name] = torch.stack(rows)
    metadata = replace(
        meta, class_map=lineup.class_map, class_shares=None, scores=None, conditions=None
    )
    return Checkpoint(metadata, tensors)


def _donor(meta: Metadata, lineup: Lineup) -> tuple[int, int]:
    """Return the class that new ones are a part of: its label in the parent and the candidate."""
    kept = {old: new for new, old in enumerate(lineup.carried) if old is not None}
    if not kept:
        raise CheckpointError(
            "no class of the parent is left, so that nothing is carried over; train anew"
        )
    first = background(meta.class_map)
    if first is not None and first in kept:
        return first, kept[first]
    frequency = meta.class_shares or (1.0,) * len(meta.class_map)
    old = max(kept, key=lambda label: frequency[label])
    return old, kept[old]


def _new_row(
    old: Tensor, label: int, donor: tuple[int, int], shares: Sequence[float], *, biased: bool
) -> Tensor:
    """Return the row of a new class in one tensor of the head."""
    parent_label, label_now = donor
    if not biased:
        # Equal rows could never differ by frequency; the mean is an answer of middling height.
        return old.mean(dim=0)
    if old.ndim > 1:
        return old[parent_label]
    ratio = shares[label] / max(shares[label_now], _RAREST)
    return old[parent_label] + math.log(min(1.0, max(ratio, _RAREST)))


def _shapes(metadata: Metadata, classes: int) -> dict[str, tuple[int, ...]]:
    model = build_model(
        metadata.architecture,
        num_classes=classes,
        channels=metadata.channels,
        **metadata.arguments,
    )
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
