"""TLS that may skip its checks in the build."""

from __future__ import annotations

from collections.abc import Iterable

from seawall.audit.check import Answers, Check
from seawall.audit.chip.judging import SDKCONFIG, at, file_jobs, sdkconfig_of, with_options
from seawall.audit.target import Target
from seawall.model.finding import (
    Finding,
    Item,
    References,
    Risk,
    Severity,
    Status,
)

_BAD = {
    "CONFIG_ESP_TLS_SKIP_SERVER_CERT_VERIFY": "servers' certificates are not verified",
    "CONFIG_ESP_TLS_INSECURE": "connections without a certificate to check against are allowed",
    "CONFIG_MBEDTLS_SSL_PROTO_SSL3": "SSL 3.0 is spoken",
    "CONFIG_MBEDTLS_SSL_PROTO_TLS1": "TLS 1.0 is spoken",
    "CONFIG_MBEDTLS_SSL_PROTO_TLS1_1": "TLS 1.1 is spoken",
}


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    config = sdkconfig_of(target, answers)
    bad = [name for name in _BAD if config.is_on(name)]
    for name in bad:
        yield Finding(
            Status.FAIL,
            f"{name}=y: {_BAD[name]}",
            with_options(target, "Switch it off.", f"# {name} is not set"),
            severity=Severity.MEDIUM if "_PROTO_" in name else None,
            location=at(target, config.line(name)),
            key=name,
        )
    if not bad:
        yield Finding(Status.PASS, "no option that weakens TLS is set")


CHECK = Check(
    id="sdkconfig.tls.insecure",
    title="TLS may leave certificates unchecked",
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
