"""Rows of a batch: what is measured, filtered, sorted and shown."""

import numpy as np
import pytest

from segnet_res.classes import CAMVID, ClassMap
from segnet_res.web.batch_table import MAX_PAGE_ROWS, Row, View, counts, measured
from segnet_res.web.judging import Judge

CLASSES = ClassMap.from_names(["sound", "scratch", "dent"])

ROWS = [
    Row(0, "b/Two.png", "defective", shares=(0.7, 0.1, 0.2), defects=0.3, confidence=0.9),
    Row(1, "a/one.png", "sound", shares=(1.0, 0.0, 0.0), defects=0.0, confidence=0.5),
    Row(2, "c/three.png", "failed", error="the file is empty"),
    Row(3, "d/ÜBER.png", "defective", shares=(0.6, 0.4, 0.0), defects=0.4, confidence=0.7),
]


def limit(percent):
    return Judge.from_untrusted({"limits": {"share": percent}})


def numbers(**view):
    return [row.number for row in View(**view).select(ROWS)]


def test_areas_and_regions_worked_out_by_hand():
    labels = np.array([[1, 0, 1, 1], [0, 0, 0, 0], [2, 2, 0, 255]], np.uint8)
    row = measured(Row(4, "x.png", size=(3, 4)), labels, CLASSES, limit(50))
    # Eleven pixels are labelled; scratch is one pixel and two, dent one region of two.
    assert row.shares == (6 / 11, 3 / 11, 2 / 11)
    assert row.defects == 5 / 11
    assert (row.regions, row.largest) == ((0, 2, 1), (0, 2, 2))
    assert row.state == "sound"
    assert measured(row, labels, CLASSES, limit(40)).state == "defective"


def test_nothing_found_is_no_defect_at_all_however_shares_are_rounded():
    row = measured(Row(0, "x"), np.zeros((7, 3), np.uint8), CLASSES, limit(0))
    assert row.defects == 0.0
    assert row.state == "sound"


def test_without_a_background_there_is_no_verdict():
    row = measured(Row(0, "x"), np.zeros((2, 2), np.uint8), CAMVID, limit(0))
    assert row.state == "unjudged"
    assert row.defects is None


def test_rows_are_counted_by_state():
    assert counts(ROWS) == {"all": 4, "defective": 2, "sound": 1, "unjudged": 0, "failed": 1}
    assert counts([])["all"] == 0


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        ({}, [0, 1, 2, 3]),
        ({"state": "defective"}, [0, 3]),
        ({"text": "tWo"}, [0]),
        ({"text": "über"}, [3]),
        ({"text": "/o"}, [1]),
        ({"state": "sound", "text": "two"}, []),
        ({"order": "name"}, [1, 0, 2, 3]),
        ({"order": "worst"}, [3, 0, 1, 2]),
        ({"order": "unsure"}, [1, 3, 0, 2]),
        ({"order": "class 2"}, [0, 1, 3, 2]),
        ({"order": "class 9"}, [0, 1, 2, 3]),
        ({"order": "class ²"}, [0, 1, 2, 3]),
    ],
)
def test_rows_are_filtered_and_sorted(view, expected):
    assert numbers(**view) == expected


def test_pages_end_where_the_rows_end():
    rows = [Row(i, f"{i}.png") for i in range(7)]
    pages = [View(offset=offset, count=3).page(rows) for offset in (0, 3, 6, 7, 99)]
    assert [offset for offset, _ in pages] == [0, 3, 6, 6, 6]
    assert [row.number for row in pages[1][1]] == [3, 4, 5]
    assert [row.number for row in pages[4][1]] == [6]
    # A page that begins in the middle of another would repeat rows.
    assert View(offset=4, count=3).page(rows)[0] == 3
    assert View(offset=50, count=3).page([]) == (0, [])


def test_a_view_takes_nothing_on_trust():
    for content in (None, [], "x", {"state": 7, "text": [], "order": {}, "offset": "1"}):
        assert View.from_untrusted(content) == View()
    view = View.from_untrusted(
        {"state": "sound", "text": f" {'x' * 900}", "offset": -4, "count": 10**12}
    )
    assert (view.state, len(view.text), view.offset) == ("sound", 200, 0)
    assert view.count == MAX_PAGE_ROWS
    assert View.from_untrusted({"offset": True, "count": 0}) == View(count=1)
