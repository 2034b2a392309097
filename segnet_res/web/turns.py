"""Whose turn it is: one picture at a time goes through a model, in the order of arrival."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from segnet_res.errors import SegnetResError
from segnet_res.web.memory import give_back


class Turnstile:
    """Lets one caller after the other through, and tells those who wait how many are before them.

    Two pictures at once would share the cores and double the memory, so everything that reads,
    segments or writes a picture for the page passes through here: the pictures of Inspect as well
    as each single picture of a batch, so that nobody waits for a whole folder of somebody else.
    """

    def __init__(self) -> None:
        self._waiting: deque[Ticket] = deque()
        self._changed = threading.Condition()
        self._closed = threading.Event()

    def enter(self) -> "Ticket":
        """Join the end of the queue; use the ticket in a ``with`` block, or `Ticket.leave` it."""
        ticket = Ticket(self._waiting, self._changed, self._closed)
        with self._changed:
            self._waiting.append(ticket)
        return ticket

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn and hold it while the block runs."""
        with self.enter() as ticket:
            while not ticket.wait(60):
                pass
            yield

    def close(self, seconds: float = 10) -> None:
        """Let nobody through any more, and wait so long at most for whoever has the turn.

        Python must not end while a model computes: the libraries below would abort the process.
        """
        with self._changed:
            self._closed.set()
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._is_busy(), seconds)

    @property
    def busy(self) -> bool:
        """Whether somebody has the turn."""
        with self._changed:
            return self._is_busy()

    def _is_busy(self) -> bool:
        return any(ticket.has_turn for ticket in self._waiting)


class Ticket:
    """A place in the queue; whoever is first has the turn until the ticket is left.

    Attributes:
        has_turn: Whether `wait` has let it through.
    """

    def __init__(
        self, waiting: "deque[Ticket]", changed: threading.Condition, closed: threading.Event
    ) -> None:
        self._waiting = waiting
        self._changed = changed
        self._closed = closed
        self.has_turn = False

    def __enter__(self) -> "Ticket":
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def ahead(self) -> int:
        """Return how many have their turn before; 0: it is ours."""
        with self._changed:
            return self._waiting.index(self)

    def wait(self, seconds: float) -> bool:
        """Wait for the turn for so long at most, and tell whether it has come.

        Raises:
            SegnetResError: when the page stops before.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._waiting[0] is self or self._closed.is_set(), seconds
            )
            if self._closed.is_set() and not self.has_turn:
                raise SegnetResError("the page is being stopped; ask again when it runs again")
            self.has_turn = self._waiting[0] is self
            return self.has_turn

    def leave(self) -> None:
        """Give the turn, or the place in the queue, to those behind; a second time does nothing."""
        with self._changed:
            if self in self._waiting:
                self._waiting.remove(self)
                self._changed.notify_all()
                if self.has_turn:
                    give_back()
