"""MQTT connections in C and C++ source: PubSubClient, Adafruit's, 256dpi's, ESP-IDF's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from seawall.audit.firmware.c_tokens import Kind, Token, arguments_from, includes_of
from seawall.audit.firmware.python_mqtt import address_in
from seawall.audit.firmware.source import Seen, Sight, Spot, Weakness

PLAIN_CLIENTS: Final = frozenset(
    {"WiFiClient", "EthernetClient", "NetworkClient", "GSMClient", "NBClient", "TinyGsmClient"}
)
TLS_CLIENTS: Final = frozenset(
    {"WiFiClientSecure", "BearSSL", "WiFiSSLClient", "EthernetSSLClient", "SSLClient"}
    | {"NetworkClientSecure", "BearSSLClient", "esp_tls", "TinyGsmClientSecure", "GSMSSLClient"}
    | {"NBSSLClient", "SSLClientESP32"}
)
_BUILT_ON_CLIENT: Final = frozenset(
    {"PubSubClient", "MqttClient", "Adafruit_MQTT_Client", "MQTTClient"}
)
_MAX_NAMES: Final = 32
_CONNECTED: Final = frozenset({"PubSubClient", "MqttClient", "Adafruit_MQTT_Client"})
"""Types that may be given server and port where they are declared."""
_TLS_WORDS: Final = frozenset({"setSecure", "espMqttClientSecure", "AsyncMqttClientSecure"})
_LIBRARY: Final = re.compile(r"(?i)mqtt|pubsub")
_TRANSPORTS: Final = {
    "MQTT_TRANSPORT_OVER_TCP": False,
    "MQTT_TRANSPORT_OVER_WS": False,
    "MQTT_TRANSPORT_OVER_SSL": True,
    "MQTT_TRANSPORT_OVER_WSS": True,
}
_ELSEWHERE: Final = "whether it uses TLS is decided elsewhere"


@dataclass(frozen=True, slots=True)
class _Declared:
    """What a source declares.

    Attributes:
        clients: Network clients by name, and whether they speak TLS.
        users: MQTT clients by name: their type, and the names they were built with.
        numbers: Constants that are numbers.
        names: All names in it.
    """

    clients: dict[str, bool]
    users: dict[str, tuple[str, list[str]]]
    numbers: dict[str, str]
    names: frozenset[str]

    def is_secure(self, user: str) -> bool | None:
        """Return whether an MQTT client was built on one with TLS; None: that is not seen."""
        if self.names & _TLS_WORDS:
            return True
        built_with = self.users.get(user, ("", []))[1]
        known = [self.clients[name] for name in built_with if name in self.clients]
        if known:
            return known[0]
        if self.names & TLS_CLIENTS:
            return None if self.names & PLAIN_CLIENTS else True
        return False if self.names & PLAIN_CLIENTS else None

    def is_plain_port(self, tokens: list[Token]) -> bool:
        """Return whether an argument is the port of MQTT without TLS."""
        text = tokens[0].text if len(tokens) == 1 else ""
        return self.numbers.get(text, text) == "1883"


def mqtt_places(tokens: list[Token]) -> Iterator[Spot | Seen]:
    """Yield the MQTT connections of a source, and where it names a library for them."""
    declared = _declared(tokens)
    settled = False
    for position, token in enumerate(tokens):
        if token.kind is Kind.TEXT:
            after = tokens[position + 1] if position + 1 < len(tokens) else token
            is_filled = after.text == "+" or (after.kind is Kind.NAME and after.line == token.line)
            place = address_in(token.text, token.line, is_filled=is_filled)
        elif token.kind is Kind.NAME:
            place = _at_name(tokens, position, declared)
        else:
            continue
        if place is not None:
            settled = True
            yield place
    for token in tokens:
        if token.text == "esp_mqtt_client_init" and not settled:
            evidence = f"`esp_mqtt_client_init()`: {_ELSEWHERE}"
            yield Seen(Weakness.PLAIN_MQTT, Sight.OPEN, token.line, evidence)
    for path, line in includes_of(tokens):
        if _LIBRARY.search(path):
            evidence = f"includes {path}, and no connection of it was recognised"
            yield Seen(Weakness.PLAIN_MQTT, Sight.NAMED, line, evidence)


def _at_name(tokens: list[Token], position: int, declared: _Declared) -> Spot | Seen | None:
    token = tokens[position]
    before = tokens[position - 1].text if position else ""
    after = tokens[position + 1].text if position + 1 < len(tokens) else ""
    receiver = tokens[position - 2].text if position > 1 and before in {".", "->"} else ""
    kind = declared.users.get(receiver, ("", []))[0]
    if token.text in _TRANSPORTS and before == "=":
        return _place(_TRANSPORTS[token.text], False, token, token.text)
    if token.text == "setServer" and after == "(":
        arguments = arguments_from(tokens, position + 2)
        if len(arguments) != 2:
            return None
        is_plain = declared.is_plain_port(arguments[1])
        return _place(declared.is_secure(receiver), is_plain, token, "setServer()", "setServer")
    if token.text == "begin" and kind == "MQTTClient" and after == "(":
        arguments = arguments_from(tokens, position + 2)
        last = arguments[-1][-1].text if arguments[-1] else ""
        return _place(declared.clients.get(last), False, token, "begin()", "begin")
    if token.text in _CONNECTED and after in declared.users:
        arguments = arguments_from(tokens, position + 3)
        if token.text == "PubSubClient" and len(arguments) < 3:
            return None  # Its server comes with setServer().
        is_plain = any(map(declared.is_plain_port, arguments[1:3]))
        return _place(declared.is_secure(after), is_plain, token, token.text)
    return None


def _place(
    is_secure: bool | None, is_plain_port: bool, token: Token, what: str, key: str = ""
) -> Spot | Seen:
    if is_secure is True:
        return Seen(Weakness.PLAIN_MQTT, Sight.SOUND, token.line, f"`{what}` with TLS")
    if is_secure is False or is_plain_port:
        port = "with port 1883 and" if is_plain_port else "on a client with"
        evidence = f"`{what}` {port} no TLS: MQTT in plain text"
        return Spot(Weakness.PLAIN_MQTT, token.line, evidence, key or what)
    return Seen(Weakness.PLAIN_MQTT, Sight.OPEN, token.line, f"`{what}`: {_ELSEWHERE}")


def _declared(tokens: list[Token]) -> _Declared:
    clients: dict[str, bool] = {}
    users: dict[str, tuple[str, list[str]]] = {}
    numbers: dict[str, str] = {}
    for position, token in enumerate(tokens):
        if token.kind is Kind.NUMBER and position > 1:
            name = tokens[position - 2 if tokens[position - 1].text == "=" else position - 1]
            if name.kind is Kind.NAME:
                numbers[name.text] = token.text.rstrip("uUlL")
            continue
        if token.kind is not Kind.NAME:
            continue
        rest = [each for each in tokens[position + 1 : position + 6] if each.text not in "*&"]
        if len(rest) < 2 or rest[0].kind is not Kind.NAME or rest[1].kind is not Kind.SIGN:
            if token.text == "setClient" and position > 1:
                given = arguments_from(tokens, position + 2)[0]
                user = tokens[position - 2].text
                users[user] = ("PubSubClient", [each.text for each in given])
            continue
        name_text = rest[0].text
        if token.text in PLAIN_CLIENTS | TLS_CLIENTS:
            texts = [each.text for each in tokens[position + 1 : position + 8]]
            made = set(texts[: texts.index(";")] if ";" in texts else texts)
            clients[name_text] = token.text in TLS_CLIENTS or bool(made & TLS_CLIENTS)
        elif token.text in _BUILT_ON_CLIENT:
            given = []
            if rest[1].text == "(":
                start = tokens.index(rest[1], position)
                given = [each for part in arguments_from(tokens, start + 1) for each in part]
            earlier = users.get(name_text, ("", []))[1]
            names_given = [*earlier, *(each.text for each in given)]
            users[name_text] = (token.text, names_given[:_MAX_NAMES])
    names = frozenset(token.text for token in tokens if token.kind is Kind.NAME)
    return _Declared(clients, users, numbers, names)
