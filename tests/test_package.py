"""The package as a whole: its names, what importing it costs, and the way it is installed."""

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import segnet_res

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {"torch", "torchvision", "gradio", "albumentations", "cv2", "matplotlib"}


def run_python(code: str) -> str:
    """Return what a fresh interpreter prints."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout.strip()


def loaded_after(code: str) -> set[str]:
    return set(run_python(f"{code}\nimport sys\nprint(*sys.modules)").split())


def test_every_public_name_is_there():
    for name in segnet_res.__all__:
        assert getattr(segnet_res, name) is not None, name
    assert dir(segnet_res) == sorted(segnet_res.__all__)


def test_public_names_for_type_checkers_are_those_at_run_time():
    tree = ast.parse((ROOT / "segnet_res" / "__init__.py").read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    declared = {
        (alias.name, node.module)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert declared == {(name, f"segnet_res.{home}") for name, home in segnet_res._HOMES.items()}


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'segnet_res' has no attribute 'Segmentor'"):
        _ = segnet_res.Segmentor


@pytest.mark.parametrize(
    "code",
    [
        "import segnet_res",
        "import segnet_res.cli",
        "from segnet_res import ClassMap",
        "import segnet_res.data",
        "import segnet_res.recipe",
    ],
)
def test_importing_loads_neither_torch_nor_gradio(code):
    allowed = {"cv2"} if "data" in code else set()
    assert not loaded_after(code) & (HEAVY - allowed)


def test_help_needs_nothing_heavy():
    code = """
from segnet_res.cli import app
for words in (["--help"], ["train", "--help"], ["predict", "--help"], ["data", "--help"]):
    try:
        app(words, prog_name="segnet-res")
    except SystemExit as end:
        assert not end.code, end.code
import sys
print(*sys.modules)
"""
    assert not set(run_python(code).split()) & (HEAVY | {"numpy"})


def test_importing_changes_no_environment():
    code = (
        "import os; before = dict(os.environ); import segnet_res.images, segnet_res.cli; "
        "print(before == dict(os.environ))"
    )
    assert run_python(code) == "True"


@pytest.mark.parametrize(
    "program", [["-m", "segnet_res"], ["-c", "import segnet_res.cli as c; c.main()"]]
)
def test_the_version_is_told(program):
    result = subprocess.run(
        [sys.executable, *program, "--version"], capture_output=True, text=True, check=True
    )
    assert result.stdout == f"segnet-res {segnet_res.__version__}\n"


def test_types_are_shipped():
    assert (ROOT / "segnet_res" / "py.typed").is_file()


def test_modules_stay_small():
    too_long = {
        path.relative_to(ROOT).as_posix(): lines
        for folder in ("segnet_res", "scripts", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 450
    }
    assert not too_long


def test_what_pyproject_promises():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["requires-python"] == ">=3.11"
    assert project["scripts"] == {"segnet-res": "segnet_res.__main__:main"}
    assert {"dev", "formats", "openvino", "all"} <= set(project["optional-dependencies"])
    assert all(">=" in requirement for requirement in project["dependencies"])


# ---- make


@pytest.fixture
def make():
    program = shutil.which("make")
    if program is None:
        pytest.skip("no make")

    def run(*words: str, **variables: str) -> str:
        environment = {key: value for key, value in os.environ.items() if key != "MAKEFLAGS"}
        return subprocess.run(
            [program, "--no-print-directory", "--dry-run", *words],
            cwd=ROOT,
            env=environment | variables,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    return run


def test_make_app_opens_the_page_at_a_port(make):
    assert "segnet-res app --port 7860" in make("app")
    assert "segnet-res app --port 8123" in make("app", "PORT=8123")


def test_make_app_installs_once(make, tmp_path):
    environment = tmp_path / "venv"
    first = make("app", f"VENV={environment}")
    assert "make_venv.sh" in first
    assert "pip install --editable ." in first
    (environment / "bin").mkdir(parents=True)
    (environment / "bin" / "python").touch()
    (environment / ".installed").touch()
    second = make("app", f"VENV={environment}")
    assert "pip" not in second
    assert "make_venv.sh" not in second


def test_make_test_brings_what_make_app_needs(make, tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()
    commands = make("test", f"VENV={tmp_path}")
    assert '".[dev]"' in commands
    assert f"touch {tmp_path}/.installed {tmp_path}/.installed-dev" in commands


def test_make_takes_torch_from_another_index(make, tmp_path):
    commands = make("app", f"VENV={tmp_path}", "TORCH_INDEX=https://example.org/cpu")
    assert "--index-url https://example.org/cpu torch torchvision" in commands
    assert "--index-url" not in make("app", f"VENV={tmp_path}")


def make_venv(folder: Path, *words: str, path: str | None = None) -> tuple[int, str]:
    result = subprocess.run(
        ["/bin/sh", str(ROOT / "scripts" / "make_venv.sh"), str(folder), *words],
        env=os.environ | ({} if path is None else {"PATH": path}),
        capture_output=True,
        text=True,
        check=False,
    )
    return result.returncode, result.stderr


def write_program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_a_machine_without_python_is_told_so(tmp_path):
    code, message = make_venv(tmp_path / "venv", path=str(tmp_path))
    assert code == 2
    assert message.startswith("Python 3.11 or 3.12 was not found; install one, or name it: make ap")
    assert not (tmp_path / "venv").exists()


def test_a_python_that_is_too_old_is_named(tmp_path):
    old = write_program(tmp_path / "python3.9", "exit 1")
    code, message = make_venv(tmp_path / "venv", str(old))
    assert code == 2
    assert message == (
        f"PYTHON={old} is not Python 3.11 or newer; name one that is, or leave PYTHON out.\n"
    )


def test_a_python_without_venv_is_told_how_to_get_it(tmp_path):
    script = 'case "$2" in *ensurepip*) exit 1;; esac'
    write_program(tmp_path / "bin" / "python3.11", script)
    code, message = make_venv(tmp_path / "venv", path=str(tmp_path / "bin"))
    assert code == 2
    assert message == (
        "python3.11 has no venv module; install it (Debian and Ubuntu: apt install python3-venv).\n"
    )
