"""Make the golden files: a tiny checkpoint, a picture, and the mask that it must give.

    python tests/golden/make_golden.py

Run it only when the network or the prediction is meant to answer differently, and say in the
commit why. The picture is drawn here; nothing of it is a photograph.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from segnet_res.checkpoint import Checkpoint, Metadata
from segnet_res.classes import ClassMap
from segnet_res.images import write_image, write_mask
from segnet_res.inference import Segmenter
from segnet_res.models import build_model

FOLDER = Path(__file__).parent
CLASSES = ClassMap.from_names(["background", "scratch", "pit"])
ARCHITECTURE = "ressegnet-tiny"
MEAN, STD = (110.0,), (40.0,)


def draw(rng: np.random.Generator, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a grey plate (H, W) uint8 with a bright scratch and a dark pit, and its labels."""
    rows, columns = np.mgrid[:height, :width]
    labels = np.zeros((height, width), np.uint8)
    slope, start = rng.uniform(-0.5, 0.5), rng.uniform(0.3, 0.7) * height
    labels[np.abs(rows - start - slope * columns) < 2.5] = 1
    y, x = rng.uniform(0.2, 0.8) * height, rng.uniform(0.2, 0.8) * width
    labels[(rows - y) ** 2 + (columns - x) ** 2 < rng.uniform(6, 10) ** 2] = 2
    plate = 110 + 15 * np.sin(columns / 17) + rng.normal(0, 5, (height, width))
    picture = plate + np.array([0, 80, -70])[labels]
    return np.clip(picture, 0, 255).astype(np.uint8), labels


def main() -> None:
    """Overfit a tiny model, which gives wide margins, and write the three files."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    model = build_model(ARCHITECTURE, num_classes=3, channels=1, mean=MEAN, std=STD)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(120):
        pictures, masks = zip(*(draw(rng, 96, 96) for _ in range(4)), strict=True)
        logits = model(torch.from_numpy(np.stack(pictures))[:, None])
        loss = F.cross_entropy(logits, torch.from_numpy(np.stack(masks)).long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    metadata = Metadata(
        architecture=ARCHITECTURE,
        class_map=CLASSES,
        channels=1,
        mean=MEAN,
        std=STD,
        data={"name": "drawn by make_golden.py"},
        created="2026-01-01T00:00:00+00:00",
    )
    Checkpoint(metadata, model.state_dict()).save(FOLDER / "golden.safetensors")
    picture, truth = draw(np.random.default_rng(99), 150, 211)
    write_image(FOLDER / "picture.png", picture[..., None])
    prediction = Segmenter.from_checkpoint(FOLDER / "golden.safetensors", "cpu").predict(picture)
    write_mask(FOLDER / "mask.png", prediction.labels)
    right = (prediction.labels == truth).mean()
    print(f"loss {loss.item():.4f}, {right:.2%} of the golden pixels are right")  # noqa: T201


if __name__ == "__main__":
    main()
