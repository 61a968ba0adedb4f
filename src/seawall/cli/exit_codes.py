"""What the exit status of each command means; docs/reference/exit-codes.md is made from it."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from seawall import errors


class ExitCode(IntEnum):
    """Exit status of ``seawall``."""

    OK = 0
    """It was done, or the answer is yes."""
    FAILED = 1
    """It was tried and failed, or the answer is no (a signature that does not match)."""
    USAGE = 2
    """The command line, a name or a settings file is wrong; nothing was done."""
    NOT_FOUND = 3
    """The named device, user or state directory does not exist."""
    CONFLICT = 4
    """It exists already, or its state forbids the order."""
    UNREADABLE_KEY = 5
    """A key cannot be read: wrong passphrase, wrong mode, damaged."""
    UNAVAILABLE = 6
    """A port is taken, a program is missing, or a service does not answer."""
    STORE = 7
    """The store failed or the disk is full."""
    INTERNAL = 70
    """A fault of Seawall itself (EX_SOFTWARE of sysexits.h)."""
    INTERRUPTED = 130
    """Ended by Ctrl-C."""


_BY_ERROR: Final[tuple[tuple[type[errors.SeawallError], ExitCode], ...]] = (
    (errors.UsageError, ExitCode.USAGE),
    (errors.InvalidNameError, ExitCode.USAGE),
    (errors.ConfigurationError, ExitCode.USAGE),
    (errors.NotFoundError, ExitCode.NOT_FOUND),
    (errors.ConflictError, ExitCode.CONFLICT),
    (errors.StateError, ExitCode.NOT_FOUND),
    (errors.KeyAccessError, ExitCode.UNREADABLE_KEY),
    (errors.ServiceError, ExitCode.UNAVAILABLE),
    (errors.StoreError, ExitCode.STORE),
)


def exit_code_of(error: errors.SeawallError) -> ExitCode:
    """Return the exit status for an error; `ExitCode.FAILED` if no class of its own has one."""
    for kind, code in _BY_ERROR:
        if isinstance(error, kind):
            return code
    return ExitCode.FAILED


class AuditExitCode(IntEnum):
    """Exit status of ``seawall audit``: as scanners have it, so that it fits into pipelines."""

    CLEAN = 0
    """No open failure is as severe as `--fail-on` says."""
    FINDINGS = 1
    """At least one is."""
    USAGE = 2
    """The command line, a target or audit.toml is wrong, or a file that was asked for cannot
    be written."""
    INCOMPLETE = 3
    """With `--strict`: no such failure, but something is unknown."""
    INTERNAL = 4
    """A check failed by a fault of its own; the rest of the report stands."""
