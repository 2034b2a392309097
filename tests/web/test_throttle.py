"""Delays after wrong passwords, by a clock that the test turns."""

from segnet_res.web import throttle
from segnet_res.web.throttle import Delays, Throttle


def fail(throttle: Throttle, clock, times: int, user="anna", address="192.0.2.1"):
    """Fail as often as that, each time as soon as it may be; return the delays."""
    waits = []
    for _ in range(times):
        waits.append(throttle.begin(user, address))
        if waits[-1]:
            clock.now += waits[-1]
            assert throttle.begin(user, address) == 0
    return waits


def test_three_slips_are_free_then_the_delay_doubles_up_to_a_minute(clock):
    throttle = Throttle(clock)
    waits = fail(throttle, clock, 12)
    assert waits == [0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_many_tries_at_once_gain_nothing(clock):
    throttle = Throttle(clock)
    begun = [throttle.begin("anna", "192.0.2.1") for _ in range(50)]
    assert begun.count(0) == 3
    # Those that were refused have not made it worse.
    assert throttle.begin("anna", "192.0.2.1") == 1


def test_a_right_password_clears_the_user_but_not_the_address(clock):
    throttle = Throttle(clock)
    fail(throttle, clock, 3)
    clock.now += 1
    assert throttle.begin("anna", "192.0.2.1") == 0
    throttle.succeed("anna", "192.0.2.1")
    assert throttle.begin("anna", "192.0.2.1") == 0
    throttle.succeed("anna", "192.0.2.1")
    # 3 failures of this address are left: 17 more are free.
    for number in range(17):
        assert throttle.begin(f"user{number}", "192.0.2.1") == 0
    assert throttle.begin("another", "192.0.2.1") == 1
    assert throttle.begin("another", "192.0.2.2") == 0


def test_an_address_that_tries_many_names_waits_up_to_ten_minutes(clock):
    throttle = Throttle(clock)
    for number in range(20):
        assert throttle.begin(f"user{number}", "192.0.2.1") == 0
    waits = []
    for number in range(12):
        wait = throttle.begin(f"more{number}", "192.0.2.1")
        waits.append(wait)
        clock.now += wait
        assert throttle.begin(f"more{number}", "192.0.2.1") == 0
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]


def test_a_user_waits_wherever_the_guessing_comes_from(clock):
    throttle = Throttle(clock)
    for number in range(3):
        assert throttle.begin("anna", f"192.0.2.{number}") == 0
    assert throttle.begin("anna", "192.0.2.99") == 1


def test_the_addresses_of_one_line_count_as_one(clock):
    throttle = Throttle(clock)
    for number in range(20):
        assert throttle.begin(f"user{number}", f"2001:db8::{number:x}") == 0
    assert throttle.begin("another", "2001:db8::ffff") == 1
    assert throttle.begin("another", "2001:db8:0:1::1") == 0


def test_failures_are_forgotten_after_an_hour(clock):
    throttle = Throttle(clock)
    assert fail(throttle, clock, 8)[-1] == 16
    clock.now += 3601
    assert [throttle.begin("anna", "192.0.2.1") for _ in range(3)] == [0, 0, 0]


def test_memory_is_bounded(clock, monkeypatch):
    monkeypatch.setattr(throttle, "_MOST", 100)
    delays = Delays(3, 60, clock)
    for number in range(1000):
        delays.failed(f"user{number}")
        delays.failed("anna")
    assert len(delays) == 100
    # Whoever goes on failing is not pushed out by new names.
    assert delays.left("anna") == 60
