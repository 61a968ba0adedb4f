"""Runs ``seawall audit``: audits, mends if asked to, prints, and says how it ended."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from seawall.audit.check import Check
from seawall.audit.fixing import apply, planned
from seawall.audit.policy import AuditPolicy
from seawall.audit.report import html, json_report, sarif
from seawall.audit.report.diff import MAX_EARLIER_BYTES, Earlier, parse_earlier
from seawall.audit.report.listing import listing
from seawall.audit.report.patch import command_of, diff_of
from seawall.audit.report.record import AuditRecord
from seawall.audit.report.visible import visible_block
from seawall.audit.target import Target, TargetKind
from seawall.cli.asking import is_interactive
from seawall.cli.audit_progress import shown_progress
from seawall.cli.audit_shown import print_checks, print_record
from seawall.cli.audit_targets import lent, policy_of, ports, targets_of
from seawall.cli.exit_codes import AuditExitCode
from seawall.cli.output import emit_json, say
from seawall.errors import SeawallError, UsageError
from seawall.model.finding import Fix, Severity
from seawall.operations.audit_targets import (
    AuditOrder,
    audit_targets,
    counted_failures,
    list_checks,
    unanswered,
    unneeded_waivers,
)

_STREAMS: Final = frozenset(map(Path, ("/dev", "/dev/fd", "/proc/self/fd")))
MAX_ROUNDS: Final = 5
"""Of fixing: changes that contradict each other are made one after the other."""


def run(texts: tuple[str, ...], state: Path, given: Mapping[str, Any]) -> AuditExitCode:
    """Do what the command line says and return the exit status."""
    # Late: main imports this module's command.
    from seawall.cli.main import print_error  # noqa: PLC0415

    try:
        return _run(texts, state, given)
    except SeawallError as error:
        print_error(error)
        return AuditExitCode.USAGE
    except BrokenPipeError:
        raise  # whoever read it has left: no error
    except OSError as error:
        print_error(SeawallError(f"{error.filename or 'a file'}: {error.strerror}"))
        return AuditExitCode.USAGE
    except click.ClickException:
        raise
    except Exception as fault:
        if isinstance(fault, click.exceptions.Exit | click.Abort) or "SEAWALL_DEBUG" in os.environ:
            raise
        print_error(
            SeawallError(
                f"a fault in Seawall: {type(fault).__name__}",
                hint="please report it, with what SEAWALL_DEBUG=1 prints",
            )
        )
        return AuditExitCode.INTERNAL


def _run(texts: tuple[str, ...], state: Path, given: Mapping[str, Any]) -> AuditExitCode:
    if given["schema"]:
        emit_json(json_report.json_schema())
        return AuditExitCode.CLEAN
    checks = list_checks(given["checks"])
    if given["list_checks"]:
        emit_json(listing(checks)) if given["as_json"] else print_checks(checks)
        return AuditExitCode.CLEAN
    place, texts = _sarif_place(given["sarif"], texts)
    _check_options(given, place)
    policy = policy_of(given, texts, state)
    with lent(targets_of(texts, state, given, policy), state, given) as targets:
        return _audit(targets, checks, policy, given, place)


def _audit(
    targets: Sequence[Target],
    checks: Sequence[Check],
    policy: AuditPolicy,
    given: Mapping[str, Any],
    place: str | None,
) -> AuditExitCode:
    order = AuditOrder(
        targets=targets,
        checks=checks,
        policy=policy,
        profile=given["profile"] or "",
        earlier=_earlier(given["diff"]),
        ports=ports() if any(each.kind is TargetKind.STATE for each in targets) else {},
    )
    record = _audited(order)
    if given["fix"]:
        record = _mended(order, record, asks=not given["yes"])
    for note in unneeded_waivers(order, record):
        say(note)
    _write(record, given, place)
    return _status(record, given, policy.fail_on, strict=given["strict"] or policy.strict)


def _check_options(given: Mapping[str, Any], sarif_place: str | None) -> None:
    if given["yes"] and not given["fix"]:
        raise UsageError("--yes goes with --fix")
    if given["fix"] and not given["yes"] and not is_interactive():
        raise UsageError("--fix asks before it changes anything", hint="give --yes as well")
    if given["as_json"] and sarif_place == "-":
        raise UsageError("--json and --sarif both print", hint="write one: --sarif=report.sarif")
    _check_place("--html", given["html"])
    if sarif_place not in {None, "-"}:
        _check_place("--sarif", Path(str(sarif_place)))


def _check_place(option: str, path: Path | None) -> None:
    """Refuse what a report cannot be written into: a pipe would wait for somebody who reads.

    What is open already, as /dev/stdout is, waits for nobody.

    Raises:
        UsageError: it is there, and no regular file.
    """
    if path is None:
        return
    try:
        mode = path.stat().st_mode
    except OSError:
        return  # it is made, or writing says why it cannot be
    is_stream = stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)
    if not stat.S_ISREG(mode) and not (is_stream and path.parent in _STREAMS):
        raise UsageError(
            f"{option} {path} is there, and is no regular file",
            hint="name a new file, or /dev/stdout",
        )


def _audited(order: AuditOrder) -> AuditRecord:
    with shown_progress() as progress:
        return audit_targets(order, progress)


def _earlier(path: Path | None) -> Earlier | None:
    if path is None:
        return None
    with path.open("rb") as file:
        return parse_earlier(file.read(MAX_EARLIER_BYTES + 1), str(path))


def _mended(order: AuditOrder, record: AuditRecord, *, asks: bool) -> AuditRecord:
    """Show what can be changed, change it, and audit again, until nothing is left to change."""
    for _ in range(MAX_ROUNDS):
        changes = planned(record.results)
        if not changes:
            break
        fix = Fix("", changes=changes)
        for block in (diff_of(fix), command_of(fix)):
            if block is not None:
                say(visible_block(block))
        if asks and not click.confirm("Apply these changes?", default=False, err=True):
            say("Nothing was changed.")
            return record
        apply(changes)
        say(f"{len({each.path for each in changes})} file(s) changed; auditing again.")
        record = _audited(order)
    else:
        say(f"After {MAX_ROUNDS} rounds there are still changes to make: give --fix again.")
    return record


# What comes out


def _sarif_place(place: str | None, texts: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    """Tell a file for SARIF from a target that follows ``--sarif``.

    Raises:
        UsageError: the file is there and holds something else: perhaps it was a target.
    """
    if place is None or place == "-":
        return place, texts
    path = Path(place)
    if path.suffix.lower() not in {".sarif", ".json"} or path.is_dir() or "://" in place:
        return "-", (place, *texts)
    if path.is_file() and (head := _head(path)).strip() and b"sarif" not in head:
        raise UsageError(
            f"{place} is there, and holds no SARIF that could be replaced",
            hint="name another file, or write --sarif=- if it is a target",
        )
    return place, texts


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4096)


def _write(record: AuditRecord, given: Mapping[str, Any], sarif_place: str | None) -> None:
    if given["html"] is not None:
        given["html"].write_text(html.page(record), encoding="utf-8")
    if sarif_place not in {None, "-"}:
        text = json.dumps(sarif.sarif(record), indent=2, ensure_ascii=False)
        Path(str(sarif_place)).write_text(text + "\n", encoding="utf-8")
    if given["as_json"]:
        emit_json(json_report.report(record))
    elif sarif_place == "-":
        emit_json(sarif.sarif(record))
    else:
        print_record(record)
    for fault in record.faults:
        say(f"internal error: {fault}")


def _status(
    record: AuditRecord, given: Mapping[str, Any], fail_on: Severity | None, *, strict: bool
) -> AuditExitCode:
    least = Severity(given["fail_on"]) if given["fail_on"] else fail_on or Severity.MEDIUM
    if record.faults:
        return AuditExitCode.INTERNAL
    if counted_failures(record, least):
        return AuditExitCode.FINDINGS
    if strict and unanswered(record):
        return AuditExitCode.INCOMPLETE
    return AuditExitCode.CLEAN
