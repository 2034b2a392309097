"""Predictions: any size, any picture, tiles as good as the whole, nothing left changed."""

import numpy as np
import pytest
import torch
from torch import nn

from segnet_res.classes import ClassMap
from segnet_res.errors import CheckpointError, DeviceError, ImageError, UsageError
from segnet_res.inference import Segmenter
from segnet_res.inference.runtime import NumpyRuntime
from segnet_res.inference.torch_runtime import TorchRuntime, evaluating
from segnet_res.models import build_model

CPU = torch.device("cpu")
CLASSES = ClassMap.from_names(["sound", "scratch", "dent"])


class Blur(nn.Module):
    """Logits from a 9x9 neighbourhood: a small receptive field, blind beyond it."""

    def __init__(self, channels=1, classes=3):
        super().__init__()
        torch.manual_seed(1)
        self.conv = nn.Conv2d(channels, classes, 9, padding=4, padding_mode="replicate")
        self.norm = nn.BatchNorm2d(classes)

    def forward(self, images):
        return self.norm(self.conv(images.float() / 255))


class Failing(nn.Module):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def forward(self, _images):
        raise self.error


def make(model=None, **options):
    options = {"channels": 1, "device": CPU} | options
    return Segmenter.of_model(model or Blur(), CLASSES, **options)


def picture(height, width, channels=None, seed=0):
    shape = (height, width) if channels is None else (height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (33, 7), (64, 64)])
def test_sizes_types_and_range(size):
    model = build_model("ressegnet-tiny", num_classes=3, channels=1).eval()
    prediction = make(model).predict(picture(*size))
    assert prediction.labels.shape == prediction.confidence.shape == size
    assert prediction.labels.dtype == np.uint8
    assert prediction.confidence.dtype == np.float32
    assert prediction.labels.max() < 3
    # The most probable of three classes has at least a third.
    assert prediction.confidence.min() >= 1 / 3 - 1e-6
    assert prediction.confidence.max() <= 1


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("given", [None, 1, 3, 4])
def test_grey_rgb_and_rgba(channels, given):
    image = picture(20, 30, given)
    image.flags.writeable = False
    prediction = make(Blur(channels), channels=channels).predict(image)
    assert prediction.labels.shape == (20, 30)


def test_grey_as_rgb_is_the_same_picture():
    grey = picture(20, 30)
    once = make().predict(grey)
    again = make().predict(np.repeat(grey[..., None], 3, axis=2))
    np.testing.assert_array_equal(once.labels, again.labels)


def test_labels_and_confidence_by_hand():
    class Fixed(nn.Module):
        def forward(self, images):
            logits = torch.tensor([0.0, np.log(2), np.log(5)]).view(1, 3, 1, 1)
            return logits.expand(1, 3, *images.shape[-2:])

    prediction = make(Fixed()).predict(picture(2, 2))
    assert (prediction.labels == 2).all()
    np.testing.assert_allclose(prediction.confidence, 5 / 8, rtol=1e-6)


@pytest.mark.parametrize("size", [(300, 400), (129, 1000), (513, 128), (257, 259)])
def test_tiles_equal_the_whole(size):
    image = picture(*size)
    model = Blur().eval()
    whole = make(model).predict(image)
    tiled = make(model, tile=128, overlap=32).predict(image)
    np.testing.assert_array_equal(tiled.labels, whole.labels)
    np.testing.assert_allclose(tiled.confidence, whole.confidence, atol=1e-6)


def test_no_tile_is_larger_than_asked():
    seen = []

    class Watching(Blur):
        def forward(self, images):
            seen.append(tuple(images.shape[-2:]))
            return super().forward(images)

    make(Watching(), tile=128, overlap=32).predict(picture(300, 500))
    assert len(seen) == 3 * 5
    assert max(max(size) for size in seen) <= 128


def test_parts_cover_each_pixel_once():
    image = picture(300, 259)
    segmenter = make(tile=128, overlap=32)
    whole = segmenter.predict(image)
    seen = np.zeros(image.shape, int)
    for part in segmenter.parts(image):
        seen[part.rows, part.columns] += 1
        np.testing.assert_array_equal(part.labels, whole.labels[part.rows, part.columns])
        np.testing.assert_array_equal(part.confidence, whole.confidence[part.rows, part.columns])
    assert (seen == 1).all()


@pytest.mark.parametrize("size", [(40, 50), (140, 50)])
def test_a_batch_gives_what_each_picture_gives(size):
    images = [picture(*size, 3, seed=seed) for seed in range(3)]
    segmenter = make(flips=True, tile=128, overlap=32)
    for image, found in zip(images, segmenter.predict_batch(images), strict=True):
        alone = segmenter.predict(image)
        np.testing.assert_array_equal(found.labels, alone.labels)
        np.testing.assert_allclose(found.confidence, alone.confidence, atol=1e-6)


def test_seams_are_smooth():
    """A model that gives every tile its own constant: blending must leave no step."""

    class Constant(nn.Module):
        def __init__(self):
            super().__init__()
            self.calls = 0

        def forward(self, images):
            self.calls += 1
            logits = torch.zeros(1, 3, *images.shape[-2:])
            logits[:, 1] = float(self.calls)
            return logits

    confidence = make(Constant(), tile=128, overlap=32).predict(picture(20, 224)).confidence[0]
    assert confidence[0] < confidence[-1]
    assert np.diff(confidence).max() < 0.03


def test_flips_make_the_answer_mirror_symmetric():
    image = picture(40, 50)
    segmenter = make(flips=True)
    straight = segmenter.predict(image)
    mirrored = segmenter.predict(image[::-1, ::-1])
    np.testing.assert_allclose(
        straight.confidence, mirrored.confidence[::-1, ::-1], rtol=1e-5, atol=1e-6
    )


class Column(nn.Module):
    """Sure of one class by the parity of the column: even ones get the first, odd ones the last."""

    def __init__(self, classes=3):
        super().__init__()
        self.classes = classes

    def forward(self, images):
        height, width = images.shape[-2:]
        logits = torch.full((1, self.classes, height, width), -1000.0)
        logits[:, 0, :, 0::2] = 0
        logits[:, -1, :, 1::2] = 0
        return logits


class Table(nn.Module):
    """Gives one answer after the other, the same for all pixels."""

    def __init__(self, *answers):
        super().__init__()
        self.answers = list(answers)

    def forward(self, images):
        logits = torch.tensor(self.answers.pop(0)).view(1, -1, 1, 1)
        return logits.expand(1, -1, *images.shape[-2:])


def test_a_symmetric_model_agrees_with_itself():
    # In an odd width a column and its mirror image have the same parity.
    apart = make(Column()).disagreement(picture(6, 7))
    assert (apart.shape, apart.dtype) == ((6, 7), np.float32)
    assert (apart == 0).all()


def test_disagreement_by_hand():
    # In an even width two answers say the first class and two the last: log 2 of at most
    # -(1/2 log 1/2 + 2 * 1/4 log 1/4) = 3/2 log 2, for four answers about three classes.
    apart = make(Column()).disagreement(picture(6, 8))
    np.testing.assert_allclose(apart, np.sqrt(2 / 3), rtol=1e-6)
    two = ClassMap.from_names(["sound", "scratch"])
    segmenter = Segmenter.of_model(Column(2), two, channels=1, device=CPU)
    np.testing.assert_allclose(segmenter.disagreement(picture(6, 8)), 1, rtol=1e-6)


def test_disagreement_of_probabilities_by_hand():
    first, second = [np.log(0.8), np.log(0.1), np.log(0.1)], [np.log(0.2), np.log(0.4), np.log(0.4)]
    model = Table(first, second, first, first)
    mean = np.array([0.65, 0.175, 0.175])

    def entropy(p):
        return -(np.array(p) * np.log(p)).sum()

    expected = entropy(mean) - (3 * entropy([0.8, 0.1, 0.1]) + entropy([0.2, 0.4, 0.4])) / 4
    apart = make(model).disagreement(picture(2, 3))
    np.testing.assert_allclose(apart, np.sqrt(expected / (1.5 * np.log(2))), rtol=1e-5)


def test_nothing_to_disagree_about_with_one_class():
    one = ClassMap.from_names(["road"])
    segmenter = Segmenter.of_model(Blur(classes=1), one, channels=1, device=CPU)
    assert (segmenter.disagreement(picture(9, 9)) == 0).all()


@pytest.mark.parametrize("size", [(300, 400), (257, 259)])
def test_disagreement_in_tiles_equals_that_of_the_whole(size):
    image, model = picture(*size), Blur().eval()
    whole = make(model).disagreement(image)
    tiled = make(model, tile=128, overlap=32).disagreement(image)
    assert whole.max() > 0.1
    # The root makes much of the last digits near 0.
    np.testing.assert_allclose(tiled, whole, atol=1e-3)


def test_disagreement_is_the_same_with_flips_and_leaves_the_model_as_it_was():
    image, model = picture(20, 30), Blur().train()
    plain = make(model).disagreement(image)
    np.testing.assert_array_equal(make(model, flips=True).disagreement(image), plain)
    assert model.training
    assert 0 <= plain.min() <= plain.max() <= 1


def test_disagreement_of_weights_that_are_not_numbers():
    model = Blur()
    with torch.no_grad():
        model.conv.bias.fill_(float("nan"))
    with pytest.raises(CheckpointError, match="values that are not numbers"):
        make(model).disagreement(picture(8, 8))
    with pytest.raises(CheckpointError, match="the model knows 2 classes"):
        make(Blur(classes=2)).disagreement(picture(8, 8))


def test_the_mode_is_restored():
    model = Blur().train()
    model.norm.eval()
    before = model.norm.running_mean.clone()
    make(model).predict(picture(8, 8))
    assert model.training
    assert model.conv.training
    assert not model.norm.training
    assert torch.equal(model.norm.running_mean, before)


def test_the_mode_is_restored_after_an_error():
    model = Failing(RuntimeError("broken kernel")).train()
    with pytest.raises(RuntimeError, match="broken kernel"):
        make(model).predict(picture(8, 8))
    assert model.training


def test_evaluating_switches_inside():
    model = Blur().train()
    with evaluating(model):
        assert not model.norm.training
    assert model.norm.training


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_out_of_memory(error):
    message = r"cpu: memory ran out on 30x20 pixels; use smaller tiles or the device cpu"
    with pytest.raises(DeviceError, match=message):
        make(Failing(error)).predict(picture(20, 30))


def test_weights_that_are_not_numbers():
    model = Blur()
    with torch.no_grad():
        model.conv.bias.fill_(float("nan"))
    with pytest.raises(CheckpointError, match="values that are not numbers"):
        make(model).predict(picture(8, 8))


def test_numpy_decides_as_torch_does():
    logits = np.random.default_rng(0).normal(0, 3, (5, 20, 30)).astype(np.float32)
    # Of equals the first; and a class that is out of the question.
    logits[3, :10], logits[4, :5] = logits[1, :10], -np.inf
    by_numpy = NumpyRuntime().decide(logits)
    by_torch = TorchRuntime(nn.Identity(), CPU).decide(torch.from_numpy(logits))
    assert by_numpy[0].dtype == by_torch[0].dtype == np.uint8
    assert by_numpy[1].dtype == by_torch[1].dtype == np.float32
    np.testing.assert_array_equal(by_numpy[0], by_torch[0])
    np.testing.assert_allclose(by_numpy[1], by_torch[1], rtol=1e-5)


def test_numpy_passes_on_what_is_not_a_number():
    logits = np.zeros((3, 2, 2), np.float32)
    logits[1, 0, 0] = np.nan
    assert np.isnan(NumpyRuntime().decide(logits)[1]).sum() == 1


def test_other_number_of_classes():
    with pytest.raises(CheckpointError, match="the model knows 2 classes, the list of classes has"):
        make(Blur(classes=2)).predict(picture(8, 8))


@pytest.mark.parametrize(
    "image",
    [np.zeros((4, 4, 2), np.uint8), np.zeros((4, 4), np.float32), np.zeros((0, 4), np.uint8)],
)
def test_arrays_that_are_no_pictures(image):
    with pytest.raises(ImageError, match="a picture is an array"):
        make().predict(image)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tile": 100}, "tile is 100; give a multiple of 32, at least 128"),
        ({"tile": 64}, "tile is 64; give a multiple of 32"),
        ({"overlap": 100}, "overlap is 100; give a multiple of 32"),
        ({"tile": 256, "overlap": 96}, r"a quarter of the tile \(64\)"),
        ({"precision": "int8"}, "precision 'int8' is unknown; choose float32"),
    ],
)
def test_options_that_make_no_sense(options, message):
    with pytest.raises(UsageError, match=message):
        make(**options)


def test_from_checkpoint(tiny_checkpoint):
    segmenter = Segmenter.from_checkpoint(tiny_checkpoint, device="cpu", tile=256, overlap=64)
    assert segmenter.class_map.names == ("sound", "scratch")
    assert segmenter.channels == 1
    assert segmenter.predict(picture(33, 47, 3)).labels.shape == (33, 47)


def test_from_checkpoint_with_another_backend(tiny_checkpoint):
    with pytest.raises(UsageError, match="backend 'caffe' is unknown; choose auto, torch, onnx"):
        Segmenter.from_checkpoint(tiny_checkpoint, backend="caffe")


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_cuda_agrees_with_the_cpu(tiny_checkpoint, precision):
    image = picture(300, 260)
    options = {"tile": 256, "overlap": 64}
    cpu = Segmenter.from_checkpoint(tiny_checkpoint, "cpu", **options).predict(image)
    cuda = Segmenter.from_checkpoint(tiny_checkpoint, "cuda", precision=precision, **options)
    assert (cuda.predict(image).labels == cpu.labels).mean() > 0.98
