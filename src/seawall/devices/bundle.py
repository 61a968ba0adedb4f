"""What goes onto a board: configuration, keys, certificates and the agent. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final, Literal

from seawall.devices.sensors import sensor_configurations
from seawall.devices.slot import GUARD, first_slot, inside_files, outside_files
from seawall.errors import ConfigurationError
from seawall.model.device import Board, Device, Profile, Trust
from seawall.pki.certificates import certificate_pem
from seawall.pki.keys import key_pem

FORMAT: Final = 1
KEEPALIVE_S: Final = 30
OUTBOX_READINGS: Final = 500
NTP_SERVERS: Final = ("pool.ntp.org",)
CONFIG_NAME: Final = "config.json"
ROOT_NAME: Final = "root.json"
DOWNLOAD_BLOCK_BYTES: Final = 4096
TRIAL_S: Final = 30
TRIAL_BOOTS: Final = 3

_WPA_PASSWORD_CHARS: Final = range(8, 64)
_FOR_ESP32: Final = frozenset({"partition", "image"})
_SSID_BYTES: Final = range(1, 33)


@dataclass(frozen=True, slots=True)
class Wifi:
    """A network that the board joins."""

    ssid: str
    password: str


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the device finds the broker, and what it may believe.

    Attributes:
        host: Name or address to connect to.
        port: TCP port.
        server_name: Name that the server's certificate must hold.
        ack: What tells that a reading is stored: ``puback`` or ``stored``.
        pins: SHA-256 of the server's current and next certificate.
    """

    host: str
    port: int
    server_name: str
    ack: Literal["puback", "stored"]
    pins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UpdateSource:
    """Where the device finds updates, and whom it believes.

    Attributes:
        host: Name or address to connect to, in the server's certificate too.
        port: TCP port.
        root: TUF root metadata that the device is born with.
    """

    host: str
    port: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Credentials:
    """A device's secrets and certificates: ``ca.der``, ``cert.der``, ``key.der``, ``hmac.key``."""

    ca_der: bytes
    cert_der: bytes
    key_der: bytes
    hmac_key: bytes


def check_board(board: Board) -> None:
    """Check that this version makes bundles for a board.

    Raises:
        ConfigurationError: it does not.
    """
    if not board.verifies_server:
        raise ConfigurationError(
            f"this version makes no bundle for the {board.value}: its stock firmware speaks TLS "
            "with RSA keys only, and this version has no listener with an RSA key",
            reference="no-rsa-listener",
            hint="the device stays in the registry, labelled; an esp32 or rp2 board works today",
        )


def check_wifi(wifi: Wifi) -> None:
    """Check a network's name and password against IEEE 802.11 and WPA2.

    Raises:
        ConfigurationError: no board could join it.
    """
    if len(wifi.ssid.encode()) not in _SSID_BYTES:
        raise ConfigurationError(
            f"the Wi-Fi name has {len(wifi.ssid.encode())} bytes", hint="1 to 32"
        )
    if len(wifi.password) not in _WPA_PASSWORD_CHARS:
        raise ConfigurationError(
            f"the Wi-Fi password has {len(wifi.password)} characters",
            hint="8 to 63; an open network is not for a device",
        )


def bundle_configuration(
    device: Device,
    connection: Connection,
    wifi: Wifi | None,
    updates: UpdateSource | None = None,
) -> dict[str, Any]:
    """Return a bundle's config.json."""
    is_unix = device.board is Board.UNIX
    pins = list(connection.pins) if device.trust is not Trust.CA else []
    return {
        "format": FORMAT,
        "device_id": device.device_id,
        "board": device.board.value,
        "profile": device.profile.value,
        "broker": {
            "host": connection.host,
            "port": connection.port,
            "server_name": connection.server_name,
            "ack": connection.ack,
            "keepalive_s": KEEPALIVE_S,
        },
        "trust": {"mode": device.trust.value, "pins": pins},
        "sensors": sensor_configurations(device.sensors, device.board),
        "interval_ms": device.interval_ms,
        "outbox": {"max_readings": OUTBOX_READINGS},
        # A Unix host keeps its own clock; a board has none when it starts.
        "clock": {"ntp": list(NTP_SERVERS), "use_ntp": not is_unix},
        "wifi": None if wifi is None else {"ssid": wifi.ssid, "password": wifi.password},
        "updates": None if updates is None else _update_configuration(updates),
    }


def _update_configuration(updates: UpdateSource) -> dict[str, Any]:
    return {
        "host": updates.host,
        "port": updates.port,
        "server_name": updates.host,
        "block": DOWNLOAD_BLOCK_BYTES,
        "trial_s": TRIAL_S,
        "max_boots": TRIAL_BOOTS,
    }


def bundle_files(
    configuration: Mapping[str, Any],
    credentials: Credentials,
    agent: Mapping[str, bytes],
    updates: UpdateSource | None = None,
    release: Mapping[str, bytes] | None = None,
) -> dict[str, bytes]:
    """Return a bundle's files by relative name.

    Args:
        configuration: As `bundle_configuration` returns it.
        credentials: The device's.
        agent: As `firmware.agent_files` returns it; what is not of the guard goes into a slot.
        updates: Where the device finds updates, if there are any.
        release: What `slot.released_slot` returns, instead of the agent's own software.
    """
    slot = inside_files(agent, has_updates=updates is not None)
    return {
        **outside_files(agent, has_updates=updates is not None),
        **(release or (first_slot(Board(configuration["board"]), slot) if slot else {})),
        **({ROOT_NAME: updates.root} if updates and slot else {}),
        CONFIG_NAME: (json.dumps(configuration, indent=1) + "\n").encode(),
        "ca.der": credentials.ca_der,
        "cert.der": credentials.cert_der,
        "key.der": credentials.key_der,
        "hmac.key": credentials.hmac_key,
        "README.txt": _readme(configuration, has_record=bool(release)).encode(),
    }


def agent_for(device: Device, agent: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the part of the agent that a device needs.

    That is the hardware of its own kind of board alone, and nothing for the
    plain profile, which is for clients that people have already.
    """
    if device.profile is Profile.PLAIN:
        return {}
    return agent_for_board(device.board, agent)


def agent_for_board(board: Board, agent: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the part of the agent that runs on a board: the hardware of its own kind alone."""

    def is_needed(name: str) -> bool:
        module = PurePosixPath(name).stem
        is_for_boards = module.endswith("_board")
        if module in _FOR_ESP32:
            return board is Board.ESP32
        if board is Board.UNIX:
            return not is_for_boards
        return is_for_boards or not module.startswith(("hardware_", "watch_", "fakes"))

    return {name: data for name, data in agent.items() if is_needed(name)}


def pem_files(credentials: Credentials) -> dict[str, bytes]:
    """Return certificates and key as most clients on computers read them."""
    return {
        "ca.pem": certificate_pem(credentials.ca_der),
        "cert.pem": certificate_pem(credentials.cert_der),
        "key.pem": key_pem(credentials.key_der),
    }


def _start(configuration: Mapping[str, Any], *, has_record: bool) -> str:
    """Say how to use a bundle."""
    name, broker = configuration["device_id"], configuration["broker"]
    if configuration["profile"] == Profile.PLAIN.value:
        return (
            "For an MQTT client of your own. Try it:\n\n"
            f"    mosquitto_sub -h {broker['host']} -p {broker['port']} --cafile ca.pem "
            f"--cert cert.pem --key key.pem -i {name} -t 'devices/{name}/commands' -d\n\n"
            f"Publish to devices/{name}/readings with QoS 1: a flat JSON object with boot and\n"
            "seq (or ts), and sig, the hex HMAC-SHA256 with hmac.key over\n"
            "json.dumps(body, sort_keys=True).\n"
        )
    if configuration["board"] == Board.UNIX.value:
        return (
            "Start it here; adc.txt plays the sensor, a line of microvolts a measurement:\n\n"
            "    echo 735000 > adc.txt\n"
            "    micropython -X heapsize=32k main.py\n"
        )
    names = "main.py a config.json ca.der cert.der key.der hmac.key"
    if has_record:
        names += " state"
    if configuration.get("updates"):
        names += f" {GUARD} {ROOT_NAME}"
    return (
        "Put it onto the board (pip install mpremote; the board on USB):\n\n"
        f"    mpremote fs cp -r {names} :\n"
        "    mpremote reset\n\n"
        "If the board had a bundle before, first remove what chose between its slots, or it\n"
        "may go on with an older version: mpremote fs rm -r :state/slot0 :state/slot1 :trust\n"
        "(and :seawall_agent of a bundle from before slots)\n\n"
        "See what it says:\n\n    mpremote\n"
    )


def _readme(configuration: Mapping[str, Any], *, has_record: bool) -> str:
    name, board = configuration["device_id"], configuration["board"]
    return (
        f"Bundle of device {name} ({board})\n\n"
        f"{_start(configuration, has_record=has_record)}\n"
        "config.json (it may hold the Wi-Fi password), the key files and hmac.key are secrets\n"
        "of this device. Remove this folder once the board has them; 'seawall device bundle'\n"
        f"writes it again. If the board is lost: seawall device revoke {name}\n"
    )
