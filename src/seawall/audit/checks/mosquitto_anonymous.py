"""Whether mosquitto.conf lets in clients without a name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from seawall.audit.check import Answers, Check
from seawall.audit.mosquitto_configuration import Listener, Section
from seawall.audit.mosquitto_files import (
    KINDS,
    BrokerFiles,
    each_listener,
    key_of,
    setting_changes,
)
from seawall.audit.mosquitto_judging import if_all_was_read
from seawall.audit.probes.mosquitto import ReadBroker
from seawall.audit.target import Target
from seawall.model.finding import (
    Finding,
    Fix,
    Item,
    References,
    Risk,
    Severity,
    Status,
)


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    facts = answers[ReadBroker(target.path or Path())]

    def judge(listener: Listener) -> Finding | None:
        security = facts.configuration.security(listener)
        setting = listener.find("listener_allow_anonymous") or security.find("allow_anonymous")
        if not facts.configuration.allows_anonymous(listener):
            return None if setting else _unsaid(facts, listener)
        name = setting.name if setting else "allow_anonymous"
        section = listener if name.startswith("listener_") else security
        kept = _is_proven(facts, section)
        text = f"`{name} true` holds for {listener.label}"
        if setting is None:
            text = "no listener is declared: every process of this machine is let in"
        elif not kept:
            text += ", and nothing else proves who a client is"
        return Finding(
            Status.FAIL,
            text,
            _fix(facts, section, name) if kept else _steps(name),
            severity=_severity(listener),
            location=facts.at(setting) if setting else facts.at_section(listener),
            key=key_of(listener),
        )

    yield from each_listener(
        facts.configuration.listeners, judge, "no listener lets in clients without a name"
    )


def _is_proven(facts: BrokerFiles, section: Section) -> bool:
    """Whether every listener for which a section counts has another way to know its clients."""
    found = facts.configuration
    concerned = [e for e in found.listeners if section is e or section is found.security(e)]
    return all(
        found.security(each).find("password_file") is not None or each.wants_certificate
        for each in concerned
    )


def _fix(facts: BrokerFiles, section: Section, name: str) -> Fix:
    return Fix(
        f"Set `{name} false`. Who has neither password nor certificate stays out then.",
        changes=setting_changes(facts, section, {name: "false"}),
    )


def _steps(name: str) -> Fix:
    """Say what comes first: the setting alone would keep every client out."""
    return Fix(
        "Give each client a password: `mosquitto_passwd -c FILE NAME` asks for the first, "
        "without `-c` for the next. Once all clients send theirs, name the file, "
        f"`password_file FILE`, and set `{name} false`.",
    )


def _severity(listener: Listener) -> Severity:
    if listener.wants_certificate or listener.is_local_only:
        return Severity.LOW  # a certificate has to be shown before
    return Severity.MEDIUM if listener.is_loopback else Severity.HIGH


def _unsaid(facts: BrokerFiles, listener: Listener) -> Finding | None:
    if listener.wants_certificate:
        return None
    section = facts.configuration.security(listener)
    return Finding(
        Status.FAIL,
        f"`allow_anonymous` is not set for {listener.label}: before Mosquitto 2.0 that is yes",
        Fix(
            "Say it: `allow_anonymous false`. With an older version, clients need a password "
            "before.",
            changes=setting_changes(facts, section, {"allow_anonymous": "false"})
            if _is_proven(facts, section)
            else (),
        ),
        severity=Severity.LOW,
        location=facts.at_section(listener),
        key=key_of(listener),
    )


CHECK = Check(
    id="mosquitto.auth.anonymous",
    title="mosquitto.conf lets anybody in",
    item=Item.SERVICES,
    kinds=KINDS,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="Who reaches the port is a client: reads what devices send, sends them orders, fills "
    "the broker's memory.",
    references=References(("I2", "I9"), ("5.5-5", "5.6-1"), ("LA",), (306, 1188)),
    jobs=lambda target: [ReadBroker(target.path or Path())],
    judge=if_all_was_read(_judge),
)
