"""What one run of the audit leaves behind, for reports."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from seawall.audit.check import Check
from seawall.audit.target import Target
from seawall.model.finding import Result


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One run.

    Attributes:
        results: In the order of targets, then of checks.
        targets: What was audited.
        checks: What was run: title, why and references of each result are here.
        began: When, UTC.
        profile: Standard that reports map to: ``owasp-iot-2018``, ``etsi-303645`` or
            ``nist-8259a``.
        faults: Internal errors, a sentence each; the results they spoiled are unknown.
    """

    results: tuple[Result, ...]
    targets: tuple[Target, ...]
    checks: tuple[Check, ...]
    began: datetime
    profile: str = "owasp-iot-2018"
    faults: tuple[str, ...] = ()
