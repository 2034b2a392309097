"""Where pictures come from: a picture, a folder, a glob, a list."""

import os

import pytest

from segnet_res.errors import DataError
from segnet_res.inference.index import Index
from segnet_res.inference.sources import Source
from tests.inference.conftest import make_segmenter, run

NAMES = ["a/c.png", "a/deep/d.JPG", "b.png", "x[1].tif"]


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "in"
    for name in [*NAMES, "a/.hidden.png", ".trash/e.png", "notes.md", "out/masks/b.png"]:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def found(given, target):
    """Return names and files in the order of a run."""
    index = Index()
    index.add(Source(given).find(target))
    return {planned.found.name: planned.found.path for planned in index.pictures()}


def test_a_folder_in_the_order_of_paths_without_the_target(folder):
    assert list(found(folder, folder / "out").items()) == [(n, folder / n) for n in NAMES]


def test_a_picture_of_any_name(folder):
    assert found(folder / "x[1].tif", folder / "out") == {"x[1].tif": folder / "x[1].tif"}
    assert list(found(folder / "notes.md", folder / "out")) == ["notes.md"]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [("a/*.png", ["c.png"]), ("**/*", NAMES), ("?/**/*.JPG", ["a/deep/d.JPG"])],
)
def test_a_glob_names_from_its_fixed_part(folder, pattern, names):
    assert list(found(folder / pattern, folder / "out")) == names


def test_a_glob_follows_no_links_to_folders(folder):
    before = found(folder / "**" / "*.png", folder / "out")
    assert before
    (folder / "loop").symlink_to(folder)
    assert found(folder / "**" / "*.png", folder / "out") == before
    # The part before the first wildcard may be one.
    assert list(found(folder / "loop" / "*.png", folder / "out")) == list(
        found(folder / "*.png", folder / "out")
    )


def test_a_list_with_relative_and_absolute_paths(folder, tmp_path):
    other = tmp_path / "other" / "z.png"
    path = folder / "list.txt"
    path.write_bytes(
        b"\xef\xbb\xbfb.png\r\n\r\na/../a/c.png\nmissing.png\n" + f"{other}\nb.png\n".encode()
    )
    elsewhere = other.as_posix().lstrip("/")
    assert found(path, folder / "out") == {
        "a/c.png": folder / "a/c.png",
        "b.png": folder / "b.png",
        "missing.png": folder / "missing.png",
        elsewhere: other,
    }


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_list_in_utf_16_is_refused(folder, tmp_path, encoding):
    path = folder / "list.txt"
    path.write_bytes("b.png\r\na/c.png\r\n".encode(encoding))
    with pytest.raises(DataError) as error:
        found(path, tmp_path / "out")
    assert str(error.value) == (
        f"{path}: cannot be read (it holds zero bytes, as UTF-16 does); save it as UTF-8 text"
    )


def test_two_files_of_a_list_that_would_be_called_alike(folder, tmp_path):
    path = folder / "list.txt"
    path.write_text(f"{tmp_path.as_posix().lstrip('/')}/q.png\n{tmp_path}/q.png\n")
    with pytest.raises(DataError, match=r"q\.png: its results would be called like those of .*q"):
        found(path, folder / "out")


def test_sources_without_pictures(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "list.txt").write_text("\n\n")
    with pytest.raises(DataError, match="nowhere: no such file or folder; give a picture, a fol"):
        Source(tmp_path / "nowhere")
    for given, message in {
        tmp_path / "empty": "empty: no pictures in this folder; give a folder with files ending",
        tmp_path / "list.txt": "list.txt: lists no pictures; write one path a line",
        folder / "*.gif": r"\*\.gif: no pictures match; check the pattern",
    }.items():
        assert found(given, tmp_path / "out") == {}
        with pytest.raises(DataError, match=message):
            raise Source(given).nothing()


def test_a_list_that_names_what_is_no_file(folder, tmp_path):
    os.mkfifo(folder / "pipe.png")
    (folder / "list.txt").write_text("a\n/dev/zero\npipe.png\n")
    results = run(make_segmenter(), folder / "list.txt", tmp_path / "out")
    assert {result.error for result in results.values()} == {
        "is a folder or a device; give pictures only"
    }
    # Of a folder they are no pictures at all.
    (folder / "a/c.png").unlink()
    os.mkfifo(folder / "a/c.png")
    assert "a/c.png" not in found(folder, folder / "out")
