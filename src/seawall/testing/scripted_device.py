"""A device that plays its part in a roll-out by a script, over a real connection.

It signs with its key, shows its certificate, keeps what it has to say until the
broker has acknowledged it, and goes on after the server was away: what the agent
does, without flash, downloads and MicroPython.
"""

from __future__ import annotations

import base64
import json
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from seawall.model.topics import Channel, topic_of
from seawall.operations.installation import Installation
from seawall.pki.contexts import client_context
from seawall.pki.secrets import derive_device_key
from seawall.wire.commands import Command, parse_command
from seawall.wire.envelope import open_sealed, seal
from seawall.wire.mqtt import packets as p
from seawall.wire.mqtt.decoder import Decoder
from seawall.wire.mqtt.encoder import encode

TICK_S: Final = 0.05
FIRST_VERSION: Final = "0"

Step = dict[str, Any] | str
"""An event to send; ``reboot``, ``reading``, ``keep`` (the new version from now on) or ``gate``."""
Script = Callable[[Command, int], list[Step]]
"""What follows from an order, the how-manieth it is given with."""


def confirms(order: Command, attempt: int, *, gate: bool = False) -> list[Step]:
    """Play a version that works; with ``gate``, it tries it until it is let go on."""
    return [
        *_fetches(order),
        *(["gate"] if gate else []),
        "reboot",
        {"event": "running", "version": order.version, "slot": "b", "trial": True},
        "reading",
        "keep",
        _update(order, "confirmed"),
        {"event": "running", "version": order.version, "slot": "b", "trial": False},
    ]


def rolls_back(order: Command, attempt: int) -> list[Step]:
    """Play a version that cannot connect."""
    back = _update(order, "rolled-back", reason="no-connection", again=False)
    return [*_fetches(order), "reboot", "reboot", "running", back]


def refuses(order: Command, attempt: int) -> list[Step]:
    """Play a version whose signature is wrong."""
    return [_update(order, "refused", reason="bad-signature", again=False)]


def is_busy_first(order: Command, attempt: int) -> list[Step]:
    """Play a device that has no room the first time."""
    if attempt == 1:
        return [_update(order, "failed", reason="flash-full", again=True)]
    return confirms(order, attempt)


def says_nothing(order: Command, attempt: int) -> list[Step]:
    """Play a device that takes the order and is never heard of it again."""
    return []


def _update(order: Command, state: str, **more: Any) -> dict[str, Any]:
    return {"event": "update", "re": order.n, "version": order.version, "state": state, **more}


def _fetches(order: Command) -> list[Step]:
    loading = [_update(order, "downloading", percent=percent) for percent in (0, 50, 100)]
    return [*loading, _update(order, "verified"), _update(order, "trying")]


@dataclass
class ScriptedDevice:
    """One device; `start` it once it is registered.

    Args:
        installation: Where it is registered.
        folder: Gets its certificate as files.
        device_id: Which.
        port: Of the broker, on this machine.
        script: What it does when it is ordered to update.

    Attributes:
        orders: Orders to update that it obeyed.
        replays: How many commands came with a number that it had obeyed.
        aborts: How many orders it dropped.
        gate: Set it to let go on who waits for that.
        version: What it runs.
        boot: How often it has started.
    """

    installation: Installation
    folder: Path
    device_id: str
    port: int
    script: Script = confirms
    orders: list[Command] = field(default_factory=list)
    replays: int = 0
    aborts: int = 0
    gate: threading.Event = field(default_factory=threading.Event)
    version: str = FIRST_VERSION
    boot: int = 1
    seq: int = 0
    faults: list[Exception] = field(default_factory=list)

    def __post_init__(self) -> None:
        device = self.installation.store.device(self.device_id)
        assert device is not None  # noqa: S101  it is registered
        keystore = self.installation.keystore
        self._key = derive_device_key(keystore.master_key(), self.device_id, device.key_generation)
        self._context = client_context(keystore.root_path)
        pair = self.folder / f"{self.device_id}.pem"
        pair.touch(mode=0o600)
        pair.write_text(
            _pem("PRIVATE KEY", keystore.device_key_der(self.device_id))
            + _pem("CERTIFICATE", keystore.device_cert_der(self.device_id))
        )
        self._context.load_cert_chain(pair)
        self._last_n = 0
        self._packet_id = 0
        self._outbox: deque[tuple[int, str, bytes]] = deque()
        self._steps: deque[Step] = deque(["running"])
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._live, name=self.device_id, daemon=True)

    def start(self) -> None:
        """Connect, and go on connecting."""
        self._thread.start()

    def stop(self) -> None:
        """Vanish, and wait until it has; raise what went wrong in it, if anything did."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self.faults:
            raise self.faults[0]

    # -- one connection after the other

    def _live(self) -> None:
        while not self._stop.is_set():
            try:
                self._connection()
            except OSError:
                self._stop.wait(TICK_S)
            except Exception as fault:  # told by stop()
                self.faults.append(fault)
                return

    def _connection(self) -> None:
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        with self._context.wrap_socket(raw, server_hostname="localhost") as sock:
            decoder = Decoder(1 << 16)
            will = p.Will(self._topic(Channel.STATUS), b'{"online":false}', 1, retain=True)
            sock.sendall(encode(p.Connect(self.device_id, will=will)))
            commands = p.Subscription(self._topic(Channel.COMMANDS), 1)
            sock.sendall(encode(p.Subscribe(1, (commands,))))
            status = p.Publish(self._topic(Channel.STATUS), b'{"online":true}', 0, retain=True)
            sock.sendall(encode(status))
            for number, topic, payload in list(self._outbox):
                sock.sendall(encode(p.Publish(topic, payload, 1, dup=True, packet_id=number)))
            sock.settimeout(TICK_S)
            boot = self.boot
            while not self._stop.is_set() and self.boot == boot:
                self._go_on(sock)
                self._hear(sock, decoder)

    def _hear(self, sock: ssl.SSLSocket, decoder: Decoder) -> None:
        try:
            data = sock.recv(65_536)
        except TimeoutError:
            return
        if not data:
            raise ConnectionResetError
        for packet in decoder.feed(data):
            if isinstance(packet, p.PubAck):
                self._outbox = deque(each for each in self._outbox if each[0] != packet.packet_id)
            elif isinstance(packet, p.Publish):
                self._obey(sock, packet.payload)
                if packet.qos:
                    sock.sendall(encode(p.PubAck(packet.packet_id)))

    # -- what it does

    def _obey(self, sock: ssl.SSLSocket, payload: bytes) -> None:
        body = open_sealed(payload, self._topic(Channel.COMMANDS), self._key)
        assert body is not None  # noqa: S101  the server signs for this device
        order = parse_command(body)
        if order.n is None:
            return
        if order.n <= self._last_n:
            self.replays += 1
            return
        self._last_n = order.n
        self._send(sock, Channel.REPLIES, {"re": order.n, "ok": True})
        if order.name == "update":
            self.orders.append(order)
            self._steps = deque(self.script(order, len(self.orders)))
        elif order.name == "update-abort":
            self.aborts += 1
            self._steps.clear()

    def _go_on(self, sock: ssl.SSLSocket) -> None:
        """Take the next step once everything before is acknowledged."""
        if self._outbox or not self._steps:
            return
        step = self._steps[0]
        if step == "gate" and not self.gate.is_set():
            return
        self._steps.popleft()
        if step == "running":
            step = {"event": "running", "version": self.version, "slot": "a", "trial": False}
        if isinstance(step, dict):
            self._send(sock, Channel.EVENTS, {**step, "boot": self.boot})
        elif step == "reboot":
            self.boot += 1
        elif step == "keep":
            self.version = str(self.orders[-1].version)
        elif step == "reading":
            self.seq += 1
            reading = {"temp": 21.5, "boot": self.boot, "seq": self.seq}
            self._send(sock, Channel.READINGS, reading)

    def _send(self, sock: ssl.SSLSocket, channel: Channel, members: dict[str, Any]) -> None:
        topic = self._topic(channel)
        payload = seal(json.dumps(members).encode(), topic, self._key)
        self._packet_id = self._packet_id % 65_535 + 1
        self._outbox.append((self._packet_id, topic, payload))
        sock.sendall(encode(p.Publish(topic, payload, 1, packet_id=self._packet_id)))

    def _topic(self, channel: Channel) -> str:
        return topic_of(self.device_id, channel)


def _pem(kind: str, der: bytes) -> str:
    # RFC 5915 keys begin with version 1, those of RFC 5208 with version 0.
    if kind == "PRIVATE KEY" and b"\x02\x01\x01" in der[:8]:
        kind = "EC PRIVATE KEY"
    return f"-----BEGIN {kind}-----\n{base64.encodebytes(der).decode()}-----END {kind}-----\n"
