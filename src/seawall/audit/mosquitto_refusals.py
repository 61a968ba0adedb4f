"""Settings that Mosquitto knows, and refuses to start with as they are: pure.

Texts may be given once a section; yes and no are ``true``, ``false``, ``1`` and ``0``
alone; numbers and words have their ranges. Each was asked of a Mosquitto 2.0.11; what
only that version lacks (``protocol http_api``) is not called refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from seawall.audit.mosquitto_configuration import (
    Configuration,
    Listener,
    Problem,
    Section,
    Setting,
)
from seawall.audit.mosquitto_settings import SECURITY_PREFIXES, SECURITY_SETTINGS


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SINGLE: Final = _words(
    """
    acl_file auto_id_prefix bind_address bind_interface bridge_alpn bridge_bind_address
    bridge_cafile bridge_capath bridge_certfile bridge_identity bridge_keyfile bridge_psk
    bridge_tls_version cafile capath certfile ciphers ciphers_tls1.3 clientid_prefixes crlfile
    dhparamfile http_dir keyfile local_clientid local_password local_username
    log_timestamp_format mount_point notification_topic password_file persistence_file
    persistence_location pid_file psk_file psk_hint remote_clientid remote_password
    remote_username tls_engine tls_version user
    """
)
"""Given for the second time in a section, they are refused; of others the last counts."""

SAME: Final = {
    "clientid": "remote_clientid",
    "username": "remote_username",
    "password": "remote_password",
}
"""Two names of one setting."""

FLAGS: Final = _words(
    """
    allow_anonymous allow_duplicate_messages allow_zero_length_clientid autosave_on_changes
    bridge_attempt_unsubscribe bridge_insecure bridge_outgoing_retain bridge_require_ocsp
    check_retain_source cleansession connection_messages listener_allow_anonymous
    local_cleansession log_timestamp notifications notifications_local_only
    per_listener_settings persistence queue_qos0_messages require_certificate retain_available
    round_robin set_tcp_nodelay try_private upgrade_outgoing_qos use_identity_as_username
    use_subject_as_username use_username_as_clientid
    """
)
RANGES: Final = {
    "max_inflight_messages": (-(1 << 31), 65_535),
    "max_keepalive": (10, 65_535),
    "max_packet_size": (20, (1 << 31) - 1),
    "max_qos": (0, 2),
    "max_topic_alias": (0, 65_535),
    "message_size_limit": (0, 268_435_455),
    "port": (1, 65_535),
    "sys_interval": (0, 65_535),
}
_FORMS: Final = {
    "log_dest": (
        re.compile(r"(?:none|syslog|stdout|stderr|topic|dlt|android)(?: .*)?|file .+"),
        "none, syslog, stdout, stderr, topic, dlt or file with a path",
    ),
    "log_type": (
        re.compile(
            r"(?:none|all|error|warning|notice|information|debug|subscribe|unsubscribe|websockets"
            r"|internal)(?: .*)?"
        ),
        "a kind of message, as error, warning, notice, information, debug or all",
    ),
    "persistent_client_expiration": (
        re.compile(r"0*[1-9][0-9]*[hdwmy](?: .*)?"),
        "a number above 0 with h, d, w, m or y behind it",
    ),
    "protocol": (
        re.compile(r"(?:mqtt|websockets|http_api)(?: .*)?"),
        "mqtt, websockets or http_api, in small letters",
    ),
    "start_type": (re.compile(r"(?:automatic|lazy|once)(?: .*)?"), "automatic, lazy or once"),
}


def refusals(found: Configuration) -> Iterator[Problem]:
    """Yield what Mosquitto would end at, section by section."""
    for section in (found.general, *found.listeners, *found.bridges):
        yield from _doubled(section.settings)
        for setting in section.settings:
            if (wanted := _wanted(setting)) is not None:
                seen = ", and a tab is no blank" if "\t" in setting.value else ""
                yield _problem(setting, f"`{setting.name}` must be {wanted}{seen}")
    for listener in found.listeners:
        if listener.head is not None and not _is_address(listener):
            text = "`listener` must have a port of 1 to 65535, or 0 and the path of a socket"
            yield _problem(listener.head, text)
    yield from _bridges(found.bridges)
    yield from _late(found)


def _problem(setting: Setting, text: str) -> Problem:
    return Problem(setting.path, setting.line, f"{text}: Mosquitto does not start")


def _doubled(settings: Iterable[Setting]) -> Iterator[Problem]:
    first: dict[str, Setting] = {}
    for setting in settings:
        name = SAME.get(setting.name, setting.name)
        earlier = first.setdefault(name, setting)
        if earlier is not setting and name in SINGLE:
            where = f"line {earlier.line}"
            if earlier.path != setting.path:
                where += " of another file"
            yield _problem(setting, f"`{setting.name}` stands here a second time, after {where}")


def _wanted(setting: Setting) -> str | None:
    """Return what a value must be; None: it is, or nothing is known of it."""
    name, value = setting.name, setting.value
    if name in FLAGS:
        return None if setting.word in {"true", "false", "1", "0"} else "true or false"
    if name in RANGES:
        low, high = RANGES[name]
        digits = re.match(r"[+-]?[0-9]{1,18}", value)
        number = int(digits[0]) if digits else 0
        if number < low:
            return f"{low} or more"
        return f"{high} or less" if number > high else None
    form, words = _FORMS.get(name, (None, ""))
    return words if form is not None and not form.fullmatch(value) else None


def _is_address(listener: Listener) -> bool:
    words = listener.head.value.split() if listener.head is not None else []
    if words and words[0] == "0":
        return len(words) > 1
    return bool(words) and words[0].isascii() and words[0].isdigit() and int(words[0][:6]) < 65_536


def _bridges(bridges: Iterable[Section]) -> Iterator[Problem]:
    names: set[str] = set()
    for bridge in bridges:
        if bridge.head is None:
            continue
        if bridge.head.word in names:
            yield _problem(bridge.head, "a bridge of this name stands above")
        names.add(bridge.head.word)
        if not bridge.every("address", "addresses"):
            yield _problem(bridge.head, "this bridge has no `address`")
        elif not bridge.every("topic"):
            yield _problem(bridge.head, "this bridge has no `topic`")


def _late(found: Configuration) -> Iterator[Problem]:
    """Yield a `per_listener_settings true` below what it says the place of."""
    if not found.per_listener:
        return
    first = min(
        (
            each.line
            for each in found.all()
            if each.path == found.main
            and (each.name in SECURITY_SETTINGS or each.name.startswith(SECURITY_PREFIXES))
        ),
        default=None,
    )
    for setting in found.general.every("per_listener_settings"):
        if first is not None and setting.path == found.main and setting.line > first:
            text = f"`per_listener_settings` must stand above all authentication (line {first})"
            yield _problem(setting, text)
