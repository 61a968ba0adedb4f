"""Connects to TCP ports of a host and hears what answers; by itself, or by nmap."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import shutil
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Final, TypeGuard

from seawall.audit.check import Job, Limits, Unobserved
from seawall.audit.probes.connection import connected, observed
from seawall.audit.services import Service, question_for, recognise
from seawall.audit.target import Target

CONNECT_S: Final = 0.5
"""Where packets are dropped, each port costs so long, and there are forty."""
BANNER_S: Final = 0.3
ANSWER_S: Final = 0.8
MAX_SAID_BYTES: Final = 2_048
SHARE_OF_DEADLINE: Final = 0.95
"""What asking may use of a target's time: the rest is for judging what was heard."""


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


@dataclass(frozen=True, slots=True)
class PortsFacts:
    """Ports of a host.

    Attributes:
        ports: What became of those that were asked, in their order.
        unseen: The others, each with why it was not.
    """

    ports: tuple[PortFacts, ...]
    unseen: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class PortsProbe(Job[PortsFacts]):
    """Connects to ports, some at a time; those that stay silent are asked once more.

    A queue that was full drops what comes like a firewall does, but not for long. The second
    round comes after all else, as far as the time of the target goes.

    Attributes:
        ports: Numbers, what matters most first.
    """

    ports: tuple[int, ...]

    @property
    def connections(self) -> int:  # type: ignore[override]
        """One a port: where it is asked again, no connection came about."""
        return len(self.ports)

    async def observe(self, target: Target, limits: Limits) -> PortsFacts:
        """Look.

        Raises:
            Unobserved: no port could be asked.
        """
        seconds = limits.deadline_of(target.kind) * SHARE_OF_DEADLINE
        until = asyncio.get_running_loop().time() + seconds
        seen = await _ask(self.ports, target, limits, until)
        silent = [each.port for each in seen.values() if _is_silent(each)]
        again = await _ask(silent, target, limits, until)
        seen |= {each.port: each for each in again.values() if isinstance(each, PortFacts)}
        late = f"not asked: the {seconds:g} s for the ports of this target were over"
        unseen = [(port, seen.get(port, late)) for port in self.ports]
        reasons = tuple((port, why) for port, why in unseen if isinstance(why, str))
        facts = tuple(each for port in self.ports if isinstance(each := seen.get(port), PortFacts))
        if reasons and not facts:
            raise Unobserved(reasons[0][1])
        return PortsFacts(facts, reasons)


def _is_silent(facts: PortFacts | str) -> TypeGuard[PortFacts]:
    return isinstance(facts, PortFacts) and facts.state is PortState.SILENT


async def _ask(
    ports: Sequence[int], target: Target, limits: Limits, until: float
) -> dict[int, PortFacts | str]:
    """Return what became of ports, or why it is not known; those that came too late are missing."""
    waiting = deque(ports)
    seen: dict[int, PortFacts | str] = {}

    async def work() -> None:
        while waiting:
            port = waiting.popleft()
            try:
                async with asyncio.timeout_at(until):
                    seen[port] = await PortProbe(port).observe(target, limits)
            except TimeoutError:
                return
            except Unobserved as missing:
                seen[port] = missing.reason

    await asyncio.gather(*(work() for _ in range(limits.parallel)))
    return seen


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
