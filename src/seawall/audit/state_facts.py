"""What the audit wants to know of a Seawall state directory: facts without a secret. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from seawall.model.device import Device
from seawall.model.installation import Settings
from seawall.model.user import Role


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file or folder of a state directory.

    Attributes:
        path: Relative to the state directory, ``.`` for itself.
        mode: Permission bits.
        uid: Whose it is.
        is_folder: Whether it is a folder.
        is_link: Whether it is a link; mode and owner are then those of what it names.
        is_special: Whether it is neither a file nor a folder: a socket, a pipe.
    """

    path: str
    mode: int
    uid: int
    is_folder: bool
    is_link: bool = False
    is_special: bool = False

    @property
    def is_open(self) -> bool:
        """Whether others than its owner may do anything with it."""
        return bool(self.mode & 0o077)

    @property
    def is_writable_by_others(self) -> bool:
        """Whether others may change it."""
        return bool(self.mode & 0o022)


@dataclass(frozen=True, slots=True)
class StateFiles:
    """The tree of a state directory, and what stands above it.

    Attributes:
        files: Folders before what is in them.
        is_whole: False if there were more than the audit looks at.
        above: The folders above, absolute, the nearest first.
        checkout: The folder above, or the state directory itself, that is a git checkout.
        is_ignored: Whether a ``.gitignore`` in the state directory keeps all of it out of git.
    """

    files: tuple[FileFacts, ...]
    is_whole: bool = True
    above: tuple[FileFacts, ...] = ()
    checkout: str | None = None
    is_ignored: bool = False


@dataclass(frozen=True, slots=True)
class StateSettings:
    """seawall.toml: what it means, and its exact bytes."""

    settings: Settings
    text: bytes


@dataclass(frozen=True, slots=True)
class CertificateDates:
    """A certificate that the installation lives by: its file in ``pki/`` and its life, UTC."""

    path: str
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True)
class StateKeys:
    """The keystore, by what is public of it.

    Attributes:
        certificates: Of authorities, servers and services.
        unsealed: Private keys of authorities that stand in ``pki/`` without a passphrase.
        crl_ends: When the revocation list ends.
        crl_serials: What it lists, lower-case hex.
        revoked_serials: What the register of revocations holds, lower-case hex.
    """

    certificates: tuple[CertificateDates, ...]
    unsealed: tuple[str, ...]
    crl_ends: datetime
    crl_serials: frozenset[str]
    revoked_serials: frozenset[str]


@dataclass(frozen=True, slots=True)
class UserFacts:
    """A user, by what was found of the password; neither it nor its hash is here.

    Attributes:
        name: Of the user.
        role: What the user may do.
        algorithm: Of the hash: ``argon2id``, or what else it says.
        memory_kib: That one guess takes.
        passes: Over that memory.
        guessed: What the password is, in words: ``a usual default``; empty: none of those tried.
        tried: How many usual passwords were tried.
    """

    name: str
    role: Role
    algorithm: str
    memory_kib: int
    passes: int
    guessed: str = ""
    tried: int = 0


@dataclass(frozen=True, slots=True)
class RegisteredDevice:
    """A device of the registry, when it was heard of last, and what it runs (None: never said)."""

    device: Device
    last_received_ms: int | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class StateRegistry:
    """The registry: all devices, sorted by id."""

    devices: tuple[RegisteredDevice, ...]


@dataclass(frozen=True, slots=True)
class StateReadings:
    """What readings hold, by name alone.

    Attributes:
        members: Names of metrics and other members of payloads, each with a device that sends it.
        oldest_ms: When the oldest reading was measured; None if there is none.
        signs: Field, what its value seems to be of a person, and the device that sends it.
    """

    members: tuple[tuple[str, str], ...] = ()
    oldest_ms: int | None = None
    signs: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class UpdateRole:
    """A role of the update repository.

    Attributes:
        role: ``root``, ``targets``, ``snapshot`` or ``timestamp``.
        threshold: How many keys must sign.
        expires: End of what it signed last, UTC; None if it has signed nothing.
        present: Files of its private keys that stand in the state directory, relative to it.
        unsealed: Those of them without a passphrase.
    """

    role: str
    threshold: int
    expires: datetime | None
    present: tuple[str, ...] = ()
    unsealed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StateUpdates:
    """The update repository; no roles: there are no update keys."""

    roles: tuple[UpdateRole, ...] = field(default=())
