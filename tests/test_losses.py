import math

import pytest
import torch
import torch.nn.functional as F

from segnet_res import balanced_cross_entropy
from segnet_res.errors import UsageError
from segnet_res.losses import balance_factors, build_loss, relaxed_factors
from segnet_res.recipe import LOSSES, TrainConfig

IGNORE = 255


def test_the_papers_formula_by_hand():
    """L = -beta sum(log p) over positives - (1 - beta) sum(log(1 - p)) over negatives."""
    p = torch.tensor([0.8, 0.4, 0.3, 0.1])  # probability of class 1
    labels = torch.tensor([1, 0, 0, 0])  # beta = 3 negatives / 4 pixels
    beta = 3 / 4
    paper = -beta * math.log(0.8) - (1 - beta) * (math.log(0.6) + math.log(0.7) + math.log(0.9))
    logits = torch.stack([torch.zeros(4), torch.log(p / (1 - p))]).view(1, 2, 2, 2)
    labels = labels.view(1, 2, 2)
    # The weights have mean 1 instead of sum 1 (twice), and the sum is divided by 4 pixels.
    expected = paper * 2 / 4
    for given in (None, beta, balance_factors([0.75, 0.25])):
        loss = balanced_cross_entropy(logits, labels, beta=given)
        assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_three_classes_by_hand():
    shares = [0.5, 0.3, 0.2]
    factors = balance_factors(shares)
    assert factors.tolist() == pytest.approx([0.5 * 1.5, 0.7 * 1.5, 0.8 * 1.5])
    logits = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    labels = torch.randint(0, 3, (2, 4, 4), generator=torch.Generator().manual_seed(1))
    each = -F.log_softmax(logits, 1).gather(1, labels[:, None])[:, 0]
    expected = (each * factors[labels]).sum() / labels.numel()
    assert balanced_cross_entropy(logits, labels, beta=factors).item() == pytest.approx(
        expected.item(), rel=1e-5
    )


@pytest.mark.parametrize("name", LOSSES)
def test_ignored_pixels_count_nowhere(name):
    loss = build_loss(TrainConfig(loss=name, beta="batch"), [0.5, 0.3, 0.2], IGNORE)
    torch.manual_seed(0)
    logits = torch.randn(1, 3, 4, 4)
    labels = torch.randint(0, 3, (1, 4, 4))
    labels[0, :2] = IGNORE
    changed = logits.clone()
    changed[:, :, :2] = torch.randn(1, 3, 2, 4) * 9
    assert loss(logits, labels, 0.5).item() == pytest.approx(
        loss(changed, labels, 0.5).item(), rel=1e-5
    )


@pytest.mark.parametrize("name", LOSSES)
def test_nothing_labelled_is_zero_with_zero_gradient(name):
    loss = build_loss(TrainConfig(loss=name), [0.5, 0.5], IGNORE)
    logits = torch.randn(1, 2, 4, 4, requires_grad=True)
    value = loss(logits, torch.full((1, 4, 4), IGNORE), 0.0)
    value.backward()
    assert value.item() == 0
    assert not logits.grad.any()


def test_adjusted_logits_by_hand():
    loss = build_loss(TrainConfig(loss="adjusted", adjust=0.5), [0.96, 0.04], IGNORE)
    logits = torch.zeros(1, 2, 1, 1)
    # Raised by half the logarithms, the two logits are as sqrt(0.96) to sqrt(0.04): 0.98 to 0.2.
    rare = math.sqrt(0.04) / (math.sqrt(0.04) + math.sqrt(0.96))
    for label, share in ((1, rare), (0, 1 - rare)):
        found = loss(logits, torch.full((1, 1, 1), label), 0.3)
        assert found.item() == pytest.approx(-math.log(share), rel=1e-6)


def test_not_adjusted_is_plain_cross_entropy():
    config = TrainConfig(loss="adjusted", adjust=0.0)
    logits, labels = torch.randn(1, 2, 3, 3), torch.tensor([0, 1, 1] * 3).view(1, 3, 3)
    adjusted = build_loss(config, [0.99, 0.01], IGNORE)(logits, labels, 0.0)
    assert adjusted.item() == pytest.approx(F.cross_entropy(logits, labels).item(), rel=1e-6)


def test_relaxed_ends_in_plain_cross_entropy():
    config = TrainConfig(loss="relaxed", relax=0.5)
    torch.manual_seed(0)
    logits, labels = torch.randn(1, 2, 8, 8), torch.randint(0, 2, (1, 8, 8))
    relaxed = build_loss(config, [0.99, 0.01], IGNORE)
    plain = build_loss(TrainConfig(loss="cross-entropy"), [0.99, 0.01], IGNORE)
    assert relaxed(logits, labels, 1.0).item() == pytest.approx(plain(logits, labels, 1.0).item())
    assert relaxed(logits, labels, 0.0).item() != pytest.approx(plain(logits, labels, 0.0).item())


def test_factors_of_odd_shares():
    assert balance_factors([1.0]).tolist() == [1.0]
    # A class without pixels weighs as much as the rarest that has some.
    weights = relaxed_factors([0.9, 0.1, 0.0], 0.5)
    assert weights[2] == weights[1]
    assert (weights * torch.tensor([0.9, 0.1, 0.0])).sum().item() == pytest.approx(1)


@pytest.mark.parametrize(
    ("classes", "beta", "message"),
    [
        (2, 1.5, "beta is 1.5 for 2 classes; give a number from 0 to 1"),
        (3, 0.5, "beta is 0.5 for 3 classes"),
        (3, torch.ones(2), "beta has shape"),
    ],
)
def test_a_beta_that_does_not_fit(classes, beta, message):
    with pytest.raises(UsageError, match=message):
        balanced_cross_entropy(
            torch.zeros(1, classes, 2, 2), torch.zeros(1, 2, 2, dtype=torch.long), beta=beta
        )


def test_a_number_as_beta_is_refused_before_training():
    with pytest.raises(UsageError, match=r"--beta 0\.3 is for two classes and the dataset has 3"):
        build_loss(TrainConfig(loss="balanced", beta="0.3"), [0.5, 0.25, 0.25], 255)


def test_one_class_with_every_pixel_has_nothing_to_balance():
    with pytest.raises(UsageError, match="every labelled pixel of the training split is of one"):
        build_loss(TrainConfig(loss="balanced"), [1.0, 0.0], 255)
    build_loss(TrainConfig(loss="balanced"), [1.0], 255)


@pytest.mark.parametrize("name", LOSSES)
def test_a_single_class_is_no_error(name):
    logits = torch.randn(2, 1, 4, 4, requires_grad=True)
    loss = build_loss(TrainConfig(loss=name), (1.0,), 255)
    value = loss(logits, torch.zeros(2, 4, 4, dtype=torch.int64), 0.5)
    value.backward()
    assert value.isfinite()
    assert logits.grad.isfinite().all()
