import pytest
import torch

from segnet_res import Checkpoint, SegmentationDataset
from segnet_res.data import class_pixels
from segnet_res.recipe import TrainConfig
from segnet_res.retraining import probe
from segnet_res.retraining.heads import adapt, find_head
from segnet_res.retraining.lineup import line_up
from segnet_res.retraining.probe import teach_new_rows

CONFIG = TrainConfig(batch=2, crop=32, workers=0, device="cpu", augment="none")


def taught(start, line, dataset):
    pixels = class_pixels(dataset)
    steps = teach_new_rows(start, line, dataset, pixels=pixels, pools=(), config=CONFIG)
    told = []
    while True:
        try:
            told.append(next(steps))
        except StopIteration as stop:
            return stop.value, told


def sureness(checkpoint, dataset):
    """Return the mean probability of a dent where there is one."""
    sample = dataset[0]
    picture = torch.from_numpy(sample.image.transpose(2, 0, 1).copy())[None]
    with torch.no_grad():
        probabilities = checkpoint.build_model()(picture).softmax(dim=1)[0, 1].numpy()
    return probabilities[sample.labels == 1].mean()


@pytest.fixture
def dataset(new_dataset):
    info = new_dataset / "dataset.yaml"
    info.write_text(info.read_text().replace("channels: 3", "channels: 1"))
    return SegmentationDataset(new_dataset, "train")


def test_new_rows_learn_and_nothing_else_changes(tiny_checkpoint, dataset, monkeypatch):
    monkeypatch.setattr(probe, "_STEPS", 40)
    parent = Checkpoint.load(tiny_checkpoint)
    line = line_up(parent.metadata.class_map, [dataset.class_map])
    start = adapt(parent, line, (0.8, 0.1, 0.1))
    after, told = taught(start, line, dataset)
    assert told[-1] == "teaching dent: step 40 of 40"
    changed = [
        name for name in start.tensors if not torch.equal(start.tensors[name], after.tensors[name])
    ]
    # The rows of the finest scale and of those that add to it.
    assert sorted(changed) == sorted(find_head(start.metadata))
    assert len(changed) == 6
    for name in changed:
        # sound and scratch are rows 0 and 2 now.
        assert torch.equal(start.tensors[name][[0, 2]], after.tensors[name][[0, 2]])
    assert sureness(after, dataset) > 2 * sureness(start, dataset)
    again, _ = taught(start, line, dataset)
    assert torch.equal(again.tensors["classifier.weight"], after.tensors["classifier.weight"])


def test_without_a_new_class_there_is_nothing_to_teach(tiny_checkpoint, dataset):
    parent = Checkpoint.load(tiny_checkpoint)
    line = line_up(parent.metadata.class_map, [parent.metadata.class_map])
    start, told = taught(parent, line, dataset)
    assert start is parent
    assert told == []
