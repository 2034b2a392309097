"""Work beside the model: threads that read ahead and write behind, bounded by pixels in flight."""

from collections import deque
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from segnet_res.errors import ImageError
from segnet_res.images import image_size

Item = TypeVar("Item")
Result = TypeVar("Result")

# Pixels that may wait between two stages: some 200 MB as RGB. A single larger picture passes alone.
MAX_PIXELS_WAITING = 64_000_000

# A group that does not become complete lets so many groups' worth of others pass.
_PASSING = 3

# Small pictures are bounded by their number instead.
MAX_ITEMS_WAITING = 16


def _never(_: object) -> bool:
    return False


def read_ahead(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int,
    pixels: Callable[[Item], int],
    pause: Callable[[Item], bool] = _never,
) -> Generator[Result, None, None]:
    """Yield ``function(item)`` for every item in order, computed in threads before it is needed.

    What ``function`` raises is raised where its result would have been yielded. Closing the
    iterator drops what has not begun.

    >>> list(read_ahead(abs, [-1, 2, -3], workers=2, pixels=lambda item: 1))
    [1, 2, 3]

    Args:
        function: Called in a thread, with one item at a time.
        items: Taken only as far as there is room.
        workers: Number of threads, at least 1.
        pixels: How many pixels the result of an item holds.
        pause: Whether an item says that nothing will follow for a while; then all before it is
            yielded at once.
    """
    waiting: deque[tuple[Future[Result], int]] = deque()
    total = 0
    pool = ThreadPoolExecutor(workers)
    try:
        for item in items:
            size = pixels(item)
            while waiting and (_full(waiting, total + size) or pause(item)):
                total -= waiting[0][1]
                yield waiting.popleft()[0].result()
            if pause(item):
                yield function(item)
                continue
            waiting.append((pool.submit(function, item), size))
            total += size
        while waiting:
            yield waiting.popleft()[0].result()
    finally:
        pool.shutdown(cancel_futures=True)


def write_behind(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int,
    pixels: Callable[[Item], int],
    pause: Callable[[Item], bool] = _never,
) -> Generator[Result, None, None]:
    """Yield ``function(item)`` for every item in order, as soon as a thread has finished it.

    The other end of `read_ahead`: results come at once, and closing the iterator finishes what was
    taken from ``items``, because that work is done already but for the writing.

    >>> list(write_behind(abs, [-1, 2, -3], workers=2, pixels=lambda item: 1))
    [1, 2, 3]
    """
    waiting: deque[tuple[Future[Result], int]] = deque()
    total = 0
    pool = ThreadPoolExecutor(workers)
    try:
        for item in items:
            size = pixels(item)
            while waiting and (waiting[0][0].done() or _full(waiting, total + size) or pause(item)):
                total -= waiting[0][1]
                yield waiting.popleft()[0].result()
            if pause(item):
                yield function(item)
                continue
            waiting.append((pool.submit(function, item), size))
            total += size
        while waiting:
            yield waiting.popleft()[0].result()
    finally:
        pool.shutdown()


def in_batches(
    items: Iterable[Item],
    size: int,
    *,
    alike: Callable[[Item], Hashable],
    pixels: Callable[[Item], int],
    pause: Callable[[Item], bool] = _never,
) -> Iterator[list[Item]]:
    """Yield items in groups of those that can go together, each as soon as it is complete.

    Items of other kinds in between do not part a group, as far as there is room to wait.

    >>> list(in_batches([1, 2, 4, 3, 5], 2, alike=lambda x: x % 2, pixels=lambda x: 1))
    [[2, 4], [1, 3], [5]]

    Args:
        items: What is grouped.
        size: The largest group; 1 passes everything on at once.
        alike: Equal for items that can go together; None for one that goes alone.
        pixels: How many pixels are held for an item.
        pause: As for `read_ahead`.
    """
    # Of each kind its group and the number of the item that began it, the oldest first.
    waiting: dict[Hashable, tuple[int, list[Item]]] = {}
    held = 0
    for number, item in enumerate(items):
        kind = alike(item)
        if pause(item):
            yield from (group for _, group in waiting.values())
            waiting, held = {}, 0
            yield [item]
        elif size == 1 or kind is None:
            yield [item]
        else:
            waiting.setdefault(kind, (number, []))[1].append(item)
            held += pixels(item)
            if len(waiting[kind][1]) == size:
                group = waiting.pop(kind)[1]
                held -= sum(map(pixels, group))
                yield group
        while waiting:
            oldest, (since, group) = next(iter(waiting.items()))
            if held <= MAX_PIXELS_WAITING and number - since < _PASSING * size:
                break
            del waiting[oldest]
            held -= sum(map(pixels, group))
            yield group
    yield from (group for _, group in waiting.values())


def pixels_of(path: Path) -> int:
    """Return the number of pixels that the header of a picture tells; 0 for an unreadable file.

    Whoever reads the file afterwards says what is wrong with it.
    """
    try:
        height, width = image_size(path)
    except ImageError:
        return 0
    return height * width


def _full(waiting: deque[tuple[Future[Result], int]], total: int) -> bool:
    return len(waiting) >= MAX_ITEMS_WAITING or total > MAX_PIXELS_WAITING
