"""Finding the pictures that annotations name, and the splits that names tell."""

import re
from pathlib import Path, PurePosixPath

from segnet_res.errors import DataError
from segnet_res.images import find_images

_SPLITS = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip

PLAIN_FOLDERS = {"images", "jpegimages", "leftimg8bit", "imgs", "img", "default"}


class Pictures:
    """The pictures below a folder, found by the names that annotations give them.

    Args:
        source: The folder.

    Attributes:
        source: The folder.
        elsewhere: What annotations name and where it was found, as far as that is in a folder of
            another name: the right picture may be missing.
    """

    def __init__(self, source: Path) -> None:
        self._by_name: dict[str, list[PurePosixPath]] = {}
        self.source = source
        self.elsewhere: dict[str, str] = {}
        for path in find_images(source):
            relative = PurePosixPath(path.relative_to(source).as_posix())
            self._by_name.setdefault(relative.name, []).append(relative)

    def find(self, name: str, file: Path, split: str | None = None) -> Path:
        """Return the picture that an annotation names.

        The longest part of the name that fits counts; then a folder of the split's name, then the
        folder of the annotations.

        Raises:
            DataError: when there is none, or several.
        """
        wanted = PurePosixPath(name.replace("\\", "/"))
        candidates = self._by_name.get(wanted.name, [])
        if not candidates:
            raise DataError(
                f"{file.name}: picture {name!r} is not below {self.source.name}/; put the "
                "pictures there, or take it out of the annotations"
            )
        ranked = [(self._rank(path, wanted, file, split), path) for path in candidates]
        best = max(rank for rank, _ in ranked)
        chosen = [path for rank, path in ranked if rank == best]
        if len(chosen) > 1:
            raise DataError(
                f"{file.name}: picture {name!r} may be {chosen[0]} or {chosen[1]}; keep one of "
                "them, or write the folder into the annotations"
            )
        (found,) = chosen
        if best[0] == 1 and _tells_folder(wanted) and _tells_folder(found):
            self.elsewhere[name] = str(found)
        return self.source / found

    def notes(self) -> tuple[str, ...]:
        """Return what the user should look at, one sentence each."""
        if not self.elsewhere:
            return ()
        name, found = next(iter(self.elsewhere.items()))
        return (
            f"pictures found by their file's name alone, in a folder that the annotations do not "
            f"name: {len(self.elsewhere)} (such as {found} for {name!r}); see that they are the "
            "right ones",
        )

    def _rank(
        self, path: PurePosixPath, wanted: PurePosixPath, file: Path, split: str | None
    ) -> tuple[int, bool, bool]:
        same = 0
        for one, other in zip(reversed(path.parts), reversed(wanted.parts), strict=False):
            if one != other:
                break
            same += 1
        in_split = split is not None and any(split_of(part) == split for part in path.parts[:-1])
        return same, in_split, self.source / path.parent == file.parent


def _tells_folder(path: PurePosixPath) -> bool:
    """Tell whether a picture is in a folder whose name says which pictures are there."""
    told = [p for p in path.parent.parts if p != "/" and p.casefold() not in PLAIN_FOLDERS]
    return bool(told) and split_of(told[-1]) is None


def split_of(name: str) -> str | None:
    """Return the split that a name tells: ``train2017``, ``instances_val``, ``Validation``.

    >>> split_of("instances_train2017"), split_of("valid"), split_of("default")
    ('train', 'val', None)
    """
    words = re.findall("[a-z]+", name.casefold())
    return next((_SPLITS[word] for word in words if word in _SPLITS), None)
