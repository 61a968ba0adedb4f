"""The register of revoked certificates, from which the revocation list is made."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seawall.errors import StateError
from seawall.pki.authority import RevokedCertificate


@dataclass(frozen=True, slots=True)
class RevocationRegister:
    """What was revoked, and the number of the list that says so (RFC 5280, section 5.2.3)."""

    number: int
    revoked: tuple[RevokedCertificate, ...]

    def with_serial(self, serial: str, at_ms: int) -> RevocationRegister:
        """Return the register with one more certificate; unchanged if it has it."""
        if any(entry.serial == serial for entry in self.revoked):
            return self
        return replace(self, revoked=(*self.revoked, RevokedCertificate(serial, at_ms)))

    def with_next_number(self) -> RevocationRegister:
        """Return the register for the next list."""
        return replace(self, number=self.number + 1)


def render_register(register: RevocationRegister) -> bytes:
    """Return the register as JSON."""
    members = {
        "format": 1,
        "number": register.number,
        "revoked": [{"serial": e.serial, "at_ms": e.at_ms} for e in register.revoked],
    }
    return (json.dumps(members, indent=1) + "\n").encode()


def parse_register(data: bytes) -> RevocationRegister:
    """Read a register.

    Raises:
        ValueError: it is not what `render_register` writes.
    """
    members: Any = json.loads(data)
    try:
        if members["format"] != 1:
            raise ValueError(f"format {members['format']!r} is not known")
        entries = tuple(
            RevokedCertificate(format(int(e["serial"], 16), "x"), int(e["at_ms"]))
            for e in members["revoked"]
        )
        return RevocationRegister(int(members["number"]), entries)
    except (KeyError, TypeError) as error:
        raise ValueError(f"a member is missing or of another type: {error}") from error


def read_register(path: Path) -> RevocationRegister:
    """Read a register from its file.

    Raises:
        StateError: it is missing or damaged.
    """
    try:
        return parse_register(path.read_bytes())
    except (OSError, ValueError) as error:
        raise StateError(
            f"{path} cannot be read: {error}",
            reference="state-damaged",
            hint="restore it from a backup; without it revoked devices would be forgotten",
        ) from error
