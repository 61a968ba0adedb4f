"""Weak places in Python and MicroPython source: TLS, plain text, WebREPL, debugging.

MicroPython's own traps, read in its sources of 1.28: ``ssl.SSLContext()`` starts at
``CERT_NONE`` (micropython-lib, python-stdlib/ssl), while ``tls.SSLContext(PROTOCOL_TLS_CLIENT)``
starts at ``CERT_REQUIRED`` (extmod/modtls_mbedtls.c); ``requests`` sets ``CERT_NONE``;
``umqtt.simple`` takes port 1883 without ``ssl``, and with ``ssl=True`` whatever
``ssl_params`` say.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from seawall.audit.firmware.source import Spot, Weakness
from seawall.audit.firmware.syntax import Module, argument, dotted, is_constant

HTTP_CALLS: Final = re.compile(
    r"^requests\.(?:\w+\.)?(?:get|post|put|patch|delete|head|request|Session\(\)\.\w+)$"
    r"|(?i:http\w*|http_?client|session)(?:\(\))?\.(?:get|request)$|(?:^|\.)urlopen$|^aiohttp\.(?:ClientSession\(\)\.)?(?:get|post|put|request)$"
)
_LOOPBACK: Final = re.compile(r"^(?:localhost|127(?:\.\d+){3}|\[?::1\]?|0\.0\.0\.0)$")
_HOST: Final = re.compile(r"^https?://(?:[^/@\s]*@)?(\[[0-9a-fA-F:]+\]|[^/:?#\s]*)")
_SHELLS: Final = frozenset(
    {"utelnetserver", "utelnet", "uftpd", "ftpserver", "uftpserver", "telnetserver", "FtpTiny"}
)


def spots_in(module: Module) -> Iterator[Spot]:
    """Yield the weak places of a module."""
    yield from _unverified_tls(module)
    for name, call in module.calls():
        yield from _requests(module, name, call)
        yield from _mqtt(module, name, call)
        yield from _debugging(module, name, call)
    for node in module.nodes:
        match node:
            case ast.Import(names=names):
                tops = [each.name.split(".")[0] for each in names]
            case ast.ImportFrom(module=str(origin)):
                tops = [origin.split(".")[0]]
            case _:
                continue
        for top in tops:
            if top in _SHELLS:
                evidence = f"imports {top}: a shell or file server that asks for no key"
                yield Spot(Weakness.DEBUG_SHELL, node.lineno, evidence, top)


def host_of(url: str) -> str:
    """Return the host of a URL as far as it can be read; a login, path and query are left out."""
    found = _HOST.match(url)
    return found[1] if found else ""


def _unverified_tls(module: Module) -> Iterator[Spot]:
    verified = {name for name, value in _verify_modes(module) if _is_required(value)}
    for name, value in _verify_modes(module):
        if _is_none(value) and name not in verified:
            line = value.lineno
            yield _tls(line, "`verify_mode = CERT_NONE`: any certificate is accepted", f"{name}")
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


def _is_none(value: ast.expr) -> bool:
    return dotted(value).rpartition(".")[2] == "CERT_NONE" or is_constant(value, 0)


def _context(module: Module, name: str, call: ast.Call, handled: set[str]) -> Iterator[Spot]:
    if name != "ssl.SSLContext" or module.is_hosted or not module.is_micro:
        return  # CPython's clients verify by themselves; tls.SSLContext does too.
    protocol = dotted(argument(call, "protocol", 0))
    if protocol.endswith("SERVER"):
        return
    holders = {
        dotted(node.targets[0])
        for node in module.nodes
        if isinstance(node, ast.Assign) and node.value is call
    }
    if not holders & handled:
        evidence = (
            "`ssl.SSLContext()` whose `verify_mode` is never set: MicroPython's starts at "
            "`CERT_NONE` and accepts any certificate"
        )
        yield _tls(call.lineno, evidence, "SSLContext")


def _wrapped(call: ast.Call) -> Iterator[Spot]:
    if is_constant(argument(call, "server_side", 1), True) or _unpacks(call):
        return
    required = argument(call, "cert_reqs")
    if required is not None and _is_required(required):
        return
    evidence = "`ssl.wrap_socket()` without `cert_reqs=ssl.CERT_REQUIRED`: any certificate will do"
    yield _tls(call.lineno, evidence, "wrap_socket")


def _requests(module: Module, name: str, call: ast.Call) -> Iterator[Spot]:
    if not HTTP_CALLS.search(name):
        return
    position = 1 if name.endswith(".request") else 0
    url = module.start_of(argument(call, "url", position))
    host = host_of(url)
    if _LOOPBACK.match(host) or "%s" in host[:2]:
        return
    shown = f" of {host}" if host and "{" not in host else ""
    key = f"{name} {host}"
    if url.lower().startswith("http://"):
        evidence = f"`{name}()`{shown} over http://: anyone on the way reads and changes it"
        yield Spot(Weakness.PLAIN_HTTP, call.lineno, evidence, key)
    elif url.lower().startswith("https://") and module.is_micro and name.startswith("requests."):
        evidence = (
            f"`{name}()`{shown}: MicroPython's requests never verifies the server's certificate"
        )
        yield _tls(call.lineno, evidence, key)


def _mqtt(module: Module, name: str, call: ast.Call) -> Iterator[Spot]:
    if name.rpartition(".")[2] != "MQTTClient" or _unpacks(call):
        return
    if not module.imported & {"umqtt", "umqttsimple", "umqttrobust", "mqtt"}:
        return
    ssl = argument(call, "ssl", 7)
    port = module.value_of(argument(call, "port", 2))
    host = module.text_of(argument(call, "server", 1)) or ""
    if ssl is None or is_constant(ssl, False, None):
        if port is not None and not is_constant(port, 0, 1883):
            return
        if _LOOPBACK.match(host):
            return
        evidence = "`MQTTClient()` without `ssl`: port 1883, in plain text, passwords as well"
        yield Spot(Weakness.PLAIN_MQTT, call.lineno, evidence, "MQTTClient")
    elif is_constant(ssl, True):
        parameters = module.value_of(argument(call, "ssl_params", 8))
        keys = parameters.keys if isinstance(parameters, ast.Dict) else []
        names = {key.value for key in keys if isinstance(key, ast.Constant)}
        if parameters is None or (isinstance(parameters, ast.Dict) and "cert_reqs" not in names):
            evidence = (
                "`MQTTClient(ssl=True)` without `cert_reqs` in `ssl_params`: any broker's "
                "certificate is accepted"
            )
            yield _tls(call.lineno, evidence, "MQTTClient")


def _debugging(module: Module, name: str, call: ast.Call) -> Iterator[Spot]:
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


def _unpacks(call: ast.Call) -> bool:
    """Return whether arguments come from elsewhere: ``f(*a)``, ``f(**k)``."""
    starred = any(isinstance(each, ast.Starred) for each in call.args)
    return starred or any(keyword.arg is None for keyword in call.keywords)


def _tls(line: int, evidence: str, key: str) -> Spot:
    return Spot(Weakness.TLS_UNVERIFIED, line, evidence, key)
