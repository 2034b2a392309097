"""Names of results that every system can write, whatever the pictures are called."""

import os
import re
from collections.abc import Sequence
from pathlib import PurePosixPath

# Windows writes none of these, and calls devices by these names, with any ending.
_FORBIDDEN = frozenset('<>:"|?*\\/')
_DEVICES = re.compile(r"^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)", re.IGNORECASE)

# File systems end at 255 bytes; the rest is for suffixes and what unpacking programs add.
_MAX_PART_BYTES = 180
_MAX_PARTS = 16


def shown_name(name: str) -> str:
    r"""Return a name as people read it: without characters that cannot be shown or that mislead.

    Besides control characters these are the marks that turn the direction of writing, with which
    ``gnp.exe`` can be made to look like ``exe.png``, and bytes that are no UTF-8.

    >>> shown_name("a\x00b\u202e.png")
    'a_b_.png'
    """
    return "".join(letter if letter.isprintable() else "_" for letter in name)


def safe_path(name: str) -> str:
    """Turn a picture's name into a relative path that stays below the folder it is unpacked to.

    >>> safe_path("../../etc/CON.png"), safe_path("/a:b/ ./..")
    ('etc/_CON.png', 'a_b')
    """
    parts = [_safe_part(part) for part in shown_name(name).split("/")]
    # The last ones say most of a picture.
    kept = [part for part in parts if part][-_MAX_PARTS:]
    return "/".join(kept) or "picture"


def result_stems(names: Sequence[str]) -> list[str]:
    """Return what the results of pictures are called, without suffix; safe, and all different.

    As `predict` calls them wherever a name is safe. Names that differ in case alone get a number,
    because Windows and macOS take them for the same.

    >>> result_stems(["x/a.jpg", "b.jpg", "b.png", "B.tif", "b.jpg"])
    ['x/a', 'b.jpg', 'b.png', 'B', 'b.jpg (2)']
    """
    # Imported here: it brings torch, which takes seconds, and the page should open before.
    from segnet_res.inference.plan import output_stems

    paths = [safe_path(name) for name in names]
    # Each path once: for the same name twice there is no ending that would tell them apart.
    once = list(dict.fromkeys(paths))
    stems = dict(zip(once, output_stems(once), strict=True))
    taken: set[str] = set()
    result = []
    for path in paths:
        stem, i = stems[path], 1
        while (unique := stem if i == 1 else f"{stem} ({i})").casefold() in taken:
            i += 1
        taken.add(unique.casefold())
        result.append(unique)
    return result


def _safe_part(part: str) -> str:
    """Return one folder or file name without what a system refuses; empty when nothing is left."""
    plain = "".join("_" if letter in _FORBIDDEN else letter for letter in part).strip()
    if plain.strip(". ") == "":
        return ""  # also "." and "..", which lead elsewhere
    if len(os.fsencode(plain)) > _MAX_PART_BYTES:
        suffix = PurePosixPath(plain).suffix[:20]
        room = _MAX_PART_BYTES - len(suffix.encode())
        plain = plain.encode()[:room].decode(errors="ignore") + suffix
    # Windows drops these at the end, and would then not find the file.
    plain = plain.rstrip(". ")
    return f"_{plain}" if _DEVICES.match(plain) else plain
