"""What is to be done about a picture, decided by hashes: nothing, look at its mask, or segment."""

import json
import math
import os
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from pathlib import Path

from segnet_res.errors import ImageError
from segnet_res.images import MAX_PIXELS, image_size, read_image
from segnet_res.inference.manifest import Record, digest_of_file
from segnet_res.inference.plan import Job, Terms


class Todo(Enum):
    """What a picture needs."""

    NOTHING = auto()
    # The mask that is there tells all: other limits, a mask that was changed by hand, or results
    # that are made from it.
    REVIEW = auto()
    SEGMENT = auto()


class Maker(Enum):
    """Who made a file that is in the place of a result."""

    RUN = auto()
    # Known from the manifest to be somebody's work.
    HAND = auto()
    # Nobody has written down who; what a run would write decides.
    UNKNOWN = auto()
    # It cannot be read.
    DAMAGED = auto()


# How files of a format begin and end.
_ENDS = ((b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"), (b"\xff\xd8\xff", b"\xff\xd9"))

# Size and time of a file's last change; None where there is none.
Stamp = tuple[int, int] | None


@dataclass(frozen=True)
class Standing:
    """A file in the place of a result.

    Attributes:
        sha256: Its content.
        maker: Who made it.
        stamp: Tells whether it has changed since.
    """

    sha256: str
    maker: Maker
    stamp: Stamp


@dataclass(frozen=True)
class Check:
    """A picture that was looked at.

    Attributes:
        job: The picture.
        input: SHA-256 of its content; None where it cannot be read.
        todo: What it needs.
        standing: The files in the places of its results.
        keep: The kinds among them that stay.
        size: Height and width that its header tells; 0 and 0 where that was not asked.
        seen: Tells whether the picture has changed since.
        error: Why nothing can be done; None where something can.
    """

    job: Job
    input: str | None
    todo: Todo = Todo.SEGMENT
    standing: dict[str, Standing] = field(default_factory=dict)
    keep: frozenset[str] = frozenset()
    size: tuple[int, int] = (0, 0)
    seen: Stamp = None
    error: str | None = None

    @property
    def changed(self) -> bool:
        """Whether the picture is another than the one that the mask there was made of."""
        owner = self.job.owner
        return owner is not None and owner.input != self.input


def check(job: Job, terms: Terms) -> Check:
    """Look at a picture and at what is there of its results; reads files, decodes no picture."""
    seen, sha, error = _content(job)
    if error is not None or sha is None:
        return Check(job, sha, error=error)
    if terms.overwrite:
        return _to_segment(job, sha, seen)
    if job.left is not None and (terms.target / job.left).is_file():
        return Check(
            job,
            sha,
            error=f"its mask {job.left} was made by hand, and its results are called after "
            f"{job.mask} now, as another picture differs from it by the suffix alone; rename that "
            f"mask to {job.mask}, move it away, or use --overwrite",
        )
    same = _same(job.before, sha, terms)
    standing = _standing({"masks": job.mask, **job.outputs}, job, terms.target)
    if "masks" not in job.outputs:
        job = _with_mask(job, standing)
    touched = {kind for kind, file in standing.items() if file.maker in (Maker.HAND, Maker.UNKNOWN)}
    current = set() if not same or _mask_differs(job, standing) else _latest(job, standing)
    keep = frozenset(touched | current)
    if not same:
        return _to_segment(job, sha, seen, standing, keep)
    assert job.before is not None
    judged = job.before.spec == (None if terms.spec is None else terms.spec.digest)
    if judged and _latest(job, standing) == keep == job.outputs.keys():
        return Check(job, sha, Todo.NOTHING, standing, keep)
    missing = [kind for kind in job.kinds if kind.name not in keep]
    if "masks" in keep and not any(kind.needs_image or kind.needs_confidence for kind in missing):
        return Check(job, sha, Todo.REVIEW, standing, keep)
    return _to_segment(job, sha, seen, standing, keep)


def _content(job: Job) -> tuple[Stamp, str | None, str | None]:
    """Return what tells whether a picture changes, its SHA-256, and why it cannot be taken."""
    if job.error is not None:
        return None, None, job.error
    seen = stamp(job.path)
    if seen is not None and not job.path.is_file():
        # A list may name anything; some devices never end.
        return seen, None, "is a folder or a device; give pictures only"
    try:
        return seen, digest_of_file(job.path), None
    except FileNotFoundError:
        return seen, None, "no such file; it may have been moved meanwhile"
    except OSError as error:
        reason = f"cannot be read ({error.strerror or error}); check the path and its rights"
        return seen, None, reason


def _with_mask(job: Job, standing: dict[str, Standing]) -> Job:
    """Take a mask that somebody made into what is looked at, though masks are not saved."""
    if "masks" in standing and standing["masks"].maker in (Maker.HAND, Maker.UNKNOWN):
        return replace(job, outputs={"masks": job.mask, **job.outputs})
    standing.pop("masks", None)
    return job


def stamp(path: Path) -> Stamp:
    """Return what changes when a file does; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _to_segment(
    job: Job,
    sha: str,
    seen: Stamp,
    standing: dict[str, Standing] | None = None,
    keep: frozenset[str] = frozenset(),
) -> Check:
    try:
        size = image_size(job.path)
    except (ImageError, OSError, MemoryError):
        # Whoever reads the picture says what is wrong with it.
        size = (0, 0)
    return Check(job, sha, Todo.SEGMENT, standing or {}, keep, size, seen)


def _same(before: Record | None, sha: str, terms: Terms) -> bool:
    return (
        before is not None
        and before.status == "ok"
        and (before.input, before.checkpoint, before.settings)
        == (sha, terms.checkpoint, terms.settings)
    )


def _latest(job: Job, standing: dict[str, Standing]) -> set[str]:
    """Return the kinds whose file is what the latest line of the manifest says of it."""
    known = {} if job.before is None else job.before.outputs
    return {
        kind
        for kind, file in standing.items()
        if kind in known
        and (known[kind].path, known[kind].sha256) == (job.outputs[kind], file.sha256)
    }


def _mask_differs(job: Job, standing: dict[str, Standing]) -> bool:
    """Tell whether the other results show another mask than the one that is there.

    Somebody changed the mask since, or took a changed one away again.
    """
    if job.before is None:
        return False
    mask, known = standing.get("masks"), job.before.outputs.get("masks")
    if mask is not None and mask.maker is Maker.UNKNOWN:
        return True
    there = mask.sha256 if mask is not None and mask.maker is Maker.HAND else None
    return there != (known.sha256 if known is not None and known.by_hand else None)


def _standing(places: dict[str, str], job: Job, target: Path) -> dict[str, Standing]:
    found = {}
    for kind, name in places.items():
        path = target / name
        seen = stamp(path)
        try:
            sha = digest_of_file(path)
        except OSError:
            # Not there, or not to be read: then writing it will say why.
            continue
        found[kind] = Standing(sha, _maker(path, job.known.get(kind, {}).get(sha)), seen)
    return found


def _maker(path: Path, by_hand: bool | None) -> Maker:
    if by_hand is None:
        return Maker.UNKNOWN if _is_whole(path) else Maker.DAMAGED
    return Maker.HAND if by_hand else Maker.RUN


def _is_whole(path: Path) -> bool:
    """Tell whether a result that no run wrote so can be read, or is a damaged one."""
    try:
        if path.suffix == ".json":
            json.loads(path.read_bytes())
        elif _is_cut(path):
            return False
        elif math.prod(image_size(path)) <= MAX_PIXELS:
            read_image(path)
    except (ImageError, ValueError, OSError):
        return False
    except MemoryError:
        # Too large to tell: then it is not ours to replace.
        return True
    return True


def _is_cut(path: Path) -> bool:
    """Tell whether the last bytes of a PNG or JPEG are missing, which decoders may overlook."""
    with path.open("rb") as file:
        start = file.read(8)
        file.seek(-min(64, path.stat().st_size), os.SEEK_END)
        end = file.read()
    return any(start.startswith(first) and last not in end for first, last in _ENDS)
