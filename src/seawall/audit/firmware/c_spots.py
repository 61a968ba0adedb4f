"""Weak places in C and C++ source, and what it has to do with updates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from seawall.audit.firmware.c_mqtt import mqtt_places
from seawall.audit.firmware.c_tokens import Kind, Token, arguments_from, includes_of
from seawall.audit.firmware.open_wifi import wifi_in_c
from seawall.audit.firmware.python_spots import host_of
from seawall.audit.firmware.source import Language, Seen, Sight, Spot, Trait, Weakness

_INSECURE: Final = {
    "setInsecure": "`setInsecure()`: any certificate is accepted",
    "allowSelfSignedCerts": "`allowSelfSignedCerts()`: any certificate is accepted",
    "MBEDTLS_SSL_VERIFY_NONE": "`MBEDTLS_SSL_VERIFY_NONE`: any certificate is accepted",
    "SSL_VERIFY_NONE": "`SSL_VERIFY_NONE`: any certificate is accepted",
    "WOLFSSL_VERIFY_NONE": "`WOLFSSL_VERIFY_NONE`: any certificate is accepted",
}
_SKIPS: Final = frozenset({"skip_cert_common_name_check", "skip_server_cert_verify"})
_VERIFIES: Final = re.compile(
    r"^(?:installSignature|setPublicKey|\w*verify_?signature\w*|\w*ed25519_?\w*verify\w*"
    r"|mbedtls_pk_verify\w*|mbedtls_ecdsa_(?:verify|read_signature)\w*|uECC_verify"
    r"|mbedtls_rsa_\w*verify\w*|crypto_sign\w*(?:verify|open)\w*|psa_verify_(?:hash|message)"
    r"|wc_\w*_?[vV]erify\w*|esp_secure_boot_verify\w*)$",
    re.IGNORECASE,
)
"""Functions that check a signature; a name of TLS or of a key's kind alone is none."""
_VERIFIERS: Final = frozenset({"SigningVerifier", "ARDUINO_SIGNING", "Ed25519"})
_UPDATERS: Final = frozenset(
    {"ESPhttpUpdate", "httpUpdate", "ESP32OTAPull", "esp32FOTA", "ArduinoOTA", "Update"}
    | {"httpUpdater", "ElegantOTA", "AsyncElegantOTA"}
)
_LOOPBACK: Final = re.compile(r"^(?:localhost|127\..*|)$")
_HTTP_CALLS: Final = frozenset({"begin", "update", "GET", "POST", "open", "connect"})

_OTA_CALLS: Final = frozenset(
    {"esp_https_ota", "esp_https_ota_begin", "esp_ota_begin", "esp_ota_set_boot_partition"}
)
_TRUSTS: Final = frozenset(
    {"setCACert", "setCACertBundle", "setTrustAnchors", "crt_bundle_attach", "loadCACert"}
    | {"use_global_ca_store", "MBEDTLS_SSL_VERIFY_REQUIRED", "SSL_VERIFY_PEER"}
)
_CERTIFICATES: Final = frozenset({"cert_pem", "cacert_buf", "cacert_pem_buf", "certificate"})
_TLS_LIBRARY: Final = re.compile(r"(?i)ClientSecure|esp_tls|mbedtls/ssl|SSLClient|https_ota")
_HTTP_LIBRARY: Final = re.compile(r"(?i)http_?client")
_NETWORK: Final = re.compile(r"(?i)wifi|ethernet|lwip|esp_netif|esp_http|mqtt|socket|network")
_DEVICE: Final = re.compile(r"(?i)^(?:arduino|wifi|esp|freertos|nvs_flash|driver/|ethernet)")
_ENTRIES: Final = frozenset({"app_main", "loop"})
_ARDUINO: Final = frozenset(
    {"setup", "loop", "Serial", "String", "WiFi", "WiFiClient", "WiFiClientSecure"}
    | {"PubSubClient", "Arduino"}
)
_ESP_IDF: Final = re.compile(r"^(?:esp_\w+|app_main|nvs_\w+|mbedtls_\w+|MBEDTLS_\w+)$")
_UPDATING: Final = frozenset(
    {"update", "updateSpiffs", "CheckForOTAUpdate", "execOTA", "execHTTPcheck"}
    | {"begin", "writeStream", "setup"}
)


def c_places(tokens: list[Token]) -> Iterator[Spot | Seen]:
    """Yield the weak places of a source, and those that could have been."""
    yield from mqtt_places(tokens)
    yield from _http_places(tokens)
    yield from _named(tokens)
    yield from wifi_in_c(tokens)
    for position, token in enumerate(tokens):
        if token.kind is not Kind.NAME:
            continue
        after = [each.text for each in tokens[position + 1 : position + 3]]
        yield from _tls(token, after)
        if token.text in {"TelnetStream", "ESPTelnet", "RemoteDebug"} and after[:1] != [">"]:
            evidence = f"`{token.text}` opens a telnet port on the device"
            yield Spot(Weakness.DEBUG_SHELL, token.line, evidence, token.text)


def language_of(tokens: list[Token]) -> Language:
    """Return what a source is written for; Arduino if it says neither."""
    names = {token.text for token in tokens if token.kind is Kind.NAME}
    if not names & _ARDUINO and any(map(_ESP_IDF.match, names)):
        return Language.ESP_IDF
    return Language.ARDUINO


def _tls(token: Token, after: list[str]) -> Iterator[Spot | Seen]:
    if token.text in _INSECURE:
        evidence = _INSECURE[token.text]
        yield Spot(Weakness.TLS_UNVERIFIED, token.line, evidence, token.text)
    elif token.text in _SKIPS and after == ["=", "true"]:
        evidence = f"`.{token.text} = true`: the server's certificate is not checked"
        yield Spot(Weakness.TLS_UNVERIFIED, token.line, evidence, token.text)
    elif token.text in _TRUSTS or (
        token.text in _CERTIFICATES and after[:1] == ["="] and after[1:] not in (["NULL"], ["0"])
    ):
        yield Seen(Weakness.TLS_UNVERIFIED, Sight.SOUND, token.line, f"`{token.text}`")


def _named(tokens: list[Token]) -> Iterator[Seen]:
    """Yield what a source includes: what it could do, whether or not it is seen to."""
    for path, line in includes_of(tokens):
        named = f"includes {path}, and no use of it was recognised"
        if _TLS_LIBRARY.search(path):
            yield Seen(Weakness.TLS_UNVERIFIED, Sight.NAMED, line, named)
        if _HTTP_LIBRARY.search(path):
            yield Seen(Weakness.PLAIN_HTTP, Sight.NAMED, line, named)
        if _NETWORK.search(path):
            yield Seen(Weakness.DEBUG_SHELL, Sight.SOUND, line, f"includes {path}")
        if _DEVICE.search(path):
            yield Seen(Weakness.DEBUG_OUTPUT, Sight.SOUND, line, f"includes {path}")
    for token in tokens:
        if token.kind is Kind.NAME and token.text in _ENTRIES:
            yield Seen(Weakness.DEBUG_OUTPUT, Sight.SOUND, token.line, f"`{token.text}()`")


def _http_places(tokens: list[Token]) -> Iterator[Spot | Seen]:
    is_known = False
    for position, token in enumerate(tokens):
        if token.kind is Kind.TEXT and (place := _http(tokens, position)) is not None:
            is_known = True
            yield place
    for token in tokens if not is_known else ():
        if token.text in {"HTTPClient", "esp_http_client_init"} and token.kind is Kind.NAME:
            evidence = f"`{token.text}`: its address is not known here"
            yield Seen(Weakness.PLAIN_HTTP, Sight.OPEN, token.line, evidence)
            return


def _http(tokens: list[Token], position: int) -> Spot | Seen | None:
    text, line = tokens[position].text, tokens[position].line
    scheme, _, rest = text.partition("://")
    if scheme.lower() not in {"http", "https"} or not rest:
        return None
    before = [token.text for token in tokens[max(0, position - 6) : position]]
    is_used = bool(_HTTP_CALLS & set(before)) or "url" in "".join(before).lower()
    if not is_used:
        return None
    host = host_of(text)
    if scheme.lower() == "https" or _LOOPBACK.match(host):
        return Seen(Weakness.PLAIN_HTTP, Sight.SOUND, line, f"{scheme.lower()}:// to {host}")
    evidence = f"http:// to {host}: anyone on the way reads and changes it"
    return Spot(Weakness.PLAIN_HTTP, line, evidence, f"http {host}")


def c_traits(tokens: list[Token]) -> dict[Trait, int]:
    """Return where a source fetches updates, verifies them, and rolls back."""
    traits: dict[Trait, int] = {}
    is_esp_idf = False
    asks_password = any(token.text in {"setPassword", "setPasswordHash"} for token in tokens)
    for position, token in enumerate(tokens):
        if token.kind is not Kind.NAME:
            continue
        if _updates(tokens, position) and not (token.text == "ArduinoOTA" and asks_password):
            traits.setdefault(Trait.UPDATES, token.line)
            arguments = arguments_from(tokens, position + 4)
            if any(each.text.lower().startswith("http://") for part in arguments for each in part):
                traits.setdefault(Trait.FETCHES_PLAIN, token.line)
        elif token.text in _OTA_CALLS and _is_called(tokens, position):
            traits.setdefault(Trait.UPDATES, token.line)
            is_esp_idf = True
        elif token.text in _VERIFIERS or (
            _VERIFIES.search(token.text) and _is_called(tokens, position)
        ):
            traits.setdefault(Trait.VERIFIES, token.line)
        elif token.text == "esp_ota_mark_app_valid_cancel_rollback":
            traits.setdefault(Trait.ROLLS_BACK, token.line)
    if is_esp_idf:  # Its calls take the address from a struct, elsewhere in the file.
        plain = [spot.line for spot in _http_places(tokens) if isinstance(spot, Spot)]
        if plain:
            traits.setdefault(Trait.FETCHES_PLAIN, plain[0])
    return traits


def _is_called(tokens: list[Token], position: int) -> bool:
    return position + 1 < len(tokens) and tokens[position + 1].text == "("


def _updates(tokens: list[Token], position: int) -> bool:
    """Return whether a name begins a call that writes a new program: ``Update.begin(``."""
    after = [each.text for each in tokens[position + 1 : position + 4]]
    is_call = after[:1] == ["."] and after[2:] == ["("]
    return is_call and tokens[position].text in _UPDATERS and after[1] in _UPDATING
