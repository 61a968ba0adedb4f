"""What deliveries prove about reading foreign topics: pure."""

from __future__ import annotations

from seawall.audit.mqtt_facts import Foreign
from seawall.audit.mqtt_words import passed, unknown
from seawall.model.finding import Finding, Fix, Status


def foreign_reading(seen: Foreign, fix: Fix, reproduce: str) -> Finding:
    """Judge whether an identity reads topics of others."""
    for attempt in seen.own:
        if attempt.delivered:
            evidence = (
                f"a message on `devices/seawall-audit-…/{attempt.topic.rpartition('/')[2]}`, a "
                "device that we are not, was delivered to us"
            )
            return Finding(Status.FAIL, evidence, fix, reproduce=reproduce)
    for attempt in seen.other or ():
        if attempt.delivered:
            evidence = "a message that the second identity published was delivered to the first"
            return Finding(Status.FAIL, evidence, fix, reproduce=reproduce)
    denied = denial(seen)
    if denied is not None:
        return passed(denied)
    wanted = "" if seen.other is not None else ": needs a second identity (`other` in audit.toml)"
    return unknown(
        "the broker grants the subscription and nothing of others came, which proves nothing"
        f"{wanted}"
    )


def denial(seen: Foreign) -> str | None:
    """Return what proves that foreign topics cannot be read; None if nothing does."""
    if not seen.subscribed:
        return "the broker closes the connection on a subscription to foreign topics"
    if all(code >= 0x80 for code in seen.subscribed):
        codes = ", ".join(f"0x{code:02x}" for code in seen.subscribed)
        return f"SUBACK {codes} to foreign topics"
    if any(each.delivered for each in (*seen.own, *(seen.other or ()))):
        return None
    if any(each.is_granted for each in seen.other or ()):
        return "what the second identity published was taken, and not delivered to the first"
    if any(each.is_granted for each in seen.own):
        return "a publication on a foreign topic was taken, and not delivered to its subscriber"
    return None
