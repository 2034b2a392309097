"""The form of a retraining: what can be chosen, and what a browser has chosen as a request."""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from segnet_res.checkpoint import Metadata
from segnet_res.classes import ClassMap, background, format_color
from segnet_res.data import DatasetInfo, load_info
from segnet_res.errors import CheckpointError, DataError, SegnetResError, UsageError
from segnet_res.exported import is_export
from segnet_res.retraining.lineup import Lineup, changes_of, line_up
from segnet_res.retraining.registry import serving
from segnet_res.retraining.state import Request
from segnet_res.web.backend import Backend
from segnet_res.web.form_fields import number, pairs, some, text
from segnet_res.web.goldens import find_golden, list_goldens

Fields = dict[str, Any]

# What the page offers of `TrainConfig`, each with the largest value that makes sense on one
# machine: more would take its memory or the turn of all others.
_WHOLE = {"epochs": 1000, "steps": 100_000, "batch": 256, "crop": 2048, "seed": 2**31 - 1}
_LONGEST_MINUTES = 7 * 24 * 60

# The sentences of the command name its options; people on the page know them by their labels.
_OPTION = re.compile(r"--([a-z]+(?:-[a-z]+)*)( OLD_DATASET)?")
_COUNT_AS = re.compile(r": --drop .*=.*$")
_LABELS = {
    "leave-out": "“Leave them out”",
    "base": "“Old pictures”",
    "new-share": "“Share of new pictures”",
    "minutes": "“Minutes”",
    "steps": "“Steps an epoch”",
    "epochs": "“Epochs”",
}


@dataclass(frozen=True)
class Chosen:
    """Parent and datasets that a browser has chosen, all of them found.

    Attributes:
        parent: Name of the parent.
        metadata: What the parent says about itself.
        names: Names of the new dataset and of the old ones.
        infos: What these say about themselves.
        renamed: See `line_up`.
        dropped: See `line_up`.
    """

    parent: str
    metadata: Metadata
    names: tuple[str, ...]
    infos: tuple[DatasetInfo, ...]
    renamed: Mapping[str, str]
    dropped: Mapping[str, str | None]


def choices(backend: Backend) -> Fields:
    """Return what can be chosen: ``parents``, ``datasets`` and ``goldens``, as plain values."""
    doubt = None
    try:
        first = serving(backend.checkpoints.folder)
    except CheckpointError as error:
        first, doubt = None, str(error)
    parents = [
        {
            "name": entry.name,
            "serving": entry.name == first,
            "classes": _classes(entry.metadata.class_map),
            "learnt_from": sorted(_learnt_from(entry.metadata)),
        }
        for entry in backend.checkpoints.entries()
        if entry.metadata is not None and not is_export(entry.path)
    ]
    parents.sort(key=lambda parent: not parent["serving"])
    return {
        "allowed": backend.folders.root is not None,
        "parents": parents,
        "datasets": _datasets(backend),
        "goldens": [golden.to_dict() for golden in list_goldens(backend.folders)],
        "doubt": doubt,
    }


def choose(backend: Backend, fields: Fields) -> Chosen:
    """Find what a browser has chosen.

    Args:
        backend: What stands behind the page.
        fields: ``parent``, ``dataset``, ``bases``, ``renamed`` and ``dropped``; untrusted.

    Raises:
        UsageError: when something is missing.
        SegnetResError: when something is not there or cannot be used.
    """
    parent, dataset = text(fields.get("parent")), text(fields.get("dataset"))
    if not parent:
        raise UsageError("no checkpoint was chosen; choose the one to go on from")
    if not dataset:
        raise UsageError("no dataset was chosen; choose the one with the new pictures")
    known = {entry.name: entry for entry in backend.checkpoints.entries()}
    entry = known.get(parent)
    if entry is None or entry.metadata is None or is_export(entry.path):
        reason = (entry and entry.error) or "it is not there, or an export"
        raise CheckpointError(
            f"{parent!r} cannot be retrained ({reason}); choose another checkpoint"
        )
    bases = [text(name) for name in some(fields.get("bases"))]
    names = (dataset, *dict.fromkeys(bases))
    infos = tuple(load_info(backend.folders.dataset(name)) for name in names)
    renamed = {old: new for old, new in pairs(fields.get("renamed")).items() if new is not None}
    return Chosen(parent, entry.metadata, names, infos, renamed, pairs(fields.get("dropped")))


def class_rows(chosen: Chosen) -> list[Fields]:
    """Return what becomes of each class: those of the parent, then the new ones.

    Each row has ``old`` (name in the parent, or None), ``name`` (in the candidate, or None),
    ``kind`` (kept, renamed, new or dropped), ``counts_as`` (of a dropped one), ``color``,
    ``fixed`` (it may not be dropped), and which datasets name it: ``new_data``, ``old_data``.

    Raises:
        UsageError: when the classes cannot be changed like this.
        DataError: when there are too many.
    """
    meta, lineup = chosen.metadata, _line_up(chosen)
    colors = dict(zip(lineup.class_map.names, lineup.class_map.colors, strict=True))
    rows = []
    for label, old in enumerate(meta.class_map.names):
        name = _carried_name(lineup, label)
        kind = "dropped" if name is None else "kept" if name == old else "renamed"
        color = meta.class_map.colors[label] if name is None else colors[name]
        rows.append(
            {"old": old, "name": name, "kind": kind, "color": format_color(color)}
            | {"counts_as": chosen.dropped.get(old), "fixed": background(meta.class_map) == label}
            | _named_by(chosen, {old, name})
        )
    for name in lineup.added:
        rows.append(
            {"old": None, "name": name, "kind": "new", "color": format_color(colors[name])}
            | {"counts_as": None, "fixed": True}
            | _named_by(chosen, {name})
        )
    return rows


def request_of(backend: Backend, fields: Fields, user: str | None) -> Request:
    """Return what a browser wants as a request.

    Args:
        backend: What stands behind the page.
        fields: As for `choose`, and ``goldens``, ``new_share``, ``minutes``, ``leave_out`` and
            ``options``; untrusted.
        user: Who is logged in; None where nobody has to.

    Raises:
        SegnetResError: when something is missing, not there, or out of its range.
    """
    chosen = choose(backend, fields)
    _line_up(chosen)
    _check_pictures(backend, chosen)
    share = number(fields, "new_share", "the share of new pictures", 1)
    roots = [backend.folders.dataset(name) for name in chosen.names]
    return Request(
        backend.checkpoints.key(chosen.parent)[0],
        roots[0],
        tuple(roots[1:]),
        tuple(find_golden(backend.folders, text(name)) for name in some(fields.get("goldens"))),
        chosen.renamed,
        chosen.dropped,
        share,
        number(fields, "minutes", "the time", _LONGEST_MINUTES),
        fields.get("leave_out") is True,
        None,
        _options(fields.get("options")),
        user,
    )


def for_page(sentence: str) -> str:
    """Return a sentence with the labels of the page in place of the options of the command.

    >>> for_page("leave them out of this training with --leave-out")
    'leave them out of this training with “Leave them out”'
    """
    told = _COUNT_AS.sub(": “counts as” in the table of classes", sentence)
    return _OPTION.sub(lambda match: _LABELS.get(match[1], match[0]), told)


def _datasets(backend: Backend) -> list[Fields]:
    told = []
    for name, splits in backend.folders.datasets().items():
        row: Fields = {"name": name, "splits": splits, "title": "", "classes": [], "error": None}
        try:
            info = load_info(backend.folders.dataset(name))
            row |= {"title": info.name, "classes": list(info.class_map.names)}
        except SegnetResError as error:
            row["error"] = str(error)
        told.append(row)
    return told


def _classes(class_map: ClassMap) -> list[Fields]:
    return [
        {"name": name, "color": format_color(color)}
        for name, color in zip(class_map.names, class_map.colors, strict=True)
    ]


def _learnt_from(metadata: Metadata) -> set[str]:
    """Return the names of the datasets that a checkpoint was trained on."""
    names = {str(metadata.data.get("name", ""))}
    with suppress(TypeError, AttributeError):  # somebody else's metadata may hold anything
        names |= {str(one["name"]) for one in metadata.data.get("sources", []) if "name" in one}
    return names - {""}


def _line_up(chosen: Chosen) -> Lineup:
    return line_up(
        chosen.metadata.class_map,
        [info.class_map for info in chosen.infos],
        renamed=chosen.renamed,
        dropped=chosen.dropped,
        earlier=changes_of(chosen.metadata),
    )


def _carried_name(lineup: Lineup, label: int) -> str | None:
    """Return what a class of the parent is called in the candidate; None where it is dropped."""
    for name, old in zip(lineup.class_map.names, lineup.carried, strict=True):
        if old == label:
            return name
    return None


def _named_by(chosen: Chosen, names: set[str | None]) -> Fields:
    new, *old = (names & set(info.class_map.names) for info in chosen.infos)
    return {"new_data": bool(new), "old_data": any(old)}


def _check_pictures(backend: Backend, chosen: Chosen) -> None:
    """Refuse datasets without pictures at once; the process would find out a minute later."""
    splits = backend.folders.datasets()
    new = chosen.names[0]
    if not splits[new].get("train"):
        raise DataError(
            f"{new}: no picture is in its split 'train'; save corrected masks as done in Annotate, "
            "or fill the split with `segnet-res data split`"
        )
    if not any(splits[name].get("val") for name in chosen.names):
        raise DataError(
            f"{new}: no picture is in its split 'val', so that nothing can tell which epoch was "
            "best; save more corrected masks as done, or add old pictures that have such a split"
        )


def _options(content: object) -> Fields:
    given: Fields = content if isinstance(content, dict) else {}
    options: Fields = {}
    for name, most in _WHOLE.items():
        value = number(given, name, name, most)
        if value is None:
            continue
        if value != int(value):
            raise UsageError(f"{name} is {value:g}; give a whole number")
        options[name] = int(value)
    rate = number(given, "lr", "the learning rate", 1)
    return options if rate is None else options | {"lr": rate}
