"""Whether one identity ends another's session by its client id."""

from __future__ import annotations

from collections.abc import Iterable

from seawall.audit.check import Answers, Check
from seawall.audit.mqtt_facts import Greeting
from seawall.audit.mqtt_words import KINDS, passed, unknown
from seawall.audit.probes.mqtt import TakeOver
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, References, Risk, Severity, Status
from seawall.wire.mqtt.codes import V5, ConnectReturn, ReasonCode

_JOB = TakeOver()
_FIX = Fix(
    "Bind the client id to the identity. In mosquitto.conf: `use_username_as_clientid true`, "
    "with a user name for each device (`use_identity_as_username true`)."
)


def _judge(_: Target, answers: Answers) -> Iterable[Finding]:
    seen = answers[_JOB]
    if not seen.first_ended and (seen.second.is_silent or _is_unknown(seen.second)):
        yield unknown(f"the second identity was not let in: {seen.second.text}")
        return
    if not seen.first_ended:
        how = "is refused" if not seen.second.accepted else "gets a session of its own"
        yield passed(f"a second identity with the first one's client id {how}: {seen.second.text}")
        return
    code = f"DISCONNECT 0x{seen.code:02x}" if seen.code is not None else "the connection ended"
    yield Finding(
        Status.FAIL,
        f"a second identity with the first one's client id ends the first one's session ({code})",
        _FIX,
    )


def _is_unknown(second: Greeting) -> bool:
    """Whether the second identity itself is refused, whatever its client id."""
    if second.code is None:
        return True  # by TLS
    if second.version == V5:
        return second.code == ReasonCode.BAD_USER_OR_PASSWORD
    return second.code == ConnectReturn.BAD_CREDENTIALS


CHECK = Check(
    id="mqtt.session.takeover",
    title="A client id is anybody's",
    item=Item.INTERFACES,
    kinds=KINDS,
    severity=Severity.MEDIUM,
    risk=Risk.LOGIN,
    why="Client ids are no secrets. Who connects with a device's keeps it off line for as long as "
    "it likes, and may be handed the messages that wait in its session.",
    references=References(("I3",), ("5.5-5", "5.9-1"), ("DI",), (287, 384)),
    jobs=lambda _: [_JOB],
    judge=_judge,
    needs=("other",),
)
