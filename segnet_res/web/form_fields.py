"""Fields of a form as a browser sends them: anything, until they were looked at."""

from collections.abc import Mapping, Sequence
from typing import Any

from segnet_res.errors import UsageError

_MOST_LISTED = 50
_MOST_TEXT = 200


def number(fields: Mapping[str, Any], key: str, name: str, most: float) -> float | None:
    """Return a number of a form, or None where it was left empty.

    Args:
        fields: The form.
        key: Which of its fields.
        name: What people call it.
        most: The largest that makes sense; the smallest is 0.

    Raises:
        UsageError: when it is none, or out of every reasonable range.
    """
    value = fields.get(key)
    if value is None or value == "":
        return None
    good = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not good or not 0 <= value <= most:
        raise UsageError(f"{name} is {str(value)[:40]}; give a number up to {most:g}")
    return float(value)


def text(value: object) -> str:
    """Return a text of a form; empty where it is none, or far too long."""
    return value if isinstance(value, str) and len(value) <= 4096 else ""


def some(value: object) -> Sequence[object]:
    """Return a list of a form.

    Raises:
        UsageError: when it is longer than anybody fills in.
    """
    listed = value if isinstance(value, list) else []
    if len(listed) > _MOST_LISTED:
        raise UsageError(f"{len(listed)} were chosen; choose up to {_MOST_LISTED}")
    return listed


def pairs(value: object) -> dict[str, str | None]:
    """Return names by names, or by None; what is neither is left out."""
    listed = value if isinstance(value, dict) else {}
    return {
        key: other.strip() if isinstance(other, str) else None
        for key, other in listed.items()
        if isinstance(key, str) and (other is None or _is_name(other))
    }


def _is_name(value: object) -> bool:
    good = isinstance(value, str) and value.isprintable()
    return good and 0 < len(str(value).strip()) <= _MOST_TEXT
