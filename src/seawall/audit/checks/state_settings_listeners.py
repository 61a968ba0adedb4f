"""Listeners on every address although nobody is meant to come from elsewhere."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from typing import Any

from seawall.audit.check import Answers, Check, Job
from seawall.audit.probes.state import ReadStateSettings
from seawall.audit.state_files import STATE
from seawall.audit.state_settings import line_of, setting_fix
from seawall.audit.target import Target
from seawall.model.finding import Finding, Item, References, Risk, Severity, Status
from seawall.model.installation import MqttSettings, UpdateSettings, WebSettings

_Listener = MqttSettings | WebSettings | UpdateSettings
_FOR = {"mqtt": "devices", "web": "people", "updates": "devices that fetch releases"}


def _jobs(_: Target) -> Sequence[Job[Any]]:
    return (ReadStateSettings(),)


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    seen = answers[ReadStateSettings()]
    settings = seen.settings
    sections: dict[str, _Listener] = {
        "mqtt": settings.mqtt,
        "web": settings.web,
        "updates": settings.updates,
    }
    needless = [
        name
        for name, each in sections.items()
        if not _is_local(each.host) and _is_local(each.public_host)
    ]
    if not needless:
        hosts = ", ".join(f"{name} on {each.host}" for name, each in sections.items())
        yield Finding(Status.PASS, f"no listener is open wider than it is named: {hosts}")
        return
    # One finding: the change of a file is one.
    words = "; ".join(
        f"[{name}] listens on {sections[name].host}, but {_FOR[name]} are told to come to "
        f"'{sections[name].public_host}'"
        for name in needless
    )
    changes = [(name, "host", "127.0.0.1") for name in needless]
    yield Finding(
        Status.FAIL,
        words,
        setting_fix(
            target,
            seen,
            "Listen where somebody is meant to come from; to serve other machines, set "
            "public_host and names instead ('seawall init --name').",
            *changes,
        ),
        location=line_of(seen, needless[0], "host"),
    )


def _is_local(host: str) -> bool:
    if host.casefold() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


CHECK = Check(
    id="state.settings.listeners",
    title="A listener is open to the network without need",
    item=Item.SERVICES,
    kinds=STATE,
    severity=Severity.LOW,
    risk=Risk.READ,
    why="No device or person from elsewhere can use it, because the certificates name this "
    "machine alone; everybody else on the network can still knock.",
    references=References(("I2", "I9"), ("5.6-1", "5.6-5"), ("LA", "DC"), (1327, 668)),
    jobs=_jobs,
    judge=_judge,
)
