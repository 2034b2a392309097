import errno
import os
import struct
import threading
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from segnet_res.classes import CAMVID, ClassMap
from segnet_res.errors import ImageError, StorageError
from segnet_res.images import (
    LargePicture,
    atomic_write,
    find_images,
    image_size,
    is_grey,
    labels_from_colors,
    read_image,
    read_mask,
    to_channels,
    write_image,
    write_mask,
)

ORIENTATION = 0x0112
CLASSES = ClassMap(("sound", "scratch", "dent"), ((0, 0, 0), (255, 0, 0), (0, 0, 255)))
# 2 rows, 3 columns, no two pixels alike.
GREY = np.array([[0, 10, 20], [100, 200, 255]], np.uint8)
COLOR = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=-1)


def saved(path: Path, picture: Image.Image | np.ndarray, **options) -> Path:
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture)
    picture.save(path, **options)
    return path


def smooth(height: int = 40, width: int = 56) -> np.ndarray:
    """Return a picture that JPEG keeps to within a few grey levels."""
    y, x = np.mgrid[:height, :width]
    return np.stack([3 * x, 4 * y, 2 * (x + y)], axis=-1).astype(np.uint8)


def png_chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def raw_png(path: Path, width: int, height: int, depth: int, color: int, rows: bytes) -> Path:
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", zlib.compress(rows))
        + png_chunk(b"IEND", b"")
    )
    return path


# ---- what is read


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_eight_bits_are_read_as_they_are(tmp_path, suffix):
    grey = saved(tmp_path / f"grey{suffix}", GREY)
    color = saved(tmp_path / f"color{suffix}", COLOR)
    assert np.array_equal(read_image(grey, 1), GREY[..., None])
    assert np.array_equal(read_image(grey), np.repeat(GREY[..., None], 3, axis=2))
    assert np.array_equal(read_image(color), COLOR)
    assert read_image(color).dtype == np.uint8
    assert read_image(color).flags.writeable


def test_colour_becomes_grey_by_luma(tmp_path):
    path = saved(tmp_path / "a.png", np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8))
    assert read_image(path, 1)[..., 0].tolist() == [[76, 150, 29]]


def test_grey_survives_the_way_through_colour(tmp_path):
    # The page reads three channels and a grey model takes one: both must see the same picture.
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    path = saved(tmp_path / "a.png", ramp)
    assert np.array_equal(to_channels(read_image(path, 3), 1), read_image(path, 1))


def test_lossy_formats_come_close(tmp_path):
    picture = smooth()
    for name, options in {"a.jpg": {"quality": 95}, "a.webp": {"quality": 95}}.items():
        found = read_image(saved(tmp_path / name, picture, **options))
        assert found.shape == picture.shape
        assert np.abs(found.astype(int) - picture).mean() < 4
    exact = saved(tmp_path / "b.webp", picture, lossless=True)
    assert np.array_equal(read_image(exact), picture)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_sixteen_bit_grey_is_divided_by_257(tmp_path, name):
    values = np.array([[0, 128, 129, 257, 32767, 65535]], np.uint16)
    assert cv2.imwrite(str(tmp_path / name), values)
    assert read_image(tmp_path / name, 1)[0, :, 0].tolist() == [0, 0, 1, 1, 127, 255]


def write_tiff(path, pixels, *, width, height, bits, photometric, order):
    """Write a grey TIFF of one strip; the order of the bytes is "<" or ">"."""
    tags = [(256, 4, width), (257, 4, height), (258, 3, bits), (259, 3, 1), (262, 3, photometric)]
    tags += [(273, 4, 8), (277, 3, 1), (278, 4, height), (279, 4, len(pixels))]
    entries = b"".join(
        struct.pack(f"{order}HHI", tag, kind, 1)
        + struct.pack(f"{order}HH" if kind == 3 else f"{order}I", *([value, 0][: 5 - kind]))
        for tag, kind, value in tags
    )
    directory = struct.pack(f"{order}H", len(tags)) + entries + bytes(4)
    head = {"<": b"II*\0", ">": b"MM\0*"}[order]
    path.write_bytes(head + struct.pack(f"{order}I", 8 + len(pixels)) + pixels + directory)


@pytest.mark.parametrize(
    ("order", "photometric"),
    [(">", 1), ("<", 1), ("<", 0)],  # 1: black is zero; 0: white is
)
def test_sixteen_bit_tiff(tmp_path, order, photometric):
    values = np.array([[0, 257, 2 * 257], [300 * 100, 255 * 257, 3]], np.uint16)
    stored = values if photometric else 65535 - values
    pixels = stored.astype(f"{order}u2").tobytes()
    path = tmp_path / "a.tif"
    write_tiff(path, pixels, width=3, height=2, bits=16, photometric=photometric, order=order)
    assert read_image(path, 1)[..., 0].tolist() == [[0, 1, 2], [117, 255, 0]]


def test_a_tiff_of_twelve_bits_has_its_full_range(tmp_path):
    pixels = b"".join((a << 12 | b).to_bytes(3, "big") for a, b in ((0, 16), (2048, 4095)))
    path = tmp_path / "a.tif"
    write_tiff(path, pixels, width=4, height=1, bits=12, photometric=1, order="<")
    assert read_image(path, 1)[..., 0].tolist() == [[0, 1, 128, 255]]


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize("channels", [3, 4])
def test_sixteen_bit_colour_comes_as_its_upper_eight_bits(tmp_path, name, channels):
    values = (np.arange(2 * 3 * channels).reshape(2, 3, channels) * 2900).astype(np.uint16)
    assert cv2.imwrite(str(tmp_path / name), values)
    found = read_image(tmp_path / name)
    expected = values[..., 2::-1] >> 8  # OpenCV's order is blue, green, red
    assert np.abs(found.astype(int) - expected).max() <= 1
    assert found.shape == (2, 3, 3)


def test_alpha_is_dropped_not_blended(tmp_path):
    alpha = np.array([[0, 128, 255], [255, 0, 1]], np.uint8)
    rgba = saved(tmp_path / "rgba.png", np.dstack([COLOR, alpha]))
    la = saved(tmp_path / "la.png", Image.merge("LA", [*map(Image.fromarray, (GREY, alpha))]))
    assert np.array_equal(read_image(rgba), COLOR)
    assert np.array_equal(read_image(la, 1)[..., 0], GREY)
    tiff = saved(tmp_path / "rgba.tif", np.dstack([COLOR, alpha]))
    webp = saved(tmp_path / "rgba.webp", np.dstack([COLOR, alpha]), lossless=True, exact=True)
    assert np.array_equal(read_image(tiff), COLOR)
    assert np.array_equal(read_image(webp), COLOR)


@pytest.mark.parametrize("transparency", [None, 1, bytes([255, 0, 128])])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_palettes_are_looked_up(tmp_path, transparency, suffix):
    picture = Image.fromarray(np.array([[0, 1], [2, 0]], np.uint8), "L").convert("P")
    picture.putpalette([10, 20, 30, 255, 0, 0, 0, 0, 255])
    options = {"transparency": transparency} if transparency and suffix == ".png" else {}
    found = read_image(saved(tmp_path / f"a{suffix}", picture, **options))
    assert found.tolist() == [[[10, 20, 30], [255, 0, 0]], [[0, 0, 255], [10, 20, 30]]]


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.bmp"])
def test_one_bit_becomes_black_and_white(tmp_path, name):
    bits = np.array([[True, False], [False, True]])
    assert read_image(saved(tmp_path / name, bits), 1)[..., 0].tolist() == [[255, 0], [0, 255]]


def test_grey_of_four_bits_spans_the_range(tmp_path):
    path = raw_png(tmp_path / "a.png", 4, 1, 4, 0, b"\0\x01\x7f")
    assert read_image(path, 1)[..., 0].tolist() == [[0, 17, 119, 255]]


def test_cmyk_jpeg_becomes_rgb(tmp_path):
    picture = np.full((16, 16, 3), (200, 60, 60), np.uint8)
    cmyk = Image.fromarray(picture).convert("CMYK")
    found = read_image(saved(tmp_path / "a.jpg", cmyk, quality=98))
    assert np.abs(found.astype(int) - picture).max() <= 6


def upright(stored: np.ndarray, orientation: int) -> np.ndarray:
    """Turn as the EXIF standard says which corner the first row and column belong to."""
    return {
        1: stored,
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.transpose(1, 0, 2),
        6: stored[::-1].transpose(1, 0, 2),
        7: stored[::-1, ::-1].transpose(1, 0, 2),
        8: stored[:, ::-1].transpose(1, 0, 2),
    }[orientation]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.webp"])
def test_exif_turns_the_picture(tmp_path, name, orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    plain = saved(tmp_path / f"plain-{name}", smooth())
    turned = saved(tmp_path / name, smooth(), exif=exif)
    expected = upright(read_image(plain), orientation)
    assert np.array_equal(read_image(turned), expected)
    assert image_size(turned) == expected.shape[:2]
    assert image_size(plain) == (40, 56)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_is_none_turns_nothing(tmp_path, orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = saved(tmp_path / "a.png", COLOR, exif=exif)
    assert np.array_equal(read_image(path), COLOR)
    assert image_size(path) == (2, 3)


def test_exif_behind_the_pixels_of_a_png(tmp_path):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    path = saved(tmp_path / "a.png", COLOR)
    content = path.read_bytes()
    end = content.index(b"IEND") - 4
    path.write_bytes(content[:end] + png_chunk(b"eXIf", exif.tobytes()[6:]) + content[end:])
    assert np.array_equal(read_image(path), np.rot90(COLOR, -1))
    assert image_size(path) == (3, 2)


def test_damaged_exif_does_not_hide_sound_pixels(tmp_path):
    path = saved(tmp_path / "a.png", COLOR, exif=b"Exif\0\0II*\0\xff\xff\xff\xff broken")
    assert np.array_equal(read_image(path), COLOR)
    assert image_size(path) == (2, 3)


def test_of_several_pages_the_first_is_read(tmp_path):
    pages = [Image.fromarray(COLOR), Image.fromarray(255 - COLOR)]
    tiff = saved(tmp_path / "a.tif", pages[0], save_all=True, append_images=pages[1:])
    webp = saved(
        tmp_path / "a.webp", pages[0], save_all=True, append_images=pages[1:], lossless=True
    )
    assert np.array_equal(read_image(tiff), COLOR)
    assert np.array_equal(read_image(webp), COLOR)


def test_one_pixel_is_a_picture(tmp_path):
    path = saved(tmp_path / "a.png", np.array([[7]], np.uint8))
    assert read_image(path, 1).tolist() == [[[7]]]
    assert image_size(path) == (1, 1)


def test_the_content_counts_not_the_suffix(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(saved(tmp_path / "a.png", COLOR).read_bytes())
    assert np.array_equal(read_image(path), COLOR)


# ---- what is refused


def test_an_empty_file(tmp_path):
    path = tmp_path / "a.png"
    path.touch()
    for read in (read_image, image_size):
        with pytest.raises(ImageError, match=r"^a.png: the file is empty \(0 bytes\); copy it"):
            read(path)


def test_a_text_called_png(tmp_path):
    path = tmp_path / "a.png"
    path.write_text("no picture")
    with pytest.raises(ImageError, match=r"^a.png: not a picture that can be read; save it as PNG"):
        read_image(path)


def test_formats_beside_the_promised_ones_are_not_opened(tmp_path):
    eps = saved(tmp_path / "a.eps", COLOR)
    with pytest.raises(ImageError, match="not a picture that can be read"):
        read_image(eps)


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(ImageError, match=r"no.png: cannot be read \(No such file.*; check the pat"):
        read_image(tmp_path / "no.png")
    with pytest.raises(ImageError, match=r"cannot be read \(Is a directory\); check the path"):
        read_image(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path):
    path = saved(tmp_path / "a.png", COLOR)
    path.chmod(0)
    with pytest.raises(ImageError, match=r"cannot be read \(Permission denied\); check the path"):
        read_image(path)


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.95])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.jpg", {}),
        ("b.jpg", {"progressive": True}),
        ("a.png", {}),
        ("a.tif", {}),
        ("b.tif", {"compression": "tiff_lzw"}),
        ("a.webp", {}),
        ("a.bmp", {}),
    ],
)
def test_a_truncated_file_is_refused_not_half_read(tmp_path, name, options, keep):
    path = saved(tmp_path / name, smooth(90, 120), **options)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(ImageError, match=rf"^{name}: (the file is damaged|not a picture)"):
        read_image(path)
    with pytest.raises(ImageError, match=rf"^{name}: "):
        read_mask(path, CLASSES)


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_a_copy_that_broke_off_and_was_filled_with_zeros(tmp_path, name):
    path = saved(tmp_path / name, smooth(90, 120))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + bytes(len(content) - len(content) // 2))
    with pytest.raises(ImageError, match=rf"^{name}: the file is damaged \(.+\); copy or export"):
        read_image(path)


def test_a_header_that_claims_a_huge_picture_costs_nothing(tmp_path):
    path = raw_png(tmp_path / "a.png", 100_000, 100_000, 8, 2, b"")
    message = "^a.png: the picture is 100000x100000, more than 400 million pixels; cut it"
    with pytest.raises(ImageError, match=message):
        read_image(path)
    for read in (image_size, lambda path: read_mask(path, CLASSES)):
        with pytest.raises(ImageError, match=message.replace("400", "1000")):
            read(path)
    assert image_size(raw_png(path, 30_000, 30_000, 8, 2, b"")) == (30_000, 30_000)


def test_the_limit_on_pixels_is_exact(tmp_path, monkeypatch):
    path = saved(tmp_path / "a.png", np.zeros((4, 5), np.uint8))
    monkeypatch.setattr("segnet_res.images.decoding.MAX_PIXELS", 20)
    assert read_image(path, 1).shape == (4, 5, 1)
    monkeypatch.setattr("segnet_res.images.decoding.MAX_PIXELS", 19)
    with pytest.raises(ImageError, match="the picture is 5x4, more than"):
        read_image(path)


def test_a_large_picture_needs_no_leave_of_pillow(tmp_path):
    # 200 million pixels, which Pillow by itself takes for an attack.
    path = saved(tmp_path / "a.png", Image.new("1", (20_000, 10_000)))
    assert image_size(path) == (10_000, 20_000)


def test_text_that_unpacks_to_gigabytes(tmp_path):
    path = saved(tmp_path / "a.png", COLOR)
    bomb = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(8_000_000)))
    content = path.read_bytes()
    path.write_bytes(content[:33] + bomb + content[33:])
    with pytest.raises(ImageError, match=r"^a.png: the file is damaged \(.+\)"):
        read_image(path)


def test_too_little_memory_is_told(tmp_path, monkeypatch):
    path = saved(tmp_path / "a.png", COLOR)

    def load(self):
        raise MemoryError

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", load)
    with pytest.raises(ImageError, match=r"^a.png: too large for the memory of this machine; cut"):
        read_image(path)


def test_floating_point_and_wide_numbers_have_no_range(tmp_path):
    floats = saved(tmp_path / "f.tif", np.array([[0.5]], np.float32))
    with pytest.raises(ImageError, match=r"^f.tif: a picture of floating-point values has no fix"):
        read_image(floats)
    # Small values too: taken for 16 bits, the picture would be black.
    wide = saved(tmp_path / "i.tif", np.array([[0, 255]], np.int32))
    with pytest.raises(ImageError, match=r"^i.tif: .* 32-bit or signed integers has"):
        read_image(wide)
    with pytest.raises(ImageError, match=r"^i.tif: .* 32-bit or signed integers has"):
        LargePicture.open(wide, 1)[:1, :1]


def test_warnings_stay_inside_and_the_filters_as_they_were(tmp_path, recwarn):
    # EXIF that announces five entries and holds one: Pillow warns and reads the picture.
    entry = struct.pack("<HHII", ORIENTATION, 3, 1, 6)
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 5) + entry
    path = saved(tmp_path / "a.jpg", smooth(), exif=exif)
    with pytest.warns(UserWarning, match="Corrupt EXIF data"), Image.open(path) as image:
        image.getexif().get(ORIENTATION)

    failures = []

    def read() -> None:
        try:
            for _ in range(20):
                assert image_size(path) == read_image(path).shape[:2]
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert not recwarn.list


# ---- arrays


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 1), (2, 3, 3), (2, 3, 4)])
@pytest.mark.parametrize("channels", [1, 3])
def test_to_channels(shape, channels):
    array = np.full(shape, 9, np.uint8)
    found = to_channels(array, channels)
    assert found.shape == (2, 3, channels)
    assert found.dtype == np.uint8
    assert (found == 9).all()
    assert found.flags.c_contiguous


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 3)), r"an array \(2, 3, 1\) of float64; give \(H, W\)"),
        (np.zeros((2, 3, 2), np.uint8), r"an array \(2, 3, 2\) of uint8; give"),
        (np.zeros((1, 2, 3, 3), np.uint8), r"an array \(1, 2, 3, 3\) of uint8; give"),
        (np.zeros((0, 3), np.uint8), r"an array \(0, 3, 1\); give at least one pixel"),
    ],
)
def test_to_channels_refuses(array, message):
    with pytest.raises(ImageError, match=message):
        to_channels(array, 3)


# ---- masks


def test_a_mask_there_and_back(tmp_path):
    labels = np.array([[0, 1, 2], [255, 254, 0]], np.uint8)
    path = tmp_path / "deep" / "folder" / "a.png"
    write_mask(path, labels)
    assert np.array_equal(read_mask(path, CLASSES), labels)
    with Image.open(path) as image:
        assert (image.mode, image.format) == ("L", "PNG")


def test_of_a_palette_the_indices_count(tmp_path):
    picture = Image.fromarray(np.array([[0, 1], [2, 7]], np.uint8), "L").convert("P")
    picture.putpalette([9, 9, 9, 255, 0, 0, 1, 2, 3, *range(100, 115)])
    path = saved(tmp_path / "a.png", picture)
    assert read_mask(path, CLASSES).tolist() == [[0, 1], [2, 7]]


def test_colours_are_looked_up(tmp_path):
    labels = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)
    colors = CLASSES.palette()[labels]
    rgb = saved(tmp_path / "rgb.png", colors)
    rgba = saved(tmp_path / "rgba.png", np.dstack([colors, np.full((2, 3), 128, np.uint8)]))
    assert np.array_equal(read_mask(rgb, CLASSES), labels)
    assert np.array_equal(read_mask(rgba, CLASSES), labels)


def test_every_camvid_colour_finds_its_class():
    labels = np.arange(len(CAMVID), dtype=np.uint8)[None]
    assert np.array_equal(labels_from_colors(CAMVID.palette()[labels], CAMVID, "a.png"), labels)


def test_colours_of_no_class_are_named():
    colors = np.array([[[0, 0, 0], [1, 2, 3], [255, 255, 255], [1, 2, 3]]], np.uint8)
    message = r"^a.png: 2 colours belong to no class \(first #010203, #ffffff\); add them"
    with pytest.raises(ImageError, match=message):
        labels_from_colors(colors, CLASSES, "a.png")


def test_a_colour_of_two_classes_is_named_when_it_is_used():
    twins = ClassMap(("a", "b", "c"), ((1, 1, 1), (1, 1, 1), (2, 2, 2)))
    assert labels_from_colors(np.full((1, 1, 3), 2, np.uint8), twins, "a.png").tolist() == [[2]]
    with pytest.raises(
        ImageError, match=r"^a.png: colour #010101 belongs to several classes; give"
    ):
        labels_from_colors(np.full((1, 1, 3), 1, np.uint8), twins, "a.png")


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_sixteen_bits_may_hold_small_labels(tmp_path, name):
    assert cv2.imwrite(str(tmp_path / name), np.array([[0, 1], [2, 255]], np.uint16))
    assert read_mask(tmp_path / name, CLASSES).tolist() == [[0, 1], [2, 255]]


def test_one_bit_is_label_0_or_1(tmp_path):
    path = saved(tmp_path / "a.png", np.array([[True, False]]))
    assert read_mask(path, CLASSES).tolist() == [[1, 0]]


def test_0_and_255_are_kept_as_they_are(tmp_path):
    # 255 is the label to ignore here, a class elsewhere: the caller knows.
    path = saved(tmp_path / "a.png", np.array([[0, 255]], np.uint8))
    assert read_mask(path, CLASSES).tolist() == [[0, 255]]


@pytest.mark.parametrize(("depth", "row"), [(2, b"\0\x1b"), (4, b"\0\x01\x23")])
def test_labels_of_few_bits_are_not_stretched(tmp_path, depth, row):
    path = raw_png(tmp_path / "a.png", 4, 1, depth, 0, row)
    assert read_mask(path, CLASSES).tolist() == [[0, 1, 2, 3]]


def test_of_grey_with_alpha_the_grey_counts(tmp_path):
    mask = Image.merge("LA", [Image.new("L", (1, 1), 2), Image.new("L", (1, 1), 200)])
    assert read_mask(saved(tmp_path / "a.png", mask), CLASSES).tolist() == [[2]]


@pytest.mark.parametrize(
    ("name", "picture", "message"),
    [
        ("a.png", np.array([[0, 300]], np.uint16), "with values from 0 to 300 is no mask of cl"),
        ("a.tif", np.array([[0.0, 1.0]], np.float32), "mode F with values from 0.0 to 1.0 is no"),
        ("b.tif", np.array([[-1, 1]], np.int32), "mode I with values from -1 to 1 is no mask"),
        ("a.jpg", Image.new("CMYK", (8, 8)), "mode CMYK with values from .* save it as 8-bit"),
    ],
)
def test_what_is_no_mask_is_refused(tmp_path, name, picture, message):
    with pytest.raises(ImageError, match=rf"^{name}: .*{message}"):
        read_mask(saved(tmp_path / name, picture), CLASSES)


def test_a_turned_mask_fits_its_turned_picture(tmp_path):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    labels = np.array([[0, 1, 2]], np.uint8)
    path = saved(tmp_path / "a.png", labels, exif=exif)
    assert read_mask(path, CLASSES).tolist() == [[0], [1], [2]]


# ---- what is written


@pytest.mark.parametrize("shape", [(5, 4, 1), (5, 4, 3)])
def test_a_picture_there_and_back(tmp_path, shape):
    picture = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    write_image(tmp_path / "a.png", picture)
    assert np.array_equal(read_image(tmp_path / "a.png", shape[2]), picture)
    write_image(tmp_path / "a.JPG", picture)
    with Image.open(tmp_path / "a.JPG") as image:
        assert image.format == "JPEG"
    assert read_image(tmp_path / "a.JPG", shape[2]).shape == shape


def test_other_suffixes_are_refused(tmp_path):
    with pytest.raises(StorageError, match=r"a.tif: pictures are written as .png or .jpg; name it"):
        write_image(tmp_path / "a.tif", COLOR)
    assert not list(tmp_path.iterdir())


def test_a_file_appears_at_the_end_of_the_block(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with atomic_write(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
        assert find_images(tmp_path) == []
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_interrupted_write_leaves_what_was_there(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write() -> None:
        with atomic_write(path) as file:
            file.write(b"half")
            raise error

    with pytest.raises(error):
        write()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("place", ["os.fsync", "pathlib.Path.replace"])
def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch, place):
    def refuse(*_args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "a.png"
    path.write_text("old")
    monkeypatch.setattr(place, refuse)
    message = r"a.png: cannot be written \(No space left on device\); free some room or choose an"
    with pytest.raises(StorageError, match=message):
        write_mask(path, GREY)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_read_only(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StorageError, match=r"cannot be written \(Permission denied\)"):
            write_mask(tmp_path / "a.png", GREY)
    finally:
        tmp_path.chmod(0o700)


def test_permission_denied_is_told(tmp_path, monkeypatch):
    def refuse(*_args, **_options):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(StorageError, match=r"a.png: cannot be written \(Permission denied\); get"):
        write_mask(tmp_path / "a.png", GREY)


def test_something_in_the_way(tmp_path):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError, match=r"file/a.png: cannot be written"):
        write_mask(tmp_path / "file" / "a.png", GREY)
    with pytest.raises(StorageError, match=r"folder: cannot be written \(Is a directory\)"):
        write_mask(tmp_path / "folder", GREY)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_long_names_fit(tmp_path):
    path = tmp_path / f"{'ö' * 120}.png"
    write_mask(path, GREY)
    assert path.is_file()


def test_new_files_get_the_permissions_of_new_files(tmp_path):
    (tmp_path / "plain").touch()
    write_mask(tmp_path / "a.png", GREY)
    assert (tmp_path / "a.png").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_pictures_are_found_in_order_and_nothing_else(tmp_path):
    for name in ["b.PNG", "a.jpg", "sub/c.webp", "d.txt", ".hidden.png", ".git/e.png", "f.jpeg"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    found = [path.relative_to(tmp_path).as_posix() for path in find_images(tmp_path)]
    assert found == ["a.jpg", "b.PNG", "f.jpeg", "sub/c.webp"]
    assert find_images(tmp_path / "missing") == []


@pytest.mark.parametrize(
    ("mode", "grey"), [("1", True), ("L", True), ("LA", True), ("I;16", True), ("RGB", False)]
)
def test_is_grey_tells_from_the_header(tmp_path, mode, grey):
    assert is_grey(saved(tmp_path / "a.png", Image.new(mode, (3, 2)))) is grey
