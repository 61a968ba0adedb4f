"""A MongoDB server for tests: SecantusDB as a process of its own, with SCRAM and TLS if wanted."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Final

from pymongo import MongoClient
from pymongo.errors import PyMongoError

START_TIMEOUT_S: Final = 30.0
STOP_TIMEOUT_S: Final = 10.0


class MongoServer:
    """Runs until `close`.

    Args:
        program: Path of ``secantusd-py``.
        folder: Where its data and its log go.
        arguments: More of its command line.
        settings: What a client needs to reach it, such as ``tlsCAFile``.
    """

    def __init__(
        self, program: str, folder: Path, arguments: Sequence[str] = (), **settings: Any
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.log = folder / "server.log"
        self._settings = settings
        command = [program, "--port", str(self.port), "--storage-path", str(folder / "data")]
        output: IO[bytes]
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [*command, "--host", "127.0.0.1", *arguments],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self._wait()

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"127.0.0.1:{self.port}"

    def client(self, **more: Any) -> MongoClient[dict[str, Any]]:
        """Return a client of the driver, to look at what is in the server."""
        return MongoClient(self.address, directConnection=True, **{**self._settings, **more})

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with self.client(serverSelectionTimeoutMS=500) as client:
                    client.admin.command("hello")
                    return
            except PyMongoError:
                time.sleep(0.05)
        raise RuntimeError(f"the server did not start:\n{self.log.read_text(errors='replace')}")
