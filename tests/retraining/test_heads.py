import math

import pytest
import torch
from torch.testing import assert_close

from segnet_res.checkpoint import Checkpoint, Metadata
from segnet_res.classes import ClassMap
from segnet_res.errors import CheckpointError
from segnet_res.models import build_model
from segnet_res.retraining import heads
from segnet_res.retraining.heads import adapt, find_head
from segnet_res.retraining.lineup import line_up

CLASSES = ClassMap.from_names(["sound", "crack", "chip"])
HEADS = {
    "ressegnet-tiny": ("classifier.weight", "classifier.bias"),
    "segnet-tiny": ("classifier.weight", "classifier.bias"),
    "smp:unet-resnet18": (
        "network.segmentation_head.0.weight",
        "network.segmentation_head.0.bias",
    ),
}


SHARES = (0.9, 0.04, 0.04, 0.02)


def parent(architecture="ressegnet-tiny", **more):
    torch.manual_seed(3)
    switches = more.get("arguments", {})
    model = build_model(architecture, num_classes=3, channels=1, **switches).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter += 0.1 * torch.randn_like(parameter)  # no bias is 0
    meta = Metadata(architecture, CLASSES, 1, (60.0,), (50.0,), **more)
    tensors = model.state_dict() | {
        "mean": torch.full((1, 1, 1, 1), 60.0),
        "std": torch.full((1, 1, 1, 1), 50.0),
    }
    return Checkpoint(meta, tensors)


@pytest.fixture(scope="module")
def picture():
    return torch.randint(0, 256, (1, 1, 32, 64), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("architecture", HEADS)
def test_rows_are_carried_by_name(architecture, picture):
    """The logits of the classes that stay are the parent's, in their new places."""
    old = parent(architecture)
    assert find_head(old.metadata) == HEADS[architecture]
    line = line_up(
        CLASSES, [ClassMap.from_names(["sound", "dent", "spall"])], renamed={"chip": "spall"}
    )
    assert line.class_map.names == ("sound", "crack", "spall", "dent")
    new = adapt(old, line, SHARES)
    with torch.no_grad():
        before, after = old.build_model()(picture), new.build_model()(picture)
    assert_close(after[:, :3], before)
    # The new class is a fixed share of the background: 2 of 92 parts of both.
    assert_close(after[:, 3], before[:, 0] + math.log(0.02 / 0.9))
    assert new.metadata.class_map == line.class_map
    assert new.metadata.scores is None
    assert old.tensors[HEADS[architecture][0]].shape[0] == 3  # the parent stays as it is


def test_rows_of_all_scales_are_carried(picture):
    """Logits are summed over scales, and the rarity of a new class counts once."""
    old = parent(arguments={"pyramid": True})
    assert len(find_head(old.metadata)) == len(HEADS["ressegnet-tiny"]) + 4
    new = adapt(old, line_up(CLASSES, [ClassMap.from_names([*CLASSES.names, "dent"])]), SHARES)
    with torch.no_grad():
        before, after = old.build_model()(picture), new.build_model()(picture)
    assert_close(after[:, :3], before)
    assert_close(after[:, 3], before[:, 0] + math.log(SHARES[3] / SHARES[0]))


def test_dropped_rows_go_and_order_may_change(picture):
    old = parent()
    line = line_up(CLASSES, [ClassMap.from_names(["crack", "sound"])], dropped={"chip": None})
    assert line.carried == (1, 0)
    with torch.no_grad():
        before = old.build_model()(picture)
        after = adapt(old, line, (0.5, 0.5)).build_model()(picture)
    assert_close(after, before[:, [1, 0]])


def test_without_a_background_a_new_class_is_part_of_the_most_frequent(picture):
    scene = ClassMap.from_names(["Sky", "Road", "Tree"])
    old = parent(class_shares=(0.2, 0.5, 0.3))
    old = Checkpoint(Metadata(**(vars(old.metadata) | {"class_map": scene})), old.tensors)
    line = line_up(scene, [ClassMap.from_names(["Fence"])])
    with torch.no_grad():
        before = old.build_model()(picture)
        # A share of nothing still gives a finite bias.
        after = adapt(old, line, (0.2, 0.5, 0.3, 0.0)).build_model()(picture)
    assert_close(after[:, 3], before[:, 1] + math.log(1e-4))


def test_a_head_that_cannot_be_told_is_named(monkeypatch):
    def shapes(metadata, classes):
        return {"fusion.weight": (classes * classes, 8), "stem.weight": (16, 1, 3, 3)}

    monkeypatch.setattr(heads, "_shapes", shapes)
    with pytest.raises(CheckpointError, match=r"cannot be told \(fusion\.weight\); keep the clas"):
        find_head(parent().metadata)
    monkeypatch.setattr(heads, "_shapes", lambda *_: {"stem.weight": (16, 1, 3, 3)})
    with pytest.raises(CheckpointError, match="no tensor has one for each"):
        find_head(parent().metadata)


def test_nothing_carried_over_is_refused():
    line = line_up(
        ClassMap.from_names(["Sky", "Road"]),
        [ClassMap.from_names(["Tree"])],
        dropped={"Sky": None, "Road": None},
    )
    with pytest.raises(CheckpointError, match="no class of the parent is left"):
        adapt(parent(), line, (1.0,))
