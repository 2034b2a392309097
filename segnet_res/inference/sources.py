"""Where a run takes its pictures from: a picture, a folder, a glob, or a file that lists them.

Pictures are yielded as they are found; nothing is held, however many there are.
"""

import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from segnet_res.data.dataset import check_text
from segnet_res.errors import DataError
from segnet_res.images import SUFFIXES

LIST_SUFFIX = ".txt"


@dataclass(frozen=True)
class Found:
    """A picture of a source.

    Attributes:
        name: What the report calls it, with ``/`` on every system; its results lie at this path.
        path: The file.
        error: Why nothing can be done about it; None for a picture.
    """

    name: str
    path: Path
    error: str | None = None


class Source:
    """Pictures to segment.

    Args:
        given: A picture; a folder, whose pictures are taken with all its subfolders; a glob such
            as ``line-3/**/*.png``; or a ``.txt`` file with one path a line, each relative to the
            folder of the list or absolute. What exists under the name is meant before a glob.

    Attributes:
        given: As given.
        root: The folder that names are relative to.
        is_folder: Whether a whole folder is taken.
        is_glob: Whether a pattern is matched.

    Raises:
        DataError: when nothing is there.
    """

    def __init__(self, given: Path) -> None:
        self.given = given
        self.is_folder = given.is_dir()
        self.is_glob = not given.exists() and glob.has_magic(str(given))
        if self.is_folder:
            self.root = given
        elif self.is_glob:
            self.root = _fixed_part(given)
        elif given.exists():
            self.root = given.parent
        else:
            raise DataError(
                f"{given}: no such file or folder; give a picture, a folder of pictures, "
                "a glob in quotes or a .txt file that lists them"
            )

    def nothing(self) -> DataError:
        """Return the error for a source without pictures."""
        if self.is_glob:
            return DataError(
                f"{self.given}: no pictures match; check the pattern, and that the names end in "
                f"{', '.join(SUFFIXES)}"
            )
        if self.is_folder:
            return DataError(
                f"{self.given}: no pictures in this folder; give a folder with files ending in "
                f"{', '.join(SUFFIXES)}"
            )
        return DataError(f"{self.given}: lists no pictures; write one path a line")

    def find(self, target: Path) -> Iterator[Found]:
        """Yield the pictures, in no certain order; some may come twice.

        Hidden files and folders are left out, except where a list names them: ``._a.jpg`` is a
        leftover of macOS, not a picture. What lies in the target is left out too.

        Raises:
            DataError: when a list cannot be read, or is UTF-16 text.
        """
        if self.is_folder:
            yield from find_below(self.root, leave_out=target)
        elif self.is_glob:
            yield from self._matching(target.resolve())
        elif self.given.suffix.lower() == LIST_SUFFIX:
            yield from self._listed()
        else:
            yield Found(self.given.name, self.given)

    def _matching(self, target: Path) -> Iterator[Found]:
        # Path.glob would take hidden files too, and no absolute pattern.
        for match in glob.iglob(str(self.given), recursive=True):  # noqa: PTH207
            path = Path(match)
            if (
                is_picture(path.name)
                and path.is_file()
                and target not in path.resolve().parents
                and not self._behind_a_link(path.parent)
            ):
                yield Found(path.relative_to(self.root).as_posix(), path)

    def _behind_a_link(self, folder: Path) -> bool:
        """Tell whether a link to a folder leads there from the first wildcard on."""
        below = folder.relative_to(self.root).parts
        return any(self.root.joinpath(*below[:i]).is_symlink() for i in range(1, len(below) + 1))

    def _listed(self) -> Iterator[Found]:
        folder = Path(os.path.abspath(self.root))  # noqa: PTH100 - resolve() would follow links
        try:
            # File names need not be UTF-8; a list made on Windows may begin with its mark.
            with self.given.open(encoding="utf-8-sig", errors="surrogateescape") as file:
                for line in file:
                    check_text(line, self.given)
                    entry = line.strip("\r\n")
                    if entry.strip():
                        yield _named(folder, entry)
        except OSError as error:
            raise DataError(
                f"{self.given}: cannot be read ({error.strerror}); check the path and its rights"
            ) from error


def find_below(root: Path, *, leave_out: Path) -> Iterator[Found]:
    """Yield all pictures below a folder by suffix, without following links to folders.

    A subfolder that cannot be read is yielded with an error.

    Args:
        root: The folder.
        leave_out: A folder that is passed over, such as the target of a run.
    """
    hidden = os.path.realpath(leave_out)
    real = os.path.realpath(root)
    waiting = [""]
    while waiting:
        below = waiting.pop()
        try:
            with os.scandir(Path(root, below)) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    name = f"{below}{entry.name}"
                    if entry.is_dir(follow_symlinks=False):
                        if os.path.join(real, name) != hidden:  # noqa: PTH118 - hot loop
                            waiting.append(f"{name}/")
                    elif is_picture(entry.name) and entry.is_file():
                        yield Found(name, Path(root, name))
        except OSError as error:
            reason = f"the folder cannot be read ({error.strerror}); check its rights"
            yield Found(below or ".", Path(root, below), reason)


def is_picture(name: str) -> bool:
    """Tell by its suffix whether a file is a picture."""
    return name.lower().endswith(SUFFIXES)


def _fixed_part(pattern: Path) -> Path:
    """Return the folder above the first wildcard of a pattern.

    >>> _fixed_part(Path("line/3/*/part-?.png")).as_posix()
    'line/3'
    """
    fixed: list[str] = []
    for part in pattern.parts[:-1]:
        if glob.has_magic(part):
            break
        fixed.append(part)
    return Path(*fixed)


def _named(folder: Path, entry: str) -> Found:
    """Return a picture of a list, called by its path below the folder of the list.

    One that lies elsewhere is called by its whole path, so that its results lie in the target all
    the same.

    >>> _named(Path("/data/lists"), "x/../a.png").name, _named(Path("/data/lists"), "../b.png").name
    ('a.png', 'data/b.png')
    """
    path = Path(os.path.normpath(folder / entry))
    if folder in path.parents:
        return Found(path.relative_to(folder).as_posix(), path)
    drive = path.drive.rstrip(":").replace("\\", "/").strip("/")
    rest = path.relative_to(path.anchor).as_posix()
    return Found(f"{drive}/{rest}" if drive else rest, path)
