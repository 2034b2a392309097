"""How results of a run are called, and what is to be done about each picture."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from segnet_res.errors import StorageError, UsageError
from segnet_res.inference.index import Index, Past, Planned
from segnet_res.inference.manifest import Manifest, Output, Record
from segnet_res.inference.outputs import KINDS, Kind
from segnet_res.inference.sources import Source
from segnet_res.spec import Spec


@dataclass(frozen=True)
class Terms:
    """What a run works by, the same for all its pictures.

    Attributes:
        target: Folder of the results.
        kinds: What is saved.
        checkpoint: SHA-256 of the checkpoint or export.
        settings: SHA-256 of everything else that results depend on.
        spec: The limits that parts must keep; None: nothing is judged.
        threshold: Confidence from which a defect counts, 0 to 1.
        min_region: Pixels from which a region counts.
        overwrite: Whether everything is done again, also what is by hand.
    """

    target: Path
    kinds: tuple[Kind, ...]
    checkpoint: str
    settings: str
    spec: Spec | None = None
    threshold: float = 0.0
    min_region: int = 0
    overwrite: bool = False


@dataclass(frozen=True)
class Job:
    """One picture of a run.

    Attributes:
        path: The file.
        name: Its path below the source, with ``/`` on every system; the report calls it so.
        outputs: Path of each kind of result below the target, with ``/``.
        mask: Path that its mask has or would have, also where masks are not saved: one that
            somebody has corrected counts all the same.
        past: What the manifest says of it.
        owner: What the manifest says of the picture that the mask in its place was made of: mostly
            itself, or one that it took the place of and that differs by the suffix alone.
        known: By kind, the SHA-256 of all that runs put there, and whether it was by hand.
        left: Path of a mask by hand under the name that its results had before; None without one.
        stale: Results of earlier runs under names that no picture has now, by their paths.
        error: Why nothing can be done; None for a picture.
    """

    path: Path
    name: str
    outputs: dict[str, str]
    mask: str
    past: Past = field(default_factory=Past)
    owner: Record | None = None
    known: dict[str, dict[str, bool]] = field(default_factory=dict)
    stale: tuple[Output, ...] = ()
    left: str | None = None
    error: str | None = None

    @property
    def before(self) -> Record | None:
        """The latest line about the picture."""
        return self.past.latest

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of its results, masks first."""
        return tuple(KINDS[name] for name in self.outputs)


def plan_job(planned: Planned, kinds: Iterable[Kind], index: Index, manifest: Manifest) -> Job:
    """Return what there is to know about a picture before it is looked at."""
    found = planned.found
    outputs = {kind.name: f"{kind.name}/{planned.stem}{kind.suffix}" for kind in kinds}
    mask = f"masks/{planned.stem}{KINDS['masks'].suffix}"
    places = outputs | {"masks": mask}
    past = index.past(manifest, found.name)
    moved = _moved(past.good, places, index)
    old_mask = moved.get("masks")
    return Job(
        found.path,
        found.name,
        outputs,
        mask,
        past,
        index.taken_over(manifest, mask, found.name) or past.good,
        {kind: index.known(path) for kind, path in places.items()},
        tuple(out for kind, out in moved.items() if not out.by_hand and kind in outputs),
        old_mask.path if old_mask is not None and old_mask.by_hand else None,
        found.error,
    )


def _moved(good: Record | None, places: dict[str, str], index: Index) -> dict[str, Output]:
    """Return results that have other names now, as long as no other picture has those."""
    if good is None:
        return {}
    return {
        kind: output
        for kind, output in good.outputs.items()
        if places.get(kind, output.path) != output.path
        and not index.is_planned(Path(output.path).with_suffix("").relative_to(kind).as_posix())
    }


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


def check_target(source: Source, target: Path, kinds: Iterable[Kind]) -> None:
    """Refuse a target whose files would mix with others.

    Raises:
        UsageError: when results would land among the pictures of the source or the masks of a
            dataset.
        StorageError: when the target is a file.
    """
    place, results = source.root.resolve(), target.resolve()
    if target.exists() and not target.is_dir():
        raise StorageError(f"{target}: is a file; give a folder for the results")
    if source.is_glob and results in (place, *place.parents):
        # All that it finds would count as results.
        raise UsageError(
            f"{source.given}: lies in the folder that the results go to ({target}); "
            "give another target"
        )
    if source.is_folder and place == results:
        raise UsageError(
            f"{target}: source and target are the same folder; give another one for the results"
        )
    if (target / "dataset.yaml").exists():
        raise UsageError(
            f"{target}: is a dataset, whose masks must not mix with predictions; "
            "give another folder for the results"
        )
    for kind in kinds:
        folder = results / kind.name
        if folder == place or folder in place.parents:
            raise UsageError(
                f"{source.given}: lies in the folder that the results go to "
                f"({target / kind.name}); give another target"
            )
