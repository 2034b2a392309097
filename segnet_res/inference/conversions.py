"""Converted checkpoints that are kept in the user's cache folder, and what was decided with them.

An entry is a folder with ``choice.json`` and the converted model. It counts only where everything
that the decision rests on is still the same; whatever is broken or somebody else's is made again.
"""

import hashlib
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from segnet_res.checkpoint import digest
from segnet_res.exported import files_of

# Raised when converted models change in form, so that older entries are made again.
_LAYOUT = 1

_PACKAGES = ("segnet-res", "torch", "openvino", "onnxruntime", "onnx", "onnxscript")

# Models of some megabytes each: those that were made last are kept.
_MOST_ENTRIES = 12

_CHOICE = "choice.json"


@dataclass(frozen=True)
class Choice:
    """Which backend runs a checkpoint.

    Attributes:
        backend: ``torch``, ``onnxruntime`` or ``openvino``.
        file: The converted model; None for torch, which needs none.
        seconds: What one picture took by each backend that was measured.
        refused: Why other backends were not.
    """

    backend: str
    file: Path | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


def facts_of(path: Path, *, backend: str, precision: str) -> dict[str, Any]:
    """Return all that a decision rests on.

    Args:
        path: A checkpoint.
        backend: What was asked for.
        precision: What it computes in.

    Raises:
        OSError: when the checkpoint cannot be read.
    """
    return {
        "layout": _LAYOUT,
        "checkpoint": digest(path),
        "backend": backend,
        "precision": precision,
        "packages": {name: _version(name) for name in _PACKAGES},
        "processor": _processor(),
        "cores": cores(),
    }


def recall(facts: dict[str, Any]) -> Choice | None:
    """Return what was decided, or None where nothing that still holds is kept."""
    try:
        entry = cache_folder() / _key(facts)
        if hasattr(os, "getuid") and entry.stat().st_uid != os.getuid():
            return None
        content = json.loads((entry / _CHOICE).read_text())
        if content["facts"] != facts:
            return None
        for name, known in content["files"].items():
            with (entry / name).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != known:
                    return None
        file_name = next(iter(content["files"]), None)
        return Choice(
            str(content["backend"]),
            entry / file_name if file_name else None,
            {str(name): float(value) for name, value in content["seconds"].items()},
            {str(name): str(reason) for name, reason in content["refused"].items()},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def keep(facts: dict[str, Any], choice: Choice) -> Choice:
    """Keep a decision and its model for later.

    Args:
        facts: What it rests on.
        choice: Its file lies in a folder of `workplace`.

    Returns:
        The choice, with its file at the place where it stays.

    Raises:
        OSError: when it cannot be kept.
    """
    files = files_of(choice.file) if choice.file else ()
    entry = cache_folder() / _key(facts)
    with workplace() as draft:
        content: dict[str, Any] = {
            "facts": facts,
            "backend": choice.backend,
            "seconds": choice.seconds,
            "refused": choice.refused,
            "files": {},
        }
        for source in files:
            copy = Path(shutil.copy(source, draft / source.name))
            with copy.open("rb") as file:
                content["files"][copy.name] = hashlib.file_digest(file, "sha256").hexdigest()
        (draft / _CHOICE).write_text(json.dumps(content, indent=1))
        with workplace() as old:
            # Whatever is there is broken or stale; a run that has it open keeps what it opened.
            with suppress(FileNotFoundError):
                entry.rename(old / "entry")
            try:
                draft.rename(entry)
            except OSError:
                # Another run has just kept the same.
                if recall(facts) is None:
                    raise
    _sweep()
    return Choice(
        choice.backend,
        entry / choice.file.name if choice.file else None,
        choice.seconds,
        choice.refused,
    )


@contextmanager
def workplace() -> Iterator[Path]:
    """Lend an empty folder on the cache's own disk; what is left in it goes at the end.

    Raises:
        OSError: when the cache cannot be written.
    """
    root = cache_folder()
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = Path(tempfile.mkdtemp(prefix=".", dir=root))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def cache_folder() -> Path:
    """Return where conversions are kept.

    Raises:
        FileNotFoundError: when the user has no home folder.
    """
    given = os.environ.get("XDG_CACHE_HOME", "")
    try:
        # The standard says that a relative path is to be ignored.
        root = Path(given) if Path(given).is_absolute() else Path.home() / ".cache"
    except RuntimeError as error:
        # A service's user may have no home; to callers that is a cache that cannot be written.
        raise FileNotFoundError(str(error)) from error
    return root / "segnet-res" / "conversions"


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _key(facts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    """Name the processor and all that it can do, which decides what is fast."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    wanted = ("model name", "flags", "Features", "CPU implementer", "CPU part")
    lines = {line for line in text.splitlines() if line.startswith(wanted)}
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]


def _sweep() -> None:
    """Remove the oldest entries; leftovers of runs that were killed are entries too."""
    with suppress(OSError):
        entries = sorted(
            (path for path in cache_folder().iterdir() if path.is_dir()),
            key=lambda path: path.stat().st_mtime,
        )
        for path in entries[:-_MOST_ENTRIES]:
            shutil.rmtree(path, ignore_errors=True)
