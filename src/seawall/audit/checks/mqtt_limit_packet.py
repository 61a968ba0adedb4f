"""Whether a broker takes packets of any size."""

from __future__ import annotations

from collections.abc import Iterable

from seawall.audit.check import Answers, Check
from seawall.audit.mqtt_words import KINDS, passed, unknown
from seawall.audit.probes.mqtt import LARGE_BYTES, Listen, TryForeign
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, References, Risk, Severity, Status
from seawall.wire.mqtt.codes import Property

_LISTEN = Listen()
_FOREIGN = TryForeign()
_SOUND_BYTES = 1 << 20
_FIX = Fix(
    "Limit what one packet may be to what devices send. In mosquitto.conf: "
    "`max_packet_size 65536` (message_size_limit acknowledges a longer message and drops it)."
)


def _judge(_: Target, answers: Answers) -> Iterable[Finding]:
    greeting = answers[_LISTEN].greeting
    limit = greeting.number(Property.MAXIMUM_PACKET_SIZE)
    if limit is not None and limit <= _SOUND_BYTES:
        yield passed(f"CONNACK limits packets to {limit} bytes")
    elif limit is not None:
        yield Finding(Status.FAIL, f"CONNACK allows packets of {limit} bytes", _FIX)
    elif answers[_FOREIGN].takes_large is None:
        yield unknown("no limit in CONNACK, and the connection ended before it could be tried")
    elif answers[_FOREIGN].takes_large:
        text = f"no limit in CONNACK, and a packet of {LARGE_BYTES >> 20} MiB may begin"
        yield Finding(Status.FAIL, text, _FIX)
    else:
        yield passed(f"a packet that says it is of {LARGE_BYTES >> 20} MiB is cut off")


CHECK = Check(
    id="mqtt.limits.packet-size",
    title="Packets may have any size",
    item=Item.SERVICES,
    kinds=KINDS,
    severity=Severity.LOW,
    risk=Risk.WRITE,
    why="MQTT allows 256 MB a packet. A handful of clients then takes all memory of the broker, "
    "and each subscriber with a small one gets what it cannot hold.",
    references=References(("I2",), ("5.9-1", "5.13-1"), ("LA",), (770,)),
    jobs=lambda _: [_LISTEN, _FOREIGN],
    judge=_judge,
)
