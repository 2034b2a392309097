"""Ranks the pictures of a folder by how much a label of each would teach; the work of a job."""

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segnet_res.web.checkpoints import Library
from segnet_res.web.jobs import Progress, Steps, my_turn
from segnet_res.web.turns import Ticket

if TYPE_CHECKING:
    from segnet_res.inference import Segmenter
    from segnet_res.retraining.queue import Queue, Ranking
    from segnet_res.retraining.queue_cache import QueueCache
    from segnet_res.retraining.queue_known import Known

Row = dict[str, Any]


class QueueWork:
    """Measures one picture a turn, and puts them in order at the end, also when it is stopped.

    Args:
        library: Lends the model.
        model: Name of its checkpoint.
        pictures: Each file by the name that the page has for it.
        dataset: Folder of the dataset whose pictures are known already, or None.
        cache: File that keeps what was measured, so that a second ranking is quick.

    Attributes:
        model: As above.
        rows: The pictures in order: ``file``, ``score``, ``reason``; empty before the end.
        skipped: Near-copies: ``file``, ``reason``.
    """

    def __init__(
        self,
        library: Library,
        model: str,
        pictures: dict[str, Path],
        dataset: Path | None,
        cache: Path,
    ) -> None:
        self.model = model
        self.rows: list[Row] = []
        self.skipped: list[Row] = []
        self._library = library
        self._pictures = pictures
        self._dataset = dataset
        self._cache = cache
        # Pictures of the dataset count as well: they are looked at first.
        self._before = 0

    def run(self) -> Steps:
        """Look at the dataset, then measure the pictures, one a turn.

        Raises:
            CheckpointError: when the model cannot be used.
            DataError: when the dataset cannot be used.
            StorageError: when the cache cannot be written.
        """
        # Imported here: it brings torch, which takes seconds, and the page should open before.
        from segnet_res.retraining.queue import Ranking
        from segnet_res.retraining.queue_cache import QueueCache

        with ExitStack() as stack:
            cache = stack.enter_context(QueueCache(self._cache))
            ticket = yield from self._turn(0, "")
            if ticket is None:
                return
            with ticket:
                # Kept to the end: another checkpoint of this name would mix two models.
                segmenter = stack.enter_context(self._library.borrow(self.model))
                weights = self._library.weights(self.model)
            known = yield from self._learn(segmenter, cache)
            if known is None:
                return
            ranking = Ranking(segmenter, known, cache, weights=weights)
            done = yield from self._measure(ranking)
            self._take(ranking.result())
        yield Progress(self._before + done, self._total)

    @property
    def _total(self) -> int:
        return self._before + len(self._pictures)

    def _learn(
        self, segmenter: "Segmenter", cache: "QueueCache"
    ) -> Generator[Progress, bool, "Known | None"]:
        """Look at the pictures of the dataset; None when somebody stops."""
        from segnet_res.retraining.queue_known import Known, learn

        metadata = segmenter.metadata
        conditions = None if metadata is None else metadata.conditions
        if self._dataset is None:
            return Known(conditions=conditions)
        steps = learn(self._dataset, segmenter.channels, conditions, cache)
        done = 0
        while True:
            ticket = yield from self._turn(done, "")
            if ticket is None:
                return None
            with ticket:
                try:
                    done, self._before = next(steps)
                except StopIteration as end:
                    known: Known = end.value
                    return known

    def _measure(self, ranking: "Ranking") -> Generator[Progress, bool, int]:
        """Measure the pictures, and return how many."""
        for done, (name, path) in enumerate(self._pictures.items()):
            ticket = yield from self._turn(self._before + done, name)
            if ticket is None:
                return done
            with ticket:
                ranking.add(name, path)
        return len(self._pictures)

    def _turn(self, done: int, name: str) -> Generator[Progress, bool, Ticket | None]:
        return my_turn(self._library.turns, Progress(done, max(1, self._total), name))

    def _take(self, queue: "Queue") -> None:
        self.rows = [
            {
                "file": row.name,
                "score": row.score,
                "reason": "; ".join(_told(row.score, row.reasons())),
            }
            for row in queue.rows
        ]
        self.skipped = [{"file": one.picture.name, "reason": str(one)} for one in queue.skipped]
        self.skipped += [{"file": one.name, "reason": one.error} for one in queue.failed]


def _told(score: float, reasons: list[str]) -> Iterator[str]:
    yield f"{score:.2f}"
    yield from reasons
