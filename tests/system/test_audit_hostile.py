"""Ports that answer nothing, nonsense, or the same to everybody: no check passes on them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from seawall.audit.catalogue import find_checks
from seawall.audit.check import Limits
from seawall.audit.runner import Terms
from seawall.audit.running import audit_all
from seawall.audit.target import Access, Target, TargetKind
from seawall.model.finding import Status
from seawall.testing.audit_rig import HOST, Counting, Handler, flood, mint, server_context, serving

pytestmark = pytest.mark.system

LIMITS = Limits(
    connect_timeout_s=0.3, read_timeout_s=0.3, deadline_s=2.0, live_deadline_s=2.0, nonce="n0nce"
)
FIRST = Access(username="u", password="one that is long", try_defaults=True)
BOTH = Access(
    username="u",
    password="one that is long",
    token="a token",
    pin="0" * 64,
    try_defaults=True,
    other=Access(username="v", password="another that is long"),
)
TARGETS = {
    "tls": (TargetKind.TLS, True, BOTH),
    "mqtt": (TargetKind.MQTT, False, BOTH),
    "mqtt, one identity": (TargetKind.MQTT, False, FIRST),
    "mqtt, nobody": (TargetKind.MQTT, False, Access()),
    "mqtts": (TargetKind.MQTT, True, BOTH),
    "http": (TargetKind.API, False, BOTH),
    "https": (TargetKind.API, True, BOTH),
}


def reset(writer: asyncio.StreamWriter) -> None:
    linger = struct.pack("ii", 1, 0)
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


async def hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(65_536):
        pass


async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    reset(writer)


async def resets_when_asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(10)
    reset(writer)


async def closes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(65_536)


async def echoes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()


def floods(piece: bytes) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await flood(reader, writer, piece)

    return handler


def says(answer: bytes, *, then_ends: bool = True, first: bytes = b"") -> Handler:
    """Greet with ``first``, and give one answer to whatever comes."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while await reader.read(65_536):
            writer.write(answer)
            await writer.drain()
            if then_ends:
                return

    return handler


def accepts_and_ends(connack: bytes, *, when_asked: bool) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65_536)
        writer.write(connack)
        await writer.drain()
        if when_asked:
            await reader.read(65_536)

    return handler


def http(status: int) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\nno" % status


V5, V311 = b"\x20\x03\x00\x00\x00", b"\x20\x02\x00\x00"
HOSTILE: dict[str, Handler] = {
    "hangs": hangs,
    "resets": resets,
    "resets when asked": resets_when_asked,
    "closes": closes,
    "echoes": echoes,
    "floods": floods(b"A" * 65_536),
    "a banner without end": floods(b"220 welcome\r\n" * 5_000),
    "zeros": floods(bytes(65_536)),
    "ssh": says(b"", first=b"SSH-2.0-OpenSSH_9.0\r\n", then_ends=False),
    "alert internal error": says(b"\x15\x03\x01\x00\x02\x02\x50"),
    "alert handshake failure": says(b"\x15\x03\x01\x00\x02\x02\x28"),
    "alert protocol version": says(b"\x15\x03\x01\x00\x02\x02\x46"),
    "lets in and ends": accepts_and_ends(V5, when_asked=False),
    "lets in and ends in 3.1.1": accepts_and_ends(V311, when_asked=False),
    "ends when asked in 3.1.1": accepts_and_ends(V311, when_asked=True),
    "busy": says(b"\x20\x03\x00\x89\x00"),
    "unavailable": says(b"\x20\x03\x00\x88\x00"),
    "unavailable in 3.1.1": says(b"\x20\x02\x00\x03"),
    "unsupported version": says(b"\x20\x03\x00\x84\x00"),
    "400": says(http(400), then_ends=False),
    "429": says(http(429), then_ends=False),
    "503": says(http(503), then_ends=False),
    "503 and ends": says(http(503)),
    "continue": says(b"HTTP/1.1 100 Continue\r\n\r\n" * 50, then_ends=False),
    "headers without end": says(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 50_000, then_ends=False),
}
TRUE_ANYWAY = {
    # An alert is TLS, and so is a handshake that is followed by nonsense.
    "mqtt.transport.plaintext",
    # Both identities are in under one client id, and neither ended the other.
    "mqtt.session.takeover",
}


def passes(names: Iterable[str], behaviour: str, context: ssl.SSLContext | None = None) -> set[str]:
    """Audit a port of this behaviour as each of these targets; return what passes, and where."""
    with contextlib.ExitStack() as stack:
        targets, countings = [], []
        for name in names:
            counting = Counting()
            port = stack.enter_context(serving(HOSTILE[behaviour], context, counting))
            kind, uses_tls, access = TARGETS[name]
            targets.append(Target(kind, name, HOST, port, uses_tls, access=access))
            countings.append(counting)
        results, faults = audit_all(targets, find_checks(), Terms(LIMITS, datetime.now(UTC)))
    assert faults == []
    assert max(counting.connections for counting in countings) <= LIMITS.connections
    return {
        f"{each.check} ({each.target}): {each.evidence}"
        for each in results
        if each.status is Status.PASS and each.check not in TRUE_ANYWAY
    }


@pytest.mark.parametrize("behaviour", HOSTILE)
def test_who_tells_nothing_passes_nothing(behaviour: str) -> None:
    assert passes(TARGETS, behaviour) == set()


@pytest.mark.parametrize(
    "behaviour", [each for each in HOSTILE if not each.startswith(("alert", "ssh"))]
)
def test_who_tells_nothing_by_sound_tls_passes_nothing_else(behaviour: str, tmp_path: Path) -> None:
    found = passes(["mqtts", "https"], behaviour, server_context(mint(tmp_path)))
    assert {each for each in found if not each.startswith(("tls.", "api.transport.plain"))} == set()
