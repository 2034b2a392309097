"""The file of ``--json``: refused before the work, and the scores shown whatever becomes of it."""

import os

import pytest

from segnet_res.cli import app
from segnet_res.cli._json import STDOUT, check_json
from segnet_res.errors import StorageError


@pytest.fixture
def commands(tiny_checkpoint, tiny_dataset, tmp_path, monkeypatch):
    """Words of each command that writes a file of JSON beside its table, by name."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    checkpoint, dataset = str(tiny_checkpoint), str(tiny_dataset)
    return {
        "evaluate": ["evaluate", checkpoint, dataset],
        "queue": ["queue", checkpoint, f"{dataset}/images", "--backend=torch"],
        "compare": ["compare", checkpoint, checkpoint, dataset],
    }


def test_a_file_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "text").touch()
    for path in (None, STDOUT, tmp_path / "a.json", tmp_path / "new" / "a.json", tmp_path / "text"):
        check_json(path)
    with pytest.raises(StorageError, match="is a folder; give the JSON file another name"):
        check_json(tmp_path)
    with pytest.raises(StorageError, match=r"a\.json: .*text is a file, no folder; choose another"):
        check_json(tmp_path / "text" / "new" / "a.json")
    # Whoever may do all, as in most containers, may write everywhere.
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(StorageError, match=r"a\.json: .* cannot be written into; choose another"):
        check_json(tmp_path / "a.json")


@pytest.mark.parametrize("name", ["evaluate", "queue", "compare"])
def test_a_folder_is_refused_before_the_work(runner, commands, tmp_path, monkeypatch, name):
    monkeypatch.setattr("segnet_res.inference.Segmenter.from_checkpoint", None)
    result = runner.invoke(app, [*commands[name], "--json", str(tmp_path)])
    message = f"error: {tmp_path}: is a folder; give the JSON file another name\n"
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", message)


@pytest.mark.parametrize("name", ["evaluate", "queue", "compare"])
def test_scores_are_shown_where_they_cannot_be_written(
    runner, commands, tmp_path, monkeypatch, name
):
    shown = runner.invoke(app, commands[name]).stdout
    # As if a folder came there meanwhile.
    monkeypatch.setattr(f"segnet_res.cli.{name}.check_json", lambda _: None)
    result = runner.invoke(app, [*commands[name], "--json", str(tmp_path)])
    assert result.exit_code == 2
    assert result.stdout == shown != ""
    assert "cannot be written" in result.stderr
