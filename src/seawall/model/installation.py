"""What one installation is made of: its settings and where its files stand."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Literal


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """Section ``[mqtt]`` of seawall.toml.

    Attributes:
        broker: Which driver.
        host: Address to listen on.
        port: TCP port for devices, 0: any free one.
        public_host: Name or address that devices connect to.
        max_connections: At most so many at a time.
        max_connections_per_address: At most so many from one address.
        max_packet_bytes: Largest MQTT packet.
        connect_timeout_s: TLS and CONNECT must be done within this.
    """

    broker: Literal["builtin", "mosquitto"] = "builtin"
    host: str = "0.0.0.0"  # noqa: S104  devices are on the network; every one shows a certificate
    port: int = 8883
    public_host: str = "localhost"
    max_connections: int = 10_000
    max_connections_per_address: int = 2_000
    max_packet_bytes: int = 16_384
    connect_timeout_s: float = 10.0


@dataclass(frozen=True, slots=True)
class WebSettings:
    """Section ``[web]`` of seawall.toml.

    Attributes:
        host: Address to listen on; this machine alone by default.
        port: TCP port for people (HTTPS), 0: any free one.
        public_host: Name or address that people write in the browser.
    """

    host: str = "127.0.0.1"
    port: int = 8443
    public_host: str = "localhost"


@dataclass(frozen=True, slots=True)
class IngestSettings:
    """Section ``[ingest]``.

    Attributes:
        max_payload_bytes: Larger payloads are refused as ``too-large``.
        batch_readings: Commit at the latest when so many wait.
        batch_delay_ms: Commit at the latest after this time.
        max_refusals: So many are kept; the oldest of whoever has most go first.
    """

    max_payload_bytes: int = 4096
    batch_readings: int = 500
    batch_delay_ms: int = 5
    max_refusals: int = 10_000


@dataclass(frozen=True, slots=True)
class UpdateSettings:
    """Section ``[updates]``: where devices fetch releases, once there are update keys.

    Attributes:
        host: Address to listen on.
        port: TCP port for devices (HTTPS), 0: any free one.
        public_host: Name or address that devices connect to.
        max_connections: At most so many at a time.
        max_connections_per_address: At most so many from one address.
    """

    host: str = "0.0.0.0"  # noqa: S104  devices are on the network; every one shows a certificate
    port: int = 8444
    public_host: str = "localhost"
    max_connections: int = 1_000
    max_connections_per_address: int = 700


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """Section ``[audit]``: the audit of this installation by itself.

    Attributes:
        nightly: Whether ``seawall up`` audits once a day, and warns of what is new.
        at: When, ``HH:MM``, local time.
    """

    nightly: bool = True
    at: str = "03:30"


@dataclass(frozen=True, slots=True)
class Settings:
    """All of seawall.toml."""

    mqtt: MqttSettings = field(default_factory=MqttSettings)
    web: WebSettings = field(default_factory=WebSettings)
    ingest: IngestSettings = field(default_factory=IngestSettings)
    updates: UpdateSettings = field(default_factory=UpdateSettings)
    audit: AuditSettings = field(default_factory=AuditSettings)
    names: tuple[str, ...] = ("localhost", "127.0.0.1")
    """DNS names and IP addresses in the server certificates."""


@dataclass(frozen=True, slots=True)
class StatePaths:
    """Where the files of a state directory stand. Computes, touches nothing."""

    root: PurePath

    @property
    def settings(self) -> PurePath:
        """``seawall.toml``."""
        return self.root / "seawall.toml"

    @property
    def database(self) -> PurePath:
        """``seawall.db``."""
        return self.root / "seawall.db"

    @property
    def pki(self) -> PurePath:
        """Keys and certificates."""
        return self.root / "pki"

    @property
    def broker(self) -> PurePath:
        """What the broker driver writes."""
        return self.root / "broker"

    @property
    def updates(self) -> PurePath:
        """The update repository."""
        return self.root / "updates"

    @property
    def lock(self) -> PurePath:
        """Held by the running daemon."""
        return self.root / "lock"

    @property
    def lent(self) -> PurePath:
        """``run/lent.json``: identities that an audit has for some minutes."""
        return self.root / "run" / "lent.json"

    @property
    def audit(self) -> PurePath:
        """Results of the nightly audit."""
        return self.root / "audit"

    @property
    def running(self) -> PurePath:
        """``run/daemon.json``: pid, URL and ports of the running daemon."""
        return self.root / "run" / "daemon.json"
