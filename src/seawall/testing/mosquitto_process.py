"""A Mosquitto with any configuration, weak ones as well, for tests of the audit."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Final

from seawall.broker.drivers.mosquitto.program import account_to_run_as, find_program
from seawall.testing.broker_rig import wait_for

CONFIGURATION: Final = "mosquitto.conf"


def free_port() -> int:
    """Return a port that nobody listens at now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class MosquittoProcess:
    """A broker in a folder of its own, below /tmp so that its user may go there.

    ``write`` files, then `start`; everything is gone when the ``with`` block ends.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="seawall-mosquitto-"))
        self.folder.chmod(0o755)
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def configuration(self) -> Path:
        """The path of mosquitto.conf."""
        return self.folder / CONFIGURATION

    def write(self, name: str, content: str | bytes, mode: int = 0o640) -> Path:
        """Write a file into the folder."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)
        return path

    def start(self) -> None:
        """Start it and wait until it listens; AssertionError with its words if it does not."""
        account = account_to_run_as()
        identity = {} if account.uid == -1 else {"user": account.uid, "group": account.gid}
        if identity:
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, account.uid, account.gid)
        log = self.folder / "stderr.txt"
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [find_program(), "-c", CONFIGURATION],
                cwd=self.folder,
                stdout=file,
                stderr=file,
                **identity,  # type: ignore[call-overload]
            )
        process = self._process

        def listens() -> bool:
            if process.poll() is not None:
                raise AssertionError(
                    f"mosquitto ended with {process.returncode}: {log.read_text()}"
                )
            with socket.socket() as sock:
                return sock.connect_ex(("127.0.0.1", self.port)) == 0

        wait_for(listens, "mosquitto to listen")

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(2)
            except subprocess.TimeoutExpired:
                # A signal that comes before its main loop begins is forgotten (2.0.11).
                self._process.kill()
                self._process.wait(10)
            self._process = None

    def __enter__(self) -> MosquittoProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        shutil.rmtree(self.folder)
