"""A server that has turned: the files of the update endpoint, and what it makes of them."""

from __future__ import annotations

import hashlib
import json
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from agent_rig import Site, server_context
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile, Snapshot, TargetFile, Targets, Timestamp
from update_rig import PASSPHRASE

from seawall.pki.keys import load_key
from seawall.updates.repository import Repository

Change = Callable[[Any], None]


class Mirror:
    """Serves the repository of a site, but for what a test puts in its place.

    Attributes:
        port: To be given to devices.
        instead: Bytes by path; None: there is no such file.
        withheld: Paths at which it hangs up.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.instead: dict[str, bytes | None] = {}
        self.withheld: set[str] = set()
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 65_536

            def do_GET(self) -> None:
                mirror.answer(self)

            def log_message(self, *_args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = server_context(site.installation)
        context.verify_mode = ssl.CERT_NONE
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        if request.path.removeprefix("/") in self.withheld:
            request.close_connection = True
            return
        data = self.read(request.path.removeprefix("/"))
        first = int(request.headers.get("Range", "bytes=0-")[6:-1])
        data = data if data is None else data[first:]
        request.send_response(404 if data is None else 206)
        request.send_header("Content-Length", str(len(data or b"")))
        request.end_headers()
        request.wfile.write(data or b"")

    # The repository

    @property
    def repository(self) -> Repository:
        return Repository(Path(self.site.installation.paths.updates))

    def read(self, path: str) -> bytes | None:
        """Return what is served."""
        if path in self.instead:
            return self.instead[path]
        try:
            return (Path(self.site.installation.paths.updates) / path).read_bytes()
        except FileNotFoundError:
            return None

    def document(self, role: str) -> Metadata[Any]:
        """Return the true, newest metadata of a role."""
        return getattr(self.repository.read(), role)  # type: ignore[no-any-return]

    def signer(self, role: str) -> CryptoSigner:
        """Return a role's key, as a thief has it."""
        keys = self.repository.keys_folder
        record = [each for each in self.repository.records() if each.role == role][-1]
        sealed = role in ("root", "targets")
        return CryptoSigner(load_key(keys / record.signer, PASSPHRASE if sealed else None))

    def put(self, role: str, document: Metadata[Any], signer: CryptoSigner | None = None) -> bytes:
        """Sign metadata and serve them."""
        document.signatures.clear()
        document.sign(signer or self.signer(role))
        data = document.to_bytes()
        number = "" if role == "timestamp" else f"{document.signed.version}."
        self.instead[f"metadata/{number}{role}.json"] = data
        return data

    def put_timestamp(self, change: Change, signer: CryptoSigner | None = None) -> None:
        """Serve a further timestamp."""
        timestamp: Metadata[Timestamp] = self.document("timestamp")
        timestamp.signed.version += 1
        change(timestamp.signed)
        self.put("timestamp", timestamp, signer)

    def put_targets(self, change: Change) -> None:
        """Serve further targets, and snapshot and timestamp that list them."""
        targets: Metadata[Targets] = self.document("targets")
        snapshot: Metadata[Snapshot] = self.document("snapshot")
        targets.signed.version += 1
        change(targets.signed)
        data = self.put("targets", targets)
        snapshot.signed.version += 1
        snapshot.signed.meta["targets.json"] = MetaFile.from_data(
            targets.signed.version, data, ["sha256"]
        )
        listed = MetaFile.from_data(
            snapshot.signed.version, self.put("snapshot", snapshot), ["sha256"]
        )

        def list_snapshot(timestamp: Timestamp) -> None:
            timestamp.snapshot_meta = listed

        self.put_timestamp(list_snapshot)

    def manifest_of(self, target: str) -> dict[str, Any]:
        """Return the true manifest of a target."""
        data = self.read(self.path_of(target))
        assert data is not None
        return json.loads(data)  # type: ignore[no-any-return]

    def path_of(self, target: str) -> str:
        """Return where a target's manifest is served."""
        listed = self.document("targets").signed.targets[target]
        board, _, name = target.partition("/")
        return f"targets/{board}/{listed.hashes['sha256']}.{name}"

    def put_manifest(self, target: str, manifest: dict[str, Any] | bytes) -> None:
        """Serve a manifest for a target, signed with the targets key."""
        data = manifest
        if isinstance(data, dict):
            data = json.dumps(data, separators=(",", ":")).encode()
        board, _, name = target.partition("/")
        self.instead[f"targets/{board}/{hashlib.sha256(data).hexdigest()}.{name}"] = data

        def list_target(targets: Targets) -> None:
            listed = TargetFile.from_data(target, data, ["sha256"])
            listed.unrecognized_fields.update(targets.targets[target].unrecognized_fields)
            targets.targets[target] = listed

        self.put_targets(list_target)

    def application_of(self, target: str) -> str:
        """Return where the application of a release is served."""
        files = self.manifest_of(target)["files"]
        digest = next(digest for name, _, digest in files if name.startswith("application"))
        return f"targets/files/{digest}"
