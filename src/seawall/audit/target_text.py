"""Understands targets as people write them: a URL by its scheme, a path by its content."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

from seawall.audit.probes.peek import glance
from seawall.audit.recognition import TITLES, UnrecognizedError, recognize_file, recognize_folder
from seawall.audit.target import Access, FleetPolicy, Target, TargetKind
from seawall.errors import UsageError

FORMS: Final = (
    "mqtt://HOST, mqtts://HOST, http://HOST, https://HOST, tls://HOST:PORT, host://ADDRESS "
    "or a path"
)
_SCHEMES: Final[dict[str, tuple[TargetKind, int, bool]]] = {
    "mqtt": (TargetKind.MQTT, 1883, False),
    "mqtts": (TargetKind.MQTT, 8883, True),
    "http": (TargetKind.API, 80, False),
    "https": (TargetKind.API, 443, True),
    "tls": (TargetKind.TLS, 443, True),
    "host": (TargetKind.HOST, 0, False),
}
_FIRMWARE: Final = (".py", ".mpy", ".ino", ".c", ".cpp", ".h", ".bin", ".elf", ".uf2", ".hex")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_HOST: Final = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?\.?\Z|[0-9A-Fa-f:.]+(?:%\w+)?\Z"
)
_LIKE_ADDRESS: Final = re.compile(r"[A-Za-z0-9.-]+:\d{1,5}\Z")


def parse_target(
    text: str,
    access: Access | None = None,
    *,
    name: str = "",
    kind: TargetKind | None = None,
    policy: FleetPolicy | None = None,
) -> Target:
    """Return the target that a text names.

    Args:
        text: A URL such as ``mqtts://broker.example:8883``, or a path.
        access: What to get in with.
        name: How to show it; empty: as it is written, with its port; a path without what says
            nothing, so that ``firmware/`` and ``firmware`` are one target.
        kind: What a path is, where its content does not tell.
        policy: What is demanded of a fleet.

    Raises:
        UsageError: it is none; a path is not there, cannot be read, or is not what its
            name says.
    """
    access = access or Access()
    if not text.strip() or any(ord(each) < 32 for each in text):
        raise UsageError(f"target {_shown(text)!r} is no target", hint=f"one of {FORMS}")
    scheme = _SCHEME.match(text)
    if scheme is None:
        target = _on_disk(text, access, kind)
    elif scheme[1].lower() in _SCHEMES:
        target = _on_network(text, access)
    else:
        raise UsageError(
            f"target {_shown(text)}: no scheme is '{scheme[1]}'", hint=f"one of {FORMS}"
        )
    return replace(target, name=name or target.name, policy=policy or target.policy)


def _on_network(text: str, access: Access) -> Target:
    url = _split(text)
    kind, usual_port, uses_tls = _SCHEMES[url.scheme]
    host = (url.hostname or "").lower()
    if _HOST.match(host) is None:
        raise UsageError(f"target {_shown(text)}: '{host}' is no host name and no address")
    if kind is TargetKind.HOST and url.port is not None:
        raise UsageError(
            f"target {text}: host:// looks at all ports",
            hint="name the ports that are meant to be open with --expect-ports",
        )
    if kind is not TargetKind.API and url.path not in {"", "/"}:
        raise UsageError(f"target {text}: nothing follows the port", hint=f"one of {FORMS}")
    port = usual_port if url.port is None else url.port
    if port == 0 and kind is not TargetKind.HOST:
        raise UsageError(f"target {text}: port 0 is no port")
    base_path = url.path or "/"
    bracketed = f"[{host}]" if ":" in host else host
    shown = f"{url.scheme}://{bracketed}" + (f":{port}" if port else "")
    name = shown + (base_path if base_path != "/" else "")
    return Target(kind, name, host, port, uses_tls, base_path=base_path, access=access)


def _split(text: str) -> SplitResult:
    try:
        url = urlsplit(text)
        _ = url.port  # it is checked when it is asked for
    except ValueError as error:
        # The library's other words repeat what it takes for the port: a part of a password.
        is_range = "out of range" in str(error)
        words = str(error) if is_range else "host or port cannot be understood"
        raise UsageError(f"target {_shown(text)}: {words}", hint=f"one of {FORMS}") from None
    if "@" in url.netloc:
        raise UsageError(
            f"target {_shown(text)} has a user or password in it, where everybody sees it",
            hint="give --username, and --password-file or --password-fd",
        )
    if url.query or url.fragment:
        raise UsageError(
            f"target {url.scheme}://{url.netloc}{url.path}: leave out what follows '?' or '#'",
            hint="a token goes into a file: --token-file",
        )
    return url


def _shown(text: str) -> str:
    """Return a target that may hold a password, however it is written, without it."""
    before, at, after = text.rpartition("@")
    if not at or (":" not in before and "//" not in before):
        return text
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*:/{1,2}", before)
    return f"{scheme[0] if scheme else ''}...@{after}"


def _on_disk(text: str, access: Access, kind: TargetKind | None) -> Target:
    path = Path(text)
    try:
        seen = glance(path)
    except OSError as error:
        if _LIKE_ADDRESS.match(text):
            raise UsageError(
                f"target {text} needs a scheme", hint=f"such as mqtts://{text} or tls://{text}"
            ) from None
        words = error.strerror or "cannot be read"
        raise UsageError(f"target {_shown(text)}: {words}", hint=f"one of {FORMS}") from None
    if kind is None and seen.names is not None:
        kind = recognize_folder(seen.names)
    if kind is None:
        kind = _recognized(text, path.name, seen.head)
    return Target(kind, str(path), path=path, access=access)


def _recognized(text: str, name: str, head: bytes) -> TargetKind:
    try:
        return recognize_file(name, head)
    except UnrecognizedError as error:
        hint = f"the audit knows {', '.join(TITLES.values())}; 'kind' in audit.toml says what it is"
        if name.lower().endswith(_FIRMWARE):
            hint = "firmware is audited as a folder: give the folder"
        raise UsageError(f"target {text}: {error}", hint=hint) from None
