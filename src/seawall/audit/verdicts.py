"""Turns what judges say into results: fingerprinted, redacted, bounded."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from seawall.audit.check import Answers, Check, Unobserved
from seawall.audit.redaction import Redactor
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Result, Status

MAX_FINDINGS: Final = 200
"""Of one check on one target; what is more is counted in one result."""
MAX_TEXT_CHARS: Final = 2_000

OPTIONS: Final = {
    "password": "--username and --password-file",
    "token": "--token-file",
    "server_name": "--name",
    "other": "a second identity, [target.other] in audit.toml",
}
"""How a field of `Access` is given, if not by its own name."""


def fingerprint(check: str, target: str, path: str, key: str) -> str:
    """Return 32 hex digits that name a finding in every run.

    Lines are left out: what stands above a finding may grow without making it a new one.
    """
    text = "\0".join((check, target, path, key))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def judge(check: Check, target: Target, answers: Answers) -> tuple[list[Finding], str]:
    """Return what the check finds, and what was wrong with the check itself if anything was.

    A judge that an answer fails makes one unknown finding with the reason; so does one
    that raises, or says nothing.
    """
    found: list[Finding] = []
    more: list[Finding] = []
    try:
        for finding in check.judge(target, answers):
            (found if len(found) < MAX_FINDINGS else more).append(finding)
    except Unobserved as missing:
        found.append(unknown(missing.reason))
    except Exception as fault:
        found.append(unknown("an internal error; see the message of the audit"))
        return found, f"{type(fault).__name__}: {fault}"
    if not found:
        return [unknown("an internal error: the check said nothing")], "the check said nothing"
    return found + _summed_up(more), ""


def _summed_up(more: list[Finding]) -> list[Finding]:
    if not more:
        return []
    worst = next((each for each in more if each.status is Status.FAIL), more[0])
    text = f"{len(more)} more findings of this check are left out"
    return [Finding(worst.status, text, severity=worst.severity, key="more")]


def unknown(reason: str) -> Finding:
    """Return the finding of a check that could not be made."""
    return Finding(Status.UNKNOWN, reason)


def missing_input(check: Check, target: Target) -> str:
    """Return why the check cannot be made with what was given; empty if it can."""
    for name in check.needs:
        if getattr(target.access, name) in {None, False}:
            return f"needs {OPTIONS.get(name, '--' + name.replace('_', '-'))}"
    return ""


def results(check: Check, target: Target, findings: Iterable[Finding]) -> list[Result]:
    """Return the results of one check on one target, without secrets."""
    redactor = Redactor(target.access)
    seen: Counter[str] = Counter()
    made = []
    for finding in findings:
        result = _result(check, target, finding, redactor)
        seen[result.fingerprint] += 1
        if (times := seen[result.fingerprint]) > 1:
            # The judge gave two findings one key: each needs a name of its own still.
            again = fingerprint(check.id, target.name, result.fingerprint, str(times))
            result = replace(result, fingerprint=again)
        made.append(result)
    return made


def _result(check: Check, target: Target, finding: Finding, redactor: Redactor) -> Result:
    path = finding.location.path if finding.location else ""
    return Result(
        target=target.name,
        check=check.id,
        item=check.item,
        status=finding.status,
        severity=finding.severity or check.severity,
        confidence=finding.confidence,
        evidence=_bounded(redactor.text(finding.evidence)),
        fix=_fix(finding.fix, redactor),
        location=finding.location and replace(finding.location, path=redactor.text(path)),
        fingerprint=fingerprint(check.id, target.name, path, finding.key),
        reproduce=redactor.optional(finding.reproduce),
    )


def _fix(fix: Fix | None, redactor: Redactor) -> Fix | None:
    if fix is None:
        return None
    # The changes keep their bytes, or they could not be applied; `fixing.show` redacts them.
    return Fix(_bounded(redactor.text(fix.text)), redactor.optional(fix.command), fix.changes)


def _bounded(text: str) -> str:
    return text if len(text) <= MAX_TEXT_CHARS else f"{text[: MAX_TEXT_CHARS - 1]}…"
