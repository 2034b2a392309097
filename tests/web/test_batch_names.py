"""Names in a zip: below its folder, writable everywhere, and never the same twice."""

import pytest

from segnet_res.inference.plan import output_stems
from segnet_res.web.batch_names import result_stems, safe_path, shown_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("part 7.png", "part 7.png"),
        ("a/b/c.jpg", "a/b/c.jpg"),
        ("Prüfling ß.png", "Prüfling ß.png"),
        ("../../etc/passwd.png", "etc/passwd.png"),
        ("/root.png", "root.png"),
        ("C:\\Users\\x.png", "C__Users_x.png"),
        ("a/./..//b.png", "a/b.png"),
        ('<img src=x onerror="1">.png', "_img src=x onerror=_1__.png"),
        ("nul.png", "_nul.png"),
        ("COM1", "_COM1"),
        ("console.png", "console.png"),
        ("end. . ", "end"),
        ("a\nb\x00c\u202egnp.exe", "a_b_c_gnp.exe"),
        ("", "picture"),
        (" /..", "picture"),
    ],
)
def test_names_become_safe_paths(name, expected):
    assert safe_path(name) == expected


@pytest.mark.parametrize("letter", ["x", "ü", "部", "\N{GRINNING FACE}"])
def test_long_names_keep_their_suffix_and_fit(letter):
    path = safe_path(f"{letter * 500}.png")
    assert path.endswith(".png")
    assert 170 < len(path.encode()) <= 180
    assert safe_path("/".join("abcdefghijklmnopqrst")).count("/") == 15


def test_bytes_that_are_no_text_do_not_reach_the_browser():
    assert shown_name(b"a\xff.png".decode(errors="surrogateescape")) == "a_.png"


def test_results_are_called_as_predict_calls_them():
    names = ["x/a.jpg", "x/b.jpg", "x/b.png", "plain", "y/a.jpg.png"]
    assert result_stems(names) == output_stems(names)


def test_results_never_meet():
    assert result_stems(["a.png", "a.png", "A.png", "a (2).png"]) == [
        "a", "a (2)", "A (3)", "a (2) (2)",
    ]  # fmt: skip
    assert result_stems(["?.png", "*.png"]) == ["_", "_ (2)"]
