"""What an audit costs, by kind of target: python -m bench.audit [--json]

Seconds by the clock, and connections as the target counts them: all go through a proxy
that does nothing else. Then a broker, an API and a device bundle are audited together.
Targets that never answer show how long an audit is held up at most. Memory is the most
that the whole process ever had, servers and their proxies included.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seawall.audit.catalogue import find_checks
from seawall.audit.check import Limits
from seawall.audit.runner import Terms
from seawall.audit.running import audit_all
from seawall.audit.target import Access, Target, TargetKind
from seawall.testing.audit_rig import (
    HOST,
    Counting,
    Pair,
    mint,
    read_until_end,
    server_context,
    serving,
)

MAX_LIVE_S = 3.0
MAX_TOGETHER_S = 10.0
MAX_CONNECTIONS = 40
MAX_MEMORY_MB = 150
ANSWER = b"HTTP/1.1 401 x\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n"


async def answer_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer each request with 401, on one connection."""
    while True:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER + b"\r\nno")
        await writer.drain()


async def answer_http_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request, and close, as firmware does."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(ANSWER + b"Connection: close\r\n\r\nno")
    await writer.drain()


@contextmanager
def counted(port: int, counting: Counting) -> Iterator[int]:
    """Put a proxy in front of a port; yields its own."""

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        other_reader, other_writer = await asyncio.open_connection(HOST, port)
        try:
            await asyncio.gather(_pump(reader, other_writer), _pump(other_reader, writer))
        finally:
            other_writer.transport.abort()

    with serving(forward, counting=counting) as own:
        yield own


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while received := await reader.read(65_536):
        writer.write(received)
        await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()


@contextmanager
def mosquitto(folder: Path, pair: Pair) -> Iterator[int]:
    """Run a broker by TLS; yields its port."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = int(probe.getsockname()[1])
    path = folder / "mosquitto.conf"
    path.write_text(
        f"listener {port} {HOST}\ncafile {pair.ca_path}\ncertfile {pair.path}\n"
        f"keyfile {pair.path}\nallow_anonymous true\nuser root\n"
    )
    with subprocess.Popen(["mosquitto", "-c", path], stderr=subprocess.DEVNULL) as broker:
        try:
            while socket.socket().connect_ex((HOST, port)):
                time.sleep(0.05)
            yield port
        finally:
            broker.terminate()


def bundle(folder: Path) -> Path:
    """Make a folder that looks like what is on a device."""
    made = folder / "bundle"
    made.mkdir()
    (made / "config.json").write_text('{"format": 1, "broker": {"host": "localhost"}}')
    for number in range(20):
        (made / f"module_{number}.py").write_text("import ssl\n\ndef run():\n    return 1\n" * 50)
    return made


def audited(targets: list[Target]) -> tuple[float, dict[str, int]]:
    """Audit; return seconds, and how often there was which verdict."""
    began = time.perf_counter()
    results, faults = audit_all(
        targets, find_checks(), Terms(Limits(nonce="bench"), datetime.now(UTC))
    )
    seconds = time.perf_counter() - began
    if faults:
        sys.exit("\n".join(faults))
    verdicts: dict[str, int] = {}
    for result in results:
        verdicts[result.status.value] = verdicts.get(result.status.value, 0) + 1
    return seconds, verdicts


def measure(folder: Path) -> dict[str, Any]:
    root = mint(folder, names=("Root",), file="root.pem")
    pair = mint(folder, issuer=root)
    access = Access(ca=pair.ca_path, expect_ports=())
    kinds: list[dict[str, Any]] = []
    with ExitStack() as stack:
        tls = stack.enter_context(serving(read_until_end, server_context(pair)))
        https = stack.enter_context(serving(answer_http, server_context(pair)))
        once = stack.enter_context(serving(answer_http_once, server_context(pair)))
        http = stack.enter_context(serving(answer_http_once))
        silent = stack.enter_context(serving(read_until_end))
        broker = stack.enter_context(mosquitto(folder, pair))
        plans = [
            ("tls", TargetKind.TLS, tls, False),
            ("mqtts", TargetKind.MQTT, broker, True),
            ("https", TargetKind.API, https, True),
            ("https, closes", TargetKind.API, once, True),
            ("http, closes", TargetKind.API, http, False),
            ("tls, silent", TargetKind.TLS, silent, False),
            ("mqtts, silent", TargetKind.MQTT, silent, True),
            ("https, silent", TargetKind.API, silent, True),
        ]
        made: dict[str, Target] = {}
        for name, kind, port, uses_tls in plans:
            counting = Counting()
            own = stack.enter_context(counted(port, counting))
            target = Target(kind, f"{name}:{own}", HOST, own, uses_tls=uses_tls, access=access)
            made[name] = target
            seconds, verdicts = audited([target])
            kinds.append(_row(name, seconds, counting.connections, verdicts))
        host = Target(TargetKind.HOST, f"host://{HOST}", HOST, access=access)
        kinds.append(_row("host", *_uncounted([host])))
        folder_target = Target(TargetKind.FIRMWARE, "bundle", path=bundle(folder), access=access)
        kinds.append(_row("bundle", *_uncounted([folder_target])))
        three = [replace(made["mqtts"]), replace(made["https"]), folder_target]
        kinds.append(_row("broker, API and bundle", *_uncounted(three)))
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"kinds": kinds, "memory_mb": round(memory_mb, 1), "limits": _limits()}


def _uncounted(targets: list[Target]) -> tuple[float, None, dict[str, int]]:
    seconds, verdicts = audited(targets)
    return seconds, None, verdicts


def _row(
    name: str, seconds: float, connections: int | None, verdicts: dict[str, int]
) -> dict[str, Any]:
    row = {"target": name, "seconds": round(seconds, 3), "connections": connections}
    return row | {"verdicts": verdicts}


def _limits() -> dict[str, float]:
    return {
        "live_s": MAX_LIVE_S,
        "together_s": MAX_TOGETHER_S,
        "connections": MAX_CONNECTIONS,
        "memory_mb": MAX_MEMORY_MB,
    }


def is_within(facts: dict[str, Any]) -> bool:
    """Tell whether all is as it must be; half a second is for ending what was cut off."""
    for row in facts["kinds"]:
        is_live = row["target"].startswith(("tls", "mqtts"))
        if row["seconds"] > (MAX_LIVE_S if is_live else MAX_TOGETHER_S) + 0.5:
            return False
        if (row["connections"] or 0) > MAX_CONNECTIONS:
            return False
    return bool(facts["memory_mb"] <= MAX_MEMORY_MB)


def main() -> int:
    """Run from the command line; exit 1 if a limit was passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="seawall-bench-audit-") as name:
        facts = measure(Path(name))
    if options.json:
        print(json.dumps(facts, indent=2))
    else:
        for row in facts["kinds"]:
            count = "-" if row["connections"] is None else row["connections"]
            verdicts = ", ".join(f"{n} {verdict}" for verdict, n in sorted(row["verdicts"].items()))
            print(
                f"{row['target']:<24} {row['seconds']:7.2f} s  {count:>3} connections  {verdicts}"
            )
        print(f"memory at most {facts['memory_mb']} MB")
    return 0 if is_within(facts) else 1


if __name__ == "__main__":
    sys.exit(main())
