"""Lends two identities to an audit of the own broker, for some minutes.

Whether a broker keeps devices apart is proven by devices that try. To use those of the fleet
would disturb them, and an entry in the registry stays for ever; so the authority signs two
certificates that live for minutes, and ``run/lent.json`` names them while the audit runs. The
daemon lets in whom that file names, until the file says or is gone. Who can write it, in a
folder that is its owner's alone, can read the authority's key beside it: it is no new door.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from seawall.audit.target import Access
from seawall.errors import KeyAccessError
from seawall.model.installation import StatePaths
from seawall.pki import files, profiles
from seawall.pki.keystore import Keystore

LENT_MS: Final = 5 * 60 * 1000
"""An audit that takes longer has lost its identities, and says that it was not let in."""
_MAX_BYTES: Final = 4096
_NAME: Final = re.compile(r"seawall-audit-[0-9a-f]{12}-[12]\Z")
_SERIAL: Final = re.compile(r"[0-9a-f]{1,40}\Z")


def read_lent(paths: StatePaths, now_ms: int) -> Mapping[str, str]:
    """Return the identities that are lent now, by name, with the serials of their certificates.

    Anything odd about the file, its mode among it, and nobody is lent anything.
    """
    try:
        text = files.read_private(Path(paths.lent))
        members: Any = json.loads(text) if len(text) <= _MAX_BYTES else {}
        ends_ms, lent = members["ends_ms"], members["identities"]
        if not now_ms < ends_ms <= now_ms + LENT_MS or len(lent) > 2:
            return {}
        return {
            name: serial
            for name, serial in lent.items()
            if _NAME.match(name) and _SERIAL.match(serial)
        }
    except (KeyAccessError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


@contextmanager
def lent_identities(
    root: Path, now_ms: Callable[[], int], taken_in: Callable[[Sequence[str]], bool]
) -> Iterator[Access | None]:
    """Lend two identities until the block ends.

    Args:
        root: The state directory.
        now_ms: The clock.
        taken_in: Waits until the daemon lets these in; whether it does.

    Yields:
        The first, with the second as its ``other``; None if none can be lent: the authority's
        key has a passphrase or cannot be read, another audit is under way, or the daemon did
            not take them in.
    """
    paths = StatePaths(root)
    if read_lent(paths, now_ms()):
        yield None  # another audit is under way
        return
    for stale in Path(paths.running).parent.glob("seawall-audit-*"):
        files.remove_tree(stale)  # of an audit that was killed
    stem = f"seawall-audit-{secrets.token_hex(6)}"
    names = (f"{stem}-1", f"{stem}-2")
    folder = Path(paths.running).parent / stem
    try:
        try:
            accesses = _write(paths, folder, names, now_ms())
        except (KeyAccessError, OSError, ValueError):
            yield None
            return
        if not taken_in(names):
            yield None
            return
        first, second = accesses
        yield Access(ca=first.ca, cert=first.cert, key=first.key, other=second)
    finally:
        Path(paths.lent).unlink(missing_ok=True)
        files.remove_tree(folder)


def _write(paths: StatePaths, folder: Path, names: Sequence[str], at_ms: int) -> list[Access]:
    keystore = Keystore.open(Path(paths.pki))
    authority = keystore.authority()
    files.make_private_directory(folder)
    lent: dict[str, str] = {}
    accesses = []
    for name in names:
        issued = authority.issue_device(
            name, datetime.fromtimestamp(at_ms / 1000, UTC), profiles.AUDIT
        )
        certificate, key = folder / f"{name}.crt.pem", folder / f"{name}.key.pem"
        files.write_private(certificate, issued.cert_pem)
        files.write_private(key, issued.key_pem)
        lent[name] = issued.serial
        accesses.append(Access(ca=keystore.root_path, cert=certificate, key=key))
    text = json.dumps({"ends_ms": at_ms + LENT_MS, "identities": lent})
    files.write_private(Path(paths.lent), text.encode())
    return accesses
