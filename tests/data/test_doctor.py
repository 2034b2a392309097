import hashlib
import os
import shutil

import cv2
import numpy as np
import pytest
import yaml
from PIL import Image

from segnet_res.data import SegmentationDataset, check_dataset
from segnet_res.data.doctor import FixOptions, diagnose, fix_steps
from segnet_res.errors import DataError, StorageError, UsageError

SIZE = (60, 84)
COUNT = 6
NAMES = ("sound", "dent", "scratch")
COLORS = np.array([(0, 0, 0), (255, 0, 0), (128, 0, 0)], np.uint8)


def truth(i):
    """Labels with a dent, a scratch inside of it at times, and one on its own."""
    labels = np.zeros(SIZE, np.uint8)
    cv2.ellipse(labels, (20 + 4 * i, 24 + i), (12, 9), 10 * i, 0, 360, 1, -1)
    cv2.rectangle(labels, (50, 34 + i), (70, 42 + i), 2, -1)
    if i % 2:
        cv2.rectangle(labels, (22 + 4 * i, 22), (27 + 4 * i, 28), 2, -1)
    return labels


def image(i):
    """A picture whose edges lie on the borders of the mask."""
    rng = np.random.default_rng(i)
    coarse = cv2.resize(rng.integers(0, 120, (9, 9)).astype(np.float32), SIZE[::-1])
    return np.clip(coarse + 60 * truth(i) + rng.normal(0, 2, SIZE), 0, 255).astype(np.uint8)


@pytest.fixture
def source(tmp_path):
    root = tmp_path / "odd"
    for folder in ("images", "masks", "splits"):
        (root / folder).mkdir(parents=True)
    for i in range(COUNT):
        Image.fromarray(image(i)).save(root / f"images/p{i}.png")
    (root / "splits/train.txt").write_text("".join(f"p{i}\n" for i in range(4)))
    (root / "splits/val.txt").write_text("p4\np5\n")
    return root


def describe(root, names=NAMES, colors=COLORS):
    classes = [
        {"name": n, "color": "#{:02x}{:02x}{:02x}".format(*c)}
        for n, c in zip(names, colors.tolist(), strict=False)
    ]
    (root / "dataset.yaml").write_text(yaml.safe_dump({"classes": classes, "channels": 1}))


def write(root, make, suffix=".png", **save):
    for i in range(COUNT):
        pixels = make(truth(i))
        picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
        picture.save(root / f"masks/p{i}{suffix}", **save)


def fixed(root, target, **options):
    """Return the masks of the copy, after looking that it is sound and the source as it was."""
    before = digests(root)
    diagnosis = diagnose(root, FixOptions(**options))
    for _ in fix_steps(diagnosis, target):
        pass
    assert digests(root) == before
    serious = [p.message for p in check_dataset(target) if p.serious]
    assert serious == []
    found = {}
    for split in ("train", "val"):
        dataset = SegmentationDataset(target, split)
        for index, stem in enumerate(dataset.stems):
            with Image.open(dataset.mask_path(index)) as file:
                assert file.mode == "L"
            found[stem] = dataset[index].labels
    return diagnosis, found


def digests(root):
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }


def assert_truth(found, make=lambda labels: labels):
    assert len(found) == COUNT
    for i in range(COUNT):
        np.testing.assert_array_equal(found[f"p{i}"], make(truth(i)))


def palette(labels, colors=COLORS):
    picture = Image.fromarray(labels)
    picture.putpalette(colors.ravel().tolist())
    return picture


def sorted_palette(labels):
    """Each file with its colours in an order of its own, as programs that shrink PNG leave them."""
    order = [2, 0, 1] if labels.sum() % 2 else [1, 2, 0]
    return palette(np.argsort(order).astype(np.uint8)[labels], COLORS[order])


def with_alpha(labels):
    return np.dstack([COLORS[labels], np.full(SIZE, 255, np.uint8)])


def see_through(labels):
    return np.dstack([COLORS[labels], np.where(labels > 0, 255, 0).astype(np.uint8)])


def sixteen(labels):
    return labels.astype(np.uint16)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda labels: labels, "values 0 to 2 are labels as they are"),
        (lambda labels: labels + 1, "values are 1 to 3 for 3 classes, so labels count from 1"),
        (lambda labels: np.array([0, 128, 255], np.uint8)[labels], "3 classes, spread to 255"),
        (lambda labels: np.array([0, 127, 255], np.uint8)[labels], "3 classes, spread to 255"),
        (palette, "indices and colours of the palettes agree"),
        (sorted_palette, "hold the classes' colours and palettes differ between files"),
        (lambda labels: COLORS[labels], "all colours are those of the classes"),
        (with_alpha, "alpha is opaque everywhere in the 6 files that have it"),
        (see_through, "transparent pixels are 'sound', which no opaque pixel is"),
        (sixteen, "values 0 to 2 are labels as they are"),
    ],
)
def test_encodings_of_known_classes(source, tmp_path, make, reason):
    describe(source)
    write(source, make)
    diagnosis, found = fixed(source, tmp_path / "new")
    assert_truth(found)
    assert any(reason in sentence for sentence in diagnosis.found), diagnosis.found
    assert diagnosis.info.class_map.names == NAMES


def test_ignored_pixels_stay_ignored(source, tmp_path):
    describe(source)

    def rim(labels):
        labels = labels + 1
        labels[-2:] = 255
        return labels

    write(source, rim)
    diagnosis, found = fixed(source, tmp_path / "new")
    assert diagnosis.mapping == "1=sound,2=dent,3=scratch,255=ignore"
    assert (found["p3"][-2:] == 255).all()
    np.testing.assert_array_equal(found["p3"][:-2], truth(3)[:-2])


def test_black_and_white(source, tmp_path):
    write(source, lambda labels: (255 * (labels > 0)).astype(np.uint8))
    diagnosis, found = fixed(source, tmp_path / "new")
    assert_truth(found, lambda labels: (labels > 0).astype(np.uint8))
    assert diagnosis.info.class_map.names == ("background", "defect")
    assert diagnosis.mapping == "0=background,255=defect"
    assert diagnosis.info.channels == 1


def test_black_and_white_as_jpeg(source, tmp_path):
    write(source, lambda labels: (255 * (labels > 0)).astype(np.uint8), ".jpg", quality=75)
    diagnosis, found = fixed(source, tmp_path / "new", names=("sound", "dent"))
    for i in range(COUNT):
        assert (found[f"p{i}"] != (truth(i) > 0)).mean() < 0.001
    assert diagnosis.found[1] == "6 grey masks, 6 of them JPEG"
    assert "as JPEG or a soft brush leave them" in diagnosis.found[2]


@pytest.mark.parametrize("subsampling", [0, 2])
def test_colours_with_the_noise_of_jpeg(source, tmp_path, subsampling):
    # The third colour is half of the second, so every edge of a dent passes through it.
    describe(source)
    write(source, lambda labels: COLORS[labels], ".jpg", quality=80, subsampling=subsampling)
    diagnosis, found = fixed(source, tmp_path / "new")
    assert "as JPEG or blurred edges leave them" in " ".join(diagnosis.found)
    for i in range(COUNT):
        wrong = found[f"p{i}"] != truth(i)
        edge = cv2.morphologyEx(truth(i), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
        # Inside of regions nothing is lost, and no rim of scratches is around the dents.
        assert not (wrong & ~cv2.dilate(edge.astype(np.uint8), np.ones((3, 3))).astype(bool)).any()
        assert wrong.mean() < 0.012


def test_a_class_that_nobody_told_is_no_noise(source, tmp_path):
    describe(source)

    def blurred(labels):
        colors = COLORS[labels].copy()
        colors[4:20, 60:80] = (0, 0, 255)
        return cv2.GaussianBlur(colors, (0, 0), 1.0)

    write(source, blurred)
    with pytest.raises(DataError) as error:
        fixed(source, tmp_path / "new")
    assert str(error.value) == (
        "p0.png: holds #0000ff at column 66, row 9, and nothing tells what that is; tell it with "
        "--map, or mend the mask"
    )
    assert not (tmp_path / "new").exists()


def test_exact_colours_without_classes(source, tmp_path):
    write(source, lambda labels: COLORS[labels])
    diagnosis, found = fixed(source, tmp_path / "new")
    assert diagnosis.info.class_map.names == ("background", "color_800000", "color_ff0000")
    assert_truth(found, lambda labels: np.array([0, 2, 1], np.uint8)[labels])
    told = "#000000=sound,#ff0000=dent,#800000=scratch"
    diagnosis, found = fixed(source, tmp_path / "told", mapping=told)
    assert diagnosis.info.class_map.names == NAMES
    assert diagnosis.mapping == told
    assert_truth(found)


REFUSED = [
    (
        lambda labels: 255 * (labels == 0).astype(np.uint8),
        None,
        "masks/: hold 0 and 255 alone and white covers 88.9 %, so white may be 'defect' or "
        "'background'; tell it with --map '0=background,255=defect' or "
        "--map '0=defect,255=background'",
    ),
    (
        lambda labels: 255 * (labels > 0).astype(np.uint8),
        NAMES,
        "masks/: hold 0 and 255 alone, so they are black and white, and nothing tells which of "
        "sound, dent, scratch is white; tell it, such as --map '0=sound,255=scratch'",
    ),
    (
        lambda labels: 1 + (labels > 0),
        NAMES,
        "masks/: hold 1, 2 and never 0, so labels count from 1, or 'sound' is on no picture; tell "
        "it with --map '1=sound,2=dent,3=scratch' or --map '0=sound,1=dent,2=scratch'",
    ),
    (
        lambda labels: labels + (labels > 1),
        NAMES,
        "masks/: hold 0 to 3 for 3 classes, so labels count from 1 and 0 is not labelled, or the "
        "class of label 3 is missing; tell it with "
        "--map '0=ignore,1=sound,2=dent,3=scratch', or name all classes with --names",
    ),
    (
        lambda labels: labels + 1,
        None,
        "masks/: hold 1 (88.9 %), 2 (6.9 %), 3 (4.2 %) and never 0, so labels may count from 1; "
        "name the classes with --names, or tell the values with "
        "--map '1=class_1,2=class_2,3=class_3'",
    ),
    (
        lambda labels: labels * 40,
        NAMES,
        "masks/: hold 0 (88.9 %), 40 (6.9 %), 80 (4.2 %), and the labels of 3 classes are 0 to 2; "
        "tell what each value is, such as --map '0=sound,40=dent,80=scratch'",
    ),
    (
        lambda labels: np.array([0, 127, 127], np.uint8)[labels],
        NAMES,
        "masks/: hold 0 (88.9 %), 127 (11.1 %), and the labels of 3 classes are 0 to 2; tell what "
        "each value is, such as --map '0=sound,127=dent'",
    ),
    (
        lambda labels: (255 if labels.sum() % 2 else 1) * (labels > 0),
        ("sound", "dent"),
        "masks/: 3 files hold 0 and 255 alone and others labels, never both, so 255 is white for "
        "a class, or means not labelled; tell it with --map '0=sound,1=dent,255=dent' or "
        "--map '0=sound,1=dent,255=ignore'",
    ),
]


REFUSED += [
    (
        lambda labels: labels | 255,
        ("sound", "dent"),
        "masks/: hold 255 alone, so nothing is labelled; export the masks again",
    ),
    (
        lambda labels: 0 * with_alpha(labels),
        None,
        "masks/: hold transparent pixels alone, so nothing is labelled; export the masks again",
    ),
]


@pytest.mark.parametrize(("make", "names", "message"), REFUSED)
def test_two_readings_are_a_question(source, tmp_path, make, names, message):
    write(source, lambda labels: make(labels).astype(np.uint8))
    with pytest.raises(DataError) as error:
        diagnose(source, FixOptions(names=names or ()))
    assert str(error.value) == message
    # Every proposal is an answer that the doctor takes.
    for told in message.split("--map '")[1:]:
        mapping = told.split("'")[0]
        diagnosis = diagnose(source, FixOptions(names=names or (), mapping=mapping))
        assert diagnosis.mapping == mapping


def test_palettes_whose_indices_and_colours_disagree(source):
    describe(source)
    write(source, lambda labels: palette(labels, COLORS[[0, 2, 1]]))
    with pytest.raises(DataError) as error:
        diagnose(source)
    assert str(error.value) == (
        "masks/: the palettes' indices tell 0=sound, 1=dent, 2=scratch, their colours 0=sound, "
        "1=scratch, 2=dent; tell with --map which is right, such as "
        "--map '0=sound,1=scratch,2=dent'"
    )


def test_palettes_that_hold_nothing_but_255(source, tmp_path):
    describe(source)
    many = np.resize(COLORS, (256, 3))
    write(source, lambda labels: palette(np.where(labels > 0, 255, 0).astype(np.uint8), many))
    with pytest.raises(DataError) as error:
        diagnose(source)
    assert str(error.value) == (
        "masks/: are palettes of the indices 0 and 255 alone, so 255 is a class, or means not "
        "labelled; tell it with --map '0=sound,255=scratch' or --map '0=sound,255=ignore'"
    )
    _, found = fixed(source, tmp_path / "new", mapping="0=sound,255=scratch")
    assert_truth(found, lambda labels: np.where(labels > 0, 2, 0))


def test_palettes_of_white_and_black(source, tmp_path):
    def quantised(labels):
        grey = Image.fromarray((255 * (labels > 0)).astype(np.uint8))
        return grey.convert("RGB").quantize(2)

    write(source, quantised)
    with pytest.raises(DataError) as error:
        diagnose(source)
    assert str(error.value) == (
        "masks/: are palettes whose index 0 is white and 1 black, so that index and colour say the "
        "opposite; tell it with --map '0=defect,1=background' where white is the defect, or --map "
        "'0=background,1=defect'"
    )
    mapping = "0=defect,1=background"
    _, found = fixed(source, tmp_path / "new", mapping=mapping, names=("background", "defect"))
    assert_truth(found, lambda labels: (labels > 0).astype(np.uint8))


def test_one_palette_file_for_each_class(source, tmp_path):
    for i in range(COUNT):
        for label in (1, 2):
            part = Image.fromarray((255 * (truth(i) == label)).astype(np.uint8))
            part.convert("RGB").quantize(2).save(source / f"masks/p{i}_{NAMES[label]}.png")
    _, found = fixed(source, tmp_path / "new")
    assert_truth(found)


def test_soft_edges_of_sixteen_bits(source, tmp_path):
    def soft(labels):
        sharp = (65535 * (labels > 0)).astype(np.uint16)
        return cv2.resize(cv2.resize(sharp, None, fx=3, fy=3), SIZE[::-1])

    write(source, soft)
    mapping = "0=sound,65535=dent"
    _, found = fixed(source, tmp_path / "new", mapping=mapping, names=("sound", "dent"))
    wrong = [int((found[f"p{i}"] != (truth(i) > 0)).sum()) for i in range(COUNT)]
    assert max(wrong) < 30


def test_transparent_may_be_two_things(source, tmp_path):
    describe(source)

    def half(labels):
        colors = with_alpha(labels)
        colors[-5:, :, 3] = 0
        return colors

    write(source, half)
    with pytest.raises(DataError) as error:
        diagnose(source)
    assert str(error.value) == (
        "masks/: 2,520 pixels are transparent and others are opaque 'sound', so the transparent "
        "ones are 'sound' too, or were not labelled; tell it with --map "
        "'#000000=sound,#ff0000=dent,#800000=scratch,transparent=ignore' or ...=sound"
    )
    mapping = "#000000=sound,#ff0000=dent,#800000=scratch,transparent=ignore"
    _, found = fixed(source, tmp_path / "new", mapping=mapping)
    assert (found["p0"][-5:] == 255).all()
    np.testing.assert_array_equal(found["p0"][:-5], truth(0)[:-5])


def test_alpha_alone_is_the_mask(source, tmp_path):
    def cut_out(labels):
        return np.dstack([np.full((*SIZE, 3), 255, np.uint8), see_through(labels)[..., 3]])

    write(source, cut_out)
    diagnosis, found = fixed(source, tmp_path / "new")
    assert diagnosis.mapping == "#ffffff=defect,transparent=background"
    assert_truth(found, lambda labels: (labels > 0).astype(np.uint8))


@pytest.mark.parametrize("form", ["masks/{}/p{}.png", "masks/p{1}_{0}.png", "masks/p{1}/{0}.png"])
def test_one_file_for_each_class(source, tmp_path, form):
    for i in range(COUNT):
        for label in (1, 2):
            part = (255 * (truth(i) == label)).astype(np.uint8)
            path = source / form.format(NAMES[label], i)
            path.parent.mkdir(exist_ok=True)
            # Where a class is not, some tools write no file.
            if part.any():
                Image.fromarray(part).save(path)
    diagnosis, found = fixed(source, tmp_path / "new")
    assert_truth(found)
    assert diagnosis.info.class_map.names == ("background", "dent", "scratch")
    assert diagnosis.found[0].startswith("one mask for each class, of dent, scratch: 12 files")
    diagnosis, found = fixed(source, tmp_path / "named", names=("ok", "Scratch", "dent"))
    assert_truth(found, lambda labels: np.array([0, 2, 1], np.uint8)[labels])


@pytest.mark.parametrize("places", [2, 100])
def test_places_that_are_numbered_in_the_file_of_a_class(source, places):
    for i in range(COUNT):
        for label in (1, 2):
            part = (truth(i) == label).astype(np.uint8)
            Image.fromarray(part).save(source / f"masks/p{i}_{NAMES[label]}.png")
    numbered = np.zeros(SIZE, np.uint8)
    numbered[1:-1:3, 1:-1:3].flat[:places] = np.arange(1, places + 1)
    Image.fromarray(numbered).save(source / "masks/p3_dent.png")
    with pytest.raises(DataError) as error:
        diagnose(source)
    assert str(error.value) == (
        f"p3_dent.png: is the mask of one class by its name, but holds {places + 1} numbers up to "
        f"{places}, as where each place has its own; write 255 where the class is and 0 elsewhere"
    )


def test_a_third_value_in_the_file_of_a_class(source):
    for i in range(COUNT):
        for label in (1, 2):
            part = (255 * (truth(i) == label)).astype(np.uint8)
            Image.fromarray(part).save(source / f"masks/p{i}_{NAMES[label]}.png")
    part[2:5, 2:5] = 100
    Image.fromarray(part).save(source / "masks/p5_scratch.png")
    with pytest.raises(DataError) as error:
        diagnose(source)
    assert str(error.value) == (
        "p5_scratch.png: is the mask of one class by its name, but 0.2 % of its pixels are "
        "neither dark nor bright; export the mask of each class in two values"
    )


def test_edges_that_fade_in_the_file_of_a_class(source, tmp_path):
    for i in range(COUNT):
        for label in (1, 2):
            part = (255 * (truth(i) == label)).astype(np.uint8)
            part = cv2.GaussianBlur(part, (0, 0), 0.8)
            Image.fromarray(part).save(source / f"masks/p{i}_{NAMES[label]}.png")
    _, found = fixed(source, tmp_path / "new")
    wrong = [int((found[f"p{i}"] != truth(i)).sum()) for i in range(COUNT)]
    assert max(wrong) < 40


@pytest.mark.parametrize("name", [b"end ", b"two\nlines", b"latin\xe9"])
def test_names_that_no_list_can_hold_are_left_out(tmp_path, name):
    root = tmp_path / "odd"
    for i, stem in enumerate((b"good", name)):
        for folder, pixels in (("images", image(i)), ("masks", truth(i))):
            (root / "train" / folder).mkdir(parents=True, exist_ok=True)
            with (root / "train" / folder / os.fsdecode(stem + b".png")).open("wb") as file:
                Image.fromarray(pixels).save(file, format="PNG")
    diagnosis = diagnose(root, FixOptions(names=NAMES))
    (said,) = diagnosis.left_out
    assert "rename the picture, with its mask" in said
    for _ in fix_steps(diagnosis, tmp_path / "new"):
        pass
    assert SegmentationDataset(tmp_path / "new", "train").stems == ("train/good",)
    assert len(list((tmp_path / "new/images/train").iterdir())) == 1


def test_noise_of_jpeg_where_a_class_is_not(source, tmp_path):
    rng = np.random.default_rng(0)
    for i in range(COUNT):
        part = (255 * (truth(i) == 1)).astype(np.uint8)
        Image.fromarray(part).save(source / f"masks/p{i}_dent.png")
        noise = rng.integers(0, 6, SIZE).astype(np.uint8)
        Image.fromarray(noise).save(source / f"masks/p{i}_scratch.jpg", quality=95)
    _, found = fixed(source, tmp_path / "new")
    assert_truth(found, lambda labels: (labels == 1).astype(np.uint8))


def test_the_only_class_is_called_after_its_files(source, tmp_path):
    write(source, lambda labels: (255 * (labels > 0)).astype(np.uint8), "_Dent.png")
    diagnosis, found = fixed(source, tmp_path / "new")
    assert diagnosis.mapping == "0=background,255=Dent"
    assert diagnosis.found[-1] == "the only class is called 'Dent' after the masks"
    assert_truth(found, lambda labels: (labels > 0).astype(np.uint8))


def test_classes_that_overlap(source, tmp_path):
    for i in range(COUNT):
        for label, name in enumerate(NAMES[1:], start=1):
            covered = truth(i) == label if label > 1 else truth(i) > 0
            Image.fromarray((255 * covered).astype(np.uint8)).save(
                source / f"masks/p{i}_{name}.png"
            )
    with pytest.raises(DataError) as error:
        diagnose(source)
    assert str(error.value) == (
        "masks/: 'dent' and 'scratch' share 1,260 pixels, 100.0 % of the smaller, and nothing "
        "tells which lies on top; tell it with --order, the topmost last, such as "
        "--order dent,scratch"
    )
    diagnosis, found = fixed(source, tmp_path / "new", order=("dent", "scratch"))
    assert_truth(found)
    assert diagnosis.found[-1] == "'scratch' lies above 'dent' where both are (1,260 pixels)"
    with pytest.raises(UsageError) as wrong:
        diagnose(source, FixOptions(order=("dent",)))
    assert str(wrong.value) == "--order is dent; name each of dent, scratch once, the topmost last"


@pytest.mark.parametrize("end", ["first", "last"])
def test_one_pixel_too_large(source, tmp_path, end):
    describe(source)
    pad = ((1, 0), (1, 0)) if end == "first" else ((0, 1), (0, 1))
    write(source, lambda labels: np.pad(labels, pad, mode="edge"))
    diagnosis, found = fixed(source, tmp_path / "new")
    assert_truth(found)
    assert diagnosis.found[-2:] == tuple(
        f"6 masks are one pixel larger than their pictures; without the {end} {line} their "
        "borders lie on edges of the pictures"
        for line in ("row", "column")
    )


def test_one_pixel_too_large_on_blank_pictures(source, tmp_path):
    describe(source)
    write(source, lambda labels: np.pad(labels, ((0, 1), (0, 0))))
    for path in (source / "images").iterdir():
        rng = np.random.default_rng(int(path.stem[1:]))
        Image.fromarray(rng.integers(0, 255, SIZE, np.uint8)).save(path)
    with pytest.raises(DataError) as error:
        diagnose(source)
    assert str(error.value) == (
        "masks/: 6 masks are one pixel larger than their pictures, and the edges of the pictures "
        "do not tell whether the first or the last row is the surplus one; tell it with "
        "--surplus last or --surplus first"
    )
    _, found = fixed(source, tmp_path / "new", surplus="last")
    assert_truth(found)


def test_what_cannot_be_mended_is_named_and_left_out(source, tmp_path):
    describe(source)
    write(source, lambda labels: labels + 1)
    Image.fromarray(truth(0)[:30]).save(source / "masks/p0.png")
    (source / "masks/p1.png").unlink()
    (source / "masks/p2.png").write_bytes(b"")
    Image.fromarray(truth(0)).save(source / "masks/ghost.png")
    diagnosis = diagnose(source)
    assert diagnosis.left_out == (
        "masks/ghost.png: no picture is called like this mask",
        "images/p1.png: no mask is called like it",
        "p0.png: the mask is 84x30, its picture 84x60; export the mask at the picture's size",
        "p2.png: the file is empty (0 bytes); copy it again",
    )
    for _ in fix_steps(diagnosis, tmp_path / "new"):
        pass
    assert (tmp_path / "new/splits/train.txt").read_text() == "p3\n"
    assert [p for p in check_dataset(tmp_path / "new") if p.serious] == []


def test_two_layouts_at_once(source):
    write(source, lambda labels: labels)
    Image.fromarray(truth(0)).save(source / "masks/p0_dent.png")
    with pytest.raises(DataError) as error:
        diagnose(source)
    assert str(error.value) == (
        "odd: masks/p0.png is called like its picture and masks/p0_dent.png is called like its "
        "picture with an ending, so nothing tells which masks count; keep one kind of them"
    )


def test_one_ending_for_all_and_folders_of_splits(source, tmp_path):
    write(source, lambda labels: labels)
    for i, split in enumerate(["train"] * 4 + ["val"] * 2):
        for kind, tail in (("images", ""), ("masks", "_mask")):
            path = source / split / kind / f"p{i}{tail}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            (source / kind / f"p{i}.png").rename(path)
    for name in ("images", "masks", "splits"):
        shutil.rmtree(source / name)
    diagnosis, found = fixed(source, tmp_path / "new", names=NAMES)
    assert diagnosis.found[0].endswith("called like it with the ending 'mask'")
    assert sorted(found) == [*(f"train/p{i}" for i in range(4)), "val/p4", "val/p5"]
    np.testing.assert_array_equal(found["val/p5"], truth(5))


def test_nothing_is_overwritten_and_a_stop_leaves_nothing(source, tmp_path):
    describe(source)
    write(source, lambda labels: labels)
    diagnosis = diagnose(source)
    steps = fix_steps(diagnosis, tmp_path / "new")
    next(steps)
    next(steps)
    steps.close()
    assert [path.name for path in tmp_path.iterdir()] == ["odd"]
    with pytest.raises(UsageError, match="new: lies inside the source, which stays as it is"):
        next(fix_steps(diagnosis, source / "new"))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("keep")
    with pytest.raises(StorageError, match="is there already and not empty"):
        next(fix_steps(diagnosis, tmp_path / "full"))


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        (
            "0:sound",
            "--map holds '0:sound'; write VALUE=CLASS, VALUE being a number, a colour like "
            "#ff0000 or transparent, and CLASS a name or ignore",
        ),
        (
            "0=sound,99999=dent",
            "--map holds '99999=dent'; write VALUE=CLASS, VALUE being a number, a colour like "
            "#ff0000 or transparent, and CLASS a name or ignore",
        ),
        ("0=sound,0=dent", "--map tells 0 twice; tell it once"),
        ("0=sound,#ff0000=dent", "--map holds numbers and colours; give all of one kind"),
        ("0=hole", "--map names the class 'hole'; known are sound, dent, scratch and ignore"),
    ],
)
def test_wrong_mappings(source, mapping, message):
    describe(source)
    write(source, lambda labels: labels)
    with pytest.raises(UsageError) as error:
        diagnose(source, FixOptions(mapping=mapping))
    assert str(error.value) == message


def test_a_mapping_that_forgets_a_value(source):
    describe(source)
    write(source, lambda labels: labels)
    with pytest.raises(DataError) as error:
        diagnose(source, FixOptions(mapping="0=sound,1=dent"))
    assert str(error.value) == (
        "masks/: 2 (4.2 %) occur too and --map does not tell what they are; add them, or "
        "VALUE=ignore"
    )
