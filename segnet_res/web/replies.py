"""Replies to the page's scripts: whatever goes wrong becomes one sentence in them."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

from segnet_res.errors import SegnetResError
from segnet_res.web.turns import Turnstile

Reply = dict[str, Any]

# How often somebody who waits is told how many are before.
_TELL_SECONDS = 0.4

# Replies to questions that change something: a page asks again within minutes, or not at all.
_KEPT_REPLIES = 200

# Scripts count their requests; a number beyond what they can count exactly is forged.
_MAX_NUMBER = 2**53


def new_reply(kind: str, content: object) -> Reply:
    """Return the start of a reply: ``{"kind", "request", "error"}``.

    Args:
        kind: What the script takes the reply for.
        content: What the browser sent. Its number goes back with the reply, so that a late reply
            cannot take the place of a newer one.
    """
    number = content.get("request") if isinstance(content, dict) else None
    usable = isinstance(number, int) and 0 <= number < _MAX_NUMBER
    return {"kind": kind, "request": int(number or 0) if usable else 0, "error": None}


def answered(reply: Reply, work: Callable[[], Reply]) -> Reply:
    """Return the reply with what the work gives, or with the sentence that says why it failed."""
    try:
        return reply | work()
    except SegnetResError as error:
        return reply | {"error": str(error)}
    except MemoryError:
        return reply | {
            "error": "the server has too little memory for this picture; cut it into parts"
        }
    except Exception:
        # A bug must not leave the person before a page that waits for ever.
        logging.getLogger(__name__).exception("a request of the page failed")
        return reply | {
            "error": "something unexpected went wrong; the server's log has the details"
        }


class Once:
    """Lets a page ask again for what must be done but once, such as to start a job.

    Gradio may lose a question or its answer. The page names each such question by a long number
    drawn at random and asks again when it hears nothing: the second gets the reply to the first.
    """

    def __init__(self) -> None:
        self._replies: OrderedDict[str, Future[Reply]] = OrderedDict()
        self._lock = threading.Lock()

    def answered(self, reply: Reply, content: object, work: Callable[[], Reply]) -> Reply:
        """Return what `answered` does; where ``content["once"]`` was answered before, that reply.

        While the work of the first question still goes on, the second waits for it.
        """
        name = content.get("once") if isinstance(content, dict) else None
        if not isinstance(name, str):
            return answered(reply, work)
        with self._lock:
            before = self._replies.get(name)
            mine = self._replies.setdefault(name, Future())
            while len(self._replies) > _KEPT_REPLIES:
                self._replies.popitem(last=False)
        if before is None:
            mine.set_result(answered(reply, work))
        return dict(mine.result())


def in_turn(turns: Turnstile, reply: Reply, work: Callable[[], Reply]) -> Iterator[Reply]:
    """Do the work when its turn has come; before, say how many others are ahead.

    Yields:
        ``{"kind": "heard", "request"}`` at once, so that the page does not ask again while the
        picture is computed; ``{"kind": "waiting", "request", "ahead"}`` while others have their
        turn; then the reply.
    """
    yield {"kind": "heard", "request": reply["request"]}
    with turns.enter() as ticket:
        while not ticket.wait(_TELL_SECONDS):
            # Whoever has the turn is working; those behind it are ahead of nobody else.
            yield {"kind": "waiting", "request": reply["request"], "ahead": ticket.ahead()}
        finished = answered(reply, work)
    # Outside the turn: whoever reads slowly must not keep the others waiting.
    yield finished
