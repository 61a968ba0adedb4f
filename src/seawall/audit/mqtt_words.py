"""What the checks of brokers have in common to say: pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Final

from seawall.audit.target import Target, TargetKind
from seawall.model.finding import Finding, Status

KINDS: Final = frozenset({TargetKind.MQTT})
MAX_NAMED: Final = 3
MAX_TOPIC: Final = 80


def passed(evidence: str) -> Finding:
    """Return a finding that says all is well."""
    return Finding(Status.PASS, evidence)


def unknown(reason: str) -> Finding:
    """Return a finding that says nothing is known."""
    return Finding(Status.UNKNOWN, reason)


def beside(reason: str) -> Finding:
    """Return a finding that says the question does not arise."""
    return Finding(Status.NOT_APPLICABLE, reason)


def topics_text(topics: Sequence[str]) -> str:
    """Name the first few topics, each once, harmless on a terminal."""
    names = list(dict.fromkeys(topics))
    shown = ", ".join(f"`{_plain(each)}`" for each in names[:MAX_NAMED])
    rest = len(names) - MAX_NAMED
    return shown + (f" and {rest} more" if rest > 0 else "")


def _plain(topic: str) -> str:
    cut = topic if len(topic) <= MAX_TOPIC else topic[:MAX_TOPIC] + "…"
    return "".join(each if each.isprintable() and each != "`" else "?" for each in cut)


def by_hand(target: Target, tool: str, *arguments: str, as_anybody: bool = False) -> str:
    """Return a command of mosquitto-clients that shows the same. Passwords are left to type."""
    line = [tool, "-V", "5", "-h", target.host, "-p", str(target.port)]
    access = target.access
    if target.uses_tls:
        line += ["--cafile", str(access.ca)] if access.ca else ["--tls-use-os-certs", "--insecure"]
    if not as_anybody:
        if access.cert is not None and access.key is not None:
            line += ["--cert", str(access.cert), "--key", str(access.key)]
        if access.username is not None:
            line += ["-u", access.username]
    quoted = shlex.join([*line, *arguments])
    if access.password is not None and not as_anybody:
        quoted += ' -P "$MQTT_PASSWORD"'
    return quoted
