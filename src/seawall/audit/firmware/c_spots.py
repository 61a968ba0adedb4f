"""Weak places in C and C++ source, and what it has to do with updates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from seawall.audit.firmware.c_tokens import Kind, Token, arguments_from
from seawall.audit.firmware.python_spots import host_of
from seawall.audit.firmware.source import Spot, Trait, Weakness

_INSECURE: Final = {
    "setInsecure": "`setInsecure()`: any certificate is accepted",
    "allowSelfSignedCerts": "`allowSelfSignedCerts()`: any certificate is accepted",
    "MBEDTLS_SSL_VERIFY_NONE": "`MBEDTLS_SSL_VERIFY_NONE`: any certificate is accepted",
    "SSL_VERIFY_NONE": "`SSL_VERIFY_NONE`: any certificate is accepted",
    "WOLFSSL_VERIFY_NONE": "`WOLFSSL_VERIFY_NONE`: any certificate is accepted",
}
_SKIPS: Final = frozenset({"skip_cert_common_name_check", "skip_server_cert_verify"})
_VERIFIES: Final = re.compile(
    r"installSignature|setPublicKey|verify_?signature|ed25519|ecdsa|mbedtls_pk_verify|esp_secure_boot"
    r"|SigningVerifier|ARDUINO_SIGNING",
    re.IGNORECASE,
)
_UPDATERS: Final = frozenset(
    {"ESPhttpUpdate", "httpUpdate", "ESP32OTAPull", "esp32FOTA", "ArduinoOTA", "Update"}
    | {"httpUpdater", "ElegantOTA", "AsyncElegantOTA"}
)
_LOOPBACK: Final = re.compile(r"^(?:localhost|127\..*|)$")
_HTTP_CALLS: Final = frozenset({"begin", "update", "GET", "POST", "open", "connect"})

_TLS_CLIENTS: Final = frozenset(
    {"WiFiClientSecure", "BearSSL", "WiFiSSLClient", "EthernetSSLClient", "SSLClient"}
    | {"NetworkClientSecure", "BearSSLClient", "esp_tls"}
)
_UPDATING: Final = frozenset(
    {"update", "updateSpiffs", "CheckForOTAUpdate", "execOTA", "execHTTPcheck"}
    | {"begin", "writeStream", "setup"}
)


def c_spots(tokens: list[Token]) -> Iterator[Spot]:
    """Yield the weak places of a source."""
    names = {token.text for token in tokens if token.kind is Kind.NAME}
    for position, token in enumerate(tokens):
        if token.kind is Kind.TEXT:
            yield from _plain_http(tokens, position)
        if token.kind is not Kind.NAME:
            continue
        after = [each.text for each in tokens[position + 1 : position + 3]]
        if token.text in _INSECURE:
            evidence = _INSECURE[token.text]
            yield Spot(Weakness.TLS_UNVERIFIED, token.line, evidence, token.text)
        elif token.text in _SKIPS and after == ["=", "true"]:
            evidence = f"`.{token.text} = true`: the server's certificate is not checked"
            yield Spot(Weakness.TLS_UNVERIFIED, token.line, evidence, token.text)
        elif token.text == "setServer" and not names & _TLS_CLIENTS:
            arguments = arguments_from(tokens, position + 2)
            port = arguments[1][0].text if len(arguments) > 1 and arguments[1] else ""
            if port in {"1883", "MQTT_PORT", "mqtt_port", "mqttPort"}:
                evidence = "`setServer()` with port 1883 and no TLS client: MQTT in plain text"
                yield Spot(Weakness.PLAIN_MQTT, token.line, evidence, "setServer")
        elif token.text in {"TelnetStream", "ESPTelnet", "RemoteDebug"} and after[:1] != [">"]:
            evidence = f"`{token.text}` opens a telnet port on the device"
            yield Spot(Weakness.DEBUG_SHELL, token.line, evidence, token.text)


def _plain_http(tokens: list[Token], position: int) -> Iterator[Spot]:
    text = tokens[position].text
    if not text.lower().startswith("http://") or len(text) <= len("http://"):
        return
    before = [token.text for token in tokens[max(0, position - 6) : position]]
    is_used = bool(_HTTP_CALLS & set(before)) or "url" in "".join(before).lower()
    host = host_of(text)
    if is_used and not _LOOPBACK.match(host):
        evidence = f"http:// to {host}: anyone on the way reads and changes it"
        yield Spot(Weakness.PLAIN_HTTP, tokens[position].line, evidence, f"http {host}")


def c_traits(tokens: list[Token]) -> dict[Trait, int]:
    """Return where a source fetches updates, verifies them, and rolls back."""
    traits: dict[Trait, int] = {}
    asks_password = any(token.text in {"setPassword", "setPasswordHash"} for token in tokens)
    for position, token in enumerate(tokens):
        if token.kind is not Kind.NAME:
            continue
        if _updates(tokens, position) and not (token.text == "ArduinoOTA" and asks_password):
            traits.setdefault(Trait.UPDATES, token.line)
            arguments = arguments_from(tokens, position + 4)
            if any(each.text.lower().startswith("http://") for part in arguments for each in part):
                traits.setdefault(Trait.FETCHES_PLAIN, token.line)
        elif _VERIFIES.search(token.text):
            traits.setdefault(Trait.VERIFIES, token.line)
        elif token.text == "esp_ota_mark_app_valid_cancel_rollback":
            traits.setdefault(Trait.ROLLS_BACK, token.line)
    return traits


def _updates(tokens: list[Token], position: int) -> bool:
    """Return whether a name begins a call that writes a new program: ``Update.begin(``."""
    after = [each.text for each in tokens[position + 1 : position + 4]]
    is_call = after[:1] == ["."] and after[2:] == ["("]
    return is_call and tokens[position].text in _UPDATERS and after[1] in _UPDATING
