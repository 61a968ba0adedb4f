"""Bundles as the product writes them, the real MicroPython, and a Mosquitto."""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import ssl
import subprocess
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from seawall.devices.bundle import Connection, Credentials, bundle_configuration, bundle_files
from seawall.devices.firmware import agent_directory, agent_files
from seawall.model.device import Board, DeviceStatus, Profile, Sensor, Trust
from seawall.model.device import Device as Registered
from seawall.pki.authority import Authority, IssuedCertificate

HEAP = "32k"
AGENT = agent_directory()
DEVICE_SCRIPTS = Path(__file__).parent / "device"
UV_25_C = 750_000
_POLL_S = 0.01
_RECORD_HEAD = 18  # of a reading in the outbox, before its body


@dataclass
class Output:
    """What a process printed, line by line, with the time of each line."""

    lines: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def matching(self, text: str) -> list[str]:
        return [line for line in list(self.lines) if text in line]


class Device:
    """The agent as a process, from a bundle folder."""

    def __init__(self, program: list[str], bundle: Path, heap: str = HEAP) -> None:
        self.bundle = bundle
        self.output = Output()
        self._program = program
        self._heap = heap
        self.process: subprocess.Popen[str] | None = None
        self.started = 0.0
        self._reader: threading.Thread | None = None

    def start(self, *arguments: str, cwd: Path | None = None) -> Device:
        self.started = time.monotonic()
        options = ["-X", f"heapsize={self._heap}"] if self._heap else []
        self.process = subprocess.Popen(
            [*self._program, *options, *(arguments or ("main.py",))],
            cwd=cwd or self.bundle,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)
        self._reader.start()
        return self

    def _read(self, pipe: Any) -> None:
        for line in pipe:
            self.output.times.append(time.monotonic())
            self.output.lines.append(line.rstrip("\n"))

    def wait_for(self, text: str, count: int = 1, timeout_s: float = 20) -> str:
        """Return the ``count``-th line that holds ``text``, once it is there."""
        deadline = time.monotonic() + timeout_s
        while len(found := self.output.matching(text)) < count:
            ended = self.process is not None and self.process.poll() is not None
            if time.monotonic() > deadline or (
                ended and time.monotonic() > deadline - timeout_s + 1
            ):
                pytest.fail(
                    f"{text!r} not printed {count} times; ended: {ended}\n"
                    + "\n".join(self.output.lines[-30:])
                )
            time.sleep(_POLL_S)
        return found[count - 1]

    def stored(self) -> list[tuple[int, int]]:
        """Return each (boot, seq) up to which it counted its readings as stored."""
        pairs = []
        for line in self.output.matching("seawall: stored "):
            facts = dict(word.split("=") for word in line.split()[2:])
            pairs.append((int(facts["boot"]), int(facts["seq"])))
        return pairs

    def measured(self) -> int:
        """Return how many readings its outbox has ever taken: files are named by the first."""
        while True:
            youngest = max((self.bundle / "state" / "outbox").iterdir(), default=None)
            if youngest is None:
                return 0
            try:
                data = youngest.read_bytes()
            except FileNotFoundError:
                continue  # settled meanwhile
            count = at = 0
            while (at := at + _RECORD_HEAD + int.from_bytes(data[at : at + 2], "little")) <= len(
                data
            ):
                count += 1
            return int(youngest.name, 16) + count

    def ended(self, timeout_s: float = 10) -> int:
        """Return its exit status, once it has ended and all that it printed is here."""
        assert self.process is not None
        assert self._reader is not None
        status = self.process.wait(timeout_s)
        self._reader.join(timeout_s)
        return status

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def freeze(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def stop(self, signal_number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(signal_number)
        return self.process.wait(10)


@dataclass
class Server:
    """Where a bundle says that the broker is."""

    port: int
    pins: tuple[str, ...]
    host: str = "localhost"
    name: str = "localhost"


class Lab:
    """Makes certificates, bundles and device processes; ends what it started."""

    def __init__(self, folder: Path, authority: Authority, micropython: str) -> None:
        self.folder = folder
        self.authority = authority
        self.micropython = micropython
        self._devices: list[Device] = []

    def server_certificate(
        self, *names: str, now: datetime | None = None, authority: Authority | None = None
    ) -> IssuedCertificate:
        return (authority or self.authority).issue_server(
            names or ("localhost",), now or datetime.now(UTC)
        )

    def bundle(
        self,
        server: Server,
        device_id: str = "greenhouse-1",
        *,
        trust: Trust = Trust.CA_AND_PIN,
        ack: str = "puback",
        interval_ms: int = 1000,
        values_uv: tuple[int, ...] = (UV_25_C,),
        source: bool = False,
        authority: Authority | None = None,
        **changes: Any,
    ) -> Path:
        """Write a bundle; ``changes`` replace or (dicts) update members of config.json."""
        authority = authority or self.authority
        issued = authority.issue_device(device_id, datetime.now(UTC))
        registered = registered_device(device_id, issued, trust, interval_ms)
        connection = Connection(server.host, server.port, server.name, ack, server.pins)
        configuration = bundle_configuration(registered, connection, None)
        for name, value in changes.items():
            if isinstance(value, dict) and isinstance(configuration.get(name), dict):
                configuration[name].update(value)
            else:
                configuration[name] = value
        credentials = Credentials(
            authority.root.public_bytes(Encoding.DER),
            issued.cert_der,
            issued.key_der,
            os.urandom(32),
        )
        files = bundle_files(configuration, credentials, agent_files(AGENT, keep_source=source))
        folder = self.folder / device_id
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        (folder / "adc.txt").write_text("".join(f"{value}\n" for value in values_uv))
        assert json.loads((folder / "config.json").read_text())["device_id"] == device_id
        return folder

    def device(self, bundle: Path, heap: str = HEAP) -> Device:
        device = Device([self.micropython], bundle, heap)
        self._devices.append(device)
        return device

    def run(self, script: str, *arguments: str, heap: str = HEAP) -> str:
        """Run a script of tests/agent/device under MicroPython; return what it printed."""
        done = subprocess.run(
            [
                self.micropython,
                *(["-X", f"heapsize={heap}"] if heap else []),
                str(DEVICE_SCRIPTS / script),
                str(AGENT),
                *arguments,
            ],
            capture_output=True,
            text=True,
            timeout=120,
            cwd=self.folder,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def close(self) -> None:
        for device in self._devices:
            if device.process is not None and device.process.poll() is None:
                device.kill()


def registered_device(
    device_id: str, issued: IssuedCertificate, trust: Trust, interval_ms: int
) -> Registered:
    return Registered(
        device_id=device_id,
        board=Board.UNIX,
        status=DeviceStatus.ACTIVE,
        profile=Profile.SEAWALL_1,
        trust=trust,
        key_generation=1,
        certificate_serial=issued.serial,
        certificate_sha256=issued.sha256,
        certificate_not_after_ms=issued.not_after_ms,
        added_ms=0,
        changed_ms=0,
        interval_ms=interval_ms,
        sensors=(Sensor("tmp36", "0"),),
    )


def server_context(
    authority: Authority, certificate: IssuedCertificate, folder: Path
) -> ssl.SSLContext:
    """Return what a scripted server needs: its certificate, and a demand for the client's."""
    key, crt, chain = write_server_files(authority, certificate, folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, key)
    context.load_verify_locations(chain)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def write_server_files(
    authority: Authority, certificate: IssuedCertificate, folder: Path
) -> tuple[Path, Path, Path]:
    key, crt, chain = (folder / name for name in ("server.key", "server.crt", "chain.crt"))
    issuing = authority.certificate.public_bytes(Encoding.PEM)
    key.write_bytes(certificate.key_pem)
    crt.write_bytes(certificate.cert_pem + issuing)
    chain.write_bytes(issuing + authority.root.public_bytes(Encoding.PEM))
    for path in (key, crt, chain):
        path.chmod(0o644)
    return key, crt, chain


class Mosquitto:
    """A broker with mutual TLS, and an observer that keeps what was published."""

    def __init__(self, folder: Path, program: str, port: int, lab: Lab) -> None:
        self.port = port
        self._folder = folder
        self._program = program
        self._lab = lab
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()
        self.certificate = lab.server_certificate("localhost")
        key, crt, chain = write_server_files(lab.authority, self.certificate, folder)
        (folder / "mosquitto.conf").write_text(
            f"per_listener_settings false\nlistener {port} 127.0.0.1\ncafile {chain}\n"
            f"certfile {crt}\nkeyfile {key}\nrequire_certificate true\n"
            "use_identity_as_username true\nuse_username_as_clientid true\n"
            "allow_anonymous false\nset_tcp_nodelay true\nmax_queued_messages 100000\n"
            f"tls_version tlsv1.2\nuser {os.environ.get('USER', 'root')}\n"
        )
        self.messages: queue.SimpleQueue[tuple[str, bytes, bool]] = queue.SimpleQueue()
        self.seen: list[tuple[str, bytes]] = []
        self._observer: paho.Client | None = None
        self._subscribed = threading.Event()

    @property
    def server(self) -> Server:
        return Server(self.port, (self.certificate.sha256, "0" * 64))

    def start(self) -> None:
        log = (self._folder / "log").open("ab")
        self._process = subprocess.Popen(
            [self._program, "-v", "-c", str(self._folder / "mosquitto.conf")],
            stdout=log,
            stderr=log,
        )
        wait_for_port(self.port)

    def kill(self) -> None:
        self._subscribed.clear()
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def observe(self) -> None:
        """Listen to all topics as an observer of its own."""
        issued = self._lab.authority.issue_service("observer", datetime.now(UTC))
        (self._folder / "observer.key").write_bytes(issued.key_pem)
        (self._folder / "observer.crt").write_bytes(issued.cert_pem)
        client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="@observer")
        client.tls_set(
            str(self._folder / "chain.crt"),
            str(self._folder / "observer.crt"),
            str(self._folder / "observer.key"),
        )
        self._subscribed = ready = threading.Event()

        def on_message(_client: Any, _data: Any, message: paho.MQTTMessage) -> None:
            self.seen.append((message.topic, message.payload))
            self.messages.put((message.topic, message.payload, message.retain))

        client.reconnect_delay_set(1, 1)
        client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        client.on_subscribe = lambda *_: ready.set()
        client.on_message = on_message
        client.connect("localhost", self.port)
        client.loop_start()
        self._observer = client
        assert ready.wait(10)

    def wait_for_observer(self, timeout_s: float = 10) -> None:
        """Return once the observer listens again after a restart."""
        assert self._subscribed.wait(timeout_s)

    def publish(self, topic: str, payload: bytes) -> None:
        assert self._observer is not None
        self._observer.publish(topic, payload, qos=1).wait_for_publish(10)

    def payloads(self, topic: str) -> list[bytes]:
        return [payload for name, payload in list(self.seen) if name == topic]

    def stop(self) -> None:
        if self._observer is not None:
            self._observer.loop_stop()
            self._observer.disconnect()
        self.kill()


def wait_for_port(port: int, timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_POLL_S)
        else:
            return
