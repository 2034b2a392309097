"""A short part of what ``scripts/fuzz.py`` does in full, always the same files."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "fuzz.py"


def fuzz(*arguments, program=None):
    command = [sys.executable, SCRIPT] if program is None else [sys.executable, "-c", program]
    return subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(sys.platform != "linux", reason="limits the memory as Linux does")
def test_damaged_files_raise_nothing_but_an_error_for_the_user(tmp_path):
    done = fuzz("--count", 1200, "--seed", 3, "--keep", tmp_path / "found")
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(
        r"1200 damaged files in \d+ s: (\d+) could be read in some way, 0 ", done.stdout
    )
    # Both were looked at: what is refused, and what is sound enough to be read.
    assert found is not None
    assert 200 < int(found[1]) < 900
    assert not (tmp_path / "found").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="limits the memory as Linux does")
def test_findings_are_named_and_kept(tmp_path):
    # A reader that is no good: it raises for one file and never comes back for another.
    program = f"""
import runpy, sys
from pathlib import Path
import segnet_res.images as images
def bad(path, channels=3):
    if path.name.startswith("1-"):
        raise KeyError("a mistake")
    if path.name.startswith("3-"):
        while True:
            pass
images.read_picture = bad
sys.argv[0] = {str(SCRIPT)!r}
runpy.run_path(sys.argv[0], run_name="__main__")
"""
    keep = tmp_path / "found"
    arguments = ["--work", "--count", 5, "--seed", 3, "--seconds", 1, "--keep", keep]
    done = fuzz(*arguments, program=program)
    assert done.returncode == -signal.SIGPROF
    lines = done.stdout.splitlines()
    assert "KeyError: 'a mistake'" in next(line for line in lines if line.startswith("failed"))
    assert lines[-1].startswith("next 3 ")
    assert sorted(file.name[:2] for file in keep.iterdir()) == ["1-", "3-"]
