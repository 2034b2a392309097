import albumentations as A
import cv2
import numpy as np
import pytest

from segnet_res.augment import build_augmentation, paste, random_crop
from segnet_res.errors import UsageError
from segnet_res.recipe import AUGMENTATIONS

IGNORE = 255


def crop(image, labels, **options):
    settings = {"size": 32, "scale": 1.0, "focus": None, "ignore_index": IGNORE}
    rng = np.random.default_rng(options.pop("seed", 0))
    return random_crop(image, labels, **(settings | options), rng=rng)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (20, 90), (64, 64)])
@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_crops_have_their_size(channels, size, scale):
    image = np.full((*size, channels), 7, np.uint8)
    labels = np.ones(size, np.uint8)
    picture, mask = crop(image, labels, scale=scale)
    assert picture.shape == (32, 32, channels)
    assert mask.shape == (32, 32)
    assert picture.dtype == mask.dtype == np.uint8
    assert np.unique(picture).tolist() == [7]  # mirrored, not black
    assert set(np.unique(mask)) <= {1, IGNORE}


def test_padding_is_ignored():
    _, mask = crop(np.zeros((16, 64, 1), np.uint8), np.zeros((16, 64), np.uint8))
    assert (mask == IGNORE).sum() == 16 * 32


def test_a_rare_pixel_is_in_the_crop():
    labels = np.zeros((200, 200), np.uint8)
    labels[190, 3] = 4
    image = np.repeat(labels[..., None], 3, axis=2)
    places = set()
    for seed in range(20):
        picture, mask = crop(image, labels, focus=4, seed=seed)
        assert (mask == 4).sum() == 1
        assert np.array_equal(picture[..., 0], mask)  # picture and mask moved alike
        places.add(int(np.flatnonzero(mask == 4)[0]))
    assert len(places) > 5  # not always in the middle


@pytest.mark.parametrize("name", AUGMENTATIONS)
@pytest.mark.parametrize("channels", [1, 3])
def test_changes_keep_size_and_classes(name, channels):
    augmentation = build_augmentation(name)
    labels = np.zeros((64, 64), np.uint8)
    labels[20:40, 20:40] = 3
    labels[:2] = IGNORE
    image = np.full((64, 64, channels), 100, np.uint8)
    for seed in range(20):
        augmentation.set_random_seed(seed)
        changed = augmentation(image=image, mask=labels)
        assert changed["image"].shape == image.shape
        assert changed["image"].dtype == np.uint8
        assert changed["mask"].shape == labels.shape
        assert set(np.unique(changed["mask"])) <= {0, 3, IGNORE}


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_picture_and_mask_are_changed_alike(name):
    augmentation = build_augmentation(name)
    labels = np.zeros((96, 96), np.uint8)
    labels[10:40, 20:80] = labels[40:70, 20:35] = 1  # no mirror image or quarter turn is the same
    image = (60 + 120 * labels)[..., None]
    moved = 0
    for seed in range(30):
        augmentation.set_random_seed(seed)
        changed = augmentation(image=image, mask=labels)
        _, bright = cv2.threshold(changed["image"], 0, 1, cv2.THRESH_OTSU)
        both = np.logical_and(bright, changed["mask"]).sum()
        assert both / np.logical_or(bright, changed["mask"]).sum() > 0.9
        moved += not np.array_equal(changed["mask"], labels)
    assert (moved > 0) is (name != "none")


@pytest.mark.parametrize(
    ("name", "turned", "upside_down"),
    [("inspection", True, True), ("aligned", False, True), ("scene", False, False)],
)
def test_what_lies_the_same_way_stays_so(name, turned, upside_down):
    augmentation = build_augmentation(name)
    labels = np.repeat(np.array([[0], [1]], np.uint8), 32, axis=0).repeat(64, axis=1)
    halves = set()
    for seed in range(40):
        augmentation.set_random_seed(seed)
        mask = augmentation(image=np.zeros((64, 64, 1), np.uint8), mask=labels)["mask"]
        down, right = mask[48:].mean() - mask[:16].mean(), mask[:, 48:].mean() - mask[:, :16].mean()
        halves.add("side" if abs(right) > abs(down) else "down" if down > 0 else "up")
    assert ("side" in halves) == turned
    assert ("up" in halves) == upside_down


def test_a_seed_repeats_the_change():
    augmentation = build_augmentation("inspection")
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 1)).astype(np.uint8)
    results = []
    for _ in range(2):
        augmentation.set_random_seed(5)
        results.append(augmentation(image=image, mask=image[..., 0])["image"])
    assert np.array_equal(*results)


def test_unknown_name():
    with pytest.raises(UsageError, match="augmentation 'x' is unknown; choose one of inspection"):
        build_augmentation("x")


def test_a_pasted_defect_is_as_dark_against_its_surroundings_as_before():
    donor, donor_labels = np.full((60, 60, 1), 100, np.uint8), np.zeros((60, 60), np.uint8)
    donor[20:40, 20:40], donor_labels[20:40, 20:40] = 70, 2
    image, labels = np.full((60, 60, 1), 180, np.uint8), np.zeros((60, 60), np.uint8)
    labels[25:35, 25:30], labels[20:22, 20:40] = 1, 255
    before = image.copy(), labels.copy()
    mixed, found = paste(image, labels, donor, donor_labels, background=0, ignore_index=255)
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(labels, before[1])
    assert mixed.dtype == found.dtype == np.uint8
    # 30 darker than the surroundings in the middle, untouched far away, and in between no edge.
    assert mixed[30, 30, 0] == 150
    assert (mixed[:10] == 180).all()
    assert {150, 180} < set(np.unique(mixed))
    # What nobody can judge stays so; otherwise the pasted defect covers what was there.
    assert (found[20:22, 20:40] == 255).all()
    assert (found[22:40, 20:40] == 2).all()
    assert np.count_nonzero(found) == 20 * 20


def test_the_unlabelled_fringe_of_a_pasted_defect_stays_unlabelled():
    donor, donor_labels = np.full((60, 60, 1), 200, np.uint8), np.zeros((60, 60), np.uint8)
    donor[20:40, 20:40], donor_labels[20:40, 20:40] = 90, 255
    donor_labels[23:37, 23:37] = 2
    image, labels = np.full((60, 60, 1), 200, np.uint8), np.zeros((60, 60), np.uint8)
    mixed, found = paste(image, labels, donor, donor_labels, background=0, ignore_index=255)
    assert (found[23:37, 23:37] == 2).all()
    # What is dark as the defect's fringe is nowhere called background.
    assert mixed[found == 0].min() > 190
    assert (found == 255).any()


def test_without_a_defect_nothing_is_pasted():
    image, labels = np.full((9, 9, 3), 50, np.uint8), np.zeros((9, 9), np.uint8)
    donor = np.full((9, 9, 3), 200, np.uint8)
    ignored = np.full((9, 9), 255, np.uint8)
    mixed, found = paste(image, labels, donor, ignored, background=0, ignore_index=255)
    np.testing.assert_array_equal(mixed, image)
    np.testing.assert_array_equal(found, labels)


def nested(changes):
    """Yield the changes and those that they are made of."""
    for one in changes:
        yield one
        if isinstance(one, A.BaseCompose):
            yield from nested(one.transforms)


def is_bend(change):
    return isinstance(change, A.Sequential) and any(
        isinstance(one, A.ElasticTransform) for one in change.transforms
    )


@pytest.mark.parametrize("name", ["inspection", "aligned"])
def test_bending_moves_no_pixel_far(name):
    (bend,) = filter(is_bend, nested(build_augmentation(name).transforms))
    always = A.Compose([A.Sequential(bend.transforms, p=1.0)])
    there = np.indices((160, 120)).transpose(1, 2, 0).astype(np.uint8)  # each pixel's own place
    furthest = []
    for seed in range(20):
        always.set_random_seed(seed)
        bent = always(image=there, mask=there[..., 0])["image"]
        furthest.append(np.abs(bent.astype(int) - there).max())
    assert 1 <= min(furthest) <= max(furthest) <= 4


def test_motion_blur_leaves_things_where_they_are():
    changes = nested(build_augmentation("inspection").transforms)
    (blur,) = (one for one in changes if isinstance(one, A.MotionBlur))
    always = A.Compose([A.MotionBlur(**blur.get_transform_init_args() | {"p": 1.0})])
    point = np.zeros((21, 21, 1), np.uint8)
    point[10, 10] = 255
    for seed in range(40):
        always.set_random_seed(seed)
        blurred = always(image=point, mask=point[..., 0])["image"][..., 0].astype(np.float64)
        y, x = np.indices(blurred.shape)
        centre = [(axis * blurred).sum() / blurred.sum() for axis in (y, x)]
        assert centre == pytest.approx([10, 10], abs=0.1)


def test_a_crop_is_cut_around_any_pixel_of_a_class_alike():
    labels = np.zeros((6, 5), np.uint8)
    labels[[0, 2, 2, 5], [4, 0, 3, 1]] = 1
    image = np.arange(30, dtype=np.uint8).reshape(6, 5, 1)
    drawn = [
        int(
            random_crop(
                image, labels, size=1, scale=1.0, focus=1, ignore_index=255,
                rng=np.random.default_rng(seed),
            )[0].item()
        )
        for seed in range(400)
    ]  # fmt: skip
    counts = np.bincount(drawn, minlength=30)
    assert np.flatnonzero(counts).tolist() == [4, 10, 13, 26]
    assert counts[[4, 10, 13, 26]].min() > 70
