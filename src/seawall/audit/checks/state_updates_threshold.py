"""Root metadata that a single key can change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from seawall.audit.check import Answers, Check, Job
from seawall.audit.probes.state import ReadStateUpdates
from seawall.audit.state_files import STATE
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, References, Risk, Severity, Status


def _jobs(_: Target) -> Sequence[Job[Any]]:
    return (ReadStateUpdates(),)


def _judge(_: Target, answers: Answers) -> Iterator[Finding]:
    roots = [each for each in answers[ReadStateUpdates()].roles if each.role == "root"]
    if not roots:
        yield Finding(Status.NOT_APPLICABLE, "there are no update keys")
    elif roots[0].threshold < 2:
        yield Finding(
            Status.FAIL,
            "one root key alone can replace all other keys",
            Fix(
                "Demand two: 'seawall release keys --help' adds root keys and raises the "
                "threshold; the present root signs that."
            ),
        )
    else:
        yield Finding(Status.PASS, f"{roots[0].threshold} root keys must sign")


CHECK = Check(
    id="state.updates.threshold",
    title="One root key alone decides",
    item=Item.UPDATES,
    kinds=STATE,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why="Root says which keys count. If one key is enough, its thief takes the fleet over and its "
    "loss means that no device can ever be updated again.",
    references=References(("I4",), ("5.3-9", "5.3-10"), ("SU",), (654,)),
    jobs=_jobs,
    judge=_judge,
)
