"""Charts as SVG that goes into the page: drawn in its colours, by day and by night."""

from collections.abc import Sequence

from segnet_res.inference.html.elements import Element, element

_WIDTH, _HEIGHT = 560, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 10, 12, 34


def columns(
    title: str, names: Sequence[str], counts: Sequence[int], *, below: str, every: int = 1
) -> Element:
    """Draw counts as columns.

    Args:
        title: What screen readers say.
        names: What stands below each column.
        counts: How high each is.
        below: What the names are.
        every: Of how many names one is written.
    """
    most = max(*counts, 1)
    each = (_WIDTH - _LEFT - _RIGHT) / len(counts)
    shapes: list[Element] = []
    for i, (name, count) in enumerate(zip(names, counts, strict=True)):
        # A single picture among thousands is seen too.
        height = max(_span() * count / most, 1.5) if count else 0.0
        left = _LEFT + i * each
        shapes.append(
            element(
                "rect",
                element("title", f"{name}: {count:,}"),
                **_box(left + 0.08 * each, _HEIGHT - _BOTTOM - height, 0.84 * each, height),
                class_="bar",
            )
        )
        if i % every == 0:
            shapes.append(_text(left + each / 2, _HEIGHT - _BOTTOM + 14, name, "middle"))
    return _chart(title, [*_axis(0, most, f"{most:,}", "0"), *shapes], below)


def course(
    title: str,
    values: Sequence[float],
    *,
    below: str,
    band: tuple[float, float] | None = None,
    percent: bool = False,
) -> Element:
    """Draw how a value went, from left to right.

    Args:
        title: What screen readers say.
        values: At least one.
        below: What goes from left to right.
        band: What is usual; None where that is not known.
        percent: Whether values are shares.
    """
    known: list[float] = [*values, *(band or ()), *([0.0] if percent else [])]
    low, high = min(known), max(known)
    if high == low:
        low, high = low - 0.5, high + 0.5
    if not percent:
        low, high = low - 0.05 * (high - low), high + 0.05 * (high - low)

    def y_of(value: float) -> float:
        return _HEIGHT - _BOTTOM - _span() * (value - low) / (high - low)

    shapes: list[Element] = []
    if band is not None:
        top = y_of(band[1])
        shapes.append(
            element(
                "rect",
                **_box(_LEFT, top, _WIDTH - _LEFT - _RIGHT, max(y_of(band[0]) - top, 1.0)),
                class_="band",
            )
        )
    step = (_WIDTH - _LEFT - _RIGHT) / max(1, len(values) - 1)
    places = [(_LEFT + i * step, y_of(value)) for i, value in enumerate(values)]
    if len(places) == 1:
        places.append((_WIDTH - _RIGHT, places[0][1]))
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    shapes.append(element("polyline", points=line, class_="line"))
    ends = [f"{100 * value:.3g} %" if percent else f"{value:.3g}" for value in (high, low)]
    return _chart(title, [*_axis(low, high, *ends), *shapes], below)


def share_bar(parts: Sequence[tuple[str, int]]) -> Element:
    """Draw parts of a whole as one bar; each part is (class of the style, number)."""
    total = sum(number for _, number in parts) or 1
    shapes, left = [], 0.0
    for style, number in parts:
        width = 100 * number / total
        shapes.append(element("rect", **_box(left, 0, width, 4), class_=style))
        left += width
    return element(
        "svg",
        *shapes,
        viewBox="0 0 100 4",
        preserveAspectRatio="none",
        class_="share",
        aria_hidden="true",
    )


def _span() -> int:
    return _HEIGHT - _TOP - _BOTTOM


def _chart(title: str, shapes: Sequence[Element], below: str) -> Element:
    middle = _LEFT + (_WIDTH - _LEFT - _RIGHT) / 2
    return element(
        "svg",
        *shapes,
        _text(middle, _HEIGHT - 4, below, "middle"),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
        aria_label=title,
        class_="chart",
    )


def _axis(low: float, high: float, highest: str, lowest: str) -> list[Element]:
    assert low < high
    foot = _HEIGHT - _BOTTOM
    return [
        element("line", x1=_LEFT, y1=foot, x2=_WIDTH - _RIGHT, y2=foot, class_="axis"),
        element("line", x1=_LEFT, y1=_TOP, x2=_LEFT, y2=foot, class_="axis"),
        _text(_LEFT - 6, _TOP + 8, highest, "end"),
        _text(_LEFT - 6, foot, lowest, "end"),
    ]


def _box(left: float, top: float, width: float, height: float) -> dict[str, str]:
    numbers = {"x": left, "y": top, "width": width, "height": height}
    return {name: f"{number:.2f}" for name, number in numbers.items()}


def _text(x: float, y: float, text: str, anchor: str) -> Element:
    return element("text", text, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor)
