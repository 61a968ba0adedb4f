"""The pure parts of the web side: rates, units, states, ticks, figures for Prometheus."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.ingest.presence import Presence
from seawall.model.device import DeviceStatus
from seawall.model.reading import Reason
from seawall.testing.web_stage import WebStage
from seawall.web.fleet import fleet_of, state_of
from seawall.web.live import MAX_REFUSALS_A_TICK, Tick
from seawall.web.metrics import exposition
from seawall.web.pages.signin import local_path
from seawall.web.rate import RateMeter
from seawall.web.security_headers import is_local_name
from seawall.web.services import Sample
from seawall.web.units import is_temperature, primary_metric, unit_of
from seawall.web.words import REASONS, STATES

NOW_MS = 1_763_759_216_000


def test_every_reason_has_plain_words():
    assert set(REASONS) == set(Reason)
    assert all(words.title and words.sentence.endswith(".") for words in REASONS.values())


# Rates


def test_rate_needs_two_looks():
    meter = RateMeter()
    assert meter.per_second() is None
    meter.add(0, 100)
    assert meter.per_second() is None
    meter.add(500, 110)
    assert meter.per_second() is None
    meter.add(2000, 120)
    assert meter.per_second() == pytest.approx(10)


def test_rate_is_over_the_last_ten_seconds():
    meter = RateMeter()
    for second in range(30):
        meter.add(second * 1000, 1000 * min(second, 10))
    assert meter.per_second() == 0


def test_rate_after_a_long_time_without_a_look_is_not_known():
    meter = RateMeter()
    meter.add(0, 0)
    meter.add(2000, 10)
    meter.add(3_600_000, 99_999)
    assert meter.per_second() is None


def test_counter_that_went_back_starts_anew():
    meter = RateMeter()
    meter.add(0, 1000)
    meter.add(2000, 5)
    assert meter.per_second() is None
    meter.add(4000, 25)
    assert meter.per_second() == pytest.approx(10)


@given(st.lists(st.tuples(st.integers(0, 100_000), st.integers(0, 10_000))))
def test_rate_is_never_negative(looks: list[tuple[int, int]]):
    meter = RateMeter()
    for now_ms, total in looks:
        meter.add(now_ms, total)
        rate = meter.per_second()
        assert rate is None or rate >= 0


# Units


def test_the_temperature_stands_for_the_device():
    assert primary_metric(["raw", "humidity", "temp"]) == "temp"
    assert primary_metric(["raw", "humidity", "temp_2"]) == "temp_2"
    assert primary_metric(["raw", "humidity"]) == "humidity"
    assert primary_metric(["raw"]) == "raw"
    assert primary_metric([]) is None
    assert is_temperature("Temperature_out")
    assert [unit_of(name) for name in ("temp", "humidity", "raw")] == ["°C", "%", ""]


# States


@pytest.mark.parametrize(
    ("status", "heard_ago_ms", "presence", "state"),
    [
        (DeviceStatus.ACTIVE, None, None, "waiting"),
        (DeviceStatus.ACTIVE, 2_000, None, "online"),
        (DeviceStatus.ACTIVE, 99_000, None, "offline"),
        (DeviceStatus.ACTIVE, 2_000, Presence(True, NOW_MS - 60_000), "online"),
        (DeviceStatus.ACTIVE, 99_000, Presence(True, NOW_MS - 120_000), "silent"),
        (DeviceStatus.ACTIVE, 99_000, Presence(True, NOW_MS - 1_000), "online"),
        (DeviceStatus.ACTIVE, 2_000, Presence(False, NOW_MS - 1_000), "offline"),
        (DeviceStatus.DISABLED, 2_000, Presence(True, NOW_MS), "disabled"),
        (DeviceStatus.REVOKED, 2_000, Presence(True, NOW_MS), "revoked"),
    ],
)
def test_state_of_a_device(status, heard_ago_ms, presence, state):
    device = WebStage(lambda: NOW_MS).add_device("a", status=status, interval_ms=10_000)
    heard_ms = None if heard_ago_ms is None else NOW_MS - heard_ago_ms
    assert state_of(device, heard_ms, presence, NOW_MS)[0] == state
    assert state in STATES


def test_worst_devices_come_first():
    stage = WebStage(lambda: NOW_MS)
    for name in ("a-online", "b-gone", "c-attacked", "e-never"):
        stage.add_device(name)
    stage.add_device("d-revoked", status=DeviceStatus.REVOKED)
    for name in ("a-online", "b-gone", "c-attacked"):
        stage.keep(name, NOW_MS - 1000, {"temp": 20.0})
        stage.connect(name, online=name != "b-gone")
    stage.refuse("c-attacked")
    names = [view.device_id for view in fleet_of(stage.services())]
    assert names == ["c-attacked", "b-gone", "e-never", "a-online", "d-revoked"]


# Live events


def event(device_id: str | None, **more: object) -> bytes:
    return json.dumps({"device_id": device_id, **more}).encode()


def test_a_tick_keeps_the_newest_reading_for_the_fleet_and_all_for_the_device():
    tick = Tick()
    for temp in range(5):
        tick.add("reading", event("a", temp=temp))
    tick.add("reading", event("b", temp=9))
    assert tick.for_fleet().count(b"event: reading\n") == 2
    assert b'"temp": 4' in tick.for_fleet()
    assert tick.for_device("a").count(b"event: reading\n") == 5
    assert tick.for_device("nobody") == b""


def test_a_flood_of_refusals_is_cut_and_counted():
    tick = Tick()
    for place in range(MAX_REFUSALS_A_TICK + 7):
        tick.add("refusal", event("a", at_ms=place))
    text = tick.for_fleet()
    assert text.count(b"event: refusal\n") == MAX_REFUSALS_A_TICK
    assert b'event: refusals-left-out\ndata: {"count":7}\n\n' in text


def test_lost_events_are_told_to_everybody():
    tick = Tick()
    tick.add("resync", b'{"lost":3}')
    assert b"event: resync\n" in tick.for_fleet()
    assert b"event: resync\n" in tick.for_device("a")


# Small rules


@pytest.mark.parametrize(
    "wanted",
    ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "",
     "/a\nb", "/signin", "/signout", "/" + "a" * 600, "/a\r\nSet-Cookie: x=y", "/\t/evil.example"],
)  # fmt: skip
def test_only_paths_of_this_server_are_gone_to(wanted: str):
    assert local_path(wanted) == "/"


@pytest.mark.parametrize(
    "wanted", ["/", "/devices/a-1?range=1h", "/refusals?device=a&reason=replay"]
)
def test_own_paths_are_gone_to(wanted: str):
    assert local_path(wanted) == wanted


def test_local_names():
    assert all(is_local_name(name) for name in ("localhost", "localhost:8443", "a.localhost"))
    assert not any(is_local_name(name) for name in ("sea.example", "localhost.example", "[::1]"))


def test_exposition_escapes_labels():
    text = exposition([Sample("a", "gauge", "one\nline", 1.5, (("name", 'x"\\\n'),))])
    assert text == '# HELP a one\\nline\n# TYPE a gauge\na{name="x\\"\\\\\\n"} 1.5\n'
