"""The folder of this machine that the page may read, and the datasets in it."""

from dataclasses import dataclass
from pathlib import Path

from segnet_res.data import SPLITS
from segnet_res.errors import DataError
from segnet_res.images import SUFFIXES, find_images

# Deep enough for <folder>/<customer>/<dataset>; deeper trees would make each look a long one.
_DEPTH = 3


@dataclass(frozen=True)
class Folders:
    """What lies below the one folder that the start command allowed.

    Names come from a browser. They are compared with what the folder holds and never become part
    of a path, so that ``..``, links that lead out and absolute paths reach nothing.

    Attributes:
        root: The folder; None where the page was started without one.
        runs: Folder of retrainings, which may lie below the root. It is passed over: each run
            keeps a copy of its data, which must not pass for a dataset.
    """

    root: Path | None = None
    runs: Path | None = None

    def datasets(self) -> dict[str, dict[str, int]]:
        """Return the datasets by their path below the root, each with the pictures of its splits.

        ``.`` stands for the root itself.
        """
        return {
            name: splits
            for name, path in self._walk()
            if (path / "dataset.yaml").is_file() and (splits := _splits(path))
        }

    def dataset(self, name: str) -> Path:
        """Return the folder of a dataset.

        Raises:
            DataError: when there is no such dataset.
        """
        return self._find(name, "dataset", dict(self._walk()), list(self.datasets()))

    def dataset_folders(self) -> dict[str, Path]:
        """Return the folder of each dataset by its path below the root, also where it is empty."""
        return {name: path for name, path in self._walk() if (path / "dataset.yaml").is_file()}

    def names(self) -> list[str]:
        """Return every folder by its path below the root, ``.`` for the root itself."""
        return [name for name, _ in self._walk()]

    def paths(self) -> dict[str, Path]:
        """Return every folder of `names` by its name."""
        return dict(self._walk())

    def folder(self, name: str) -> Path:
        """Return a folder by one of the `names`.

        Raises:
            DataError: when there is no such folder.
        """
        found = dict(self._walk())
        # Those of the deepest datasets lie one level below what is looked through.
        found |= {f"{one}/images": path / "images" for one, path in self.dataset_folders().items()}
        return self._find(name, "folder", found, list(found))

    def pictures(self, place: Path) -> dict[str, Path]:
        """Return the pictures below one of the folders by their path there.

        Links inside may lead to pictures that nobody has allowed; those are left out. So are the
        masks of datasets below, those that they had before, and the copies that runs keep.
        """
        root = (self.root or place).resolve()
        images = find_images(place)
        left_out = self._without_photographs(place, {path.parent for path in images})
        return {
            path.relative_to(place).as_posix(): path
            for path in images
            if path.parent not in left_out and path.resolve().is_relative_to(root)
        }

    def _without_photographs(self, place: Path, folders: set[Path]) -> set[Path]:
        """Return those of the folders below a place that hold masks, or copies of runs."""
        every = {above for folder in folders for above in (folder, *folder.parents)}
        passed_over = {
            folder / kind
            for folder in every
            if folder.is_relative_to(place) and (folder / "dataset.yaml").is_file()
            for kind in ("masks", "history")
        }
        if self.runs is not None:
            passed_over.add(self.runs)
        return {one for one in folders if not passed_over.isdisjoint((one, *one.parents))}

    def picture(self, place: Path, name: str) -> Path | None:
        """Return one of the `pictures` by its name, without a look at all the others."""
        parts = name.split("/")
        if any(not part or part.startswith(".") or "\\" in part for part in parts):
            return None
        path, root = place.joinpath(*parts), (self.root or place).resolve()
        try:
            inside = path.is_file() and path.resolve().is_relative_to(root)
        except (OSError, ValueError):
            return None  # no name that the system knows
        return path if inside and path.suffix.lower() in SUFFIXES else None

    def _find(self, name: str, kind: str, paths: dict[str, Path], known: list[str]) -> Path:
        if name not in known:
            listed = ", ".join(known[:8]) + (", ..." if len(known) > 8 else "")
            remedy = f"known are {listed}" if known else self._none_known()
            raise DataError(f"no {kind} is called {name!r}; {remedy}")
        return paths[name]

    def _none_known(self) -> str:
        if self.root is None:
            return "start the page with --data FOLDER"
        return f"there is none below {self.root}, the folder of --data; put one there"

    def _walk(self) -> list[tuple[str, Path]]:
        """Return the root and the folders below it, without hidden ones and without links."""
        if self.root is None or not self.root.is_dir():
            return []
        found, level = [(".", self.root)], [self.root]
        for _ in range(_DEPTH):
            level = [child for folder in level for child in _children(folder) if child != self.runs]
            found += [(child.relative_to(self.root).as_posix(), child) for child in level]
        return found


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(
            child
            for child in folder.iterdir()
            if not child.name.startswith(".") and child.is_dir() and not child.is_symlink()
        )
    except OSError:
        return []  # not ours to read


def _splits(dataset: Path) -> dict[str, int]:
    """Return how many pictures each split lists, without the empty ones."""
    counts = {}
    for split in SPLITS:
        try:
            text = (dataset / "splits" / f"{split}.txt").read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        if count := sum(1 for line in text.splitlines() if line.strip()):
            counts[split] = count
    return counts
