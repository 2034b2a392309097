"""Names of classes as different tools write them."""

import re
from collections.abc import Collection

SEPARATORS = "_-. "

# What tools call pixels that nobody could or would judge.
IGNORED = ("ignore", "ignored", "void", "unlabeled", "unlabelled")
BACKGROUND = "background"


def same_name(name: str, names: Collection[str]) -> str | None:
    """Return the one of ``names`` that means the same class, whatever its case and separators.

    Between digits a separator counts: "type 1.1" is not "type 11".

    >>> same_name("Deep_Scratch", ["sound", "deep scratch"])
    'deep scratch'
    >>> same_name("E1_1", ["E11", "e1-1"])
    'e1-1'
    """
    if name in names:
        return name
    plain = _plain(name)
    return next((other for other in names if _plain(other) == plain), None)


def _plain(name: str) -> str:
    between_digits = re.sub(rf"(?<=\d)[{re.escape(SEPARATORS)}]+(?=\d)", "/", name.casefold())
    return "".join(letter for letter in between_digits if letter not in SEPARATORS)
