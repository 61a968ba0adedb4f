"""A machine whose clock is far off."""

from __future__ import annotations

import contextlib
import ssl
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from seawall.daemon.certificate_dates import CertificateDates, warning
from seawall.devices.lifecycle import NewDevice
from seawall.errors import SeawallError
from seawall.operations.add_device import add_device
from seawall.operations.installation import Installation
from seawall.pki.contexts import client_context, mqtt_server_context
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


def test_a_list_of_a_clock_ahead_shuts_nobody_out(
    at: Callable[[timedelta], Installation],
) -> None:
    keystore, now = at(timedelta()).keystore, datetime.now(UTC)
    keystore.renew_crl(now + timedelta(days=900), keystore.authority())
    device = keystore.authority().issue_device("greenhouse-1", now)
    certificate = x509.load_der_x509_certificate(device.cert_der)
    key = serialization.load_der_private_key(device.key_der, None)
    server = mqtt_server_context(keystore, keystore.crl_pem())
    client = client_context(keystore.root_path)
    with tempfile.TemporaryDirectory() as folder:
        pair = Path(folder) / "pair.pem"
        pair.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        client.load_cert_chain(pair)
    shake_hands(server, client)


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> None:
    """Let two ends meet in memory; raise what either finds wrong."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname="localhost"),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(5):
        for end in ends:
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
    assert ends[1].getpeercert()


def test_no_certificate_is_issued_by_a_clock_in_the_past(
    at: Callable[[timedelta], Installation],
) -> None:
    with pytest.raises(SeawallError, match="the clock says"):
        add_device(at(timedelta(days=-2)), NewDevice("late"))
    assert at(timedelta()).store.device("late") is None
