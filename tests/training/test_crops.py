import numpy as np
import pytest
import torch
from PIL import Image

from segnet_res import SegmentationDataset, TrainConfig
from segnet_res.augment import build_augmentation
from segnet_res.errors import DataError, UsageError
from segnet_res.recipe import PASTE
from segnet_res.training.crops import Crops, EpochSampler, Recent
from segnet_res.training.descent import Pool
from segnet_res.training.statistics import measure

CONFIG = TrainConfig(crop=32, batch=2)


def test_a_crop_follows_from_its_number(tiny_dataset):
    dataset = SegmentationDataset(tiny_dataset, "train")
    pixels = measure(dataset).pixels
    one, other = Crops(dataset, pixels, CONFIG), Crops(dataset, pixels, CONFIG)
    other[3]  # what came before does not matter
    for first, second in zip(one[7], other[7], strict=True):
        assert torch.equal(first, second) if isinstance(first, torch.Tensor) else first == second
    image, labels, stem = one[7]
    assert image.shape == (1, 32, 32)
    assert image.dtype == torch.uint8
    assert labels.dtype == torch.int64
    assert stem in dataset.stems


@pytest.mark.parametrize("crop", [32, 64])
def test_crops_of_kept_pictures_are_those_of_pictures_read_anew(tiny_dataset, crop):
    # As wide as a crop: its rows lie in a row in memory, and a view of them would do.
    for folder in ("images", "masks"):
        pixels = np.random.default_rng(1).integers(0, 2, (90, crop), np.uint8)
        Image.fromarray(pixels).save(tiny_dataset / folder / "a.png")
    dataset = SegmentationDataset(tiny_dataset, "train")
    pixels, config = measure(dataset).pixels, TrainConfig(crop=crop, scale=1.0)
    kept, anew = Crops(dataset, pixels, config), Crops(dataset, pixels, config)
    anew.samples.limit = 0
    for number in range(30):
        for first, second in zip(kept[number][:2], anew[number][:2], strict=True):
            assert torch.equal(first, second)


def test_as_many_pictures_are_kept_as_fit(tiny_dataset):
    dataset = SegmentationDataset(tiny_dataset, "train")
    read = []

    class Counting:
        def __getitem__(self, index):
            read.append(index)
            return dataset[index]

    both = sum(dataset[i].image.nbytes + dataset[i].labels.nbytes for i in range(2))
    for limit, reads in ((both, [0, 1]), (both - 1, [0, 1, 0]), (0, [0, 1, 0, 0])):
        recent = Recent(Counting(), limit)
        read.clear()
        assert [recent[index].stem for index in (0, 1, 0, 0)] == ["a", "b", "a", "a"]
        assert read == reads


def test_rare_classes_are_favoured(tiny_dataset):
    rng = np.random.default_rng(0)
    for stem, share in (("a", 0.0), ("b", 1.0)):
        shape = np.array(Image.open(tiny_dataset / "masks" / f"{stem}.png")).shape
        mask = (rng.random(shape) < 0.01 * share).astype(np.uint8)
        Image.fromarray(mask).save(tiny_dataset / "masks" / f"{stem}.png")
    dataset = SegmentationDataset(tiny_dataset, "train")
    config = TrainConfig(crop=32, rare=1.0, augment="none")
    crops = Crops(dataset, measure(dataset).pixels, config)
    stems = [crops[i][2] for i in range(60)]
    # Half of the crops look for the scratch, which only b has; the others go to a and b alike.
    assert 0.6 < stems.count("b") / 60 < 0.9


@pytest.mark.parametrize("rare", [0.0, 1.0])
def test_pools_are_drawn_by_their_shares(tiny_dataset, rare):
    dataset = SegmentationDataset(tiny_dataset, "train")
    pixels = measure(dataset).pixels
    config = TrainConfig(crop=32, rare=rare, augment="none")
    shares = (Pool(0.2, np.array([0])), Pool(0.8, np.array([1])))
    crops = Crops(dataset, pixels, config, pools=shares)
    stems = [crops[i][2] for i in range(100)]
    assert 0.7 < stems.count("b") / 100 < 0.9
    # One pool of all is none.
    every = Crops(dataset, pixels, config, pools=(Pool(1.0, np.array([0, 1])),))
    plain = Crops(dataset, pixels, config)
    assert [every[i][2] for i in range(20)] == [plain[i][2] for i in range(20)]


def test_defects_of_other_pictures_are_pasted(tiny_dataset):
    Image.fromarray(np.zeros((32, 40), np.uint8)).save(tiny_dataset / "masks" / "a.png")
    Image.fromarray(np.zeros((32, 40), np.uint8)).save(tiny_dataset / "images" / "a.png")
    dataset = SegmentationDataset(tiny_dataset, "train")
    pixels = measure(dataset).pixels
    # tests/conftest.py: b has scratches.
    share = {}
    for paste in (0.0, 1.0):
        config = TrainConfig(crop=32, rare=0.0, scale=1.0, paste=paste, augment="none")
        crops = Crops(dataset, pixels, config)
        cut = [crops[i] for i in range(30)]
        share[paste] = np.mean(
            [bool((labels == 1).any()) for _, labels, stem in cut if stem == "a"]
        )
    assert share[0.0] == 0
    assert share[1.0] == 1


def changed_by_default(dataset, augment):
    """Return the share of the crops in which a training without --paste has pasted something."""
    pixels = measure(dataset).pixels
    both = [
        Crops(dataset, pixels, TrainConfig(crop=32, augment=augment, paste=paste))
        for paste in (None, 0.0)
    ]
    cut = [[crops[i][1] for crops in both] for i in range(200)]
    return np.mean([not torch.equal(*labels) for labels in cut])


def test_without_a_word_defects_are_pasted_on_parts_alone(tiny_dataset, monkeypatch):
    # What else is drawn differs once something was drawn for pasting, so nothing else is drawn.
    nothing = build_augmentation("none")
    monkeypatch.setattr("segnet_res.training.crops.build_augmentation", lambda _: nothing)
    dataset = SegmentationDataset(tiny_dataset, "train")
    assert PASTE / 2 < changed_by_default(dataset, "aligned") <= 1.5 * PASTE
    assert changed_by_default(dataset, "scene") == changed_by_default(dataset, "none") == 0
    without_background(tiny_dataset)
    assert changed_by_default(SegmentationDataset(tiny_dataset, "train"), "inspection") == 0


def without_background(root):
    text = (root / "dataset.yaml").read_text()
    (root / "dataset.yaml").write_text(text.replace("sound", "road"))


def test_pasting_needs_a_background(tiny_dataset):
    without_background(tiny_dataset)
    dataset = SegmentationDataset(tiny_dataset, "train")
    with pytest.raises(UsageError, match=r"--paste is 0\.5, .* has no class background"):
        Crops(dataset, np.ones((2, 2), np.int64), TrainConfig(crop=32, paste=0.5))


def test_the_first_crops_show_the_same_at_half_the_size(tiny_dataset):
    dataset = SegmentationDataset(tiny_dataset, "train")
    pixels = measure(dataset).pixels
    config = TrainConfig(crop=64, scale=1.2, augment="none")
    fine, coarse = Crops(dataset, pixels, config), Crops(dataset, pixels, config, coarse=3)
    for number in range(3):
        image, labels, stem = coarse[number]
        large, large_labels, large_stem = fine[number]
        assert image.shape == (1, 32, 32)
        assert labels.shape == (32, 32)
        assert stem == large_stem
        halves = torch.nn.functional.avg_pool2d(large.float(), 2)
        assert (image.float() - halves).abs().mean() < (halves - halves.mean()).abs().mean() / 2
        assert (labels == large_labels[::2, ::2]).float().mean() > 0.9
    for one, other in zip(coarse[3], fine[3], strict=True):
        assert torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def test_processes_share_the_crops_without_overlap():
    samplers = [EpochSampler(3, 2, rank, 2) for rank in range(2)]
    for sampler in samplers:
        sampler.epoch = 1
    numbers = [list(sampler) for sampler in samplers]
    assert numbers[0] == [12, 13, 16, 17, 20, 21]
    assert sorted(numbers[0] + numbers[1]) == list(range(12, 24))


def test_statistics_by_hand(tiny_dataset):
    for stem, grey in (("a", 10), ("b", 30)):
        shape = (32, 32)
        Image.fromarray(np.full(shape, grey, np.uint8)).save(
            tiny_dataset / "images" / f"{stem}.png"
        )
        Image.fromarray(np.full(shape, stem == "a", np.uint8)).save(
            tiny_dataset / "masks" / f"{stem}.png"
        )
    statistics = measure(SegmentationDataset(tiny_dataset, "train"))
    assert statistics.mean == pytest.approx((20,))
    assert statistics.std == pytest.approx((10,))
    assert statistics.pixels.tolist() == [[0, 1024], [1024, 0]]
    assert statistics.shares == (0.5, 0.5)


def test_nothing_labelled(tiny_dataset):
    for stem in ("a", "b"):
        path = tiny_dataset / "masks" / f"{stem}.png"
        mask = np.array(Image.open(path))
        Image.fromarray(np.full_like(mask, 255)).save(path)
    with pytest.raises(DataError, match="no pixel of the split 'train' is labelled"):
        measure(SegmentationDataset(tiny_dataset, "train"))


def test_changes_are_drawn_apart(tiny_dataset):
    # Each corner of a part has a class of its own, so that its mask tells how a crop was turned.
    corners = np.kron(np.array([[0, 1], [1, 1]], np.uint8), np.ones((16, 16), np.uint8))
    for stem in ("a", "b"):
        for folder in ("images", "masks"):
            Image.fromarray(corners).save(tiny_dataset / folder / f"{stem}.png")
    dataset = SegmentationDataset(tiny_dataset, "train")
    config = TrainConfig(crop=32, scale=1.0, paste=0, augment="aligned")
    crops = Crops(dataset, measure(dataset).pixels, config)
    places = []
    for number in range(200):
        labels = crops[number][1].numpy()
        rows, columns = np.nonzero(labels == 0)
        places.append((bool(rows.mean() > 15.5), bool(columns.mean() > 15.5)))
    # Both mirror images alone, both together, and neither: one in four each.
    assert all(30 < places.count((down, right)) < 70 for down in (0, 1) for right in (0, 1))
