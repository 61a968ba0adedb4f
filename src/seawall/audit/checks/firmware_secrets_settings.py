"""Secrets in files with settings that others may read, or that everybody knows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from seawall.audit.check import Answers, Check
from seawall.audit.firmware.judging import (
    FIRMWARE,
    firmware_jobs,
    firmware_of,
    own_alone,
    settled,
    show_line,
)
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

_CHANGE = Fix("Choose another, at random: `openssl rand -base64 18` makes one.")


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    facts = firmware_of(target, answers)
    found = []
    for path, file in facts.files.items():
        for literal in file.settings or ():
            finding = Finding(
                Status.FAIL,
                f"{literal}; mode {file.mode:04o}",
                location=Location(path, literal.line),
                reproduce=show_line(target, path, literal.line),
                key=literal.name,
            )
            if literal.is_default:
                found.append(replace(finding, fix=_CHANGE, severity=Severity.CRITICAL))
            elif file.mode & 0o077:
                found.append(replace(finding, fix=own_alone(target, path)))
    files = [path for path, file in facts.files.items() if file.settings is not None]
    passed = f"{len(files)} files with settings, no secret in them that others may read"
    return settled(found, facts, files, passed, "no files with settings here")


CHECK = Check(
    id="firmware.secrets.settings",
    title="Settings hold a password that others may read or guess",
    item=Item.PASSWORDS,
    kinds=FIRMWARE,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="A device needs its passwords in a file, but nobody else does: every user and program "
    "of the machine that makes the firmware reads what its mode lets them. Default passwords "
    "need no reading at all.",
    references=References(("I1",), ("5.1-1", "5.4-1"), ("DP",), (260, 522, 1392)),
    jobs=firmware_jobs,
    judge=_judge,
)
