"""What is audited, and what the audit may use to reach it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class TargetKind(StrEnum):
    """What a target is; each check says which kinds it is for."""

    MQTT = "mqtt"
    """A broker: ``mqtt://HOST:PORT``, ``mqtts://HOST:PORT``."""
    API = "api"
    """An HTTP interface: ``http://...``, ``https://...``."""
    TLS = "tls"
    """Any TLS port: ``tls://HOST:PORT``."""
    HOST = "host"
    """The ports of a machine: ``host://ADDRESS``."""
    MOSQUITTO = "mosquitto"
    """A mosquitto.conf, with the files that it names."""
    FIRMWARE = "firmware"
    """A folder with firmware, or a device bundle."""
    SDKCONFIG = "sdkconfig"
    """An ESP-IDF sdkconfig."""
    EFUSE = "efuse"
    """What ``espefuse summary`` printed."""
    INVENTORY = "inventory"
    """A list of devices, JSON or CSV."""
    STATE = "state"
    """A Seawall state directory."""


@dataclass(frozen=True)
class Access:
    """What the audit was given to get in with. Its repr shows no secret.

    Attributes:
        ca: File (PEM) of the authority that the server's certificate must come from.
        cert: Client certificate (PEM).
        key: Its private key (PEM).
        username: For MQTT, or HTTP basic authentication.
        password: Belongs to ``username``.
        token: Bearer token for an API.
        openapi: URL or file of the API's OpenAPI description.
        pin: SHA-256 of the server's certificate (DER), 64 lower-case hex digits.
        server_name: Name that the server's certificate must carry, if not the host.
        expect_ports: TCP ports that are meant to be open; None: nobody said.
        try_defaults: Whether default passwords may be tried, at most 5.
        use_nmap: Whether ``nmap -sV`` may name what answers, where it is installed.
        may_write: Whether checks of risk ``write`` may run.
        other: A second identity made for auditing, another device's.
        database: File of known vulnerabilities; None: the one that came with this package.
    """

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    openapi: str | None = None
    pin: str | None = None
    server_name: str | None = None
    expect_ports: tuple[int, ...] | None = None
    try_defaults: bool = False
    use_nmap: bool = False
    may_write: bool = True
    other: Access | None = None
    database: Path | None = None

    def secrets(self) -> tuple[str, ...]:
        """Return what must never be printed, of the other identity as well."""
        mine = tuple(each for each in (self.password, self.token) if each)
        return mine + (self.other.secrets() if self.other else ())


@dataclass(frozen=True, slots=True)
class FleetPolicy:
    """What the owner of the fleet demands, from ``[policy]`` of audit.toml.

    Attributes:
        minimum_firmware: Board or model, and the oldest version that it may run.
        silent_days: A device not heard of for longer counts as lost.
        expiring_days: A certificate that ends sooner is to be renewed now.
    """

    minimum_firmware: tuple[tuple[str, str], ...] = ()
    silent_days: int = 30
    expiring_days: int = 30


@dataclass(frozen=True)
class Target:
    """One thing to audit.

    Attributes:
        kind: What it is.
        name: How it is shown, in reports and fingerprints. No secret stands in it.
        host: Name or address, for targets on the network; IPv6 without brackets.
        port: TCP port; 0 for `TargetKind.HOST`.
        uses_tls: Whether ``mqtts`` or ``https`` was said.
        path: File or folder, for targets on the disk; as given, relative or absolute.
        base_path: Path of an API's URL, begins with ``/``.
        access: What to get in with.
        left_out: Ids of checks that are not made for it, because another target of the same
            audit answers better.
        policy: What is demanded of a fleet.
    """

    kind: TargetKind
    name: str
    host: str = ""
    port: int = 0
    uses_tls: bool = False
    path: Path | None = None
    base_path: str = "/"
    access: Access = field(default_factory=Access)
    policy: FleetPolicy = FleetPolicy()
    left_out: frozenset[str] = frozenset()
