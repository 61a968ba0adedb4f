"""Cuts C and C++ source, Arduino sketches as well, into tokens.

A lexer of our own, by the phases of translation of C++17 ([lex.phases]): comments go, lines
that end in a backslash are joined, neighbouring strings become one, raw strings and escapes
are read. Grammars as a package weigh megabytes and want whole translation units; what is
asked here, which literal is given to which name or call, needs tokens alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Kind(Enum):
    """What a token is."""

    NAME = "name"
    TEXT = "text"
    NUMBER = "number"
    SIGN = "sign"
    DIRECTIVE = "directive"
    """``#`` and the word behind it."""
    LINE_END = "line end"
    """Of a directive alone: elsewhere ends of lines mean nothing."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token.

    Attributes:
        kind: What it is.
        text: Of a string, its value: escapes resolved, quotes gone.
        line: Where it begins, from 1.
    """

    kind: Kind
    text: str
    line: int


_TOKEN: Final = re.compile(
    r"""
      (?P<space>[^\S\n]+|\\\r?\n)
    | (?P<newline>\n)
    | (?P<comment>//(?:[^\n\\]|\\(?:\r?\n)?)*|/\*.*?(?:\*/|\Z))
    | (?P<raw>(?:u8|[uUL])?R"(?P<mark>[^()\\\s]{0,16})\(.*?(?:\)(?P=mark)"|\Z))
    | (?P<string>(?:u8|[uUL])?"(?:[^"\\\n]|\\(?:\r?\n|.))*(?:"|(?=\n)|\Z))
    | (?P<char>(?:u8|[uUL])?'(?:[^'\\\n]|\\.)*(?:'|(?=\n)|\Z))
    | (?P<directive>\#[^\S\n]*[A-Za-z_]*)
    | (?P<name>[A-Za-z_$][A-Za-z0-9_$]*)
    | (?P<number>\.?[0-9](?:[eEpP][+-]|'?[A-Za-z0-9_.])*)
    | (?P<sign>->|::|==|!=|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE: Final = re.compile(
    r"\\(?:\r?\n|x([0-9a-fA-F]+)|([0-7]{1,3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL
)
_SIMPLE: Final = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "a": "\a", "b": "\b", "e": "\x1b"}
MAX_TOKENS: Final = 100_000
"""Then a source is read no further: memory and time have an end."""
_WRAPPERS: Final = frozenset({"F", "PSTR", "TEXT", "String", "_T"})


def tokens_of(text: str) -> list[Token]:
    """Return the tokens of a source; at most `MAX_TOKENS`; nothing is raised."""
    found: list[Token] = []
    line = 1
    in_directive = False
    for match in _TOKEN.finditer(text):
        if len(found) >= MAX_TOKENS:
            break
        kind, value = match.lastgroup or "", match.group()
        kind = "raw" if kind == "mark" else kind
        if kind == "newline" and in_directive:
            found.append(Token(Kind.LINE_END, "", line))
            in_directive = False
        token = _token(kind, value, line)
        if token is not None:
            in_directive = in_directive or token.kind is Kind.DIRECTIVE
            found.append(token)
        line += value.count("\n")
    if in_directive:
        found.append(Token(Kind.LINE_END, "", line))
    return _joined(found)


def arguments_from(tokens: list[Token], start: int) -> list[list[Token]]:
    """Return the arguments of a call whose parenthesis was just opened."""
    arguments: list[list[Token]] = [[]]
    depth = 0
    for token in tokens[start : start + 96]:
        if token.kind is Kind.SIGN and token.text in "([{":
            depth += 1
        elif token.kind is Kind.SIGN and token.text in ")]}":
            if depth == 0:
                break
            depth -= 1
        elif token.kind is Kind.SIGN and token.text == "," and depth == 0:
            arguments.append([])
            continue
        arguments[-1].append(token)
    return arguments


def includes_of(tokens: list[Token]) -> Iterator[tuple[str, int]]:
    """Yield what a source includes, with its line: ``PubSubClient.h``."""
    for position, token in enumerate(tokens):
        if token.kind is Kind.DIRECTIVE and token.text == "include":
            parts: list[str] = []
            for part in tokens[position + 1 : position + 16]:
                if part.kind is Kind.LINE_END or part.text == ">":
                    break
                parts.append(part.text)
            yield "".join(parts).lstrip("<"), token.line


def _token(kind: str, value: str, line: int) -> Token | None:
    match kind:
        case "raw":
            body = value[value.index('"') + 1 :]
            mark, _, content = body.partition("(")
            return Token(Kind.TEXT, content.removesuffix(f'){mark}"'), line)
        case "string":
            content = value[value.index('"') + 1 :].removesuffix('"')
            return Token(Kind.TEXT, _ESCAPE.sub(_escaped, content), line)
        case "directive":
            return Token(Kind.DIRECTIVE, value[1:].strip(), line)
        case "name":
            return Token(Kind.NAME, value, line)
        case "number" | "char":
            return Token(Kind.NUMBER, value, line)
        case "sign":
            return Token(Kind.SIGN, value, line)
        case _:
            return None


def _escaped(match: re.Match[str]) -> str:
    hexadecimal, octal, short, long, simple = match.groups()
    if simple is not None:
        return _SIMPLE.get(simple, simple)
    digits = hexadecimal or short or long
    if digits is not None:
        code = int(digits[:8], 16)
    elif octal is not None:
        code = int(octal, 8)
    else:
        return ""  # A line that goes on.
    return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"


def _joined(tokens: list[Token]) -> list[Token]:
    """Join neighbouring strings, and take ``F("...")`` for the string in it."""
    joined: list[Token] = []
    position = 0
    while position < len(tokens):
        token = tokens[position]
        if token.kind is Kind.TEXT and joined and joined[-1].kind is Kind.TEXT:
            joined[-1] = Token(Kind.TEXT, joined[-1].text + token.text, joined[-1].line)
        elif _is_wrapped(tokens, position):
            joined.append(tokens[position + 2])
            position += 3
        else:
            joined.append(token)
        position += 1
    return joined


def _is_wrapped(tokens: list[Token], position: int) -> bool:
    four = tokens[position : position + 4]
    return (
        len(four) == 4
        and four[0].kind is Kind.NAME
        and four[0].text in _WRAPPERS
        and four[1].text == "("
        and four[1].kind is Kind.SIGN
        and four[2].kind is Kind.TEXT
        and four[3].text == ")"
    )
