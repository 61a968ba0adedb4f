"""Fills a new keystore: authorities, server and service certificates, master secret."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization

from seawall.pki import files, profiles, revocation
from seawall.pki.authority import create_issuing, create_root
from seawall.pki.keys import encode_key
from seawall.pki.secrets import MASTER_KEY_BYTES

DIRECTORIES: Final = ("server", "web", "service", "devices")
"""Folders of a keystore."""


def fill_keystore(
    directory: Path, names: Sequence[str], now: datetime, passphrase: bytes | None
) -> None:
    """Write everything that a keystore holds into an empty directory (see `Keystore.create`)."""
    root = create_root(now)
    authority = create_issuing(root, now)
    root_pem = root.certificate.public_bytes(serialization.Encoding.PEM)
    issuing_pem = authority.certificate.public_bytes(serialization.Encoding.PEM)
    register = revocation.RevocationRegister(number=1, revoked=())
    for name in DIRECTORIES:
        files.make_private_directory(directory / name)
    contents = {
        "root.key.pem": encode_key(root.key, passphrase),
        "root.crt.pem": root_pem,
        "root.crt.der": root.certificate.public_bytes(serialization.Encoding.DER),
        "issuing.key.pem": encode_key(authority.key, passphrase),
        "issuing.crt.pem": issuing_pem,
        "ca-chain.pem": issuing_pem + root_pem,
        "crl.pem": authority.build_crl((), now, number=register.number),
        "revoked.json": revocation.render_register(register),
        "master.key": os.urandom(MASTER_KEY_BYTES),
    }
    pairs = {
        "server/current": authority.issue_server(names, now),
        "server/next": authority.issue_server(names, now, profiles.NEXT_SERVER),
        "web/current": authority.issue_server(names, now),
        "service/ingest": authority.issue_service("ingest", now),
    }
    for stem, issued in pairs.items():
        contents[f"{stem}.key.pem"] = issued.key_pem
        contents[f"{stem}.crt.pem"] = issued.cert_pem + issuing_pem
    for name, data in contents.items():
        files.write_private(directory / name, data)
