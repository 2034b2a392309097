"""How long the checkpoints of a folder take for a picture on this machine."""

import logging
import statistics
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from segnet_res.errors import SegnetResError
from segnet_res.images import UInt8Array
from segnet_res.web.checkpoints import FileKey, Library
from segnet_res.web.turns import Turnstile

if TYPE_CHECKING:
    from segnet_res.inference import Segmenter

# Small, because everybody else waits meanwhile; the time grows with the number of pixels.
WIDTH, HEIGHT = 640, 480
_RUNS = 3


@dataclass(frozen=True)
class Speed:
    """What measuring a checkpoint gave.

    Attributes:
        width: Of the picture in pixels.
        height: Of the picture in pixels.
        seconds: Median of a few runs, reading and writing not counted; None when it failed.
        device: What computed.
        error: One sentence when it failed.
    """

    width: int = WIDTH
    height: int = HEIGHT
    seconds: float | None = None
    device: str | None = None
    error: str | None = None


class Speeds:
    """Measures each checkpoint once, between the pictures of the people.

    Args:
        library: Where the checkpoints are.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self._known: dict[FileKey, Speed] = {}
        self._busy = threading.Lock()

    def fields(self) -> dict[str, dict[str, Any]]:
        """Return what is known, by the name of the checkpoint."""
        keys = {key: name for name, key in self._library.keys().items()}
        return {keys[key]: asdict(speed) for key, speed in self._known.items() if key in keys}

    def measure(self, name: str) -> Speed:
        """Measure a checkpoint, or return what is known of it; waits for turns.

        Raises:
            CheckpointError: when the folder has no such checkpoint.
        """
        # One after the other: many who open the list at once ask for the same.
        with self._busy:
            key = self._library.key(name)
            if key not in self._known:
                try:
                    self._known[key] = self._measure(name)
                except SegnetResError as error:
                    self._known[key] = Speed(error=str(error))
                except Exception:
                    # A card must not say for ever that its checkpoint is being measured.
                    logging.getLogger(__name__).exception("%s could not be measured", name)
                    self._known[key] = Speed(error="failed; the server's log has the details")
                self._forget_others()
            return self._known[key]

    def _measure(self, name: str) -> Speed:
        turns = self._library.turns
        with turns.turn():
            segmenter = self._library.load_apart(name)
        picture = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        seconds = list(_runs(segmenter, picture, turns))[1:]  # the first one warms up
        return Speed(seconds=statistics.median(seconds), device=segmenter.device)

    def _forget_others(self) -> None:
        present = set(self._library.keys().values())
        self._known = {key: speed for key, speed in self._known.items() if key in present}


def _runs(segmenter: "Segmenter", picture: UInt8Array, turns: Turnstile) -> Iterator[float]:
    """Yield the seconds of each run."""
    for _ in range(_RUNS + 1):
        # A turn for each, so that nobody waits for all of them.
        with turns.turn():
            start = time.perf_counter()
            segmenter.predict(picture)
            seconds = time.perf_counter() - start
        yield seconds
