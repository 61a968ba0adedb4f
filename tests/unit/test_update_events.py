"""What devices say of their software: read strictly, and any bytes at all survived."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.errors import ProtocolError
from seawall.model.rollout import RunningReport, UpdateReport, WayState
from seawall.wire.commands import parse_reply
from seawall.wire.payload import parse_members
from seawall.wire.update_events import report_of_event, report_of_reply

AT_MS = 1_763_759_216_000
RUNNING = {"event": "running", "version": "1.2.0", "slot": "a", "trial": False, "boot": 7}
UPDATE = {"event": "update", "re": 9, "version": "1.2.0", "state": "trying", "boot": 7}
SCALARS = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text() | st.floats()


def read(members: dict[str, Any]) -> Any:
    return report_of_event("a", parse_members(json.dumps(members).encode()), AT_MS)


def test_what_runs() -> None:
    assert read(RUNNING) == RunningReport("a", AT_MS, "1.2.0", "a", False, 7)
    assert read({**RUNNING, "version": "0", "slot": "b", "trial": True}).trial is True


@pytest.mark.parametrize("state", ["downloading", "verified", "trying", "confirmed"])
def test_how_far_it_has_come(state: str) -> None:
    report = read({**UPDATE, "state": state, "percent": 40, "reason": "x", "again": True})
    percent = 40 if state == "downloading" else None
    assert report == UpdateReport("a", AT_MS, 9, WayState(state), 7, percent)


@pytest.mark.parametrize("state", ["rolled-back", "refused", "failed"])
def test_why_it_ended(state: str) -> None:
    report = read({**UPDATE, "state": state, "reason": "boot-loop", "again": True})
    assert (report.state, report.reason, report.again) == (WayState(state), "boot-loop", True)
    report = read({**UPDATE, "state": state})
    assert (report.reason, report.again) == ("unknown", False)
    report = read({**UPDATE, "state": state, "reason": "\x1b[2J" + "x" * 900, "again": False})
    assert report.reason.startswith("?[2Jx")
    assert len(report.reason) == 60


def test_a_reply_is_a_report() -> None:
    ok = report_of_reply("a", parse_reply(b'{"re":9,"ok":true}'), AT_MS)
    assert ok == UpdateReport("a", AT_MS, 9, WayState.OFFERED)
    busy = parse_reply(b'{"re":9,"ok":false,"reason":"busy","again":true}')
    report = UpdateReport("a", AT_MS, 9, WayState.REFUSED, reason="busy", again=True)
    assert report_of_reply("a", busy, AT_MS) == report
    no = parse_reply(b'{"re":9,"ok":false,"reason":[1],"again":1}')
    assert report_of_reply("a", no, AT_MS)[6:] == ("not-obeyed", False)


@pytest.mark.parametrize(
    "members",
    [
        {**RUNNING, "version": 1},
        {**RUNNING, "version": "1.02"},
        {**RUNNING, "slot": "c"},
        {**RUNNING, "slot": None},
        {**RUNNING, "trial": 0},
        {**RUNNING, "boot": -1},
        {**RUNNING, "boot": True},
        {**UPDATE, "state": "offered"},
        {**UPDATE, "state": "silent"},
        {**UPDATE, "state": 1},
        {**UPDATE, "re": "9"},
        {**UPDATE, "boot": 1.5},
        {**UPDATE, "version": ""},
        {**UPDATE, "state": "downloading", "percent": 101},
        {**UPDATE, "state": "downloading", "percent": "1"},
        {**UPDATE, "state": "failed", "again": 1},
    ],
)
def test_what_is_wrong_is_refused(members: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError) as caught:
        read(members)
    assert caught.value.reference == "malformed-payload"


def test_other_events_are_none_of_its_business() -> None:
    assert read({"event": "sensor", "sensor": "temp", "fault": "rail", "boot": 1}) is None
    assert read({"boot": 1}) is None


@given(
    st.dictionaries(
        st.sampled_from([*UPDATE, *RUNNING, "percent", "reason", "again"]),
        SCALARS | st.sampled_from(["running", "update", "failed", "downloading", "a", "1.2.0"]),
    )
)
def test_any_event_is_read_or_refused(members: dict[str, Any]) -> None:
    try:
        report = report_of_event("a", members, AT_MS)
    except ProtocolError:
        return
    if report is not None:
        assert 0 <= report.boot < 2**53  # type: ignore[operator]
