"""The balance factor against rare classes, and the losses that training offers."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from segnet_res.errors import UsageError
from segnet_res.recipe import LOSSES, TrainConfig

# Maps logits, labels and the progress of the training (0 to 1) to a number.
Loss = Callable[[Tensor, Tensor, float], Tensor]


def balance_factors(shares: Sequence[float]) -> Tensor:
    """Return the weight of each class: 1 - share, scaled to mean 1.

    For two classes, before scaling, these are the paper's beta = negatives / all for the positive
    class and 1 - beta for the negative one.

    Args:
        shares: Share of the labelled pixels of each class, 0 to 1, in sum 1.

    Returns:
        (C,) float32, mean 1.

    >>> balance_factors([0.75, 0.25]).tolist()
    [0.5, 1.5]
    """
    factors = 1.0 - torch.tensor(shares, dtype=torch.float64)
    if not factors.sum() > 0:  # there is a single class
        return torch.ones(len(shares))
    return (factors / factors.mean()).float()


def relaxed_factors(shares: Sequence[float], strength: float) -> Tensor:
    """Return share ** -strength for each class, scaled so that the mean over pixels is 1.

    1 - share hardly tells a class of 0.01 % from one of 1 %. A power does, and a strength that
    falls to 0 over the training ends in plain cross-entropy, whose probabilities are those of the
    crops. Where crops are drawn around rare classes, these are more likely there than in pictures.

    Args:
        shares: Share of the labelled pixels of each class, 0 to 1; classes without a pixel get the
            weight of the rarest that has some.
        strength: 0 (all weights 1) to 1 (each class counts the same in sum).

    Returns:
        (C,) float32, for which sum(share * weight) = 1.

    >>> relaxed_factors([0.8, 0.2], 1.0).tolist()
    [0.625, 2.5]
    >>> relaxed_factors([0.8, 0.2], 0.0).tolist()
    [1.0, 1.0]
    """
    share = torch.tensor(shares, dtype=torch.float64)
    present = share[share > 0]
    if len(present) == 0:
        return torch.ones(len(shares))
    weights = share.clamp(min=present.min().item()) ** -strength
    return (weights / (share * weights).sum()).float()


def log_shares(shares: Sequence[float]) -> Tensor:
    """Return the logarithm of the share of each class, which logit adjustment adds to logits.

    Training with logits that are raised for frequent classes makes a network that has learnt to
    answer without the raise, and so finds rare classes more readily (Menon et al., "Long-tail
    learning via logit adjustment", ICLR 2021). A strength of 1 aims at the mean accuracy of the
    classes, which on pixels means many false alarms; less is better for IoU.

    Args:
        shares: Share of the labelled pixels of each class, 0 to 1; classes without a pixel count as
            the rarest that has some.

    Returns:
        (C,) float32, at most 0.

    >>> log_shares([1.0, 0.0]).tolist()
    [0.0, 0.0]
    """
    share = torch.tensor(shares, dtype=torch.float64)
    present = share[share > 0]
    if len(present) == 0:
        return torch.zeros(len(shares))
    return share.clamp(min=present.min().item()).log().float()


def balanced_cross_entropy(
    logits: Tensor,
    labels: Tensor,
    *,
    beta: float | Tensor | None = None,
    ignore_index: int = 255,
) -> Tensor:
    """Cross-entropy in which each class has the weight of its balance factor.

    With two classes and beta the share of negatives, the sum over pixels is
    ``-beta * sum over positives of log p - (1 - beta) * sum over negatives of log(1 - p)``,
    times 2 because the weights have mean 1. Here it is divided by the number of labelled pixels.

    Args:
        logits: (N, C, H, W) float.
        labels: (N, H, W) int64, 0 to C - 1 or ``ignore_index``.
        beta: The balance: (C,) weights, of any scale, as `balance_factors` gives them from the
            shares of the training split; for two classes also the number beta in [0, 1] of the
            positive class 1; None: from the shares of this batch.
        ignore_index: Label of pixels that count nowhere, neither in the sum nor in the shares.

    Returns:
        A number; 0 when no pixel is labelled.

    Raises:
        UsageError: when ``beta`` is a number outside [0, 1], a number for more than two classes, or
            has not C weights.
    """
    weights = _balance(beta, logits, labels, ignore_index)
    summed = F.cross_entropy(
        logits, labels, weight=weights, ignore_index=ignore_index, reduction="sum"
    )
    return summed / (labels != ignore_index).sum().clamp(min=1)


def _balance(
    beta: float | Tensor | None, logits: Tensor, labels: Tensor, ignore_index: int
) -> Tensor:
    classes = logits.shape[1]
    if beta is None:
        counts = torch.bincount(labels[labels != ignore_index], minlength=classes)
        shares = counts / counts.sum().clamp(min=1)
        beta = balance_factors(shares.tolist())
    elif isinstance(beta, float | int):
        if classes != 2 or not 0 <= beta <= 1:
            raise UsageError(
                f"beta is {beta} for {classes} classes; give a number from 0 to 1 for two classes, "
                "or one weight for each class"
            )
        beta = torch.tensor([1.0 - beta, float(beta)])
    if beta.shape != (classes,):
        raise UsageError(
            f"beta has shape {tuple(beta.shape)} for {classes} classes; give one weight for each"
        )
    # Mean 1 over the classes, whatever beta's scale. Over the pixels it is less where one class has
    # most of them; AdamW's steps do not depend on the size of the loss.
    return (beta / beta.mean()).to(logits)


def build_loss(config: TrainConfig, shares: Sequence[float], ignore_index: int) -> Loss:
    """Return the loss that a training asks for.

    Args:
        config: ``loss``, ``beta`` and ``relax`` count.
        shares: Share of the labelled training pixels of each class, in sum 1.
        ignore_index: Label of pixels that count nowhere.

    Raises:
        UsageError: when the loss is unknown, ``beta`` is a number for other than two classes, or
            one class has every pixel and so the weight 0.
    """
    if config.loss == "cross-entropy":
        return lambda logits, labels, _: _cross_entropy(logits, labels, None, ignore_index)
    if config.loss == "relaxed":

        def relaxed(logits: Tensor, labels: Tensor, progress: float) -> Tensor:
            weights = relaxed_factors(shares, config.relax * (1 - progress)).to(logits)
            return _cross_entropy(logits, labels, weights, ignore_index)

        return relaxed
    if config.loss == "adjusted":
        offsets = config.adjust * log_shares(shares)
        return lambda logits, labels, _: _cross_entropy(
            logits + offsets.to(logits).view(1, -1, 1, 1), labels, None, ignore_index
        )
    if config.loss == "balanced":
        beta = {"shares": balance_factors(shares), "batch": None}
        chosen = beta[config.beta] if config.beta in beta else float(config.beta)
        if isinstance(chosen, float) and len(shares) != 2:
            raise UsageError(
                f"--beta {config.beta} is for two classes and the dataset has {len(shares)}; "
                "give shares or batch"
            )
        if config.beta == "shares" and len(shares) > 1 and max(shares) == 1:
            raise UsageError(
                "every labelled pixel of the training split is of one class, whose balance factor "
                "is 0, so there would be nothing to learn; add pictures of the other classes, or "
                "choose another --loss"
            )
        return lambda logits, labels, _: balanced_cross_entropy(
            logits, labels, beta=chosen, ignore_index=ignore_index
        )
    return _from_smp(config.loss, ignore_index)


def _cross_entropy(
    logits: Tensor, labels: Tensor, weights: Tensor | None, ignore_index: int
) -> Tensor:
    """Mean over the labelled pixels, each counted by its weight; 0 when there are none."""
    summed = F.cross_entropy(
        logits, labels, weight=weights, ignore_index=ignore_index, reduction="sum"
    )
    labelled = labels[labels != ignore_index]
    total = labelled.numel() if weights is None else weights[labelled].sum()
    return summed / max(total, 1) if isinstance(total, int) else summed / total.clamp(min=1e-6)


def _from_smp(name: str, ignore_index: int) -> Loss:
    """Return a loss of segmentation-models-pytorch."""
    # Imported here: smp takes a second that the other losses need not wait for.
    from segmentation_models_pytorch import losses

    classes = {"dice": losses.DiceLoss, "focal": losses.FocalLoss, "lovasz": losses.LovaszLoss}
    if name not in classes:
        raise UsageError(f"loss {name!r} is unknown; choose one of {', '.join(LOSSES)}")
    loss = classes[name]("multiclass", ignore_index=ignore_index)

    def labelled_only(logits: Tensor, labels: Tensor, _: float) -> Tensor:
        # Focal is not a number there, and Lovasz raises, as it does for a single class.
        if logits.shape[1] == 1 or (labels == ignore_index).all():
            return logits.sum() * 0
        found: Tensor = loss(logits, labels)
        return found

    return labelled_only
