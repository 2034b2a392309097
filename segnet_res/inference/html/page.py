"""The sections of the report, from the summary to the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from segnet_res.checkpoint import Metadata
from segnet_res.classes import background, format_color
from segnet_res.inference.html.charts import columns, course, share_bar
from segnet_res.inference.html.elements import Element, element, name_of
from segnet_res.inference.html.tally import MEASURES, SHARES, Row, Tally

# Of the sentences about one part so many are shown.
_SENTENCES = 6
_LONGEST_SENTENCE = 400

_IN_ORDER = "pictures in the order of their paths"


def heading(title: str, header: Mapping[str, Any], tally: Tally) -> Element:
    """Return title, source and the time of the run."""
    span = shown_time(tally.first)
    if shown_time(tally.last) != span:
        span += f" to {shown_time(tally.last)}"
    return element(
        "header",
        element("h1", name_of(title)),
        element("p", "Pictures of ", name_of(str(header.get("source", ""))), class_="soft"),
        element("p", span, class_="soft") if tally.first else None,
    )


def summary(tally: Tally) -> Element:
    """Return counts and the bar of verdicts."""
    rate = f"{percent(tally.passed / tally.judged)}" if tally.judged else None
    tiles = [
        ("Pictures", f"{tally.pictures:,}", None),
        *(
            [
                ("Passed", f"{tally.passed:,}", "pass"),
                ("Failed", f"{tally.failed:,}", "fail" if tally.failed else None),
                ("Pass rate", rate, None),
            ]
            if tally.judged
            else []
        ),
        ("Without a result", f"{tally.unread:,}", "fail" if tally.unread else None),
        ("With a note", f"{tally.noted:,}", None),
    ]
    shown = [
        element("div", element("dt", name), element("dd", value, class_=style), class_="tile")
        for name, value, style in tiles
    ]
    other = tally.pictures - tally.judged
    bar = share_bar([("passed", tally.passed), ("failed", tally.failed), ("other", other)])
    said = None if tally.judged else "No limits were given, so no part was judged."
    return element(
        "section",
        element("dl", *shown, class_="tiles"),
        bar if tally.judged else None,
        element("p", said, class_="soft") if said else None,
    )


def warning_box(warnings: Sequence[str]) -> Element | None:
    """Return what the run warns of; None without warnings."""
    if not warnings:
        return None
    items = [element("li", _upper(_short(warning))) for warning in warnings]
    return element(
        "section",
        element("strong", "The pictures are not like those of the training."),
        element("ul", *items),
        element("p", "Look at some results before you rely on them.", class_="soft"),
        class_="warning",
    )


def worst_parts(tally: Tally, shown: Sequence[tuple[Row, str | None]]) -> Element:
    """Return cards of the worst parts, each with its thumbnail or None."""
    sound = background(tally.class_map)
    title = "The least sure results" if sound is None else "Worst parts"
    if not shown:
        return _section(title, element("p", "Nothing was found on any part."))
    order = (
        "the mean confidence decides"
        if sound is None
        else "the classes take turns, and of each the defective share of the area decides"
    )
    first = "Those that fail come first; then " if tally.judged else ""
    return _section(
        title,
        element("p", f"{_upper(first + order)}.", class_="soft"),
        element("div", *(_card(tally, row, picture) for row, picture in shown), class_="parts"),
    )


def classes(tally: Tally) -> Element:
    """Return the table of what was found of each class."""
    total = sum(found.pixels for found in tally.classes.values()) or 1
    judged = bool(tally.judged)
    head = ["Class", "Pictures", "Regions", "Pixels", "Share of the area"]
    rows: list[list[Element | str]] = []
    for name, color in zip(tally.class_map.names, tally.class_map.colors, strict=True):
        found = tally.classes[name]
        swatch = element("span", class_="swatch", style=f"background:{format_color(color)}")
        sound = tally.class_map.names.index(name) == background(tally.class_map)
        numbers = [
            f"{found.pictures:,}",
            "" if sound else f"{found.regions:,}",
            f"{found.pixels:,}",
            percent(found.pixels / total),
            *([("" if sound else f"{found.failed:,}")] if judged else []),
        ]
        rows.append([element("span", swatch, name_of(name)), *numbers])
    head += ["Parts failed"] if judged else []
    return _section("Classes", table("Classes", head, rows))


def charts(tally: Tally) -> Element | None:
    """Return how defects, verdicts and confidence are spread."""
    figures = []
    if tally.judged:
        figures.append(
            _figure(
                "Parts that fail",
                course(
                    f"Share of parts that fail, from {_ends(tally, 'failed')}",
                    tally.courses["failed"].means(),
                    below=_IN_ORDER,
                    percent=True,
                ),
            )
        )
    if any(tally.shares):
        names = ["none", *(f"≤ {100 * end:g} %" for end in SHARES[1:])]
        chart = columns(
            "Parts by defective area", names, tally.shares, below="defective share of a part"
        )
        figures.append(_figure("Parts by defective area", chart))
    if any(tally.confidence):
        names = [f"{(i + 1) / len(tally.confidence):.2f}" for i in range(len(tally.confidence))]
        chart = columns(
            "Pictures by mean confidence",
            names,
            tally.confidence,
            below="mean confidence, up to",
            every=3,
        )
        figures.append(_figure("Pictures by confidence", chart))
    return _section("Charts", element("div", *figures, class_="charts")) if figures else None


def conditions(tally: Tally, metadata: Metadata | None) -> Element | None:
    """Return how the pictures were taken over the run, against the training pictures."""
    if not len(tally.conditions):
        return None
    known = metadata.conditions if metadata else None
    figures = []
    for name in MEASURES:
        chart = course(
            f"{name}, from {_ends(tally, name)}",
            tally.courses[name].means(),
            below=_IN_ORDER,
            band=None if known is None else known.usual(name),
        )
        figures.append(_figure(_upper(name), chart))
    said = (
        f"Shaded: where 98 % of the {known.pictures:,} training pictures lie."
        if known is not None
        else "The checkpoint does not know the conditions of its training pictures."
    )
    return _section(
        "Conditions of the pictures",
        element("p", said, class_="soft"),
        element("div", *figures, class_="charts"),
    )


def listed(title: str, rows: Sequence[Row], total: int, what: str) -> Element | None:
    """Return a table of pictures with the sentences about each; None without any.

    Args:
        title: Of the section.
        rows: The first of them.
        total: How many there are.
        what: The key of the sentences.
    """
    if not rows:
        return None
    cells: list[list[Element | str]] = [
        [name_of(str(row.get("path"))), _sentences(row.get(what))] for row in rows
    ]
    left = total - len(rows)
    more = element("p", f"and {left:,} more; the manifest lists all.") if left else None
    heads = {"reasons": "Why", "error": "What went wrong", "notes": "Note"}
    return _section(title, table(title, ["Picture", heads[what]], cells), more)


def failing(tally: Tally) -> Element | None:
    """Return the parts that fail; None without any."""
    return listed("Parts that fail", tally.failures, tally.failed, "reasons")


def limits(header: Mapping[str, Any]) -> Element | None:
    """Return the file of limits; None without one."""
    spec = header.get("spec")
    if not spec:
        return None
    content = spec.get("content")
    if not isinstance(content, str):
        content = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
    return _section(
        "Limits",
        facts(
            [("File", str(spec.get("name"))), ("SHA-256 of the limits", str(spec.get("sha256")))]
        ),
        element("pre", content),
    )


def model(
    header: Mapping[str, Any], metadata: Metadata | None, tally: Tally, seconds: float | None
) -> Element:
    """Return by which checkpoint, program and settings the results were made.

    Args:
        header: The line that began the run.
        metadata: What the checkpoint says about itself.
        tally: Knows the time in the model.
        seconds: How long the run took; None where that is not known.
    """
    checkpoint = header.get("checkpoint") or {}
    known: list[tuple[str, str | None]] = [
        ("Checkpoint", str(checkpoint.get("name"))),
        ("SHA-256 of the checkpoint", str(checkpoint.get("sha256"))),
        *(_described(metadata) if metadata else []),
        ("Program", f"segnet_res {header.get('version')}"),
        ("Settings", _settings(header.get("settings") or {})),
        ("Computed by", _settings(header.get("runs_on") or {})),
        ("Run", f"{header.get('run')}, started {shown_time(str(header.get('started') or ''))}"),
        ("Time of this run", _duration(seconds)),
        ("Time in the model, all pictures", _duration(tally.seconds)),
    ]
    return _section("Model and run", facts(known))


def facts(known: Sequence[tuple[str, str | None]]) -> Element:
    """Return a table of names and values; what is None or empty is left out."""
    rows = [
        element("tr", element("th", name, scope="row"), element("td", name_of(value)))
        for name, value in known
        if value
    ]
    return element("table", element("tbody", *rows), class_="facts")


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[Element | str]]) -> Element:
    """Return a table that scrolls where it is too wide; cells that are texts are numbers."""
    heads = [
        element("th", text, scope="col", class_="number" if _is_number(rows, i) else "name")
        for i, text in enumerate(head)
    ]
    body = [
        element(
            "tr",
            *(
                element("td", cell, class_="number" if isinstance(cell, str) else None)
                for cell in row
            ),
        )
        for row in rows
    ]
    whole = element("table", element("thead", element("tr", *heads)), element("tbody", *body))
    # Without a mouse it scrolls once it has the focus.
    return element("div", whole, class_="scroll", tabindex=0, role="region", aria_label=title)


def percent(share: float) -> str:
    """Write a share with three digits, never rounded to nothing or to all.

    >>> percent(0.12345), percent(0.99996), percent(1.0), percent(0.0000001), percent(0.0)
    ('12.3 %', '99.99 %', '100 %', '< 0.001 %', '0 %')
    """
    if 0 < share < 0.00001:
        return "< 0.001 %"
    if 0.999 < share < 1:
        return f"{min(100 * share, 99.99):.2f} %"
    return f"{100 * share:.3g} %"


def shown_time(time: str) -> str:
    """Write a time in UTC for people.

    >>> shown_time("2026-03-05T21:07:33+00:00"), shown_time("")
    ('2026-03-05 21:07 UTC', '')
    """
    return f"{time[:10]} {time[11:16]} UTC" if len(time) >= 16 else time


def _section(title: str, *content: Element | None) -> Element:
    return element("section", element("h2", title), *content)


def _figure(title: str, chart: Element) -> Element:
    return element("figure", element("figcaption", title), chart)


def _card(tally: Tally, row: Row, picture: str | None) -> Element:
    verdict = {"pass": "passed", "fail": "failed"}.get(str(row.get("verdict")))
    defects, confidence = tally.defects(row), row.get("confidence")
    said = [
        f"defects on {percent(defects)} of the area" if defects is not None else None,
        f"confidence {confidence:.2f}" if confidence is not None else None,
    ]
    if picture is None:
        shown = element("p", "no picture at hand", class_="nothing")
    else:
        shown = element("img", src=picture, alt=f"{row.get('path')} with what was found")
    return element(
        "article",
        shown,
        element(
            "div",
            element("h3", name_of(str(row.get("path")))),
            element("p", verdict, class_=str(row.get("verdict"))) if verdict else None,
            _sentences(row.get("reasons") or _found(tally, row)),
            element("p", ", ".join(part for part in said if part), class_="soft"),
        ),
        class_="part",
    )


def _found(tally: Tally, row: Row) -> list[str]:
    """Return what was found on a part, in words."""
    sound = background(tally.class_map)
    if sound is None:
        # Every picture is full of classes.
        return []
    return [
        f"{name}: {found['pixels']:,} pixels"
        for name, found in (row.get("classes") or {}).items()
        if found["pixels"] and name != tally.class_map.names[sound]
    ]


def _sentences(content: str | Sequence[str] | None) -> Element:
    sentences = [content] if isinstance(content, str) else list(content or ())
    if len(sentences) == 1:
        return element("p", _short(sentences[0]))
    shown = [element("li", _short(sentence)) for sentence in sentences[:_SENTENCES]]
    if len(sentences) > _SENTENCES:
        shown.append(element("li", f"and {len(sentences) - _SENTENCES} more"))
    return element("ul", *shown)


def _described(metadata: Metadata) -> list[tuple[str, str | None]]:
    data, scores = metadata.data, metadata.scores or {}
    name, images = data.get("name"), data.get("images")
    miou = scores.get("miou")
    return [
        ("Architecture", metadata.architecture),
        ("Training data", f"{name}, {images} pictures" if name else None),
        ("mIoU on its validation", percent(miou) if isinstance(miou, float) else None),
        ("Trained from", metadata.parent),
        ("Trained on", shown_time(metadata.created)),
        ("Licence", metadata.licence),
    ]


def _settings(settings: Mapping[str, Any]) -> str:
    words = {True: "yes", False: "no"}
    return ", ".join(
        f"{name.replace('_', ' ')} {words[value] if isinstance(value, bool) else value}"
        for name, value in settings.items()
    )


def _duration(seconds: float | None) -> str | None:
    """Write a time for people.

    >>> _duration(12.34), _duration(3725)
    ('12.3 s', '1 h 2 min 5 s')
    """
    if not seconds or seconds < 60:
        return f"{seconds:.1f} s" if seconds else None
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min {rest} s" if hours else f"{minutes} min {rest} s"


def _ends(tally: Tally, name: str) -> str:
    means = tally.courses[name].means()
    return f"{means[0]:.3g} to {means[-1]:.3g}"


def _is_number(rows: Sequence[Sequence[Element | str]], column: int) -> bool:
    return bool(rows) and isinstance(rows[0][column], str)


def _short(text: str) -> str:
    # A number stays with its unit.
    text = text.replace(" %", "\u00a0%")
    return text if len(text) <= _LONGEST_SENTENCE else text[: _LONGEST_SENTENCE - 1] + "…"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
