"""Says when the clock and the server's certificates do not fit: nobody can connect then."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta
from typing import Final

from seawall.operations.installation import Installation
from seawall.pki.certificates import load_certificate

_log = logging.getLogger("seawall.daemon")

WARN_BEFORE: Final = timedelta(days=30)
CHECK_EVERY_S: Final = 24 * 3600.0


def warning(name: str, begins: datetime, ends: datetime, now: datetime) -> str | None:
    """Return what is to be said about a certificate, None if nothing.

    Args:
        name: Whose certificate it is.
        begins: When it becomes valid.
        ends: When it ends.
        now: The time.
    """
    if now < begins:
        return (
            f"the clock says {now:%Y-%m-%d %H:%M} UTC, but the {name}'s certificate is valid from "
            f"{begins:%Y-%m-%d %H:%M} only: nobody can connect until the clock is set"
        )
    if now > ends:
        return (
            f"the {name}'s certificate ended on {ends:%Y-%m-%d}, and the clock says {now:%Y-%m-%d}:"
            " nobody can connect"
        )
    if ends - now < WARN_BEFORE:
        return f"the {name}'s certificate ends on {ends:%Y-%m-%d}: nobody can connect after that"
    return None


class CertificateDates:
    """Looks at the certificates that clients are shown, at the start and once a day."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    async def run(self) -> None:
        """Serve until cancelled; return only by an exception."""
        while True:
            self.step()
            await asyncio.sleep(CHECK_EVERY_S)

    def step(self) -> None:
        """Look once.

        Raises:
            KeyAccessError: a certificate cannot be read.
        """
        keystore, now = self._installation.keystore, self._installation.now()
        shown = {
            "broker": keystore.server_paths().certificate,
            "web side": keystore.web_paths().certificate,
        }
        for name, path in shown.items():
            certificate = load_certificate(path)
            words = warning(
                name, certificate.not_valid_before_utc, certificate.not_valid_after_utc, now
            )
            if words is not None:
                _log.warning("%s", words)
