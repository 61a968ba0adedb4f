"""A web side with nothing behind it: the real application on a store in memory.

Tests, and people who work on the pages, play the fleet by hand::

    stage = WebStage(now_ms)
    stage.add_device("greenhouse-1")
    stage.send("greenhouse-1", temp=23.5)
    app = create_app(stage.services())
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Final

from seawall.errors import ConflictError, NotFoundError
from seawall.ingest.feed import Feed
from seawall.ingest.presence import Presence, StatusChange
from seawall.model.command import QueuedCommand
from seawall.model.device import Board, Device, DeviceStatus, Profile, Sensor, Trust
from seawall.model.event import Event
from seawall.model.reading import Batch, Reading, Reason, Refusal
from seawall.model.user import Role, Session, User
from seawall.operations.send_command import Order
from seawall.testing.memory_store import MemoryStore
from seawall.web.auth import token_sha256
from seawall.web.services import PublicFacts, Services

PASSWORD: Final = "correct horse battery staple"  # noqa: S105  of a user that exists in tests only
DAY_MS: Final = 24 * 3_600_000


class WebStage:
    """A store, a feed and a clock, and verbs that change them as ingest would.

    Args:
        now_ms: The clock, UTC milliseconds.
    """

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.now_ms = now_ms
        self.store = MemoryStore()
        self.feed = Feed()
        self.presences: dict[str, Presence] = {}
        self.problems: list[str] = []
        self.stored = 0
        self._sequence = 0
        self.store.put_user(User("admin", Role.ADMIN, "", now_ms()))

    def check_password(self, name: str, password: str) -> User | None:
        """Tell who it is; every user has the same password, and none is hashed."""
        return self.store.user(name) if password == PASSWORD else None

    def services(self, check_password: Callable[[str, str], User | None] | None = None) -> Services:
        """Return the ports for `create_app`."""
        return Services(
            store=self.store,
            feed=self.feed,
            check_password=check_password or self.check_password,
            now_ms=self.now_ms,
            presence=lambda: self.presences,
            stored_readings=lambda: self.stored,
            problems=lambda: self.problems,
            send_command=self.order,
            facts=PublicFacts(
                version="0.1.0",
                broker="builtin",
                store="memory",
                server_pins=("ab" * 32, "cd" * 32),
            ),
        )

    def add_device(
        self,
        device_id: str,
        *,
        board: Board = Board.UNIX,
        status: DeviceStatus = DeviceStatus.ACTIVE,
        interval_ms: int = 1000,
    ) -> Device:
        """Register a device."""
        now_ms = self.now_ms()
        device = Device(
            device_id=device_id,
            board=board,
            status=status,
            profile=Profile.SEAWALL_1,
            trust=Trust.CA_AND_PIN,
            key_generation=1,
            certificate_serial="5f3c1e9a77",
            certificate_sha256="0f" * 32,
            certificate_not_after_ms=now_ms + 365 * DAY_MS,
            added_ms=now_ms - DAY_MS,
            changed_ms=now_ms - DAY_MS,
            interval_ms=interval_ms,
            sensors=(Sensor("tmp36", "0"),),
        )
        self.store.put_device(device, Event(now_ms, "device-added", device_id))
        return device

    def connect(self, device_id: str, *, online: bool = True) -> None:
        """Have a device come or go."""
        now_ms = self.now_ms()
        self.presences[device_id] = Presence(online, now_ms)
        self.feed.tell_presence(StatusChange(device_id, online, now_ms, retained=False))

    def keep(self, device_id: str, ts_ms: int, metrics: Mapping[str, float]) -> Reading:
        """Store a reading of the past; nobody is told."""
        self._sequence += 1
        body = json.dumps({**metrics, "boot": 1, "seq": self._sequence, "ts": ts_ms}).encode()
        reading = Reading(device_id, ts_ms, 1, self._sequence, ts_ms + 120, body)
        self.store.append(Batch(readings=[reading]))
        self.stored += 1
        return reading

    def send(self, device_id: str, **metrics: float) -> Reading:
        """Store a reading of now, and tell who looks. Call it on the loop of the application."""
        reading = self.keep(device_id, self.now_ms() - 120, metrics)
        self.feed.tell_batch([reading], [])
        return reading

    def refuse(
        self,
        device_id: str | None,
        reason: Reason = Reason.BAD_SIGNATURE,
        detail: str = "",
    ) -> Refusal:
        """Keep a refused message, and tell who looks. Call it on the loop of the application."""
        payload = b'{"temp":99.9,"boot":1,"seq":7,"sig":"' + b"0" * 64 + b'"}'
        refusal = Refusal(
            at_ms=self.now_ms(),
            reason=reason,
            device_id=device_id,
            topic=f"devices/{device_id}/readings" if device_id else "",
            detail=detail,
            payload=payload,
            payload_bytes=len(payload),
            peer="192.0.2.7:50412",
        )
        self.store.append(Batch(refusals=[refusal]))
        self.feed.tell_batch([], [refusal])
        return refusal

    def order(self, user_name: str, device_id: str, order: Order) -> QueuedCommand:
        """Queue a command; its seal is none."""
        device = self.store.device(device_id)
        if device is None or device.status is not DeviceStatus.ACTIVE:
            kind = NotFoundError if device is None else ConflictError
            raise kind(f"{device_id} takes no commands", reference="device-not-active")
        n = max(self.store.last_command_number(device_id) + 1, self.now_ms())
        actor = f"web:{user_name}"
        command = QueuedCommand(
            device_id, n, order.name, b"{}", self.now_ms(), actor, order.interval_ms
        )
        self.store.add_command(command, Event(self.now_ms(), "command-queued", device_id, actor))
        return command

    def add_token(self, token: str, user_name: str = "admin", kind: str = "api") -> None:
        """Give a program a token."""
        now_ms = self.now_ms()
        self.store.put_session(
            Session(token_sha256(token), user_name, kind, "", now_ms, now_ms + DAY_MS)
        )
