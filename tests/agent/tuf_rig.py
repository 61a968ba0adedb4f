"""A TUF repository made with python-tuf, to be signed by whom a test likes, and a device.

The device is the agent's client on the real MicroPython; what a repository
serves is a folder.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from device_script import put_script
from securesystemslib.signer import CryptoSigner, Signer
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from seawall.devices.firmware import agent_directory, agent_files, compile_module
from seawall.testing.device_process import find_runtime

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
TOP = ("root", "timestamp", "snapshot", "targets")
TARGET = "unix/1.0.0.json"


def new_signer() -> CryptoSigner:
    return CryptoSigner.generate_ecdsa()


class Repository:
    """What a publisher holds (documents, keys) and what is served.

    Attributes:
        served: Folder of the files by name.
        documents: By role.
        signers: By role; who signs when it is published.
    """

    def __init__(self, served: Path, make: Callable[[], Signer] = new_signer) -> None:
        self.served = served
        served.mkdir(parents=True)
        expires = NOW + timedelta(days=7)
        self.documents: dict[str, Any] = {
            "root": Root(expires=expires),
            "timestamp": Timestamp(expires=expires),
            "snapshot": Snapshot(expires=expires),
            "targets": Targets(expires=expires),
        }
        self.signers: dict[str, list[Signer]] = {}
        for role in TOP:
            self.signers[role] = [make()]
            self.root.add_key(self.signers[role][0].public_key, role)
        self.add_target(TARGET, b"the manifest", {"board": "unix", "version": "1.0.0"})
        for role in TOP:
            self.documents[role].version = 0
        self.publish("root", "targets")

    @property
    def root(self) -> Root:
        return self.documents["root"]

    @property
    def targets(self) -> Targets:
        return self.documents["targets"]

    def add_target(
        self, path: str, content: bytes, custom: Any = None, role: str = "targets"
    ) -> None:
        target = TargetFile.from_data(path, content, ["sha256"])
        if custom is not None:
            target.unrecognized_fields["custom"] = custom
        self.documents[role].targets[path] = target

    def delegate(
        self, name: str, paths: list[str] | None, by: str = "targets", **more: Any
    ) -> None:
        """Let a role of its own key speak for paths."""
        signer = new_signer()
        self.signers[name] = [signer]
        self.documents[name] = Targets(expires=NOW + timedelta(days=7))
        self.documents[name].version = 0
        parent = self.documents[by]
        if parent.delegations is None:
            parent.delegations = Delegations({}, {})
        role = DelegatedRole(
            name, [], 1, more.pop("terminating", False), paths, more.pop("prefixes", None)
        )
        parent.delegations.roles[name] = role
        parent.add_key(signer.public_key, name)

    def sign(self, role: str, signers: list[Signer] | None = None) -> bytes:
        """Return a document, signed, as it would be served."""
        document = Metadata(self.documents[role])
        for signer in self.signers[role] if signers is None else signers:
            document.sign(signer, append=True)
        return document.to_bytes()

    def serve(self, role: str, data: bytes) -> None:
        """Serve bytes as the current version of a role."""
        version = self.documents[role].version
        name = "timestamp.json" if role == "timestamp" else f"{version}.{role}.json"
        (self.served / name).write_bytes(data)

    def publish(self, *roles: str, bump: bool = True) -> None:
        """Sign a new version of roles, then of snapshot and timestamp, which list it."""
        for role in (*(r for r in roles if r not in TOP[1:3]), "snapshot", "timestamp"):
            self.documents[role].version += bump
            data = self.sign(role)
            self.serve(role, data)
            listed = MetaFile.from_data(self.documents[role].version, data, ["sha256"])
            if role == "snapshot":
                self.documents["timestamp"].snapshot_meta = listed
            elif role not in ("root", "timestamp"):
                self.documents["snapshot"].meta[f"{role}.json"] = listed

    def publish_root(self, signers: list[Signer] | None = None) -> None:
        """Sign a new root alone."""
        self.root.version += 1
        self.serve("root", self.sign("root", signers))

    def rotate(self, role: str) -> list[Signer]:
        """Replace a role's keys in the root; return the old ones."""
        old = self.signers[role]
        for signer in old:
            self.root.revoke_key(signer.public_key.keyid, role)
        self.signers[role] = [new_signer()]
        self.root.add_key(self.signers[role][0].public_key, role)
        return old


@dataclass
class Outcome:
    """What the client answered.

    Attributes:
        changed: What refresh returned; None: it did not return.
        refused: Reason.
        failed: Number of an OSError.
        found: Length, hex SHA-256, custom.
        fetched: Names, in order.
        verified: How many signatures were verified.
        ticks: How often another task had its turn.
    """

    changed: bool | None = None
    refused: str | None = None
    failed: int | None = None
    found: list[Any] | None = None
    fetched: list[str] = field(default_factory=list)
    verified: int = 0
    ticks: int = 0


@dataclass
class Device:
    """A device that was born with a root.

    Args:
        folder: Its flash.
        site: Folder of the compiled agent.
        heap: Of MicroPython.
    """

    folder: Path
    site: Path
    heap: str = "64k"

    def bear(self, root: bytes) -> Device:
        """Give it the root that it is born with."""
        self.trust.mkdir(parents=True, exist_ok=True)
        (self.folder / "root.json").write_bytes(root)
        return self

    @property
    def trust(self) -> Path:
        return self.folder / "trust"

    def trusted(self) -> dict[str, bytes]:
        """Return the trusted documents by name."""
        return {path.name: path.read_bytes() for path in self.trust.glob("*.json")}

    def version(self, role: str) -> int | None:
        """Return the version of a trusted document."""
        path = self.trust / f"{role}.json"
        return json.loads(path.read_bytes())["signed"]["version"] if path.exists() else None

    def obey(self, *orders: dict[str, Any]) -> list[Outcome]:
        """Run the client in one process."""
        runtime = find_runtime()
        assert runtime.is_micropython
        done = subprocess.run(
            [*runtime.command, "-X", f"heapsize={self.heap}", "-m", "tuf_script"],
            env={"MICROPYPATH": f"{self.site}:.frozen"},
            input="".join(json.dumps(self.complete(order)) + "\n" for order in orders),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return [Outcome(**json.loads(line)) for line in done.stdout.splitlines()]

    def complete(self, order: dict[str, Any]) -> dict[str, Any]:
        at = order.pop("at", NOW)
        served = order.get("served", "")
        return {
            "born": "root.json",
            "folder": "trust/",
            **order,
            "now_s": int(at.timestamp()),
            "served": f"{served}/",
        }

    def refresh(self, repository: Repository | Path, **more: Any) -> Outcome:
        """Refresh from what is served."""
        served = getattr(repository, "served", repository)
        return self.obey({"do": "refresh", "served": str(served), **more})[0]

    def find(self, target: str = TARGET) -> Outcome:
        """Find a target without a server."""
        return self.obey({"do": "find", "target": target})[0]

    def locate(self, repository: Repository, target: str, **more: Any) -> Outcome:
        """Find a target, maybe a delegated one."""
        served = str(repository.served)
        return self.obey({"do": "find", "target": target, "served": served, **more})[0]


def build_site(folder: Path) -> Path:
    """Compile the agent, as a bundle holds it."""
    for name, content in agent_files(agent_directory()).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    # Compiled as well: the compiler would take more memory than what is measured.
    script = put_script("tuf.py", folder)
    (folder / "tuf_script.mpy").write_bytes(compile_module("tuf", script.read_bytes()))
    script.unlink()
    return folder
