"""Whatever happened to a target, a rerun does what is needed, and ends like a fresh run."""

import json
import random

import numpy as np
import pytest

from segnet_res.inference import FolderRun
from tests.inference.conftest import contents, make_segmenter, names, run, save

KINDS = ("masks", "colors", "overlays", "confidence", "polygons")
PICTURES = ("a.png", "b.png", "b.jpg", "sub/c.png", "sub/d.bmp", "sub/deep/e.png", "f.png")


def picture(seed):
    return np.random.default_rng(seed).integers(0, 256, (9, 11)).astype(np.uint8)


def lines(target):
    """Return all lines about pictures without what differs between two runs."""
    text = (target / "manifest.jsonl").read_text()
    rows = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
    return [
        {key: value for key, value in row.items() if key not in ("time", "seconds")}
        for row in rows
        if "run" not in row
    ]


def rows(target):
    """Return the latest line about every picture."""
    return {row["path"]: row for row in lines(target)}


class Trouble:
    """What may happen to a target and its source between two runs."""

    def __init__(self, source, target, seed):
        self.source, self.target = source, target
        self.choose = random.Random(seed)
        self.limit = 100
        # Pictures that must go through the model again.
        self.needed = set()

    def output(self):
        """Return a picture and one of its results, if it has any."""
        name, row = self.choose.choice(sorted(rows(self.target).items()))
        if not row["outputs"]:
            return name, None
        output = self.choose.choice(sorted(row["outputs"].values(), key=lambda o: o["path"]))
        return name, self.target / output["path"]

    def lose(self):
        name, path = self.output()
        if path is not None:
            path.unlink(missing_ok=True)
            self.needed.add(name)

    def damage(self):
        name, path = self.output()
        if path is not None and path.exists():
            path.write_bytes(path.read_bytes()[: self.choose.randrange(path.stat().st_size)])
            self.needed.add(name)

    def change(self):
        name = self.choose.choice(PICTURES)
        save(self.source / name, picture(self.choose.randrange(10**6)))
        self.needed.add(name)

    def spoil(self):
        name = self.choose.choice(PICTURES)
        (self.source / name).write_bytes(b"no picture")

    def add(self):
        name = self.choose.choice(["new.png", "a.bmp", "sub/c.jpg", "b.jpg.tif"])
        save(self.source / name, picture(5))
        # Its neighbours may be called otherwise now.
        self.needed |= set(PICTURES) | {name}

    def litter(self):
        for folder in ("masks", "overlays/sub"):
            (self.target / folder).mkdir(parents=True, exist_ok=True)
            (self.target / folder / f".x.png.{'0' * 12}.part").write_bytes(b"half")
            (self.target / folder / f".x.{'f' * 12}.part.png").write_bytes(b"half")
        (self.target / ".manifest.lock").write_text('{"holder"')

    def tear(self):
        with (self.target / "manifest.jsonl").open("a") as file:
            file.write('{"path":"a.png","input":"12')

    def other_model(self):
        self.limit = 120
        self.needed |= set(PICTURES)


# Hundreds have been tried; these few take a moment, and each is another story.
@pytest.mark.parametrize("seed", range(12))
def test_a_rerun_ends_like_a_fresh_run(tmp_path, seed):
    source, target = tmp_path / "in", tmp_path / "out"
    for i, name in enumerate(PICTURES):
        save(source / name, picture(i))
    options = {"save": KINDS, "report": target / "report.csv"}
    trouble = Trouble(source, target, seed)
    stop = trouble.choose.choice([1, 3, None])
    results = FolderRun(source, target, **options).results(make_segmenter())
    for i, _ in enumerate(results, start=1):
        if i == stop:
            results.close()
    if stop is not None:
        trouble.needed |= set(PICTURES)
    happenings = ["lose", "damage", "change", "spoil", "add", "litter", "tear", "other_model"]
    for happening in trouble.choose.choices(happenings, k=trouble.choose.randint(0, 4)):
        getattr(trouble, happening)()

    segmenter = make_segmenter(trouble.limit)
    run(segmenter, source, target, **options)
    fresh = tmp_path / "fresh"
    run(make_segmenter(trouble.limit), source, fresh, save=KINDS, report=fresh / "report.csv")
    readable = {name for name, row in rows(fresh).items() if row["status"] == "ok"}
    # Of a picture that can no longer be read the last results stay.
    last = {
        output["path"]
        for row in lines(target)
        if row["path"] not in readable
        for output in row["outputs"].values()
    }
    found, expected = contents(target), contents(fresh)
    assert found.keys() - expected.keys() <= last
    assert {path: found.get(path) for path in expected} == expected
    assert rows(target) == rows(fresh)
    assert len(segmenter.runtime.seen) <= len(trouble.needed & readable)
    assert not [name for name in names(target) if "/." in name or name.startswith(".")]

    again = make_segmenter(trouble.limit)
    before = contents(target)
    results = run(again, source, target, **options)
    assert again.runtime.seen == []
    assert contents(target) == before
    assert all(result.kept or result.error for result in results.values())
