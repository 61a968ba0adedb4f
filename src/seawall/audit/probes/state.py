"""Looks at a Seawall state directory.

Files, settings and keystore are read here. The database and the update repository are
not: their readers stand beside the audit, not below it. Those jobs (`HANDED_IN`) have no
eyes of their own; `operations.audit_state` hands in what answers for them.
"""

from __future__ import annotations

import asyncio
import os
import stat
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, TypeVar

import msgspec

from seawall.audit.check import Job, Limits, Unobserved
from seawall.audit.probes.reading import read_bounded
from seawall.audit.state_facts import (
    CertificateDates,
    FileFacts,
    StateFiles,
    StateKeys,
    StateReadings,
    StateRegistry,
    StateSettings,
    StateUpdates,
    UserFacts,
)
from seawall.audit.target import Target
from seawall.errors import SeawallError
from seawall.model.installation import Settings
from seawall.pki.certificates import load_certificate
from seawall.pki.keystore import Keystore

Facts = TypeVar("Facts")

MAX_ENTRIES: Final = 200_000
"""Files of a state directory: three for each device, so more than other folders have."""
_ABOVE: Final = 32


def root_of(target: Target) -> Path:
    """Return the state directory.

    Raises:
        Unobserved: it is not there, or none.
    """
    if target.path is None or not target.path.is_dir():
        raise Unobserved(f"{target.name} is no folder")
    return target.path


def settings_of(root: Path, max_bytes: int) -> StateSettings:
    """Return what seawall.toml says. Ranges are not checked: the audit is to say so.

    Raises:
        Unobserved: it cannot be read, or is not understood.
    """
    text = read_bounded(root / "seawall.toml", max_bytes)
    try:
        return StateSettings(msgspec.convert(tomllib.loads(text.decode()), Settings), text)
    except (ValueError, RecursionError) as error:
        raise Unobserved(f"seawall.toml cannot be understood: {error}") from None


@dataclass(frozen=True, slots=True)
class ReadStateFiles(Job[StateFiles]):
    """Modes and owners of everything in the state directory; contents are not read."""

    connections: ClassVar[int] = 0

    async def observe(self, target: Target, limits: Limits) -> StateFiles:
        """Return the tree (see `Job.observe`)."""
        most = max(limits.max_files, MAX_ENTRIES)
        return await asyncio.to_thread(_tree, root_of(target).absolute(), most)


@dataclass(frozen=True, slots=True)
class ReadStateSettings(Job[StateSettings]):
    """seawall.toml."""

    connections: ClassVar[int] = 0

    async def observe(self, target: Target, limits: Limits) -> StateSettings:
        """Return the settings (see `Job.observe`)."""
        return settings_of(root_of(target), limits.max_bytes)


@dataclass(frozen=True, slots=True)
class ReadStateKeys(Job[StateKeys]):
    """Certificates, the revocation list, and whether the authorities' keys are sealed."""

    connections: ClassVar[int] = 0

    async def observe(self, target: Target, limits: Limits) -> StateKeys:
        """Return what is public of the keystore (see `Job.observe`)."""
        return await asyncio.to_thread(_keys, root_of(target) / "pki", limits.max_bytes)


class _HandedIn(Job[Facts]):
    """A job that operations answer for."""

    __slots__ = ()
    connections: ClassVar[int] = 0

    async def observe(self, target: Target, limits: Limits) -> Facts:
        """Say that nobody answers for it here."""
        raise Unobserved("the database and the update repository are not read from here")


@dataclass(frozen=True, slots=True)
class ReadStateUsers(_HandedIn[tuple[UserFacts, ...]]):
    """Users, and whether their passwords are usual ones; tried against the hash, offline."""


@dataclass(frozen=True, slots=True)
class ReadStateRegistry(_HandedIn[StateRegistry]):
    """The registry of devices."""


@dataclass(frozen=True, slots=True)
class ReadStateReadings(_HandedIn[StateReadings]):
    """What readings hold, by name."""


@dataclass(frozen=True, slots=True)
class ReadStateUpdates(_HandedIn[StateUpdates]):
    """The update repository."""


HANDED_IN: Final[tuple[type[Job[Any]], ...]] = (
    ReadStateUsers,
    ReadStateRegistry,
    ReadStateReadings,
    ReadStateUpdates,
)
"""Jobs that somebody above must answer for."""


# The tree


def _tree(root: Path, most: int) -> StateFiles:
    found: list[FileFacts] = []
    try:
        found.append(_facts(root, "."))
        waiting = [(root, "")]
        while waiting and len(found) < most:
            folder, prefix = waiting.pop()
            waiting += _listed(folder, prefix, found, most)
    except OSError as error:
        name = Path(error.filename or root).name
        raise Unobserved(f"{name} cannot be looked at: {error.strerror}") from None
    above = tuple(_facts(folder, str(folder)) for folder in list(root.parents)[:_ABOVE])
    checkout = next((each for each in (root, *root.parents) if (each / ".git").exists()), None)
    return StateFiles(
        files=tuple(found),
        is_whole=not waiting and len(found) < most,
        above=above,
        checkout=str(checkout) if checkout else None,
        is_ignored=_is_ignored(root / ".gitignore"),
    )


def _is_ignored(path: Path) -> bool:
    try:
        return b"*" in read_bounded(path, 4096).split()
    except Unobserved:
        return False


def _listed(folder: Path, prefix: str, found: list[FileFacts], most: int) -> list[tuple[Path, str]]:
    """Add what is in a folder; return the folders in it."""
    deeper: list[tuple[Path, str]] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if len(found) >= most:
                break
            name = f"{prefix}{entry.name}"
            try:
                facts = _facts(Path(entry.path), name, is_link=entry.is_symlink())
            except FileNotFoundError:
                continue  # a running daemon replaces files; a link may lead nowhere
            found.append(facts)
            if facts.is_folder and not facts.is_link:
                deeper.append((Path(entry.path), f"{name}/"))
    return deeper


def _facts(path: Path, name: str, *, is_link: bool = False) -> FileFacts:
    status = path.stat()
    mode = status.st_mode
    is_special = not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
    return FileFacts(
        name, stat.S_IMODE(mode), status.st_uid, stat.S_ISDIR(mode), is_link, is_special
    )


# The keystore

_AUTHORITY_KEYS: Final = ("root.key.pem", "issuing.key.pem")
_CERTIFICATES: Final = (
    "root.crt.pem",
    "issuing.crt.pem",
    "server/current.crt.pem",
    "web/current.crt.pem",
    "service/ingest.crt.pem",
)
# Not server/next.crt.pem: it is made to wait, and replaced when it serves.


def _keys(pki: Path, max_bytes: int) -> StateKeys:
    # Not by `Keystore.open`, which refuses what is open to others: the audit is to say so.
    keystore = Keystore(pki)
    try:
        certificates = [load_certificate(pki / name) for name in _CERTIFICATES]
        return StateKeys(
            certificates=tuple(
                CertificateDates(name, each.not_valid_before_utc, each.not_valid_after_utc)
                for name, each in zip(_CERTIFICATES, certificates, strict=True)
            ),
            unsealed=tuple(
                name
                for name in _AUTHORITY_KEYS
                if (pki / name).exists() and b"ENCRYPTED" not in read_bounded(pki / name, max_bytes)
            ),
            crl_ends=keystore.crl_ends(),
            crl_serials=keystore.crl_serials(),
            revoked_serials=frozenset(each.serial for each in keystore.revoked().revoked),
        )
    except SeawallError as error:
        raise Unobserved(f"the keystore cannot be read: {error}") from None
    except (OSError, ValueError) as error:
        raise Unobserved(f"the keystore is damaged: {error}") from None
