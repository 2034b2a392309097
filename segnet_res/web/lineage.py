"""Which checkpoint came from which: the family tree of a folder, by hashes."""

import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segnet_res.checkpoint import Metadata
from segnet_res.errors import SegnetResError
from segnet_res.exported import is_export, read_form
from segnet_res.retraining.registry import Entry
from segnet_res.web.checkpoints import Entry as Listed
from segnet_res.web.serving import Digests

_HASH = 12

# Metadata come from anywhere; nobody reads more.
_MOST_NAMES, _MOST_LETTERS, _MOST_ANCESTORS = 50, 200, 50


@dataclass
class Node:
    """A checkpoint of the tree.

    Attributes:
        id: First digits of its SHA-256.
        name: The first of its names in the folder, or the one by which others know it.
        names: All of its names in the folder; empty where its file is not there.
        parent: `id` of the checkpoint that its training started from; None where nobody knows one.
        exports: Names of the exports in the folder that were made from it.
        facts: What the page tells of it, see `_facts`.
        promoted: How often it was promoted.
    """

    id: str
    name: str
    names: list[str] = field(default_factory=list)
    parent: str | None = None
    exports: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    promoted: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists, texts and numbers for the page."""
        keys = ("id", "name", "names", "parent", "exports", "promoted")
        return {key: getattr(self, key) for key in keys} | self.facts


class Tree:
    """Collects checkpoints and who came from whom; the order is that in which they were made."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}

    def add(self, listed: Iterable[Listed], digests: Digests) -> None:
        """Take in the files of a folder; those that have gone meanwhile are passed over."""
        usable = [(one, one.metadata) for one in listed if one.metadata is not None]
        for one, metadata in sorted(usable, key=lambda pair: str(pair[1].created)):
            if is_export(one.path):
                continue
            with suppress(OSError):
                self._add(digests.of(one.path), one.name, metadata)
        for one, _ in usable:
            if is_export(one.path):
                self._add_export(one.path, one.name)

    def add_promotions(self, entries: Iterable[Entry]) -> None:
        """Take in what a registry knows, also of files that are gone."""
        for entry in entries:
            node = self._known(entry.sha256[:_HASH], entry.checkpoint)
            if entry.action == "promote":
                node.promoted += 1
            if entry.parent is not None and node.parent is None:
                node.parent = self._named(entry.parent).id

    def nodes(self) -> list[Node]:
        """Return all nodes; nobody is its own ancestor, whatever files claim."""
        for node in self._nodes.values():
            seen, now = {node.id}, node
            while now.parent is not None:
                if now.parent in seen:
                    now.parent = None
                    break
                seen.add(now.parent)
                now = self._nodes[now.parent]
        return list(self._nodes.values())

    def _add(self, sha256: str, name: str, metadata: Metadata) -> None:
        node = self._known(sha256[:_HASH], name)
        if not node.names:
            node.name = name
            node.facts = _facts(metadata)
        node.names.append(name)
        line = [*_texts(metadata.data.get("ancestors"))[-_MOST_ANCESTORS:]]
        line += [str(metadata.parent)] if metadata.parent else []
        before: Node | None = None
        for text in filter(str.strip, line):
            ancestor = self._named(text)
            if before is not None and ancestor.parent is None:
                ancestor.parent = before.id
            before = ancestor
        if before is not None and before.id != node.id:
            node.parent = before.id

    def _add_export(self, path: Path, name: str) -> None:
        with suppress(SegnetResError):
            self._named(read_form(path).source).exports.append(name)

    def _named(self, text: str) -> Node:
        """Return the node of a name with its short hash, as metadata have it."""
        name, _, short = text[:_MOST_LETTERS].rpartition(" ")
        return self._known(short, name or short)

    def _known(self, short: str, name: str) -> Node:
        return self._nodes.setdefault(short, Node(short, name))


def _facts(metadata: Metadata) -> dict[str, Any]:
    """Return scores, data and classes of a checkpoint, in types that the page can rely on."""
    data, scores = metadata.data, metadata.scores or {}
    changes = metadata.recipe.get("retrained")
    changed: Mapping[str, Any] = changes if isinstance(changes, dict) else {}
    sources = data.get("sources")
    return {
        "miou": _number(scores.get("miou")),
        "images": _number(scores.get("images")),
        "created": str(metadata.created)[:_MOST_LETTERS],
        "data": _text(data.get("name")),
        "fingerprint": _text(data.get("fingerprint"))[:_HASH],
        "trained_on": _number(data.get("images")),
        "sources": [
            {
                "name": _text(one.get("name")),
                "role": _text(one.get("role")),
                "train": _number(one.get("train")),
                "fingerprint": _text(one.get("fingerprint"))[:_HASH],
            }
            for one in (sources if isinstance(sources, list) else [])[:_MOST_NAMES]
            if isinstance(one, dict)
        ],
        "added": _texts(changed.get("added")),
        "renamed": _pairs(changed.get("renamed")),
        "dropped": _pairs(changed.get("dropped")),
    }


def _text(value: object) -> str:
    return value[:_MOST_LETTERS] if isinstance(value, str) else ""


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if math.isfinite(value) else None


def _texts(value: object) -> list[str]:
    listed = value if isinstance(value, list) else []
    return [_text(one) for one in listed[:_MOST_NAMES] if isinstance(one, str)]


def _pairs(value: object) -> list[list[str]]:
    """Return old names, each with the new one; what is dropped for good has none."""
    pairs = value if isinstance(value, dict) else {}
    return [[_text(old), _text(new)] for old, new in list(pairs.items())[:_MOST_NAMES]]
