"""Whether a broker lets in a client without name, password or certificate."""

from __future__ import annotations

from collections.abc import Iterable

from seawall.audit.check import Answers, Check, Unobserved
from seawall.audit.mqtt_words import KINDS, by_hand, passed, unknown
from seawall.audit.probes.mqtt import Knock, Listen
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, References, Risk, Severity, Status

_JOB = Knock()
_OWN = Listen()
_FIX = Fix(
    "Let in named clients alone. In mosquitto.conf: `allow_anonymous false` and "
    "`password_file /etc/mosquitto/passwd` (made by `mosquitto_passwd -c`), or better client "
    "certificates: `require_certificate true` and `use_identity_as_username true`."
)


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    greeting = answers[_JOB]
    if (greeting.is_silent or greeting.is_vague) and not _speaks_mqtt(answers):
        yield unknown(f"{greeting.text}, and no identity was let in: is it a broker?")
        return
    if not greeting.accepted:
        yield passed(f"a client without credentials is refused: {greeting.text}")
        return
    yield Finding(
        Status.FAIL,
        f"{greeting.text} (accepted) without user name, password or certificate",
        _FIX,
        reproduce=by_hand(target, "mosquitto_sub", "-t", "#", "-W", "3", "-v", as_anybody=True),
    )


def _speaks_mqtt(answers: Answers) -> bool:
    try:
        return answers[_OWN].greeting.accepted
    except Unobserved:
        return False


CHECK = Check(
    id="mqtt.auth.anonymous",
    title="The broker lets anybody in",
    item=Item.SERVICES,
    kinds=KINDS,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="Who reaches the port is a client: reads what devices send, sends them orders, and fills "
    "the broker's memory. Search engines list tens of thousands of such brokers.",
    references=References(("I2", "I9"), ("5.5-5", "5.6-1"), ("LA",), (306,)),
    jobs=lambda _: [_JOB, _OWN],
    judge=_judge,
)
