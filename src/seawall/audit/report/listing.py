"""What ``seawall audit --list-checks`` says of the checks; the reference page is made from it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from seawall.audit.check import Check
from seawall.audit.report.standards import ITEM_TITLES


def listing(checks: Iterable[Check]) -> list[dict[str, Any]]:
    """Return the checks in the order of the ten, then of their ids."""
    return [
        {
            "id": check.id,
            "title": check.title,
            "item": check.item.value,
            "item_title": ITEM_TITLES[check.item],
            "kinds": sorted(kind.value for kind in check.kinds),
            "risk": check.risk.value,
            "severity": check.severity.value,
            "needs": list(check.needs),
            "references": {
                "owasp": list(check.references.owasp),
                "etsi": list(check.references.etsi),
                "nist": list(check.references.nist),
                "cwe": list(check.references.cwe),
            },
            "why": check.why,
        }
        for check in sorted(checks, key=lambda each: (each.item, each.id))
    ]
