"""New folders that appear whole or not at all."""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segnet_res.errors import StorageError
from segnet_res.images.files import not_written


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Give a temporary folder beside ``target`` that takes its place when the block ends well.

    When the block raises, Ctrl-C included, the temporary folder goes and nothing is left.

    Raises:
        StorageError: when ``target`` exists and is not empty, or the system refuses.
    """
    target = target.resolve()
    with storing(target):
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise StorageError(
                f"{target}: is there already and not empty; choose another name, "
                "nothing is overwritten"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name[:80]}.{secrets.token_hex(4)}.part")
        temporary.mkdir()
    try:
        yield temporary
        with storing(target):
            # Renaming onto an empty folder works on Linux only.
            if target.exists():
                target.rmdir()
            temporary.replace(target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


@contextmanager
def storing(target: Path) -> Iterator[None]:
    """Turn what the system says while writing ``target`` into a StorageError.

    Raises:
        StorageError: when the block raises OSError.
    """
    try:
        yield
    except OSError as error:
        raise not_written(target, error) from error


def copy_file(source: Path, target: Path) -> None:
    """Copy the bytes of a file into a folder made by `new_folder`; missing folders are made.

    Raises:
        StorageError: when the system refuses.
    """
    with storing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
