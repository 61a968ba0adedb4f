"""The errors that a person or a program can act on.

Every error carries a kebab-case ``reference`` (it has an entry in
``docs/reference/errors.md``), a message that says what was wrong and where, and
a hint that says what to do. This module imports nothing of Seawall.
"""

from __future__ import annotations


class SeawallError(Exception):
    """Base of all errors that Seawall raises on purpose.

    Args:
        message: What was wrong, and where (file, line, field), in one sentence.
        reference: Stable kebab-case name, such as ``state-half-made``.
        hint: What the reader can do about it; empty if nothing useful is known.
    """

    reference = "error"

    def __init__(self, message: str, *, reference: str | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        if reference is not None:
            self.reference = reference
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class UsageError(SeawallError):
    """The command line, or the arguments of a call, do not fit."""

    reference = "usage"


class ConfigurationError(SeawallError):
    """A settings file or a bundle has a bad or missing field."""

    reference = "bad-configuration"


class StateError(SeawallError):
    """The state directory is missing, half made, of another version, or locked."""

    reference = "bad-state"


class KeyAccessError(SeawallError):
    """A key or certificate cannot be read, decrypted or used."""

    reference = "key-unreadable"


class NotFoundError(SeawallError):
    """The named device, user or other thing does not exist."""

    reference = "not-found"


class ConflictError(SeawallError):
    """The named thing exists already, or is in a state that forbids the order."""

    reference = "conflict"


class InvalidNameError(SeawallError):
    """An identifier has a character or a length that is not allowed."""

    reference = "invalid-name"


class ProtocolError(SeawallError):
    """Bytes from outside do not follow their protocol."""

    reference = "protocol-error"


class StoreError(SeawallError):
    """The store refused or failed; nothing of the call was kept."""

    reference = "store-failed"


class StoreFullError(StoreError):
    """The disk, or the quota of the store, is full; nothing of the call was kept."""

    reference = "store-full"


class ServiceError(SeawallError):
    """A part of the daemon cannot start or go on: a port taken, a program missing."""

    reference = "service-failed"
