"""A reading, the batch that is committed in one piece, and what was refused."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

RESERVED_MEMBERS: Final = frozenset({"boot", "seq", "ts", "sig"})
"""Members of a payload that are not metrics."""

MIN_TS_MS: Final = 946_684_800_000
"""2000-01-01T00:00:00Z: no reading can be older."""
MAX_TS_MS: Final = 4_102_444_800_000
"""2100-01-01T00:00:00Z: no reading can be younger."""


class Reading(NamedTuple):
    """One verified message of measurements, as its device wrote it.

    Attributes:
        device_id: Whose it is.
        ts_ms: When it was measured, UTC milliseconds; the time of receipt if
            the device had no clock.
        boot: Boot counter of the device, 0 to 2**53 - 1.
        seq: Sequence number within the boot, 0 to 2**53 - 1.
        received_ms: When the server received it, UTC milliseconds.
        body: The JSON object without its signature, exact bytes, UTF-8, flat.
    """

    device_id: str
    ts_ms: int
    boot: int
    seq: int
    received_ms: int
    body: bytes

    @property
    def metrics(self) -> dict[str, float]:
        """The numeric members that are not reserved, by name."""
        members = json.loads(self.body)
        return {
            name: value
            for name, value in members.items()
            if name not in RESERVED_MEMBERS
            and isinstance(value, int | float)
            and not isinstance(value, bool)
        }


class Reason(StrEnum):
    """Why a message was refused. The values are stable and documented."""

    BAD_SIGNATURE = "bad-signature"
    REPLAY = "replay"
    UNKNOWN_DEVICE = "unknown-device"
    DISABLED_DEVICE = "disabled-device"
    REVOKED_DEVICE = "revoked-device"
    WRONG_TOPIC = "wrong-topic"
    MALFORMED = "malformed"
    TOO_LARGE = "too-large"


MAX_KEPT_PAYLOAD_BYTES: Final = 1024


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message, or a connection, that was refused, with enough to look into it.

    Attributes:
        at_ms: When, UTC milliseconds.
        reason: Why.
        device_id: The authenticated identity, or the one that the topic names; None if neither.
        topic: The MQTT topic; empty for a connection.
        detail: What exactly was wrong, in one sentence without secrets.
        payload: At most `MAX_KEPT_PAYLOAD_BYTES` of what was sent.
        payload_bytes: How long it was in whole.
        peer: Address of the sender if known, ``host:port``.
    """

    at_ms: int
    reason: Reason
    device_id: str | None
    topic: str
    detail: str
    payload: bytes = b""
    payload_bytes: int = 0
    peer: str = ""


@dataclass(frozen=True, slots=True)
class ReplayWindow:
    """What was seen of one boot of one device.

    ``seen`` is a bit field: bit k says that ``top - k`` was accepted; bit 0 is
    always set. Anything older than the field's width counts as seen. (The
    anti-replay window of RFC 4303, section 3.4.3, kept across restarts.)
    """

    device_id: str
    boot: int
    top: int
    seen: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What is committed in one transaction: all of it or nothing.

    Attributes:
        readings: Accepted readings, in order of arrival.
        windows: The replay windows as they stand after these readings.
        refusals: Refused messages.
    """

    readings: list[Reading] = field(default_factory=list)
    windows: list[ReplayWindow] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
