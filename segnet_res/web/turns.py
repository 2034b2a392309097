"""Whose turn it is: one picture at a time goes through a model, in the order of arrival."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class Turnstile:
    """Lets one caller after the other through, and tells those who wait how many are before them.

    Two pictures at once would share the cores and double the memory, so everything that reads,
    segments or writes a picture for the page passes through here: the pictures of Inspect as well
    as each single picture of a batch, so that nobody waits for a whole folder of somebody else.
    """

    def __init__(self) -> None:
        self._waiting: deque[Ticket] = deque()
        self._changed = threading.Condition()

    def enter(self) -> "Ticket":
        """Join the end of the queue; use the ticket in a ``with`` block, or `Ticket.leave` it."""
        ticket = Ticket(self._waiting, self._changed)
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


class Ticket:
    """A place in the queue; whoever is first has the turn until the ticket is left."""

    def __init__(self, waiting: "deque[Ticket]", changed: threading.Condition) -> None:
        self._waiting = waiting
        self._changed = changed

    def __enter__(self) -> "Ticket":
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def ahead(self) -> int:
        """Return how many have their turn before; 0: it is ours."""
        with self._changed:
            return self._waiting.index(self)

    def wait(self, seconds: float) -> bool:
        """Wait for the turn for so long at most, and tell whether it has come."""
        with self._changed:
            return self._changed.wait_for(lambda: self._waiting[0] is self, seconds)

    def leave(self) -> None:
        """Give the turn, or the place in the queue, to those behind; a second time does nothing."""
        with self._changed:
            if self in self._waiting:
                self._waiting.remove(self)
                self._changed.notify_all()
