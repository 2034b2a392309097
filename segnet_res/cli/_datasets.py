"""What the commands of data sets share."""

from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, TypeVar, cast

from segnet_res.cli._console import show_table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from segnet_res.data.dataset import DatasetInfo

_Report = TypeVar("_Report")


def listed(text: str | None) -> tuple[str, ...]:
    """Return the names of a list with commas.

    >>> listed("sound, dent"), listed(None)
    (('sound', 'dent'), ())
    """
    return tuple(name.strip() for name in text.split(",")) if text else ()


def drain(steps: Generator[object, None, _Report], advance: Callable[[], None]) -> _Report:
    """Run a generator to its end, counting its steps, and return its value."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return cast("_Report", stop.value)
        advance()


def print_shares(
    info: "DatasetInfo", images: Mapping[str, int], pixels: Mapping[str, "NDArray[np.int64]"]
) -> None:
    """Print pictures and the share of each class for every split that has any."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title=info.name, title_justify="left")
    table.add_column("class")
    for split in images:
        table.add_column(split, justify="right")
    for label, name in enumerate(info.class_map.names):
        table.add_row(name, *(_percent(pixels[split], label) for split in images))
    table.add_section()
    table.add_row("pictures", *(str(count) for count in images.values()))
    show_table(table)


def _percent(pixels: "NDArray[np.int64]", label: int) -> str:
    if not pixels[label]:
        return "-"
    return f"{100 * pixels[label] / pixels.sum():.3f} %"
