"""Ports of a host: what answers there, what was declared, and what should not be there."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from seawall.audit import services
from seawall.audit.check import Limits, Unobserved
from seawall.audit.probes import ports
from seawall.audit.probes.connection import Connection
from seawall.audit.services import MAX_PORTS, PORTS, ports_to_ask, recognise
from seawall.audit.target import Access, Target, TargetKind
from seawall.model.finding import Confidence, Item, Result, Status
from seawall.testing.audit_rig import HOST, Audited, audit, mint, server_context, serving
from seawall.testing.audit_rig import read_until_end as silent

pytestmark = pytest.mark.system

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def greets(said: bytes) -> Handler:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await silent(reader, writer)

    return answer


def replies(said: bytes) -> Handler:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(said)
        await silent(reader, writer)

    return answer


async def floods(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"login banner without an end " * 1000)
        await writer.drain()


@contextmanager
def host(monkeypatch: pytest.MonkeyPatch, **handlers: Any) -> Iterator[dict[str, int]]:
    """A host with these services, on ports that are asked in place of the usual ones."""
    with ExitStack() as stack:
        found = {name: stack.enter_context(serving(h)) for name, h in handlers.items()}
        monkeypatch.setattr(services, "PORTS", tuple(found.values()))
        yield found


def look(expected: tuple[int, ...] | None, **access: Any) -> Audited:
    access["expect_ports"] = expected
    target = Target(TargetKind.HOST, f"host://{HOST}", HOST, access=Access(**access))
    audited = audit(target, "host.")
    assert audited.faults == []
    return audited


def failed(audited: Audited, check: str) -> list[Result]:
    return [r for r in audited.by_check[check] if r.status is Status.FAIL]


def test_undeclared_ports_are_found_and_declaring_them_is_the_fix(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with host(monkeypatch, ssh=greets(b"SSH-2.0-dropbear_2019.78\r\n"), quiet=silent) as open_ports:
        (result, other) = failed(look(()), "host.ports.undeclared")
        assert f"port {open_ports['ssh']}: ssh (`SSH-2.0-dropbear_2019.78`)" in result.evidence
        assert result.item is Item.SERVICES
        assert result.fix
        declared = result.fix.text.split("--expect-ports ")[1].rstrip(".")
        both = (int(declared), open_ports["quiet"])
        (result,) = look(both).by_check["host.ports.undeclared"]
        assert result.status is Status.PASS
    assert "unknown is open" in other.evidence
    (result,) = look(None).by_check["host.ports.undeclared"]
    assert (result.status, result.evidence) == (Status.UNKNOWN, "needs --expect-ports")


@pytest.mark.parametrize(
    ("check", "handler", "words"),
    [
        ("telnet", greets(b"\xff\xfd\x18\xff\xfd\x20"), "telnet"),
        ("telnet", greets(b"BusyBox v1.20\r\nlogin: "), "BusyBox"),
        ("ftp", greets(b"220 (vsFTPd 2.3.4)\r\n"), "vsFTPd"),
        ("webrepl", replies(b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x0aPassword: "), "repl"),
        ("plain-mqtt", replies(b"\x20\x02\x00\x05"), "mqtt"),
        ("database", replies(b"-NOAUTH Authentication required.\r\n"), "redis"),
        (
            "database",
            replies(b'HTTP/1.0 200 OK\r\n\r\n{"cluster_name" : "x"}'),
            "without a password",
        ),
        ("debug-bridge", replies(b"HTTP/1.0 200 OK\r\nApi-Version: 1.41\r\n\r\n{}"), "docker"),
    ],
)
def test_services_that_should_not_be_there(
    monkeypatch: pytest.MonkeyPatch, check: str, handler: Handler, words: str
) -> None:
    with host(monkeypatch, bad=handler) as open_ports:
        audited = look(tuple(open_ports.values()))
    (result,) = failed(audited, f"host.service.{check}")
    assert words in result.evidence
    assert result.confidence is Confidence.HIGH
    others = [name for name in audited.by_check if name != f"host.service.{check}"]
    assert [name for name in others if failed(audited, name)] == []
    stopped = look(tuple(open_ports.values()))  # the fix is to stop it
    assert [name for name in stopped.by_check if failed(stopped, name)] == []


def test_a_sound_host_is_silent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    pair = mint(tmp_path)
    with serving(silent, server_context(pair)) as port:
        monkeypatch.setattr(services, "PORTS", (free_port(), free_port()))
        audited = look((port,))
    assert {r.status for all_ in audited.by_check.values() for r in all_} == {Status.PASS}


def test_floods_and_silence_end(monkeypatch: pytest.MonkeyPatch) -> None:
    with host(monkeypatch, flood=floods, quiet=silent) as open_ports:
        audited = look(tuple(open_ports.values()))
    (result,) = audited.by_check["host.ports.undeclared"]
    assert result.status is Status.PASS


@contextmanager
def full_queue() -> Iterator[int]:
    """A port whose queue is full: what comes is dropped, as by a firewall."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server((HOST, 0), backlog=0))
        port = int(listener.getsockname()[1])
        while True:
            client = stack.enter_context(socket.socket())
            client.settimeout(0.05)
            try:
                client.connect((HOST, port))
            except TimeoutError:
                break
        yield port


def test_silence_is_no_refusal(
    monkeypatch: pytest.MonkeyPatch, free_port: Callable[[], int]
) -> None:
    monkeypatch.setattr(ports, "CONNECT_S", 0.05)
    with full_queue() as port:
        monkeypatch.setattr(services, "PORTS", (free_port(), port))
        audited = look(())
        result = audited.by_check["host.service.telnet"][0]
        assert (result.status, result.confidence) == (Status.PASS, Confidence.MEDIUM)
        assert result.evidence == f"none of 2 ports that were asked; 1 stayed silent: {port}"
        monkeypatch.setitem(services._USUAL, port, "telnet")
        (result,) = look(()).by_check["host.service.telnet"]
        assert (result.status, result.evidence) == (
            Status.UNKNOWN,
            f"nothing came back from {port}: dropped on the way, or too busy",
        )


def test_a_silent_port_is_asked_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    connected = ports.connected
    asked: list[int] = []

    @asynccontextmanager
    async def late(host: str, port: int, *rest: Any, **more: Any) -> AsyncIterator[Connection]:
        asked.append(port)
        if len(asked) <= len(open_ports):
            raise Unobserved("timed out: no TCP connection within 0.5 s")
        async with connected(host, port, *rest, **more) as connection:
            yield connection

    with host(monkeypatch, telnet=greets(b"\xff\xfd\x18"), ssh=greets(b"SSH-2.0-x")) as open_ports:
        monkeypatch.setattr(ports, "connected", late)
        (result,) = failed(look(()), "host.service.telnet")
    assert f"port {open_ports['telnet']}: telnet" in result.evidence
    assert asked == [*open_ports.values()] * 2


def test_what_was_seen_is_told_when_a_firewall_eats_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connected = ports.connected

    @asynccontextmanager
    async def dropped(
        host: str, port: int, limits: Limits, timeout_s: float
    ) -> AsyncIterator[Connection]:
        if port < 1024:
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), timeout_s)
            raise Unobserved("timed out: no TCP connection")
        async with connected(host, port, limits, timeout_s=timeout_s) as connection:
            yield connection

    with host(monkeypatch, ssh=greets(b"SSH-2.0-x")) as open_ports:
        monkeypatch.setattr(services, "PORTS", (open_ports["ssh"], *range(1, 31)))
        monkeypatch.setattr(ports, "connected", dropped)
        target = Target(TargetKind.HOST, "h", HOST, access=Access(expect_ports=()))
        audited = audit(target, "host.", limits=Limits(deadline_s=2.0, nonce="n"))
    found = audited.by_check["host.ports.undeclared"]
    assert [result.status for result in found] == [Status.FAIL, Status.UNKNOWN]
    assert "not asked: the 1.9 s for the ports of this target were over" in found[1].evidence
    assert audited.by_check["host.service.ftp"][0].status is Status.UNKNOWN


def test_a_host_that_is_not_there_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "CONNECT_S", 0.05)
    monkeypatch.setattr(services, "PORTS", PORTS[:3])
    target = Target(TargetKind.HOST, "h", "host.invalid", access=Access(expect_ports=()))
    audited = audit(target, "host.", limits=Limits(connect_timeout_s=1.0))
    assert audited.faults == []
    assert {r.status for all_ in audited.by_check.values() for r in all_} == {Status.UNKNOWN}


def test_nmap_names_what_answers_if_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with host(monkeypatch, some=greets(b"hello\r\n")) as open_ports:
        port = open_ports["some"]
        fake = tmp_path / "nmap"
        line = f"Host: 127.0.0.1 ()\tPorts: {port}/open/tcp//ssh//OpenSSH 9.2/\tIgnored"
        fake.write_text(f"#!/bin/sh\necho '{line}'\n")
        fake.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        (result,) = failed(look((), use_nmap=True), "host.ports.undeclared")
        assert "ssh (`OpenSSH 9.2`)" in result.evidence
        fake.write_text("#!/bin/sh\nexit 3\n")
        (result,) = failed(look((), use_nmap=True), "host.ports.undeclared")
        assert "unknown (`hello`)" in result.evidence


def test_nmap_that_gave_up() -> None:
    with pytest.raises(Unobserved, match="in time"):
        ports.read_nmap("Host: 127.0.0.1 ()\tStatus: Timeout\n")


def test_ports_fit_into_the_limit_of_connections() -> None:
    assert len(set(PORTS)) == len(PORTS) <= MAX_PORTS == Limits().connections
    many = tuple(range(50_000, 50_100))
    assert ports_to_ask(many) == (*PORTS, *many)[:MAX_PORTS]
    assert ports.PortsProbe(ports_to_ask(many)).connections == MAX_PORTS


def test_by_its_number_alone_is_said_so() -> None:
    service = recognise(8266, b"")
    assert (service.name, service.is_certain) == ("webrepl", False)
    assert "by its number" in service.text
