"""What every operation works on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from seawall.model.event import Event
from seawall.model.installation import Settings, StatePaths
from seawall.pki.keystore import Keystore
from seawall.store.contract import Store


@dataclass(frozen=True, slots=True)
class Installation:
    """An open installation: its ports, and on whose behalf they are used.

    Attributes:
        paths: Where its files stand.
        settings: Its settings.
        store: Its store.
        keystore: Its keys and certificates.
        now_ms: The clock, UTC milliseconds.
        actor: Who acts: ``cli:NAME``, ``web:NAME``, ``daemon``.
    """

    paths: StatePaths
    settings: Settings
    store: Store
    keystore: Keystore
    now_ms: Callable[[], int]
    actor: str

    def now(self) -> datetime:
        """Return the clock's time as the authority takes it."""
        return datetime.fromtimestamp(self.now_ms() / 1000, UTC)

    def event(self, kind: str, subject: str = "", **detail: str) -> Event:
        """Return an event of now, by this actor."""
        return Event(self.now_ms(), kind, subject, self.actor, detail)
