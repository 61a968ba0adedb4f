"""Whether MQTT is spoken without TLS."""

from __future__ import annotations

from collections.abc import Iterable

from seawall.audit.check import Answers, Check
from seawall.audit.mqtt_words import KINDS, passed
from seawall.audit.probes.mqtt import Knock
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, References, Risk, Severity, Status

_JOB = Knock()
_FIX = Fix(
    "Listen with TLS alone. In mosquitto.conf, below `listener 8883`: `certfile`, `keyfile`, "
    "`cafile` and `tls_version tlsv1.2`; take `listener 1883` out, or bind it to this machine "
    "with `listener 1883 localhost`. `seawall up` listens with mutual TLS from the start."
)


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    greeting = answers[_JOB]
    if target.uses_tls:
        yield passed("the port speaks TLS")
    elif greeting.code is None:
        yield Finding(Status.UNKNOWN, f"no MQTT answer: {greeting.text}")
    else:
        yield Finding(
            Status.FAIL, f"port {target.port} answers CONNECT in plain TCP: {greeting.text}", _FIX
        )


CHECK = Check(
    id="mqtt.transport.plaintext",
    title="MQTT without TLS",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=KINDS,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="Readings, orders and passwords cross the network in clear. Whoever shares it (a guest "
    "in the Wi-Fi, a hacked camera) reads them, and changes them on the way.",
    references=References(("I7", "I2"), ("5.5-1", "5.5-7"), ("DP",), (319,)),
    jobs=lambda _: [_JOB],
    judge=_judge,
)
