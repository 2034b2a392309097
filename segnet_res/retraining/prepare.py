"""Everything before the first step of a retraining: classes, data kept apart, weights, plan."""

import math
import shutil
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from segnet_res.checkpoint import Checkpoint, Metadata, read_metadata, short_hash
from segnet_res.data import SegmentationDataset, class_pixels, fingerprint, load_info
from segnet_res.data.dataset import SPLITS
from segnet_res.errors import DataError, UsageError
from segnet_res.evaluation import training_fingerprints
from segnet_res.recipe import NEW_CLASS_SHARE, NEW_SHARE
from segnet_res.retraining.apart import Seen, find_clashes, refuse, see
from segnet_res.retraining.folder import RetrainFolder
from segnet_res.retraining.golden import GoldenSet, load_golden
from segnet_res.retraining.heads import adapt
from segnet_res.retraining.lineup import Lineup, changes_of, line_up
from segnet_res.retraining.plan import Plan, choose_options, fit_budget, measure_speed
from segnet_res.retraining.probe import teach_new_rows
from segnet_res.retraining.repeated import find_repeated, same_mask
from segnet_res.retraining.snapshot import Sourced, freeze, pools, read_sources
from segnet_res.retraining.state import Request
from segnet_res.training.descent import Descent, drawn_shares

# Of the pictures that are left out, so many are named.
_MOST_TOLD = 20


@dataclass(frozen=True)
class Prepared:
    """What the training needs, beside the files in the folder.

    Attributes:
        plan: Options and estimate.
        descent: Where the candidate comes from.
        notes: What somebody should know, in one sentence each.
    """

    plan: Plan
    descent: Descent
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _LeftOut:
    """Pictures of the datasets that do not count.

    Attributes:
        pictures: Place of the dataset and stem, by split: train and val.
        notes: A sentence for each of which somebody should know.
    """

    pictures: dict[str, set[tuple[int, str]]]
    notes: list[str]


def prepare(run: RetrainFolder, request: Request) -> Generator[str, None, Prepared]:
    """Freeze the data, adapt the parent and measure how fast this machine trains.

    What was prepared before is taken as it is, so that a retraining goes on as it began.

    Args:
        run: The folder; held by this process.
        request: What it shall do.

    Yields:
        What is being done, in words.

    Raises:
        SegnetResError: when something asked for cannot be done.
    """
    known = run.read_plan()
    if known is None:
        known = yield from _prepare(run, request)
    plan = Plan.from_dict(known)
    training = SegmentationDataset(run.data, "train")
    return Prepared(
        plan, _descent(run, known, plan, training), tuple(map(str, known.get("notes", ())))
    )


def _prepare(run: RetrainFolder, request: Request) -> Generator[str, None, dict[str, Any]]:
    yield "reading the checkpoint and the datasets"
    checkpoint = Checkpoint.load(request.checkpoint)
    meta = checkpoint.metadata
    lineup = line_up(
        meta.class_map,
        [load_info(root).class_map for root in (request.dataset, *request.bases)],
        renamed=request.renamed,
        dropped=request.dropped,
        earlier=changes_of(meta),
    )
    sources = [Sourced(root, place) for place, root in enumerate((request.dataset, *request.bases))]
    left_out = yield from _keep_apart(sources, request, lineup, meta.channels)
    _clear(run)
    yield "freezing the data"
    freeze(run.data, sources, lineup, channels=_channels(meta), left_out=left_out.pictures)
    training = SegmentationDataset(run.data, "train")
    share = request.new_share
    if share is None:
        share = NEW_CLASS_SHARE if lineup.added else NEW_SHARE
    drawn = pools(training, share)
    pixels = class_pixels(training)
    if not pixels.any():
        raise DataError(
            f"{sources[0].info.name}: no pixel of the pictures to train on is labelled; check the "
            "masks with `segnet-res data check`"
        )
    shares = drawn_shares(pixels, drawn)
    new = sum(stem.startswith("new/") for stem in training.stems)
    config = choose_options(
        meta.recipe,
        request.options,
        pictures=new,
        same_classes=len(lineup.class_map) == len(meta.class_map),
        new_classes=bool(lineup.added),
    )
    start = adapt(checkpoint, lineup, shares.tolist())
    start = yield from teach_new_rows(
        start, lineup, training, pixels=pixels, pools=drawn, config=config
    )
    start.save(run.start)
    known: dict[str, Any] = {
        "parent": f"{request.checkpoint.stem} {short_hash(request.checkpoint)}",
        "classes": _told(lineup, request),
        "ancestors": _ancestors(meta),
        "before": sorted(training_fingerprints(meta.data)),
        "licence": request.licence or meta.licence,
        "notes": [
            *_first(left_out.notes),
            *_flattering(sources, meta),
            *_notes(lineup, pixels.sum(axis=0).tolist(), request),
        ],
    }
    plan = Plan(config, share, None, len(SegmentationDataset(run.data, "val")))
    yield "measuring how fast this machine trains"
    speed = measure_speed(config, run.data, run.start, _descent(run, known, plan, training))
    if request.minutes is not None:
        config = fit_budget(config, request.options, speed, plan.validation, request.minutes)
    known |= replace(plan, config=config, speed=speed).to_dict()
    run.write_plan(known)
    return known


def _keep_apart(
    sources: Sequence[Sourced], request: Request, lineup: Lineup, channels: int
) -> Generator[str, None, _LeftOut]:
    """Return the pictures that do not count.

    Raises:
        DataError: when a picture would be trained on that is there to measure by, a golden set is
            not what it was, or a mask cannot be used.
    """
    seen: dict[str, list[Seen]] = {split: [] for split in SPLITS}
    for source in sources:
        for split, kept in seen.items():
            kept += yield from _seen(source.splits[split], source.place, channels)
    trained = seen["train"]
    # Also what is repeated, and so not validated on: an old picture that measures stays untrained.
    held = [*seen["val"], *seen["test"]]
    notes: list[str] = []
    for path in request.goldens:
        held += yield from _seen(_held_out(load_golden(path), notes), 0, channels)
    clashes = find_clashes(trained, held)
    if not request.leave_out:
        refuse(clashes)
    left_out = _LeftOut(
        {"train": {(clash.trained.dataset, clash.trained.stem) for clash in clashes}, "val": set()},
        notes + [f"left out of the training: {clash}" for clash in clashes],
    )
    for split, pictures in left_out.pictures.items():
        for old, new in find_repeated(seen[split]):
            if (old.dataset, old.stem) in pictures:
                continue
            # The mask that was corrected last counts; the old one would teach, and measure by, the
            # opposite.
            pictures.add((old.dataset, old.stem))
            if not same_mask(old, new, split, sources, lineup):
                left_out.notes.append(f"replaced by its newer mask: {old.name} is {new.name}")
    return left_out


def _held_out(golden: GoldenSet, notes: list[str]) -> SegmentationDataset:
    """Return the pictures of a golden set that must not be trained on."""
    try:
        return golden.open()
    except DataError as error:
        # Who corrects one of its masks makes it useless for comparisons, but not the retraining
        # impossible that learns from other corrections.
        left = golden.left()
        notes.append(
            f"{error}; nothing can be compared on it, but {len(left)} of its "
            f"{len(golden.pictures)} pictures are there and kept out of the training"
        )
        return left


def _seen(
    dataset: SegmentationDataset, place: int, channels: int
) -> Generator[str, None, list[Seen]]:
    steps = see(dataset, place, channels)
    done = 0
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            found: list[Seen] = stop.value
            return found
        done += 1
        yield f"looking at {dataset.info.name}, {dataset.split}: {done} of {len(dataset)}"


def _clear(run: RetrainFolder) -> None:
    """Remove what a preparation that was killed has left; all of it was made in this folder."""
    for path in (run.data, *run.path.glob(f".{run.data.name}.*.part")):
        if path.exists():
            shutil.rmtree(path)


def _channels(meta: Metadata) -> Any:  # noqa: ANN401 - 1 or 3, as every checkpoint was checked for
    return meta.channels


def _told(lineup: Lineup, request: Request) -> dict[str, Any]:
    def others(names: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
        return {old: new for old, new in names.items() if old not in wanted}

    return {
        "added": list(lineup.added),
        "renamed": dict(request.renamed),
        "dropped": dict(request.dropped),
        # Masks go on to use the names of that time, also at the next retraining.
        "earlier": {
            "renamed": others(lineup.renamed, request.renamed),
            "dropped": others(lineup.dropped, request.dropped),
        },
    }


def _ancestors(meta: Metadata) -> list[str]:
    """Return the checkpoints that the parent comes from, oldest first."""
    before = meta.data.get("ancestors")
    known = [str(one) for one in before] if isinstance(before, list) else []
    return known if meta.parent is None else [*known, meta.parent]


def _descent(
    run: RetrainFolder, known: dict[str, Any], plan: Plan, training: SegmentationDataset
) -> Descent:
    keys = ("name", "role", "train", "val", "left_out", "fingerprint")
    sources = [{key: getattr(one, key) for key in keys} for one in read_sources(run.data)]
    return Descent(
        known["parent"],
        pools(training, plan.new_share),
        recipe={"retrained": {"new_share": plan.new_share} | known["classes"]},
        data={
            "sources": sources,
            "ancestors": known["ancestors"],
            # Missing from plans of an earlier version.
            "fingerprints_before": known.get("before", []),
        },
    )


def _first(sentences: Sequence[str]) -> list[str]:
    """Return as many as anybody reads, and how many more there are."""
    more = len(sentences) - _MOST_TOLD
    return [*sentences[:_MOST_TOLD], *([f"and {more:,} more"] if more > 0 else [])]


def _flattering(sources: Sequence[Sourced], meta: Metadata) -> list[str]:
    """Say which pictures the candidate is validated on although the parent was trained on them."""
    known = training_fingerprints(meta.data)
    return [
        f"the parent was trained on val of {source.info.name} as well, so that the mIoU of the "
        "candidate flatters; measure it on pictures that neither has seen"
        for source in sources
        if known and len(source.splits["val"]) and fingerprint(source.splits["val"]) in known
    ]


def _notes(lineup: Lineup, pixels: Sequence[int], request: Request) -> list[str]:
    notes = []
    if not request.bases:
        notes.append(
            "no old data is replayed, so that old defects may be forgotten; give the dataset that "
            "the parent was trained on: --base OLD_DATASET"
        )
    untaught = [
        name for name, count in zip(lineup.class_map.names, pixels, strict=True) if not count
    ]
    if untaught:
        notes.append(
            f"no picture of the training shows {', '.join(untaught)}; what the parent knows of it "
            "may be forgotten"
        )
    return notes


def check_request(request: Request) -> None:
    """Refuse what can be seen to be wrong before anything is read.

    Raises:
        UsageError: when a number is out of its range.
        CheckpointError: when the parent cannot be read.
        DataError: when a dataset or golden set is none.
    """
    if request.new_share is not None and not 0 < request.new_share <= 1:
        raise UsageError(
            f"--new-share is {request.new_share:g}; give a share above 0 and at most 1"
        )
    if request.bases and request.new_share == 1:
        raise UsageError(
            "--new-share is 1, so that nothing of --base would be trained on; give less, or no "
            "--base"
        )
    if request.minutes is not None and not 0 < request.minutes < math.inf:
        raise UsageError(f"--minutes is {request.minutes:g}; give a number above 0")
    if request.minutes is not None and "steps" in request.options:
        raise UsageError("--minutes and --steps exclude each other; leave one out")
    meta = read_metadata(request.checkpoint)
    for path in request.goldens:
        load_golden(path)
    infos = [load_info(root) for root in (request.dataset, *request.bases)]
    line_up(
        meta.class_map,
        [info.class_map for info in infos],
        renamed=request.renamed,
        dropped=request.dropped,
        earlier=changes_of(meta),
    )
    choose_options(meta.recipe, request.options, pictures=1, same_classes=True)
    _check_distinct((request.dataset, *request.bases))


def _check_distinct(roots: Sequence[Path]) -> None:
    places = [root.resolve() for root in roots]
    twice = [place for place in places if places.count(place) > 1]
    if twice:
        raise UsageError(f"{twice[0]}: is given more than once; name each dataset once")
