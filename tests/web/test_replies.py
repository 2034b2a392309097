"""Questions that a page asks twice because it heard nothing."""

import threading

import pytest

from segnet_res.errors import UsageError
from segnet_res.web.replies import Once, new_reply


class Counted:
    """Work that tells how often it was done."""

    def __init__(self):
        self.done = 0

    def __call__(self):
        self.done += 1
        return {"job": f"number {self.done}"}


def ask(once, work, number, name):
    content = {"request": number, "once": name} if name else {"request": number}
    return once.answered(new_reply("batch", content), content, work)


def test_what_is_asked_again_by_the_same_name_is_done_once():
    once, work = Once(), Counted()
    first, again = ask(once, work, 1, "a"), ask(once, work, 1, "a")
    assert first == again == {"kind": "batch", "request": 1, "error": None, "job": "number 1"}
    # Whoever receives a reply may change it.
    again["error"] = "changed"
    assert ask(once, work, 1, "a")["error"] is None
    assert work.done == 1


@pytest.mark.parametrize("names", [("a", "b"), (None, None)])
def test_what_has_another_name_or_none_is_done_again(names):
    once, work = Once(), Counted()
    assert [ask(once, work, 1, name)["job"] for name in names] == ["number 1", "number 2"]


def test_a_refusal_stays_one():
    once, reasons = Once(), iter(["the folder is full", "unheard"])

    def refuse():
        raise UsageError(next(reasons))

    assert [ask(once, refuse, 1, "a")["error"] for _ in range(2)] == ["the folder is full"] * 2


def test_the_second_waits_while_the_first_is_at_work():
    once, begun, finish, replies = Once(), threading.Event(), threading.Event(), []

    def work():
        begun.set()
        assert finish.wait(10)
        return {"job": "one"}

    def ask_and_keep():
        replies.append(ask(once, work, 1, "a"))

    threads = [threading.Thread(target=ask_and_keep) for _ in range(2)]
    threads[0].start()
    assert begun.wait(10)
    threads[1].start()
    threads[1].join(0.05)
    assert threads[1].is_alive()
    finish.set()
    for thread in threads:
        thread.join(10)
    assert [reply["job"] for reply in replies] == ["one", "one"]


def test_old_replies_are_forgotten():
    once, work = Once(), Counted()
    for number in range(1000):
        ask(once, work, number, f"name {number}")
    assert ask(once, work, 0, "name 0")["job"] == "number 1001"
    assert ask(once, work, 999, "name 999")["job"] == "number 1000"
