"""What an audit says: findings, their fixes and grades.

The ten items are those of the OWASP IoT Top 10 of 2018
(https://owasp.org/www-project-internet-of-things/), in its order.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import IntEnum, StrEnum
from typing import TypeAlias


class Item(IntEnum):
    """One of the ten weaknesses."""

    PASSWORDS = 1
    """Weak, guessable or hard-coded passwords."""
    SERVICES = 2
    """Insecure network services."""
    INTERFACES = 3
    """Insecure ecosystem interfaces."""
    UPDATES = 4
    """Lack of a secure update mechanism."""
    COMPONENTS = 5
    """Insecure or outdated components."""
    PRIVACY = 6
    """Insufficient privacy protection."""
    TRANSFER_AND_STORAGE = 7
    """Insecure data transfer and storage."""
    MANAGEMENT = 8
    """Lack of device management."""
    DEFAULTS = 9
    """Insecure default settings."""
    HARDWARE = 10
    """Lack of physical hardening."""


class _Ranked(StrEnum):
    """Words that are ordered as they are declared, not by their letters."""

    @property
    def rank(self) -> int:
        """Place in the order, 0 the lowest."""
        return list(type(self)).index(self)

    def __lt__(self, other: str) -> bool:
        return self.rank < type(self)(other).rank

    def __le__(self, other: str) -> bool:
        return self.rank <= type(self)(other).rank

    def __gt__(self, other: str) -> bool:
        return self.rank > type(self)(other).rank

    def __ge__(self, other: str) -> bool:
        return self.rank >= type(self)(other).rank


class Severity(_Ranked):
    """How bad a failed check is; ordered, ``info`` the lowest."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Status(StrEnum):
    """What a check found. Unknown is never a pass."""

    PASS = "pass"  # noqa: S105  a verdict
    FAIL = "fail"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not-applicable"


class Confidence(_Ranked):
    """How sure a finding is; ordered. Proven by what the target did: high."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Risk(_Ranked):
    """What a check does to its target; ordered."""

    READ = "read"
    """Reads, or connects without signing in."""
    LOGIN = "login"
    """Signs in, with what it was given or with default passwords."""
    WRITE = "write"
    """Leaves a trace: publishes as a device that there is not, sends an odd request."""


@dataclass(frozen=True, slots=True)
class References:
    """Where standards speak of a check.

    Attributes:
        owasp: OWASP IoT Top 10 2018, as ``I1``.
        etsi: Provisions of ETSI EN 303 645, as ``5.1-1``.
        nist: Capabilities of NIST IR 8259A, as ``Data Protection``.
        cwe: Numbers of the Common Weakness Enumeration.
    """

    owasp: tuple[str, ...] = ()
    etsi: tuple[str, ...] = ()
    nist: tuple[str, ...] = ()
    cwe: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a target.

    Attributes:
        path: Relative to a target that is a folder; else the file's name.
        line: From 1, None for the file as a whole.
    """

    path: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class ChangeMode:
    """Give a file another mode.

    Attributes:
        path: As a command in the current directory would name it.
        mode: Permission bits, as ``0o600``.
    """

    path: str
    mode: int


@dataclass(frozen=True, slots=True)
class ChangeText:
    """Give a file another content; it keeps its mode.

    Attributes:
        path: As a command in the current directory would name it.
        before: What the file must still hold, whole.
        after: What it holds then.
    """

    path: str
    before: bytes
    after: bytes


Change: TypeAlias = ChangeMode | ChangeText


@dataclass(frozen=True, slots=True)
class Fix:
    """How to mend what was found.

    Attributes:
        text: One or two sentences.
        command: A line for the shell that works as printed.
        changes: What ``--fix`` may apply by itself.
    """

    text: str
    command: str | None = None
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check says of one thing.

    Attributes:
        status: The verdict.
        evidence: What was seen, exact and short. Never a secret, nor the hash of one.
        fix: How to mend it.
        severity: None: the check's own.
        confidence: How sure it is.
        location: Where in the target.
        reproduce: A line for the shell that shows the same.
        key: What tells two findings of one check on one target apart: stable over
            runs, no secret and no hash of one.
    """

    status: Status
    evidence: str
    fix: Fix | None = None
    severity: Severity | None = None
    confidence: Confidence = Confidence.HIGH
    location: Location | None = None
    reproduce: str | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class Waiver:
    """Somebody's decision to live with a finding for a time.

    Attributes:
        check: Id of the check.
        reason: Why.
        expires: The last day on which it holds.
        target: Name of the target; empty: all.
        fingerprint: Of the one finding; empty: all of the check.
    """

    check: str
    reason: str
    expires: date
    target: str = ""
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """A finding with all that a report says of it.

    Attributes:
        target: Name of the target.
        check: Id of the check.
        item: Which of the ten.
        status: The verdict.
        severity: How bad it is if the verdict is ``fail``.
        confidence: How sure it is.
        evidence: What was seen, redacted.
        fix: How to mend it, redacted but for its changes.
        location: Where in the target.
        fingerprint: 32 hex digits, the same in each run.
        reproduce: A line for the shell that shows the same, redacted.
        waived: The waiver in force.
    """

    target: str
    check: str
    item: Item
    status: Status
    severity: Severity
    confidence: Confidence
    evidence: str
    fix: Fix | None
    location: Location | None
    fingerprint: str
    reproduce: str | None = None
    waived: Waiver | None = None


class Grade(StrEnum):
    """From A, nothing to mend, to F."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"
    F = "F"
