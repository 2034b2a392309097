"""The one queue: order of arrival, what is told meanwhile, and how it ends."""

import threading

import pytest

from segnet_res.errors import SegnetResError
from segnet_res.web.turns import Turnstile


def test_turns_come_in_the_order_of_arrival():
    turns = Turnstile()
    first, second, third = turns.enter(), turns.enter(), turns.enter()
    assert [ticket.ahead() for ticket in (first, second, third)] == [0, 1, 2]
    assert [ticket.wait(0) for ticket in (first, second, third)] == [True, False, False]
    first.leave()
    assert [ticket.wait(0) for ticket in (second, third)] == [True, False]


def test_whoever_gives_up_lets_those_behind_through():
    turns = Turnstile()
    first, second, third = turns.enter(), turns.enter(), turns.enter()
    second.leave()
    second.leave()
    assert third.ahead() == 1
    first.leave()
    assert third.wait(0)


def test_a_turn_is_held_by_one_at_a_time_and_given_back_after_an_error():
    turns = Turnstile()
    inside, most = 0, 0

    def work():
        nonlocal inside, most
        with turns.turn():
            inside += 1
            most = max(most, inside)
            threading.Event().wait(0.01)
            inside -= 1

    def fail():
        with turns.turn():
            raise ZeroDivisionError

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    with pytest.raises(ZeroDivisionError):
        fail()
    for thread in threads:
        thread.join(10)
    assert most == 1
    assert turns.enter().wait(0)


def test_closing_waits_for_whoever_has_the_turn_and_sends_the_others_away():
    turns = Turnstile()
    ticket, waiting = turns.enter(), turns.enter()
    assert ticket.wait(0)
    told = []

    def wait():
        with pytest.raises(SegnetResError, match="the page is being stopped") as caught:
            waiting.wait(60)
        told.append(str(caught.value))

    waiter = threading.Thread(target=wait)
    waiter.start()
    closer = threading.Thread(target=turns.close)
    closer.start()
    waiter.join(10)
    assert told
    assert closer.is_alive()  # somebody still works
    ticket.leave()
    closer.join(10)
    assert not closer.is_alive()
    assert not turns.busy
    with pytest.raises(SegnetResError, match="the page is being stopped"), turns.turn():
        pytest.fail("somebody got through")


def test_closing_ends_when_the_work_takes_too_long():
    turns = Turnstile()
    assert turns.enter().wait(0)
    turns.close(seconds=0.01)
    assert turns.busy
