"""Keys of the authorities without a passphrase."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from seawall.audit.check import Answers, Check, Job
from seawall.audit.probes.state import ReadStateKeys
from seawall.audit.state_files import STATE, quoted
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, Location, References, Risk, Severity, Status


def _jobs(_: Target) -> Sequence[Job[Any]]:
    return (ReadStateKeys(),)


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    keys = answers[ReadStateKeys()]
    for name in keys.unsealed:
        path = f"pki/{name}"
        yield Finding(
            Status.FAIL,
            f"{path} has no passphrase",
            Fix(
                "Seal it with a passphrase, at least 12 characters; 'seawall device add' and "
                "'revoke' then ask for it, and nothing else needs it.",
                f"(umask 077 && openssl pkcs8 -topk8 -v2 aes-256-cbc -scrypt "
                f"-in {quoted(target, path)} -out {quoted(target, path + '.new')} && "
                f"mv {quoted(target, path + '.new')} {quoted(target, path)})",
            ),
            location=Location(path),
            reproduce=f"head -1 {quoted(target, path)}",
            key=path,
        )
    if not keys.unsealed:
        yield Finding(Status.PASS, "each key of an authority that stands there has a passphrase")


CHECK = Check(
    id="state.authority.sealed",
    title="The authority's keys have no passphrase",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=STATE,
    # For information: the file is its owner's alone, and the daemon needs the issuing key to
    # renew the revocation list by itself. A decision to take, not a weakness to mend at once.
    severity=Severity.INFO,
    risk=Risk.READ,
    why="Whoever copies the disk, a backup or the account can make devices that the fleet "
    "believes. Under a passphrase the copy alone is worth nothing.",
    references=References(("I7",), ("5.4-1",), ("DP",), (311, 312)),
    jobs=_jobs,
    judge=_judge,
)
