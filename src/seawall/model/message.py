"""A publication on its way from a broker to ingest."""

from __future__ import annotations

from typing import Any, NamedTuple


class Inbound(NamedTuple):
    """One MQTT publication, as a broker driver hands it over.

    Attributes:
        identity: The device id that the TLS certificate proved, or None when a
            broker in between has checked it (then the topic names the device).
        topic: The MQTT topic name.
        payload: The application message, exact bytes.
        may_be_resend: True if the sender marked or announced it as a
            re-delivery (DUP flag), so that a known (boot, seq) is no attack.
        received_ms: UTC milliseconds.
        retained: True if it is an old message that the broker kept.
        token: Whatever the driver needs to acknowledge it; opaque to ingest,
            which hands it back once the message is durable. None: QoS 0.
        peer: ``host:port`` of the sender, if known.
    """

    identity: str | None
    topic: str
    payload: bytes
    may_be_resend: bool
    received_ms: int
    retained: bool = False
    token: Any = None
    peer: str = ""
