"""The brake on guessing: who is counted, for how long, and who never is (threat 32)."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mypi.accounts import Throttle, Throttled
from mypi.accounts.throttle import SPRAYED, TRIES, WINDOW, network

HERE, THERE = "198.51.100.7", "203.0.113.9"


class Clock:
    """A clock that the test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(clock) -> Throttle:
    return Throttle(clock)


def fail(throttle: Throttle, user: str, address: str | None, times: int = TRIES) -> None:
    for _ in range(times):
        throttle.check(user, address)
        throttle.failed(user, address)


def is_throttled(throttle: Throttle, user: str, address: str | None) -> bool:
    try:
        throttle.check(user, address)
    except Throttled:
        return True
    return False


def test_threat_32_after_ten_failures_the_name_waits_from_wherever(throttle):
    fail(throttle, "alice", HERE, TRIES - 1)
    throttle.check("alice", HERE)
    throttle.failed("alice", THERE)
    with pytest.raises(Throttled, match=f"looked at in {WINDOW} seconds. Tokens work all the while") as told:
        throttle.check("alice", "192.0.2.1")
    assert told.value.retry_after == WINDOW


def test_threat_32_after_ten_failures_the_address_waits_for_whatever_name(throttle):
    for number in range(TRIES):
        throttle.failed(f"user{number}", HERE)
    assert is_throttled(throttle, "alice", HERE)
    assert not is_throttled(throttle, "alice", THERE)


def test_failures_are_forgotten_one_by_one_when_their_time_is_over(throttle, clock):
    fail(throttle, "alice", None, 1)
    clock.now += WINDOW - 1.5
    fail(throttle, "alice", None, TRIES - 1)
    with pytest.raises(Throttled) as told:
        throttle.check("alice", None)
    assert told.value.retry_after == 2
    clock.now += 1.5
    throttle.check("alice", None)
    throttle.failed("alice", None)
    assert is_throttled(throttle, "alice", None)


def test_the_right_password_clears_the_name_and_not_the_address(throttle):
    fail(throttle, "alice", HERE, TRIES - 1)
    throttle.succeeded("alice")
    throttle.failed("alice", HERE)
    assert is_throttled(throttle, "alice", HERE)
    assert not is_throttled(throttle, "alice", THERE)


def test_threat_32_who_has_an_account_cannot_guess_on_between_logins(throttle):
    for _ in range(TRIES):
        throttle.failed("alice", HERE)
        throttle.succeeded("mallory")
    assert is_throttled(throttle, "mallory", HERE)


@pytest.mark.parametrize("address", [None, "", "localhost", "127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1", "x"])
def test_what_speaks_for_everybody_is_not_counted(throttle, address):
    assert network(address) is None
    for number in range(TRIES * 2):
        throttle.failed(f"user{number}", address)
    assert not is_throttled(throttle, "alice", address)


def test_ipv6_is_counted_by_the_64_that_a_household_has(throttle):
    for number in range(TRIES):
        throttle.failed(f"user{number}", f"2001:db8::{number}:1")
    assert is_throttled(throttle, "alice", "2001:db8::ffff:ffff:ffff:ffff")
    assert not is_throttled(throttle, "alice", "2001:db8:0:1::1")


def test_ipv4_inside_of_ipv6_is_that_ipv4_address():
    assert network(f"::ffff:{HERE}") == network(HERE) == HERE
    assert network("fe80::1%eth0") == "fe80::/64"


@settings(deadline=None)
@given(st.ip_addresses())
def test_any_address_is_counted_by_something_that_is_short(address):
    assert len(network(str(address)) or "") < 50


@settings(deadline=None)
@given(st.text())
def test_any_text_may_stand_for_an_address(text):
    assert network(text) is None or network(text)


def test_long_names_fill_no_memory(throttle):
    fail(throttle, "a" * 100_000, None)
    assert is_throttled(throttle, "a" * 100, None)
    assert all(len(key[1]) <= 100 for key in throttle._failures)
    throttle.succeeded("a" * 200)
    assert not is_throttled(throttle, "a" * 100_000, None)


def test_no_more_names_are_kept_than_there_is_room_for(throttle):
    for number in range(10_100):
        throttle.failed(f"user{number}", None)
    assert len(throttle._failures) == 10_000


def test_many_threads_count_together():
    throttle = Throttle()
    threads = [threading.Thread(target=lambda: [throttle.failed("alice", HERE) for _ in range(50)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert is_throttled(throttle, "alice", None)


def test_threat_32_where_nobody_needs_to_be_known_one_password_for_every_name_is_braked_later():
    throttle = Throttle()
    for number in range(SPRAYED):
        throttle.check(f"user{number}", HERE, needed=False)
        throttle.failed(f"user{number}", HERE, needed=False)
    with pytest.raises(Throttled):
        throttle.check("another", HERE, needed=False)
    throttle.check("another", HERE)
