"""Passwords of people: argon2id (RFC 9106, the choice for little memory), rules for new ones."""

from __future__ import annotations

import secrets
from functools import lru_cache
from typing import Final

import argon2
from argon2.profiles import RFC_9106_LOW_MEMORY

from seawall.errors import UsageError

MIN_CHARS: Final = 12
MAX_CHARS: Final = 256
"""Longer ones would let anybody who signs in make the server hash at length."""
GENERATED_CHARS: Final = 20

_ALPHABET: Final = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
# Without l, o, I, O, 0 and 1, which people misread; 20 of 56 are 116 bits.

_hasher: Final = argon2.PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)


def check_new_password(user_name: str, password: str) -> None:
    """Check a password that somebody chooses (NIST SP 800-63B, section 5.1.1.2: length counts).

    Raises:
        UsageError: it is too short, too long, one character over and over, or the user's name.
    """
    if len(password) < MIN_CHARS:
        raise UsageError(
            f"the password has {len(password)} characters",
            reference="weak-password",
            hint=f"at least {MIN_CHARS}; several words are easy to remember",
        )
    if len(password) > MAX_CHARS:
        raise UsageError(
            f"the password has {len(password)} characters",
            reference="weak-password",
            hint=f"at most {MAX_CHARS}",
        )
    folded = password.casefold()
    if len(set(folded)) == 1 or not folded.replace(user_name.casefold(), "").strip():
        raise UsageError(
            "the password is the user's name, or one character over and over",
            reference="weak-password",
            hint="several words are easy to remember",
        )


def generate_password() -> str:
    """Return a random password that can be read aloud and typed."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(GENERATED_CHARS))


def hash_password(password: str) -> str:
    """Return the argon2id string of a password; takes 64 MiB and some 0.1 s on purpose."""
    return _hasher.hash(password)


def matches(password_hash: str | None, password: str) -> bool:
    """Tell whether a password is the one that was hashed.

    Args:
        password_hash: As `hash_password` returned it; None if there is no such
            user: as much work is done, so that time does not tell who exists.
        password: What was typed.
    """
    if len(password) > MAX_CHARS:
        password = password[:MAX_CHARS] + "\0"
    try:
        _hasher.verify(password_hash if password_hash is not None else _nobody(), password)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False
    return password_hash is not None


@lru_cache(maxsize=1)
def _nobody() -> str:
    return _hasher.hash(generate_password())
