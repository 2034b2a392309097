"""How far several answers about the same pixels lie apart."""

import math

import numpy as np
from numpy.typing import NDArray


def distance(answers: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the Jensen-Shannon distance of several softmaxes as a share of its largest value.

    The square root (Endres and Schindelin, 2003) of the divergence (Lin, 1991), which is the
    entropy of the mean less the mean of the entropies.

    Args:
        answers: (answers, C, H, W) logits.

    Returns:
        (H, W), 0 (all the same) to 1 (as far apart as so many answers about so many classes can
        be); 0 for a single class; not a number where logits are none.
    """
    count, classes = answers.shape[:2]
    # The divergence is largest when each answer is sure, and as few as possible agree.
    most = -sum(share * math.log(share) for share in _evenly(count, classes))
    apart: NDArray[np.float32] = np.zeros(answers.shape[2:], np.float32)
    if not most:
        return apart
    mean = np.zeros(answers.shape[1:], np.float32)
    # One answer at a time, because all of a tile about many classes take gigabytes.
    for answer in answers:
        logs = answer - answer.max(axis=0)
        logs -= np.log(np.exp(logs).sum(axis=0))
        shares = np.exp(logs)
        mean += shares / count
        apart += np.multiply(logs, shares, out=logs).sum(axis=0) / count
    # A share of exactly 0 adds nothing to the entropy, but its logarithm would be infinite.
    apart -= (mean * np.log(np.maximum(mean, np.finfo(np.float32).tiny))).sum(axis=0)
    # Rounding alone may leave less than nothing. The root grows in step with the difference of
    # two answers, where the divergence grows with its square and would hardly show.
    return np.sqrt(np.clip(apart / np.float32(most), 0, 1, out=apart), out=apart)


def _evenly(count: int, classes: int) -> list[float]:
    """Return the shares of the classes when so many answers spread over them evenly.

    >>> _evenly(4, 3), _evenly(4, 6), _evenly(4, 1)
    ([0.5, 0.25, 0.25], [0.25, 0.25, 0.25, 0.25], [1.0])
    """
    votes = [len(range(i, count, classes)) for i in range(min(count, classes))]
    return [vote / count for vote in votes]
