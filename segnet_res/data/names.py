"""Names of classes as different tools write them."""

from collections.abc import Iterable

SEPARATORS = "_-. "

# What tools call pixels that nobody could or would judge.
IGNORED = ("ignore", "ignored", "void", "unlabeled", "unlabelled")
BACKGROUND = "background"


def same_name(name: str, names: Iterable[str]) -> str | None:
    """Return the one of ``names`` that means the same class, whatever its case and separators.

    >>> same_name("Deep_Scratch", ["sound", "deep scratch"])
    'deep scratch'
    """
    return next((other for other in names if _plain(other) == _plain(name)), None)


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter not in SEPARATORS)
