"""Guessing of passwords gets slower and slower; people who mistype do not notice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.web.throttle import (
    FORGET_MS,
    FREE_ATTEMPTS,
    MAX_KEYS,
    MAX_WAIT_MS,
    SignInThrottle,
    network_of,
)


def exhaust(throttle: SignInThrottle, user: str, address: str, now_ms: int = 0) -> int:
    for _ in range(FREE_ATTEMPTS):
        assert throttle.begin(user, address, now_ms) == 0
    return throttle.begin(user, address, now_ms)


def test_first_attempts_are_free_then_waits_double():
    throttle = SignInThrottle()
    assert exhaust(throttle, "admin", "192.0.2.1") == 1_000
    now_ms, waits = 0, []
    for _ in range(12):
        wait_ms = throttle.begin("admin", "192.0.2.1", now_ms)
        waits.append(wait_ms)
        now_ms += wait_ms
        assert throttle.begin("admin", "192.0.2.1", now_ms - 1) == 1
        assert throttle.begin("admin", "192.0.2.1", now_ms) == 0
    assert waits[:5] == [1_000, 2_000, 4_000, 8_000, 16_000]
    assert waits[-1] == MAX_WAIT_MS


def test_a_name_is_slowed_from_many_addresses():
    throttle = SignInThrottle()
    for place in range(FREE_ATTEMPTS):
        assert throttle.begin("admin", f"192.0.2.{place}", 0) == 0
    assert throttle.begin("admin", "192.0.2.99", 0) > 0


def test_an_address_is_slowed_over_many_names():
    throttle = SignInThrottle()
    for place in range(FREE_ATTEMPTS):
        assert throttle.begin(f"user{place}", "192.0.2.1", 0) == 0
    assert throttle.begin("another", "192.0.2.1", 0) > 0
    assert throttle.begin("another", "192.0.2.2", 0) == 0


def test_ipv6_counts_by_network():
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:2")
    assert network_of("2001:db8:0:1::1") != network_of("2001:db8::1")
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1")
    assert network_of("testclient") == "testclient"


def test_success_forgets_the_failures():
    throttle = SignInThrottle()
    for _ in range(FREE_ATTEMPTS):
        throttle.begin("admin", "192.0.2.1", 0)
    throttle.succeeded("admin", "192.0.2.1")
    assert throttle.begin("admin", "192.0.2.1", 0) == 0


def test_the_owner_is_not_locked_out_by_strangers():
    throttle = SignInThrottle()
    assert throttle.begin("admin", "192.0.2.1", 0) == 0
    throttle.succeeded("admin", "192.0.2.1")
    assert exhaust(throttle, "admin", "203.0.113.9") > 0
    assert throttle.begin("admin", "192.0.2.1", 0) == 0


def test_refused_attempts_do_not_lengthen_the_wait():
    throttle = SignInThrottle()
    exhaust(throttle, "admin", "192.0.2.1")
    for _ in range(100):
        throttle.begin("admin", "192.0.2.1", 10)
    assert throttle.begin("admin", "192.0.2.1", 1_000) == 0


def test_a_day_later_all_is_forgotten():
    throttle = SignInThrottle()
    exhaust(throttle, "admin", "192.0.2.1")
    assert exhaust(throttle, "admin", "192.0.2.1", FORGET_MS + 1) == 1_000


def test_memory_is_bounded():
    throttle = SignInThrottle()
    for place in range(MAX_KEYS + 100):
        throttle.begin(f"user{place}", f"host{place}", 0)
    assert len(throttle._attempts) <= MAX_KEYS


@given(
    steps=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 30_000))),
)
def test_waits_are_sane_whatever_happens(steps: list[tuple[int, int, int]]):
    throttle, now_ms, passed = SignInThrottle(), 0, 0
    for user, address, later_ms in steps:
        now_ms += later_ms
        wait_ms = throttle.begin(f"u{user}", f"a{address}", now_ms)
        assert 0 <= wait_ms <= MAX_WAIT_MS
        passed += wait_ms == 0
    # Four addresses have their free attempts; past those, doubling lets few through.
    free = 4 * FREE_ATTEMPTS
    assert passed <= free + 4 * max(0, now_ms // 1000 + 1).bit_length() + 4 * now_ms // MAX_WAIT_MS


@pytest.mark.parametrize("address", ["", "x" * 500, "999.1.1.1", "fe80::1%eth0"])
def test_odd_addresses_are_names_like_others(address: str):
    assert SignInThrottle().begin("admin", address, 0) == 0
