"""Signs of personal data in a payload: pure, total; values are looked at and never kept."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

MAX_FIELDS: Final = 2_000
MAX_DEPTH: Final = 8
_MAX_NAME: Final = 40

_EMAIL: Final = re.compile(
    r"[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,4}\.[A-Za-z]{2,24}\b"
)
_PHONE: Final = re.compile(r"\+?[0-9][0-9 ()/.-]{6,18}[0-9]\Z")
_PERSON: Final = re.compile(r"[^\W\d_][\w'.-]+(?: [^\W\d_][\w'.-]*){1,3}\Z")
_WORD: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")

_PHONE_WORDS: Final = frozenset({"phone", "telephone", "mobile", "msisdn", "cellphone"})
_NAME_WORDS: Final = frozenset(
    {"firstname", "lastname", "surname", "fullname", "forename", "givenname", "familyname"}
    | {"nickname", "owner", "patient", "customer", "resident", "tenant", "username"}
)
_BIRTH_WORDS: Final = frozenset({"birthday", "birthdate", "dateofbirth", "dob"})
_LATITUDE: Final = frozenset({"lat", "latitude", "gpslat"})
_LONGITUDE: Final = frozenset({"lon", "lng", "long", "longitude", "gpslon", "gpslng"})


class Sign(NamedTuple):
    """A field that looks like a person's.

    Attributes:
        kind: What it seems to be.
        field: Its name, dots between levels; empty: free text.
        is_proven: Whether its value says so, not its name alone.
    """

    kind: str
    field: str
    is_proven: bool


def personal_data(payload: bytes) -> list[Sign]:
    """Return the signs in one payload, JSON or text, each once."""
    text = payload.decode("utf-8", "replace")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return [Sign("a mail address", "", True)] if _EMAIL.search(text) else []
    fields = dict(list(_fields(document, "", 0))[:MAX_FIELDS])
    signs = {sign for name, value in fields.items() if (sign := _sign(name, value))}
    return sorted(signs | set(_places(fields)))


def _fields(value: Any, name: str, depth: int) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and depth < MAX_DEPTH:
        for key, each in value.items():
            inner = f"{name}.{key[:_MAX_NAME]}" if name else key[:_MAX_NAME]
            yield from _fields(each, inner, depth + 1)
    elif isinstance(value, list) and depth < MAX_DEPTH:
        for each in value[:100]:
            yield from _fields(each, name, depth + 1)
    else:
        yield name, value


def _sign(name: str, value: Any) -> Sign | None:
    shown = "".join(each if each.isprintable() and each != "`" else "?" for each in name)
    leaf = shown.rpartition(".")[2]
    words = [each.lower() for each in _WORD.findall(leaf)]
    joined = "".join(words)
    if isinstance(value, str) and _EMAIL.search(value):
        return Sign("a mail address", shown, True)
    if _PHONE_WORDS & {*words, joined} or joined in {"tel", "phonenumber"}:
        if _PHONE.match(str(value)):
            return Sign("a telephone number", shown, True)
    elif joined in _BIRTH_WORDS and value:
        return Sign("a date of birth", shown, False)
    elif isinstance(value, str) and value:
        named = _NAME_WORDS & {*words, joined, "".join(words[-2:])}
        if named or (joined == "name" and _PERSON.match(value) and value.istitle()):
            return Sign("a person's name", shown, False)
    return None


def _places(fields: dict[str, Any]) -> Iterator[Sign]:
    """A place of less than a kilometre: latitude and longitude, three decimals or more."""
    for name, value in fields.items():
        prefix, _, leaf = name.rpartition(".")
        if leaf.lower() not in _LATITUDE or not _is_exact(value, 90):
            continue
        for other, far in fields.items():
            above, _, last = other.rpartition(".")
            if above == prefix and last.lower() in _LONGITUDE and _is_exact(far, 180):
                yield Sign("an exact place", name, True)
                break


def _is_exact(value: Any, bound: int) -> bool:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return -bound <= number <= bound and abs(number * 100 - round(number * 100)) > 1e-6
