"""What the page's command refuses before anything is started."""

import pytest
from typer.testing import CliRunner

from segnet_res.cli import app
from segnet_res.cli.app import _also_allowed


def refused(*options: object) -> str:
    result = CliRunner().invoke(app, ["app", *map(str, options)], prog_name="segnet-res")
    assert (result.exit_code, result.stdout) == (2, "")
    return result.stderr.removeprefix("error: ").removesuffix("\n")


def test_annotations_need_a_folder_of_datasets():
    assert refused("--accept-annotations") == (
        "--accept-annotations: there is no folder to save masks into; name it with --data DIR"
    )


def test_mirror_images_are_averaged_by_a_known_name():
    assert refused("--tta", "mirrors") == "tta is mirrors; choose none or flips"


def test_runs_need_datasets_and_a_folder_of_their_own(tmp_path):
    assert refused("--runs", tmp_path / "runs") == (
        "--runs: there are no datasets to retrain on; name their folder with --data DIR"
    )
    assert not (tmp_path / "runs").exists()
    assert refused("--data", tmp_path, "--runs", tmp_path).startswith(
        f"--runs: {tmp_path} is the folder of --data too"
    )
    (tmp_path / "file").write_text("")
    assert refused("--data", tmp_path, "--runs", tmp_path / "file/runs").startswith(
        f"--runs: {tmp_path / 'file/runs'} cannot be made"
    )


@pytest.mark.parametrize(
    ("rights", "ending"),
    [
        ({"a": False}, ""),
        ({"a": True, "b": False}, " and a"),
        ({"a": True, "b": True, "c": True}, ", a, b and c"),
    ],
)
def test_what_else_people_may_do_is_named(rights, ending):
    assert _also_allowed(rights) == ending
