"""The scores of a split, and splits that a model cannot be measured on."""

import numpy as np
import pytest
import torch
import yaml
from torch import nn

from segnet_res.classes import ClassMap
from segnet_res.data import SegmentationDataset
from segnet_res.errors import DataError
from segnet_res.evaluation import evaluate, evaluate_each, evaluate_pictures
from segnet_res.images import read_mask, write_mask
from segnet_res.inference import Segmenter

CPU = torch.device("cpu")


class Threshold(nn.Module):
    """Calls a pixel class 1 where its first channel is above 100."""

    def forward(self, images):
        bright = images[:, :1].float() - 100
        return torch.cat([-bright, bright], dim=1)


def segmenter(names=("sound", "scratch"), channels=1):
    classes = ClassMap.from_names(names)
    return Segmenter.of_model(Threshold(), classes, channels=channels, device=CPU)


def test_a_perfect_model_scores_one(tiny_dataset):
    scores = evaluate(segmenter(), SegmentationDataset(tiny_dataset, "val"))
    assert scores.miou == 1
    assert scores.images == 2
    # 64x48 and 33x32 without the ignored last rows.
    assert sum(score.pixels for score in scores.classes) == 63 * 48 + 32 * 32


def test_one_matrix_over_the_split(tiny_dataset):
    # Truth of both pictures: 16x12 and 8x8 scratched pixels; the model is blind on the second.
    path = tiny_dataset / "images" / "d.png"
    from PIL import Image

    Image.fromarray(np.zeros((33, 32), np.uint8)).save(path)
    scores = evaluate(segmenter(), SegmentationDataset(tiny_dataset, "val"))
    assert scores.classes[1].iou == pytest.approx(16 * 12 / (16 * 12 + 8 * 8))


def test_each_yields_the_matrix_so_far(tiny_dataset):
    steps = evaluate_each(segmenter(), SegmentationDataset(tiny_dataset, "val"))
    assert [matrix.images for matrix in steps] == [1, 2]


def test_each_picture_has_its_counts(tiny_dataset):
    scores = list(evaluate_pictures(segmenter(), SegmentationDataset(tiny_dataset, "val")))
    assert [score.stem for score in scores] == ["nested/c", "d"]
    # 16x12 and 8x8 scratched pixels, the last row of each picture without labels.
    assert scores[0].counts.tolist() == [[63 * 48 - 16 * 12, 0], [0, 16 * 12]]
    assert scores[1].counts.tolist() == [[32 * 32 - 8 * 8, 0], [0, 8 * 8]]
    assert scores[0].borders is None


def test_borders_are_counted_where_they_are_asked_for(tiny_dataset):
    dataset = SegmentationDataset(tiny_dataset, "val")
    _, score = evaluate_pictures(segmenter(), dataset, borders=True)
    # 33x32: the distance is 1, and 28 of the 8x8 scratched pixels are at their border.
    assert score.borders[1].tolist() == [28, 28]


def test_the_datasets_own_label_for_nothing_counts(tiny_dataset):
    path = tiny_dataset / "dataset.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"ignore_index": 7}))
    for mask in tiny_dataset.glob("masks/**/*.png"):
        labels = read_mask(mask, ClassMap.from_names(["sound", "scratch"]))
        write_mask(mask, np.where(labels == 255, 7, labels).astype(np.uint8))
    scores = list(evaluate_pictures(segmenter(), SegmentationDataset(tiny_dataset, "val")))
    assert scores[1].counts.sum() == 32 * 32


def test_an_empty_split(tiny_dataset):
    with pytest.raises(DataError, match=r"tiny: the split 'test' is empty; choose another split"):
        evaluate(segmenter(), SegmentationDataset(tiny_dataset, "test"))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("scratch", "sound"), r"lists its classes as sound, scratch, the checkpoint as scratch, "),
        (("sound",), r"the checkpoint lacks scratch; choose a checkpoint"),
        (("sound", "scratch", "dent"), r"classes differ: the dataset lacks dent; choose"),
        (("sound", "dent"), r"the checkpoint lacks scratch and the dataset lacks dent; "),
    ],
)
def test_other_classes(tiny_dataset, names, message):
    with pytest.raises(DataError, match=message):
        evaluate(segmenter(names), SegmentationDataset(tiny_dataset, "val"))


def test_grey_dataset_for_an_rgb_model(tiny_dataset):
    with pytest.raises(DataError, match=r"read as grey, the checkpoint takes RGB; write `channels"):
        evaluate(segmenter(channels=3), SegmentationDataset(tiny_dataset, "val"))


def test_rgb_dataset_for_a_grey_model(tiny_dataset):
    path = tiny_dataset / "dataset.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"channels": 3}))
    assert evaluate(segmenter(), SegmentationDataset(tiny_dataset, "val")).miou == 1


def test_a_damaged_file_is_named(tiny_dataset):
    (tiny_dataset / "images" / "d.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"d\.png: the file is empty"):
        evaluate(segmenter(), SegmentationDataset(tiny_dataset, "val"))
