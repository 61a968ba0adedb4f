"""Connects to TCP ports of a host and hears what answers; by itself, or by nmap."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import shutil
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Final

from seawall.audit.check import Job, Limits, Unobserved
from seawall.audit.probes.connection import connected, observed
from seawall.audit.services import Service, question_for, recognise
from seawall.audit.target import Target

CONNECT_S: Final = 0.5
"""Where packets are dropped, each port costs so long, and there are forty."""
BANNER_S: Final = 0.3
ANSWER_S: Final = 0.8
MAX_SAID_BYTES: Final = 2_048


class PortState(StrEnum):
    """What became of a connection."""

    OPEN = "open"
    CLOSED = "closed"
    SILENT = "silent"
    """Nothing came back: dropped on the way, or there is no such host."""


@dataclass(frozen=True, slots=True)
class PortFacts:
    """A port.

    Attributes:
        port: Number.
        state: Whether it is open.
        service: What answers, if it is.
    """

    port: int
    state: PortState
    service: Service | None = None


@dataclass(frozen=True)
class PortProbe(Job[PortFacts]):
    """Connects to one port; listens, then asks.

    Attributes:
        port: Number.
    """

    port: int

    async def observe(self, target: Target, limits: Limits) -> PortFacts:
        """Look.

        Raises:
            Unobserved: the host's name is wrong, or there is no way to it.
        """
        seconds = min(CONNECT_S, limits.connect_timeout_s)
        try:
            async with connected(target.host, self.port, limits, timeout_s=seconds) as connection:
                random = hashlib.sha256(f"{limits.nonce}/{self.port}".encode()).digest()
                said, is_over = await connection.receive_until(bool, MAX_SAID_BYTES, BANNER_S)
                if not said and not is_over:
                    with contextlib.suppress(Unobserved):
                        async with observed("place for a question", ANSWER_S):
                            await connection.send(question_for(self.port, random))
                        said, _ = await connection.receive_until(
                            _is_enough, MAX_SAID_BYTES, min(ANSWER_S, limits.read_timeout_s)
                        )
        except Unobserved as missing:
            return PortFacts(self.port, _state(missing))
        return PortFacts(self.port, PortState.OPEN, recognise(self.port, said))


def _is_enough(said: bytes) -> bool:
    # HTTP's head tells less than its body; what is binary has told what it is at once.
    return len(said) >= 512 if said.startswith((b"HTTP/", b"RTSP/")) else bool(said)


def _state(missing: Unobserved) -> PortState:
    if missing.reason.startswith("timed out"):
        return PortState.SILENT
    if "refused" in missing.reason or "reset" in missing.reason:
        return PortState.CLOSED
    raise missing


# nmap, for who asks for it

_OPEN_PORT: Final = re.compile(r"(\d{1,5})/open/tcp/[^/]*/([^/]*)/[^/]*/([^/]*)/")


@dataclass(frozen=True)
class NmapScan(Job[tuple[Service, ...]]):
    """Has nmap (`-sV`, its light probes) look at ports.

    It makes connections of its own, more than forty: only if somebody asked for it.

    Attributes:
        ports: To look at.
    """

    connections: ClassVar[int] = 0

    ports: tuple[int, ...]

    async def observe(self, target: Target, limits: Limits) -> tuple[Service, ...]:
        """Run nmap.

        Raises:
            Unobserved: it is not installed, failed, or took too long.
        """
        program = shutil.which("nmap")
        if program is None:
            raise Unobserved("nmap is not installed")
        if target.host.startswith("-"):
            raise Unobserved("the name is no host name")
        seconds = max(int(limits.deadline_of(target.kind)) - 2, 1)
        process = await asyncio.create_subprocess_exec(
            *(program, "-sT", "-sV", "--version-light", "-Pn", "-n", "-oG", "-"),
            *("--host-timeout", f"{seconds}s", "-p", ",".join(map(str, self.ports))),
            *(["-6"] if ":" in target.host else []),
            target.host,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            printed, _ = await process.communicate()
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        if process.returncode:
            raise Unobserved(f"nmap ended with status {process.returncode}")
        return read_nmap(printed.decode("utf-8", "replace"))


def read_nmap(printed: str) -> tuple[Service, ...]:
    """Return the open ports of what ``nmap -oG`` printed.

    Raises:
        Unobserved: it gave up on the host.
    """
    if "Status: Timeout" in printed or "host timeout" in printed.lower():
        raise Unobserved("nmap did not end in time")
    found = []
    for port, name, version in _OPEN_PORT.findall(printed):
        shown = "".join(c if c.isprintable() and c != "`" else "." for c in version)[:60]
        service = "tls" if name.startswith("ssl|") else name.rstrip("?") or "unknown"
        found.append(Service(int(port), service, not name.endswith("?"), shown.strip()))
    return tuple(found)
