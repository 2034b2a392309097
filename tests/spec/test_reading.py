"""What a file of limits may say wrong, and what is told of it."""

import copy
import json
import random
from decimal import Decimal

import pytest

from segnet_res.errors import SpecError
from segnet_res.spec import Spec
from segnet_res.spec.strict_yaml import MAX_LENGTH


def problems(text):
    with pytest.raises(SpecError) as caught:
        Spec.parse(text)
    return list(caught.value.problems)


def test_everything_is_told_at_once():
    assert problems(
        """
mm_per_pixel: 0
picture: {width: 0, high: 3}
limits: {}
classes:
  crack: {max_count: few, max_area: 0.8, max_length: 1.5 mm2, max_depth: 1 mm}
  fray: 3
total: {max_share: 0.01, max_length: 3 px}
ignore:
  - {name: clamp}
  - {polygon: [[1, 2], [3, 4]]}
  - rectangle: {left: -1, top: 0, width: 0, height: 5}
"""
    ) == [
        "the file has an unknown key 'limits'; known are title, mm_per_pixel, picture, classes, "
        "others, total, ignore",
        "mm_per_pixel is '0'; write how many millimetres a pixel is wide, like 0.02",
        "picture has an unknown key 'high'; known are width, height",
        "picture.width is '0'; write a whole number from 1 to 999999",
        "picture.height is missing; write a whole number from 1 to 999999",
        "classes.crack has an unknown key 'max_depth'; known are max_count, max_area, max_length, "
        "max_total_area, max_share",
        "classes.crack.max_count is 'few'; write a whole number from 0 to 999999",
        "classes.crack.max_area is '0.8'; write a number with its unit, like 40 px or 0.8 mm2",
        "classes.crack.max_length is '1.5 mm2'; write a number with its unit, like 40 px or 1.5 mm",
        "classes.fray is '3'; write keys and values, or {} for no limit",
        "total has an unknown key 'max_length'; known are max_count, max_total_area, max_share",
        "total.max_share is '0.01'; write a number with its unit, like 1 %",
        "ignore[1] needs a rectangle or a polygon; write one of them",
        "ignore[2].polygon is a list of 2; write at least three corners in whole pixels, like "
        "[[0, 0], [99, 0], [0, 49]]",
        "ignore[3].rectangle.left is '-1'; write a whole number from 0 to 999999",
        "ignore[3].rectangle.width is '0'; write a whole number from 1 to 999999",
    ]


def test_of_very_many_problems_the_first_are_told():
    text = "classes:\n" + "".join(f"  c{i}: {{max_count: x}}\n" for i in range(1500))
    found = problems(text)
    assert len(found) == 21
    assert found[-1] == "and 1,480 more; correct these first"
    with pytest.raises(SpecError, match=r"^limits: 1,500 things to correct: \(1\) classes\.c0"):
        Spec.parse(text)


@pytest.mark.parametrize(
    "amount",
    ["-1 px", "1e3 px", ".5 px", "1,5 px", "inf px", "nan px", "1 inch", "1 px px", "1 PX", "",
     "1.0000001 px", "1234567890 px", "٣ px"],
)  # fmt: skip
def test_amounts_that_are_none(amount):
    assert len(problems(f'classes: {{crack: {{max_area: "{amount}"}}}}')) == 1


def test_shares_beyond_the_whole_are_none():
    assert problems("total: {max_share: 101 %}") == [
        "total.max_share is '101 %'; write a number with its unit, like 1 %"
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "holds no keys; write limits like `classes: {crack: {max_count: 0}}`"),
        ("- a", "holds no keys; write limits like `classes: {crack: {max_count: 0}}`"),
        ("title: x", "sets no limit; write one like `classes: {crack: {max_count: 0}}`"),
        ("others: {}", "sets no limit; write one like `classes: {crack: {max_count: 0}}`"),
        ("classes:", "classes is empty; write keys and values, or {} for no limit"),
        ("ignore: 3", "ignore is '3'; write a list of zones, like `- rectangle: {left: 0, top: 0, "
         "width: 100, height: 50}`"),
        ("title: [a]\ntotal: {max_count: 0}", "title is a list of 1; write one line of text"),
        ('title: "a\\nb"\ntotal: {max_count: 0}', r"title is 'a\nb'; write one line of text"),
        ('classes: {"a\\x85": {max_count: 0}}', r"a class is 'a\x85'; write one line of text"),
        ("classes: {a: {max_length: 1 mm}}", "max_length is in mm, but the size of a pixel is not "
         "known; add it, like `mm_per_pixel: 0.02`, or give limits in px"),
    ],
)  # fmt: skip
def test_single_problems(text, problem):
    assert problems(text) == [problem]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("classes: {a: {max_count: 0}, a: {}}", "line 1: 'a' is there twice"),
        ("total: {}\n\ntotal: {}", "line 3: 'total' is there twice"),
        ("a: &x {}\nb: *x", r"line 2: aliases \(\*\) are not read"),
        ("total: {max_count: 1", "line 1: expected ',' or '}'"),
        ("? [a]\n: b", "line 1: a key must be a plain word"),
        ("a: 1\n---\nb: 2", "line 2: but found another document"),
        ("[" * 5000, "it is nested too deeply"),
        ("a: " + "[" * 30 + "]" * 30, "it is nested too deeply"),
        ("a: \x00", "it holds characters that no text has"),
        ("#" * (MAX_LENGTH + 1), "100,001 characters are more than 100,000"),
    ],
)  # fmt: skip
def test_what_is_no_yaml(text, why):
    with pytest.raises(SpecError, match=rf"limits: not valid YAML \({why}"):
        Spec.parse(text)


def test_scalars_stay_as_they_are_written():
    spec = Spec.parse("classes: {no: {max_count: 0}, 1.10: {max_count: 0}, null: {max_count: 1}}")
    assert list(spec.classes) == ["no", "1.10", "null"]
    assert Spec.parse(spec.to_yaml()) == spec


def test_tags_construct_nothing():
    spec = Spec.parse(
        "title: !!python/object/apply:os.getcwd []\ntotal: {max_count: 0}".replace("[]", "x")
    )
    assert spec.title == "x"


def test_dictionaries_may_hold_numbers():
    content = {"mm_per_pixel": 0.02, "classes": {"crack": {"max_count": 2, "max_length": "3 mm"}}}
    spec = Spec.from_dict(content)
    assert [float(limit.amount) for limit in spec.classes["crack"]] == [2, 3]
    for wrong in (True, None, 1.5, [1], {}):
        with pytest.raises(SpecError, match="max_count is "):
            Spec.from_dict({"classes": {"crack": {"max_count": wrong}}})


@pytest.mark.parametrize("text", ["0.00002", "0.000012", "0.000001"])
def test_pixels_of_nanometres_come_back(text):
    spec = Spec.parse(f"mm_per_pixel: {text}\nclasses: {{crack: {{max_count: 2}}}}")
    assert spec.mm_per_pixel == Decimal(text)
    for again in (Spec.parse(spec.to_yaml()), Spec.from_dict(spec.to_dict())):
        assert again.mm_per_pixel == spec.mm_per_pixel
        assert again.digest == spec.digest


FULL = """
title: ring
mm_per_pixel: 0.02
picture: {width: 8, height: 5}
classes: {crack: {max_count: 1, max_area: 0.8 mm2}, fray: {max_share: 0.5 %}}
others: {max_count: 0}
total: {max_total_area: 40 px}
ignore:
  - {name: clamp, rectangle: {left: 0, top: 0, width: 2, height: 5}}
  - polygon: [[1, 1], [7, 1], [1, 4]]
"""


def places(content, path=()):
    """Yield the path to every value of nested dictionaries and lists."""
    items = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in items:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


@pytest.mark.parametrize("seed", range(100))
def test_whatever_is_in_it_it_is_read_or_refused(seed):
    texts = ["", "x", "3", "2.5 mm", "7 %", "\ud800", "\x85", b"x"]
    lists = [[], {}, [[1, 2], [3, 4], [5, 6]], {"max_count": 1}]
    values = [*texts, *lists, None, True, 0, -1, 0.5, 1e300, float("nan"), 10**30]
    chance = random.Random(seed)
    content = Spec.parse(FULL).to_dict()
    for _ in range(chance.randint(1, 3)):
        *path, last = chance.choice(list(places(content)))
        inner = content
        for key in path:
            inner = inner[key]
        inner[last] = copy.deepcopy(chance.choice(values))
    try:
        spec = Spec.from_dict(content)
    except SpecError:
        return
    assert Spec.parse(spec.to_yaml()) == spec
    assert Spec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


@pytest.mark.parametrize("seed", range(50))
def test_whatever_is_typed_it_is_read_or_refused(seed):
    chance = random.Random(seed)
    text = list(FULL)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(text))
        typed = chance.choices("{}[]:,-#&*!|>'\"%@ \n\t0.mé\0", k=2)
        text[place : place + chance.randint(0, 8)] = typed
    try:
        spec = Spec.parse("".join(text))
    except SpecError:
        return
    assert Spec.parse(spec.to_yaml()) == spec
