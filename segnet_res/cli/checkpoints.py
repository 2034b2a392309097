"""``segnet-res checkpoints``: which checkpoints there are, and what is in them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segnet_res.cli._options import CheckpointArgument

if TYPE_CHECKING:
    from segnet_res.checkpoint import Metadata

checkpoints_app = typer.Typer(help="Look at checkpoints.", no_args_is_help=True)


@checkpoints_app.command("list")
def list_(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder of checkpoints and exports.")
    ] = Path("checkpoints"),
) -> None:
    """List the checkpoints and exports of a folder with classes, training data and mIoU.

    A file that is no checkpoint is listed with what is wrong with it. Where checkpoints were
    promoted, the one that serves is marked.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from segnet_res.checkpoint import checkpoint_name, find_checkpoints, read_metadata
    from segnet_res.cli._console import note, show_table
    from segnet_res.errors import CheckpointError, DataError
    from segnet_res.retraining.registry import Registry

    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give the folder that holds checkpoints")
    paths = find_checkpoints(folder)
    if not paths:
        _check_serving(folder)
        note(f"{folder}: no checkpoints here; `segnet-res train` makes one")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("checkpoint", "architecture", "classes", "data", "val mIoU", "created"):
        table.add_column(heading, overflow="fold")
    promoted = Registry(folder).serving()
    if promoted is not None:
        table.add_column("serves")
    damaged = []
    for path in paths:
        try:
            metadata = read_metadata(path)
        except CheckpointError as error:
            table.add_row(Text(checkpoint_name(path)), "damaged")
            damaged.append(str(error))
            continue
        table.add_row(
            Text(checkpoint_name(path)),
            Text(metadata.architecture),
            str(len(metadata.class_map)),
            Text(str(metadata.data.get("name", "-"))),
            _miou(metadata.scores),
            Text(metadata.created[:10]),
            *(["yes"] if promoted is not None and path.name == promoted.file else []),
        )
    show_table(table)
    for message in damaged:
        note(f"damaged: {message}")
    _check_serving(folder)


@checkpoints_app.command()
def history(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder of checkpoints, or its registry.jsonl.")
    ] = Path("checkpoints"),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print every line with its comparison as JSON.")
    ] = False,
) -> None:
    """Show which checkpoint served since when (UTC), who wanted it, and why; the newest last."""
    import json
    from dataclasses import asdict

    from segnet_res.cli._console import note, say
    from segnet_res.retraining.registry import Registry, registry_folder

    registry = Registry(registry_folder(folder))
    entries = registry.entries()
    if as_json:
        typer.echo(json.dumps([asdict(entry) for entry in entries], indent=2))
        return
    if not entries:
        note(f"{registry.folder}: nothing was promoted here; `segnet-res promote` does")
        return
    width = max(len(entry.checkpoint) for entry in entries)
    for entry in entries:
        before = f"instead of {entry.before}; " if entry.before else ""
        missed = f"; newly missed defects accepted: {entry.accepted}" if entry.accepted else ""
        say(
            f"{entry.at[:16].replace('T', ' ')}  {entry.action:<8}  {entry.checkpoint:<{width}}  "
            f"{before}by {entry.by}: {entry.why}{missed}"
        )
    _check_serving(registry.folder)


@checkpoints_app.command()
def show(
    checkpoint: CheckpointArgument,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Show all that a checkpoint, or an export of one, says about itself."""
    import json

    from segnet_res.checkpoint import read_metadata, short_hash
    from segnet_res.cli._console import say
    from segnet_res.exported import files_of

    metadata = read_metadata(checkpoint)
    if as_json:
        typer.echo(json.dumps(json.loads(metadata.to_json()), indent=2))
        return
    files = files_of(checkpoint)
    size = sum(file.stat().st_size for file in files) / 1e6
    facts = {
        "file": f"{' and '.join(map(str, files))} ({size:.1f} MB)",
        "sha256": f"{short_hash(checkpoint)}...",
        **_export_facts(checkpoint),
        **_facts(metadata),
    }
    width = max(map(len, facts))
    for name, value in facts.items():
        say(f"{name:<{width}}  {value}")
    _show_classes(metadata)


def _check_serving(folder: Path) -> None:
    """Warn where the checkpoint that serves is not what was promoted."""
    from segnet_res.cli._console import warn
    from segnet_res.errors import CheckpointError
    from segnet_res.retraining.registry import Registry

    registry = Registry(folder)
    promoted = registry.serving()
    if promoted is not None:
        try:
            registry.file_of(promoted)
        except CheckpointError as error:
            warn(str(error))


def _export_facts(path: Path) -> dict[str, str]:
    from segnet_res.exported import is_export, read_form

    if not is_export(path):
        return {}
    form = read_form(path)
    into = "pixels of 0 to 255" if form.normalised else "normalised pixels"
    out = "labels and confidence" if form.labels else "logits"
    return {"export": f"of {form.source}; {form.precision}, {into} in, {out} out"}


def _facts(metadata: "Metadata") -> dict[str, str]:
    return {
        "format": f"version {metadata.format_version}",
        "created": metadata.created,
        "architecture": metadata.architecture,
        "arguments": _pairs(metadata.arguments),
        "channels": "3 (RGB)" if metadata.channels == 3 else "1 (grey)",
        "pixel mean": ", ".join(f"{value:.2f}" for value in metadata.mean),
        "pixel std": ", ".join(f"{value:.2f}" for value in metadata.std),
        "ignore_index": str(metadata.class_map.ignore_index),
        "data": _pairs(metadata.data),
        "conditions": "not known" if metadata.conditions is None else str(metadata.conditions),
        "recipe": _pairs(metadata.recipe),
        "parent": metadata.parent or "none",
        **_retrained(metadata),
        "licence": metadata.licence or "not stated",
        "val mIoU": _miou(metadata.scores),
    }


def _show_classes(metadata: "Metadata") -> None:
    """Print name, colour, share and validation scores of each class."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from segnet_res.classes import format_color
    from segnet_res.cli._console import show_table
    from segnet_res.cli.evaluate import format_ratio

    scores = (metadata.scores or {}).get("classes", [])
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("label", "class", "colour", "training share", "val IoU", "val pixels"):
        table.add_column(heading, overflow="fold")
    classes = zip(metadata.class_map.names, metadata.class_map.colors, strict=True)
    for i, (name, color) in enumerate(classes):
        share = metadata.class_shares[i] if metadata.class_shares else None
        score = scores[i] if i < len(scores) else None
        table.add_row(
            str(i),
            Text(name),
            format_color(color),
            "-" if share is None else format_ratio(share),
            "-" if score is None else format_ratio(score.get("iou")),
            "-" if score is None else f"{score.get('pixels') or 0:,}",
        )
    show_table(table)


def _miou(scores: dict[str, Any] | None) -> str:
    from segnet_res.cli.evaluate import format_ratio

    return format_ratio(scores.get("miou")) if scores else "not measured"


def _retrained(metadata: "Metadata") -> dict[str, str]:
    """Return what a retraining says about its data, classes and ancestors; mostly nothing."""
    facts = {}
    sources, ancestors = metadata.data.get("sources"), metadata.data.get("ancestors")
    changes = metadata.recipe.get("retrained")
    if isinstance(ancestors, list) and ancestors:
        facts["ancestors"] = ", ".join(map(str, ancestors))
    if isinstance(sources, list):
        facts["learnt from"] = ", ".join(
            f"{one.get('name')} ({one.get('role')}, {one.get('train')} pictures)"
            for one in sources
            if isinstance(one, dict)
        )
    if isinstance(changes, dict):
        facts |= {
            f"classes {what}": ", ".join(map(_change, found.items()))
            if isinstance(found, dict)
            else ", ".join(map(str, found))
            for what in ("added", "renamed", "dropped")
            if (found := changes.get(what))
        }
    return facts


def _change(pair: tuple[str, object]) -> str:
    return pair[0] if pair[1] is None else f"{pair[0]}={pair[1]}"


def _pairs(content: dict[str, Any]) -> str:
    """Return plain values on one line; lists and the like have lines of their own."""
    plain = [
        f"{key}={value}" for key, value in content.items() if not isinstance(value, list | dict)
    ]
    return ", ".join(plain) or "none"
