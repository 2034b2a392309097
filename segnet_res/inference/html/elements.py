"""HTML and SVG as trees of elements: what comes from outside is always escaped."""

import re
from xml.etree import ElementTree as ET

Element = ET.Element

# What no browser shows, and halves of characters from names of files that are not UTF-8.
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def element(tag: str, *children: Element | str | None, **attributes: object) -> Element:
    """Make an element; text is escaped when it is written.

    Args:
        tag: Its name.
        children: Elements and texts in order; None is left out.
        attributes: By name; a trailing underscore is cut and others become hyphens, so that
            ``class_`` and ``stroke_width`` can be said. What is None is left out.

    >>> to_html(element("p", "1 < 2 & ", element("b", "bold"), class_='a "b"'))
    '<p class="a &quot;b&quot;">1 &lt; 2 &amp; <b>bold</b></p>'
    """
    made = ET.Element(tag)
    for name, value in attributes.items():
        if value is not None:
            made.set(name.rstrip("_").replace("_", "-"), printable(str(value)))
    last: Element | None = None
    for child in children:
        if child is None:
            continue
        if isinstance(child, ET.Element):
            made.append(child)
            last = child
        elif last is None:
            made.text = (made.text or "") + printable(child)
        else:
            last.tail = (last.tail or "") + printable(child)
    return made


def name_of(text: str) -> Element:
    """Show a name of somebody else's: in its own direction of writing, whatever stands around.

    It may be broken after / and _, where a copied name is the same.

    >>> to_html(name_of("a/b.png"))
    '<bdi>a/<wbr>b.png</bdi>'
    """
    parts = re.split("(?<=[/_])(?=.)", text)
    broken = [child for part in parts for child in (element("wbr"), part)]
    return element("bdi", *broken[1:])


def printable(text: str) -> str:
    r"""Replace characters that cannot be shown.

    >>> printable("a\x1b[0m\udcff") == "a\ufffd[0m\ufffd"
    True
    """
    return _UNSEEN.sub("\ufffd", text)


def to_html(root: Element) -> str:
    """Write an element with all that it holds."""
    return ET.tostring(root, encoding="unicode", method="html")
