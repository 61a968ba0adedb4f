"""What a CONNECT asks for, and what it is given (MQTT 5.0, 3.1.2.11 and 3.2.2.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from seawall.wire.mqtt.codes import V5, Property
from seawall.wire.mqtt.events import ServerLimits
from seawall.wire.mqtt.packets import Connect
from seawall.wire.mqtt.properties import Properties

KEEP_ALIVE_FACTOR: Final = 1.5
"""A client is given up after so many keep-alive times of silence [MQTT-3.1.2-22]."""
MAX_KEEP_ALIVE_S: Final = 3600
"""What a client of 5.0 is told that asks for more, or for silence without end (3.2.2.3.14)."""
NEVER_EXPIRES: Final = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of one connection.

    Attributes:
        silence_s: Longest time without a packet of the client; 0: any.
        session_expiry_s: How long the session outlives the connection.
        will_delay_s: How long the will waits for the client to come back.
        window: QoS 1 messages that may be on their way to the client.
        client_max_bytes: Longest packet that the client takes; 0: any.
    """

    silence_s: float
    session_expiry_s: int
    will_delay_s: int
    window: int
    client_max_bytes: int


def _number(properties: Properties | None, name: Property, default: int) -> int:
    value = (properties or {}).get(name, default)
    return value if isinstance(value, int) else default


def _keep_alive_s(connect: Connect) -> int:
    if connect.version != V5:
        return connect.keep_alive_s  # 3.1.1 has no way to say another
    return min(connect.keep_alive_s or MAX_KEEP_ALIVE_S, MAX_KEEP_ALIVE_S)


def agree(connect: Connect, limits: ServerLimits) -> Terms:
    """Settle the terms. A 3.1.1 session that is not clean never expires by itself."""
    asked = connect.properties
    if connect.version == V5:
        expiry = _number(asked, Property.SESSION_EXPIRY, 0)
    else:
        expiry = 0 if connect.clean_start else NEVER_EXPIRES
    will = connect.will.properties if connect.will is not None else None
    window = limits.max_outgoing_in_flight
    return Terms(
        silence_s=_keep_alive_s(connect) * KEEP_ALIVE_FACTOR,
        session_expiry_s=min(expiry, limits.max_session_expiry_s),
        will_delay_s=_number(will, Property.WILL_DELAY, 0),
        window=min(window, _number(asked, Property.RECEIVE_MAXIMUM, window)),
        client_max_bytes=_number(asked, Property.MAXIMUM_PACKET_SIZE, 0),
    )


def connack_properties(
    connect: Connect, terms: Terms, limits: ServerLimits, client_id: str
) -> Properties | None:
    """Return what CONNACK tells a client of MQTT 5.0; None for 3.1.1."""
    if connect.version != V5:
        return None
    answer: Properties = {
        Property.RECEIVE_MAXIMUM: limits.max_in_flight,
        Property.MAXIMUM_PACKET_SIZE: limits.max_packet_bytes,
        Property.SUBSCRIPTION_ID_AVAILABLE: 0,
        Property.SHARED_AVAILABLE: 0,
    }
    if _number(connect.properties, Property.SESSION_EXPIRY, 0) != terms.session_expiry_s:
        answer[Property.SESSION_EXPIRY] = terms.session_expiry_s
    if _keep_alive_s(connect) != connect.keep_alive_s:
        answer[Property.SERVER_KEEP_ALIVE] = _keep_alive_s(connect)
    if not connect.client_id:
        answer[Property.ASSIGNED_CLIENT_ID] = client_id  # [MQTT-3.2.2-16]
    return answer
