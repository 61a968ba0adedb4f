"""Real bundles, the real MicroPython, and TLS servers that do what a script says.

Everything here is seen from outside: what a device prints, what it sends, and
what is in its folder.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seawall.daemon.lock import wait_taken_in
from seawall.devices.lifecycle import NewDevice
from seawall.model.device import Board, Sensor, Trust
from seawall.operations.add_device import add_device
from seawall.operations.bundle_device import BundleOptions, bundle_device
from seawall.operations.installation import Installation
from seawall.testing.daemon_process import DaemonProcess, make_installation
from seawall.testing.device_process import DeviceProcess, find_runtime
from seawall.wire.envelope import open_sealed, seal

UV_25_C = 750_000
STORED = re.compile(r"stored boot=(\d+) seq=(\d+)")
BOOT = re.compile(r"seawall: boot=(\d+)")
_POLL_S = 0.005

Pair = tuple[int, int]


# The device


class Agent:
    """A device of an installation: its bundle, and the process that runs it."""

    def __init__(self, bundle: Path, name: str, heap: str) -> None:
        self.bundle = bundle
        self.name = name
        self.process = DeviceProcess(bundle, find_runtime(), heap=heap)
        self.key = (bundle / "hmac.key").read_bytes()

    def start(self) -> Agent:
        self.process.start()
        return self

    def kill(self) -> None:
        self.process.kill()

    @property
    def is_alive(self) -> bool:
        return self.process.is_alive

    def lines(self, text: str = "") -> list[str]:
        """Return the whole lines that hold ``text``, over all its starts."""
        try:
            printed = self.process.log_path.read_text(errors="replace")
        except FileNotFoundError:
            return []
        return [line for line in printed[: printed.rfind("\n") + 1].splitlines() if text in line]

    def stored(self) -> dict[int, int]:
        """Return, for each boot, up to which number it counts its readings as stored."""
        newest: dict[int, int] = {}
        for found in STORED.finditer("\n".join(self.lines("stored"))):
            boot, seq = int(found[1]), int(found[2])
            newest[boot] = max(seq, newest.get(boot, 0))
        return newest

    def boots(self) -> list[int]:
        return [int(found[1]) for found in BOOT.finditer("\n".join(self.lines("boot=")))]

    def wait(self, predicate: Callable[[], Any], timeout_s: float = 20, what: str = "") -> Any:
        """Wait until a predicate returns something true; fail with what the device printed."""
        deadline = time.monotonic() + timeout_s
        while not (answer := predicate()):
            if not self.is_alive:
                deadline = min(deadline, time.monotonic() + 0.5)
            assert time.monotonic() < deadline, (
                f"waited in vain for {what} ({timeout_s} s); alive: {self.is_alive}\n"
                + "\n".join(self.lines()[-30:])
            )
            time.sleep(_POLL_S)
        return answer

    def wait_line(self, text: str, count: int = 1, timeout_s: float = 20) -> str:
        """Return the ``count``-th line that holds ``text``, once it is there."""
        lines = self.wait(
            lambda: found if len(found := self.lines(text)) >= count else None,
            timeout_s,
            f"line {count} with {text!r}",
        )
        return str(lines[count - 1])

    def wait_stored(self, seq: int, boot: int = 1, timeout_s: float = 20) -> None:
        self.wait(lambda: self.stored().get(boot, 0) >= seq, timeout_s, f"stored {boot} {seq}")

    def assert_sane(self) -> None:
        """It has not died, and says nothing that is not for people."""
        text = "\n".join(self.lines())
        assert self.is_alive, text[-3000:]
        assert "Traceback" not in text, text[-3000:]

    def assert_enough_memory(self) -> None:
        text = "\n".join(self.lines())
        assert "MemoryError" not in text, text[-3000:]

    def sockets(self) -> int:
        """Return how many sockets the process has open."""
        assert self.process._process is not None
        folder = Path(f"/proc/{self.process._process.pid}/fd")
        return sum(str(entry.readlink()).startswith("socket:") for entry in folder.iterdir())

    def configure(self, **changes: Any) -> None:
        """Change members of config.json: dicts are merged, the rest is replaced."""
        path = self.bundle / "config.json"
        configuration = json.loads(path.read_text())
        for name, value in changes.items():
            if isinstance(value, dict) and isinstance(configuration.get(name), dict):
                configuration[name].update(value)
            else:
                configuration[name] = value
        path.write_text(json.dumps(configuration))


class Site:
    """An installation in a folder, its daemon, its devices."""

    def __init__(self, folder: Path, broker: Any = "builtin") -> None:
        self.folder = folder
        self.state = folder / "state"
        self.installation: Installation = make_installation(self.state, broker=broker)
        self.daemon = DaemonProcess(self.state, folder / "daemon.log")
        self.agents: list[Agent] = []
        (folder / "devices").mkdir()

    def agent(
        self,
        name: str,
        *,
        port: int | None = None,
        trust: Trust = Trust.CA_AND_PIN,
        adc: str = f"{UV_25_C}\n",
        heap: str = "32k",
        host: str | None = None,
        board: Board = Board.UNIX,
        **changes: Any,
    ) -> Agent:
        """Add a device and write its bundle, as a person would.

        Args:
            name: Its id.
            port: Of the server; None: the daemon's.
            trust: How it knows the server.
            adc: What its sensor measures.
            heap: Of MicroPython.
            host: Of the server.
            board: What it pretends to be.
            changes: See `Agent.configure`.
        """
        sensors = (Sensor("tmp36", "0" if board is Board.UNIX else "34"),)
        new = NewDevice(name, board=board, sensors=sensors, trust=trust)
        add_device(self.installation, new)
        folder = self.folder / "devices" / name
        bundle_device(self.installation, name, folder, BundleOptions(port=port, host=host))
        (folder / "adc.txt").write_text(adc)
        agent = Agent(folder, name, heap)
        agent.configure(**{"interval_ms": 100, **changes})
        self.agents.append(agent)
        return agent

    def start_daemon(self) -> None:
        self.daemon.start()
        self.daemon.wait_ready()

    def take_in(self) -> None:
        """Wait until the daemon knows every device."""
        wait_taken_in(self.installation.paths, self.installation.store.registry_revision())

    def close(self) -> None:
        for agent in self.agents:
            agent.kill()
        if self.daemon.pid is not None and self.daemon.returncode is None:
            self.daemon.stop()
        self.installation.store.close()


@contextlib.contextmanager
def site_in(folder: Path, broker: Any = "builtin") -> Iterator[Site]:
    """Make a site; end its daemon and its devices afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    site = Site(folder, broker)
    try:
        yield site
    finally:
        site.close()


# Scripted servers


class EndedError(Exception):
    """The other side has gone, or the server closes."""


@dataclass
class Connection:
    """One connection of a device.

    Attributes:
        number: From 0.
        at: When it came (monotonic seconds).
        received: Every byte that came inside TLS.
        failure: Why the handshake failed, or None.
    """

    number: int
    server: ScriptedServer
    raw: socket.socket
    at: float = field(default_factory=time.monotonic)
    received: bytes = b""
    failure: BaseException | None = None
    is_over: bool = False
    tls: ssl.SSLSocket | None = None
    _buffer: bytes = b""

    def handshake(self) -> None:
        self.raw.settimeout(10)
        self.tls = self.server.context.wrap_socket(self.raw, server_side=True)
        self.tls.settimeout(0.1)

    def send(self, data: bytes) -> None:
        assert self.tls is not None
        self.tls.settimeout(10)
        self.tls.sendall(data)
        self.tls.settimeout(0.1)

    def _more(self) -> None:
        assert self.tls is not None
        while True:
            if self.server.is_closed:
                raise EndedError
            try:
                data = self.tls.recv(65_536)
            except TimeoutError:
                continue
            if not data:
                raise EndedError
            self.received += data
            self._buffer += data
            return

    def packet(self) -> tuple[int, bytes]:
        """Return the next MQTT packet: first byte, and all after the length (MQTT 2.2)."""
        while True:
            length = shift = 0
            for at, byte in enumerate(self._buffer[1:5], 1):
                length |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    end = at + 1 + length
                    if len(self._buffer) >= end:
                        kind, body = self._buffer[0], self._buffer[at + 1 : end]
                        self._buffer = self._buffer[end:]
                        return kind, body
                    break
            self._more()

    def wait_closed(self) -> None:
        """Take what comes until the device closes."""
        while True:
            self._more()


Script = Callable[[Connection], None]


class ScriptedServer:
    """A TLS server on a port of its own: script N serves connection N, the last one all others.

    What the devices send is kept in `published`, in order, with what a server
    that keeps its word has acknowledged in `acknowledged`.
    """

    def __init__(self, context: ssl.SSLContext, *scripts: Script, port: int = 0) -> None:
        self.context = context
        self.scripts = scripts
        self.connections: list[Connection] = []
        self.published: list[tuple[str, bytes, int]] = []
        self.acknowledged: list[tuple[str, bytes]] = []
        self.orders: list[tuple[str, bytes]] = []
        self.is_closed = False
        self._listener = socket.create_server(("127.0.0.1", port), backlog=50)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while not self.is_closed:
            try:
                raw, _ = self._listener.accept()
            except OSError:
                return
            connection = Connection(len(self.connections), self, raw)
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: Connection) -> None:
        script = self.scripts[min(connection.number, len(self.scripts) - 1)]
        try:
            script(connection)
        except (EndedError, OSError) as error:
            if connection.tls is None:
                connection.failure = error
        finally:
            connection.is_over = True
            (connection.tls or connection.raw).close()

    def order(self, topic: str, payload: bytes) -> None:
        """Have a good server publish something to the device that is connected."""
        self.orders.append((topic, payload))

    def command(self, agent: Agent, *, key: bytes | None = None, **members: Any) -> None:
        """Send a sealed command."""
        topic = f"devices/{agent.name}/commands"
        body = json.dumps(members, separators=(",", ":")).encode()
        self.order(topic, seal(body, topic, agent.key if key is None else key))

    def bodies(
        self, agent: Agent, channel: str, *, acknowledged: bool = False
    ) -> list[dict[str, Any]]:
        """Return what came on one of a device's channels; every signature must be right."""
        topic = f"devices/{agent.name}/{channel}"
        found = self.acknowledged if acknowledged else [each[:2] for each in self.published]
        bodies = []
        for name, payload in list(found):
            if name == topic:
                body = open_sealed(payload, topic, agent.key)
                assert body is not None, f"bad signature: {payload!r}"
                bodies.append(json.loads(body))
        return bodies

    def pairs(self, agent: Agent) -> list[Pair]:
        """Return the (boot, seq) of each reading that was acknowledged, in order."""
        readings = self.bodies(agent, "readings", acknowledged=True)
        return [(each["boot"], each["seq"]) for each in readings]

    def close(self) -> None:
        self.is_closed = True
        self._listener.close()


def server_context(installation: Installation, cert: Path | None = None) -> ssl.SSLContext:
    """Return what the installation's own broker would use; ``cert`` stands for its certificate."""
    paths = installation.keystore.server_paths()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if cert is None:
        context.load_cert_chain(*paths)
    else:
        context.load_cert_chain(cert)
    context.load_verify_locations(installation.keystore.ca_chain_path)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def publish_packet(topic: str, payload: bytes, packet_id: int) -> bytes:
    """Return a PUBLISH with QoS 1 (MQTT 3.3)."""
    name = topic.encode()
    rest = struct.pack(">H", len(name)) + name + struct.pack(">H", packet_id) + payload
    return b"\x32" + remaining_length(len(rest)) + rest


def remaining_length(n: int) -> bytes:
    """Return a length as MQTT 2.2.3 writes it."""
    out = b""
    while True:
        n, digit = n >> 7, n & 127
        out += bytes([digit | (128 if n else 0)])
        if not n:
            return out


def take_publish(connection: Connection, kind: int, body: bytes) -> tuple[int, str, bytes]:
    """Note a PUBLISH; return its packet id, topic and payload."""
    size = struct.unpack(">H", body[:2])[0]
    topic, packet_id = (
        body[2 : 2 + size].decode(),
        struct.unpack(">H", body[2 + size : 4 + size])[0],
    )
    payload = body[4 + size :]
    assert kind & 6 == 2, "QoS 1 alone"
    connection.server.published.append((topic, payload, kind))
    return packet_id, topic, payload


def good(
    connection: Connection,
    *,
    write: Callable[[bytes], None] | None = None,
    answers: Callable[[int], bool] = lambda _kind: True,
    after_connack: Callable[[], None] = lambda: None,
) -> None:
    """Serve as a broker does.

    Args:
        connection: Of the device.
        write: Sends bytes; None: at once.
        answers: Whether to answer a packet of this type (first byte's upper half).
        after_connack: Called once when the device is connected.
    """
    if connection.tls is None:
        connection.handshake()
    assert connection.tls is not None
    write = write or connection.send
    server = connection.server
    stop = threading.Event()
    guard = threading.Lock()

    def say(data: bytes) -> None:
        with guard:
            write(data)

    def give_orders() -> None:
        while not stop.is_set() and not server.is_closed:
            if server.orders:
                topic, payload = server.orders.pop(0)
                with contextlib.suppress(OSError):
                    say(publish_packet(topic, payload, 7))
            else:
                time.sleep(_POLL_S)

    try:
        while True:
            kind, body = connection.packet()
            if not answers(kind >> 4):
                if kind >> 4 == 3:
                    take_publish(connection, kind, body)
                continue
            if kind == 0x10:
                say(b"\x20\2\0\0")
                after_connack()
                threading.Thread(target=give_orders, daemon=True).start()
            elif kind == 0x82:
                say(b"\x90\3" + body[:2] + b"\1")
            elif kind >> 4 == 3:
                packet_id, topic, payload = take_publish(connection, kind, body)
                # First noted, then told: the device must never be ahead of us.
                server.acknowledged.append((topic, payload))
                say(b"\x40\2" + struct.pack(">H", packet_id))
            elif kind == 0xC0:
                say(b"\xd0\0")
            elif kind == 0xE0:
                return
    finally:
        stop.set()
