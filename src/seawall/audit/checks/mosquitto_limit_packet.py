"""Whether mosquitto.conf bounds what one packet may be."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from seawall.audit.check import Answers, Check
from seawall.audit.mosquitto_files import (
    KINDS,
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

_SOUND_BYTES = 1 << 20


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    facts = answers[ReadBroker(target.path or Path())]
    general = facts.configuration.general
    found = general.find("max_packet_size") or general.find("message_size_limit")
    size = (found.number or 0) if found else 0
    if 0 < size <= _SOUND_BYTES and found is not None:
        yield Finding(Status.PASS, f"`{found.name} {size}`")
        return
    text = f"`{found.name} {size}`" if found else "neither `max_packet_size` nor a message limit"
    yield Finding(
        Status.FAIL,
        f"{text}: a packet may be of 256 MB" if not size else text,
        Fix(
            "Bound packets: `max_packet_size 262144` (message_size_limit acknowledges a longer "
            "message, and drops it).",
            changes=setting_changes(facts, general, {"max_packet_size": "262144"}),
        ),
        location=facts.at(found) if found else facts.at_section(general),
    )


CHECK = Check(
    id="mosquitto.limits.packet-size",
    title="Packets may have any size",
    item=Item.DEFAULTS,
    kinds=KINDS,
    severity=Severity.LOW,
    risk=Risk.READ,
    why="A handful of clients with large packets takes all memory of the broker, and each "
    "subscriber with a small one gets what it cannot hold.",
    references=References(("I9", "I2"), ("5.9-1", "5.13-1"), ("DC",), (770,)),
    jobs=lambda target: [ReadBroker(target.path or Path())],
    judge=if_all_was_read(_judge),
)
