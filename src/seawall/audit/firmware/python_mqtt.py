"""MQTT connections in Python and MicroPython source, with and without TLS.

Read in the sources: ``umqtt.simple`` speaks plain text without ``ssl`` whatever the port;
``mqtt_as`` takes ``config["ssl"]``, False unless it is given; Adafruit's MiniMQTT encrypts
with ``is_ssl=True`` alone, whatever context it was given.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from seawall.audit.firmware.source import Seen, Sight, Spot, Weakness
from seawall.audit.firmware.syntax import Module, argument, dotted, is_constant, unpacks

LOOPBACK: Final = re.compile(r"^(?:localhost|127(?:\.\d+){3}|\[?::1\]?|0\.0\.0\.0)$")
_UMQTT: Final = re.compile(r"(?:^|\.)(?:u?mqtt\w*|simple|robust)$")
_UMQTT_TOPS: Final = frozenset({"umqtt", "umqttsimple", "umqttrobust", "mqtt", "simple", "robust"})
_LIBRARIES: Final = re.compile(r"(?i)mqtt")
_URL: Final = re.compile(r"(?i)^(mqtts?)://(?:[^/@\s]*@)?(\[[0-9a-f:]+\]|[^/:?#\s]*)")
_CONTEXT: Final = re.compile(r"(?i)context|ctx|ssl_?params|^ssl$")
_ELSEWHERE: Final = "whether it uses TLS is decided elsewhere"


def mqtt_in(module: Module) -> Iterator[Spot | Seen]:
    """Yield the MQTT connections of a module, and where it names a library for them."""
    members = _members(module)
    for name, call in module.calls():
        origin, _, last = name.rpartition(".")
        if last == "MQTT" and "minimqtt" in origin.lower():
            yield from _minimqtt(module, call)
        elif last == "MQTTClient":
            if origin.rpartition(".")[2] == "mqtt_as":
                yield from _mqtt_as(module, call, members)
            elif _UMQTT.search(origin) or (not origin and module.imported & _UMQTT_TOPS):
                yield from _umqtt(module, call)
            else:
                yield _open(call.lineno, f"`{name}()`: {_ELSEWHERE}")
    yield from _addresses(module)
    for node in module.nodes:
        match node:
            case ast.Import(names=names):
                origins = [each.name for each in names]
            case ast.ImportFrom(module=str(origin)):
                origins = [origin]
            case _:
                continue
        for origin in origins:
            if _LIBRARIES.search(origin.partition(".")[0]):
                evidence = f"imports {origin}, and no connection of it was recognised"
                yield Seen(Weakness.PLAIN_MQTT, Sight.NAMED, node.lineno, evidence)


def _umqtt(module: Module, call: ast.Call) -> Iterator[Spot | Seen]:
    line = call.lineno
    if unpacks(call):
        yield _open(line, f"`MQTTClient()`: {_ELSEWHERE}")
        return
    ssl = argument(call, "ssl", 7)
    given = module.value_of(ssl)
    if given is None or is_constant(given, False, None, 0):
        host = module.text_of(argument(call, "server", 1)) or ""
        if LOOPBACK.match(host):
            yield _sound(line, f"`MQTTClient()` of {host}")
        else:
            evidence = (
                "`MQTTClient()` without `ssl`: plain text whatever the port, passwords as well"
            )
            yield Spot(Weakness.PLAIN_MQTT, line, evidence, "MQTTClient")
    elif is_constant(given, True):
        yield _sound(line, "`MQTTClient(ssl=True)`")
        yield from _parameters(module, argument(call, "ssl_params", 8), line)
    elif isinstance(given, ast.Call) or _CONTEXT.search(dotted(ssl).rpartition(".")[2]):
        yield _sound(line, "`MQTTClient(ssl=context)`")
    else:
        yield _open(line, f"`MQTTClient()`: {_ELSEWHERE}")


def _parameters(module: Module, node: ast.expr | None, line: int) -> Iterator[Spot]:
    """Yield the fault of TLS whose parameters do not make it verify anything."""
    parameters = module.value_of(node)
    if parameters is not None and not isinstance(parameters, ast.Dict):
        return
    required = _member(parameters, "cert_reqs") if parameters else None
    last = dotted(required).rpartition(".")[2]
    if required is None or last in {"CERT_NONE", "CERT_OPTIONAL"} or is_constant(required, 0, 1):
        said = "without `cert_reqs`" if required is None else f"with `{last or 'cert_reqs=0'}`"
        evidence = (
            f"`MQTTClient(ssl=True)` {said} in `ssl_params`: any broker's certificate is accepted"
        )
        yield Spot(Weakness.TLS_UNVERIFIED, line, evidence, "MQTTClient")


def _member(given: ast.Dict, name: str) -> ast.expr | None:
    for key, value in zip(given.keys, given.values, strict=True):
        if is_constant(key, name):
            return value
    return None


def _members(module: Module) -> dict[tuple[str, str], ast.expr]:
    """Return what members of dicts were given: ``config["ssl"] = True``; the last holds."""
    found: dict[tuple[str, str], ast.expr] = {}
    for node in module.nodes:
        match node:
            case ast.Assign(
                targets=[ast.Subscript(value=owner, slice=ast.Constant(value=str(key)))],
                value=value,
            ):
                found[dotted(owner), key] = value
            case _:
                pass
    return found


def _mqtt_as(
    module: Module, call: ast.Call, members: dict[tuple[str, str], ast.expr]
) -> Iterator[Spot | Seen]:
    line = call.lineno
    config = argument(call, "config", 0)
    given = module.value_of(config)
    name = dotted(config)
    ssl = _member(given, "ssl") if isinstance(given, ast.Dict) else None
    parameters = _member(given, "ssl_params") if isinstance(given, ast.Dict) else None
    if name:
        ssl = members.get((name, "ssl"), ssl)
        parameters = members.get((name, "ssl_params"), parameters)
    ssl = module.value_of(ssl)
    is_known = isinstance(given, ast.Dict) or module.aliases.get(name) == "mqtt_as.config"
    is_known = is_known or name == "mqtt_as.config"
    if is_constant(ssl, True):
        yield _sound(line, "`MQTTClient(config)` with `config['ssl'] = True`")
        yield from _parameters(module, parameters, line)
    elif is_constant(ssl, False, None, 0) or (ssl is None and is_known):
        evidence = "`MQTTClient(config)` without `config['ssl'] = True`: MQTT in plain text"
        yield Spot(Weakness.PLAIN_MQTT, line, evidence, "MQTTClient")
    else:
        yield _open(line, f"`MQTTClient(config)`: {_ELSEWHERE}")


def _minimqtt(module: Module, call: ast.Call) -> Iterator[Spot | Seen]:
    line = call.lineno
    is_ssl = module.value_of(argument(call, "is_ssl"))
    if unpacks(call):
        yield _open(line, f"`MQTT()`: {_ELSEWHERE}")
    elif is_ssl is None or is_constant(is_ssl, False, None, 0):
        evidence = "`MQTT()` without `is_ssl=True`: MQTT in plain text, with a context as well"
        yield Spot(Weakness.PLAIN_MQTT, line, evidence, "MQTT")
    elif is_constant(is_ssl, True):
        yield _sound(line, "`MQTT(is_ssl=True)`")
    else:
        yield _open(line, f"`MQTT()`: {_ELSEWHERE}")


def _addresses(module: Module) -> Iterator[Spot | Seen]:
    """Yield what texts such as ``mqtt://broker`` say, also where the host is filled in."""
    filled = {
        id(part)
        for node in module.nodes
        for part in (
            [node.left] if isinstance(node, ast.BinOp) else getattr(node, "values", [])[:1]
        )
    }
    for node in module.nodes:
        if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            continue
        place = address_in(node.value, node.lineno, is_filled=id(node) in filled)
        if place is not None:
            yield place


def _address(scheme: str, host: str, line: int) -> Spot | Seen:
    if scheme.lower() == "mqtts" or LOOPBACK.match(host):
        return _sound(line, f"{scheme.lower()}://")
    shown = f" to {host}" if host and not set(host) & set("{%<") else ""
    evidence = f"mqtt://{shown}: MQTT in plain text"
    return Spot(Weakness.PLAIN_MQTT, line, evidence, f"mqtt {host}")


def address_in(text: str, line: int, *, is_filled: bool) -> Spot | Seen | None:
    """Return what a text says if it is the address of a broker.

    Args:
        text: Of a literal.
        line: From 1.
        is_filled: Whether something is added behind it at run time.
    """
    address = _URL.match(text)
    if address is None or not (address[2] or is_filled):
        return None
    return _address(address[1], address[2], line)


def _sound(line: int, evidence: str) -> Seen:
    return Seen(Weakness.PLAIN_MQTT, Sight.SOUND, line, evidence)


def _open(line: int, evidence: str) -> Seen:
    return Seen(Weakness.PLAIN_MQTT, Sight.OPEN, line, evidence)
