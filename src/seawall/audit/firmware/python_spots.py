"""Weak places in Python and MicroPython source: TLS, plain HTTP, WebREPL, debugging.

MicroPython's own traps, read in its sources of 1.28: ``ssl.SSLContext()`` starts at
``CERT_NONE`` (micropython-lib, python-stdlib/ssl), while ``tls.SSLContext(PROTOCOL_TLS_CLIENT)``
starts at ``CERT_REQUIRED`` (extmod/modtls_mbedtls.c); ``requests`` sets ``CERT_NONE``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from seawall.audit.firmware.open_wifi import wifi_in_python
from seawall.audit.firmware.python_mqtt import LOOPBACK, mqtt_in
from seawall.audit.firmware.source import Seen, Sight, Spot, Weakness
from seawall.audit.firmware.syntax import Module, argument, dotted, is_constant, unpacks

HTTP_CALLS: Final = re.compile(
    r"^requests\.(?:\w+\.)?(?:get|post|put|patch|delete|head|request|Session\(\)\.\w+)$"
    r"|(?i:http\w*|http_?client|session)(?:\(\))?\.(?:get|request)$|(?:^|\.)urlopen$|^aiohttp\.(?:ClientSession\(\)\.)?(?:get|post|put|request)$"
)
_HOST: Final = re.compile(r"^https?://(?:[^/@\s]*@)?(\[[0-9a-fA-F:]+\]|[^/:?#\s]*)")
_SHELLS: Final = frozenset(
    {"utelnetserver", "utelnet", "uftpd", "ftpserver", "uftpserver", "telnetserver", "FtpTiny"}
)


_NETWORKED: Final = frozenset(
    {"network", "socket", "usocket", "wifi", "socketpool", "umqtt", "mqtt_as", "requests"}
    | {"urequests", "aiohttp", "microdot", "seawall_agent", "adafruit_requests"}
)
_HTTP_LIBRARIES: Final = frozenset({"requests", "urequests", "aiohttp", "adafruit_requests"})
_RECEIVES: Final = frozenset({"recv", "recvfrom", "recv_into", "receive"})
_REQUESTS: Final = frozenset({"request", "req"})
_CALLBACKS: Final = frozenset({"set_callback", "subs_cb", "on_message", "add_topic_callback"})


def places_in(module: Module) -> Iterator[Spot | Seen]:
    """Yield the weak places of a module, and those that could have been."""
    yield from _tls_places(module)
    yield from mqtt_in(module)
    yield from _received_code(module)
    yield from wifi_in_python(module)
    for name, call in module.calls():
        yield from _requests(module, name, call)
        yield from _debugging(module, name, call)
    if module.is_micro:
        yield Seen(Weakness.DEBUG_OUTPUT, Sight.SOUND, 1, "a program of MicroPython")
    for node in module.nodes:
        match node:
            case ast.Import(names=names):
                tops = [each.name.split(".")[0] for each in names]
            case ast.ImportFrom(module=str(origin)):
                tops = [origin.split(".")[0]]
            case _:
                continue
        for top in tops:
            yield from _import(top, node.lineno)


def _import(top: str, line: int) -> Iterator[Spot | Seen]:
    named = f"imports {top}, and no use of it was recognised"
    if top in _SHELLS:
        evidence = f"imports {top}: a shell or file server that asks for no key"
        yield Spot(Weakness.DEBUG_SHELL, line, evidence, top)
    elif top in _NETWORKED:
        yield Seen(Weakness.DEBUG_SHELL, Sight.SOUND, line, f"imports {top}")
    if top in _HTTP_LIBRARIES:
        yield Seen(Weakness.PLAIN_HTTP, Sight.NAMED, line, named)
    if top in {"ssl", "ussl", "tls"}:
        yield Seen(Weakness.TLS_UNVERIFIED, Sight.NAMED, line, named)


def host_of(url: str) -> str:
    """Return the host of a URL as far as it can be read; a login, path and query are left out."""
    found = _HOST.match(url)
    return found[1] if found else ""


def _tls_places(module: Module) -> Iterator[Spot | Seen]:
    verified = {name for name, value in _verify_modes(module) if _is_required(value)}
    for name, value in _verify_modes(module):
        if _is_none(value) and name not in verified:
            line = value.lineno
            yield _tls(line, "`verify_mode = CERT_NONE`: any certificate is accepted", f"{name}")
        elif not _is_none(value):
            yield _seen_tls(value.lineno, "`verify_mode`", _is_known(value))
    handled = {name for name, _ in _verify_modes(module)}
    for name, call in module.calls():
        yield from _context(module, name, call, handled)
        if name == "ssl.wrap_socket":
            yield from _wrapped(call)
        elif name.endswith("_create_unverified_context"):
            yield _tls(call.lineno, f"`{name}()` accepts any certificate", name)
        elif name.endswith(".tls_insecure_set") and is_constant(argument(call, "value", 0), True):
            yield _tls(call.lineno, "`tls_insecure_set(True)`: the name is not checked", name)
        elif HTTP_CALLS.search(name) and is_constant(argument(call, "verify"), False):
            yield _tls(call.lineno, f"`{name}(verify=False)` accepts any certificate", name)


def _verify_modes(module: Module) -> Iterator[tuple[str, ast.expr]]:
    for node in module.nodes:
        match node:
            case ast.Assign(targets=[ast.Attribute(attr="verify_mode", value=owner)], value=value):
                yield dotted(owner), value
            case _:
                pass


def _is_required(value: ast.expr) -> bool:
    last = dotted(value).rpartition(".")[2]
    # A name that is no constant of ssl is decided elsewhere: it is not called weak.
    return is_constant(value, 2) or (last != "CERT_NONE" and not is_constant(value, 0))


def _is_known(value: ast.expr) -> bool:
    return is_constant(value, 2) or dotted(value).rpartition(".")[2] == "CERT_REQUIRED"


def _is_none(value: ast.expr) -> bool:
    return dotted(value).rpartition(".")[2] == "CERT_NONE" or is_constant(value, 0)


def _context(module: Module, name: str, call: ast.Call, handled: set[str]) -> Iterator[Spot | Seen]:
    if name.rpartition(".")[2] not in {"SSLContext", "create_default_context"}:
        return
    protocol = dotted(argument(call, "protocol", 0))
    if protocol.endswith("SERVER"):
        return
    holders = {
        dotted(node.targets[0])
        for node in module.nodes
        if isinstance(node, ast.Assign) and node.value is call
    }
    if holders & handled:
        return  # Judged by its `verify_mode`.
    if name != "ssl.SSLContext" or not module.is_micro:
        # CPython's clients verify by themselves; tls.SSLContext does too.
        yield _seen_tls(call.lineno, f"`{name}()`", True)
    else:
        evidence = (
            "`ssl.SSLContext()` whose `verify_mode` is never set: MicroPython's starts at "
            "`CERT_NONE` and accepts any certificate"
        )
        yield _tls(call.lineno, evidence, "SSLContext")


def _wrapped(call: ast.Call) -> Iterator[Spot | Seen]:
    if is_constant(argument(call, "server_side", 1), True):
        return
    required = argument(call, "cert_reqs")
    if unpacks(call) or (required is not None and _is_required(required)):
        is_known = required is not None and _is_known(required)
        yield _seen_tls(call.lineno, "`ssl.wrap_socket()`", is_known)
        return
    evidence = "`ssl.wrap_socket()` without `cert_reqs=ssl.CERT_REQUIRED`: any certificate will do"
    yield _tls(call.lineno, evidence, "wrap_socket")


def _requests(module: Module, name: str, call: ast.Call) -> Iterator[Spot | Seen]:
    if not HTTP_CALLS.search(name):
        return
    position = 1 if name.endswith(".request") else 0
    url = module.start_of(argument(call, "url", position))
    host = host_of(url)
    shown = f" of {host}" if host and "{" not in host else ""
    key = f"{name} {host}"
    if not url or "%s" in host[:2]:
        evidence = f"`{name}()`: its address is not known here"
        yield Seen(Weakness.PLAIN_HTTP, Sight.OPEN, call.lineno, evidence)
    elif LOOPBACK.match(host) or url.lower().startswith("https://"):
        yield Seen(Weakness.PLAIN_HTTP, Sight.SOUND, call.lineno, f"`{name}()`{shown}")
    elif url.lower().startswith("http://"):
        evidence = f"`{name}()`{shown} over http://: anyone on the way reads and changes it"
        yield Spot(Weakness.PLAIN_HTTP, call.lineno, evidence, key)
    if not url.lower().startswith("https://") or LOOPBACK.match(host):
        return
    if module.is_micro and name.startswith("requests."):
        evidence = (
            f"`{name}()`{shown}: MicroPython's requests never verifies the server's certificate"
        )
        yield _tls(call.lineno, evidence, key)
    elif not module.is_micro:
        yield _seen_tls(call.lineno, f"`{name}()`{shown}", True)


def _received_code(module: Module) -> Iterator[Spot]:
    """Yield where what came over the network is run: a shell without a name."""
    received: set[str] = set()
    for node in module.nodes:
        match node:
            case ast.Assign(targets=[target], value=value) if _is_received(value, set()):
                names = target.elts if isinstance(target, ast.Tuple) else [target]
                received |= {dotted(each) for each in names} - {""}
            case _:
                pass
    callbacks = _callbacks(module)
    for name, call in module.calls():
        if name not in {"exec", "eval"} or not call.args:
            continue
        inside = {
            parameter.arg
            for function in callbacks
            if function.lineno <= call.lineno <= (function.end_lineno or 0)
            for parameter in function.args.args
        }
        if _is_received(call.args[0], received | inside):
            evidence = f"`{name}()` runs what came over the network"
            yield Spot(Weakness.DEBUG_SHELL, call.lineno, evidence, name)


def _callbacks(module: Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Return the functions that are given what a broker sends."""
    named = {
        dotted(each)
        for name, call in module.calls()
        if name.rpartition(".")[2] in _CALLBACKS
        for each in call.args
    }
    for node in module.nodes:
        match node:
            case ast.Assign(
                targets=[ast.Attribute(attr=attr) | ast.Subscript(slice=ast.Constant(value=attr))],
                value=value,
            ) if attr in _CALLBACKS:
                named.add(dotted(value))
            case _:
                pass
    named = {name.rpartition(".")[2] for name in named} - {""}
    return [
        node
        for node in module.nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in named
    ]


def _is_received(value: ast.expr, names: set[str]) -> bool:
    for node in ast.walk(value):
        match node:
            case ast.Call(func=ast.Attribute(attr=attr)) if attr in _RECEIVES:
                return True
            case ast.Attribute() | ast.Name():
                name = dotted(node)
                if name in names or (isinstance(node, ast.Attribute) and _of_request(name)):
                    return True
            case _:
                pass
    return False


def _of_request(name: str) -> bool:
    return name.partition(".")[0] in _REQUESTS


def _debugging(module: Module, name: str, call: ast.Call) -> Iterator[Spot | Seen]:
    line = call.lineno
    first = call.args[0] if call.args else None
    if name in {"webrepl.start", "webrepl.start_foreground"}:
        has_own = argument(call, "password", 1) is not None
        kept = "" if has_own else ", with the password that webrepl_cfg.py stores"
        evidence = f"`{name}()`: a Python prompt over plain WebSocket, port 8266{kept}"
        yield Spot(Weakness.WEBREPL, line, evidence, "webrepl")
    elif name == "esp.osdebug" and not is_constant(first, None):
        evidence = "`esp.osdebug()` turns the system's debug output on: it is meant for the bench"
        yield Spot(Weakness.DEBUG_OUTPUT, line, evidence, "osdebug")
    elif name == "os.dupterm" and first is not None and not is_constant(first, None):
        is_uart = "UART" in dotted(getattr(module.value_of(first), "func", first))
        if not is_uart and module.imported & {"socket", "usocket", "network"}:
            evidence = "`os.dupterm()` gives the Python prompt to a stream in a networked program"
            yield Spot(Weakness.DEBUG_SHELL, line, evidence, "dupterm")


def _tls(line: int, evidence: str, key: str) -> Spot:
    return Spot(Weakness.TLS_UNVERIFIED, line, evidence, key)


def _seen_tls(line: int, what: str, is_known: bool) -> Seen:
    sight = Sight.SOUND if is_known else Sight.OPEN
    evidence = what if is_known else f"{what}: what it verifies is decided elsewhere"
    return Seen(Weakness.TLS_UNVERIFIED, sight, line, evidence)
