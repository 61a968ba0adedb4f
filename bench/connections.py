"""What a connection costs the builtin broker: python -m bench.connections [--json]

The server runs in a process of its own; N devices, each with its own
certificate, connect by mutual TLS, publish a few readings with QoS 1, and stay.
Resident memory is the kernel's figure for the server process before and after.
Then sockets are opened that never finish CONNECT, and one more device connects.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from seawall.broker.drivers.builtin import BuiltinBroker
from seawall.broker.policy import AccessPolicy
from seawall.broker.port import Settled
from seawall.model.installation import MqttSettings
from seawall.model.message import Inbound
from seawall.model.reading import Refusal
from seawall.pki.contexts import client_context, mqtt_server_context
from seawall.pki.keystore import Keystore
from seawall.wire.mqtt.encoder import encode
from seawall.wire.mqtt.packets import Connect, PubAck, Publish

LIMIT_BYTES = 60_000
PUBLICATIONS = 5
IDLE_SOCKETS = 300
PAYLOAD = b'{"temp":23.5,"raw":723,"boot":1,"seq":7,"ts":1763759216000,"sig":"' + b"0" * 64 + b'"}'


class InstantSink:
    """Settles everything at once."""

    congested = False

    def submit(self, messages: Sequence[Inbound], settled: Settled) -> None:
        settled([message.token for message in messages if message.token is not None])

    def refuse(self, refusal: Refusal) -> None:
        pass


def raise_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def serve(folder: Path) -> None:
    """Run the server; prints its port, ends at SIGTERM."""
    keystore = Keystore.open(folder / "pki")
    policy = AccessPolicy(
        json.loads((folder / "active.json").read_text()), crl_pem=keystore.crl_pem()
    )
    broker = BuiltinBroker(
        MqttSettings(host="127.0.0.1", port=0, max_connections_per_address=100_000),
        lambda crl: mqtt_server_context(keystore, crl),
        InstantSink(),
    )
    endpoint = await broker.start(policy)
    print(endpoint.port, flush=True)
    asyncio.get_running_loop().add_signal_handler(
        signal.SIGTERM, lambda: asyncio.ensure_future(broker.stop())
    )
    await broker.run()


class Device:
    """One connected client on a blocking socket."""

    def __init__(self, name: str, context: ssl.SSLContext, port: int) -> None:
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.topic = f"devices/{name}/readings"
        self.sock = context.wrap_socket(sock, server_hostname="localhost")
        self.sock.sendall(encode(Connect(name, keep_alive_s=3600)))
        assert self.sock.recv(4) == b"\x20\x02\x00\x00"

    def publish(self, packet_id: int) -> None:
        self.sock.sendall(encode(Publish(self.topic, PAYLOAD, 1, packet_id=packet_id)))
        assert self.sock.recv(4) == encode(PubAck(packet_id))


def mint(folder: Path, count: int) -> tuple[Keystore, dict[str, ssl.SSLContext]]:
    """Make an authority and ``count`` devices."""
    now = datetime.now(UTC)
    Keystore.create(folder / "pki", ["localhost"], now, None)
    keystore = Keystore.open(folder / "pki")
    authority = keystore.authority()
    contexts, active = {}, {}
    for number in range(count):
        name = f"device-{number}"
        issued = authority.issue_device(name, now)
        active[name] = issued.serial
        pem = folder / "one.pem"
        pem.write_bytes(issued.key_pem + issued.cert_pem)
        contexts[name] = client_context(keystore.root_path)
        contexts[name].load_cert_chain(pem)
    (folder / "active.json").write_text(json.dumps(active))
    return keystore, contexts


def settled_rss(process: psutil.Process) -> int:
    """Resident bytes, once they have stopped moving."""
    before = -1
    while (now := process.memory_info().rss) != before:
        before = now
        time.sleep(0.3)
    return now


def measure(count: int) -> dict[str, Any]:
    raise_limit()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _, contexts = mint(folder, count + 3)
        command = [sys.executable, "-m", "bench.connections", "--serve", name]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                port = int(server.stdout.readline())
                return measure_server(psutil.Process(server.pid), port, contexts)
            finally:
                server.terminate()


def measure_server(
    process: psutil.Process, port: int, contexts: dict[str, ssl.SSLContext]
) -> dict[str, Any]:
    names = list(contexts)
    # The first one pays for what is loaded once.
    devices = [Device(names[0], contexts[names[0]], port)]
    devices[0].publish(1)
    before, cpu = settled_rss(process), sum(process.cpu_times()[:2])
    start = time.perf_counter()
    devices += [Device(name, contexts[name], port) for name in names[1:-2]]
    connected_s = time.perf_counter() - start
    cpu = sum(process.cpu_times()[:2]) - cpu
    for device in devices:
        for packet_id in range(1, PUBLICATIONS + 1):
            device.publish(packet_id)
    rss = settled_rss(process) - before
    count = len(devices) - 1
    late_ms = connect_beside_idle(port, names[-2:], contexts)
    return {
        "connections": count,
        "bytes_per_connection": round(rss / count),
        "limit_bytes": LIMIT_BYTES,
        "server_rss_bytes": before + rss,
        "handshakes_per_s": round(count / connected_s),
        "cpu_ms_per_handshake": round(cpu / count * 1000, 2),
        "idle_sockets": IDLE_SOCKETS,
        "connect_beside_idle_ms": late_ms,
        "ok": rss / count < LIMIT_BYTES,
    }


def connect_beside_idle(port: int, names: list[str], contexts: dict[str, ssl.SSLContext]) -> float:
    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(IDLE_SOCKETS)]
    times = []
    for name in names:
        start = time.perf_counter()
        Device(name, contexts[name], port).publish(1)
        times.append((time.perf_counter() - start) * 1000)
    for sock in idle:
        sock.close()
    return round(min(times), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        raise_limit()
        asyncio.run(serve(options.serve))
        return
    facts = measure(options.connections)
    if options.json:
        print(json.dumps(facts, indent=2))
    else:
        for key, value in facts.items():
            print(f"{key.replace('_', ' '):28} {value}")
    raise SystemExit(0 if facts["ok"] else 1)


if __name__ == "__main__":
    main()
