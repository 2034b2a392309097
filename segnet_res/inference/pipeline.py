"""Work beside the model: threads that read ahead or write behind, bounded by pixels in flight."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# Pixels that may wait between two stages: some 200 MB as RGB. A single larger picture passes alone.
MAX_PIXELS_AHEAD = 64_000_000

# Small pictures are bounded by their number instead.
MAX_ITEMS_AHEAD = 32


def run_ahead(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int,
    pixels: Callable[[Item], int] = lambda _: 0,
) -> Iterator[Result]:
    """Yield ``function(item)`` for every item in order, computed in threads ahead of the reader.

    What ``function`` raises is raised where its result would have been yielded. Closing the
    iterator drops what has not begun and waits for the rest. Items are taken only as they are
    needed.

    >>> list(run_ahead(abs, [-1, 2, -3], workers=2))
    [1, 2, 3]

    Args:
        function: Called in a thread, with one item at a time.
        items: Any iterable, of any length.
        workers: Number of threads, at least 1.
        pixels: How much memory the result of an item takes, in pixels.
    """
    waiting: deque[tuple[Future[Result], int]] = deque()
    in_flight = 0
    pool = ThreadPoolExecutor(workers)
    try:
        for item in items:
            size = pixels(item)
            while waiting and (
                in_flight + size > MAX_PIXELS_AHEAD or len(waiting) >= MAX_ITEMS_AHEAD
            ):
                future, finished = waiting.popleft()
                yield future.result()
                in_flight -= finished
            waiting.append((pool.submit(function, item), size))
            in_flight += size
        while waiting:
            yield waiting.popleft()[0].result()
    finally:
        pool.shutdown(cancel_futures=True)
