"""How results are called, and targets that would do harm."""

import numpy as np
import pytest
from PIL import Image

from segnet_res.errors import DataError, StorageError, UsageError
from segnet_res.inference.plan import output_stems, plan_jobs


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(path)


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


def test_a_folder_with_subfolders(tmp_path):
    for name in ("b.png", "a/c.png", "a/.hidden.png", "notes.txt"):
        picture(tmp_path / "in" / name) if name != "notes.txt" else None
    jobs = plan_jobs(tmp_path / "in", tmp_path / "out", ["masks", "overlays"])
    assert [job.name for job in jobs] == ["a/c.png", "b.png"]
    assert jobs[0].outputs == {
        "masks": tmp_path / "out" / "masks" / "a" / "c.png",
        "overlays": tmp_path / "out" / "overlays" / "a" / "c.jpg",
    }


def test_one_picture(tmp_path):
    picture(tmp_path / "p.png")
    (job,) = plan_jobs(tmp_path / "p.png", tmp_path / "out", ["masks"])
    assert (job.name, job.outputs["masks"]) == ("p.png", tmp_path / "out" / "masks" / "p.png")


def test_the_target_inside_the_source_is_left_out(tmp_path):
    picture(tmp_path / "a.png")
    picture(tmp_path / "out" / "masks" / "a.png")
    assert [job.name for job in plan_jobs(tmp_path, tmp_path / "out", ["masks"])] == ["a.png"]


def test_targets_that_would_do_harm(tmp_path):
    picture(tmp_path / "masks" / "a.png")
    (tmp_path / "file").write_text("")
    source = tmp_path / "masks"
    with pytest.raises(UsageError, match="source and target are the same folder; give another"):
        plan_jobs(source, tmp_path / "masks" / ".." / "masks", ["masks"])
    with pytest.raises(UsageError, match=r"lies in the folder that the results go to \(.*masks\)"):
        plan_jobs(source, tmp_path, ["masks"])
    with pytest.raises(StorageError, match="file: is a file; give a folder for the results"):
        plan_jobs(source, tmp_path / "file", ["masks"])
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "dataset.yaml").write_text("")
    with pytest.raises(UsageError, match="set: is a dataset, whose masks must not mix"):
        plan_jobs(source, tmp_path / "set", ["masks"])


def test_sources_and_kinds_that_are_missing(tmp_path):
    picture(tmp_path / "a.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="nowhere: no such file or folder; give a picture"):
        plan_jobs(tmp_path / "nowhere", tmp_path / "out", ["masks"])
    with pytest.raises(DataError, match=r"empty: no pictures in this folder; give a folder with"):
        plan_jobs(tmp_path / "empty", tmp_path / "out", ["masks"])
    with pytest.raises(UsageError, match="save is polygons; choose from masks, overlays, conf"):
        plan_jobs(tmp_path / "a.png", tmp_path / "out", ["masks", "polygons"])
    with pytest.raises(UsageError, match="save is empty; choose from masks"):
        plan_jobs(tmp_path / "a.png", tmp_path / "out", [])
