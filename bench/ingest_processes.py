"""The processes of the ingest benchmark: what is measured, and what loads it.

Each runs as ``python -m bench.ingest_processes ROLE FACTS`` on a core of its own
and answers in lines of JSON on standard output.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import ssl
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import ingest_load as load

from seawall.broker.drivers.builtin import BuiltinBroker
from seawall.broker.drivers.builtin.transport import WANT_READ, WANT_WRITE
from seawall.broker.policy import AccessPolicy, policy_of
from seawall.daemon.memory import calm_collector
from seawall.ingest.link import BrokerAddress
from seawall.ingest.service import Ingest
from seawall.ingest.subscriber import Subscriber
from seawall.model.device import Board, Device, DeviceStatus, Profile, Trust
from seawall.model.installation import IngestSettings, MqttSettings
from seawall.pki.contexts import mqtt_server_context, service_client_context
from seawall.pki.keystore import Keystore
from seawall.pki.peers import Peer
from seawall.store.sqlite import open_sqlite_store

POLL_S = 0.002
PLAIN_SERIAL = "1"


def say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def devices(count: int, serials: dict[str, str]) -> list[Device]:
    return [
        Device(
            device_id=name,
            board=Board.UNIX,
            status=DeviceStatus.ACTIVE,
            profile=Profile.SEAWALL_1,
            trust=Trust.CA_AND_PIN,
            key_generation=1,
            certificate_serial=serials.get(name, PLAIN_SERIAL),
            certificate_sha256="",
            certificate_not_after_ms=0,
            added_ms=0,
            changed_ms=0,
        )
        for name in load.device_ids(count)
    ]


class Meter:
    """Counts time and CPU from the first reading to the last one stored."""

    def __init__(self, ingest: Ingest, total: int) -> None:
        self._ingest = ingest
        self._total = total
        self._wall = self._cpu = 0.0
        self._submit = ingest.submit
        ingest.submit = self._first  # type: ignore[method-assign]

    def _first(self, messages: Any, settled: Any) -> None:
        if messages[-1].topic.endswith("/readings"):
            self._wall, self._cpu = time.monotonic(), time.process_time()
            self._ingest.submit = self._submit  # type: ignore[method-assign]
        self._submit(messages, settled)

    async def last(self) -> dict[str, Any]:
        counters = self._ingest.counters
        while True:
            await asyncio.sleep(POLL_S)
            if counters.refused or counters.duplicates:
                raise RuntimeError(f"not clean: {counters}")
            if counters.stored >= self._total:
                break
        return {
            "wall_s": time.monotonic() - self._wall,
            "cpu_s": time.process_time() - self._cpu,
            "batches": counters.batches,
            "stored": counters.stored,
        }


class PlainTransport:
    """Plain TCP, for this benchmark alone: the name in CONNECT stands for a certificate."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def handshake(self) -> Peer | int | None:
        try:
            data = self._sock.recv(200, socket.MSG_PEEK)
        except BlockingIOError:
            return WANT_READ
        length = int.from_bytes(data[12:14], "big")
        return Peer(data[14 : 14 + length].decode(), PLAIN_SERIAL, 4e9)

    def read_into(self, buffer: memoryview) -> int:
        try:
            return self._sock.recv_into(buffer)
        except BlockingIOError:
            return WANT_READ

    def write(self, data: bytes) -> int:
        try:
            return self._sock.send(data)
        except BlockingIOError:
            return WANT_WRITE

    def finish(self) -> None:
        self._sock.shutdown(socket.SHUT_WR)

    def drain(self) -> bool:
        return True

    def close(self) -> None:
        self._sock.close()


class PlainBroker(BuiltinBroker):
    """The builtin endpoint without TLS."""

    def _wrap(self, sock: socket.socket) -> Any:
        return PlainTransport(sock)


async def builtin(facts: dict[str, Any], database: Path) -> None:
    """The builtin endpoint, ingest and store in one process, as `seawall up` runs them."""
    keystore = Keystore.open(Path(facts["pki"]))
    ingest = await started_ingest(facts, keystore, database)
    meter = Meter(ingest, facts["total"])
    make = BuiltinBroker if facts["tls"] else PlainBroker
    broker = make(
        MqttSettings(host="127.0.0.1", port=0),
        lambda crl: mqtt_server_context(keystore, crl),
        ingest,
    )
    known = devices(facts["devices"], facts["serials"] if facts["tls"] else {})
    policy: AccessPolicy = policy_of(known, keystore.crl_pem())
    endpoint = await broker.start(policy)
    calm_collector()
    say(port=endpoint.port)
    result = await meter.last()
    await asyncio.sleep(0.2)  # the last PUBACKs
    say(**result)
    await broker.stop()
    await ingest.stop()


async def started_ingest(
    facts: dict[str, Any], keystore: Keystore, database: Path, **options: Any
) -> Ingest:
    ingest = Ingest(open_sqlite_store(database, create=True), IngestSettings(), **options)
    ingest.update_devices(devices(facts["devices"], {}), keystore.master_key())
    await ingest.start()
    return ingest


async def behind(facts: dict[str, Any], database: Path) -> None:
    """Ingest behind Mosquitto, as `seawall up` runs it: stored notices go out as well."""
    keystore = Keystore.open(Path(facts["pki"]))
    subscribers: list[Subscriber] = []

    async def publish(topic: str, payload: bytes) -> None:
        await subscribers[0].publish(topic, payload)

    ingest = await started_ingest(
        facts,
        keystore,
        database,
        publish=publish,
        accepted=lambda readings: subscribers[0].resending.accepted(readings),  # noqa: PLW0108  not there yet
    )
    meter = Meter(ingest, facts["total"])
    context = (lambda: service_client_context(keystore)) if facts["tls"] else None
    address = BrokerAddress("127.0.0.1", facts["port"], context, "localhost")
    subscribers.append(Subscriber(address, ingest))
    task = asyncio.create_task(subscribers[0].run())
    await subscribers[0].wait_connected()
    calm_collector()
    say(ready=True)
    result = await meter.last()
    say(**result)
    task.cancel()
    await ingest.stop()


def paho(facts: dict[str, Any]) -> None:
    """A bare paho-mqtt callback that counts."""
    import paho.mqtt.client as mqtt

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, facts["client_id"], clean_session=False)
    if facts["tls"]:
        client.tls_set_context(service_client_context(Keystore.open(Path(facts["pki"]))))
    left = facts["total"]

    def on_subscribe(*_: Any) -> None:
        say(ready=True)

    def on_message(client: Any, userdata: Any, message: Any) -> None:
        nonlocal left
        left -= 1
        if not left:
            client.disconnect()

    client.on_subscribe = on_subscribe
    client.on_message = on_message
    client.connect("localhost", facts["port"])
    client.subscribe("devices/+/readings", qos=1)
    while left == facts["total"]:
        client.loop(timeout=0.1)
    wall, cpu = time.monotonic(), time.process_time()
    client.loop_forever()
    say(wall_s=time.monotonic() - wall, cpu_s=time.process_time() - cpu)


def fleet(facts: dict[str, Any]) -> None:
    """The load on the builtin endpoint: a connection for each device, PUBACKs awaited."""
    keystore = Keystore.open(Path(facts["pki"]))
    folder = Path(facts["certificates"])
    names = load.device_ids(facts["devices"])
    keys = {name: bytes.fromhex(key) for name, key in facts["keys"].items()}
    each = facts["total"] // len(names)
    streams = [load.device_stream(name, keys[name], each) for name in names]
    connections = []
    for name, stream in zip(names, streams, strict=True):
        sock = socket.create_connection(("127.0.0.1", facts["port"]))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if facts["tls"]:
            context = ssl.create_default_context(cafile=str(keystore.root_path))
            context.load_cert_chain(folder / f"{name}.crt", folder / f"{name}.key")
            sock = context.wrap_socket(sock, server_hostname="localhost")
        sock.sendall(load.connect(name))
        if load.receive(sock, 4)[3] != 0:
            raise ConnectionError(f"{name} was refused")
        connections.append(load.Connection(sock, stream, facts["window"]))
    cpu = time.process_time()
    wall_s = load.run_load(connections)
    say(wall_s=wall_s, load_cpu_s=time.process_time() - cpu)
    time.sleep(0.1)


def main() -> None:
    role, facts = sys.argv[1], json.loads(sys.stdin.readline())
    os.sched_setaffinity(0, {facts["core"]})
    if role == "paho":
        paho(facts)
    elif role == "fleet":
        fleet(facts)
    else:
        folder = tempfile.mkdtemp(prefix="seawall-bench-", dir=facts["folder"])
        try:
            work = {"builtin": builtin, "behind": behind}[role]
            asyncio.run(work(facts, Path(folder) / "seawall.db"))
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
