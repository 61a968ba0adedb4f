"""Whether bridges to other brokers are protected."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from seawall.audit.check import Answers, Check
from seawall.audit.mosquitto_configuration import Section
from seawall.audit.mosquitto_files import (
    KINDS,
    BrokerFiles,
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
    failed = False
    for bridge in facts.configuration.bridges:
        for found in _judged(facts, bridge):
            failed = True
            yield found
    if not facts.configuration.bridges:
        yield Finding(Status.NOT_APPLICABLE, "there is no bridge")
    elif not failed:
        yield Finding(Status.PASS, "every bridge verifies the other broker")


def _judged(facts: BrokerFiles, bridge: Section) -> Iterable[Finding]:
    name = bridge.head.value[:40] if bridge.head else ""
    where = facts.at_section(bridge)
    insecure = bridge.find("bridge_insecure")
    if insecure is not None and insecure.flag:
        yield Finding(
            Status.FAIL,
            f"`bridge_insecure true` of bridge `{name}`: the certificate's name is not checked",
            Fix(
                "Check it: `bridge_insecure false`.",
                changes=setting_changes(facts, bridge, {"bridge_insecure": "false"}),
            ),
            location=facts.at(insecure),
            key=f"insecure {name}",
        )
    old = bridge.find("bridge_tls_version")
    if old is not None and old.value not in {"tlsv1.2", "tlsv1.3"}:
        yield Finding(
            Status.FAIL,
            f"`bridge_tls_version {old.value[:20]}` of bridge `{name}`",
            Fix(
                "Speak TLS 1.2: `bridge_tls_version tlsv1.2`.",
                changes=setting_changes(facts, bridge, {"bridge_tls_version": "tlsv1.2"}),
            ),
            severity=Severity.MEDIUM,
            location=facts.at(old),
            key=f"version {name}",
        )
    tls = ("bridge_cafile", "bridge_capath", "bridge_psk", "bridge_tls_use_os_certs")
    if not bridge.every(*tls) and not _is_local(bridge):
        secret = bridge.every("remote_password", "password")
        yield Finding(
            Status.FAIL,
            f"bridge `{name}` has no TLS" + (", and sends a password in clear" if secret else ""),
            Fix("Name the other broker's authority: `bridge_cafile PATH`, and its TLS port."),
            location=where,
            key=f"plain {name}",
        )


def _is_local(bridge: Section) -> bool:
    addresses = " ".join(each.value for each in bridge.every("address", "addresses")).split()
    return all(each.split(":")[0] in {"localhost", "127.0.0.1"} for each in addresses)


CHECK = Check(
    id="mosquitto.bridge.insecure",
    title="A bridge without protection",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=KINDS,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="A bridge carries the whole fleet's messages, and a password, across networks. Who "
    "stands between plays the other broker, and sends orders down.",
    references=References(("I7", "I3"), ("5.5-1",), ("DP",), (295, 319)),
    jobs=lambda target: [ReadBroker(target.path or Path())],
    judge=if_all_was_read(_judge),
)
