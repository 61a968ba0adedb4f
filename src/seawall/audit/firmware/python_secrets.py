"""Secrets that stand in Python and MicroPython source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from seawall.audit.firmware.syntax import Module, argument, dotted
from seawall.audit.firmware.words import Literal, SecretKind, is_placeholder, literal_of

_WLAN_NAMES: Final = re.compile(r"(?i)wlan|wifi|wi_fi|station|sta_if|sta$|ap_if|\bap$|\bnic$")
_URL_LOGIN: Final = re.compile(r"\b[a-z][a-z0-9+.\-]*://([^\s/:@{}<>]+):([^\s/:@{}<>]+)@[\w\[]")
_AUTHORIZATION: Final = re.compile(r"(?i)^\s*(?:basic|bearer|token|apikey)\s+([\w+/=.\-]{6,})\s*$")
_QUERY: Final = re.compile(r"[?&]([A-Za-z_\-]{2,24})=([^&\s\"'#]+)")
_JOIN_COMMAND: Final = re.compile(r'AT\+CWJAP\w*="[^"\\]*\\*","([^"\\]+)')
_MIN_WPA_CHARS: Final = 8

_Named = tuple[str, ast.expr, bool]
"""A name, what it is given, and whether the place alone says that this is a password."""


def literals_in(module: Module) -> tuple[Literal, ...]:
    """Return the secrets of a module, one for each place where a value stands."""
    found: dict[tuple[int, int], Literal] = {}
    for name, node, certain in _named(module):
        value = module.text_of(node)
        if value is None:
            continue
        where = module.value_of(node) or node
        literal = literal_of(name, value, where.lineno, certain=certain)
        if literal is not None:
            found.setdefault((where.lineno, where.col_offset), literal)
    for literal, place in _in_texts(module):
        found.setdefault(place, literal)
    return tuple(found[place] for place in sorted(found))


def _named(module: Module) -> Iterator[_Named]:
    for node in module.nodes:
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    yield from _assigned(target, value)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                yield from _assigned(target, value)
            case ast.NamedExpr(target=target, value=value):
                yield from _assigned(target, value)
            case ast.FunctionDef(args=arguments) | ast.AsyncFunctionDef(args=arguments):
                yield from _defaults(arguments)
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    if isinstance(key, ast.Constant) and isinstance(key.value, str):
                        yield key.value, value, False
            case ast.Compare(left=left, ops=[ast.Eq() | ast.NotEq()], comparators=[right]):
                # A password that is compared with what stands here is hard-coded as well.
                yield from _compared(left, right)
                yield from _compared(right, left)
            case ast.Call():
                yield from _given(module, node)
            case _:
                pass


def _assigned(target: ast.expr, value: ast.expr) -> Iterator[_Named]:
    match target, value:
        case ast.Tuple(elts=names) | ast.List(elts=names), (
            ast.Tuple(elts=values) | ast.List(elts=values)
        ) if len(names) == len(values):
            for element, part in zip(names, values, strict=True):
                yield from _assigned(element, part)
        case ast.Subscript(slice=ast.Constant(value=str(key))), _:
            yield key, value, False
        case _:
            if name := dotted(target).rpartition(".")[2]:
                match value:
                    case ast.IfExp(body=body, orelse=other):
                        yield name, body, False
                        yield name, other, False
                    case ast.BoolOp(values=parts):
                        for part in parts:
                            yield name, part, False
                    case ast.Call(func=ast.Attribute(attr="get" | "getenv"), args=[_, fallback]):
                        yield name, fallback, False
                    case _:
                        yield name, value, False


def _defaults(arguments: ast.arguments) -> Iterator[_Named]:
    positional = [*arguments.posonlyargs, *arguments.args]
    for each, value in zip(reversed(positional), reversed(arguments.defaults), strict=False):
        yield each.arg, value, False
    for each, given in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if given is not None:
            yield each.arg, given, False


def _compared(name: ast.expr, value: ast.expr) -> Iterator[_Named]:
    match name:
        case ast.Subscript(slice=ast.Constant(value=str(key))):
            yield key, value, False
        case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value=str(key)), *_]):
            yield key, value, False
        case _ if last := dotted(name).rpartition(".")[2]:
            yield last, value, False
        case _:
            pass


def _given(module: Module, call: ast.Call) -> Iterator[_Named]:
    name = module.callee(call)
    last = name.rpartition(".")[2]
    for keyword in call.keywords:
        if keyword.arg:
            is_wifi_key = keyword.arg == "key" and last in {"connect", "config"}
            wlan = is_wifi_key and _is_wlan(module, call)
            yield (f"{last}({keyword.arg}=)" if wlan else keyword.arg), keyword.value, wlan
    if last == "connect" and len(call.args) >= 2 and _is_wlan(module, call):
        key = module.text_of(call.args[1])
        if key is not None and len(key) >= _MIN_WPA_CHARS:
            yield f"{last}()", call.args[1], True
    elif last == "MQTTClient" and (password := argument(call, "password", 4)) is not None:
        yield "MQTTClient()", password, True
    elif last in {"get", "getenv"} and len(call.args) == 2:
        key = module.text_of(call.args[0])
        if key is not None:
            yield key, call.args[1], False
    else:
        names = module.parameters.get(last, ())
        for parameter, value in zip(names, call.args, strict=False):
            yield parameter, value, False


def _is_wlan(module: Module, call: ast.Call) -> bool:
    """Return whether a method's object is a network interface, by its making or its name."""
    if not isinstance(call.func, ast.Attribute):
        return False
    receiver = call.func.value
    made = module.value_of(receiver)
    if isinstance(made, ast.Call):
        return dotted(made.func).rpartition(".")[2] in {"WLAN", "WIFI"}
    return bool(_WLAN_NAMES.search(dotted(receiver)))


def _in_texts(module: Module) -> Iterator[tuple[Literal, tuple[int, int]]]:
    """Find passwords within longer texts: URLs with a login, headers, modem commands."""
    for node in module.nodes:
        if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            continue
        literal = literal_in_text(node.value, node.lineno)
        if literal is not None:
            yield literal, (node.lineno, node.col_offset)


def literal_in_text(text: str, line: int) -> Literal | None:
    """Return the secret within a text: ``scheme://user:password@host``, and the like."""
    if len(text) > 1024:
        return None
    if login := _URL_LOGIN.search(text):
        return _unless_placeholder("a URL", SecretKind.PASSWORD, login[2], line)
    if header := _AUTHORIZATION.match(text):
        return _unless_placeholder("an Authorization header", SecretKind.TOKEN, header[1], line)
    for parameter in _QUERY.finditer(text):
        if literal := literal_of(parameter[1], parameter[2], line):
            return literal
    if command := _JOIN_COMMAND.search(text):
        return _unless_placeholder("AT+CWJAP", SecretKind.PASSWORD, command[1], line)
    return None


def _unless_placeholder(name: str, kind: SecretKind, value: str, line: int) -> Literal | None:
    if is_placeholder(value):
        return None
    if kind is SecretKind.PASSWORD:
        return literal_of(name, value, line, certain=True)
    return Literal(name, kind, len(value), False, line) if any(map(str.isdigit, value)) else None
