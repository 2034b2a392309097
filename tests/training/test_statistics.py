"""What the training split tells before training."""

import numpy as np

from segnet_res import SegmentationDataset
from segnet_res.conditions import measure
from segnet_res.images import read_image
from segnet_res.training import statistics


def test_conditions_are_those_of_the_pictures(tiny_dataset, monkeypatch):
    dataset = SegmentationDataset(tiny_dataset, "train")
    found = statistics.measure(dataset).conditions
    each = [measure(read_image(dataset.image_path(i), 1)) for i in range(2)]
    assert found.pictures == 2
    widths = found.quantiles["width"]
    assert (widths[0], widths[-1]) == (32, 45)
    middle = np.mean([conditions.brightness for conditions in each])
    assert found.quantiles["brightness"][3] == np.round(middle, 4)
    monkeypatch.setattr(statistics, "_MOST_CONDITIONS", 1)
    assert statistics.learn_conditions(dataset).pictures == 1
