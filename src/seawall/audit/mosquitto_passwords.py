"""Mosquitto's password file, and which of its hashes a short list opens: pure.

Formats: ``$6$salt$hash`` is SHA-512 over password and salt, once;
``$7$rounds$salt$hash`` is PBKDF2-HMAC-SHA512; ``$argon2id$`` came with 2.1. Salt and
hash are base64. Anything else is a password as it is typed.

Commands for it keep passwords out of arguments, which every user of a machine may list:
``mosquitto_passwd`` reads them from standard input. It refuses files with comments or with
lines without a password, which Mosquitto itself passes over.

Source: ``apps/mosquitto_passwd`` and ``src/password_mosq.c``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from seawall.audit.mosquitto_configuration import Source, lines_of
from seawall.audit.shell_words import path_word, sed_pattern
from seawall.audit.usual_passwords import USUAL_PASSWORDS

MAX_ROUNDS: Final = 20_000
"""Of hashing for one try, about 20 ms: an entry that asks for more stays unjudged, and is named."""

_HASH: Final = r"\$[a-z0-9]*\$"
"""How a hash begins, for grep and sed."""

_ENTRY: Final = re.compile(rb"(?!#).*:.")
"""What mosquitto_passwd takes for an entry; it refuses a file with any other line."""


class Scheme(StrEnum):
    """How an entry keeps its password."""

    SHA512 = "sha512"
    PBKDF2 = "pbkdf2-sha512"
    ARGON2 = "argon2id"
    PLAIN = "plain text"
    BROKEN = "unreadable"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line; what it keeps never shows in a repr."""

    user: str
    scheme: Scheme
    path: str
    line: int
    rounds: int = 0
    salt: bytes = field(default=b"", repr=False)
    digest: bytes = field(default=b"", repr=False)
    plain_length: int = 0
    weakness: str | None = None
    """How the list opens what stands in clear; a hash is tried by `weakness_of`."""


def parse_passwords(source: Source) -> list[Entry]:
    """Read a password file."""
    return [_entry(line, source.path, number) for number, line in lines_of(source)]


def _entry(line: str, path: str, number: int) -> Entry:
    user, colon, kept = line.strip().partition(":")
    if not colon or not kept:
        return Entry(user if colon else "", Scheme.BROKEN, path, number)
    fields = kept.split("$")
    if fields[0] or len(fields) < 4:
        weakness = _why(user, kept) if kept in candidates(user) else None
        return Entry(user, Scheme.PLAIN, path, number, plain_length=len(kept), weakness=weakness)
    if fields[1] == "argon2id":
        return Entry(user, Scheme.ARGON2, path, number)
    if fields[1] == "6" and len(fields) == 4:
        return _hashed(Entry(user, Scheme.SHA512, path, number, 1), fields[2:])
    rounds = fields[2]
    count = int(rounds) if rounds.isascii() and rounds.isdigit() and len(rounds) < 11 else 0
    if fields[1] == "7" and len(fields) == 5 and count:
        return _hashed(Entry(user, Scheme.PBKDF2, path, number, count), fields[3:])
    return Entry(user, Scheme.BROKEN, path, number)


def _hashed(entry: Entry, fields: Sequence[str]) -> Entry:
    try:
        salt, digest = (base64.b64decode(each, validate=True) for each in fields)
    except (binascii.Error, ValueError):
        return Entry(entry.user, Scheme.BROKEN, entry.path, entry.line)
    if not salt or len(digest) != 64:
        return Entry(entry.user, Scheme.BROKEN, entry.path, entry.line)
    return Entry(entry.user, entry.scheme, entry.path, entry.line, entry.rounds, salt, digest)


def candidates(user: str) -> Iterator[str]:
    """Yield what to try against a user's hash: variations of the name, then the usual ones."""
    seen: set[str] = set()
    for stem in dict.fromkeys((user, user.lower(), user.capitalize())):
        own = (stem, stem + "123", stem + "1", stem + "1234", stem[::-1])
        for each in (*own, stem + stem):
            if each and each not in seen:
                seen.add(each)
                yield each
    yield from (each for each in ("", *USUAL_PASSWORDS) if each not in seen)


def opens(entry: Entry, password: str) -> bool:
    """Tell whether a password opens an entry."""
    typed = password.encode("utf-8", "surrogateescape")
    if entry.scheme is Scheme.SHA512:
        digest = hashlib.sha512(typed + entry.salt).digest()
    elif entry.scheme is Scheme.PBKDF2:
        digest = hashlib.pbkdf2_hmac("sha512", typed, entry.salt, entry.rounds)
    else:
        return False
    return hmac.compare_digest(digest, entry.digest)


def weakness_of(entry: Entry) -> str | None:
    """Return how the list opens an entry, in words without the password; None if it does not."""
    if entry.scheme is Scheme.PLAIN:
        return entry.weakness
    found = next((each for each in candidates(entry.user) if opens(entry, each)), None)
    return None if found is None else _why(entry.user, found)


def is_judged(entry: Entry) -> bool:
    """Tell whether `weakness_of` can judge an entry in bounded time."""
    if entry.scheme is Scheme.PLAIN:
        return True
    return bool(entry.digest) and entry.rounds <= MAX_ROUNDS


def command_to_renew(source: Source, user: str) -> str:
    """Return the command that gives a user a random password, and shows it."""
    file, name = path_word(source.path), shlex.quote(user)
    return (
        f"{_without_what_is_refused(source)}"
        "(password=$(openssl rand -base64 24) && "
        f'printf \'%s\\n%s\\n\' "$password" "$password" | mosquitto_passwd {file} {name} && '
        f"printf '\\nnew password of %s: %s\\n' {name} \"$password\")"
    )


def command_to_hash(source: Source, user: str) -> str:
    """Return the command that hashes what stands in clear, and never a hash again.

    ``mosquitto_passwd -U`` takes every line for a password, hashes as well.
    """
    file = path_word(source.path)
    before = _without_what_is_refused(source)
    if all(each.scheme in {Scheme.PLAIN, Scheme.BROKEN} for each in parse_passwords(source)):
        return f"{before}{{ grep -q ':{_HASH}' {file} || mosquitto_passwd -U {file}; }}"
    line = f"^ *{sed_pattern(user)}:"
    kept = shlex.quote(f"/{line}{_HASH}/!s/{line}//p")
    return (
        f'{before}(password=$(sed -n {kept} {file}) && test -n "$password" && '
        'printf \'%s\\n%s\\n\' "$password" "$password" | '
        f"mosquitto_passwd {file} {shlex.quote(user)})"
    )


def _without_what_is_refused(source: Source) -> str:
    """Return what takes out comments and lines without a password, if there are any."""
    lines = source.data.removesuffix(b"\n").split(b"\n")
    if all(_ENTRY.match(each) for each in lines):
        return ""
    return f"sed -i -e '/^#/d' -e '/:./!d' {path_word(source.path)} && "


def _why(user: str, password: str) -> str:
    if not password:
        return "is empty"
    if password == user:
        return "is the user's name"
    if user and user.lower() in password.lower():
        return f"is made of the user's name ({len(password)} characters)"
    return f"is in the list of usual ones ({len(password)} characters)"
