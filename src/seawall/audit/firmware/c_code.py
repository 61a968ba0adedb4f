"""Reads C and C++ source: Arduino sketches, ESP-IDF programs, headers with settings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from seawall.audit.firmware.c_spots import c_places, c_traits, language_of
from seawall.audit.firmware.c_tokens import MAX_TOKENS, Kind, Token, arguments_from, tokens_of
from seawall.audit.firmware.python_secrets import literal_in_text
from seawall.audit.firmware.source import SourceFacts, parted
from seawall.audit.firmware.words import Literal, literal_of

_MIN_WPA_CHARS: Final = 8
_JOINS: Final = frozenset({"begin", "beginEnterprise", "addAP", "softAP", "connect"})
_WIFI: Final = re.compile(r"(?i)wifi|wlan|multi")
_LOGINS: Final[dict[str, tuple[int, ...]]] = {
    "setCredentials": (1,),
    "setAuthentication": (1,),
    "setAuthorization": (1,),
    "authenticate": (1,),
    "setPassword": (0,),
    "mqttConnect": (2,),
}
"""Methods, and which of their arguments is a password."""


def read_c(text: str) -> SourceFacts:
    """Read a source; whatever it is, nothing is raised."""
    tokens = tokens_of(text)
    constants = {name.text: text for name, text in _named_texts(tokens)}
    found: dict[int, Literal] = {}
    for text_token, literal in (
        *_given_names(tokens),
        *_calls(tokens, constants),
        *_texts(tokens),
    ):
        # A constant and the call that uses it are one secret.
        found.setdefault(id(text_token), literal)
    spots, seen = parted(c_places(tokens))
    literals = tuple(sorted(found.values(), key=lambda literal: literal.line))
    fault = "only its beginning was read" if len(tokens) >= MAX_TOKENS - 1 else None
    return SourceFacts(literals, spots, c_traits(tokens), seen, language_of(tokens), fault)


def _named_texts(tokens: list[Token]) -> Iterator[tuple[Token, Token]]:
    for position, token in enumerate(tokens):
        if token.kind is not Kind.TEXT:
            continue
        before = tokens[max(0, position - 8) : position]
        if (
            len(before) >= 2
            and before[-2] == Token(Kind.DIRECTIVE, "define", before[-2].line)
            and before[-1].kind is Kind.NAME
        ):
            yield before[-1], token
            continue
        if not before or before[-1].text not in {"=", "(", "{"} or before[-1].kind is Kind.TEXT:
            continue
        name = _assigned_name(before)
        if name is not None:
            yield name, token


def _assigned_name(before: list[Token]) -> Token | None:
    """Return the name in ``char name[8] = {`` or ``String name(`` that stands before a text."""
    rest = [token for token in before if token.kind is not Kind.LINE_END]
    if rest[-1].text == "{":
        rest.pop()
    if rest and rest[-1].text == "=":
        rest.pop()
        if rest and rest[-1].text == "]":
            while rest and rest.pop().text != "[":
                pass
        while rest and rest[-1].text in {"PROGMEM", "ICACHE_RODATA_ATTR"}:
            rest.pop()
            if rest and rest[-1].text == "]":
                while rest and rest.pop().text != "[":
                    pass
        return rest[-1] if rest and rest[-1].kind is Kind.NAME else None
    if (
        len(rest) >= 3
        and rest[-1].text == "("
        and rest[-2].kind is Kind.NAME
        and rest[-3].text in {"String", "string", "char"}
    ):
        return rest[-2]  # String password("...");
    return None


def _given_names(tokens: list[Token]) -> Iterator[tuple[Token, Literal]]:
    for name, text in _named_texts(tokens):
        literal = literal_of(name.text, text.text, text.line)
        if literal is not None:
            yield text, literal
    for position in range(2, len(tokens)):
        # doc["password"] = "..."  and  if (password == "...")
        key, sign, value = tokens[position - 2 : position + 1]
        if value.kind is Kind.TEXT and sign.text in {"==", "!="} and key.kind is Kind.NAME:
            literal = literal_of(key.text, value.text, value.line)
        elif value.kind is Kind.TEXT and sign.text == "=" and key.text == "]" and position >= 4:
            index = tokens[position - 3]
            is_key = index.kind is Kind.TEXT
            literal = literal_of(index.text, value.text, value.line) if is_key else None
        else:
            continue
        if literal is not None:
            yield value, literal


def _calls(tokens: list[Token], constants: dict[str, Token]) -> Iterator[tuple[Token, Literal]]:
    for position, token in enumerate(tokens):
        if token.kind is not Kind.NAME or position + 1 >= len(tokens):
            continue
        if tokens[position + 1].text != "(" or tokens[position + 1].kind is not Kind.SIGN:
            continue
        receiver = _receiver(tokens, position)
        if not receiver:
            continue
        arguments = arguments_from(tokens, position + 2)
        for index in _password_places(token.text, receiver, arguments):
            value = _text(arguments, index, constants)
            if value is None:
                continue
            is_wifi = token.text in _JOINS and _WIFI.search(receiver)
            if is_wifi and len(value.text) < _MIN_WPA_CHARS:
                continue
            name = f"{receiver}.{token.text}()"
            literal = literal_of(name, value.text, value.line, certain=True)
            if literal is not None:
                yield value, literal


def _password_places(method: str, receiver: str, arguments: list[list[Token]]) -> tuple[int, ...]:
    if method in _JOINS and _WIFI.search(receiver) and len(arguments) >= 2:
        return (1,)
    if method == "connect" and len(arguments) in {3, 7, 8}:
        return (2,)  # PubSubClient::connect(id, user, pass, ...)
    return _LOGINS.get(method, ())


def _receiver(tokens: list[Token], position: int) -> str:
    if position < 2 or tokens[position - 1].text not in {".", "->", "::"}:
        return ""
    owner = tokens[position - 2]
    return owner.text if owner.kind is Kind.NAME else ""


def _text(arguments: list[list[Token]], index: int, constants: dict[str, Token]) -> Token | None:
    if index >= len(arguments):
        return None
    parts = [t for t in arguments[index] if t.text not in {"(", ")", "char", "const", "*", "&"}]
    if len(parts) != 1:
        return None
    [only] = parts
    if only.kind is Kind.NAME:
        return constants.get(only.text)
    return only if only.kind is Kind.TEXT else None


def _texts(tokens: list[Token]) -> Iterator[tuple[Token, Literal]]:
    for token in tokens:
        if token.kind is Kind.TEXT and (found := literal_in_text(token.text, token.line)):
            yield token, found
