"""One running Mosquitto: its start, its words, its end."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from seawall.broker.drivers.mosquitto import loglines, trampoline
from seawall.broker.drivers.mosquitto.configuration import CONFIGURATION
from seawall.broker.drivers.mosquitto.program import Account
from seawall.broker.drivers.mosquitto.workspace import Workspace
from seawall.errors import ServiceError

_LOG: Final = logging.getLogger("seawall.mosquitto")

_READY_S: Final = 15.0
_SIGNAL_S: Final = 1.0
"""A signal is repeated after this, at most `_SIGNALS` times."""
_SIGNALS: Final = 5
_PIPE_BYTES: Final = 1 << 20
"""The broker writes its log blocking: a full pipe would stop it while our loop is busy."""
_READ_BYTES: Final = 65_536
_KEPT_LINES: Final = 20


class PortTakenError(ServiceError):
    """Somebody listens on the port already."""

    reference = "port-taken"


class MosquittoProcess:
    """A child process that lives no longer than we do.

    Args:
        program: Path of the executable.
        workspace: Its directory, with all files written.
        account: Whom it runs as.
        on_line: Called with each line that it logs.
    """

    def __init__(
        self,
        program: str,
        workspace: Workspace,
        account: Account,
        on_line: Callable[[str], None],
    ) -> None:
        self._program = program
        self._workspace = workspace
        self._account = account
        self._on_line = on_line
        self._child: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._reloading = asyncio.Event()
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)

    @property
    def pid(self) -> int:
        """Its process id, 0 before it was started."""
        return self._child.pid if self._child is not None else 0

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._child is not None and self._child.returncode is None

    async def start(self) -> None:
        """Start it; return when it accepts connections.

        Raises:
            PortTakenError: its port is taken.
            ServiceError: it ends at once, or does not become ready.
        """
        stream, transport, writing = await _open_log()
        try:
            child = await asyncio.create_subprocess_exec(
                *self._command(),
                cwd=self._workspace.path,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=writing,
                # Ctrl-C in a terminal is for us alone: we end it when ingest has finished.
                start_new_session=True,
            )
        except OSError as error:
            transport.close()
            raise ServiceError(f"{sys.executable} cannot be started: {error}") from error
        finally:
            os.close(writing)
        self._child = child
        self._workspace.record(child.pid)
        self._reading = asyncio.create_task(self._read(stream, transport), name="mosquitto-log")
        ready = asyncio.create_task(self._ready.wait())
        ended = asyncio.create_task(self.wait())
        try:
            done, _ = await asyncio.wait(
                {ready, ended}, timeout=_READY_S, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            ready.cancel()
            ended.cancel()
        if ready in done and self.alive:
            return
        await self.stop()
        raise self._failure(ended in done)

    async def wait(self) -> str:
        """Wait until it has ended; return how, in words."""
        child, reading = self._child, self._reading
        if child is None or reading is None:
            return "it was not started"
        code = await child.wait()
        # A grandchild cannot hold the pipe open: Mosquitto has none.
        await asyncio.shield(reading)
        if code < 0:
            return f"it was ended by {signal.Signals(-code).name}"
        return f"it ended with code {code}: {self._last_words()}"

    async def reload(self) -> None:
        """Let it read its files again; return when it has begun to.

        SIGHUP is sent again if nothing happens: one that comes while an earlier
        one is being handled is forgotten by Mosquitto.

        Raises:
            ServiceError: it does not react, or has ended.
        """
        self._reloading.clear()
        began = asyncio.create_task(self._reloading.wait())
        ended = asyncio.create_task(self.wait())
        try:
            for _ in range(_SIGNALS):
                self._signal(signal.SIGHUP)
                await asyncio.wait(
                    {began, ended}, timeout=_SIGNAL_S, return_when=asyncio.FIRST_COMPLETED
                )
                if began.done():
                    return
                if ended.done():
                    break
        finally:
            began.cancel()
            ended.cancel()
        raise ServiceError("mosquitto does not react to SIGHUP", reference="broker-unresponsive")

    async def stop(self) -> None:
        """End it: first by SIGTERM, so that it saves its sessions. Idempotent."""
        child, reading = self._child, self._reading
        if child is None:
            return
        # Also SIGTERM is forgotten, if it comes before the main loop has begun.
        for sign in (*(signal.SIGTERM,) * _SIGNALS, signal.SIGKILL):
            if child.returncode is not None:
                break
            self._signal(sign)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(child.wait(), _SIGNAL_S)
        if reading is not None:
            await asyncio.wait({reading}, timeout=_SIGNAL_S)
            reading.cancel()
        self._workspace.forget()

    def _command(self) -> list[str]:
        script = str(Path(trampoline.__file__).resolve())
        account = [str(self._account.uid), str(self._account.gid)]
        become = [sys.executable, "-I", "-S", script, str(os.getpid()), *account]
        return [*become, self._workspace.title, self._program, "-c", CONFIGURATION]

    def _signal(self, sign: signal.Signals) -> None:
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError):
                self._child.send_signal(sign)

    async def _read(self, stream: asyncio.StreamReader, transport: asyncio.ReadTransport) -> None:
        partial = b""
        try:
            while data := await stream.read(_READ_BYTES):
                *lines, partial = (partial + data).split(b"\n")
                # A line without end is cut, not collected.
                partial = partial[-_READ_BYTES:]
                for line in lines:
                    self._take(line.decode("utf-8", "replace").strip())
        finally:
            transport.close()

    def _take(self, line: str) -> None:
        if not line:
            return
        self._lines.append(line)
        _LOG.log(loglines.level_of(line), "%s", line)
        if loglines.RUNNING.match(line):
            self._ready.set()
        elif line == loglines.RELOADING:
            self._reloading.set()
        self._on_line(line)

    def _failure(self, ended: bool) -> ServiceError:
        said = self._last_words()
        if any(loglines.ADDRESS_IN_USE.search(line) for line in self._lines):
            return PortTakenError(f"mosquitto cannot listen: {said}")
        if ended:
            return ServiceError(
                f"mosquitto ends at once: {said}",
                reference="broker-ends",
                hint=f"if it is about mosquitto.db, remove that file from {self._workspace.path}",
            )
        return ServiceError(
            f"mosquitto is not ready after {_READY_S:g} s: {said}", reference="broker-unresponsive"
        )

    def _last_words(self) -> str:
        telling = [line for line in self._lines if line.startswith(("Error", "Warning"))]
        return " / ".join(telling[-3:] or list(self._lines)[-1:]) or "it said nothing"


async def _open_log() -> tuple[asyncio.StreamReader, asyncio.ReadTransport, int]:
    """Return a pipe's reading end, its transport, and the descriptor of the writing end."""
    reading, writing = os.pipe()
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):
            fcntl.fcntl(reading, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(reading, "rb", buffering=0)
    )
    return reader, transport, writing
