"""What people write down for others to read: who wants something, and why."""

from segnet_res.errors import UsageError

_MOST_NAME, _MOST_TEXT = 100, 2000


def checked_words(content: object, what: str, most: int = _MOST_TEXT) -> str:
    r"""Return a text that somebody typed, on one line.

    Args:
        content: Comes from a browser and may be anything.
        what: What the text is, for the sentence.
        most: The most letters.

    Raises:
        UsageError: when it says nothing, or is too long.

    >>> checked_words("  finds\nthe dents ", "the reason")
    'finds the dents'
    """
    text = " ".join(content.split()) if isinstance(content, str) else ""
    # Signs that nobody sees could make a name look like another one.
    text = "".join(letter for letter in text if letter.isprintable())
    if not text:
        raise UsageError(f"{what} is empty; say it in a few words, others will read it")
    if len(text) > most:
        raise UsageError(f"{what} has {len(text):,} letters; say it in {most:,} or fewer")
    return text


def by_whom(user: str | None, content: object) -> str:
    """Return who wants something: whoever is logged in, else the name that was typed.

    Args:
        user: Who is logged in; None where nobody has to.
        content: The name that the browser sent; counts only where there is no login.

    Raises:
        UsageError: when there is neither.
    """
    return user if user is not None else checked_words(content, "the name", _MOST_NAME)
