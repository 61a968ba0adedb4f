"""Which names hold secrets, and which values are none.

A scanner lives by what it leaves out. Names count by their last words, so that
``WIFI_PASSWORD`` does and ``password_file`` does not; values that stand for a secret to
come, such as ``<your password>``, are placeholders.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from seawall.audit.usual_passwords import USUAL_PASSWORDS

PASSWORD_WORDS: Final = frozenset(
    {"password", "passwd", "passphrase", "passwort", "pwd", "pswd", "passcode", "psk", "pass", "pw"}
    | {"motdepasse", "contrasena", "senha", "wachtwoord"}
)
_KEYED: Final = frozenset(
    {"api", "secret", "access", "auth", "private", "encryption", "aes", "hmac", "shared", "signing"}
    | {"network", "app", "nwk", "master", "wifi", "wpa", "device", "account", "write", "read"}
    | {"license", "subscription", "ota", "adafruit", "io", "aio", "iot", "azure", "aws", "psk"}
)
"""Words that make the ``key`` behind them a secret: ``api_key``, and never ``key`` alone."""
_TOKENED: Final = frozenset(
    {"auth", "access", "api", "bot", "bearer", "refresh", "user", "device", "blynk", "sas", "jwt"}
    | {"telegram", "github", "influx", "influxdb", "ubidots", "session", "mqtt", "ha", "slack"}
)
_GLUED: Final = re.compile(
    r"(?:(?:wifi|wi_fi|wlan|sta|ap|mqtt|net|admin|user|login|ota|broker|my)"
    r"(?:pass|password|passwd|pwd|psk|pw))$"
)
_GLUED_KEYS: Final = frozenset(
    {"apikey", "secretkey", "accesskey", "authkey", "authtoken", "accesstoken", "apitoken"}
    | {"privatekey", "appkey", "nwkskey", "appskey", "clientsecret", "wifikey", "wpakey"}
)
_SPLIT: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_ORDINALS: Final = re.compile(r"[0-9]+")

DEFAULTS: Final = frozenset(each.casefold() for each in USUAL_PASSWORDS)
"""What is tried first, on every device of the world."""

_PLACEHOLDER: Final = re.compile(
    r"""^(?:
        $ | [\W_]+$ | (.)\1*$                            # nothing, dots, xxxx
        | .*<[^<>]+>.* | .*\$\{\w[^}]*\}.* | (?-i:\$[A-Z_]+) | .*\{\w*\}.* | .*\{\{.*\}\}.*
        | .*%\(\w+\)[sd].* | %[sdr] | @\w+@ | __\w+__
        | (?:!secret|!env_var|env:|file:|vault:|op://|/).*   # where to look instead
        | (?:your|my|the|this|enter|insert|put|replace|fill|type|add|set|paste|example|sample|some
           |placeholder|todo|fixme|dummy|none|null|nil|undefined|unset|n/?a|tbd|redacted|removed
           |change(?:_?me|_?it|_?this)?|xxx+|\*+|not[ _-]?set|empty|hidden|os\.|insert|foo|bar)
          (?:[\s_.\-/:!].*|(?:own|wifi|wi-fi|password|passwd|pass|pwd|psk|ssid|key|token|secret|api
           |network|net|auth|mqtt|broker|user|router|here|value|super|access|device).*)?$
        | (?:wrong|bad|invalid|incorrect|no|missing|failed|empty|unknown)[\s_.\-]+   # a message
          (?:(?:wifi|wi-?fi|wlan|mqtt|api|ap|network|auth|access|user|login)[\s_.\-]+)?
          (?:password|passwd|passphrase|passcode|pass|pwd|psk|pw|key|token|secret|login|credentials)
          [.!]?
        | .*(?:goes[_ -]?here|_here|[ -]here|placeholder|redacted|changeme|xxxx|\.\.\.|…).*
        | (?:wifi|wi-?fi|wlan|mqtt|api|ap|network|net|router|auth|access|broker|device|user|sta)?
          [\s_.\-]*(?:password|passwd|passphrase|passphras|pass|pwd|psk|ssid|key|token|secret|pw)
          [\s_.\-]*\d?:?$                                # the name of what belongs there
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_MESSAGES: Final = frozenset(
    {"err", "error", "errors", "msg", "message", "prompt", "label", "hint", "title", "event", "evt"}
)
"""Words that begin the names of texts for people, or of what happened."""
_RANDOM: Final = re.compile(r"^[A-Za-z0-9+/=_\-.:~]{8,}$")
_WORD: Final = re.compile(r"^[A-Za-z][a-z]*(?:[_\-. ][A-Za-z][a-z]*)*$|^[A-Z][A-Z_]*$")


class SecretKind(StrEnum):
    """What a secret is for, as a report says it."""

    PASSWORD = "password"  # noqa: S105  a noun
    KEY = "key"
    TOKEN = "token"  # noqa: S105  a noun


@dataclass(frozen=True, slots=True)
class Literal:
    """A secret that stands in a file. Its value is not kept.

    Attributes:
        name: What it was given to, such as ``WIFI_PASSWORD`` or ``connect()``.
        kind: What it is for.
        length: Characters, or bytes.
        is_default: Whether it is one of those that everybody tries.
        line: From 1.
    """

    name: str
    kind: SecretKind
    length: int
    is_default: bool
    line: int

    def __str__(self) -> str:
        common = "a well-known default " if self.is_default else "a "
        return f"{common}{self.kind} of {self.length} characters in {self.name}"


def words_of(name: str) -> tuple[str, ...]:
    """Split a name at underscores, hyphens and capitals; lower-case."""
    return tuple(word.lower() for word in _SPLIT.findall(name))


def secret_kind(name: str) -> SecretKind | None:
    """Return what a name promises to hold, None if that is no secret."""
    words = words_of(name)
    while words and (_ORDINALS.fullmatch(words[-1]) or len(words[-1]) == 1):
        words = words[:-1]  # wifi_password_2, passwordB
    if not words:
        return None
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    glued = "".join(words)
    if last in PASSWORD_WORDS or _GLUED.search(last) or _GLUED.search(glued):
        return SecretKind.PASSWORD
    if last == "secret" or (last in {"key", "secret"} and before in _KEYED):
        return SecretKind.KEY
    if last == "token" and (not before or before in _TOKENED):
        return SecretKind.TOKEN
    if last in _GLUED_KEYS or glued in _GLUED_KEYS:
        return SecretKind.TOKEN if glued.endswith("token") else SecretKind.KEY
    return None


def is_placeholder(value: str) -> bool:
    """Return whether a value only stands where a secret will be."""
    return len(value) > 512 or bool(_PLACEHOLDER.match(value.strip()))


def looks_random(value: str) -> bool:
    """Return whether a value can be a key or token: no word, no sentence, no path."""
    return bool(
        _RANDOM.match(value)
        and not _WORD.match(value)
        and (any(c.isdigit() for c in value) or len(value) >= 16)
        and len(set(value)) > 4
    )


def is_default(value: str) -> bool:
    """Return whether everybody would try this first."""
    return value.casefold() in DEFAULTS


def literal_of(name: str, value: str, line: int, *, certain: bool = False) -> Literal | None:
    """Judge a value that a name was given, or that stands where a secret belongs.

    Args:
        name: Of the variable, key, argument or call.
        value: What stands there.
        line: From 1.
        certain: Whether the place says that it is a password, whatever the name.
    """
    kind = SecretKind.PASSWORD if certain else secret_kind(name)
    if kind is None or not value.isprintable():
        return None
    is_paired_default = certain and is_default(value)
    if is_placeholder(value) and not is_paired_default:
        return None
    is_message = not certain and not _MESSAGES.isdisjoint(words_of(name)[:1])
    if is_message and re.fullmatch(r"[A-Za-z]+(?:[\s_.,!\-]+[A-Za-z]*)*", value):
        return None
    if kind is SecretKind.PASSWORD:
        if value.endswith((":", ": ", "?", "=")) and " " in value:
            return None  # It asks for one.
    elif not looks_random(value):
        return None
    return Literal(name, kind, len(value), is_default(value), line)
