"""The revocation list does not end while nobody looks."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from seawall.daemon.crl_renewal import RENEW_BEFORE, CrlRenewal, Renewal, decide
from seawall.model.installation import Settings, StatePaths
from seawall.operations.installation import Installation
from seawall.pki.keystore import Keystore
from seawall.pki.profiles import CRL_LIFETIME
from seawall.testing.memory_store import MemoryStore

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("left", "needs_passphrase", "action"),
    [
        (RENEW_BEFORE, False, Renewal.NOTHING),
        (RENEW_BEFORE, True, Renewal.NOTHING),
        (RENEW_BEFORE - timedelta(seconds=1), False, Renewal.RENEW),
        (RENEW_BEFORE - timedelta(seconds=1), True, Renewal.WARN),
        (timedelta(days=-1), False, Renewal.RENEW),
        (timedelta(days=-1), True, Renewal.WARN),
    ],
)
def test_what_is_done(left: timedelta, needs_passphrase: bool, action: Renewal) -> None:
    assert decide(NOW + left, NOW, needs_passphrase=needs_passphrase) is action


def test_a_new_list_is_not_renewed_at_once() -> None:
    assert CRL_LIFETIME - timedelta(days=1) > RENEW_BEFORE


class Place:
    """An installation whose clock is set by hand, and a broker that counts."""

    def __init__(self, state: Path, passphrase: bytes | None) -> None:
        Keystore.create(state / "pki", ("localhost",), NOW, passphrase)
        self.keystore = Keystore.open(state / "pki")
        self.installation = Installation(
            StatePaths(state), Settings(), MemoryStore(), self.keystore, lambda: 0, "daemon"
        )
        self.taken_in = 0

    async def look(self, at: datetime) -> None:
        now_ms = round(at.timestamp() * 1000)
        await CrlRenewal(replace(self.installation, now_ms=lambda: now_ms), self.take_in).step()

    async def take_in(self) -> None:
        self.taken_in += 1


async def test_the_list_is_renewed_and_taken_in(tmp_path: Path) -> None:
    place = Place(tmp_path / "state", None)
    before = place.keystore.crl_pem()
    await place.look(NOW + timedelta(days=1))
    assert place.keystore.crl_pem() == before
    await place.look(NOW + CRL_LIFETIME - RENEW_BEFORE + timedelta(days=1))
    assert place.taken_in == 1
    assert place.keystore.crl_ends() > NOW + CRL_LIFETIME + timedelta(days=400)


async def test_without_the_passphrase_it_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = Place(tmp_path / "state", b"correct horse battery")
    before = place.keystore.crl_pem()
    with caplog.at_level(logging.WARNING):
        await place.look(NOW + CRL_LIFETIME - timedelta(days=3))
    assert place.keystore.crl_pem() == before
    assert place.taken_in == 0
    assert "passphrase" in caplog.text
