"""The golden sets below the folder that the start command allowed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segnet_res.errors import DataError
from segnet_res.retraining.golden import load_golden
from segnet_res.web.folders import Folders

# What a dataset consists of: thousands of files, and none of them a golden set.
_INNER = frozenset({"images", "masks", "splits", "history"})
# A golden set begins with its version. Annotations of other tools are JSON too, and may be large.
_MARK, _BEGINNING = b'"golden"', 64
# Some hundred bytes for each picture.
_MAX_BYTES = 64 * 2**20


@dataclass(frozen=True)
class ListedGolden:
    """A golden set that can be chosen, or the reason why it cannot.

    Attributes:
        name: Path of its file below the root, by which the page asks for it.
        path: The file.
        dataset: What people call its dataset.
        split: The split that it was made from.
        pictures: How many there are.
        error: One sentence, or None.
    """

    name: str
    path: Path
    dataset: str = ""
    split: str = ""
    pictures: int = 0
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain texts and numbers for the page."""
        keys = ("name", "dataset", "split", "pictures", "error")
        return {key: getattr(self, key) for key in keys}


def list_goldens(folders: Folders) -> list[ListedGolden]:
    """Return the golden sets below the root, by name; their pictures are not looked at."""
    found = []
    for folder_name, folder in folders.paths().items():
        if _INNER & set(Path(folder_name).parts):
            continue
        for path in sorted(folder.glob("*.json")):
            name = path.name if folder_name == "." else f"{folder_name}/{path.name}"
            if _looks_golden(path):
                found.append(_listed(name, path))
    return found


def find_golden(folders: Folders, name: object) -> Path:
    """Return the file of a golden set.

    Args:
        folders: What may be read.
        name: Comes from a browser, so it is compared with what there is.

    Raises:
        DataError: when there is no such set.
    """
    paths = {one.name: one.path for one in list_goldens(folders)}
    if not isinstance(name, str) or name not in paths:
        known = ", ".join(list(paths)[:8]) + (", ..." if len(paths) > 8 else "")
        remedy = f"known are {known}" if paths else "make one with `segnet-res golden make`"
        raise DataError(f"no golden set is called {str(name)[:200]!r}; {remedy}")
    return paths[name]


def _looks_golden(path: Path) -> bool:
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > _MAX_BYTES:
            return False
        with path.open("rb") as file:
            return _MARK in file.read(_BEGINNING)
    except OSError:
        return False  # not ours to read, or just gone


def _listed(name: str, path: Path) -> ListedGolden:
    try:
        golden = load_golden(path)
    except DataError as error:
        return ListedGolden(name, path, error=str(error))
    return ListedGolden(name, path, golden.name, golden.split, len(golden.pictures))
