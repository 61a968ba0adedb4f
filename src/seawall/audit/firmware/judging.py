"""What the checks of firmware have in common: from facts to findings."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from seawall.audit.check import Answers, Job
from seawall.audit.firmware.facts import FirmwareFacts
from seawall.audit.firmware.sdkconfig_source import is_sdkconfig
from seawall.audit.firmware.source import Language, Seen, Sight, Trait, Weakness
from seawall.audit.probes.firmware import ReadFirmware
from seawall.audit.target import Target, TargetKind
from seawall.model.finding import ChangeMode, Finding, Fix, Location, Status

FIRMWARE: Final = frozenset({TargetKind.FIRMWARE})

_MADE_FOR_IT: Final = re.compile(r"(?i)verif|sign|ed25519|ecdsa|rsa|tuf|trust|update|ota")

Judge = Callable[[Target, Answers], Iterable[Finding]]


def firmware_jobs(target: Target) -> Sequence[Job[Any]]:
    """Return the one job that all checks of firmware share."""
    return (ReadFirmware(target.path or Path()),)


def firmware_of(target: Target, answers: Answers) -> FirmwareFacts:
    """Return what was read in the folder.

    Raises:
        Unobserved: nothing was.
    """
    return answers[ReadFirmware(target.path or Path())]


def settled(
    found: Sequence[Finding],
    facts: FirmwareFacts,
    applies: object,
    passed: str,
    otherwise: str,
    *,
    by_source: bool = False,
) -> Iterable[Finding]:
    """Return what was found; else whether that is a pass, for not all may have been seen.

    Args:
        found: Failures.
        facts: Of the folder.
        applies: Whether there was anything to judge.
        passed: Evidence of a pass.
        otherwise: Why there was nothing to judge.
        by_source: Whether it was judged by source code, which may not all have been parsed.
    """
    if found:
        return found
    unseen = facts.unparsed if by_source else facts.partial
    if unseen is not None:
        return [Finding(Status.UNKNOWN, f"nothing found, but not all was seen: {unseen}")]
    if not applies:
        return [Finding(Status.NOT_APPLICABLE, otherwise)]
    return [Finding(Status.PASS, passed)]


def judge_spots(
    weakness: Weakness, fixes: Fix | Mapping[Language, Fix], passed: str, otherwise: str
) -> Judge:
    """Return a judge that fails every line with a weakness.

    It passes only if places were seen that could have been weak and are not: of a place
    whose outcome is decided elsewhere, or of a library alone, nothing is known.

    Args:
        weakness: In what.
        fixes: How to mend it, in the words of what the file is written for.
        passed: Evidence of a pass.
        otherwise: Why there was nothing to judge.
    """

    def judge(target: Target, answers: Answers) -> Iterable[Finding]:
        facts = firmware_of(target, answers)
        found = [
            Finding(
                Status.FAIL,
                spot.evidence,
                fixes if isinstance(fixes, Fix) else fixes[source.language],
                location=Location(path, spot.line),
                reproduce=show_line(target, path, spot.line),
                key=spot.key,
            )
            for path, source in facts.sources.items()
            for spot in source.spots
            if spot.weakness is weakness
        ]
        seen = [
            (path, place)
            for path, source in facts.sources.items()
            for place in source.seen
            if place.weakness is weakness
        ]
        undecided = _undecided(seen)
        if found or facts.unparsed or undecided is None:
            return settled(found, facts, seen, passed, otherwise, by_source=True)
        return [undecided]

    return judge


def _undecided(seen: Sequence[tuple[str, Seen]]) -> Finding | None:
    """Return the finding of places whose outcome is not known, None if there are none."""
    sights = {place.sight for _, place in seen}
    sight = Sight.NAMED if sights == {Sight.NAMED} else Sight.OPEN
    places = [(path, place) for path, place in seen if place.sight is sight]
    if not places:
        return None
    path, first = places[0]
    more = f", and {len(places) - 1} more such" if len(places) > 1 else ""
    return Finding(Status.UNKNOWN, f"{first.evidence}{more}", location=Location(path, first.line))


def updaters(facts: FirmwareFacts) -> dict[str, int]:
    """Return the files that update the device, with the line where they do."""
    found: dict[str, int] = {}
    for path, source in facts.sources.items():
        traits = source.traits
        if Trait.UPDATES in traits:
            found[path] = traits[Trait.UPDATES]
        elif Trait.FETCHES in traits and Trait.WRITES_CODE in traits:
            found[path] = traits[Trait.WRITES_CODE]
    return found


def has_trait(facts: FirmwareFacts, trait: Trait, path: str) -> bool:
    """Return whether an updater, or a module made for it, has a trait.

    A signature may well be checked in a module of its own, whose name then says so; one
    that signs telemetry somewhere else protects no update. ESP-IDF may be built to refuse
    images itself.
    """
    is_c = facts.sources[path].language is not Language.PYTHON
    return any(
        trait in source.traits
        for other, source in facts.sources.items()
        if other == path
        or (is_c and is_sdkconfig(other))
        or _MADE_FOR_IT.search(other.rpartition("/")[2])
    )


def fetches_from_elsewhere(facts: FirmwareFacts, path: str) -> bool:
    """Return whether the address that an updater fetches from is not seen in its file."""
    source = facts.sources[path]
    sights = {place.sight for place in source.seen if place.weakness is Weakness.PLAIN_HTTP}
    is_c = source.language is not Language.PYTHON
    return Sight.OPEN in sights or (is_c and Sight.SOUND not in sights)


def own_alone(target: Target, path: str, mode: int = 0o600) -> Fix:
    """Return the fix that leaves a file to its owner alone."""
    full = shown_path(target, path)
    return Fix(
        f"Let its owner alone read it: mode {mode:04o}.",
        f"chmod {mode:o} {shlex.quote(full)}",
        (ChangeMode(full, mode),),
    )


def shown_path(target: Target, path: str) -> str:
    """Return a path as a command in the current directory would name it."""
    full = str((target.path or Path()) / path) if path else str(target.path or Path())
    return f"./{full}" if full.startswith("-") else full


def show_line(target: Target, path: str, line: int) -> str:
    """Return the command that shows a line."""
    return f"sed -n {line}p {shlex.quote(shown_path(target, path))}"
