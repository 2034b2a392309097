"""The report to look at: what it tells, whom it trusts, and how large it gets."""

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segnet_res.checkpoint import Metadata
from segnet_res.classes import ClassMap
from segnet_res.conditions import Conditions, KnownConditions
from segnet_res.errors import DataError, StorageError, UsageError
from segnet_res.inference.html import check_html, write_html
from segnet_res.inference.html.tally import Course, Tally
from segnet_res.inference.html.thumbnails import _scaled, thumbnail

EVIL = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'
CLASSES = ClassMap(("sound", "dent", EVIL), ((60, 64, 72), (255, 0, 0), (0, 0, 255)))
CONDITIONS = Conditions(100.0, 30.0, 0.8, 2.0, 64, 48)
METADATA = Metadata(
    "ressegnet-tiny",
    CLASSES,
    1,
    (100.0,),
    (30.0,),
    data={"name": "tiles", "images": 759},
    scores={"miou": 0.395},
    created="2026-01-02T03:04:05+00:00",
    licence="for tests",
    conditions=KnownConditions.of([CONDITIONS] * 20),
)
SPEC = {
    "name": "limits.yaml",
    "sha256": "ab" * 32,
    "content": {"title": "Ring 608", "classes": {"dent": {"max_count": 0}}},
}
HEADER = {
    "run": "r1",
    "started": "2026-03-05T21:07:33+00:00",
    "version": "1.2.3",
    "source": "/photos/night",
    "checkpoint": {"name": "tiles.safetensors", "sha256": "cd" * 32},
    "settings": {"tile": 1024, "flips": False},
    "spec": SPEC,
    "classes": CLASSES.to_dict(),
}


def row(name="a.jpg", dent=0, evil=0, **changed):
    """A line of the manifest about a part of 1000 pixels."""
    classes = {
        "sound": {"pixels": 1000 - dent - evil, "regions": 0},
        "dent": {"pixels": dent, "regions": min(dent, 2)},
        EVIL: {"pixels": evil, "regions": min(evil, 1)},
    }
    return {
        **{"path": name, "status": "ok", "error": None, "notes": [], "width": 40, "height": 25},
        **{"confidence": 0.93, "classes": classes, "conditions": CONDITIONS.to_dict()},
        "verdict": "fail" if dent else "pass",
        "reasons": [f"dent: {min(dent, 2)} regions, none is allowed."] if dent else [],
        **{"outputs": {}, "seconds": 0.5, "time": "2026-03-05T22:00:00+00:00"},
    } | changed


class Page(HTMLParser):
    """The texts of a report by section, and all its elements."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts, self.images = [], {"": ""}, []
        self._section = ""
        self._open = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag == "img":
            self.images.append(dict(attributes)["src"])
        if tag not in ("meta", "img", "wbr"):
            self._open.append(tag)
        if tag == "h2":
            self._section = None

    def handle_endtag(self, tag):
        assert self._open.pop() == tag
        if tag == "p" or tag == "td" or tag == "li":
            self.texts[self._section] += "|"

    def handle_data(self, data):
        if self._open[-1:] == ["style"]:
            return
        if self._section is None:
            self._section = data
            self.texts[data] = ""
        else:
            self.texts[self._section] += data


def report(tmp_path, rows, header=HEADER, **options):
    path = tmp_path / "report.html"
    arguments = {"target": tmp_path, "picture_of": lambda _: None, "metadata": METADATA}
    write_html(path, iter(rows), header, **(arguments | options))
    return path.read_text(encoding="utf-8")


def failed(name, error="the file is damaged; copy it again"):
    return {"path": name, "status": "failed", "error": error, "time": "2026-03-05T23:30:00+00:00"}


def test_the_summary_counts_and_the_sections_tell(tmp_path):
    rows = [row("good.jpg"), row("bad.jpg", dent=30), failed("broken.png")]
    rows.append(row("odd.jpg", notes=["first of 3 pages"]))
    page = Page(report(tmp_path, rows, seconds=3725.0))
    summary = page.texts[""]
    assert "Inspection of Ring 608" in summary
    assert "2026-03-05 22:00 UTC to 2026-03-05 23:30 UTC" in summary
    for fact in ("Pictures4", "Passed2", "Failed1", "Pass rate66.7 %", "Without a result1"):
        assert fact in summary
    assert "dent|1|2|30|1 %|1|" in page.texts["Classes"]
    assert "sound|3||2,970|99 %||" in page.texts["Classes"]
    assert page.texts["Parts that fail"].startswith("PictureWhybad.jpg|dent: 2 regions, none is")
    assert "bad.jpgfailed|dent: 2 regions, none is allowed.|defects on 3 % of the area" in (
        page.texts["Worst parts"].replace("\u00a0", " ")
    )
    assert "broken.png|the file is damaged" in page.texts["Pictures without a result"]
    assert "odd.jpg|first of 3 pages|" in page.texts["Notes"]
    assert "limits.yaml" in page.texts["Limits"]
    assert "max_count: 0" in page.texts["Limits"]
    model = page.texts["Model and run"].replace("|", "; ")
    for fact in (
        *("tiles.safetensors", "cd" * 32, "ressegnet-tiny", "tiles, 759 pictures", "39.5 %"),
        *("segnet_res 1.2.3", "tile 1024, flips no", "1 h 2 min 5 s", "1.5 s", "for tests"),
    ):
        assert fact in model
    assert "20 training pictures" in page.texts["Conditions of the pictures"]


def test_without_limits_nothing_is_called_passed(tmp_path):
    rows = [row("a.jpg", dent=5, verdict=None, reasons=[]), row("b.jpg", verdict=None)]
    page = Page(report(tmp_path, rows, HEADER | {"spec": None}, metadata=None))
    assert "Inspection of night" in page.texts[""]
    assert "No limits were given, so no part was judged." in page.texts[""]
    assert "Passed" not in page.texts[""]
    assert not {"Limits", "Parts that fail", "Notes"} & page.texts.keys()
    assert "a.jpgdent: 5 pixels|" in page.texts["Worst parts"]
    assert "does not know the conditions" in page.texts["Conditions of the pictures"]


def test_a_run_without_any_picture(tmp_path):
    page = Page(report(tmp_path, []))
    assert "Pictures0" in page.texts[""]
    assert "Nothing was found on any part." in page.texts["Worst parts"]
    assert "Charts" not in page.texts


def test_warnings_stand_at_the_top(tmp_path):
    page = Page(report(tmp_path, [row()], warnings=["noise is 9: gain or exposure time?"]))
    assert "Noise is 9: gain or exposure time?|" in page.texts[""]


def test_names_are_text_wherever_they_stand(tmp_path):
    names = {"source": EVIL, "run": EVIL, "version": EVIL, "settings": {EVIL: EVIL}}
    spec = SPEC | {"name": EVIL, "content": {"title": EVIL, "others": {EVIL: 1}}}
    header = HEADER | names | {"spec": spec, "checkpoint": {"name": EVIL, "sha256": EVIL}}
    rows = [
        row(EVIL, dent=9, reasons=[f"{EVIL}: 1 region, none is allowed."], notes=[EVIL]),
        failed(f"broken/{EVIL}", EVIL),
    ]
    page = Page(report(tmp_path, rows, header, warnings=[EVIL]))
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "img", "iframe", "link", "a", "object", "base"}
    assert not [
        name for _, attributes in page.elements for name in attributes if name.startswith("on")
    ]
    for title, text in page.texts.items():
        if title not in ("Charts", "Conditions of the pictures"):
            assert EVIL in text.replace("|", ""), title
    policies = [found for tag, found in page.elements if found.get("http-equiv")]
    assert policies[0]["content"] == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_names_that_are_not_utf8_and_control_characters(tmp_path):
    text = report(tmp_path, [row("a\udcff\x1b[31m\u202egpj.exe", dent=1)])
    assert "a\ufffd\ufffd[31m\u202egpj.exe" in text
    # What turns the direction of writing ends with the name.
    assert re.search("<bdi>a\ufffd\ufffd[^<]*</bdi>", text)


def test_nothing_is_fetched(tmp_path):
    text = report(tmp_path, [row(dent=3)])
    assert "http://" not in text
    assert "https://" not in text
    assert "url(" not in text
    assert "@import" not in text


def test_the_size_does_not_grow_with_the_number_of_pictures(tmp_path):
    def rows(count):
        for i in range(count):
            yield row(f"{i:06}.jpg", dent=i % 7, notes=["said"])
            yield failed(f"{i:06}.png")

    few, many = report(tmp_path, rows(1000)), report(tmp_path, rows(8000))
    assert len(many) < 1.02 * len(few)
    page = Page(many)
    assert (
        f"and {8000 - 1143 - 300:,} more; the manifest lists all."
        in (page.texts["Parts that fail"])
    )
    assert "and 7,700 more" in page.texts["Pictures without a result"]


def test_parts_that_fail_come_first_and_classes_take_turns():
    tally = Tally(CLASSES)
    for i in range(15):
        tally.add(row(f"dent{i}", dent=100 + i))
    for i in range(15):
        tally.add(row(f"passes{i}", evil=900 + i))
    tally.add(row("evil", evil=2, verdict="fail", reasons=[f"{EVIL}: 1 region, none is allowed."]))
    tally.add(row("sound"))
    worst = [found["path"] for found in tally.worst()]
    assert worst[:4] == ["dent14", "evil", "dent13", "dent12"]
    assert worst[15:] == ["dent0", *(f"passes{14 - i}" for i in range(8))]


def test_a_part_that_another_checkpoint_segmented_is_not_called_defective():
    tally = Tally(CLASSES)
    tally.add(row("other", classes={"road": {"pixels": 900}, "dent": {"pixels": 100}}))
    tally.add(row("dent", dent=100))
    # By how unsure it is, not as if it were defective everywhere.
    assert [found["path"] for found in tally.worst()] == ["dent", "other"]
    assert tally.defects(row(dent=100)) == pytest.approx(0.1)
    assert tally.defects(row(classes={"road": {"pixels": 900}})) is None


def test_without_background_the_least_confident_are_worst(tmp_path):
    classes = ClassMap.from_names(["road", "sky"])
    found = {"classes": {"road": {"pixels": 5, "regions": 1}}, "verdict": None}
    rows = [row(str(sure), confidence=sure, **found) for sure in (0.9, 0.4, 0.7)]
    page = Page(report(tmp_path, rows, HEADER | {"spec": None, "classes": classes.to_dict()}))
    text = page.texts["The least sure results"]
    assert text.startswith("The mean confidence decides.|")
    assert re.findall("confidence ([0-9.]+)", text) == ["0.40", "0.70", "0.90"]
    assert "Worst parts" not in page.texts


def test_a_course_keeps_the_means_of_equal_groups():
    course = Course()
    for i in range(10_000):
        course.add(float(i))
    means = course.means()
    assert 30 <= len(means) <= 60
    # Groups of 256 and a rest.
    assert means[:2] == [127.5, 383.5]


def test_rows_of_other_versions_are_taken_as_far_as_they_tell(tmp_path):
    bare = {"path": "a.jpg", "status": "ok"}
    odd = row("b.jpg", conditions={"hue": 3}, confidence=None, classes={"rust": {"pixels": 3}})
    page = Page(report(tmp_path, [bare, odd]))
    assert "Pictures2" in page.texts[""]


def test_a_header_without_classes_is_refused(tmp_path):
    with pytest.raises(DataError, match="no list of classes found"):
        report(tmp_path, [], HEADER | {"classes": {}})
    assert not (tmp_path / "report.html").exists()


def pixels_of(address):
    start = "data:image/jpeg;base64,"
    assert address.startswith(start)
    with Image.open(io.BytesIO(base64.b64decode(address[len(start) :]))) as image:
        return np.asarray(image.convert("RGB")).astype(int)


@pytest.fixture
def part(tmp_path):
    """A large part with a dent of one pixel, its row, and its photograph."""
    labels = np.zeros((600, 1440), np.uint8)
    labels[300, 720] = 1
    outputs = {}
    for kind, suffix, pixels in (
        ("masks", "png", labels),
        ("overlays", "jpg", np.full((600, 1440, 3), 30, np.uint8)),
    ):
        path = tmp_path / kind / f"a.{suffix}"
        path.parent.mkdir()
        Image.fromarray(pixels).save(path)
        outputs[kind] = {"path": f"{kind}/a.{suffix}", "sha256": "0" * 64}
    picture = tmp_path / "a.jpg"
    Image.fromarray(np.full((600, 1440), 120, np.uint8)).save(picture)
    return row(dent=1, outputs=outputs), picture


def test_a_single_defective_pixel_is_seen_on_the_thumbnail(part, tmp_path):
    found = pixels_of(thumbnail(part[0], tmp_path, part[1], CLASSES))
    assert found.shape == (200, 480, 3)
    # The pixel is at (240, 100): reddish, and a frame around it of white on black.
    assert found[100, 240, 0] > found[100, 240, 2] + 20
    assert found[90:112, 230:252].max() > 200
    assert found[90:112, 230:252].min() < 60
    assert np.abs(found[20:60, 20:60] - 120).max() < 6


@pytest.mark.parametrize("place", [(0, 0), (4999, 7000), (2500, 3333)])
def test_no_region_is_too_small_for_a_thumbnail(place):
    labels = np.zeros((5000, 7001), np.uint8)
    labels[place] = 1
    found = _scaled(np.full((5000, 7001, 3), 120, np.uint8), labels, CLASSES)
    red, _, blue = np.moveaxis(found.astype(int), 2, 0)
    assert 1 <= (red > blue + 50).sum() <= 4


@pytest.mark.parametrize(
    ("missing", "grey"),
    [((), 120), (("a.jpg",), 30), (("a.jpg", "overlays/a.jpg"), 96)],
    ids=["photograph", "overlay", "mask"],
)
def test_thumbnails_take_what_is_there(part, tmp_path, missing, grey):
    for name in missing:
        (tmp_path / name).write_bytes(b"damaged")
    found = pixels_of(thumbnail(part[0], tmp_path, part[1], CLASSES))
    assert np.abs(found[20:60, 20:60] - grey).max() < 6


def test_a_photograph_of_another_size_is_not_painted(part, tmp_path):
    Image.fromarray(np.full((30, 30), 200, np.uint8)).save(part[1])
    found = pixels_of(thumbnail(part[0], tmp_path, part[1], CLASSES))
    assert np.abs(found[20:60, 20:60] - 30).max() < 6


def test_too_large_to_be_shown_small(part, tmp_path, monkeypatch):
    monkeypatch.setattr("segnet_res.inference.html.thumbnails._MOST_PIXELS", 1000)
    found = pixels_of(thumbnail(part[0], tmp_path, part[1], CLASSES))
    assert np.abs(found - 30).max() < 6


def test_no_picture_at_hand(tmp_path):
    assert thumbnail(row(dent=1), tmp_path, None, CLASSES) is None
    page = Page(report(tmp_path, [row(dent=1)]))
    assert page.images == []
    assert "no picture at hand" in page.texts["Worst parts"]


def test_thumbnails_are_in_the_page(part, tmp_path):
    page = Page(report(tmp_path, [part[0]], picture_of=lambda _: part[1]))
    (address,) = page.images
    assert pixels_of(address).shape == (200, 480, 3)


def test_reports_that_cannot_be_written_are_refused_before_the_work(tmp_path):
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "thesis.html").write_text("<html><title>mine</title></html>")
    check_html(tmp_path / "r.html", source, target)
    check_html(source / "out" / "r.htm", source, source / "out")
    # An earlier report is replaced, and a file without content.
    report(tmp_path, [row()]), (tmp_path / "empty.html").touch()
    check_html(tmp_path / "report.html", source, target)
    check_html(tmp_path / "empty.html", source, target)
    for path, kind, message in (
        (
            tmp_path / "thesis.html",
            StorageError,
            f"{tmp_path / 'thesis.html'}: exists and is no report of a run; "
            "give the report another name, or move the file away",
        ),
        (Path("r.pdf"), UsageError, "r.pdf: a report to look at ends in .html; choose such a name"),
        (
            tmp_path / "folder.html",
            StorageError,
            f"{tmp_path / 'folder.html'}: is a folder; give the report another name",
        ),
        (
            source / "r.html",
            UsageError,
            f"{source / 'r.html'}: lies among the pictures of {source}, where nothing is written; "
            f"put the report into {target}",
        ),
    ):
        with pytest.raises(kind) as caught:
            check_html(path, source, target)
        assert str(caught.value) == message
