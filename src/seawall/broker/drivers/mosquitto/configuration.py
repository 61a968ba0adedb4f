"""The files that Mosquitto reads, rendered purely from settings and policy.

Everything is named relative to the broker's working directory, so that no
character of the state directory's path ever stands in a configuration line
(its parser splits at blanks), and so that an unprivileged broker need not be
able to traverse the directories above its own.

Facts about Mosquitto 2.0.11 to 2.1.2 that shape the text are told where they
bite. Sources: mosquitto.conf(5), and ``src/security_default.c``,
``src/handle_connect.c``, ``src/conf.c`` of the releases.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re
from collections.abc import Iterable
from typing import Final

from seawall.broker.policy import AccessPolicy
from seawall.errors import ConfigurationError, InvalidNameError
from seawall.model.installation import MqttSettings
from seawall.model.topics import UPWARD, Channel

CONFIGURATION: Final = "mosquitto.conf"
ACCESS: Final = "access.acl"
REVOKED: Final = "revoked.pem"
TRUST: Final = "ca-chain.pem"
CERTIFICATE: Final = "server.crt.pem"
KEY: Final = "server.key.pem"
PASSWORDS: Final = "control.passwd"
CONTROL_SOCKET: Final = "control.sock"

CONTROL_USER: Final = "@control"
"""Who ends sessions through the socket; ``@`` cannot stand in a device id."""

MAX_INFLIGHT: Final = 20_000
"""Unacknowledged QoS 1 messages towards one client: ingest acknowledges
batches after their commit, and the default of 20 would hold it to a few
thousand messages a second."""
MAX_QUEUED: Final = 200_000
"""Messages kept for one client that is away. More are dropped: devices keep
what was not announced as stored, so nothing is lost by that."""
MAX_QUEUED_BYTES: Final = 256 * 1024 * 1024
AUTOSAVE_S: Final = 30
CONTROL_CONNECTIONS: Final = 64

CIPHERS: Final = ":".join(
    f"ECDHE-{signature}-{cipher}"
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
    for signature in ("ECDSA", "RSA")
)
"""TLS 1.2: ephemeral keys and AEAD only. TLS 1.3 has nothing else."""

_CONTROL_LISTENER: Final = f"""\
# Reached through this directory (mode 0700) and by password only. Here alone a
# client id is free to choose: connecting with a device's id ends its session.
listener 0 {CONTROL_SOCKET}
max_connections {CONTROL_CONNECTIONS}
"""

_HOST_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?\Z")
_PBKDF2_ROUNDS: Final = 101
"""What Mosquitto 2.0 itself uses. The password has 256 random bits: no guessing to slow down."""


def render_configuration(settings: MqttSettings, port: int) -> str:
    """Render ``mosquitto.conf``.

    Args:
        settings: Address and limits.
        port: TCP port of the device listener, 1 to 65535.

    Raises:
        ConfigurationError: the host is neither an address nor a host name.
    """
    parts = (_general(settings), _device_listener(settings, port), _CONTROL_LISTENER)
    return "\n".join(parts)


def _general(settings: MqttSettings) -> str:
    return f"""\
# Written by seawall at every start: changes made here do not last.
# All paths are relative to this directory, which is the broker's working directory.
per_listener_settings false
allow_anonymous false
acl_file {ACCESS}
# One entry: the platform's control user, who comes through the socket below.
# Devices have no passwords; their listener takes the name from the certificate.
password_file {PASSWORDS}

persistence true
persistence_file mosquitto.db
autosave_interval {AUTOSAVE_S}
autosave_on_changes false
persistent_client_expiration 6m

# No message_size_limit: it would acknowledge a longer message, and then drop it.
max_packet_size {settings.max_packet_bytes}
# A device that lost its power is missed within an hour and a half at the latest.
max_keepalive 3600
max_inflight_messages {MAX_INFLIGHT}
max_queued_messages {MAX_QUEUED}
max_queued_bytes {MAX_QUEUED_BYTES}
queue_qos0_messages false
set_tcp_nodelay true
sys_interval 0

log_dest stderr
log_timestamp false
log_type error
log_type warning
log_type notice
log_type information
connection_messages true
"""


def _device_listener(settings: MqttSettings, port: int) -> str:
    return f"""\
listener {port} {_checked_host(settings.host)}
max_connections {settings.max_connections}
cafile {TRUST}
certfile {CERTIFICATE}
keyfile {KEY}
crlfile {REVOKED}
require_certificate true
use_identity_as_username true
use_username_as_clientid true
tls_version tlsv1.2
ciphers {CIPHERS}
"""


def render_access(policy: AccessPolicy) -> str:
    """Render the ACL file.

    Patterns serve every device at once: a line for each of many devices would
    make a reload quadratic. Refused devices get a line of their own; Mosquitto
    looks at what is denied to a user before it looks at any pattern.

    Raises:
        InvalidNameError: a name that cannot be written into the file.
    """
    services = sorted({*policy.services, CONTROL_USER})
    lines = ["# Written by seawall: changes made here do not last."]
    for name in services:
        lines += [f"user {_checked_user(name)}", "topic readwrite devices/#"]
    for device_id in sorted(policy.refused):
        lines += [f"user {_checked_user(device_id)}", "topic deny #"]
    lines += [f"pattern write devices/%u/{channel}" for channel in _names(UPWARD)]
    lines += [f"pattern read devices/%u/{Channel.COMMANDS.value}"]
    return "\n".join(lines) + "\n"


def render_passwords(password: str, salt: bytes) -> str:
    """Render the password file with the control user's entry.

    Args:
        password: Random, at least 256 bits.
        salt: 12 random bytes (the length that all versions since 2.0 read).
    """
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _PBKDF2_ROUNDS)
    fields = ("", "7", str(_PBKDF2_ROUNDS), _base64(salt), _base64(digest))
    return f"{CONTROL_USER}:{'$'.join(fields)}\n"


def _names(channels: Iterable[Channel]) -> list[str]:
    # Readings first: patterns are tried in order, and nearly all messages are readings.
    rest = sorted(channel.value for channel in channels if channel is not Channel.READINGS)
    return [Channel.READINGS.value, *rest]


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _checked_user(name: str) -> str:
    # A line feed would begin a new rule, blanks at the ends are trimmed by the
    # parser, and wildcards in a name would widen its own patterns.
    if not name or name != name.strip() or any(c in "+#/" or not c.isprintable() for c in name):
        raise InvalidNameError(
            f"{name[:40]!r} cannot name a broker user",
            hint="use printable characters other than '+', '#' and '/', no blank at the ends",
        )
    return name


def _checked_host(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        if _HOST_NAME.match(host) is None:
            raise ConfigurationError(
                f"mqtt.host {host[:60]!r} is neither an IP address nor a host name",
                hint="0.0.0.0 listens on every IPv4 address, :: on every address",
            ) from None
    return host
