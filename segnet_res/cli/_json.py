"""The file of ``--json``: looked at before the work, written after the table is shown."""

import json
import os
from pathlib import Path
from typing import Any

import typer

STDOUT = Path("-")


def check_json(path: Path | None) -> None:
    """Refuse a file that could not be written, before any work is done.

    Args:
        path: The file, `STDOUT`, or None where none was asked for.

    Raises:
        StorageError: when a folder is in the way, a file stands where its folder would be, or the
            rights are missing.
    """
    from segnet_res.errors import StorageError

    if path is None or path == STDOUT:
        return
    if path.is_dir():
        raise StorageError(f"{path}: is a folder; give the JSON file another name")
    # Missing folders will be made, in the nearest one that is there.
    near = next(folder for folder in path.absolute().parents if folder.exists())
    if not near.is_dir():
        raise StorageError(f"{path}: {near} is a file, no folder; choose another place")
    if not os.access(near, os.W_OK | os.X_OK):
        raise StorageError(f"{path}: {near} cannot be written into; choose another place")


def write_json(path: Path | None, content: dict[str, Any]) -> None:
    """Write a result, whole or not at all.

    Args:
        path: The file, `STDOUT`, or None for nowhere.
        content: Plain lists, texts and numbers.

    Raises:
        StorageError: when the file cannot be written.
    """
    if path is None:
        return
    text = json.dumps(content, indent=2) + "\n"
    if path == STDOUT:
        typer.echo(text, nl=False)
        return
    from segnet_res.images import atomic_write

    with atomic_write(path) as file:
        file.write(text.encode())
