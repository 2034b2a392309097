"""How results are called, and targets that would do harm."""

import random

import pytest

from segnet_res.errors import StorageError, UsageError
from segnet_res.inference.index import Index
from segnet_res.inference.outputs import check_kinds
from segnet_res.inference.plan import check_target, output_stems
from segnet_res.inference.sources import Found, Source


def indexed(names):
    """Return the stems that a run gives to pictures of these names."""
    index = Index()
    index.add(Found(name, name) for name in names)
    index.name_results()
    return {planned.found.name: planned.stem for planned in index.pictures()}


@pytest.mark.parametrize(
    ("names", "stems"),
    [
        (["a.jpg", "b.png"], ["a", "b"]),
        (["a.jpg", "a.png"], ["a.jpg", "a.png"]),
        (["x/a.jpg", "y/a.png"], ["x/a", "y/a"]),
        (["a.JPG", "a.jpg"], ["a.JPG", "a.jpg"]),
        (["a.b.jpg", "a.c.jpg"], ["a.b", "a.c"]),
        (["a.jpg", "a.jpg.png"], ["a", "a.jpg"]),
        (["a.jpg", "a.jpg.png", "a.png"], ["a.jpg", "a.jpg.png", "a.png"]),
        (["a.bmp", "a.jpg", "a.jpg.png", "a.jpg.png.tif"], ["a.bmp", "a.jpg", "a.jpg.png", "?"]),
        (["A.jpg", "a.png"], ["A", "a"]),
        (["x.y/a"], ["x.y/a"]),
    ],
)
def test_stems(names, stems):
    found = output_stems(names)
    assert len(set(found)) == len(found)
    expected = [name if stem == "?" else stem for name, stem in zip(names, stems, strict=True)]
    assert found == expected
    assert indexed(names) == dict(zip(names, expected, strict=True))


@pytest.mark.parametrize("seed", range(20))
def test_a_run_names_results_as_the_page_does(seed):
    choose = random.Random(seed)
    parts = ["a", "b", ".png", ".jpg", ".png.jpg", ".tif"]
    names = sorted({"a" + "".join(choose.choices(parts, k=choose.randint(1, 4))) for _ in range(9)})
    expected = dict(zip(names, output_stems(names), strict=True))
    assert indexed(names) == expected
    # One after the other, as they arrive in a hot folder.
    index, now = Index(), {}
    for name in choose.sample(names, len(names)):
        now |= {p.found.name: p.stem for p in index.insert(Found(name, name))}
    assert now == expected


def test_targets_that_would_do_harm(tmp_path):
    (tmp_path / "masks").mkdir()
    (tmp_path / "file").write_text("")
    source, kinds = Source(tmp_path / "masks"), check_kinds(["masks"])
    with pytest.raises(UsageError, match="source and target are the same folder; give another"):
        check_target(source, tmp_path / "masks" / ".." / "masks", kinds)
    with pytest.raises(UsageError, match=r"lies in the folder that the results go to \(.*masks\)"):
        check_target(source, tmp_path, kinds)
    for place in (tmp_path, tmp_path / "masks"):
        with pytest.raises(UsageError, match=r"\*\.png: lies in the folder that the results go to"):
            check_target(Source(tmp_path / "masks" / "*.png"), place, kinds)
    with pytest.raises(StorageError, match="file: is a file; give a folder for the results"):
        check_target(source, tmp_path / "file", kinds)
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "dataset.yaml").write_text("")
    with pytest.raises(UsageError, match="set: is a dataset, whose masks must not mix"):
        check_target(source, tmp_path / "set", kinds)
