"""Pictures of a training: loss and mIoU over the epochs, as PNG and for TensorBoard."""

from pathlib import Path
from typing import Any

from segnet_res.images import atomic_write


def draw_curves(history: list[dict[str, Any]], path: Path) -> None:
    """Draw loss, mIoU and the IoU of each class over the epochs as PNG.

    Of a final training, which has no scores, only the loss.

    Args:
        history: One dictionary an epoch, keys as in ``metrics.csv``; None draws no point.
        path: The PNG file.

    Raises:
        StorageError: when the file cannot be written.
    """
    # Imported here, and without pyplot: no window system, no global state.
    from matplotlib.figure import Figure

    epochs = [row["epoch"] for row in history]
    classes = [key for key in history[0] if key.startswith("iou_")]
    figure = Figure(figsize=(10 if classes else 5, 4), layout="constrained")
    left, *others = figure.subplots(1, 2 if classes else 1, squeeze=False)[0]
    left.plot(epochs, [row["loss"] for row in history], color="black", marker=".")
    left.set(title="Training loss", xlabel="epoch", ylim=(0, None))
    for right in others:
        for key in classes:
            right.plot(epochs, _values(history, key), linewidth=1, label=key.removeprefix("iou_"))
        right.plot(epochs, _values(history, "miou"), color="black", linewidth=2, label="mIoU")
        right.set(title="IoU on the validation split", xlabel="epoch", ylim=(0, 1))
        right.legend(fontsize="small", ncols=2, loc="lower right")
    for axes in (left, *others):
        axes.grid(alpha=0.3)
        axes.xaxis.get_major_locator().set_params(integer=True)
    with atomic_write(path) as file:
        figure.savefig(file, format="png", dpi=110)


def _values(history: list[dict[str, Any]], key: str) -> list[float]:
    return [float("nan") if row[key] is None else row[key] for row in history]
