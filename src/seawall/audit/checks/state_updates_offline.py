"""Keys of releases that should not stand on the server."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from seawall.audit.check import Answers, Check, Job
from seawall.audit.probes.state import ReadStateUpdates
from seawall.audit.state_files import STATE, place
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, Location, References, Risk, Severity, Status

_OFFLINE = frozenset({"root", "targets"})


def _jobs(_: Target) -> Sequence[Job[Any]]:
    return (ReadStateUpdates(),)


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    roles = [each for each in answers[ReadStateUpdates()].roles if each.role in _OFFLINE]
    present = [path for role in roles for path in role.present]
    unsealed = [path for role in roles for path in role.unsealed]
    for path in unsealed:
        yield Finding(
            Status.FAIL,
            f"{path} stands on the server, without a passphrase",
            Fix(
                "Take it off the server; 'seawall release' takes it from elsewhere with --key.",
                _moved(target, [path]),
            ),
            Severity.HIGH,
            location=Location(path),
            key=path,
        )
    sealed = [path for path in present if path not in unsealed]
    if sealed:
        yield Finding(
            Status.FAIL,
            f"{len(sealed)} offline keys stand on the server, under a passphrase: "
            + ", ".join(path.rpartition("/")[2] for path in sealed),
            Fix(
                "Move them to removable disks, at best one each; 'seawall release' takes a key "
                "from there with --key.",
                _moved(target, sealed),
            ),
            location=Location(sealed[0]),
            key="sealed",
        )
    if not roles:
        yield Finding(Status.NOT_APPLICABLE, "there are no update keys")
    elif not present:
        yield Finding(Status.PASS, "no key of root or targets stands on the server")


def _moved(target: Target, paths: Sequence[str]) -> str:
    disk = '"${DISK:?set DISK to the folder of the removable disk}"'
    return f"mv {shlex.join(place(target, path) for path in paths)} {disk}/"


CHECK = Check(
    id="state.updates.offline",
    title="Offline keys of releases stand on the server",
    item=Item.UPDATES,
    kinds=STATE,
    severity=Severity.LOW,
    risk=Risk.READ,
    why="These keys decide what every device runs. On the server, whoever breaks in waits for the "
    "passphrase to be typed, and then owns the fleet; on a disk in a drawer they do not.",
    references=References(("I4",), ("5.3-9", "5.3-10"), ("SU",), (320, 522)),
    jobs=_jobs,
    judge=_judge,
)
