"""A device as the registry knows it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum


class Board(StrEnum):
    """Kinds of board that a bundle can be made for."""

    UNIX = "unix"
    ESP32 = "esp32"
    RP2 = "rp2"
    ESP8266 = "esp8266"

    @property
    def verifies_server(self) -> bool:
        """Whether stock firmware can authenticate the server (ESP8266's axTLS cannot)."""
        return self is not Board.ESP8266


class DeviceStatus(StrEnum):
    """Whether a device may connect and publish."""

    ACTIVE = "active"
    DISABLED = "disabled"
    REVOKED = "revoked"


class Profile(StrEnum):
    """How a device signs its payloads; never guessed from a message."""

    SEAWALL_1 = "seawall/1"
    PLAIN = "plain"


class Trust(StrEnum):
    """How a device authenticates the server."""

    CA = "ca"
    PIN = "pin"
    CA_AND_PIN = "ca+pin"


@dataclass(frozen=True, slots=True)
class Sensor:
    """A sensor and where it is connected: ``tmp36:0``, ``dht22:4``."""

    kind: str
    pin: str


@dataclass(frozen=True, slots=True)
class Device:
    """One device of the fleet. Holds no secret.

    Attributes:
        device_id: Its name, CN of its certificate.
        board: What it runs on.
        status: Active, disabled (may come back) or revoked (its certificate may not).
        profile: How it signs.
        trust: How it authenticates the server.
        sensors: What it measures with.
        key_generation: Which of the keys derived from the master secret it uses, from 1.
        certificate_serial: Of the current certificate, lower-case hex.
        certificate_sha256: Of the current certificate's DER, lower-case hex.
        certificate_not_after_ms: When it expires, UTC milliseconds.
        interval_ms: How often it measures.
        added_ms: When it was added, UTC milliseconds.
        changed_ms: When its status last changed, UTC milliseconds.
        group: What it is counted among, for roll-outs; empty for none.
    """

    device_id: str
    board: Board
    status: DeviceStatus
    profile: Profile
    trust: Trust
    key_generation: int
    certificate_serial: str
    certificate_sha256: str
    certificate_not_after_ms: int
    added_ms: int
    changed_ms: int
    interval_ms: int = 10_000
    sensors: tuple[Sensor, ...] = field(default=())
    group: str = ""

    def with_status(self, status: DeviceStatus, at_ms: int) -> Device:
        """Return the device in another status."""
        return replace(self, status=status, changed_ms=at_ms)
