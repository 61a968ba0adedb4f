"""Networks that a device opens itself: with a password, and without."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from seawall.audit.firmware.c_tokens import Kind, Token, arguments_from
from seawall.audit.firmware.source import Seen, Sight, Spot, Weakness
from seawall.audit.firmware.syntax import Module, argument, dotted, is_constant

_NOTHING: Final = frozenset({"NULL", "nullptr", "0", ""})


def wifi_in_python(module: Module) -> Iterator[Spot | Seen]:
    """Yield the access points of a module: `WLAN(AP_IF)`, and CircuitPython's radio."""
    for name, call in module.calls():
        owner, _, last = name.rpartition(".")
        if last == "start_ap" and call.args + call.keywords:
            password = argument(call, "password", 1)
            yield _place(call.lineno, f"`{name}()`", password is not None)
        elif last == "config" and owner:
            mode = argument(call, "authmode") or argument(call, "security")
            if mode is not None and _is_open(module.value_of(mode)):
                yield _place(call.lineno, f"`{name}()`", False)
            elif argument(call, "password") or argument(call, "key"):
                yield _place(call.lineno, f"`{name}()`", True)


def wifi_in_c(tokens: list[Token]) -> Iterator[Spot | Seen]:
    """Yield the access points of a source: Arduino's `softAP`, ESP-IDF's `authmode`."""
    for position, token in enumerate(tokens[:-1]):
        if token.kind is not Kind.NAME:
            continue
        if token.text == "softAP" and tokens[position + 1].text == "(":
            arguments = arguments_from(tokens, position + 2)
            if not arguments[0]:
                continue  # The network of last time, whatever that was.
            second = [each.text for each in arguments[1]] if len(arguments) > 1 else []
            has_password = bool(second) and not (len(second) == 1 and second[0] in _NOTHING)
            yield _place(token.line, "`softAP()`", has_password)
        elif token.text == "authmode" and position > 1:
            before = [each.text for each in tokens[position - 2 : position]]
            value = tokens[position + 2].text if position + 2 < len(tokens) else ""
            # Of a station, `.threshold.authmode` says what it joins at least.
            if before[1] == "." and before[0] in {"{", ","} and value == "WIFI_AUTH_OPEN":
                yield _place(token.line, "`.authmode = WIFI_AUTH_OPEN`", False)


def _is_open(mode: ast.expr | None) -> bool:
    return dotted(mode).rpartition(".")[2] in {"AUTH_OPEN", "SEC_OPEN"} or is_constant(mode, 0)


def _place(line: int, what: str, has_password: bool) -> Spot | Seen:
    if has_password:
        return Seen(Weakness.OPEN_WIFI, Sight.SOUND, line, f"{what} with a password")
    evidence = f"{what} opens a Wi-Fi network without a password"
    return Spot(Weakness.OPEN_WIFI, line, evidence, what.strip("`"))
