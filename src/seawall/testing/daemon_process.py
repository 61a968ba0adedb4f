"""``seawall up`` as a process, to be stopped and killed at will."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

from seawall.daemon.assemble import create_store, now_ms, open_installation
from seawall.daemon.lock import is_running, read_running
from seawall.daemon.settings import write_settings
from seawall.model.installation import (
    MqttSettings,
    Settings,
    StatePaths,
    UpdateSettings,
    WebSettings,
)
from seawall.operations.create_installation import NewInstallation, create_installation
from seawall.operations.installation import Installation

READY_TIMEOUT_S: Final = 30.0
_POLL_S: Final = 0.02


def free_port() -> int:
    """Return a TCP port of the loopback interface that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def make_installation(
    state: Path, *, broker: Literal["builtin", "mosquitto"] = "builtin", password: str | None = None
) -> Installation:
    """Make an installation that listens on free loopback ports, and open it."""
    settings = Settings(
        mqtt=MqttSettings(
            broker=broker, host="127.0.0.1", port=free_port(), public_host="127.0.0.1"
        ),
        web=WebSettings(host="127.0.0.1", port=free_port()),
        updates=UpdateSettings(host="127.0.0.1", port=free_port(), public_host="127.0.0.1"),
    )
    create_installation(
        state,
        NewInstallation(settings, password=password),
        create_store=create_store,
        write_settings=write_settings,
        now_ms=now_ms,
        actor="test",
    )
    return open_installation(state, "test")


@dataclass
class DaemonProcess:
    """One ``seawall up``.

    Args:
        state: Its state directory.
        log_path: Gets what it prints.
    """

    state: Path
    log_path: Path
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self, *arguments: str) -> None:
        """Start it; return at once."""
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "seawall", "up", "--state", str(self.state), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )

    def wait_ready(self) -> dict[str, Any]:
        """Return what it says of itself once it is ready.

        Raises:
            TimeoutError: it did not become ready; the message holds its log.
        """
        paths = StatePaths(self.state.resolve())
        deadline = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.returncode is not None:
                break
            running = read_running(paths)
            if running is not None and running.get("pid") == self.pid and is_running(paths):
                return running
            time.sleep(_POLL_S)
        raise TimeoutError(f"seawall up is not ready:\n{self.log()}")

    @property
    def pid(self) -> int | None:
        """Its process id."""
        return None if self._process is None else self._process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit status, once it has ended."""
        return None if self._process is None else self._process.poll()

    def log(self) -> str:
        """Return what it printed, over all its starts."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self, timeout_s: float = 15.0) -> int:
        """End it by SIGTERM and return its exit status; SIGKILL after ``timeout_s``."""
        assert self._process is not None  # noqa: S101  it was started
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return -signal.SIGKILL


def with_port(installation: Installation, port: int) -> Installation:
    """Return an installation whose bundles name another broker port."""
    settings = installation.settings
    return replace(installation, settings=replace(settings, mqtt=replace(settings.mqtt, port=port)))
