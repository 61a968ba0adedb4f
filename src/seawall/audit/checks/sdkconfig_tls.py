"""TLS that may skip its checks in the build."""

from __future__ import annotations

from collections.abc import Iterable

from seawall.audit.check import Answers, Check
from seawall.audit.chip.judging import SDKCONFIG, at, file_jobs, sdkconfig_of, with_options
from seawall.audit.chip.sdkconfig import WEAK_TLS, plain_addresses
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
    config = sdkconfig_of(target, answers)
    bad = [name for name in WEAK_TLS if config.is_on(name)]
    for name in bad:
        yield Finding(
            Status.FAIL,
            f"{name}=y: {WEAK_TLS[name]}",
            with_options(target, "Switch it off.", f"# {name} is not set"),
            severity=Severity.MEDIUM if "_PROTO_" in name else None,
            location=at(target, config.line(name)),
            key=name,
        )
    addresses = [each for each in plain_addresses(config) if not each.is_of_updates]
    for each in addresses:
        yield Finding(
            Status.FAIL,
            each.evidence,
            Fix(f"Use TLS: let {each.name} begin with {each.scheme}s:// and verify the server."),
            severity=Severity.HIGH if each.scheme == "mqtt" else Severity.MEDIUM,
            location=at(target, each.line),
            key=each.name,
        )
    if not bad and not addresses:
        yield Finding(Status.PASS, "no option weakens TLS, no address is without it")


CHECK = Check(
    id="sdkconfig.tls.insecure",
    title="TLS is left out or may leave certificates unchecked",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=SDKCONFIG,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="Encryption to whoever answers protects from nobody: one who sits in between reads all, "
    "and sends orders and updates.",
    references=References(("I7",), ("5.5-1", "5.5-7"), ("DP",), (295,)),
    jobs=file_jobs,
    judge=_judge,
)
