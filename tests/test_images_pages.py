"""Files of several pages, and files that change while they are read."""

import io
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segnet_res.classes import ClassMap
from segnet_res.errors import ImageError
from segnet_res.images import arrays, image_size, read_image, read_mask, read_picture
from segnet_res.images.pages import MAX_PAGES, count_pages

PAGES = [np.full((2, 3), value, np.uint8) for value in (10, 20, 30)]


def save_pages(path, pages=PAGES, **options):
    first, *others = map(Image.fromarray, pages)
    first.save(path, save_all=True, append_images=others, **options)
    return path


def chain(count, order="<", big=False):
    """Return a TIFF of so many pages without any tags."""
    head = b"II" if order == "<" else b"MM"
    head += struct.pack(f"{order}HHHQ", 43, 8, 0, 16) if big else struct.pack(f"{order}HI", 42, 8)
    form, start = (f"{order}QQ", 16) if big else (f"{order}HI", 8)
    size = struct.calcsize(form)
    links = [start + size * (i + 1) for i in range(count - 1)] + [0]
    return head + b"".join(struct.pack(form, 0, link) for link in links)


@pytest.mark.parametrize("options", [{}, {"compression": "tiff_lzw"}, {"big_tiff": True}])
def test_of_several_pages_the_first_is_read_and_told(tmp_path, options):
    path = save_pages(tmp_path / "a.tif", **options)
    found = read_picture(path, 1)
    assert found.array.tolist() == [[[10]] * 3] * 2
    assert found.notes == ("first of 3 pages",)
    assert image_size(path) == (2, 3)


@pytest.mark.parametrize("name", ["a.webp", "a.png"])
def test_of_a_film_the_first_frame_is_read_and_told(tmp_path, name):
    path = save_pages(tmp_path / name, lossless=True)
    found = read_picture(path, 1)
    assert (found.array == 10).all()
    assert found.notes == ("first of 3 frames",)


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.webp", "a.jpg", "a.bmp"])
def test_there_is_nothing_to_say_about_one_page(tmp_path, name):
    Image.fromarray(PAGES[0]).save(tmp_path / name)
    assert read_picture(tmp_path / name).notes == ()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_pages_are_counted_by_their_links(order, big):
    for count in (1, 2, 7):
        assert count_pages(io.BytesIO(chain(count, order, big))) == count


def test_counting_ends_where_links_run_in_a_circle_or_away():
    # The third page links to the first, then to behind the end of the file.
    whole = bytearray(chain(3))
    for link in (8, 10_000, 2**32 - 1):
        whole[-4:] = struct.pack("<I", link)
        assert count_pages(io.BytesIO(whole)) == 3
    assert count_pages(io.BytesIO(whole[:-2])) == 2
    for damaged in (b"", b"II*\0", b"II*\0" + b"\xff" * 20, b"no TIFF at all, but long"):
        assert count_pages(io.BytesIO(damaged)) == 1


def test_pages_without_end_are_not_all_counted(tmp_path):
    assert count_pages(io.BytesIO(chain(MAX_PAGES + 50))) == MAX_PAGES + 1
    assert count_pages(io.BytesIO(chain(MAX_PAGES))) == MAX_PAGES
    path = save_pages(tmp_path / "a.tif")
    content = bytearray(path.read_bytes())
    many = chain(MAX_PAGES)[8:]
    # The link of the last page, which is nought, leads to the others behind the file.
    last = _last_link(bytes(content))
    content[last : last + 4] = struct.pack("<I", len(content))
    shifted = b"".join(
        struct.pack("<HI", 0, link + len(content) - 8 if link else 0)
        for _, link in struct.iter_unpack("<HI", many)
    )
    path.write_bytes(bytes(content) + shifted)
    assert read_picture(path, 1).notes == (f"first of more than {MAX_PAGES} pages",)


def _last_link(content):
    place = struct.unpack_from("<I", content, 4)[0]
    while True:
        link = place + 2 + 12 * struct.unpack_from("<H", content, place)[0]
        place = struct.unpack_from("<I", content, link)[0]
        if not place:
            return link


def test_bytes_that_somebody_has_read_are_not_read_again(tmp_path):
    path = save_pages(tmp_path / "a.tif")
    content = path.read_bytes()
    path.write_bytes(b"another file by now")
    found = read_picture(path, 1, content)
    assert (found.array == 10).all()
    assert found.notes == ("first of 3 pages",)
    with pytest.raises(ImageError, match=r"^a.tif: the file is empty \(0 bytes\); copy it again$"):
        read_picture(path, 1, b"")


def test_a_device_is_no_picture():
    with pytest.raises(ImageError, match=r"^/dev/zero: is a device, not a file; give a picture$"):
        read_image(Path("/dev/zero"))


@pytest.mark.parametrize("name", ["a.tif", "a.bmp"])
def test_a_file_cut_short_after_decoding_harms_nobody(tmp_path, name):
    # A file that is mapped into memory would end the process here, by a signal.
    path = tmp_path / name
    Image.fromarray(np.zeros((600, 800), np.uint8)).save(path)
    program = (
        "import sys, os, numpy as np\nfrom pathlib import Path\n"
        "from segnet_res.images.decoding import decode\n"
        "path = Path(sys.argv[1])\nimage = decode(path).image\n"
        "os.truncate(path, 0)\nprint(np.array(image).sum())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, path], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr


# ---- what was found by damaging files at random


def test_a_tiff_that_claims_more_rows_than_it_has(tmp_path):
    # One strip of 2 rows; Pillow would give the other 58 as black.
    path = tmp_path / "a.tif"
    Image.fromarray(PAGES[0]).save(path)
    content = bytearray(path.read_bytes())
    tag = struct.pack("<HHI", 257, 4, 1)
    at = content.find(tag) if tag in content else content.find(struct.pack("<HHI", 257, 3, 1))
    content[at + 2 : at + 12] = struct.pack("<HII", 4, 1, 60)
    path.write_bytes(content)
    assert image_size(path) == (60, 3)
    message = r"^a.tif: the file is damaged \(6 of 180 pixels are there\); copy or export it again$"
    with pytest.raises(ImageError, match=message):
        read_image(path)


def test_a_link_that_leads_nowhere(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(b"II" + struct.pack("<HHHQ", 43, 8, 0, 2**64 - 2) + bytes(40))
    for read in (read_image, image_size):
        with pytest.raises(ImageError, match=r"^a.tif: the file is damaged \(.+\); copy or exp"):
            read(path)


def test_too_little_memory_for_what_was_decoded(tmp_path, monkeypatch):
    def refuse(*_args):
        raise MemoryError

    path = tmp_path / "a.png"
    Image.fromarray(PAGES[0]).save(path)
    monkeypatch.setattr("segnet_res.images.reading.as_uint8", refuse)
    with pytest.raises(ImageError, match=r"^a.png: too large for the memory of this machine; cut"):
        read_image(path)


# ---- large ones


@pytest.mark.parametrize("mode", ["L", "RGB", "I;16", "1"])
def test_by_strips_an_array_is_the_same(monkeypatch, mode):
    picture = np.random.default_rng(0).integers(0, 256, (70, 31, 3), np.uint8)
    if mode == "I;16":
        image = Image.fromarray(picture[..., 0].astype(np.uint16) * 257)
    else:
        image = Image.fromarray(picture).convert(mode)
    expected = np.array(image)
    monkeypatch.setattr(arrays, "_AT_ONCE", 100)
    monkeypatch.setattr(arrays, "_STRIP", 32)
    found = arrays.array_of(image)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype
    assert found.flags.writeable


def test_masks_may_be_as_large_as_large_pictures(tmp_path, monkeypatch):
    # A large picture has a mask of its own size, which is read to be judged again.
    monkeypatch.setattr("segnet_res.images.masks.MAX_PIXELS", 5)
    classes = ClassMap(("sound", "scratch"), ((10, 10, 10), (20, 20, 20)))
    grey, color = tmp_path / "a.png", tmp_path / "b.png"
    Image.fromarray(PAGES[0]).save(grey)
    Image.fromarray(PAGES[0]).convert("RGB").save(color)
    assert read_mask(grey, classes).tolist() == PAGES[0].tolist()
    with pytest.raises(ImageError, match=r"^b.png: the picture is 3x2, more than 0 million pixels"):
        read_mask(color, classes)
