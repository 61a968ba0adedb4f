"""The Mosquitto driver's process: its start, its deaths, its files."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from seawall.broker.drivers.mosquitto import MosquittoBroker, process
from seawall.broker.drivers.mosquitto.configuration import KEY
from seawall.broker.drivers.mosquitto.program import Account
from seawall.broker.drivers.mosquitto.workspace import Workspace
from seawall.errors import KeyAccessError, ServiceError
from seawall.ingest.link import BrokerAddress
from seawall.ingest.subscriber import Subscriber
from seawall.model.installation import MqttSettings
from seawall.model.reading import Reason
from seawall.pki.contexts import client_context, service_client_context
from seawall.testing.broker_rig import Identity, Keys, RecordingSink
from seawall.wire.mqtt.encoder import encode
from seawall.wire.mqtt.packets import Connect, Publish

pytestmark = [pytest.mark.system, pytest.mark.anyio]

Eventually = Callable[..., Awaitable[Any]]


class Stage:
    """A broker on a state directory with every nasty character, and its subscriber."""

    def __init__(self, directory: Path, **changes: Any) -> None:
        self.directory = directory / "a state # with 'odd' \"names\"\n%u é"
        self.directory.mkdir()
        self.keys = Keys(self.directory)
        self.a = self.keys.device("a")
        self.b = self.keys.device("b")
        self.sink = RecordingSink()
        self.broker = self.new_broker(**changes)
        self.tasks: list[asyncio.Task[Any]] = []
        self.port = 0
        self.subscriber: Subscriber

    def new_broker(self, program: str | None = None, **changes: Any) -> MosquittoBroker:
        certificate, key = self.keys.keystore.server_paths()
        return MosquittoBroker(
            replace(MqttSettings(host="127.0.0.1", port=0), **changes),
            self.directory / "broker",
            certificate=certificate,
            key=key,
            ca_chain=self.keys.keystore.ca_chain_path,
            sink=self.sink,
            program=program,
        )

    @property
    def workspace(self) -> Path:
        return self.directory / "broker" / "mosquitto"

    async def start(self, *, ingest: bool = True) -> None:
        self.port = (await self.broker.start(self.keys.policy())).port
        self.tasks.append(asyncio.create_task(self.broker.run()))
        if ingest:
            address = BrokerAddress(
                "localhost", self.port, lambda: service_client_context(self.keys.keystore)
            )
            self.subscriber = Subscriber(address, self.sink)
            self.tasks.append(asyncio.create_task(self.subscriber.run()))
            await asyncio.wait_for(self.subscriber.wait_connected(), 10)

    async def apply(self) -> None:
        await self.broker.apply(self.keys.policy())

    async def stop(self) -> None:
        for task in self.tasks[1:]:
            task.cancel()
        await self.broker.stop()
        for task in self.tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def send(self, identity: Identity, payload: bytes, *options: str) -> int:
        """Publish one reading with mosquitto_pub; return its exit code."""
        tool = await asyncio.create_subprocess_exec(
            *("mosquitto_pub", "-h", "localhost", "-p", str(self.port), "-q", "1", "-s"),
            *("--cafile", str(self.keys.keystore.root_path)),
            *("--cert", str(identity.certificate), "--key", str(identity.key)),
            *("-t", f"devices/{identity.device_id}/readings", *options),
            stdin=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await tool.communicate(payload)
        return await tool.wait()


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    stage = Stage(tmp_path)
    try:
        yield stage
    finally:
        await stage.stop()


async def arrives(stage: Stage, payload: bytes, eventually: Eventually) -> None:
    assert await stage.send(stage.a, payload) == 0
    await eventually(lambda: payload in stage.sink.payloads("devices/a/readings"))


async def test_works_wherever_the_state_directory_stands(
    stage: Stage, eventually: Eventually
) -> None:
    await stage.start()
    await arrives(stage, b"one", eventually)
    assert str(stage.workspace) in " ".join(psutil.Process(stage.broker.pid).cmdline())


async def test_its_files_are_for_the_broker_alone(stage: Stage) -> None:
    await stage.start(ingest=False)
    running_as = psutil.Process(stage.broker.pid).uids().real
    assert running_as != 0
    for path in (stage.workspace, *stage.workspace.iterdir()):
        status = path.stat()
        assert status.st_uid == running_as, path
        if not path.is_socket():
            assert status.st_mode & 0o077 == 0, path
    assert (stage.workspace / KEY).exists()
    await stage.broker.stop()
    assert not (stage.workspace / KEY).exists()
    await stage.broker.stop()


async def test_a_killed_broker_is_started_again_and_everybody_comes_back(
    stage: Stage, eventually: Eventually
) -> None:
    await stage.start()
    for round_ in range(3):
        killed = stage.broker.pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        await eventually(lambda killed=killed: stage.broker.pid not in (None, killed))
        await eventually(lambda: stage.subscriber.connected)
        await arrives(stage, b"after kill %d" % round_, eventually)


async def test_sessions_and_orders_outlive_an_orderly_stop(
    stage: Stage, eventually: Eventually
) -> None:
    await stage.start()
    line = ["mosquitto_sub", "-h", "localhost", "-q", "1", "-c", "-i", "a", "-W", "10"]
    line += ["--cafile", str(stage.keys.keystore.root_path), "-t", "devices/a/commands"]
    line += ["--cert", str(stage.a.certificate), "--key", str(stage.a.key)]

    async def listen(*options: str) -> bytes:
        tool = await asyncio.create_subprocess_exec(
            *line, *options, "-p", str(stage.port), stdout=asyncio.subprocess.PIPE
        )
        return (await tool.communicate())[0]

    await listen("-E")
    await stage.subscriber.publish("devices/a/commands", b"kept")
    await stage.stop()
    stage.broker = stage.new_broker()
    stage.tasks = []
    await stage.start()
    assert await listen("-C", "1") == b"kept\n"


async def test_a_policy_that_is_applied_while_the_broker_is_down_holds_when_it_is_back(
    stage: Stage, eventually: Eventually
) -> None:
    await stage.start()
    killed = stage.broker.pid
    assert killed is not None
    stage.keys.revoke(stage.a)
    os.kill(killed, signal.SIGKILL)
    await stage.apply()
    await eventually(lambda: stage.broker.pid not in (None, killed))
    await eventually(lambda: stage.subscriber.connected)
    assert await stage.send(stage.a, b"forbidden") != 0
    assert await stage.send(stage.b, b"fine") == 0
    await eventually(lambda: stage.sink.payloads("devices/b/readings") == [b"fine"])
    assert stage.sink.payloads("devices/a/readings") == []


async def test_a_hanging_broker_is_restarted_to_enforce_a_policy(
    stage: Stage, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_SIGNAL_S", 0.1)
    await stage.start()
    hanging = stage.broker.pid
    assert hanging is not None
    os.kill(hanging, signal.SIGSTOP)
    stage.keys.refused["b"] = Reason.DISABLED_DEVICE
    await stage.apply()
    assert stage.broker.pid != hanging
    await eventually(lambda: stage.subscriber.connected)
    await stage.send(stage.b, b"forbidden")
    await arrives(stage, b"fine", eventually)
    assert stage.sink.payloads("devices/b/readings") == []


async def test_a_revoked_certificate_cannot_come_back_by_resuming_tls(stage: Stage) -> None:
    await stage.start(ingest=False)
    context = client_context(stage.keys.keystore.root_path)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # where a resumed client is sure at once
    context.load_cert_chain(stage.a.certificate, stage.a.key)

    def connect(session: ssl.SSLSession | None) -> tuple[ssl.SSLSession | None, bool]:
        with (
            socket.create_connection(("localhost", stage.port), timeout=5) as sock,
            context.wrap_socket(sock, server_hostname="localhost", session=session) as secured,
        ):
            secured.sendall(encode(Connect("a")))
            assert secured.recv(4) == b"\x20\x02\x00\x00"
            return secured.session, bool(secured.session_reused)

    session, _ = await asyncio.to_thread(connect, None)
    stage.keys.revoke(stage.a)
    await stage.apply()
    with pytest.raises(ssl.SSLError):
        await asyncio.to_thread(connect, session)


async def test_a_device_that_slips_in_between_is_cut_off_as_well(
    stage: Stage, eventually: Eventually
) -> None:
    """Its TLS was accepted before it was disabled, its CONNECT comes after."""
    await stage.start()
    context = client_context(stage.keys.keystore.root_path)
    context.load_cert_chain(stage.a.certificate, stage.a.key)
    reader, writer = await asyncio.open_connection("localhost", stage.port, ssl=context)
    stage.keys.refused["a"] = Reason.DISABLED_DEVICE
    await stage.apply()
    writer.write(encode(Connect("a")))
    writer.write(encode(Publish("devices/a/readings", b"slipped", 1, packet_id=1)))
    async with asyncio.timeout(5):
        while await reader.read(1000):
            pass
    writer.close()
    await eventually(lambda: Reason.DISABLED_DEVICE in stage.sink.reasons("a"))
    assert await stage.send(stage.b, b"fine") == 0
    await eventually(lambda: stage.sink.payloads("devices/b/readings"))
    assert stage.sink.payloads("devices/a/readings") == []


async def test_what_could_not_be_enforced_once_is_enforced_the_next_time(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk was full: the session of the device that is disabled ends all the same, later."""
    await stage.start()
    context = client_context(stage.keys.keystore.root_path)
    context.load_cert_chain(stage.a.certificate, stage.a.key)
    reader, writer = await asyncio.open_connection("localhost", stage.port, ssl=context)
    writer.write(encode(Connect("a")))
    assert await asyncio.wait_for(reader.read(1000), 5)
    stage.keys.refused["a"] = Reason.DISABLED_DEVICE
    with monkeypatch.context() as patched:
        patched.setattr(Workspace, "write", _disk_full)
        with pytest.raises(OSError, match="full"):
            await stage.apply()
    await stage.apply()
    async with asyncio.timeout(5):
        while await reader.read(1000):
            pass
    writer.close()


def _disk_full(*_: object) -> None:
    raise OSError("the disk is full")


async def test_enforcing_interrupts_nobody_else(stage: Stage, eventually: Eventually) -> None:
    """One device is disabled and enabled again and again while another one sends."""
    await stage.start()
    line = ["mosquitto_pub", "-h", "localhost", "-p", str(stage.port), "-q", "1", "-l"]
    line += ["--cafile", str(stage.keys.keystore.root_path), "-t", "devices/b/readings"]
    line += ["--cert", str(stage.b.certificate), "--key", str(stage.b.key)]
    sender = await asyncio.create_subprocess_exec(*line, stdin=asyncio.subprocess.PIPE)
    assert sender.stdin is not None
    sent = []
    for number in range(30):
        stage.keys.refused = {"a": Reason.DISABLED_DEVICE} if number % 2 else {}
        applying = asyncio.create_task(stage.apply())
        for part in range(10):
            sent.append(b"%d-%d" % (number, part))
            sender.stdin.write(sent[-1] + b"\n")
        await applying
    sender.stdin.close()
    assert await sender.wait() == 0
    await eventually(lambda: len(stage.sink.payloads("devices/b/readings")) >= len(sent))
    assert stage.sink.payloads("devices/b/readings") == sent


# -- what can be in the way


async def test_a_taken_port_is_told_with_who_took_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        stage = Stage(tmp_path, port=port)
        with pytest.raises(ServiceError) as caught:
            await stage.start()
        assert caught.value.reference == "port-taken"
        assert str(port) in caught.value.message
        assert str(os.getpid()) in caught.value.message
        assert "seawall.toml" in caught.value.hint
        await stage.stop()


async def test_a_missing_program_is_told_with_the_line_that_installs_it(tmp_path: Path) -> None:
    stage = Stage(tmp_path, program="no-such-mosquitto")
    with pytest.raises(ServiceError) as caught:
        await stage.start()
    assert caught.value.reference == "mosquitto-missing"
    assert "apt-get install mosquitto" in caught.value.hint


@pytest.mark.parametrize(
    ("said", "reference"),
    [
        ("mosquitto version 1.6.9", "mosquitto-too-old"),
        ("mosquitto version 2.0.10", "mosquitto-too-old"),
        ("something else", "service-failed"),
    ],
)
async def test_a_program_that_is_too_old_is_refused(
    tmp_path: Path, said: str, reference: str
) -> None:
    program = tmp_path / "mosquitto"
    program.write_text(f"#!/bin/sh\necho '{said}'\nexit 3\n")
    program.chmod(0o755)
    stage = Stage(tmp_path, program=str(program))
    with pytest.raises(ServiceError) as caught:
        await stage.start()
    assert caught.value.reference == reference


async def test_a_missing_key_is_told(stage: Stage) -> None:
    stage.keys.keystore.server_paths().key.unlink()
    with pytest.raises(KeyAccessError, match=r"key\.pem"):
        await stage.start()


async def test_what_mosquitto_says_at_its_end_is_passed_on(stage: Stage) -> None:
    stage.keys.keystore.server_paths().certificate.write_text("no certificate")
    with pytest.raises(ServiceError) as caught:
        await stage.start()
    assert caught.value.reference == "broker-ends"
    assert "certificate" in caught.value.message
    assert stage.broker.pid is None


async def test_a_damaged_database_is_told_with_what_to_remove(stage: Stage) -> None:
    await stage.start(ingest=False)
    await stage.broker.stop()
    (stage.workspace / "mosquitto.db").write_bytes(b"damaged" * 100)
    stage.broker = stage.new_broker()
    with pytest.raises(ServiceError) as caught:
        await stage.start()
    assert "mosquitto.db" in caught.value.hint


# -- no process is left behind

CHILD = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from seawall.broker.drivers.mosquitto import MosquittoBroker
from seawall.broker.policy import AccessPolicy
from seawall.model.installation import MqttSettings
from seawall.pki.keystore import Keystore

async def main():
    root = Path(sys.argv[1])
    keystore = Keystore.open(root / "pki")
    certificate, key = keystore.server_paths()
    broker = MosquittoBroker(
        MqttSettings(host="127.0.0.1", port=0), root / "broker",
        certificate=certificate, key=key, ca_chain=keystore.ca_chain_path,
    )
    await broker.start(AccessPolicy(crl_pem=keystore.crl_pem()))
    print(broker.pid, flush=True)
    await broker.run()

asyncio.run(main())
"""


async def test_the_broker_dies_with_a_killed_daemon(stage: Stage, eventually: Eventually) -> None:
    daemon = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CHILD.format(tests=""), str(stage.directory)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert daemon.stdout is not None
    broker = psutil.Process(int(await daemon.stdout.readline()))
    assert broker.is_running()
    daemon.kill()
    await daemon.wait()
    await eventually(lambda: not broker.is_running())


async def test_a_broker_of_an_earlier_run_is_ended_at_the_next_start(
    stage: Stage, eventually: Eventually
) -> None:
    """A stopped process does not hear that its parent died; the next start ends it."""
    daemon = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CHILD.format(tests=""), str(stage.directory)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert daemon.stdout is not None
    stale = psutil.Process(int(await daemon.stdout.readline()))
    stale.suspend()
    daemon.kill()
    await daemon.wait()
    assert stale.is_running()
    await stage.start()
    await eventually(lambda: not stale.is_running() or stale.status() == psutil.STATUS_ZOMBIE)
    await arrives(stage, b"one", eventually)


def test_a_process_that_only_has_the_same_number_is_left_alone(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, Account())
    workspace.prepare()
    with subprocess.Popen(["sleep", "60"]) as bystander:
        workspace.record(bystander.pid)
        assert workspace.end_stale() is None
        assert bystander.poll() is None
        bystander.kill()
    assert not (tmp_path / "mosquitto.json").exists()


def test_a_record_that_is_damaged_is_ignored(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, Account())
    for content in ("", "{", '{"pid":"x"}', "[]", json.dumps({"pid": 2**40})):
        (tmp_path / "mosquitto.json").write_text(content)
        assert workspace.end_stale() is None


async def test_a_busy_daemon_does_not_stop_the_broker(stage: Stage) -> None:
    """Its log goes into a pipe: the loop may stand still for a while."""
    await stage.start(ingest=False)
    line = ["mosquitto_pub", "-h", "localhost", "-p", str(stage.port), "-q", "1", "-m", "x"]
    line += ["--cafile", str(stage.keys.keystore.root_path), "-t", "devices/a/readings"]
    line += ["--cert", str(stage.a.certificate), "--key", str(stage.a.key)]
    began = time.monotonic()
    for _ in range(20):  # on purpose blocking
        assert subprocess.run(line, timeout=5, check=False).returncode == 0  # noqa: ASYNC221
    assert time.monotonic() - began < 10


async def test_the_log_is_ours(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="seawall.mosquitto"):
        await stage.start(ingest=False)
    assert any("running" in record.getMessage() for record in caplog.records)
