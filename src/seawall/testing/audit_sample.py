"""An audit of a small fleet that never was, for tests of reports and for pictures of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from seawall.audit.check import Answers, Check, Job
from seawall.audit.report.record import AuditRecord, DatabaseAge
from seawall.audit.target import Target, TargetKind
from seawall.model.finding import (
    ChangeMode,
    ChangeText,
    Confidence,
    Finding,
    Fix,
    Item,
    Location,
    References,
    Result,
    Risk,
    Severity,
    Status,
    Waiver,
)

NOW: Final = datetime(2026, 11, 22, 3, 24, tzinfo=UTC)

BROKER: Final = Target(TargetKind.MQTT, "mqtt://broker.example:1883", "broker.example", 1883)
CONFIGURATION: Final = Target(
    TargetKind.MOSQUITTO,
    "/etc/mosquitto/mosquitto.conf",
    path=Path("/etc/mosquitto/mosquitto.conf"),
)
API: Final = Target(TargetKind.API, "https://iot.example/", "iot.example", 443, uses_tls=True)
BUNDLE: Final = Target(TargetKind.FIRMWARE, "greenhouse-1", path=Path("greenhouse-1"))
FUSES: Final = Target(TargetKind.EFUSE, "espefuse.txt", path=Path("espefuse.txt"))


def make_check(
    check_id: str,
    title: str,
    item: Item,
    severity: Severity,
    why: str,
    references: References = References(),  # noqa: B008  frozen
    kind: TargetKind = TargetKind.MQTT,
) -> Check:
    """Return a check that looks at nothing and judges nothing."""

    def jobs(_target: Target) -> Sequence[Job[Any]]:
        return ()

    def judge(_target: Target, _answers: Answers) -> Sequence[Finding]:
        return ()

    return Check(
        check_id, title, item, frozenset({kind}), severity, Risk.READ, why, references, jobs, judge
    )


ANONYMOUS: Final = make_check(
    "mqtt.access.anonymous",
    "The broker lets anybody in",
    Item.DEFAULTS,
    Severity.CRITICAL,
    "Whoever reaches the port reads every reading and sends every command. One line in a search "
    "engine for devices finds such brokers by the ten thousand.",
    References(owasp=("I9", "I2"), etsi=("5.5-4",), nist=("LA",), cwe=(306,)),
)
FOREIGN_READ: Final = make_check(
    "mqtt.acl.foreign-read",
    "A client reads foreign topics",
    Item.INTERFACES,
    Severity.HIGH,
    "One stolen device is enough to listen to the whole fleet.",
    References(owasp=("I3",), etsi=("5.5-4",), nist=("LA",), cwe=(862,)),
)
PLAINTEXT: Final = make_check(
    "mqtt.transport.plaintext",
    "MQTT without TLS",
    Item.TRANSFER_AND_STORAGE,
    Severity.HIGH,
    "Passwords and readings can be read and changed by everyone on the way.",
    References(owasp=("I7",), etsi=("5.5-1", "5.5-7"), nist=("DP",), cwe=(319,)),
)
LIMITS: Final = make_check(
    "mosquitto.limits.unset",
    "No limit on connections and queues",
    Item.SERVICES,
    Severity.MEDIUM,
    "One client that opens connections, or does not read, takes the broker down for all.",
    References(owasp=("I2",), etsi=("5.6-5",), cwe=(770,)),
    TargetKind.MOSQUITTO,
)
NO_VERIFY: Final = make_check(
    "firmware.tls.unverified",
    "TLS that verifies nobody",
    Item.TRANSFER_AND_STORAGE,
    Severity.HIGH,
    "In MicroPython `ssl.SSLContext()` starts at CERT_NONE: the line is encrypted, but to "
    "whoever answers. A rogue access point takes the device over.",
    References(owasp=("I7",), etsi=("5.5-1",), nist=("DP",), cwe=(295,)),
    TargetKind.FIRMWARE,
)
HARD_CODED: Final = make_check(
    "firmware.secret.hard-coded",
    "A password in the source",
    Item.PASSWORDS,
    Severity.HIGH,
    "It is the same on every device, and whoever reads one flash chip has it.",
    References(owasp=("I1",), etsi=("5.4-3",), nist=("LA",), cwe=(798,)),
    TargetKind.FIRMWARE,
)
KEY_MODE: Final = make_check(
    "firmware.files.key-mode",
    "A private key that others can read",
    Item.TRANSFER_AND_STORAGE,
    Severity.LOW,
    "Any account on the machine can play the device.",
    References(owasp=("I7",), etsi=("5.4-1",), nist=("DP",), cwe=(732,)),
    TargetKind.FIRMWARE,
)
CORS: Final = make_check(
    "api.cors.any-origin",
    "Any website may use the API from a visitor's browser",
    Item.INTERFACES,
    Severity.MEDIUM,
    "A page that an operator happens to open acts in the operator's name.",
    References(owasp=("I3",), etsi=("5.5-4",), cwe=(942,)),
    TargetKind.API,
)
HEADERS: Final = make_check(
    "api.docs.public",
    "The API's description is public",
    Item.INTERFACES,
    Severity.INFO,
    "It saves an attacker an afternoon, no more.",
    References(owasp=("I3",), etsi=("5.6-2",)),
    TargetKind.API,
)
KNOWN_VULNERABILITY: Final = make_check(
    "firmware.components.vulnerable",
    "A component with a known vulnerability",
    Item.COMPONENTS,
    Severity.HIGH,
    "Exploits for known weaknesses are public, and tried on everything.",
    References(owasp=("I5",), etsi=("5.2-3",), nist=("SU",), cwe=(1395,)),
    TargetKind.FIRMWARE,
)
UPDATE_SIGNED: Final = make_check(
    "firmware.update.unsigned",
    "Updates without a signature",
    Item.UPDATES,
    Severity.CRITICAL,
    "Whoever can answer for the update server owns the fleet.",
    References(owasp=("I4",), etsi=("5.3-10",), nist=("SU",), cwe=(494,)),
    TargetKind.FIRMWARE,
)
SECURE_BOOT: Final = make_check(
    "efuse.boot.unverified",
    "The chip boots anything",
    Item.HARDWARE,
    Severity.MEDIUM,
    "A minute with the board is enough to make it run other code.",
    References(owasp=("I10",), etsi=("5.7-1",), nist=("DP",), cwe=(1326,)),
    TargetKind.EFUSE,
)
CHECKS: Final = (
    ANONYMOUS,
    FOREIGN_READ,
    PLAINTEXT,
    LIMITS,
    NO_VERIFY,
    HARD_CODED,
    KEY_MODE,
    CORS,
    HEADERS,
    KNOWN_VULNERABILITY,
    UPDATE_SIGNED,
    SECURE_BOOT,
)


def make_result(
    check: Check,
    target: Target | str,
    status: Status,
    evidence: str,
    *,
    key: str = "",
    **fields: Any,
) -> Result:
    """Return a result of a check; ``fields`` are those of `Result`."""
    name = target if isinstance(target, str) else target.name
    digest = hashlib.sha256(f"{check.id}\0{name}\0{key}".encode("utf-8", "replace")).hexdigest()
    made = Result(
        target=name,
        check=check.id,
        item=check.item,
        status=status,
        severity=check.severity,
        confidence=Confidence.HIGH,
        evidence=evidence,
        fix=None,
        location=None,
        fingerprint=digest[:32],
    )
    return replace(made, **fields)


_CONF_BEFORE: Final = b"listener 1883\nallow_anonymous true\npersistence true\n"
_CONF_AFTER: Final = (
    b"listener 8883\ncafile /etc/mosquitto/ca.pem\nrequire_certificate true\n"
    b"allow_anonymous false\nmax_connections 2000\npersistence true\n"
)


_UPLINK_BEFORE: Final = b"context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)\n"
_UPLINK_ADDED: Final = (
    b'context.verify_mode = ssl.CERT_REQUIRED\ncontext.load_verify_locations("ca.der")\n'
)


def sample_results() -> tuple[Result, ...]:
    """Return results of every kind: all statuses, all severities, a waiver, fixes of all sorts."""
    return (*_of_broker(), *_of_bundle(), *_of_the_rest())


def _of_broker() -> tuple[Result, ...]:
    conf = str(CONFIGURATION.path)
    return (
        make_result(
            ANONYMOUS,
            BROKER,
            Status.FAIL,
            "CONNACK 0 without user name; a publish on `seawall-audit/k3v9/hello` came back",
            fix=Fix(
                "Refuse clients without a certificate, and listen with TLS alone.",
                changes=(ChangeText(conf, _CONF_BEFORE, _CONF_AFTER),),
            ),
            reproduce="mosquitto_sub -h broker.example -p 1883 -t '#' -C 1 -W 3",
        ),
        make_result(
            FOREIGN_READ,
            BROKER,
            Status.FAIL,
            "what `audit-a` published on `devices/seawall-audit-k3v9/readings` reached `audit-b`",
            fix=Fix(
                "Give each client its own topics alone.",
                command="printf 'pattern readwrite devices/%%u/#\\n' > /etc/mosquitto/acl",
            ),
        ),
        make_result(PLAINTEXT, BROKER, Status.FAIL, "CONNACK on port 1883 without TLS"),
        make_result(
            LIMITS,
            CONFIGURATION,
            Status.FAIL,
            "neither `max_connections` nor `max_queued_messages` is set for the listener of line 1",
            location=Location("mosquitto.conf", 1),
            fix=Fix(
                "Set limits that fit the fleet.", command=f"echo 'max_connections 2000' >> {conf}"
            ),
        ),
    )


def _of_bundle() -> tuple[Result, ...]:
    return (
        make_result(
            NO_VERIFY,
            BUNDLE,
            Status.FAIL,
            "`ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)` and no `verify_mode`",
            location=Location("lib/uplink.py", 41),
            fix=Fix(
                "Load the authority's certificate, and require one.",
                changes=(
                    ChangeText(
                        "greenhouse-1/lib/uplink.py",
                        _UPLINK_BEFORE,
                        _UPLINK_BEFORE + _UPLINK_ADDED,
                    ),
                ),
            ),
        ),
        make_result(
            HARD_CODED,
            BUNDLE,
            Status.FAIL,
            "`WIFI_PASSWORD = ...`: a text of 11 characters",
            location=Location("boot.py", 7),
            confidence=Confidence.MEDIUM,
            fix=Fix("Read it from a file that the bundle brings, a different one for each device."),
        ),
        make_result(
            KEY_MODE,
            BUNDLE,
            Status.FAIL,
            "mode 0644, readable by all",
            location=Location("key.der"),
            fix=Fix(
                "Take the others' right away.", changes=(ChangeMode("greenhouse-1/key.der", 0o600),)
            ),
        ),
    )


def _of_the_rest() -> tuple[Result, ...]:
    return (
        make_result(
            CORS,
            API,
            Status.FAIL,
            "`Access-Control-Allow-Origin: *` on /api/v1/devices",
            waived=Waiver(
                CORS.id, "Read-only status page for the museum; no session", date(2027, 1, 31)
            ),
        ),
        make_result(HEADERS, API, Status.FAIL, "GET /openapi.json answered 200"),
        make_result(
            KNOWN_VULNERABILITY,
            BUNDLE,
            Status.UNKNOWN,
            "`umqtt.simple` has no version that could be looked up",
            location=Location("lib/umqtt/simple.py"),
        ),
        make_result(SECURE_BOOT, FUSES, Status.UNKNOWN, "the summary ends before `SECURE_BOOT_EN`"),
        make_result(UPDATE_SIGNED, BUNDLE, Status.PASS, "a root of trust of 3 keys, threshold 2"),
        make_result(
            LIMITS, BROKER, Status.PASS, "a packet of 1 MiB was refused with reason 149", key="live"
        ),
        make_result(HARD_CODED, API, Status.PASS, "no script of 4 carries a credential"),
        make_result(ANONYMOUS, API, Status.NOT_APPLICABLE, "speaks no MQTT"),
    )


def sample_record(**fields: Any) -> AuditRecord:
    """Return the audit; ``fields`` replace those of `AuditRecord`."""
    made: dict[str, Any] = {
        "generated_at": NOW,
        "seawall": "0.1.0",
        "targets": (BROKER, CONFIGURATION, API, BUNDLE, FUSES),
        "checks": CHECKS,
        "results": sample_results(),
        "database": DatabaseAge(date(2026, 10, 30), 23),
        "seconds": 4.2,
    }
    return AuditRecord(**made | fields)
