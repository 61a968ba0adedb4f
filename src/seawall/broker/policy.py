"""Who may connect, and which topics are theirs: devices to access rules, purely."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from seawall.model.device import Device, DeviceStatus
from seawall.model.reading import Reason
from seawall.model.topics import UPWARD, Channel, parse_topic, topic_of

SERVICE_INGEST: Final = "@ingest"
"""Common name of the platform's own client; ``@`` cannot stand in a device id."""


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """A snapshot of the rules.

    Attributes:
        active: Device id to the serial (lower-case hex) of the one certificate it may use.
        refused: Device ids that are known and may not connect, with the reason.
        services: Common names of the platform's own clients.
        crl_pem: The certificate revocation list, PEM.
    """

    active: dict[str, str] = field(default_factory=dict)
    refused: dict[str, Reason] = field(default_factory=dict)
    services: frozenset[str] = frozenset({SERVICE_INGEST})
    crl_pem: bytes = b""

    def judge_connection(self, identity: str, serial: str) -> Reason | None:
        """Return None if this certificate may connect, else why not."""
        if identity in self.services:
            return None
        reason = self.refused.get(identity)
        if reason is not None:
            return reason
        current = self.active.get(identity)
        if current is None:
            return Reason.UNKNOWN_DEVICE
        # An older certificate of the same device was superseded by rotation.
        return None if current == serial else Reason.REVOKED_DEVICE

    def may_publish(self, identity: str, topic: str) -> bool:
        """Whether a device may publish: on its own upward topics alone."""
        if identity in self.services:
            return True
        parsed = parse_topic(topic)
        return parsed is not None and parsed.device_id == identity and parsed.channel in UPWARD

    def may_subscribe(self, identity: str, topic_filter: str) -> bool:
        """Whether a device may subscribe: to its own commands, or all of its own topics."""
        if identity in self.services:
            return True
        return topic_filter in {
            topic_of(identity, Channel.COMMANDS),
            f"devices/{identity}/#",
            f"devices/{identity}/+",
        }


def policy_of(devices: Iterable[Device], crl_pem: bytes) -> AccessPolicy:
    """Derive the rules from the registry."""
    active: dict[str, str] = {}
    refused: dict[str, Reason] = {}
    for device in devices:
        if device.status is DeviceStatus.ACTIVE:
            active[device.device_id] = device.certificate_serial
        elif device.status is DeviceStatus.REVOKED:
            refused[device.device_id] = Reason.REVOKED_DEVICE
        else:
            refused[device.device_id] = Reason.DISABLED_DEVICE
    return AccessPolicy(active=active, refused=refused, crl_pem=crl_pem)
