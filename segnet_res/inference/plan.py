"""Which pictures a run over a folder segments, and how their results are called."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from segnet_res.errors import DataError, StorageError, UsageError
from segnet_res.images import SUFFIXES, find_images

# What a run can save: a folder of the target for each, and the suffix of its files.
OUTPUTS = {"masks": ".png", "overlays": ".jpg", "confidence": ".png"}


@dataclass(frozen=True)
class Job:
    """One picture of a run.

    Attributes:
        path: The file.
        name: Its path below the source, with ``/`` on every system; the report calls it so.
        outputs: The file of each kind of result.
    """

    path: Path
    name: str
    outputs: dict[str, Path]

    def present(self) -> frozenset[str]:
        """Return the kinds of result that are there."""
        return frozenset(kind for kind, path in self.outputs.items() if path.is_file())


def plan_jobs(source: Path, target: Path, save: Collection[str]) -> list[Job]:
    """Return what there is to do, in the order of the paths.

    Args:
        source: A picture, or a folder whose pictures are taken with all its subfolders.
        target: Folder of the results; where it lies inside the source, it is left out.
        save: Kinds of result, of `OUTPUTS`.

    Raises:
        UsageError: when ``save`` is empty or holds something unknown, or results would land among
            the pictures of the source or the masks of a dataset.
        DataError: when the source is missing or holds no pictures.
        StorageError: when the target is a file.
    """
    unknown = [kind for kind in save if kind not in OUTPUTS]
    if unknown or not save:
        raise UsageError(
            f"save is {', '.join(unknown) or 'empty'}; choose from {', '.join(OUTPUTS)}"
        )
    if not source.exists():
        raise DataError(f"{source}: no such file or folder; give a picture or a folder of pictures")
    _check_target(source, target, save)
    if source.is_dir():
        inside = target.resolve()
        paths = [path for path in find_images(source) if inside not in path.resolve().parents]
        if not paths:
            raise DataError(
                f"{source}: no pictures in this folder; give a folder with files ending in "
                f"{', '.join(SUFFIXES)}"
            )
        names = [path.relative_to(source).as_posix() for path in paths]
    else:
        paths, names = [source], [source.name]
    return [
        Job(path, name, {kind: target / kind / f"{stem}{OUTPUTS[kind]}" for kind in save})
        for path, name, stem in zip(paths, names, output_stems(names), strict=True)
    ]


def output_stems(names: list[str]) -> list[str]:
    """Return what the results of pictures are called, without suffix: short, but never the same.

    A result drops its picture's suffix, except where two would then be called alike.

    >>> output_stems(["x/a.jpg", "x/b.jpg", "x/b.png"])
    ['x/a', 'x/b.jpg', 'x/b.png']
    >>> output_stems(["a.jpg", "a.jpg.png", "a.png"])
    ['a.jpg', 'a.jpg.png', 'a.png']
    """
    stems = [name[: -len(Path(name).suffix)] if Path(name).suffix else name for name in names]
    while True:
        # Keeping a suffix can meet a picture that is called so, which then keeps its own as well.
        counts = Counter(stems)
        longer = [
            name if counts[stem] > 1 else stem for name, stem in zip(names, stems, strict=True)
        ]
        if longer == stems:
            return stems
        stems = longer


def _check_target(source: Path, target: Path, save: Collection[str]) -> None:
    place, results = source.resolve(), target.resolve()
    if target.exists() and not target.is_dir():
        raise StorageError(f"{target}: is a file; give a folder for the results")
    if place == results:
        raise UsageError(
            f"{target}: source and target are the same folder; give another one for the results"
        )
    if (target / "dataset.yaml").exists():
        raise UsageError(
            f"{target}: is a dataset, whose masks must not mix with predictions; "
            "give another folder for the results"
        )
    for kind in save:
        folder = results / kind
        if folder == place or folder in place.parents:
            raise UsageError(
                f"{source}: lies in the folder that the results go to ({target / kind}); "
                "give another target"
            )
