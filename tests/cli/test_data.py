from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from segnet_res.cli import app
from segnet_res.data import load_info
from segnet_res.data.dataset import read_split


@pytest.fixture
def source(tmp_path):
    root = tmp_path / "export"
    rng = np.random.default_rng(0)
    for i in range(4):
        for folder in ("images", "masks"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (30, 40), np.uint8)).save(root / f"images/c{i}.png")
        Image.fromarray(np.eye(30, 40, dtype=np.uint8)).save(root / f"masks/c{i}.png")
    return root


def test_import_prints_the_shares(runner, source, tmp_path):
    result = runner.invoke(
        app, ["data", "import", "folder", str(source), str(tmp_path / "out"), "--names", "a,dent"]
    )
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines()]
    # 30 of 1200 pixels of each picture are a dent.
    assert ["dent", "2.500", "%", "2.500", "%"] in lines
    assert ["pictures", "3", "1"] in lines
    assert read_split(tmp_path / "out", "val")


def test_import_options(runner, source, tmp_path):
    result = runner.invoke(
        app,
        ["data", "import", "folder", str(source), str(tmp_path / "out"), "--group", "c[01]|c[23]",
         "--fractions", "0.5,0.5", "--seed", "4", "--channels", "3"],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "note: named the classes class_0 to class_1 after the labels" in result.stderr
    assert len(read_split(tmp_path / "out", "train")) == 2


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--channels", "2"], "--channels is 2; give 1 for grey or 3 for RGB"),
        (["--split", "all"], "split is 'all'; the splits are train, val, test"),
        (["--fractions", "1,1"], "fractions sum to 2; make them sum to 1"),
        (["--group", "("], "not a regular expression"),
    ],
)
def test_import_errors_are_one_line(runner, source, tmp_path, options, expected):
    result = runner.invoke(
        app, ["data", "import", "folder", str(source), str(tmp_path / "out"), *options]
    )
    assert result.exit_code == 2
    assert expected in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_unknown_format(runner, source, tmp_path):
    result = runner.invoke(app, ["data", "import", "kitti", str(source), str(tmp_path / "out")])
    assert result.exit_code == 2
    assert result.stderr == (
        "error: format is 'kitti'; known are camvid, magnetic-tile, folder, coco, cvat, labelme, "
        "labelstudio, voc, cityscapes\n"
    )


def test_check(runner, tiny_dataset):
    result = runner.invoke(app, ["data", "check", str(tiny_dataset)])
    assert result.exit_code == 0, result.output
    assert result.stdout.endswith("no problems\n")
    assert "scratch" in result.stdout
    (tiny_dataset / "masks" / "a.png").unlink()
    result = runner.invoke(app, ["data", "check", str(tiny_dataset)])
    assert result.exit_code == 1
    assert "problem: images/a.png: no mask masks/a.png; add it\n" in result.stdout
    assert result.stdout.endswith(
        "1 problem\nmasks in another form? `segnet-res data check DATASET --fix TARGET` can tell\n"
    )


def test_check_of_no_data_set(runner, tmp_path):
    result = runner.invoke(app, ["data", "check", str(tmp_path)])
    assert result.exit_code == 2
    assert "no dataset.yaml in this folder" in result.stderr


def test_check_writes_a_corrected_copy(runner, source, tmp_path):
    for path in (source / "masks").iterdir():
        Image.fromarray(255 * np.eye(30, 40, dtype=np.uint8)).save(path)
    target = tmp_path / "new"
    result = runner.invoke(
        app, ["data", "check", str(source), "--fix", str(target), "--names", "sound,dent"]
    )
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[:5] == [
        "found: one mask for each of 4 pictures",
        "found: 4 grey masks",
        "found: the masks hold 0 and 255 alone; white covers 2.5 %",
        "mapping: 0=sound,255=dent",
        f"wrote: {target} with 4 pictures, 4 masks changed",
    ]
    assert lines[-1] == "no problems"
    (source / "masks" / "c0.png").unlink()
    result = runner.invoke(app, ["data", "check", str(source), "--fix", str(tmp_path / "more")])
    assert result.exit_code == 1
    assert "left out: images/c0.png: no mask is called like it\n" in result.stdout


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--map", "0=a"], "--map tells how to correct masks; add --fix TARGET"),
        (["--fix", "new", "--surplus", "both"], "--surplus is 'both'; give first or last"),
        (["--fix", "new", "--map", "0=a,0=b"], "--map tells 0 twice; tell it once"),
    ],
)
def test_check_options(runner, source, options, expected):
    result = runner.invoke(app, ["data", "check", str(source), *options])
    assert result.exit_code == 2
    assert result.stderr == f"error: {expected}\n"


def test_split(runner, tiny_dataset):
    result = runner.invoke(app, ["data", "split", str(tiny_dataset)])
    assert result.exit_code == 2
    assert "is divided already" in result.stderr
    result = runner.invoke(
        app, ["data", "split", str(tiny_dataset), "--force", "--fractions", "0.5,0.5"]
    )
    assert result.exit_code == 0, result.output
    assert result.stdout == "train: 2 pictures\nval: 2 pictures\n"
    assert (tiny_dataset / "splits" / "old-1" / "train.txt").read_text() == "a\nb\n"


@pytest.mark.parametrize("of", ["a checkpoint", "a dataset"])
def test_an_empty_dataset_takes_corrected_pictures(
    runner, tiny_checkpoint, tiny_dataset, tmp_path, of
):
    target, like = tmp_path / "new", tiny_checkpoint if of == "a checkpoint" else tiny_dataset
    result = runner.invoke(app, ["data", "new", str(target), "--like", str(like)])
    assert result.exit_code == 0, result.output
    assert " ".join(result.stdout.split()).endswith("new: no pictures yet; classes sound, scratch")
    known, made = load_info(tiny_dataset), load_info(target)
    assert made == replace(known, name="new", group=None)
    picture, mask = tiny_dataset / "images/a.png", tiny_dataset / "masks/a.png"
    saved = runner.invoke(app, ["correct", str(target), str(picture), str(mask), "--by", "Ada"])
    assert saved.exit_code == 0, saved.output
    assert read_split(target, "train") == ("a",)
    again = runner.invoke(app, ["data", "new", str(target), "--like", str(like)])
    assert again.exit_code == 2
    assert read_split(target, "train") == ("a",)


def test_synth(runner, tmp_path):
    target = tmp_path / "parts"
    result = runner.invoke(
        app, ["data", "synth", str(target), "--count", "9", "--seed", "2", "--size", "64x80"]
    )
    assert result.exit_code == 0, result.output
    assert "blowhole" in result.stdout
    assert len(list((target / "images").glob("*.png"))) == 9
    with Image.open(target / "images" / "part-00000.png") as image:
        assert image.size == (80, 64)
    result = runner.invoke(app, ["data", "synth", str(target), "--size", "huge"])
    assert result.exit_code == 2
    assert result.stderr == "error: size is 'huge'; write height x width like 360x480\n"


def test_ctrl_c_leaves_nothing(runner, source, tmp_path, monkeypatch):
    from segnet_res.data.importers import _run

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(_run, "write_mask", interrupt)
    result = runner.invoke(app, ["data", "import", "folder", str(source), str(tmp_path / "out")])
    assert result.exit_code == 130
    assert "stopped by Ctrl-C" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["export"]
