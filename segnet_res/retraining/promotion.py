"""From a candidate to the checkpoint that serves: never by itself, and nothing is overwritten."""

import hashlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from segnet_res.checkpoint import (
    SUFFIX,
    Metadata,
    checkpoint_name,
    digest,
    find_checkpoints,
    read_metadata,
    short_hash,
)
from segnet_res.data import SegmentationDataset
from segnet_res.data.dataset import INFO_FILE
from segnet_res.errors import CheckpointError, DataError, UsageError
from segnet_res.exported import is_export
from segnet_res.images import atomic_write
from segnet_res.retraining.apart import Clash, find_clashes, see
from segnet_res.retraining.comparison import Comparison, Exam
from segnet_res.retraining.folder import RetrainFolder
from segnet_res.retraining.golden import GoldenSet
from segnet_res.retraining.registry import PROMOTE, Entry, Registry

# What trainings call their checkpoints; their folder says more.
_RUN_NAMES = ("best", "last")
_MOST_NAMED = 5


class PromotionError(CheckpointError):
    """A candidate must not serve: it misses what the one before found."""


@dataclass(frozen=True)
class Promotion:
    """A promotion that is being decided on.

    Attributes:
        candidate: The file.
        metadata: What it says about itself.
        sha256: Of the file.
        name: Under which it will serve.
        registry: Where.
        parent: The file to compare with; None where there is none.
        serving: The promotion of the checkpoint that serves until now; None where none does.
        lost: Why ``parent`` is not what serves, in one sentence; None where it is.
    """

    candidate: Path
    metadata: Metadata
    sha256: str
    name: str
    registry: Registry
    parent: Path | None
    serving: Entry | None
    lost: str | None = None

    @property
    def target(self) -> Path:
        """The file that will serve."""
        return self.registry.folder / f"{self.name}{SUFFIX}"

    @property
    def in_folder(self) -> bool:
        """Whether the candidate lies in the folder of checkpoints already."""
        return self.candidate.resolve().parent == self.registry.folder.resolve()

    @property
    def last_exam(self) -> str | None:
        """The fingerprint of what the checkpoint that serves was promoted on."""
        return None if self.serving is None else self.serving.exam.get("fingerprint")


def plan_promotion(candidate: Path, folder: Path, name: str | None = None) -> Promotion:
    """Look at what a promotion would do, before anything is compared.

    Compared with is what serves now; where its file is lost, what served last before it and is
    still there; where nothing does, the checkpoint of the folder that the candidate came from.

    Args:
        candidate: A ``.safetensors`` file, in the folder or elsewhere; from there it is copied.
        folder: The folder of checkpoints.
        name: Under which it shall serve; None: its own, or that of its run's folder.

    Raises:
        CheckpointError: when the candidate is none, serves already, or its name is taken.
        UsageError: when the name is none.
    """
    if is_export(candidate):
        raise CheckpointError(
            f"{candidate.name}: is an export; promote the {SUFFIX} file that it was made from"
        )
    metadata = read_metadata(candidate)
    registry = Registry(folder)
    now = registry.serving()
    sha256 = digest(candidate)
    if now is not None and now.sha256 == sha256:
        raise CheckpointError(f"{candidate}: serves already, as {now.checkpoint}; nothing to do")
    parent, lost = _last_served(registry, sha256)
    if parent is None:
        parent = _parent_in(folder, metadata)
    chosen = _name(candidate, folder) if name is None else name
    plan = Promotion(candidate, metadata, sha256, chosen, registry, parent, now, lost)
    _check_name(plan)
    return plan


def check_training(plan: Promotion, golden: GoldenSet) -> Generator[str, None, tuple[str, ...]]:
    """Refuse a candidate that was trained on pictures of the golden set, or near-copies of them.

    Args:
        plan: The promotion; a retraining keeps its pictures beside its checkpoints.
        golden: What it is to be compared on.

    Yields:
        The stem of each picture as it is looked at.

    Returns:
        What somebody should know about its training, in one sentence each.

    Raises:
        DataError: names the pictures.
    """
    notes = []
    if plan.lost is not None:
        instead = "nothing" if plan.parent is None else checkpoint_name(plan.parent)
        notes.append(f"{plan.lost}; the candidate is compared with {instead} instead")
    known, served = plan.metadata.parent, plan.serving
    if served is not None and (known is None or known.split()[-1] != served.sha256[:12]):
        notes.append(
            f"{plan.candidate}: was not trained from {served.checkpoint}, which serves, but from "
            f"{known or 'no other'}"
        )
    data = RetrainFolder(plan.candidate.parent).data
    if not (data / INFO_FILE).is_file():
        return (
            *notes,
            f"{plan.candidate}: no pictures of its training lie beside it, so that nobody can tell "
            "here whether the golden set was trained on",
        )
    channels = plan.metadata.channels
    held = yield from see(golden.open(), 0, channels)
    # Pictures to train on first: whoever is refused need not wait for the others.
    trained = find_clashes((yield from see(SegmentationDataset(data, "train"), 1, channels)), held)
    if trained:
        raise DataError(
            f"{plan.candidate}: was trained on pictures of the golden set ({_named(trained)}), so "
            "that scores would flatter; retrain it with --golden"
        )
    chosen = find_clashes((yield from see(SegmentationDataset(data, "val"), 1, channels)), held)
    if chosen:
        notes.append(
            f"{plan.candidate}: its best epoch was chosen by pictures of the golden set "
            f"({_named(chosen)}), which flatters it a little; better make a golden set of a split "
            "that is not validated on"
        )
    return tuple(notes)


def promote(
    plan: Promotion,
    exam: Exam,
    comparison: Comparison | None,
    *,
    by: str,
    why: str,
    accept_misses: str | None = None,
) -> Entry:
    """Let a candidate serve.

    Args:
        plan: What was planned.
        exam: What was compared on.
        comparison: With ``plan.parent``; None where there is none.
        by: Who wants it.
        why: The reason.
        accept_misses: The reason why newly missed defects are accepted.

    Raises:
        PromotionError: when defects are newly missed and that is not accepted.
        CheckpointError: when another checkpoint was promoted meanwhile, a file has changed, or the
            name is taken.
        UsageError: when a reason is empty.
        StorageError: when something cannot be written.
    """
    check_words(by=by, why=why, accept_misses=accept_misses)
    if (comparison is None) != (plan.parent is None):
        raise ValueError("give a comparison where, and only where, there is something to compare")
    missed = 0 if comparison is None else len(comparison.flips.newly_missed)
    if missed and accept_misses is None:
        defects = "1 defect is" if missed == 1 else f"{missed:,} defects are"
        raise PromotionError(
            f"{plan.name}: {defects} newly missed; "
            'look at them, correct and retrain, or accept that: --accept-misses "reason"'
        )
    registry = plan.registry
    with registry.writing():
        _check_unchanged(plan, comparison)
        entry = Entry(
            PROMOTE,
            plan.name,
            plan.target.name,
            plan.sha256,
            None if plan.serving is None else plan.serving.checkpoint,
            by,
            why,
            accepted=accept_misses if missed else None,
            exam=exam.to_dict(),
            comparison=None if comparison is None else comparison.to_dict(),
            data=plan.metadata.data,
            parent=plan.metadata.parent,
        )
        _check_name(plan)
        if not plan.target.exists():
            _copy(plan)
        registry.append(entry)
    return entry


def check_words(**words: str | None) -> None:
    """Refuse texts that say nothing, by the name of their option.

    Raises:
        UsageError: when one is empty.
    """
    for name, text in words.items():
        option = "--" + name.replace("_", "-")
        if text is None:
            continue
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise UsageError(f"{option} is {text!r}, which is no UTF-8; type it again") from error
        if not text.strip():
            raise UsageError(f"{option} is empty; say it in a few words, others will read it")


def _last_served(registry: Registry, candidate: str) -> tuple[Path | None, str | None]:
    """Return the file that served last and is still there, and why not the very last."""
    lost: str | None = None
    for entry in reversed(registry.history()):
        try:
            file = registry.file_of(entry)
        except CheckpointError as error:
            lost = lost or str(error)
            continue
        if entry.sha256 != candidate:
            return file, lost
    return None, lost


def _parent_in(folder: Path, metadata: Metadata) -> Path | None:
    """Return the checkpoint of a folder that a candidate was trained from."""
    if metadata.parent is None:
        return None
    short = metadata.parent.split()[-1]
    paths = (path for path in find_checkpoints(folder) if path.suffix == SUFFIX)
    return next((path for path in paths if short_hash(path) == short), None)


def _name(candidate: Path, folder: Path) -> str:
    inside = candidate.resolve().parent == folder.resolve()
    if inside or candidate.stem not in _RUN_NAMES:
        return checkpoint_name(candidate)
    return candidate.resolve().parent.name


def _check_name(plan: Promotion) -> None:
    name = plan.name
    if not name or name.startswith(".") or Path(name).name != name or "\\" in name:
        raise UsageError(f"--name is {name!r}; give the name of a file without folders")
    if plan.target.exists() and digest(plan.target) != plan.sha256:
        raise CheckpointError(
            f"{plan.target}: is there already and another checkpoint; nothing is overwritten, "
            "choose another name with --name"
        )


def _named(clashes: Sequence[Clash]) -> str:
    listed = "; ".join(str(clash) for clash in clashes[:_MOST_NAMED])
    more = len(clashes) - _MOST_NAMED
    return listed + (f"; and {more:,} more" if more > 0 else "")


def _check_unchanged(plan: Promotion, comparison: Comparison | None) -> None:
    """Refuse to write down what was decided on other grounds than there are now."""
    now = plan.registry.serving()
    if now != plan.serving:
        last = plan.registry.entries()[-1]
        raise CheckpointError(
            f"{plan.registry.path}: {last.by} has made {last.checkpoint} serve meanwhile; compare "
            "the candidate with that one"
        )
    with _reading(plan):
        parent = None if plan.parent is None else digest(plan.parent)
    known = (parent, plan.sha256)
    if comparison is not None and known != (comparison.parent[1], comparison.candidate[1]):
        raise _changed(plan)


def _copy(plan: Promotion) -> None:
    """Put the candidate beside the others, if it is still what was compared."""
    copied = hashlib.sha256()
    with _reading(plan), plan.candidate.open("rb") as source, atomic_write(plan.target) as file:
        while block := source.read(1 << 20):
            copied.update(block)
            file.write(block)
        if copied.hexdigest() != plan.sha256:
            raise _changed(plan)


@contextmanager
def _reading(plan: Promotion) -> Iterator[None]:
    """Turn what the system says of a file that has gone into a sentence."""
    try:
        yield
    except OSError as error:
        raise CheckpointError(
            f"{plan.candidate}: it or what it was compared with cannot be read any more "
            f"({error.strerror}); put the file back, or compare again"
        ) from error


def _changed(plan: Promotion) -> CheckpointError:
    return CheckpointError(
        f"{plan.candidate}: it or what it was compared with has changed since; compare again"
    )
