"""What a bundle makes its device believe."""

from __future__ import annotations

from collections.abc import Iterable

from seawall.audit.check import Answers, Check
from seawall.audit.firmware.bundle import CONFIG, Bundle
from seawall.audit.firmware.facts import FirmwareFacts
from seawall.audit.firmware.judging import FIRMWARE, firmware_jobs, firmware_of, settled
from seawall.audit.target import Target
from seawall.model.finding import (
    Finding,
    Fix,
    Item,
    Location,
    References,
    Risk,
    Severity,
    Status,
)


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    facts = firmware_of(target, answers)
    if facts.bundle is None:
        yield from settled([], facts, False, "", "no device bundle")
        return
    missing = _missing(facts.bundle, facts)
    if missing is None:
        pins = f", {facts.bundle.pins} pins" if facts.bundle.pins else ""
        yield Finding(Status.PASS, f"trusts by {facts.bundle.trust}{pins}")
        return
    yield Finding(
        Status.FAIL,
        missing,
        Fix(
            "Write the bundle again: it says whom to trust.",
            f"seawall device bundle {facts.bundle.device_id} --out {facts.bundle.device_id}-bundle",
        ),
        location=Location(CONFIG),
        key="trust",
    )


def _missing(bundle: Bundle, facts: FirmwareFacts) -> str | None:
    if bundle.trust not in {"ca", "pin", "ca+pin"}:
        return "trust.mode is none of ca, pin, ca+pin: the device believes no server, or each"
    if "pin" in bundle.trust and bundle.pins == 0:
        return f"trust.mode is {bundle.trust}, and there is no pin of 64 hex digits"
    if "ca" in bundle.trust and "ca.der" not in facts.files:
        return f"trust.mode is {bundle.trust}, and there is no ca.der"
    if "ca" in bundle.trust and not bundle.server_name:
        return "broker.server_name is empty: any certificate of the authority would do"
    return None


CHECK = Check(
    id="firmware.bundle.trust",
    title="The bundle does not say which server to trust",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=FIRMWARE,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="A device that cannot tell its server from another gives its readings to whoever "
    "answers, and takes their orders.",
    references=References(("I7",), ("5.5-1", "5.5-3"), ("DP",), (295, 297)),
    jobs=firmware_jobs,
    judge=_judge,
)
