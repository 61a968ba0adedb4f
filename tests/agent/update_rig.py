"""A site with update keys, its releases, what a device says of them, and a bad network."""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from agent_rig import Agent, ScriptedServer, Site, good, server_context, site_in

from seawall.devices.firmware import agent_directory, agent_files
from seawall.model.device import Board
from seawall.model.release import parse_version
from seawall.operations.build_release import build_release
from seawall.operations.create_update_keys import create_update_keys
from seawall.operations.sign_release import sign_release
from seawall.operations.update_signing import NewKeys, Signing

PASSPHRASE = b"nobody's secret"
HEAP = "64k"
"""Of every device here: the update path beside MQTT must do with it."""
APPLICATION = """
class Sensor:
    name = "version"
    fault = ""

    def measure(self):
        return '"version":%s'


def start(agent):
    agent.sensors.append(Sensor())
"""
"""What a version's readings say of it."""

Script = Callable[[Any], None]
Files = dict[str, str]


class UpdateSite:
    """A site whose devices can be updated, with its daemon for the downloads alone."""

    def __init__(self, site: Site) -> None:
        self.site = site
        create_update_keys(site.installation, NewKeys(passphrase=lambda _name: PASSPHRASE))
        self.endpoint: int = site.installation.settings.updates.port
        self._newest = 0
        self._orders = 0
        self._servers: list[ScriptedServer] = []

    def release(self, files: Files | None = None, version: str | None = None) -> tuple[str, str]:
        """Build, sign and publish a release; return its target and version.

        Args:
            files: Of the application, by path; None: one that adds ``version`` to readings.
            version: Its version; None: the next one.
        """
        self._newest += 1
        version = version or f"{self._newest}.0"
        self._newest = max(self._newest, int(version.partition(".")[0]))
        folder = self.site.folder / f"application-{version}"
        own = {"application.py": APPLICATION % version.partition(".")[0]}
        for name, text in (own if files is None else files).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        agent = agent_files(agent_directory())
        packed = build_release(folder, parse_version(version), Board.UNIX, agent=agent)
        signing = Signing(passphrase=lambda _name: PASSPHRASE)
        sign_release(self.site.installation, [packed.built], signing, publish=True)
        return packed.built.release.target, version

    def broker(self, *scripts: Script) -> ScriptedServer:
        """Return a server for readings that serves connection N as script N says."""
        server = ScriptedServer(server_context(self.site.installation), *(scripts or (good,)))
        self._servers.append(server)
        return server

    def agent(self, name: str, server: ScriptedServer, **changes: Any) -> Agent:
        agent = self.site.agent(name, port=server.port, heap=HEAP, **changes)
        self.site.take_in()
        return agent

    def order(
        self, server: ScriptedServer, agent: Agent, release: tuple[str, str], trial_s: int = 30
    ) -> int:
        """Order a release; return the number of the command."""
        self._orders += 1
        target, version = release
        members = {"n": self._orders, "target": target, "version": version, "trial_s": trial_s}
        server.command(agent, cmd="update", **members)
        return self._orders

    def close(self) -> None:
        for server in self._servers:
            server.close()


@contextlib.contextmanager
def update_site_in(folder: Path) -> Iterator[UpdateSite]:
    """Make a site with update keys, and its daemon."""
    with site_in(folder) as site:
        made = UpdateSite(site)
        site.start_daemon()
        yield made
        made.close()


def slots(agent: Agent) -> dict[str, str]:
    """Return the newest record on the device's flash (agent/seawall_guard/slots.py)."""
    found = [["0", "a", *"-000-0-"]]
    for name in ("slot0", "slot1"):
        with contextlib.suppress(FileNotFoundError):
            found.append((agent.bundle / "state" / name).read_text()[:112].split())
    names = ("seq", "live", "trial", "tries", "trial_s", "n", "version", "floor", "outcome")
    newest = max((each for each in found if len(each) == 9), key=lambda each: int(each[0]))
    return dict(zip(names, newest, strict=True))


def reports(server: ScriptedServer, agent: Agent, n: int) -> list[dict[str, Any]]:
    """Return what the device has said of an order."""
    return [each for each in server.bodies(agent, "events") if each.get("re") == n]


def wait_report(
    server: ScriptedServer, agent: Agent, n: int, *states: str, timeout_s: float = 40
) -> dict[str, Any]:
    """Return the first report of an order that has one of the states."""

    def found() -> dict[str, Any] | None:
        told = reports(server, agent, n)
        return next((each for each in told if each["state"] in states), None)

    answer: dict[str, Any] = agent.wait(found, timeout_s, f"{states} of order {n}")
    return answer


def wait_version(server: ScriptedServer, agent: Agent, version: str | None, boot: int) -> None:
    """Wait until a reading of a boot came from this version's application (None: it has none)."""
    number = None if version is None else int(version.partition(".")[0])

    def found() -> bool:
        readings = server.bodies(agent, "readings", acknowledged=True)
        return any(r["boot"] >= boot and r.get("version") == number for r in readings)

    agent.wait(found, 40, f"a reading of version {version} from boot {boot} on")


def slot_is_whole(folder: Path) -> bool:
    """Return whether a slot holds what its manifest says, and nothing else."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    named = {path: digest for path, _, digest in manifest["files"]}
    there = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }
    return there == named


class Proxy:
    """A network that counts, and breaks off: between devices and the update endpoint.

    Args:
        port: Of the endpoint.
        cuts: After so many bytes to the device connection N is cut; later ones never are.
    """

    def __init__(self, port: int, cuts: tuple[int, ...] = ()) -> None:
        self.to_device = self.from_device = 0
        self.connections = 0
        self._port = port
        self._cuts = cuts
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                device, _ = self._listener.accept()
            except OSError:
                return
            number = self.connections
            self.connections += 1
            limit = self._cuts[number] if number < len(self._cuts) else None
            server = socket.create_connection(("127.0.0.1", self._port))
            for source, sink, left in ((device, server, None), (server, device, limit)):
                threading.Thread(target=self._pump, args=(source, sink, left), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, left: int | None) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1024):
                data = data if left is None else data[:left]
                sink.sendall(data)
                if sink.getpeername()[1] == self._port:
                    self.from_device += len(data)
                else:
                    self.to_device += len(data)
                if left is not None:
                    left -= len(data)
                    if not left:
                        break
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # a thread waits in accept()
        self._listener.close()
