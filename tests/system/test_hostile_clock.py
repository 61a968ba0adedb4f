"""A machine whose clock is far off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from seawall.daemon.certificate_dates import CertificateDates, warning
from seawall.devices.lifecycle import NewDevice
from seawall.errors import SeawallError
from seawall.operations.add_device import add_device
from seawall.operations.installation import Installation
from seawall.testing.daemon_process import make_installation

pytestmark = pytest.mark.system

BEGINS = datetime(2026, 5, 1, tzinfo=UTC)
ENDS = datetime(2028, 5, 1, tzinfo=UTC)


@pytest.fixture
def at(tmp_path: Path) -> Callable[[timedelta], Installation]:
    """Return a function that opens an installation of today as if so much time had passed."""
    installation = make_installation(tmp_path / "state")

    def shifted(by: timedelta) -> Installation:
        shift_ms = by // timedelta(milliseconds=1)
        return replace(installation, now_ms=lambda: installation.now_ms() + shift_ms)

    return shifted


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (BEGINS - timedelta(days=300), "until the clock is set"),
        (datetime(1970, 1, 2, tzinfo=UTC), "until the clock is set"),
        (BEGINS, None),
        (ENDS - timedelta(days=31), None),
        (ENDS - timedelta(days=29), "ends on 2028-05-01"),
        (ENDS + timedelta(seconds=1), "ended on 2028-05-01"),
    ],
)
def test_dates_that_do_not_fit_are_said(now: datetime, said: str | None) -> None:
    words = warning("broker", BEGINS, ENDS, now)
    assert words is None if said is None else words is not None and said in words


def test_up_says_that_nobody_can_connect(
    at: Callable[[timedelta], Installation], caplog: pytest.LogCaptureFixture
) -> None:
    CertificateDates(at(timedelta())).step()
    assert caplog.messages == []
    CertificateDates(at(timedelta(days=-2))).step()
    assert [word for word in ("broker", "web side") if word in caplog.text] == [
        "broker",
        "web side",
    ]
    assert "until the clock is set" in caplog.text


def test_no_certificate_is_issued_by_a_clock_in_the_past(
    at: Callable[[timedelta], Installation],
) -> None:
    with pytest.raises(SeawallError, match="the clock says"):
        add_device(at(timedelta(days=-2)), NewDevice("late"))
    assert at(timedelta()).store.device("late") is None
