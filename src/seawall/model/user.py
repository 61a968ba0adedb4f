"""People and programs that sign in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a user may do; each role includes those before it."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def includes(self, other: Role) -> bool:
        """Whether whoever has this role may do what the other one may."""
        roles = list(Role)
        return roles.index(self) >= roles.index(other)


@dataclass(frozen=True, slots=True)
class User:
    """A person. ``password_hash`` is an argon2id string (RFC 9106)."""

    name: str
    role: Role
    password_hash: str
    added_ms: int


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser, or an API token; the secret itself is not kept.

    Attributes:
        token_sha256: SHA-256 of the secret, lower-case hex.
        user_name: Whose it is.
        kind: ``browser`` or ``api``.
        csrf: Token that forms must repeat (browser sessions).
        created_ms: UTC milliseconds.
        expires_ms: UTC milliseconds.
    """

    token_sha256: str
    user_name: str
    kind: str
    csrf: str
    created_ms: int
    expires_ms: int
