"""A Python module as a tree, with what names in it stand for.

MicroPython's language is Python 3, so `ast` reads it. Constants are followed within the
module: ``wlan.connect(SSID, KEY)`` is as hard-coded as the lines that name them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

_MICRO: Final = frozenset(
    {"machine", "network", "esp", "esp32", "micropython", "umqtt", "urequests", "ujson", "uos"}
    | {"uasyncio", "usocket", "ussl", "utime", "rp2", "pyb", "webrepl", "tls", "uhashlib", "mip"}
    | {"ubinascii", "ustruct", "urandom", "bluetooth", "ubluetooth", "neopixel", "btree"}
    | {"espnow", "aioespnow", "ntptime", "framebuf", "deflate", "uctypes", "vfs"}
)
_HOSTED: Final = frozenset(
    {"subprocess", "threading", "pathlib", "typing", "argparse", "http", "multiprocessing"}
    | {"paho", "flask", "fastapi", "numpy", "RPi", "gpiozero", "smbus", "smbus2", "concurrent"}
)
_WRAPPERS: Final = frozenset(
    {"const", "bytes", "bytearray", "str", "b64decode", "a2b_base64", "unhexlify", "fromhex"}
    | {"encode", "decode", "strip"}
)
"""Calls that give back what they were given, in another coat."""
_MAX_TEXTS: Final = 16


class Module:
    """A parsed module.

    Args:
        text: Source.

    Raises:
        SyntaxError: it is no Python.
    """

    def __init__(self, text: str) -> None:
        try:
            self.tree = ast.parse(text)
        except (ValueError, RecursionError, MemoryError) as error:
            raise SyntaxError(type(error).__name__) from error
        self.nodes = list(ast.walk(self.tree))
        self.aliases: dict[str, str] = {}
        self.imported: set[str] = set()
        self._constants: dict[str, ast.expr | None] = {}
        self.parameters: dict[str, tuple[str, ...]] = {}
        for node in self.nodes:
            self._learn(node)
        self.is_micro = bool(self.imported & _MICRO) and not self.imported & _HOSTED
        self.is_hosted = bool(self.imported & _HOSTED)

    def _learn(self, node: ast.AST) -> None:
        match node:
            case ast.Import(names=names):
                for each in names:
                    top = each.name.split(".")[0]
                    self.imported.add(top)
                    self.aliases[each.asname or top] = each.name if each.asname else top
            case ast.ImportFrom(module=str(module), names=names):
                self.imported.add(module.split(".")[0])
                for each in names:
                    self.aliases[each.asname or each.name] = f"{module}.{each.name}"
            case ast.Assign(targets=[target], value=value) if name := dotted(target):
                # Given twice, it may be either: then nothing is known.
                self._constants[name] = None if name in self._constants else value
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                given = [one.arg for one in [*node.args.posonlyargs, *node.args.args]]
                own = tuple(given[1:] if given[:1] in (["self"], ["cls"]) else given)
                self.parameters[node.name] = () if node.name in self.parameters else own
            case _:
                pass

    def callee(self, call: ast.Call) -> str:
        """Return what is called by its full name: aliases resolved, ``u`` of modules gone.

        ``urequests.get``, ``from requests import get`` and ``import requests as r`` are all
        ``requests.get``.
        """
        name = dotted(call.func)
        head, _, rest = name.partition(".")
        full = self.aliases.get(head, head) + (f".{rest}" if rest else "")
        top, dot, rest = full.removeprefix("lib.").partition(".")
        if top in {"urequests", "ussl", "usocket", "ujson", "uos", "uasyncio", "uaiohttp"}:
            top = top[1:]
        return top + dot + rest

    def value_of(self, node: ast.expr | None) -> ast.expr | None:
        """Return what a name was given in this module, if only once; else the node itself."""
        for _ in range(4):
            name = dotted(node) if isinstance(node, ast.Name | ast.Attribute) else ""
            known = self._constants.get(name) if name else None
            if known is None:
                return node
            node = known
        return node

    def text_of(self, node: ast.expr | None) -> str | None:
        """Return the text that stands in an expression, None if it is made at run time."""
        for _ in range(4):
            node = self.value_of(node)
            match node:
                case ast.Constant(value=str(value)):
                    return value
                case ast.Constant(value=bytes(value)):
                    return value.decode("latin-1")
                case ast.Call(func=func, args=args) if _last(func) in _WRAPPERS:
                    is_method = isinstance(func, ast.Attribute) and not args
                    wrapped = func.value if is_method and isinstance(func, ast.Attribute) else None
                    node = wrapped or (args[0] if args else None)
                case ast.BinOp(op=ast.Add()):
                    return _joined(node)
                case _:
                    return None
        return None

    def start_of(self, node: ast.expr | None) -> str:
        """Return how a text begins, also one that is filled in at run time; empty: unknown."""
        node = self.value_of(node)
        for _ in range(64):
            match node:
                case ast.BinOp(left=left):
                    node = self.value_of(left)
                case ast.JoinedStr(values=[first, *_]):
                    node = first
                case ast.FormattedValue(value=value):
                    node = self.value_of(value)
                case ast.Call(func=ast.Attribute(value=value, attr="format")):
                    node = value
                case ast.Constant(value=str(value)):
                    return value
                case _:
                    return ""
        return ""

    def calls(self) -> Iterator[tuple[str, ast.Call]]:
        """Yield every call with the full name of what is called."""
        for node in self.nodes:
            if isinstance(node, ast.Call):
                yield self.callee(node), node


def dotted(node: ast.AST | None) -> str:
    """Return ``a.b.c`` of a name or attribute, of a call's result ``f().c``; else empty."""
    parts: list[str] = []
    for _ in range(16):
        match node:
            case ast.Attribute(value=value, attr=attr):
                parts.append(attr)
                node = value
            case ast.Name(id=name):
                return ".".join([name, *reversed(parts)])
            case ast.Call(func=func) if parts:
                parts.append(f"{_last(func)}()")
                return ".".join(reversed(parts))
            case _:
                return ""
    return ""


def argument(call: ast.Call, name: str, position: int | None = None) -> ast.expr | None:
    """Return an argument by keyword, or by position if it may be given so."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    if position is not None and position < len(call.args):
        found = call.args[position]
        return None if isinstance(found, ast.Starred) else found
    return None


def unpacks(call: ast.Call) -> bool:
    """Return whether arguments come from elsewhere: ``f(*a)``, ``f(**k)``."""
    starred = any(isinstance(each, ast.Starred) for each in call.args)
    return starred or any(keyword.arg is None for keyword in call.keywords)


def is_constant(node: ast.expr | None, *values: object) -> bool:
    """Return whether an expression is one of these constants, by identity of type and value."""
    return isinstance(node, ast.Constant) and any(
        type(node.value) is type(value) and node.value == value for value in values
    )


def _last(node: ast.expr) -> str:
    match node:
        case ast.Attribute(attr=attr):
            return attr
        case ast.Name(id=name):
            return name
        case _:
            return ""


def _joined(node: ast.expr | None) -> str | None:
    """Return ``"a" + "b"`` as one text; None if a part is made at run time."""
    parts: list[str] = []
    waiting = [node]
    while waiting:
        match waiting.pop():
            case ast.BinOp(op=ast.Add(), left=left, right=right):
                waiting += [right, left]
            case ast.Constant(value=str(value)):
                parts.append(value)
            case _:
                return None
        if len(parts) > _MAX_TEXTS:
            return None
    return "".join(parts)
